import { stripVTControlCharacters } from 'node:util';
import { hex } from '@uvmkit/pmap';
import type { ReplayReport } from '@uvmkit/replay';
import type Table from 'cli-table3';
import type { createColors } from 'picocolors';
import { bareTable, tableText } from './bare-table.ts';
import { bytes, checksFailed, count, duration, SECTIONS } from './report-rows.ts';

/** picocolors, on or off. */
export type Colors = ReturnType<typeof createColors>;

function table(columns: number): Table.Table {
  const colAligns: Table.HorizontalAlignment[] = [
    'left',
    ...Array.from({ length: columns }, () => 'right' as const),
  ];
  return bareTable({ colAligns });
}

/**
 * One recording on one or more architectures, a column each.
 *
 * @param width characters in a line of the terminal: architectures that do not fit beside the others come below them;
 * without it all stand side by side
 */
export function renderReports(
  reports: readonly ReplayReport[],
  colors: Colors,
  width: number = Infinity,
): string {
  const [first] = reports;
  if (first === undefined) return '';
  const { name = '', command = '' } = first.recording;
  const lines = [colors.bold(`${name}${command === '' ? '' : `: ${command}`}`), ''];
  for (const block of blocks(reports, colors, width)) lines.push(block, '');
  for (const report of reports) lines.push(...layoutNotes(report));
  lines.push(
    ...sharedNotes('Different here than on Linux', reports, ({ differences }) => differences),
  );
  lines.push(
    ...sharedNotes(
      'In the recording, but not allowed by its own map (not made)',
      reports,
      ({ unsupported }) => unsupported,
    ),
  );
  for (const report of reports) lines.push(...failures(report, colors));
  return `${lines.join('\n')}\n`;
}

/** Columns as many as fit, then the others: the widest blocks that lines of that width hold. */
function blocks(reports: readonly ReplayReport[], colors: Colors, width: number): string[] {
  const most = reports.length;
  for (let fit = most; fit > 1; fit--) {
    const found = Array.from({ length: Math.ceil(most / fit) }, (_, i) =>
      sideBySide(reports.slice(i * fit, (i + 1) * fit), colors),
    );
    const widest = found.flatMap((block) => block.split('\n')).map(printed);
    if (Math.max(...widest) <= width) return found;
  }
  return reports.map((report) => sideBySide([report], colors));
}

/** Characters that a line takes on the terminal. */
function printed(line: string): number {
  return stripVTControlCharacters(line).length;
}

function sideBySide(reports: readonly ReplayReport[], colors: Colors): string {
  const rows = table(reports.length);
  for (const section of SECTIONS) {
    if (rows.length > 0) rows.push(['']);
    rows.push([
      colors.bold(section.title),
      ...(section === SECTIONS[0]
        ? reports.map(({ arch }) => colors.bold(arch))
        : reports.map(() => '')),
    ]);
    for (const { label, value } of section.rows)
      rows.push([
        `  ${label}`,
        ...reports.map((report) => paint(report, label, value(report), colors)),
      ]);
  }
  return tableText(rows);
}

function paint(report: ReplayReport, label: string, value: string, colors: Colors): string {
  if (label !== 'checks') return value;
  return report.ok ? colors.green(value) : colors.red(value);
}

/** Where the recording lies on the machine, if not where it was recorded. */
function layoutNotes(report: ReplayReport): string[] {
  const { arch, layout, pageSize } = report;
  const notes: string[] = [];
  for (const { what, from, to } of layout.moved)
    notes.push(
      `${arch}: ${what} ${hex(from.start)}-${hex(from.end)} moved to ${hex(to.start)}-${hex(to.end)}`,
    );
  if (layout.spread !== null)
    notes.push(
      `${arch}: layout spread, a page of ${bytes(pageSize)} for every recorded one of 4,096 B (${layout.spread}); counts of pages compare, bytes do not`,
    );
  else if (layout.bytesPerRecordedPage !== pageSize)
    notes.push(
      `${arch}: pages of ${bytes(pageSize)} hold ${pageSize / layout.bytesPerRecordedPage} recorded ones each; counts of pages and faults are of these`,
    );
  return notes;
}

/** Notes with counts, told once where they are the same on every architecture. */
function sharedNotes(
  title: string,
  reports: readonly ReplayReport[],
  of: (report: ReplayReport) => Readonly<Record<string, number>>,
): string[] {
  const lines: string[] = [];
  const names = new Set(reports.flatMap((report) => Object.keys(of(report))));
  for (const name of names) {
    const amounts = reports.map((report) => of(report)[name] ?? 0);
    const same = amounts.every((amount) => amount === amounts[0]);
    const told = same
      ? count(amounts[0]!)
      : reports.map(({ arch }, i) => `${arch} ${count(amounts[i]!)}`).join(', ');
    lines.push(`  ${told} × ${name}`);
  }
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines];
}

function failures(report: ReplayReport, colors: Colors): string[] {
  if (report.ok) return [];
  const lines = ['', colors.red(`${report.arch}: ${checksFailed(report)}`)];
  for (const { line, pid, text } of report.mismatches)
    lines.push(`  line ${line}, process ${pid}: ${text}`);
  if (report.mismatchCount > report.mismatches.length)
    lines.push(`  … and ${count(report.mismatchCount - report.mismatches.length)} more`);
  if (report.stopped !== null) lines.push(`  stopped at ${report.stopped}`);
  return lines;
}

/** Several recordings, a line for each on each architecture. */
export function renderSummary(reports: readonly ReplayReport[], colors: Colors): string {
  const rows = table(9);
  rows.push(
    [
      'recording',
      'arch',
      'checks',
      'pages',
      'out, in',
      'accesses',
      'faults',
      'not allowed',
      'real',
      'accesses/s',
    ].map((head) => colors.bold(head)),
  );
  for (const report of reports) {
    const unsupported = Object.values(report.unsupported).reduce((sum, amount) => sum + amount, 0);
    const { time } = report;
    rows.push([
      report.recording['name'] ?? '',
      report.arch,
      report.ok
        ? colors.green('held')
        : colors.red(report.stopped === null ? `${count(report.mismatchCount)} failed` : 'stopped'),
      count(report.memory.managedPages),
      `${count(report.memory.swappedOut)}, ${count(report.memory.swappedIn)}`,
      count(report.work.records),
      count(report.faults.uvmFaults),
      count(unsupported),
      time.real === null ? '-' : duration(time.real),
      time.recordsPerSecond === null ? '-' : count(time.recordsPerSecond),
    ]);
  }
  const lines = [tableText(rows)];
  for (const report of reports.filter(({ ok }) => !ok))
    lines.push('', `${report.recording['name'] ?? ''}:`, ...failures(report, colors));
  return `${lines.join('\n')}\n`;
}
