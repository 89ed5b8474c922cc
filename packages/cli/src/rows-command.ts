import {
  findingText,
  ROW_PROFILES,
  type RowProfile,
  type RowResult,
  type RowsReport,
  runRows,
} from '@uvmkit/conformance';
import { Presets, SingleBar } from 'cli-progress';
import { type Command, Option } from 'commander';
import { architectureNames, portsOf } from './architectures.ts';
import { bareTable, tableText } from './bare-table.ts';
import type { Io } from './io.ts';
import { addMemoryOptions, type MemoryFlags, policyOf } from './policies.ts';
import { isTerminal } from './terminal.ts';
import type { Colors } from './report-text.ts';

/** `uvmkit rows`, as parsed. */
interface RowsFlags extends MemoryFlags {
  readonly arch: string;
  readonly profile: RowProfile | 'both';
  readonly json: boolean;
}

const COMMAND_HELP = `
A cell tells each profile in turn: ok, FAIL, n/a (the MMU lacks what the row is about), * (not asked of this policy), - (2001 lacked it).
Exit code: 0 if every row held, 1 if one did not, 2 if the command line cannot be used.`;

/** Adds `uvmkit rows`. */
export function addRowsCommand(program: Command, io: Io, exit: (code: number) => void): void {
  addMemoryOptions(program.command('rows'))
    .description('run the rows of behaviour that public test suites expect, on every MMU')
    .option(
      '--arch <list>',
      `all (the six of 2001), or some of ${architectureNames().join(',')}`,
      'all',
    )
    .addOption(
      new Option('--profile <name>', 'whose behaviour to ask for and to expect')
        .choices([...ROW_PROFILES, 'both'])
        .default('both'),
    )
    .option('--json', 'report as JSON', false)
    .addHelpText('after', COMMAND_HELP)
    .action((flags: RowsFlags) => exit(rowsCommand(flags, io)));
}

/** Runs the rows and reports on standard output; the exit code. */
function rowsCommand({ arch, profile, json, policy, amnesia }: RowsFlags, io: Io): number {
  const ports = portsOf(arch);
  const setting = { wiring: policyOf(policy), amnesia };
  const profiles = profile === 'both' ? ROW_PROFILES : [profile];
  const bar = isTerminal(io.stderr) ? barOn(io.stderr) : null;
  let done = 0;
  bar?.start(1, 0);
  const report = runRows({
    ports,
    profiles,
    setting,
    progress: (_, total) => {
      bar?.setTotal(total);
      bar?.update(++done);
    },
  });
  bar?.stop();
  io.stdout.write(json ? renderJson(report) : renderRows(report, io.colors));
  return report.ok ? 0 : 1;
}

function barOn(stream: NodeJS.WriteStream): SingleBar {
  const format = 'rows [{bar}] {value} of {total}';
  return new SingleBar({ stream, format, hideCursor: true, clearOnComplete: true }, Presets.legacy);
}

function renderJson({ archs, profiles, counts, ok, results }: RowsReport): string {
  return `${JSON.stringify({ ok, archs, profiles, counts, results }, null, 2)}\n`;
}

const MARKS = {
  held: 'ok',
  failed: 'FAIL',
  inapplicable: 'n/a',
  unasked: '*',
  absent: '-',
} as const;

/** The matrix, why rows were not run, what failed, and the count. */
export function renderRows(report: RowsReport, colors: Colors): string {
  const { archs, profiles, rows, results, counts } = report;
  const table = bareTable();
  table.push(['row', ...archs, 'what a process may rely on'].map((head) => colors.bold(head)));
  const width = archs.length * profiles.length;
  rows.forEach(({ id, sentence }, at) => {
    const ofRow = results.slice(at * width, (at + 1) * width);
    const cells = archs.map((_, column) =>
      ofRow
        .slice(column * profiles.length, (column + 1) * profiles.length)
        .map((result) => mark(result, colors))
        .join(' '),
    );
    table.push([id, ...cells, sentence]);
  });
  const lines = [
    colors.bold(`Behaviour as ${profiles.join(' and as ')}`),
    '',
    tableText(table),
    '',
    ...reasons(results, 'absent', 'Not in 2001'),
    ...reasons(results, 'inapplicable', 'Not applicable'),
    ...reasons(results, 'unasked', 'Not asked of this policy (*)'),
    ...failures(results, colors),
    `${counts.held} held, ${counts.failed} failed, ${counts.inapplicable} not applicable, ${counts.unasked} not asked of this policy, ${counts.absent} about what 2001 had not`,
  ];
  return `${lines.join('\n')}\n`;
}

function mark({ verdict }: RowResult, colors: Colors): string {
  const text = MARKS[verdict];
  if (verdict === 'held') return colors.green(text);
  return verdict === 'failed' ? colors.red(text) : colors.dim(text);
}

/** Why rows were not run, each reason once. */
function reasons(
  results: readonly RowResult[],
  verdict: RowResult['verdict'],
  title: string,
): string[] {
  const told = results.filter((result) => result.verdict === verdict);
  const lines = new Set(told.map(({ id, reason }) => `  ${id}: ${reason}`));
  return lines.size === 0 ? [] : [title, ...lines, ''];
}

function failures(results: readonly RowResult[], colors: Colors): string[] {
  const lines = results
    .filter(({ verdict }) => verdict === 'failed')
    .flatMap(({ id, arch, profile, source, findings }) => [
      `  ${colors.red(id)} on ${arch} as ${profile} (${source})`,
      ...findings.map((finding) => `    ${findingText(finding)}`),
    ]);
  return lines.length === 0 ? [] : ['Failed', ...lines, ''];
}
