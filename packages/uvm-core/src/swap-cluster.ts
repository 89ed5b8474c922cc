import { PG_BUSY, PG_CLEAN, PG_PAGEOUT } from './page.ts';
import { CHANNEL_MEMORY } from './types.ts';
import type { Uvm } from './uvm.ts';

/** Bytes written to swap at once. */
const CLUSTER = 64 * 1024;

/**
 * Dirty swap-backed pages on their way out, gathered into runs of consecutive slots (the swap half of uvmpd_scan_inactive). Pages of
 * different owners share a write.
 */
export class SwapCluster {
  readonly #uvm: Uvm;
  readonly #pages: number[] = [];
  #slot = 0;
  #room = 0;

  constructor(uvm: Uvm) {
    this.#uvm = uvm;
  }

  /** Takes an idle, unmapped page along; it is BUSY and on no queue from here until its write is done. Skipped if there are no slots. */
  add(page: number): void {
    const { pages, exp, swap } = this.#uvm;
    if (this.#room === 0) {
      const run = swap.alloc(Math.max(1, CLUSTER / this.#uvm.pageSize), true);
      if (run === null) return;
      this.#slot = run.slot;
      this.#room = run.count;
    }
    const slot = this.#slot + this.#pages.length;
    pages.flags[page]! |= PG_BUSY | PG_PAGEOUT;
    exp.paging++;
    exp.pgswapout++;
    pages.dequeue(page);
    this.#uvm.setSwapOf(page, slot);
    this.#pages.push(page);
    if (this.#pages.length === this.#room) this.flush();
  }

  /** Writes what has been gathered; slots that stayed empty are given back. */
  flush(): void {
    const { exp, swap } = this.#uvm;
    if (this.#room === 0) return;
    const run = this.#pages.splice(0);
    if (run.length < this.#room) swap.free(this.#slot + run.length, this.#room - run.length);
    const slot = this.#slot;
    this.#room = 0;
    if (run.length === 0) return;
    exp.pdpageouts++;
    exp.pdpending++;
    swap.put(run, slot, (error) => {
      exp.pdpending--;
      for (let i = 0; i < run.length; i++) this.#written(run[i]!, slot + i, error !== 0);
      if (exp.free <= exp.reserve_kernel) this.#uvm.daemon?.wake();
      else this.#uvm.wakeup(CHANNEL_MEMORY);
    });
  }

  /** One page's write is over (uvm_aio_aiodone): it is free, or dirty still and its slot bad. */
  #written(page: number, slot: number, failed: boolean): void {
    const { pages, exp, swap } = this.#uvm;
    pages.flags[page]! &= ~PG_PAGEOUT;
    exp.paging--;
    if (failed) {
      this.#uvm.failedPageouts++;
      swap.markBad(slot, 1);
      this.#uvm.setSwapOf(page, 0);
      pages.activate(page);
      this.#uvm.unbusy(page);
      return;
    }
    pages.flags[page]! |= PG_CLEAN;
    exp.pdfreed++;
    this.#uvm.finishPageout(page);
  }
}
