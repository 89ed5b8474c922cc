import type { ShootdownMode } from './shootdown.ts';

/** What {@link alpha} may be told. Defaults are NetBSD's of December 2001 on an EV5. */
export interface AlphaOptions {
  /** The highest ASN: 127 (EV5) if not given, 255 on EV6, 0 where ASNs are not implemented; 0 … 255. */
  readonly maxAsn?: number;
  /** Whether PALcode first tries the virtual page table on a miss; off if not given. */
  readonly virtualPageTable?: boolean;
  /** Which fault an invalid entry that also denies the access raises: `acv` if not given. */
  readonly precedence?: 'acv' | 'tnv';
  /** Sets (a power of two) and ways (1 … 255) of ITB and DTB: 64 × 2 if not given. */
  readonly tbSets?: number;
  readonly tbWays?: number;
  /** How other CPUs are made to forget: `wait` if not given. */
  readonly shootdown?: ShootdownMode;
  /**
   * Flush on pmap_update only, where pmap(9) allows that, to expose missing calls; off if not given. Not
   * together with `shootdown: 'post'`.
   */
  readonly deferred?: boolean;
  /** What pmap_page_protect(NONE) does to wired mappings: `keeps` if not given; `removes` as from 2014 on. */
  readonly pageProtectWired?: 'keeps' | 'removes';
  /** What pmap_collect does to them: `keeps` if not given; `removes` as in revision 1.124. */
  readonly collectWired?: 'keeps' | 'removes';
  /** Enforce execute permission by FOE, as later revisions do; off if not given. */
  readonly enforceExecute?: boolean;
  /** The most pv entries that may be in use; no limit if not given. */
  readonly pvEntries?: number;
  /** Level-3 tables of the kernel's at boot, 8 MB of K1SEG each: 4 if not given, 1 … 1024. */
  readonly kernelTables?: number;
}

/** {@link AlphaOptions} with nothing left open. */
export type AlphaSettings = Required<AlphaOptions>;

/** @throws RangeError if an option is out of its range */
export function resolveOptions(options: AlphaOptions): AlphaSettings {
  const { maxAsn = 127, kernelTables = 4, pvEntries = Number.POSITIVE_INFINITY } = options;
  const { shootdown = 'wait', deferred = false } = options;
  checkCount('maxAsn', maxAsn, 0, 255);
  checkCount('kernelTables', kernelTables, 1, 1024);
  if (deferred && shootdown === 'post') {
    throw new RangeError("deferred flushes are done by pmap_update, so shootdown cannot be 'post'");
  }
  return {
    maxAsn,
    virtualPageTable: options.virtualPageTable ?? false,
    precedence: options.precedence ?? 'acv',
    tbSets: options.tbSets ?? 64,
    tbWays: options.tbWays ?? 2,
    shootdown,
    deferred,
    pageProtectWired: options.pageProtectWired ?? 'keeps',
    collectWired: options.collectWired ?? 'keeps',
    enforceExecute: options.enforceExecute ?? false,
    pvEntries,
    kernelTables,
  };
}

/** @throws RangeError unless `value` is an integer from `least` to `most` */
export function checkCount(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${name} must be an integer from ${least} to ${most}, given ${value}`);
}
