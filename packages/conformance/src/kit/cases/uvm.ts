import { ROW_PROFILES, type Row } from '../../row.ts';
import { rows } from '../../rows/index.ts';
import { findingText, runRow } from '../../run.ts';
import { policyName, wiringPolicies } from '../../wiring/policies.ts';
import { runScenario } from '../../wiring/run.ts';
import type { Scenario } from '../../wiring/scenario.ts';
import { scenarios } from '../../wiring/scenarios/index.ts';
import { Breach, type KitCase } from '../case.ts';
import { kitCase, tooFew } from './define.ts';

/** A row of behaviour, as NetBSD of 2001 and as POSIX. */
function rowCase(row: Row): KitCase {
  const { id, sentence } = row;
  const skipped =
    (reason: string): (() => string) =>
    () =>
      reason;
  return kitCase(
    {
      id,
      sentence,
      layer: 'uvm',
      clauses: [],
      ...('notIn2001' in row ? { inapplicable: skipped(row.notIn2001) } : {}),
    },
    ({ port, seed }) => {
      for (const profile of ROW_PROFILES) {
        const { verdict, findings } = runRow(row, port, profile, { seed });
        if (verdict === 'failed')
          throw new Breach(
            `the row as ${profile}`,
            'every value as expected',
            findings.map(findingText).join('; '),
          );
      }
    },
  );
}

/** A scenario of the wiring problem, under every policy. */
function wiringCase(scenario: Scenario): KitCase {
  return kitCase(
    {
      id: `UVM-WIRING-${scenario.id}`,
      sentence: scenario.title,
      layer: 'uvm',
      clauses: [],
      inapplicable: (port) => tooFew(port, scenario.cpus ?? 1),
    },
    ({ port }) => {
      for (const policy of wiringPolicies) {
        const { ok, expected, kind, words } = runScenario(scenario, policy, port);
        // What a pmap complains of on the console is its own business: no clause asks for a word.
        const silent = expected.kind === 'message' && kind === 'fine';
        if (!ok && !silent)
          throw new Breach(
            `the scenario under ${policyName(policy)}`,
            `${expected.kind} ${expected.words}`.trim(),
            `${kind} ${words}`.trim(),
          );
      }
    },
  );
}

/** What programs rely on, with UVM on the port: only what the pmap got wrong can differ from port to port. */
export const uvmCases: readonly KitCase[] = [...rows.map(rowCase), ...scenarios.map(wiringCase)];
