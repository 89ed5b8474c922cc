import type { Va } from '@uvmkit/pmap';
import { type Cpus, tlbflush, tlbflushg } from './cpus.ts';
import { PG_G } from './pte.ts';
import type { Space } from './space.ts';
import { APTE_BASE, NBPG, PTE_BASE } from './vmparam.ts';

/**
 * How changed translations leave the TLBs. The pmap notes each change that a TLB may still hold, and
 * calls `now` before it answers its caller, or, where flushes are deferred, in pmap_update.
 */
export interface TlbFlush {
  /**
   * The translation of `va` is no longer what `opte` said.
   *
   * @param va page-aligned
   * @param opte the entry before the change
   */
  page(space: Space, va: Va, opte: number): void;

  /**
   * A page-table page was taken out of the directory. Its own mapping in the window of PTEs goes; so,
   * on parts that cache PDEs, does the PDE, by whatever INVLPG.
   *
   * @param opde the entry of the directory before
   */
  table(space: Space, slot: number, opde: number): void;

  /** When it returns no TLB holds anything noted before. */
  now(): void;
}

/** PMAP_RR_MAX: so many pages are invalidated one by one, more by one full flush. */
export const PMAP_RR_MAX = 16;

/**
 * The flush of a kernel for one CPU (`pmap_remove_record`): pages are collected for the length of a
 * call and then invalidated singly or, past {@link PMAP_RR_MAX}, all at once. Global pages are
 * invalidated as they come, since the full flush, a load of CR3, would leave them. Maps that are not
 * loaded have nothing in the TLB.
 */
export class DirectFlush implements TlbFlush {
  readonly #cpus: Cpus;
  readonly #deferred: boolean;
  readonly #invlpg: boolean;
  readonly #vas: Float64Array = new Float64Array(PMAP_RR_MAX);
  /** Pages collected; PMAP_RR_MAX + 1 stands for too many. */
  #count = 0;
  /** The bits of every entry collected, ORed. */
  #seen = 0;

  constructor(cpus: Cpus, deferred: boolean) {
    this.#cpus = cpus;
    this.#deferred = deferred;
    this.#invlpg = cpus.mmu.features.invlpg;
  }

  page(space: Space, va: Va, opte: number): void {
    if (this.#cpus.isCurrent(space)) this.#collect(va, opte);
  }

  table(space: Space, slot: number, opde: number): void {
    // Of a map that is not loaded, only the alternate window may have shown the page.
    const base = this.#cpus.isCurrent(space) ? PTE_BASE : APTE_BASE;
    this.#collect(base + slot * NBPG, opde);
  }

  #collect(va: Va, opte: number): void {
    if ((opte & PG_G) !== 0 && !this.#deferred) {
      this.#cpus.mmu.invlpg(va);
      return;
    }
    this.#seen |= opte;
    if (this.#invlpg && this.#count < PMAP_RR_MAX) this.#vas[this.#count++] = va;
    else this.#count = PMAP_RR_MAX + 1;
  }

  now(): void {
    if (this.#count === 0) return;
    const { mmu } = this.#cpus;
    if (this.#count > PMAP_RR_MAX) {
      if ((this.#seen & PG_G) === 0) tlbflush(mmu);
      else tlbflushg(mmu);
    } else for (let i = 0; i < this.#count; i++) mmu.invlpg(this.#vas[i]!);
    this.#count = 0;
    this.#seen = 0;
  }
}
