import type { Processor } from './processor.ts';

/** The lineage of the pmap: for one CPU, or with queues for several. See {@link I386Options.variant}. */
export type Variant = 'up' | 'q';

/** What the port may be told. */
export interface I386Options {
  /** The processor, the same for every CPU; `pentiumpro` if not given. */
  readonly processor?: Processor;

  /**
   * Which of the two pmaps of the time it is.
   *
   * - `up`, revision 1.91's lineage, which NetBSD-current's i386 still ran in December 2001: flushes
   *   its one CPU directly, whenever an entry changed; steals page-table pages and pv entries from other
   *   mappings when it runs short.
   * - `q`, the multiprocessor branch's (merged in October 2002): queues a CPU, and U and M tell what a TLB
   *   can hold; a shortage is an error.
   *
   * If not given: `up` on a machine of one CPU, `q` on one of several, where `up` would be wrong and
   * booting it is refused.
   */
  readonly variant?: Variant;

  /**
   * Leaves what enter, remove, protect, kenter_pa, kremove and collect must flush to pmap_update, as
   * pmap(9) allows and neither i386 pmap did. Shows which callers forget pmap_update. False if not given.
   */
  readonly deferred?: boolean;

  /** See `I386MmuOptions.accessedOnFault`; true if not given. */
  readonly accessedOnFault?: boolean;

  /** The most pv entries at once, to provoke a shortage. No limit if not given. */
  readonly pvEntries?: number;

  /**
   * What pmap_collect does to wired mappings: `keeps` them, as pmap(9) demands, or `removes` them, as
   * revision 1.91 did to processes swapped out. `keeps` if not given.
   */
  readonly collectWired?: 'keeps' | 'removes';

  /**
   * What pmap_extract believes: `pte` answers for valid PTEs only; `pde` is revision 1.91's, which
   * answers for any address that has a page table, so that uvm_fault_unwire calls pmap_unwire where nothing
   * is mapped and a DIAGNOSTIC kernel panics. `pte` if not given.
   */
  readonly extract?: 'pte' | 'pde';
}
