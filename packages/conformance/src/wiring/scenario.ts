import type { Stage } from './stage.ts';

/** The four answers to the wiring problem, by the names that `--policy` calls them, in the order of history. */
export const POLICY_NAMES = ['wire', 'wiremax', 'targeted', 'forgetful'] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];

/**
 * What became of a cell, the worst last:
 *
 * - `absent`: the machine cannot be built so (a second CPU)
 * - `fine`: every program saw what it should, no invariant was broken, every count came back
 * - `message`: likewise, but the kernel complained on its console
 * - `count`: a count is off: of wired pages, of the reasons for a page's wiring, of what a limit is held against
 * - `lost`: without a word, a lock or its memory was not what it should be: a locked page not mapped, a mapping of the
 *   wrong page, the wrong bytes
 * - `panic`: the kernel stopped
 * - `broken`: an invariant failed that has nothing to do with wiring; never expected
 */
export const KINDS = ['absent', 'fine', 'message', 'count', 'lost', 'panic', 'broken'] as const;
export type Kind = (typeof KINDS)[number];

/** What must become of a cell, and why. */
export interface Expected {
  readonly kind: Kind;
  /** The panic's words, or what the console's line begins with; empty where there are none. */
  readonly words: string;
  readonly because: string;
}

/** What must become of a scenario under a policy: everywhere, but on the MMUs that are named. */
export interface ExpectedOn extends Expected {
  readonly on: Readonly<Record<string, Expected>>;
}

/** One story that the wiring problem, or a part of it, can be seen in. */
export interface Scenario {
  /** What the command line calls it. */
  readonly id: string;
  /** A few words for the head of a table. */
  readonly title: string;
  /** What happens, in a sentence. */
  readonly sentence: string;
  /** Where it is told. */
  readonly source: string;
  /** CPUs of the machine; 1 if not given. */
  readonly cpus?: number;
  /** Acts it, step by step, and looks at what the programs see. */
  readonly play: (stage: Stage) => void;
  readonly expected: Readonly<Record<PolicyName, ExpectedOn>>;
}

/** Everywhere the same, if nothing is added with {@link except}. */
function everywhere(kind: Kind, words: string, because: string): ExpectedOn {
  return { kind, words, because, on: {} };
}

/** On every MMU all goes well. `because` says why. */
export function fine(because: string): ExpectedOn {
  return everywhere('fine', '', because);
}

/** The kernel stops on every MMU, with a panic that has `words` in it. */
export function panics(words: string, because: string): ExpectedOn {
  return everywhere('panic', words, because);
}

/** A wiring is lost on every MMU, and nobody is told. */
export function loses(because: string): ExpectedOn {
  return everywhere('lost', '', because);
}

/** A count of wired pages or mappings is wrong on every MMU. */
export function miscounts(because: string): ExpectedOn {
  return everywhere('count', '', because);
}

/** The kernel goes on everywhere after a message that has `words` in it. */
export function complains(words: string, because: string): ExpectedOn {
  return everywhere('message', words, because);
}

/** The machine cannot be built so, on any MMU: `because` says why. */
export function absent(because: string): ExpectedOn {
  return everywhere('absent', '', because);
}

/** The same, with MMUs on which it is otherwise. */
export function except(
  general: ExpectedOn,
  archs: readonly string[],
  otherwise: Expected,
): ExpectedOn {
  const { kind, words, because } = otherwise;
  const on = Object.fromEntries(archs.map((arch) => [arch, { kind, words, because }]));
  return { ...general, on: { ...general.on, ...on } };
}

/** What must become of the scenario under a policy on an MMU. */
export function expectedOf(scenario: Scenario, policy: PolicyName, arch: string): Expected {
  const general = scenario.expected[policy];
  return general.on[arch] ?? general;
}
