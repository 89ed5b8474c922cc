import type { FaultFigures } from './accesses.ts';
import type { Measured } from './figures.ts';
import type { HostFigures } from './host.ts';
import type { Figure } from './measure.ts';

/** One line of the report: a figure beside its yardstick. */
export interface Row {
  readonly arch: string;
  readonly what: string;
  readonly figure: Figure;
  /** What it is measured by, in words; empty if the limit is absolute. */
  readonly yardstick: string;
  /** The yardstick in nanoseconds, or null if it could not be measured. */
  readonly by: number | null;
  /** The most that is wanted: a multiple of the yardstick, or nanoseconds. */
  readonly limit: number;
}

/** How a row stands against its limit; null if there is no yardstick. */
export function reached(row: Row): boolean | null {
  if (row.yardstick === '') return row.figure.ns <= row.limit;
  return row.by === null ? null : row.figure.ns <= row.limit * row.by;
}

/** The limits of an architecture: what a resident soft fault and a miss may take, in nanoseconds. */
function limits(arch: string): { readonly soft: number; readonly miss: number } {
  return {
    soft: arch === 'i386' ? 400 : 500,
    miss: arch === 'oea' || arch === 'ibm4xx' ? 120 : 60,
  };
}

/** The rows of one port. */
export function rows(measured: Measured, host: HostFigures | string): readonly Row[] {
  const { arch } = measured;
  const { soft, miss } = limits(arch);
  const { pressure } = measured;
  const ofHost = (name: Exclude<keyof HostFigures, 'pageSize'>): number | null =>
    typeof host === 'string' ? null : host[name];
  const row = (
    what: string,
    figure: Figure,
    yardstick: string,
    by: number | null,
    limit: number,
  ): Row => ({ arch, what, figure, yardstick, by, limit });
  return [
    row(
      'zero-fill fault',
      measured.zeroFill,
      "host's anonymous write fault",
      ofHost('zeroFill'),
      1,
    ),
    row(
      'copy-on-write fault',
      measured.copyOnWrite,
      "host's copy-on-write fault",
      ofHost('copyOnWrite'),
      1,
    ),
    row('resident soft fault', measured.soft, '', null, soft),
    row(
      'load, TLB hit, each from the last',
      measured.hit,
      'typed-array read, likewise',
      measured.arrayRead.ns,
      3,
    ),
    row('load, TLB miss and walk', measured.miss, '', null, miss),
    row('lookup among 10^6 entries', measured.lookup1e6, 'among 10^3', measured.lookup1e3.ns, 3),
    row(
      'fork, 10,000 touched pages',
      measured.fork,
      "host's fork, the same",
      ofHost('fork10000'),
      1,
    ),
    row('pageout, a page', pressure.pageout, 'copying it', pressure.copyPage.ns, 1.5),
    row('pagein, a page', pressure.pagein, 'copying it', pressure.copyPage.ns, 1.5),
    row(
      'queue operations, 10^6 pages or all there can be',
      pressure.queue1e6,
      'among 4,000',
      pressure.queue4e3.ns,
      3,
    ),
    row(
      'mlock, 256 resident pages',
      pressure.lockResident,
      "host's mlock, the same",
      ofHost('lockResident'),
      1,
    ),
    row(
      'mlock, 256 untouched pages',
      pressure.lockUntouched,
      "host's mlock, the same",
      ofHost('lockUntouched'),
      1,
    ),
    row('read, 64 KB through windows', pressure.read, 'copying them', pressure.copyRead.ns, 2),
    row(
      'fork and exit, 10,000 swapped pages',
      pressure.forkSwapped,
      'with resident pages',
      pressure.forkResident.ns,
      2,
    ),
  ];
}

/** The rows of faults under each wiring policy, the first of which is the yardstick of the others. */
export function policyRows(
  arch: string,
  measured: ReadonlyMap<string, FaultFigures>,
): readonly Row[] {
  const [first, ...others] = [...measured];
  if (first === undefined) return [];
  const [yardstick, by] = first;
  const what: readonly [string, keyof FaultFigures][] = [
    ['zero-fill fault', 'zeroFill'],
    ['copy-on-write fault', 'copyOnWrite'],
    ['resident soft fault', 'soft'],
    ['fork, 10,000 touched pages', 'fork'],
  ];
  return others.flatMap(([policy, figures]) =>
    what.map(([name, key]) => ({
      arch,
      what: `${name}, ${policy}`,
      figure: figures[key],
      yardstick: `under ${yardstick}`,
      by: by[key].ns,
      limit: 1.1,
    })),
  );
}

const time = (ns: number): string =>
  ns < 100
    ? `${ns.toFixed(1)} ns`
    : ns < 1e5
      ? `${Math.round(ns)} ns`
      : `${(ns / 1000).toFixed(0)} us`;

/** The report as a Markdown table. */
export function table(all: readonly Row[]): string {
  const lines = all.map((row) => {
    const state = reached(row);
    const ratio =
      row.yardstick === ''
        ? ''
        : row.by === null
          ? 'missing'
          : `${(row.figure.ns / row.by).toFixed(2)} x`;
    const yardstick =
      row.yardstick === '' ? '' : `${row.yardstick}${row.by === null ? '' : `, ${time(row.by)}`}`;
    const wanted = row.yardstick === '' ? `<= ${row.limit} ns` : `<= ${row.limit} x`;
    const verdict = state === null ? '?' : state ? 'yes' : 'no';
    return `| ${row.arch} | ${row.what} | ${time(row.figure.ns)} ±${row.figure.spread.toFixed(0)} % | ${yardstick} | ${ratio} | ${wanted} | ${verdict} |`;
  });
  return [
    '| MMU | what | takes | yardstick | ratio | wanted | reached |',
    '|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n');
}
