import { MARKS, matrixOf, reasonsOf, type ConformReport } from './report.ts';

/** The report as Markdown: the matrix, and the reasons below it. */
export function renderMarkdown(report: ConformReport): string {
  const { archs, counts, results, seed } = report;
  const lines = [
    '# Conformance',
    '',
    `${counts.held} held, ${counts.failed} failed, ${counts.diverges} known to differ, ${counts.declined} declined, ${counts.inapplicable} not applicable (seed ${seed}).`,
    '',
    row(['case', ...archs, 'what is so']),
    row(['---', ...archs.map(() => '---'), '---']),
    ...matrixOf(report).map(({ id, sentence, cells }) =>
      row([id, ...cells.map((cell) => (cell === null ? '' : MARKS[cell.verdict])), sentence]),
    ),
  ];
  for (const [verdict, title] of [
    ['diverges', 'Known to differ'],
    ['declined', 'Left to the port, and declined'],
    ['inapplicable', 'Not applicable'],
  ] as const) {
    const reasons = reasonsOf(report, verdict);
    if (reasons.length > 0)
      lines.push(
        '',
        `## ${title}`,
        '',
        ...reasons.map(({ reason, where }) => `- ${where}: ${inline(reason)}`),
      );
  }
  const failed = results.filter(({ verdict }) => verdict === 'failed');
  if (failed.length > 0) lines.push('', '## Failed');
  for (const { id, arch, sentence, reason, script } of failed) {
    lines.push('', `### ${id} on ${arch}`, '', inline(sentence), '', inline(reason));
    if (script.length > 0) lines.push('', '```ts', ...script, '```');
  }
  return `${lines.join('\n')}\n`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => inline(cell).replaceAll('|', '\\|')).join(' | ')} |`;
}

/** Text that says what it says: nothing in it is taken for markup or for another line. */
function inline(text: string): string {
  return text.replaceAll(/[\\`*_<>[\]]/g, (mark) => `\\${mark}`).replaceAll(/\s+/g, ' ');
}
