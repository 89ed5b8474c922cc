import type { OeaModel } from './mmu.ts';

/** The revisions of mpc6xx/pmap.c between which 31 December 2001 lies. */
export type OeaRevision = '1.8' | '1.28.4.7';

/** What an OEA port may be told. */
export interface OeaOptions {
  /**
   * Which revision's behaviour where the two differ: `1.8` of 2001-06-15 keeps wired mappings in
   * `pageProtect(NONE)` and synchronises the instruction cache at a page's first mapping;
   * `1.28.4.7` of 2002-06-20, the default, removes them and synchronises at the first executable mapping.
   */
  readonly revision?: OeaRevision;
  /** The processor, `604` if not given. Only that one can be one of several CPUs. */
  readonly model?: OeaModel;
  /**
   * `authentic`, the default: `wiredCount` as both revisions counted, who looked for the flag in the
   * PTE, where the same bit is M: only unwire changes the count, downwards. `exact`: the number of
   * wired mappings, as later revisions have it.
   */
  readonly wiredCount?: 'exact' | 'authentic';
  /**
   * `exact`, the default: `protect` to a protection with WRITE leaves stores allowed. `authentic`: as
   * both revisions did, it takes them away whatever the protection.
   */
  readonly protect?: 'exact' | 'authentic';
  /**
   * Lets TLBs keep what enter, remove, protect and kremove took away until `pmap.update`, as pmap(9)
   * allows. Off by default: NetBSD's pmap flushed at once and its pmap_update did nothing.
   */
  readonly deferred?: boolean;
  /**
   * PTE groups in the hash table: a power of two from 1024 to 524288. By default as pmap_bootstrap
   * chose: a group for every two pages of memory or more, at least 2048.
   */
  readonly ptegs?: number;
  /** Address spaces at once (NPMAPS), with the kernel's and a reserved one: a power of two, 32 to 32768 (default). */
  readonly pmaps?: number;
  /** The most PVOs in use at once; no limit but memory if not given. */
  readonly pvos?: number;
  /**
   * 256 MB segments of device memory that the kernel reaches one-to-one: `battable` entries that a
   * supervisor's miss loads into a data BAT. Not segments 0 and 12 to 14. None if not given.
   */
  readonly ioSegments?: readonly number[];
}
