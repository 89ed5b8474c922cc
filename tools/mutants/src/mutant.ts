/** A port that mutants are made of, by the name that `--port` knows. */
export type PortName = 'i386' | 'alpha' | 'sun4c' | 'srmmu' | 'oea' | 'ibm4xx' | 'sv32' | 'sv39';

/**
 * How a port is made before it is judged: `default` with no options; `exact` with the options under which
 * `wiredCount` counts right, where the default does not; `deferred` with flushes left to `update`.
 */
export type Variant = 'default' | 'exact' | 'deferred';

/** One change of one place in the source of a port. */
export interface Change {
  /** Never used again: `i386-remove-no-flush`. */
  readonly id: string;
  readonly port: PortName;
  /** The source file, from the package's `src`. */
  readonly file: string;
  /** What stands there, exactly once. */
  readonly find: string;
  /** What stands there instead. */
  readonly replace: string;
  /** `default` if not given. */
  readonly variant?: Variant;
}

/** A broken port. */
export interface Mutant extends Change {
  /** What is wrong with it, in a sentence. */
  readonly wrong: string;
  /** Ids of cases that find it, the quickest first. The others are tried after them. */
  readonly killedBy: readonly string[];
}

/** A change that nothing can see through the interface. */
export interface Equivalent extends Change {
  /** Why nothing can. */
  readonly why: string;
}

/**
 * A source with the change made.
 *
 * @throws RangeError if what the change looks for is not there exactly once
 */
export function changed(source: string, { id, file, find, replace }: Change): string {
  const parts = source.split(find);
  if (parts.length !== 2)
    throw new RangeError(
      `${id}: ${file} must have this exactly once, found ${parts.length - 1} times:\n${find}`,
    );
  return parts.join(replace);
}
