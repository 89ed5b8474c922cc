import {
  type Costs,
  measureScenarios,
  Meter,
  type ScenarioCosts,
  totalCosts,
} from '@uvmkit/conformance';
import type { Port } from '@uvmkit/pmap';
import { openRecording, replayRecording, type ReplayReport } from '@uvmkit/replay';
import type { WiringPolicy } from '@uvmkit/uvm-core';
import { bareTable, tableText } from './bare-table.ts';
import { InputError } from './input-error.ts';
import type { Io } from './io.ts';
import { recordingAt } from './recordings.ts';
import { bytes, checksFailed, count } from './report-rows.ts';
import type { Colors } from './report-text.ts';
import { folded } from './wiring-text.ts';

/** What a recorded program costs under a policy. */
export interface ProgramCosts {
  readonly program: string;
  readonly policy: string;
  readonly costs: Costs;
  /** Real ms. */
  readonly real: number | null;
}

/** What wiring costs on an MMU. */
export interface CostsReport {
  readonly arch: string;
  readonly policies: readonly string[];
  readonly scenarios: readonly ScenarioCosts[];
  /** In the order of policies. */
  readonly programs: readonly ProgramCosts[];
}

/**
 * Measures every scenario, and a recorded program, under policies.
 *
 * @throws InputError if the recording does not replay as it was recorded
 */
export async function measureCosts(
  port: Port,
  policies: readonly WiringPolicy[],
  path: string,
  io: Io,
): Promise<CostsReport> {
  const opened = await openRecording(await recordingAt(path, null));
  const program = opened.recording.headers.get('name') ?? path;
  const programs: ProgramCosts[] = [];
  for (const policy of policies) {
    const meters: Meter[] = [];
    const report = await replayRecording(opened, {
      port,
      wiring: policy,
      clock: io.clock,
      prepare: (machine) => void meters.push(new Meter(machine)),
    });
    if (!report.ok) throw new InputError(`${program} under ${policy.name}: ${failure(report)}`);
    for (const meter of meters)
      programs.push({ program, policy: policy.name, costs: meter.end(), real: report.time.real });
  }
  return {
    arch: port.name,
    policies: policies.map(({ name }) => name),
    scenarios: measureScenarios({ port, policies }),
    programs,
  };
}

function failure(report: ReplayReport): string {
  return report.stopped === null ? checksFailed(report) : `stopped at ${report.stopped}`;
}

/** What a table has of costs. */
const COLUMNS: readonly { readonly head: string; readonly cell: (costs: Costs) => string }[] = [
  { head: 'copied', cell: ({ copies }) => count(copies) },
  { head: 'faults', cell: ({ faults }) => count(faults) },
  { head: 'on locked', cell: ({ lockedFaults }) => count(lockedFaults) },
  { head: "bystanders'", cell: ({ bystanderFaults }) => count(bystanderFaults) },
  { head: 'simulated', cell: ({ simulated }) => count(simulated) },
  { head: 'kept', cell: (costs) => bytes(costs.bytes) },
  { head: 'time', cell: ({ time }) => `${(time / 1e6).toFixed(2)} ms` },
];

const LEGEND =
  "copied: pages that faults copied. faults: those that programs took; of these, on locked: on memory that the program had locked; bystanders': they brought a mapping back that had been taken away for somebody else's sake. simulated: faults that locking simulates. kept: the most that the policy kept for itself (back references, ledgers). time: virtual.";

/** A table for each policy, and one of the policies side by side. */
export function renderCosts(report: CostsReport, colors: Colors): string {
  const lines = [colors.bold(`What wiring costs on ${report.arch}`), '', ...folded(LEGEND, ''), ''];
  for (const policy of report.policies) {
    const table = costsTable(policy, colors);
    for (const { scenario, kind, costs } of report.scenarios.filter(of(policy)))
      table.push([scenario, ...cells(costs), kind === 'panic' ? colors.red('panic') : '']);
    for (const { program, costs } of report.programs.filter(of(policy)))
      table.push([`${program} (recorded)`, ...cells(costs), '']);
    lines.push(tableText(table), '');
  }
  lines.push(colors.bold('Side by side'), '', comparison(report, colors));
  return `${lines.join('\n')}\n`;
}

function of(policy: string): (costs: { readonly policy: string }) => boolean {
  return (costs) => costs.policy === policy;
}

function cells(costs: Costs): string[] {
  return COLUMNS.map(({ cell }) => cell(costs));
}

function costsTable(first: string, colors: Colors): ReturnType<typeof bareTable> {
  const table = bareTable({ colAligns: ['left', ...COLUMNS.map(() => 'right' as const), 'left'] });
  table.push([first, ...COLUMNS.map(({ head }) => head), ''].map((head) => colors.bold(head)));
  return table;
}

/** The scenarios that no policy of the report lets panic, and the recorded program. */
function comparison(report: CostsReport, colors: Colors): string {
  const stopped = new Set(
    report.scenarios.filter(({ kind }) => kind === 'panic').map(({ scenario }) => scenario),
  );
  const whole = report.scenarios.filter(({ scenario }) => !stopped.has(scenario));
  const number = new Set(whole.map(({ scenario }) => scenario)).size;
  const scenarios = costsTable(`${number} scenarios`, colors);
  for (const policy of report.policies)
    scenarios.push([
      policy,
      ...cells(totalCosts(whole.filter(of(policy)).map((each) => each.costs))),
      '',
    ]);
  const programs = costsTable(report.programs[0]?.program ?? '', colors);
  for (const { policy, costs, real } of report.programs)
    programs.push([policy, ...cells(costs), real === null ? '' : `${count(real)} ms real`]);
  const left = `Left out, since a policy lets the machine stop in them: ${[...stopped].join(', ')}`;
  return [
    tableText(scenarios),
    '',
    ...(stopped.size === 0 ? [] : [...folded(left, ''), '']),
    tableText(programs),
  ].join('\n');
}
