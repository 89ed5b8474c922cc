/**
 * `@uvmkit/conformance/fast-check`: the search for failing sequences by fast-check, which whoever imports this
 * brings along.
 */
import fc from 'fast-check';
import type { Command, Counterexample, SearchTask } from './kit/search.ts';

/** A `Search` by fast-check: sequences biased to small arguments, shrunk to as few and as small commands as it can. */
export function search({ shapes, seed, runs, length, run }: SearchTask): Counterexample | null {
  const command: fc.Arbitrary<Command> = fc.oneof(
    ...shapes.map(({ name, weight, ranges }) => ({
      weight,
      arbitrary: fc
        .tuple(...ranges.map((range) => fc.nat(range - 1)))
        .map((args): Command => ({ name, args })),
    })),
  );
  const commands = fc.array(command, { maxLength: length, size: 'max' });
  const outcome = fc.check(
    fc.property(commands, (tried) => run(tried)),
    { seed, numRuns: runs },
  );
  if (!outcome.failed) return null;
  return {
    commands: outcome.counterexample![0],
    error: outcome.errorInstance,
    tried: outcome.numRuns,
  };
}
