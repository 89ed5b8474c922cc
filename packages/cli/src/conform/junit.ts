import type { ConformReport } from './report.ts';
import type { CaseReport } from './task.ts';

/** The report as JUnit's XML, a suite an MMU: what build servers read. */
export function renderJunit({ archs, results }: ConformReport): string {
  const suites = archs.flatMap((arch) =>
    suite(
      arch,
      results.filter((each) => each.arch === arch),
    ),
  );
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    ...suites,
    '</testsuites>',
    '',
  ].join('\n');
}

function suite(arch: string, results: readonly CaseReport[]): string[] {
  const count = (verdict: CaseReport['verdict']): number =>
    results.filter((each) => each.verdict === verdict).length;
  const seconds = results.reduce((sum, { ms }) => sum + ms, 0) / 1000;
  return [
    `  <testsuite name="${attribute(arch)}" tests="${results.length}" failures="${count('failed')}" errors="0" skipped="${count('inapplicable')}" time="${seconds.toFixed(3)}">`,
    ...results.flatMap(testcase),
    '  </testsuite>',
  ];
}

function testcase({ id, sentence, arch, verdict, reason, script, ms }: CaseReport): string[] {
  const open = `    <testcase classname="${attribute(arch)}" name="${attribute(`${id}: ${sentence}`)}" time="${(ms / 1000).toFixed(3)}"`;
  if (verdict === 'held') return [`${open}/>`];
  const inner =
    verdict === 'failed'
      ? `<failure message="${attribute(reason)}">${text(script.join('\n'))}</failure>`
      : verdict === 'inapplicable'
        ? `<skipped message="${attribute(reason)}"/>`
        : `<system-out>${text(`${verdict}: ${reason}`)}</system-out>`;
  return [`${open}>`, `      ${inner}`, '    </testcase>'];
}

/** Characters that XML 1.0 cannot have at all, not even escaped; among them halves of pairs. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const IMPOSSIBLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu;

function text(value: string): string {
  return value
    .replaceAll(IMPOSSIBLE, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}

function attribute(value: string): string {
  return text(value)
    .replaceAll('"', '&quot;')
    .replaceAll('\t', '&#9;')
    .replaceAll('\n', '&#10;')
    .replaceAll('\r', '&#13;');
}
