import { KernelPanic, type Port } from '@uvmkit/pmap';
import { checkUvm } from '@uvmkit/uvm-core';
import {
  type Expectation,
  expectationOf,
  isLive,
  missingOn,
  type Outcome,
  type Outcomes,
  type Row,
  type RowProfile,
  unaskedOf,
} from './row.ts';
import { type RowSetting, World } from './world.ts';

/**
 * What came of a row.
 *
 * - `held`: everything was seen as expected, no invariant of UVM is broken, and nothing leaked
 * - `failed`: not so; the findings say what
 * - `inapplicable`: the port lacks what the row is about
 * - `unasked`: it is about the way of other wiring policies
 * - `absent`: 2001 lacks it
 */
export type Verdict = 'held' | 'failed' | 'inapplicable' | 'unasked' | 'absent';

/** One thing that is not as it should be. */
export interface RowFinding {
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

/** One row on one port under one profile. */
export interface RowResult {
  readonly id: string;
  readonly sentence: string;
  readonly source: string;
  readonly arch: string;
  readonly profile: RowProfile;
  readonly verdict: Verdict;
  /** Why the row was not run; empty if it was. */
  readonly reason: string;
  /** What was seen. */
  readonly outcomes: Outcomes;
  /** Empty unless it failed. */
  readonly findings: readonly RowFinding[];
}

/**
 * Boots a machine with the profile, performs the row in it, and judges what came of it.
 *
 * @param setting of the machine
 */
export function runRow(
  row: Row,
  port: Port,
  profile: RowProfile,
  setting: RowSetting = {},
): RowResult {
  const { id, sentence, source } = row;
  const result = { id, sentence, source, arch: port.name, profile, outcomes: {}, findings: [] };
  if (!isLive(row)) return { ...result, verdict: 'absent', reason: row.notIn2001 };
  const reason = missingOn(row, port);
  if (reason !== null) return { ...result, verdict: 'inapplicable', reason };
  const unasked = unaskedOf(row, profile, setting.wiring);
  if (unasked !== null) return { ...result, verdict: 'unasked', reason: unasked };

  // A row about another policy keeps it.
  const { wiring = setting.wiring } = row;
  const world = new World(port, profile, wiring === undefined ? setting : { ...setting, wiring });
  let outcomes: Outcomes = {};
  const findings: RowFinding[] = [];
  try {
    outcomes = row.perform(world);
    findings.push(...mismatches(expectationOf(row, profile), outcomes));
    // A panic that the row has seen leaves nothing to examine.
    if (world.machine.panic === null) findings.push(...brokenInvariants(world), ...leaks(world));
  } catch (error) {
    findings.push(calamity(error));
  }
  const verdict = findings.length === 0 ? 'held' : 'failed';
  return { ...result, verdict, reason: '', outcomes, findings };
}

/** One line for a person. */
export function findingText({ what, expected, found }: RowFinding): string {
  return `${what}: expected ${expected}, found ${found}`;
}

/** Where the outcomes are not those expected. What only one side knows is a mismatch too. */
function mismatches(expected: Expectation, outcomes: Outcomes): RowFinding[] {
  const names = new Set([...Object.keys(expected), ...Object.keys(outcomes)]);
  return [...names].flatMap((what) => {
    const wanted = expected[what];
    const found = outcomes[what];
    const any: readonly Outcome[] = wanted === undefined ? [] : [wanted].flat();
    if (found !== undefined && any.includes(found)) return [];
    const alternatives = any.length === 0 ? 'nothing' : any.join(' or ');
    return [{ what, expected: alternatives, found: found === undefined ? 'nothing' : `${found}` }];
  });
}

function brokenInvariants({ machine }: World): RowFinding[] {
  return checkUvm(machine.uvm).map(({ invariant, name, here, there }) => ({
    what: `invariant ${invariant}: ${name}`,
    expected: here,
    found: there,
  }));
}

/** Ends every process, and looks for what is left of them. */
function leaks(world: World): RowFinding[] {
  const { machine } = world;
  for (const process of [...machine.processes.values()])
    if (process.state === 'running') process.sys.exit();
  machine.run();
  const { wiredPages } = world;
  const left: RowFinding[] = brokenInvariants(world);
  if (wiredPages !== 0)
    left.push({ what: 'pages wired after every exit', expected: '0', found: `${wiredPages}` });
  if (machine.processes.size !== 0)
    left.push({
      what: 'processes after every exit',
      expected: '0',
      found: `${machine.processes.size}`,
    });
  return left;
}

/** What stopped the row. */
function calamity(error: unknown): RowFinding {
  const what = error instanceof KernelPanic ? 'panic' : 'error';
  const found = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { what, expected: 'none', found };
}
