import { KernelPanic, type Pmap, VM_PROT_NONE } from '@uvmkit/pmap';
import { NO_OWNER, NO_PAGE, PG_BUSY, PG_RELEASED, PQ_ANON, type Pages } from './page.ts';
import type { Uvmexp } from './exp.ts';

/** No anon: an empty amap slot, an exhausted pool. */
export const NO_ANON = -1;
/** A swap slot whose data is lost (SWSLOT_BAD). */
export const SWSLOT_BAD = -1;

/**
 * Every anon (`vm_anon`): one page of anonymous memory, in RAM, on swap or both, with the number of amap slots
 * (and loans) that refer to it. Named by index, fields in parallel arrays. The pool is fixed by memory and swap
 * (`add`, `remove`): an empty pool is "out of virtual memory".
 */
export class Anons {
  /** References; 0 for a free anon. */
  ref: Int32Array;
  /** Resident page or NO_PAGE; for a free anon, the next free one. */
  page: Int32Array;
  /** Swap slot; 0 for none, {@link SWSLOT_BAD} for lost data. */
  swslot: Int32Array;
  readonly #exp: Uvmexp;
  readonly #freeSlot: (slot: number) => void;
  #free: number = NO_ANON;
  #count = 0;

  /** @param freeSlot gives a swap slot back */
  constructor(exp: Uvmexp, freeSlot: (slot: number) => void) {
    this.#exp = exp;
    this.#freeSlot = freeSlot;
    this.ref = new Int32Array(0);
    this.page = new Int32Array(0);
    this.swslot = new Int32Array(0);
  }

  /** Enlarges the pool by `count` anons (`uvm_anon_add`). */
  add(count: number): void {
    const first = this.#count;
    this.#exp.nanonneeded += count;
    // What a device that was taken away had brought is still here.
    count = this.#exp.nanonneeded - this.#exp.nanon;
    if (count <= 0) return;
    const ref = new Int32Array(first + count);
    const page = new Int32Array(first + count);
    const swslot = new Int32Array(first + count);
    ref.set(this.ref);
    page.set(this.page);
    swslot.set(this.swslot);
    for (let anon = first + count - 1; anon >= first; anon--) {
      page[anon] = this.#free;
      this.#free = anon;
    }
    this.ref = ref;
    this.page = page;
    this.swslot = swslot;
    this.#count += count;
    this.#exp.nanon += count;
    this.#exp.nfreeanon += count;
  }

  /**
   * Takes note that `count` anons fewer are needed (`uvm_anon_remove`). The pool itself does not shrink: anons may be in use,
   * and what it has is there for the next swap device.
   */
  remove(count: number): void {
    this.#exp.nanonneeded -= count;
  }

  /** A new anon with one reference and no data, or {@link NO_ANON} (`uvm_analloc`). */
  alloc(): number {
    const anon = this.#free;
    if (anon === NO_ANON) return NO_ANON;
    this.#free = this.page[anon]!;
    this.ref[anon] = 1;
    this.page[anon] = NO_PAGE;
    this.swslot[anon] = 0;
    this.#exp.nfreeanon--;
    return anon;
  }

  /**
   * Frees an anon without references, its page and its slot (`uvm_anfree`). A page busy with I/O is
   * marked RELEASED: whoever holds it finishes the job by calling again.
   */
  free(anon: number, pages: Pages, pmap: Pmap): void {
    if (this.ref[anon] !== 0)
      throw new KernelPanic('uvm_anfree: anon is referenced', { anon, ref: this.ref[anon]! });
    const page = this.page[anon]!;
    if (page !== NO_PAGE) {
      if (pages.uobject[page] !== NO_OWNER) {
        // Borrowed from an object: hand the loan back.
        pages.loanCount[page]!--;
        pages.uanon[page] = NO_OWNER;
        this.page[anon] = NO_PAGE;
      } else {
        if ((pages.flags[page]! & PG_BUSY) !== 0) {
          pages.flags[page]! |= PG_RELEASED;
          return;
        }
        if ((pages.pqflags[page]! & PQ_ANON) === 0) {
          // The object that lent it is gone: adopt, so that freeing it is the owner's act.
          pages.adopt(page);
        }
        pmap.pageProtect(pages.pageAddress(page), VM_PROT_NONE);
        this.dropSwap(anon);
        pages.free(page);
      }
    }
    this.dropSwap(anon);
    this.page[anon] = this.#free;
    this.#free = anon;
    this.#exp.nfreeanon++;
  }

  /** Forgets the anon's swap slot (`uvm_anon_dropswap`); if only swap had the data, it has it no more. */
  dropSwap(anon: number): void {
    const slot = this.swslot[anon]!;
    if (slot === 0) return;
    this.swslot[anon] = 0;
    if (slot === SWSLOT_BAD) return;
    this.#freeSlot(slot);
    if (this.page[anon] === NO_PAGE) this.#exp.swpgonly--;
  }

  /** Anons on the free list, counted one by one. */
  freeCount(): number {
    let count = 0;
    for (let anon = this.#free; anon !== NO_ANON && count <= this.#count; anon = this.page[anon]!)
      count++;
    return count;
  }

  /** Anons there are, free ones included. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.ref.byteLength + this.page.byteLength + this.swslot.byteLength;
  }
}
