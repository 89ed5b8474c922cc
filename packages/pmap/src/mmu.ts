import type { Pa, Va } from './address.ts';
import type { Access } from './prot.ts';

/**
 * One CPU's memory-management unit: the hardware side of a port.
 *
 * It sees nothing but its own registers, its TLB and the bytes of physical memory. It never calls
 * the pmap; the pmap reaches it only by writing page tables into memory, by writing control registers and by
 * the architecture's flush instructions, which are methods of the port's own class and not part of
 * this interface. So a flush that the software forgets *is* a stale entry here.
 */
export interface Mmu {
  /** The CPU's number, from 0. */
  readonly cpu: number;

  /**
   * Translates one access that lies within one page.
   *
   * On success the page tables' referenced and modified bits are set as the architecture sets them,
   * the TLB is filled as it fills it, and the physical address of the byte at `va` is returned.
   * On a fault {@link FAULT} is returned, the architecture's fault record is in the registers and
   * nothing else has changed but what the architecture itself changes on a faulting walk.
   * Nothing is allocated.
   *
   * @param va any address of the architecture; bits beyond its width are the caller's mistake
   * @param access `VM_PROT_*` bits with `ACCESS_USER` / `ACCESS_USERSPACE`
   */
  translate(va: Va, access: Access): Pa;

  /** The data path, where bytes are not simply those in physical memory; null if they are. */
  readonly dataCache: DataCache | null;

  /** Drops every cached translation, global ones included, as a reset would. */
  flushAll(): void;

  /** What happened so far; counters only ever grow. */
  readonly stats: MmuStats;

  /** The registers by the manual's names, for a person and for the debugger. */
  registers(): Readonly<Record<string, number>>;

  /** The last fault's record in the manual's words, for instance `#PF error code 6, CR2 0x…`. */
  describeFault(): string;
}

/** What {@link Mmu.translate} answers when the access faults. */
export const FAULT = -1;

/** Counters of one MMU. */
export interface MmuStats {
  /** Calls of `translate`. */
  lookups: number;
  /** Translations that the TLB did not hold: each is a walk, a hash search or a miss trap. */
  misses: number;
  /** Accesses that ended in a fault record, whoever settled it. */
  faults: number;
  /** Flushes of one page or one entry. */
  pageFlushes: number;
  /** Flushes of more than that: a context, all non-global entries, everything. */
  fullFlushes: number;
}

/** Fresh counters, all zero. */
export function mmuStats(): MmuStats {
  return { lookups: 0, misses: 0, faults: 0, pageFlushes: 0, fullFlushes: 0 };
}

/**
 * A cache between CPU and memory whose contents software can see: a virtually addressed write-back
 * cache. `va` is the address used, `pa` what {@link Mmu.translate} made of it. The access must not
 * cross a cache line.
 */
export interface DataCache {
  /** Reads 1, 2 or 4 bytes in the port's byte order, as an unsigned number. */
  load(va: Va, pa: Pa, size: number): number;
  /** Writes the low 1, 2 or 4 bytes of `value`. */
  store(va: Va, pa: Pa, size: number, value: number): void;
}
