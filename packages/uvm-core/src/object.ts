import type { Errno } from '@uvmkit/pmap';
import type { FaultInfo } from './fault.ts';
import type { Advice, Outcome, PagerFlags, Sleeping } from './types.ts';
import type { Uvm } from './uvm.ts';
import type { Ledger } from './wiring/ledger.ts';
import type { Users } from './wiring/users.ts';

/** End of a page list. */
export const LIST_END = -1;

/** References of the kernel's own object, an aobj: not counted (UVM_OBJ_KERN). */
export const UVM_OBJ_KERN = -2;

/**
 * Memory that can be mapped (`uvm_object`): resident pages, a reference count, and a pager that knows
 * where the rest is. Pages are found by (object, page index) in the global hash; `memq` lists them.
 */
export class UvmObject {
  /** Unique among the objects of one UVM; what a page's owner word holds. */
  readonly id: number;
  readonly pgops: PagerOps;
  /** First page of the list of resident pages, by page index; {@link LIST_END} if none. */
  memq: number = LIST_END;
  /** Resident pages (`uo_npages`). */
  npages = 0;
  /** References (`uo_refs`); negative for the kernel's objects. */
  refs = 1;
  /** Locks over its pages, by page index, if there are any and the wiring policy counts them by place. */
  locks: Ledger | null = null;
  /** The entries that map it, if the wiring policy wants to know. */
  users: Users | null = null;

  constructor(uvm: Uvm, pgops: PagerOps) {
    this.id = uvm.adoptObject(this);
    this.pgops = pgops;
  }
}

/** Whether what is mapped of an object are pages of its own: not a device's frames, or windows on files. */
export function objectHasPages({ pgops }: UvmObject): boolean {
  return pgops.fault === undefined;
}

/** Which census a pager's resident pages count in. */
export type PageCensus = 'file' | 'anon' | 'none';

/**
 * What a pager can do (`uvm_pagerops`, uvm_pager.h revision 1.24). Offsets are bytes, page-aligned.
 * Calls that cannot sleep return an {@link Outcome}; those that can are generators.
 */
export interface PagerOps {
  readonly name: string;
  readonly census: PageCensus;

  /** Adds a reference for one more map entry. */
  reference(uvm: Uvm, object: UvmObject): void;

  /** Drops a reference; with the last one the object may die and its pages with it. */
  detach(uvm: Uvm, object: UvmObject): void;

  /**
   * Finds pages. `pages[0 … count − 1]` are the object's pages from `offset` on; only slots holding
   * `PAGE_NULL` are filled, each with a page that is BUSY for the caller.
   *
   * With PGO_LOCKED: resident pages that nobody holds; starts nothing; EBUSY if the centre (any, with
   * PGO_ALLPAGES) is not to be had so.
   *
   * Without it: the centre (all, with PGO_ALLPAGES), valid; or `WAIT` once it has started what
   * is needed, and the caller calls again when woken.
   *
   * @param access the rights wanted: with VM_PROT_WRITE backing store is allocated under holes
   * @returns 0, `WAIT`, or an errno: EINVAL beyond the end of the object, EIO and what the backing store answers
   */
  get(
    uvm: Uvm,
    object: UvmObject,
    offset: number,
    pages: Int32Array,
    count: number,
    centre: number,
    access: number,
    advice: Advice,
    flags: PagerFlags,
  ): Outcome;

  /**
   * Resolves a fault itself, pages wanted being those in `into` that hold PAGE_NULL. Absent where {@link get} and the
   * fault path do (uvm_fault calls it for UBC windows and devices, whose mappings follow rules of their own).
   */
  fault?(uvm: Uvm, ufi: FaultInfo, into: Int32Array, flags: PagerFlags): Outcome;

  /**
   * Cleans, deactivates or frees the resident pages in [start, stop); stop 0 is the end. With PGO_PAGEOUT it never sleeps.
   *
   * @returns 0, or the first error of a write that was waited for
   */
  put(uvm: Uvm, object: UvmObject, start: number, stop: number, flags: PagerFlags): Sleeping<Errno>;

  /** Deactivates what is idle in [start, stop), without ever sleeping: the tail of a sequential fault. */
  deactivate(uvm: Uvm, object: UvmObject, start: number, stop: number): void;

  /** A page of a dead object was let go at last: it is freed here. Absent where objects with busy pages do not die. */
  released?(uvm: Uvm, object: UvmObject, page: number): void;

  /** The page that belongs at an index, where it is not the object's own: windows on files, frames of a device. */
  pageAt?(uvm: Uvm, object: UvmObject, index: number): number;

  /** Swap slot of a page, 0 if it has none; absent for objects that are not swap-backed. */
  slotOf?(object: UvmObject, index: number): number;

  /** Sets the swap slot of a page and returns the one that it had; absent likewise. */
  setSlot?(object: UvmObject, index: number, slot: number): number;

  /** True if pages of the object count as program text (VEXECMAP). */
  isText(object: UvmObject): boolean;

  /** A process mapped the object executable. */
  markText(uvm: Uvm, object: UvmObject): void;
}
