import { bootBare, type Port } from '@uvmkit/pmap';
import {
  type Aspect,
  type CaseContext,
  type KitCase,
  type Layer,
  type Level,
  Breach,
} from '../case.ts';
import type { ClauseId } from '../clauses.ts';
import { Model, type ModelOptions } from '../model.ts';
import { thrown } from '../stage.ts';

/** What a case says of itself. */
export interface Told {
  readonly id: string;
  readonly sentence: string;
  readonly clauses: readonly ClauseId[];
  /** `pmap` if not given. */
  readonly layer?: Layer;
  /** `MUST` if not given. */
  readonly level?: Level;
  readonly about?: readonly Aspect[];
  readonly inapplicable?: KitCase['inapplicable'];
}

/** A case as a function of its context. */
export function kitCase(told: Told, run: (context: CaseContext) => void): KitCase {
  return {
    layer: 'pmap',
    level: 'MUST',
    about: [],
    inapplicable: () => null,
    ...told,
    run: (context) => {
      try {
        run(context);
      } catch (error) {
        throw asBreach(error, []);
      }
    },
  };
}

/** A case that does things to a {@link Model}; at the end everything is looked at. */
export function modelCase(
  told: Told & { readonly model?: ModelOptions },
  run: (model: Model) => void,
): KitCase {
  const { model: options = {}, ...rest } = told;
  const { inapplicable = () => null } = told;
  return kitCase(
    {
      ...rest,
      inapplicable: (port, format) => inapplicable(port, format) ?? tooFew(port, options.cpus ?? 1),
    },
    ({ port, excused }) => {
      const judged = new Set(
        [...excused].filter((aspect) => told.about?.includes(aspect) !== true),
      );
      onModel(port, { excused: judged, ...options }, (model) => {
        run(model);
        model.sweep();
      });
    },
  );
}

/**
 * Runs on a fresh model. What is thrown becomes a breach that knows what was done: it is done again, written down.
 */
export function onModel(port: Port, options: ModelOptions, run: (model: Model) => void): void {
  try {
    run(new Model(port, options));
  } catch {
    const model = new Model(port, { ...options, record: true });
    try {
      run(model);
    } catch (error) {
      throw asBreach(error, model.stage.script);
    }
    throw new Breach(
      'the same calls made again',
      'the same result',
      'no breach',
      model.stage.script,
    );
  }
}

/** What a port threw, as a breach. */
export function asBreach(error: unknown, script: readonly string[]): Breach {
  if (error instanceof Breach) return error;
  return new Breach('the call', 'to return', thrown(error), [...script, `// ${thrown(error)}`]);
}

const most: WeakMap<Port, number> = new WeakMap();

/** Whether an MMU of this kind can be one of several: 2 if it can, else 1. */
export function cpusOf(port: Port): number {
  let cpus = most.get(port);
  if (cpus === undefined) {
    cpus = 2;
    try {
      bootBare(port, { cpus: 2 });
    } catch (error) {
      // The documented way of refusing; whatever else it throws the case itself will meet.
      if (error instanceof RangeError) cpus = 1;
    }
    most.set(port, cpus);
  }
  return cpus;
}

/** Why a case that needs so many CPUs is inapplicable to a port, or null. */
export function tooFew(port: Port, cpus: number): string | null {
  return cpus > 1 && cpusOf(port) === 1 ? `${port.name} works alone` : null;
}
