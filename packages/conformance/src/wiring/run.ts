import type { Port } from '@uvmkit/pmap';
import type { WiringPolicy } from '@uvmkit/uvm-core';
import type { Outcome } from '../row.ts';
import { type Finding, judge, meets, type Verdict } from './evidence.ts';
import { policyName, wiringPolicies } from './policies.ts';
import {
  type Expected,
  expectedOf,
  type Kind,
  KINDS,
  type PolicyName,
  type Scenario,
} from './scenario.ts';
import { scenarios } from './scenarios/index.ts';
import { type PlayOptions, Stage } from './stage.ts';

/** One scenario under one policy on one MMU. */
export interface Cell {
  readonly scenario: string;
  readonly policy: PolicyName;
  readonly arch: string;
  readonly kind: Kind;
  /** The panic's words or the console's line. */
  readonly words: string;
  /** The step in which the machine stopped; empty if it did not. */
  readonly stoppedIn: string;
  /** What the programs saw, by what it is. */
  readonly sights: Readonly<Record<string, Outcome>>;
  /** What says so. */
  readonly findings: readonly Finding[];
  readonly expected: Expected;
  /** Whether this is what was expected. */
  readonly ok: boolean;
}

/** What to run. */
export interface WiringOptions {
  readonly ports: readonly Port[];
  /** Every policy if not given. */
  readonly policies?: readonly WiringPolicy[];
  /** Every scenario if not given. */
  readonly scenarios?: readonly Scenario[];
  /** Told of each cell as it comes, and of how many there will be. */
  readonly progress?: (cell: Cell, total: number) => void;
}

/** Scenario × policy × MMU. */
export interface WiringReport {
  readonly archs: readonly string[];
  readonly policies: readonly PolicyName[];
  readonly scenarios: readonly Scenario[];
  /** In the order of scenarios, then policies, then MMUs. */
  readonly cells: readonly Cell[];
  readonly counts: { readonly [kind in Kind]: number };
  /** Cells that are not what was expected. */
  readonly differing: number;
  /** Whether there are none. */
  readonly ok: boolean;
}

/** Acts a scenario on a fresh machine and judges what came of it. */
export function runScenario(
  scenario: Scenario,
  policy: WiringPolicy,
  port: Port,
  options: PlayOptions = {},
): Cell {
  const name = policyName(policy);
  const expected = expectedOf(scenario, name, port.name);
  const stage = openStage(scenario, policy, port, options);
  const verdict: Verdict =
    stage === null ? { kind: 'absent', words: '', findings: [] } : act(scenario, stage);
  return {
    scenario: scenario.id,
    policy: name,
    arch: port.name,
    kind: verdict.kind,
    words: verdict.words,
    stoppedIn: stage?.stoppedIn ?? '',
    sights: Object.fromEntries((stage?.sights ?? []).map(({ what, seen }) => [what, seen])),
    findings: verdict.findings,
    expected,
    ok: meets(verdict, expected),
  };
}

/** Runs scenarios under policies on ports. */
export function runWiring(options: WiringOptions): WiringReport {
  const { ports, policies = wiringPolicies, scenarios: asked = scenarios } = options;
  const total = asked.length * policies.length * ports.length;
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as { [kind in Kind]: number };
  const cells: Cell[] = [];
  for (const scenario of asked)
    for (const policy of policies)
      for (const port of ports) {
        const cell = runScenario(scenario, policy, port);
        cells.push(cell);
        counts[cell.kind]++;
        options.progress?.(cell, total);
      }
  const differing = cells.filter(({ ok }) => !ok).length;
  const archs = ports.map(({ name }) => name);
  const names = policies.map(policyName);
  return {
    archs,
    policies: names,
    scenarios: asked,
    cells,
    counts,
    differing,
    ok: differing === 0,
  };
}

function act(scenario: Scenario, stage: Stage): Verdict {
  scenario.play(stage);
  stage.curtain();
  return judge(stage);
}

/** The stage, or null if the port cannot have as many CPUs as the scenario needs. */
function openStage(
  { cpus = 1 }: Scenario,
  policy: WiringPolicy,
  port: Port,
  options: PlayOptions,
): Stage | null {
  try {
    return new Stage(port, policy, cpus, options);
  } catch (error) {
    if (cpus > 1 && error instanceof RangeError) return null;
    throw error;
  }
}
