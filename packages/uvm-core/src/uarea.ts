import { EIO, type Errno, KernelPanic, type Va, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { vslock, vsunlock } from './io.ts';
import type { Sleeping } from './types.ts';
import type { Uvm } from './uvm.ts';

/** Pages of a u-area (UPAGES): a kernel stack and what the process needs only while it runs. */
const UPAGES = 2;

/**
 * A process' u-area (uvm_glue.c): pageable kernel memory, wired as long as the process is in memory, so that it can run.
 *
 *     alloc ──▶ wired ──swapOut──▶ pageable (the daemon takes it to swap) ──swapIn──▶ wired … ──free
 *
 * The wiring is a transient one: no map entry counts it, and neighbours in the kernel's map stay one entry.
 */
export class Uarea {
  readonly va: Va;
  readonly size: number;
  readonly #uvm: Uvm;
  #wired = false;

  private constructor(uvm: Uvm, va: Va) {
    this.#uvm = uvm;
    this.va = va;
    this.size = UPAGES * uvm.pageSize;
  }

  /** A wired one (uvm_uarea_alloc, and what uvm_fork does with it). Null if the kernel's map or memory has no room. */
  static *alloc(uvm: Uvm): Sleeping<Uarea | null> {
    const va = yield* uvm.km.valloc(uvm.kernelMap, UPAGES * uvm.pageSize);
    if (va === null) return null;
    const uarea = new Uarea(uvm, va);
    if ((yield* uarea.#wire()) === 0) return uarea;
    uarea.free();
    return null;
  }

  /** Whether it is wired, so that the process can run. */
  get inMemory(): boolean {
    return this.#wired;
  }

  /** Lets the daemon have its pages (uvm_swapout). */
  swapOut(): void {
    this.#unwire();
    this.#uvm.exp.swapouts++;
  }

  /**
   * Has its pages in memory again, to stay (uvm_swapin).
   *
   * @returns ENOMEM if nothing at all can be freed for it
   * @throws KernelPanic if it cannot be read: what the process was doing in the kernel is lost
   */
  *swapIn(): Sleeping<Errno> {
    const error = yield* this.#wire();
    if (error === EIO)
      throw new KernelPanic('uvm_swapin: the u-area cannot be read', { va: this.va });
    if (error === 0) this.#uvm.exp.swapins++;
    return error;
  }

  /** Gives it back, in memory or not (uvm_exit). */
  free(): void {
    if (this.#wired) this.#unwire();
    this.#uvm.km.free(this.#uvm.kernelMap, this.va, this.size);
  }

  *#wire(): Sleeping<Errno> {
    const { kernelMap, wiring } = this.#uvm;
    const rights = VM_PROT_READ | VM_PROT_WRITE;
    const error = yield* vslock(this.#uvm, kernelMap, this.va, this.size, rights);
    this.#wired = error === 0;
    if (this.#wired && wiring.enterFlags === 0) this.#kenter();
    return error;
  }

  /** A pmap that may forget whatever pmap_enter told it must be told otherwise what the kernel cannot fault on. */
  #kenter(): void {
    const { pages, pmap, pageSize, kernelMap, km } = this.#uvm;
    pmap.remove(kernelMap.pmap, this.va, this.va + this.size);
    for (let va = this.va; va < this.va + this.size; va += pageSize) {
      const page = pages.lookup(km.object, this.#uvm.atop(va - kernelMap.min));
      pmap.kenterPa(va, pages.pageAddress(page), VM_PROT_READ | VM_PROT_WRITE);
    }
    pmap.update(kernelMap.pmap);
  }

  #unwire(): void {
    const { pmap, kernelMap, wiring } = this.#uvm;
    if (wiring.enterFlags === 0) pmap.kremove(this.va, this.size);
    vsunlock(this.#uvm, kernelMap, this.va, this.size);
    this.#wired = false;
  }
}
