import type { Explanation, Line } from '@uvmkit/conformance';
import type { Colors } from './report-text.ts';
import { folded } from './wiring-text.ts';

/** What stands before a line of each kind. */
const INDENT: Readonly<Record<Line['kind'], string>> = {
  step: '',
  event: '    ',
  detail: '        ',
  sight: '  → ',
};

/** A scenario told in order: what it is, its steps with their events, what became of it and what says so. */
export function renderExplanation({ cell, lines }: Explanation, colors: Colors): string {
  const { scenario, policy, arch, kind, words, findings, expected, ok } = cell;
  const out = [colors.bold(`${scenario} under ${policy} on ${arch}`)];
  for (const line of lines) out.push(...lineText(line, colors));
  out.push('', colors.bold(`What became of it: ${kind}${words === '' ? '' : `: ${words}`}`));
  for (const { kind: spoken, step, text } of findings)
    out.push(...folded(`${spoken}, in "${step}": ${text}`));
  const wanted = `${expected.kind}${expected.words === '' ? '' : ` "${expected.words}"`}`;
  out.push(...folded(`${ok ? 'as expected' : `expected ${wanted}`}: ${expected.because}`));
  return `${out.join('\n')}\n`;
}

function lineText({ kind, text }: Line, colors: Colors): string[] {
  const lines = folded(text, INDENT[kind]);
  if (kind === 'step') return ['', ...lines.map((line) => colors.bold(line))];
  return kind === 'detail' ? lines.map((line) => colors.dim(line)) : lines;
}
