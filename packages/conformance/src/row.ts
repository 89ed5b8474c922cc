import type { Port, PortCapabilities } from '@uvmkit/pmap';
import { type WiringPolicy, wiremaxPolicy } from '@uvmkit/uvm-core';
import type { PolicyName } from './wiring/scenario.ts';
import type { World } from './world.ts';

/** Whose behaviour is expected, and asked of the machine. */
export type RowProfile = 'netbsd-2001' | 'posix';

/** Both profiles, that of the kernel first. */
export const ROW_PROFILES: readonly RowProfile[] = ['netbsd-2001', 'posix'];

/** What was seen of one thing: `ok` or the name of an error or a signal; or a number, or whether. */
export type Outcome = string | number | boolean;

/** What a row's action saw, by what it did. */
export type Outcomes = Readonly<Record<string, Outcome>>;

/** What must be seen; of a list any one. */
export type Expectation = Readonly<Record<string, Outcome | readonly Outcome[]>>;

/** Where POSIX and NetBSD of December 2001 differ. */
export type Expectations = { readonly [profile in RowProfile]: Expectation };

/** What a port must have for a row to mean anything on it. */
export interface Needs {
  /** The units at which execute permission may be enforced. */
  readonly execute: readonly PortCapabilities['execute'][];
}

/** Some wiring policies' own way, that a row looks at. */
export interface PolicyMatter {
  /** Whose it is: the row is asked of no other. */
  readonly policies: readonly PolicyName[];
  /** The profiles that it shows under; both if not given. */
  readonly profiles?: readonly RowProfile[];
  /** What others do instead, which is not wrong. */
  readonly reason: string;
}

/** What is told of every row. */
export interface RowText {
  /** As the suite that it comes from numbers it: `NB-MMAP-01`, `OP-MMAP-11-1`. */
  readonly id: string;
  /** What a process may rely on. */
  readonly sentence: string;
  /** The suite and the test. */
  readonly source: string;
}

/** A row about something that a machine of 2001 has. */
export interface LiveRow extends RowText {
  readonly needs?: Needs;
  /** What mlock(2) does on the row's machine; as the commit of 31 December 2001 has it if not given. */
  readonly wiring?: WiringPolicy;
  /** Which policies do what the row expects; all if not given. */
  readonly about?: PolicyMatter;
  /** One expectation for both profiles, or one for each. */
  readonly expected: Expectation | Expectations;
  /** Brings the row's situation about in a fresh world, acts in it, and says what it saw. */
  readonly perform: (world: World) => Outcomes;
}

/** A row about something that 2001 had not: it is told, and run nowhere. */
export interface AbsentRow extends RowText {
  /** What was missing, and when it came. */
  readonly notIn2001: string;
}

/** One row: of something that a machine can be asked, or of what was not there yet. */
export type Row = LiveRow | AbsentRow;

/** A row as it is written down. */
export interface RowDefinition<S> extends Omit<LiveRow, 'perform'> {
  /** The precondition. What it needs must work: whatever fails here is an error of the row, not an outcome. */
  readonly setup: (world: World) => S;
  readonly action: (world: World, situation: S) => Outcomes;
}

/** The row, its situation's type forgotten. */
export function row<S>({ setup, action, ...told }: RowDefinition<S>): LiveRow {
  return { ...told, perform: (world) => action(world, setup(world)) };
}

/** No precondition. */
export function bare(): void {}

/** Another row's id for the same: suites number some assertions twice. */
export function alias(id: string, sentence: string, source: string, same: LiveRow): LiveRow {
  return { ...same, id, sentence, source };
}

/** Whether a row can be tried on a machine, and does not only say what was missing. */
export function isLive(candidate: Row): candidate is LiveRow {
  return 'perform' in candidate;
}

/** What the row expects under a profile. */
export function expectationOf({ expected }: LiveRow, profile: RowProfile): Expectation {
  return isSplit(expected) ? expected[profile] : expected;
}

/** Whether the row expects one thing of POSIX and another of NetBSD 2001. */
export function isSplit(expected: LiveRow['expected']): expected is Expectations {
  return 'netbsd-2001' in expected && 'posix' in expected;
}

/** Why the row says nothing about a machine with that policy (the default one if not given), or null. */
export function unaskedOf(
  { about, wiring: own }: LiveRow,
  profile: RowProfile,
  wiring: WiringPolicy = wiremaxPolicy,
): string | null {
  const { name } = own ?? wiring;
  if (about === undefined || about.policies.some((policy) => policy === name)) return null;
  return about.profiles?.includes(profile) === false ? null : about.reason;
}

/** Why the row says nothing about a port, or null. */
export function missingOn({ needs }: LiveRow, port: Port): string | null {
  const { execute } = port.capabilities;
  if (needs === undefined || needs.execute.includes(execute)) return null;
  return execute === 'none'
    ? `${port.name} does not enforce execute permission`
    : `${port.name} enforces execute permission by ${execute}`;
}
