import { bareTable, tableText } from '../bare-table.ts';
import type { Colors } from '../report-text.ts';
import { MARKS, matrixOf, reasonsOf, type ConformReport } from './report.ts';
import type { CaseReport } from './task.ts';

/** The report for a person: the matrix, what differs and why, what failed and how to see it. */
export function renderText(report: ConformReport, colors: Colors): string {
  const { archs, counts, results } = report;
  const table = bareTable();
  table.push(['case', ...archs, 'what is so'].map((head) => colors.bold(head)));
  for (const { id, sentence, cells } of matrixOf(report))
    table.push([id, ...cells.map((cell) => mark(cell, colors)), sentence]);
  const lines = [
    tableText(table),
    '',
    ...told(report, 'inapplicable', 'Not applicable'),
    ...told(report, 'declined', 'Left to the port, and declined'),
    ...told(report, 'diverges', 'Known to differ'),
    ...results
      .filter(({ verdict }) => verdict === 'failed')
      .flatMap((each) => failure(each, colors)),
    `${counts.held} held, ${counts.failed} failed, ${counts.diverges} known to differ, ${counts.declined} declined, ${counts.inapplicable} not applicable`,
  ];
  return `${lines.join('\n')}\n`;
}

function mark(cell: CaseReport | null, colors: Colors): string {
  if (cell === null) return '';
  const text = MARKS[cell.verdict];
  if (cell.verdict === 'held') return colors.green(text);
  return cell.verdict === 'failed' ? colors.red(text) : colors.dim(text);
}

function told(
  report: ConformReport,
  verdict: 'inapplicable' | 'declined' | 'diverges',
  title: string,
): string[] {
  const reasons = reasonsOf(report, verdict);
  if (reasons.length === 0) return [];
  return [title, ...reasons.map(({ reason, where }) => `  ${where}: ${reason}`), ''];
}

function failure(
  { id, arch, sentence, clauses, reason, script }: CaseReport,
  colors: Colors,
): string[] {
  return [
    `${colors.red('FAIL')} ${id} on ${arch}: ${sentence}`,
    ...(clauses.length === 0 ? [] : [`  of the contract: ${clauses.join(', ')}`]),
    `  ${reason}`,
    ...script.map((line) => `    ${line}`),
    '',
  ];
}
