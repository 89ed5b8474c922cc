import { cases, divergencesOf, type KitVerdict, runCase } from '@uvmkit/conformance';
import { search } from '@uvmkit/conformance/fast-check';
import type { PortName, Variant } from './mutant.ts';
import { type Factory, made } from './ports.ts';

/** One case on one changed port. */
export interface Task {
  /** The address of the port's module. */
  readonly module: string;
  readonly port: PortName;
  readonly variant: Variant;
  /** The case's id. */
  readonly id: string;
  readonly seed: number;
  readonly effort: number;
}

/** What the kit says of it. */
export interface Answer {
  readonly verdict: KitVerdict;
  readonly reason: string;
}

/** What the pool calls in a thread of its own, so that a port that never returns can be ended. */
export async function judge({
  module,
  port: name,
  variant,
  id,
  seed,
  effort,
}: Task): Promise<Answer> {
  const factory = ((await import(module)) as Readonly<Record<string, Factory>>)[name]!;
  const { port, scarce } = made(name, variant, factory);
  const each = cases.find((candidate) => candidate.id === id)!;
  const known = divergencesOf(name);
  // What the exact count puts right is no longer known to differ.
  const divergences =
    variant === 'exact' ? known.filter(({ aspect }) => aspect !== 'wiredCount') : known;
  const { verdict, reason } = runCase(each, port, { search, seed, effort, scarce, divergences });
  return { verdict, reason };
}
