import {
  forgetfulPolicy,
  targetedPolicy,
  type WiringPolicy,
  wiremaxPolicy,
  wirePolicy,
} from '@uvmkit/uvm-core';
import { type FaultFigures, measureFaults, type PortFigures, measurePort } from './accesses.ts';
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

/** The wiring policies whose faults are measured, by name: the default is their yardstick. */
export const POLICIES: ReadonlyMap<string, WiringPolicy> = new Map(
  [wiremaxPolicy, wirePolicy, targetedPolicy, forgetfulPolicy].map((policy) => [
    policy.name,
    policy,
  ]),
);

/** Measures faults under one wiring policy. */
export async function measurePolicy(arch: string, policy: string): Promise<FaultFigures> {
  const make = PORTS.get(arch);
  const wiring = POLICIES.get(policy);
  if (make === undefined || wiring === undefined)
    throw new RangeError(
      `no policy ${policy} or no architecture ${arch}; there are ${[...POLICIES.keys()].join(', ')} and ${[...PORTS.keys()].join(', ')}`,
    );
  return measureFaults(make, wiring);
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
