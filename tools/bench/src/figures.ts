import { type PortFigures, measurePort } from './accesses.ts';
import { measureLookup } from './lookup.ts';
import { PORTS } from './ports.ts';
import { measurePressure, type PressureFigures } from './pressure.ts';
import type { Figure } from './measure.ts';
import { measureArrayRead } from './yardstick.ts';

/** What one process measures: the yardstick, and one port beside it. */
export interface Measured extends PortFigures {
  readonly arrayRead: Figure;
  readonly lookup1e3: Figure;
  readonly lookup1e6: Figure;
  readonly pressure: PressureFigures;
}

/** Measures one port, with the yardstick in the same process. */
export async function measureAll(arch: string): Promise<Measured> {
  const make = PORTS.get(arch);
  if (make === undefined)
    throw new RangeError(`no architecture ${arch}; there are ${[...PORTS.keys()].join(', ')}`);
  return {
    arrayRead: await measureArrayRead(),
    ...(await measurePort(arch, make)),
    lookup1e3: await measureLookup(make(), 1e3),
    lookup1e6: await measureLookup(make(), 1e6),
    pressure: await measurePressure(make),
  };
}
