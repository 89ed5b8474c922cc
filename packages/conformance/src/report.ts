import type { Port } from '@uvmkit/pmap';
import { type Row, ROW_PROFILES, type RowProfile } from './row.ts';
import { rows } from './rows/index.ts';
import { type RowResult, runRow, type Verdict } from './run.ts';
import type { RowSetting } from './world.ts';

/** What to run. */
export interface RowsOptions {
  readonly ports: readonly Port[];
  /** Both if not given. */
  readonly profiles?: readonly RowProfile[];
  /** Every row if not given. */
  readonly rows?: readonly Row[];
  /** Of every machine. */
  readonly setting?: RowSetting;
  /** Told of each result as it comes, and of how many there will be. */
  readonly progress?: (result: RowResult, total: number) => void;
}

/** Row × MMU × profile. */
export interface RowsReport {
  readonly archs: readonly string[];
  readonly profiles: readonly RowProfile[];
  readonly rows: readonly Row[];
  /** In the order of rows, then MMUs, then profiles. */
  readonly results: readonly RowResult[];
  readonly counts: { readonly [verdict in Verdict]: number };
  /** Whether no row failed. */
  readonly ok: boolean;
}

/** Runs rows on every port under every profile that is asked for. */
export function runRows(options: RowsOptions): RowsReport {
  const { ports, profiles = ROW_PROFILES, rows: asked = rows, setting = {} } = options;
  const results: RowResult[] = [];
  const total = asked.length * ports.length * profiles.length;
  const counts = { held: 0, failed: 0, inapplicable: 0, unasked: 0, absent: 0 };
  for (const row of asked)
    for (const port of ports)
      for (const profile of profiles) {
        const result = runRow(row, port, profile, setting);
        results.push(result);
        counts[result.verdict]++;
        options.progress?.(result, total);
      }
  const archs = ports.map(({ name }) => name);
  return { archs, profiles, rows: asked, results, counts, ok: counts.failed === 0 };
}
