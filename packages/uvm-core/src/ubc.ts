import {
  EAGAIN,
  EIO,
  ENOMEM,
  type Errno,
  KernelPanic,
  PMAP_CANFAIL,
  type Va,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { breakObjectLoan } from './fault-object.ts';
import type { FaultInfo } from './fault.ts';
import { uvmMap } from './map.ts';
import { type PagerOps, UvmObject } from './object.ts';
import { NO_PAGE, PG_RDONLY } from './page.ts';
import {
  CHANNEL_LBOLT,
  MAP_INHERIT_NONE,
  type Outcome,
  PAGE_NULL,
  PGO_LOCKED,
  PGO_OVERWRITE,
  PGO_SYNCIO,
  type Sleeping,
  UVM_ADV_NORMAL,
  UVM_ADV_RANDOM,
  UVM_FLAG_NOMERGE,
  WAIT,
  type WaitChannel,
} from './types.ts';
import type { Uvm } from './uvm.ts';
import type { Vnode } from './vnode.ts';

/** Windows there are, if the kernel's map is large enough (UBC_NWINS). */
const NWINS = 1024;
/** Bytes of a window (UBC_WINSHIFT). */
const WINDOW = 8192;

/** A stretch of kernel addresses that shows a stretch of a file (`ubc_map`). */
interface Window {
  readonly va: Va;
  readonly queue: number;
  vnode: Vnode | null;
  /** Byte offset in the file, a multiple of the window's size. */
  offset: number;
  refs: number;
  /** File bytes being written through it; empty if it is being read. */
  writeStart: number;
  writeEnd: number;
  /** The file's size before the write. */
  eof: number;
  /** Page indices that this write has had blank pages for: another fault must find what was written. */
  readonly blank: Set<number>;
  /** What the last fault in it ended in. */
  error: Errno;
}

/** What {@link Ubc.alloc} gives: where the kernel finds the bytes, and how many. */
export interface WindowRange {
  readonly va: Va;
  readonly length: number;
}

/**
 * The unified buffer cache (uvm_bio.c): read(2) and write(2) reach a file's pages through windows in the kernel's map, so
 * that they and mappings see the same memory.
 *
 *     kernel map   … │ window │ window │ window │ …           faults go to `ubcPager`
 *                        │        └── file A, 8192–16383
 *                        └── file B, 0–8191
 *
 * A window that nobody uses keeps its mappings until it is needed for another stretch.
 */
export class Ubc {
  readonly #uvm: Uvm;
  readonly #object: UbcObject;
  readonly #base: Va;
  readonly #size: number;
  readonly #windows: Window[] = [];
  /** By file and offset. */
  readonly #found: Map<string, Window> = new Map();
  /** Windows that nobody uses, by cache colour, the next to be taken first: those that show nothing, and the others. */
  readonly #empty: Set<Window>[] = [];
  readonly #idle: Set<Window>[] = [];
  readonly #channel: WaitChannel;

  constructor(uvm: Uvm) {
    this.#uvm = uvm;
    this.#object = new UbcObject(uvm, this);
    this.#channel = uvm.newChannel();
    const { kernelMap } = uvm;
    this.#size = Math.max(WINDOW, uvm.pageSize);
    const count = Math.min(NWINS, Math.floor((kernelMap.max - kernelMap.min) / 8 / this.#size));
    // Where caches are indexed by address, a stretch is shown where its other mappings share lines with it.
    const colours = Math.max(1, uvm.md.port.capabilities.cacheAlias / this.#size);
    const { error, start } = uvmMap(
      uvm,
      kernelMap,
      kernelMap.min,
      count * this.#size,
      this.#object,
      0,
      0,
      {
        prot: VM_PROT_READ | VM_PROT_WRITE,
        maxProt: VM_PROT_READ | VM_PROT_WRITE,
        inherit: MAP_INHERIT_NONE,
        advice: UVM_ADV_RANDOM,
        flags: UVM_FLAG_NOMERGE,
      },
    );
    if (error !== 0) throw new KernelPanic('ubc_init: failed to map ubc_object', { count, error });
    this.#base = start;
    for (let queue = 0; queue < colours; queue++) {
      this.#empty.push(new Set());
      this.#idle.push(new Set());
    }
    for (let i = 0; i < count; i++) {
      const window: Window = {
        va: start + i * this.#size,
        queue: i % colours,
        vnode: null,
        offset: 0,
        refs: 0,
        writeStart: 0,
        writeEnd: 0,
        eof: 0,
        blank: new Set(),
        error: 0,
      };
      this.#windows.push(window);
      this.#empty[window.queue]!.add(window);
    }
  }

  /**
   * A window on a stretch of a file (`ubc_alloc`); to be given back with {@link release}.
   *
   * @param offset file byte to begin at
   * @param length bytes wanted; a window shows no more than up to its end
   * @param eof for a write: the size of the file before it; null for a read
   * @throws KernelPanic if two write through one window: whoever locks the file must not let them
   */
  *alloc(vnode: Vnode, offset: number, length: number, eof: number | null): Sleeping<WindowRange> {
    const start = Math.floor(offset / this.#size) * this.#size;
    const key = `${vnode.id}:${start}`;
    let window = this.#found.get(key);
    while (window === undefined) {
      const taken = this.#take((start / this.#size) % this.#idle.length);
      if (taken === null) {
        yield this.#channel;
        window = this.#found.get(key);
        continue;
      }
      window = taken;
      window.vnode = vnode;
      window.offset = start;
      this.#found.set(key, window);
    }
    this.#idle[window.queue]!.delete(window);
    const stop = Math.min(offset + length, start + this.#size);
    if (eof !== null) {
      if (window.writeEnd !== 0)
        throw new KernelPanic('ubc_alloc: two writers on one window', { vnode: vnode.id, offset });
      window.writeStart = offset;
      window.writeEnd = stop;
      window.eof = eof;
    }
    window.error = 0;
    window.refs++;
    return { va: window.va + (offset - start), length: stop - offset };
  }

  /** Gives a window back (`ubc_release`). Answers what the last fault in it ended in. */
  release(va: Va, write: boolean): Errno {
    const window = this.#at(va);
    if (write) {
      window.writeStart = 0;
      window.writeEnd = 0;
      window.blank.clear();
    }
    if (--window.refs === 0) {
      this.#idle[window.queue]!.add(window);
      this.#uvm.wakeup(this.#channel);
    }
    return window.error;
  }

  /** Takes what nobody uses of a file's windows from [start, end) away (`ubc_flush`): its vnode is recycled, or cut short. */
  flush(vnode: Vnode, start: number, end: number): void {
    for (const idle of this.#idle)
      for (const window of idle)
        if (window.vnode === vnode && window.offset >= start && window.offset < end) {
          idle.delete(window);
          this.#unmap(window);
          this.#empty[window.queue]!.add(window);
        }
  }

  /** Takes the mapping of a page of a file away: another page is in its place. */
  forget(vnode: Vnode, offset: number): void {
    const start = Math.floor(offset / this.#size) * this.#size;
    const window = this.#found.get(`${vnode.id}:${start}`);
    if (window === undefined) return;
    const { pmap, kernelMap, pageSize } = this.#uvm;
    const va = window.va + (offset - start);
    pmap.remove(kernelMap.pmap, va, va + pageSize);
    pmap.update(kernelMap.pmap);
  }

  /** A window that shows nothing; null if all are in use. */
  #take(queue: number): Window | null {
    const [empty] = this.#empty[queue]!;
    if (empty !== undefined) {
      this.#empty[queue]!.delete(empty);
      return empty;
    }
    const [oldest] = this.#idle[queue]!;
    if (oldest === undefined) return null;
    this.#idle[queue]!.delete(oldest);
    this.#unmap(oldest);
    return oldest;
  }

  #unmap(window: Window): void {
    const { pmap, kernelMap } = this.#uvm;
    pmap.remove(kernelMap.pmap, window.va, window.va + this.#size);
    pmap.update(kernelMap.pmap);
    this.#found.delete(`${window.vnode!.id}:${window.offset}`);
    window.vnode = null;
  }

  #at(va: Va): Window {
    return this.#windows[Math.floor((va - this.#base) / this.#size)]!;
  }

  /** The page of a file that belongs at a page of the windows; none if the window shows nothing. */
  pageAt(index: number): number {
    const at = index * this.#uvm.pageSize;
    const { vnode, offset } = this.#windows[Math.floor(at / this.#size)]!;
    if (vnode === null) return NO_PAGE;
    return this.#uvm.pages.lookup(vnode, this.#uvm.atop(offset + (at % this.#size)));
  }

  /**
   * Maps a file's pages into a window (`ubc_fault`), from the one that faulted to the end of the window, or of what is being
   * written, as far as they are to be had without waiting. Whether it is for a write is the window's word, not the CPU's.
   */
  fault(va: Va): Outcome {
    const window = this.#at(va);
    const { vnode } = window;
    if (vnode === null || window.refs === 0) return EIO;
    const { pageSize } = this.#uvm;
    const write = window.writeEnd !== 0;
    const stop = write ? window.writeEnd : window.offset + this.#size;
    for (let at = va; ; at += pageSize) {
      const offset = window.offset + (at - window.va);
      if (offset >= stop || at >= window.va + this.#size) break;
      const outcome = this.#mapPage(window, vnode, at, offset, write, at === va);
      if (at === va && outcome !== 0) {
        if (outcome !== WAIT) window.error = outcome;
        return outcome;
      }
      if (outcome !== 0) break;
    }
    this.#uvm.pmap.update(this.#uvm.kernelMap.pmap);
    return 0;
  }

  #mapPage(
    window: Window,
    vnode: Vnode,
    va: Va,
    offset: number,
    write: boolean,
    must: boolean,
  ): Outcome {
    const uvm = this.#uvm;
    const { pages, pmap, kernelMap } = uvm;
    const access = write ? VM_PROT_READ | VM_PROT_WRITE : VM_PROT_READ;
    const blank = write && this.#overwritten(window, offset);
    const into = new Int32Array([PAGE_NULL]);
    const flags = must ? PGO_SYNCIO | (blank ? PGO_OVERWRITE : 0) : PGO_LOCKED;
    const got = vnode.pgops.get(uvm, vnode, offset, into, 1, 0, access, UVM_ADV_NORMAL, flags);
    if (got === EAGAIN) return uvm.wait(CHANNEL_LBOLT);
    if (got !== 0) return got;
    let page = into[0]!;
    if (blank && must) window.blank.add(offset);
    if (write && pages.loanCount[page] !== 0) {
      const copy = breakObjectLoan(uvm, vnode, page);
      if (copy === NO_PAGE) {
        uvm.unbusy(page);
        return must ? uvm.waitForMemory('ubc_fault') : ENOMEM;
      }
      page = copy;
    }
    const readOnly = (pages.flags[page]! & PG_RDONLY) !== 0 || pages.loanCount[page] !== 0;
    const prot = readOnly ? VM_PROT_READ : VM_PROT_READ | VM_PROT_WRITE;
    const pa = pages.pageAddress(page);
    const error = pmap.enter(kernelMap.pmap, va, pa, prot, PMAP_CANFAIL | (access & prot));
    pages.activate(page);
    uvm.unbusy(page);
    if (error === 0) return 0;
    return must ? uvm.waitForMemory('ubc_pmfail') : error;
  }

  /** Whether nothing of the page's old contents will be left, so that it need not be read. */
  #overwritten(window: Window, offset: number): boolean {
    const { writeStart, writeEnd, eof } = window;
    if (window.blank.has(offset) || writeStart > offset) return false;
    return writeEnd >= offset + this.#uvm.pageSize || writeEnd >= eof;
  }
}

/** The object mapped where the windows are (`ubc_object`). */
class UbcObject extends UvmObject {
  readonly ubc: Ubc;

  constructor(uvm: Uvm, ubc: Ubc) {
    super(uvm, ubcPager);
    this.ubc = ubc;
  }
}

/** The pager of the windows (`ubc_pager`): pages are the files'. */
const ubcPager: PagerOps = {
  name: 'ubc',
  census: 'none',
  reference: () => undefined,
  detach: () => undefined,
  get: (): Outcome => EIO,
  // oxlint-disable-next-line require-yield -- a put is a generator, and windows have no pages of their own
  *put(): Sleeping<Errno> {
    return 0;
  },
  deactivate: () => undefined,
  isText: () => false,
  markText: () => undefined,
  pageAt: (_uvm, object, index) => (object as UbcObject).ubc.pageAt(index),
  fault: (_uvm, ufi: FaultInfo): Outcome => (ufi.entry.object as UbcObject).ubc.fault(ufi.va),
};
