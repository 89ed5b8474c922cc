import type { KitVerdict } from '@uvmkit/conformance';
import type { CaseReport } from './task.ts';

/** Case × MMU. */
export interface ConformReport {
  readonly ok: boolean;
  readonly seed: number;
  readonly effort: number;
  readonly archs: readonly string[];
  readonly counts: { readonly [verdict in KitVerdict]: number };
  /** In the order of MMUs, then cases. */
  readonly results: readonly CaseReport[];
}

export function reportOf(
  archs: readonly string[],
  results: readonly CaseReport[],
  { seed, effort }: { readonly seed: number; readonly effort: number },
): ConformReport {
  const counts = { held: 0, failed: 0, diverges: 0, declined: 0, inapplicable: 0 };
  for (const { verdict } of results) counts[verdict]++;
  return { ok: counts.failed === 0, seed, effort, archs, counts, results };
}

/** One row of the matrix: a case, and what became of it on each MMU (null where it was not run). */
export interface MatrixRow {
  readonly id: string;
  readonly sentence: string;
  readonly cells: readonly (CaseReport | null)[];
}

export function matrixOf({ archs, results }: ConformReport): MatrixRow[] {
  const rows = new Map<string, { sentence: string; cells: (CaseReport | null)[] }>();
  for (const result of results) {
    let row = rows.get(result.id);
    if (row === undefined)
      rows.set(result.id, (row = { sentence: result.sentence, cells: archs.map(() => null) }));
    row.cells[archs.indexOf(result.arch)] = result;
  }
  return [...rows].map(([id, { sentence, cells }]) => ({ id, sentence, cells }));
}

/** What a cell of the matrix says. */
export const MARKS: Readonly<Record<KitVerdict, string>> = {
  held: 'ok',
  failed: 'FAIL',
  diverges: 'differs',
  declined: 'declines',
  inapplicable: 'n/a',
};

/** Reasons of one verdict, each once, with the cases and MMUs that have it. */
export function reasonsOf(
  { results }: ConformReport,
  verdict: KitVerdict,
): { readonly reason: string; readonly where: string }[] {
  const found = new Map<string, Map<string, string[]>>();
  for (const result of results) {
    if (result.verdict !== verdict) continue;
    const ids = found.get(result.reason) ?? new Map<string, string[]>();
    ids.set(result.id, [...(ids.get(result.id) ?? []), result.arch]);
    found.set(result.reason, ids);
  }
  return [...found].map(([reason, ids]) => {
    const archs = [...new Set([...ids.values()].flat())];
    return { reason, where: `${[...ids.keys()].join(', ')} on ${archs.join(', ')}` };
  });
}
