/** A kind of command: how often it is chosen, and how many values each of its arguments has (0 … n − 1). */
export interface CommandShape {
  readonly name: string;
  /** Relative to the others'. */
  readonly weight: number;
  readonly ranges: readonly number[];
}

/** One command: its kind and its arguments. Any command may follow any other; what makes no sense does nothing. */
export interface Command {
  readonly name: string;
  readonly args: readonly number[];
}

/** What to look for. */
export interface SearchTask {
  readonly shapes: readonly CommandShape[];
  readonly seed: number;
  /** Sequences to try. */
  readonly runs: number;
  /** The most commands in a sequence. */
  readonly length: number;
  /** Throws if the sequence shows a breach. Called with a sequence twice it does the same twice. */
  readonly run: (commands: readonly Command[]) => void;
}

/** A sequence of commands that fails, none of which can be spared. */
export interface Counterexample {
  readonly commands: readonly Command[];
  /** What `run` threw. */
  readonly error: unknown;
  /** Sequences tried before one failed. */
  readonly tried: number;
}

/**
 * Looks for a sequence of commands that fails and shrinks it, or answers null. The kit brings none, so
 * that it needs nothing from outside: `@uvmkit/conformance/fast-check` is one.
 */
export type Search = (task: SearchTask) => Counterexample | null;
