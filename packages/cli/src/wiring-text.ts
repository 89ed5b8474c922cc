import {
  type Cell,
  differences,
  type Grouped,
  grouped,
  groupText,
  type Kind,
  listed,
  type WiringReport,
} from '@uvmkit/conformance';
import type { Colors } from './report-text.ts';
import { bareTable, tableText } from './bare-table.ts';

/** The most characters in a line. */
const WIDTH = 100;

const MARKS: Readonly<Record<Kind, string>> = {
  absent: '-',
  fine: 'fine',
  message: 'message',
  count: 'count',
  lost: 'lost',
  panic: 'panic',
  broken: 'BROKEN',
};

/** The matrix, where MMUs differ, the panics' words, what is not as expected, and the count. */
export function renderMatrix(report: WiringReport, colors: Colors): string {
  const { policies } = report;
  const byArch = policies.length === 1;
  const head = byArch
    ? `What becomes of locked memory under ${policies[0]}, MMU by MMU`
    : 'What becomes of locked memory, policy by policy';
  const lines = [
    colors.bold(head),
    '',
    byArch ? archMatrix(report, colors) : policyMatrix(report, colors),
    '',
    ...differenceLines(report, colors),
    ...panicLines(report, colors),
    ...wrongLines(report, colors),
    countLine(report),
  ];
  return `${lines.join('\n')}\n`;
}

/** A column for each MMU. */
function archMatrix(report: WiringReport, colors: Colors): string {
  const table = bareTable();
  table.push(['scenario', ...report.archs, 'what happens'].map((head) => colors.bold(head)));
  for (const { id, title } of report.scenarios)
    table.push([
      id,
      ...report.cells
        .filter(({ scenario }) => scenario === id)
        .map((cell) => `${paint(cell.kind, MARKS[cell.kind], colors)}${cell.ok ? '' : ' !'}`),
      title,
    ]);
  return tableText(table);
}

/** A column for each policy: what most MMUs say, and which say otherwise. */
function policyMatrix(report: WiringReport, colors: Colors): string {
  const table = bareTable();
  table.push(['scenario', ...report.policies].map((head) => colors.bold(head)));
  for (const { id } of report.scenarios)
    table.push([
      id,
      ...report.policies.map((policy) => {
        const cells = report.cells.filter(
          (cell) => cell.scenario === id && cell.policy === policy && !cell.ok,
        );
        return `${inShort(grouped(report, id, policy), colors)}${cells.length === 0 ? '' : ' !'}`;
      }),
    ]);
  return tableText(table);
}

/** `panic; alpha lost`. Kinds only: MMUs that panic in different words stand together. */
function inShort({ groups }: Grouped, colors: Colors): string {
  const kinds = new Map<Kind, string[]>();
  for (const { kind, archs } of groups)
    if (kind !== 'absent') kinds.set(kind, [...(kinds.get(kind) ?? []), ...archs]);
  const [first, ...others] = [...kinds];
  if (first === undefined) return MARKS.absent;
  const rest = others.map(([kind, archs]) => {
    const who = archs.length > 2 ? `${archs.length} others` : archs.join(', ');
    return `; ${who} ${paint(kind, MARKS[kind], colors)}`;
  });
  return `${paint(first[0], MARKS[first[0]], colors)}${rest.join('')}`;
}

function paint(kind: Kind, text: string, colors: Colors): string {
  if (kind === 'fine') return colors.green(text);
  if (kind === 'panic' || kind === 'broken') return colors.red(text);
  return kind === 'absent' ? colors.dim(text) : colors.yellow(text);
}

/** What MMUs say differently, each difference once: where it is seen, then who says what. */
function differenceLines(report: WiringReport, colors: Colors): string[] {
  const told = new Map<string, Map<string, string[]>>();
  for (const { scenario, policy, groups } of differences(report)) {
    const text = groups
      .filter(({ kind }) => kind !== 'absent')
      .map((group, at) => (at === 0 ? groupText(group) : `${groupText(group)} (${group.because})`))
      .join('; ');
    const places = told.get(text) ?? new Map<string, string[]>();
    places.set(scenario, [...(places.get(scenario) ?? []), policy]);
    told.set(text, places);
  }
  if (told.size === 0) return [];
  const lines = [...told].flatMap(([text, places]) => folded(`${placesText(places)}: ${text}`));
  return [colors.bold('Where MMUs differ'), ...lines, ''];
}

/** `fork and loan under wire, device under wire and wiremax`. */
function placesText(places: ReadonlyMap<string, readonly string[]>): string {
  const byPolicies = new Map<string, string[]>();
  for (const [scenario, policies] of places) {
    const under = listed(policies);
    byPolicies.set(under, [...(byPolicies.get(under) ?? []), scenario]);
  }
  return [...byPolicies].map(([under, ids]) => `${listed(ids)} under ${under}`).join(', ');
}

function panicLines({ cells }: WiringReport, colors: Colors): string[] {
  const words = new Map<string, number>();
  for (const cell of cells)
    if (cell.kind === 'panic') words.set(cell.words, (words.get(cell.words) ?? 0) + 1);
  if (words.size === 0) return [];
  const lines = [...words].map(([text, times]) => `  ${times} × panic: ${text}`);
  return [colors.bold('Panics'), ...lines, ''];
}

function wrongLines({ cells }: WiringReport, colors: Colors): string[] {
  const lines = cells
    .filter(({ ok }) => !ok)
    .flatMap((cell) => [
      ...folded(`${cell.scenario} under ${cell.policy} on ${cell.arch}: ${mismatch(cell)}`),
      ...cell.findings.flatMap(({ kind, step, text }) =>
        folded(`${kind}, in "${step}": ${text}`, '      '),
      ),
    ]);
  return lines.length === 0 ? [] : [colors.red('Not as expected'), ...lines, ''];
}

function mismatch({ kind, words, expected }: Cell): string {
  const found = words === '' ? MARKS[kind] : `${MARKS[kind]} "${words}"`;
  const wanted =
    expected.words === '' ? MARKS[expected.kind] : `${MARKS[expected.kind]} "${expected.words}"`;
  return `expected ${wanted} (${expected.because}), found ${found}`;
}

function countLine({ counts, cells, differing }: WiringReport): string {
  const kinds = Object.entries(counts) as [Kind, number][];
  const told = kinds
    .filter(([, times]) => times > 0)
    .map(([kind, times]) => `${times} ${kind === 'absent' ? 'not applicable' : MARKS[kind]}`);
  const outcome = differing === 0 ? 'all as expected' : `${differing} not as expected`;
  return `${cells.length} cells: ${told.join(', ')}; ${outcome}`;
}

/** A paragraph in lines that fit, indented; all but the first a little more. */
export function folded(text: string, indent = '  '): string[] {
  const lines: string[] = [];
  let line = indent;
  let words = 0;
  for (const word of text.split(' ')) {
    if (words > 0 && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = ' '.repeat(indent.length + 2);
      words = 0;
    }
    line += words++ === 0 ? word : ` ${word}`;
  }
  return [...lines, line];
}
