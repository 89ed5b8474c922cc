import {
  ENOMEM,
  type EventStream,
  KernelPanic,
  type MachineDependent,
  PMAP_KERNEL,
  type Pa,
  type PhysicalMemory,
  type PhysSegment,
  type Pmap,
  type Va,
} from '@uvmkit/pmap';
import type { Amap } from './amap.ts';
import type { Aobj } from './aobj.ts';
import { Anons } from './anon.ts';
import type { DeviceObject, MappableDevice } from './device.ts';
import { Uvmexp } from './exp.ts';
import { FaultInfo } from './fault.ts';
import { KernelMemory } from './km.ts';
import { Ubc } from './ubc.ts';
import { VmMap } from './map.ts';
import { Swap } from './swap.ts';
import type { Vnode } from './vnode.ts';
import type { UvmObject } from './object.ts';
import {
  NO_OWNER,
  NO_PAGE,
  PG_BUSY,
  PG_CLEAN,
  PG_RELEASED,
  PG_WANTED,
  PQ_ANON,
  Pages,
} from './page.ts';
import {
  CHANNEL_MEMORY,
  type Outcome,
  type Sleeping,
  VM_MAP_PAGEABLE,
  VM_MAP_WANTLOCK,
  WAIT,
  type WaitChannel,
} from './types.ts';
import type { WiringPolicy } from './wiring/policy.ts';
import { wiremaxPolicy } from './wiring/wiremax.ts';

/** Behaviour of the 2001 kernel that looks like a bug. All are off; on, UVM does what NetBSD did. */
export interface Quirks {
  /**
   * uvm_map merges without comparing copy-on-write: behind a shared mapping that minherit(2) made inheritable as a copy, a
   * private one becomes part of it, and its stores go to the file. Needs-copy is never compared: it holds for the
   * new part as well as for the old.
   */
  readonly mergeIgnoresEtype: boolean;
  /** uvm_map_protect asks the first entry of a range about copy-on-write and wiring, whatever the current one is. */
  readonly protectAsksFirstEntry: boolean;
  /** A failed mlockall leaves wired what it had wired, and unwires what was wired before. */
  readonly wireAllUndoInverted: boolean;
  /** mlockall faults on an entry that was wired and then became PROT_NONE, and counts its pages once more. */
  readonly wireAllFaultsNone: boolean;
  /** Fault-ahead maps an object's page that is on loan with WRITE. */
  readonly loanedNeighbourWritable: boolean;
  /** A child's map.size still counts the holes that VM_INHERIT_NONE left. */
  readonly forkCountsHoles: boolean;
  /** Extraction that removes does not take the range off the source's map.size, and panics if any of it is wired. */
  readonly extractForgetsSource: boolean;
  /** mincore falls through to the object for an anon that is on swap only. */
  readonly mincoreIgnoresSwap: boolean;
}

/** No quirks. */
export const DEFAULT_QUIRKS: Quirks = {
  mergeIgnoresEtype: false,
  protectAsksFirstEntry: false,
  wireAllUndoInverted: false,
  wireAllFaultsNone: false,
  loanedNeighbourWritable: false,
  forkCountsHoles: false,
  extractForgetsSource: false,
  mincoreIgnoresSwap: false,
};

/** What UVM is built from. */
export interface UvmOptions {
  readonly memory: PhysicalMemory;
  /** The booted port. Its pmap is initialised here. */
  readonly md: MachineDependent;
  /** Memory to manage: what the port did not take. */
  readonly segments: readonly PhysSegment[];
  readonly events: EventStream;
  /** Wakes every thread that sleeps on the channel. Called often for channels nobody sleeps on. */
  readonly wakeup: (channel: WaitChannel) => void;
  /** Page colours, a power of two; 1 if not given. */
  readonly colours?: number;
  /** Whether faults map resident neighbours; true if not given. */
  readonly faultAhead?: boolean;
  /** Whether searches of a map begin at the entry found last, and those for room behind what is full; true if not given. */
  readonly mapHints?: boolean;
  /** Whether a mapping may be made by lengthening the one before it; true if not given. */
  readonly merging?: boolean;
  readonly quirks?: Partial<Quirks>;
  /** What mlock(2) does; `wiremaxPolicy` if not given. */
  readonly wiring?: WiringPolicy;
  /**
   * Memory is short: whoever has processes swaps out those that have long been idle, and says which maps are (uvm_swapout_threads).
   * Must not sleep.
   */
  readonly swapOutIdle?: () => void;
}

/** Whoever frees memory: woken when it gets short. */
export interface PageDaemon {
  wake(): void;
  /** It has been woken, and has not run yet. */
  readonly signalled?: boolean;
}

/** One UVM: everything that NetBSD keeps in `uvm` and `uvmexp`, over one port. */
export class Uvm {
  readonly memory: PhysicalMemory;
  readonly md: MachineDependent;
  readonly pmap: Pmap;
  readonly events: EventStream;
  readonly exp: Uvmexp = new Uvmexp();
  readonly pages: Pages;
  readonly anons: Anons;
  /** Every amap there is, for the invariants and the debugger. */
  readonly amaps: Set<Amap> = new Set();
  /** Every map there is. */
  readonly maps: Set<VmMap> = new Set();
  readonly swap: Swap;
  /** Objects of mapped devices. */
  readonly devices: Map<MappableDevice, DeviceObject> = new Map();
  /** Loans that are out: how often each anon is lent, and how often each page is to the kernel. */
  readonly lentAnons: Map<number, number> = new Map();
  readonly lentPages: Map<number, number> = new Map();
  /** Every anonymous object there is. */
  readonly aobjs: Set<Aobj> = new Set();
  readonly kernelMap: VmMap;
  readonly km: KernelMemory;
  #ubc: Ubc | null = null;
  /** First kernel address without page tables yet (`uvm_maxkaddr`). */
  maxKernelVa: Va;
  readonly pageSize: number;
  readonly quirks: Quirks;
  readonly faultAhead: boolean;
  readonly mapHints: boolean;
  readonly merging: boolean;
  readonly wiring: WiringPolicy;
  /** Pages whose write, for the daemon, has failed. */
  failedPageouts = 0;
  /** Faults taken up again after a wait. */
  refaults = 0;
  /** The fault in progress. */
  readonly fault: FaultInfo = new FaultInfo();
  /** What to sleep on, after something answered WAIT. */
  waitChannel: WaitChannel = CHANNEL_MEMORY;
  /** The page that a pager has just got, BUSY. */
  gotPage: number = NO_PAGE;
  /** Null until there is one: then running out of memory is a panic. */
  daemon: PageDaemon | null = null;
  /** The daemon found nothing that could be freed, with memory used up. */
  exhausted = false;
  readonly #wakeup: (channel: WaitChannel) => void;
  readonly #swapOutIdle: () => void;
  readonly #objects: Map<number, UvmObject> = new Map();
  #nextObject = 0;
  #nextChannel: WaitChannel = -16;
  #nextMap = 0;

  constructor(options: UvmOptions) {
    const { memory, md, segments, events } = options;
    this.memory = memory;
    this.md = md;
    this.pmap = md.pmap;
    this.events = events;
    this.pageSize = memory.pageSize;
    this.quirks = { ...DEFAULT_QUIRKS, ...options.quirks };
    this.faultAhead = options.faultAhead ?? true;
    this.mapHints = options.mapHints ?? true;
    this.merging = options.merging ?? true;
    this.wiring = options.wiring ?? wiremaxPolicy;
    this.#wakeup = options.wakeup;
    this.#swapOutIdle = options.swapOutIdle ?? (() => {});
    const colours = options.colours ?? 1;
    if (colours < 1 || (colours & (colours - 1)) !== 0)
      throw new RangeError(`page colours must be a power of two, given ${colours}`);
    const { exp } = this;
    exp.pagesize = memory.pageSize;
    exp.pagemask = memory.pageSize - 1;
    exp.pageshift = memory.pageShift;
    exp.ncolors = colours;
    exp.colormask = colours - 1;
    this.swap = new Swap(this);
    this.anons = new Anons(exp, (slot) => this.swap.free(slot, 1));
    this.pages = new Pages({
      pmap: this.pmap,
      events,
      exp,
      anons: this.anons,
      pageSize: memory.pageSize,
      segments,
      colours,
      objectById: (id) => this.objectById(id),
      kickDaemon: () => this.daemon?.wake(),
    });
    this.#tune();
    // uvm_anon_init: an anon for most of memory; each swap page adds one.
    this.anons.add(exp.free - (exp.free >> 4));
    this.pmap.init(this.pages);
    const { start, end } = this.pmap.virtualSpace();
    this.kernelMap = new VmMap(this, PMAP_KERNEL, start, end, VM_MAP_PAGEABLE);
    this.maps.add(this.kernelMap);
    this.km = new KernelMemory(this);
    this.maxKernelVa = this.pmap.growKernel === null ? end : start;
  }

  /** Thresholds of the page daemon and the limit of wired memory (uvmpd_tune). */
  #tune(): void {
    const { exp } = this;
    const low = Math.ceil((16 * 1024) / this.pageSize);
    const high = Math.floor((256 * 1024) / this.pageSize);
    exp.freemin = Math.max(
      Math.min(Math.max(Math.floor(exp.npages / 20), low), high),
      exp.reserve_kernel + 1,
    );
    exp.freetarg = Math.max(Math.floor((exp.freemin * 4) / 3), exp.freemin + 1);
    exp.wiredmax = Math.floor(exp.npages / 3);
  }

  /** The file will not be used again: no window shows it, and it is no object any more. Its pages have gone already. */
  disownVnode(vnode: Vnode): void {
    this.#ubc?.flush(vnode, 0, Number.POSITIVE_INFINITY);
    this.disownObject(vnode);
  }

  /** The windows through which files are read and written: made when the first is. */
  get ubc(): Ubc {
    this.#ubc ??= new Ubc(this);
    return this.#ubc;
  }

  /** Likewise, if there are any yet. */
  get windows(): Ubc | null {
    return this.#ubc;
  }

  /** Pages in a number of bytes that is a multiple of the page size. */
  atop(bytes: number): number {
    return Math.floor(bytes / this.pageSize);
  }

  /** `address` down to its page. */
  trunc(address: number): number {
    return Math.floor(address / this.pageSize) * this.pageSize;
  }

  /** `address` up to a page. */
  round(address: number): number {
    return Math.ceil(address / this.pageSize) * this.pageSize;
  }

  // Sleeping.

  /** Answers WAIT for a channel. */
  wait(channel: WaitChannel): Outcome {
    this.waitChannel = channel;
    return WAIT;
  }

  /**
   * Answers WAIT for free memory, with the daemon at work (`uvm_wait`); or ENOMEM, if the daemon has found that nothing
   * whatsoever can be freed. One caller is told so, and what it gives up may help the next. (NetBSD of 2001 had them sleep for ever.)
   *
   * @throws KernelPanic if nobody will ever free any
   */
  waitForMemory(reason: string): Outcome {
    if (this.events.watched) this.events.emit('uvm.wait', this.exp.free);
    if (this.daemon === null) {
      const { free, npages, wired, active, inactive } = this.exp;
      throw new KernelPanic('uvm_wait: out of memory, and there is no page daemon to free any', {
        reason,
        free,
        npages,
        wired,
        active,
        inactive,
      });
    }
    if (this.exhausted) {
      this.exhausted = false;
      if (this.exp.free <= this.exp.reserve_kernel) return ENOMEM;
    }
    this.daemon.wake();
    return this.wait(CHANNEL_MEMORY);
  }

  /**
   * Sleeps until memory may be free, for those who cannot fail.
   *
   * @throws KernelPanic if none will ever be
   */
  *sleepForMemory(reason: string): Sleeping<void> {
    if (this.waitForMemory(reason) !== WAIT) {
      const { free, npages, wired, swpages, swpgonly } = this.exp;
      throw new KernelPanic('uvm_wait: out of memory and swap, and nothing can be freed', {
        reason,
        free,
        npages,
        wired,
        swpages,
        swpgonly,
      });
    }
    yield CHANNEL_MEMORY;
  }

  /** Answers WAIT for whoever keeps the map busy. */
  waitForMap(map: VmMap): Outcome {
    map.flags |= VM_MAP_WANTLOCK;
    return this.wait(map.channel);
  }

  wakeup(channel: WaitChannel): void {
    this.#wakeup(channel);
  }

  /** A channel that nothing else sleeps on. */
  newChannel(): WaitChannel {
    return this.#nextChannel--;
  }

  // Pages.

  /** Lets a page go that was held BUSY (`uvm_page_unbusy`): wakes who wants it, frees it if it was released. */
  unbusy(page: number): void {
    const { pages, anons } = this;
    const flags = pages.flags[page]!;
    pages.flags[page] = flags & ~(PG_BUSY | PG_WANTED | PG_RELEASED);
    if ((flags & PG_WANTED) !== 0) this.wakeup(page);
    if ((flags & PG_RELEASED) === 0) return;
    const anon = pages.uanon[page]!;
    const id = pages.uobject[page]!;
    const object = id === NO_OWNER ? null : this.objectById(id);
    if (anon !== NO_OWNER && (pages.pqflags[page]! & PQ_ANON) !== 0)
      anons.free(anon, pages, this.pmap);
    else if (object?.pgops.released !== undefined) object.pgops.released(this, object, page);
    else {
      this.pmap.pageProtect(pages.pageAddress(page), 0);
      pages.free(page);
    }
  }

  /** Copies a page's contents; the copy is dirty (`uvm_pagecopy`). */
  copyPage(from: number, to: number): void {
    this.pages.flags[to]! &= ~PG_CLEAN;
    this.pmap.copyPage(this.pages.pageAddress(from), this.pages.pageAddress(to));
  }

  /** Brings a page's bytes in memory up to date with what caches hold, before something other than a CPU uses them. */
  syncForDevice(pa: Pa): void {
    this.md.syncForDevice?.(pa, this.pageSize);
  }

  /**
   * The first thing to do when memory is short: idle processes are swapped out, and pmaps forget what maps without a
   * thread of late had mapped.
   */
  collectIdle(): void {
    this.#swapOutIdle();
    for (const map of this.maps)
      if (map !== this.kernelMap && map.idle) this.pmap.collect(map.pmap);
  }

  /** Deactivates a page that is in nobody's hands and not wired, on loan or inactive already. */
  deactivateIdle(page: number): void {
    const { pages } = this;
    if (
      (pages.flags[page]! & PG_BUSY) !== 0 ||
      pages.wireCount[page] !== 0 ||
      pages.loanCount[page] !== 0
    )
      return;
    this.pmap.clearReference(pages.pageAddress(page));
    pages.deactivate(page);
  }

  // Swap, for pages of either kind of owner.

  /** Gives the page's swap slot back, if it has one; true if it had. The page is resident, so nothing is lost. */
  dropSwapOf(page: number): boolean {
    const old = this.setSwapOf(page, 0);
    if (old <= 0) return false;
    this.swap.free(old, 1);
    return true;
  }

  /** Notes which slot holds the page's data, or will; returns the one that did. */
  setSwapOf(page: number, slot: number): number {
    const { pages, anons } = this;
    if ((pages.pqflags[page]! & PQ_ANON) !== 0) {
      const anon = pages.uanon[page]!;
      const old = anons.swslot[anon]!;
      anons.swslot[anon] = slot;
      return old;
    }
    const id = pages.uobject[page]!;
    if (id === NO_OWNER) return 0;
    const object = this.objectById(id);
    return object.pgops.setSlot?.(object, pages.offset[page]!, slot) ?? 0;
  }

  /** A pageout is done: frees the page, or, if its owner let it go meanwhile, the owner too. */
  finishPageout(page: number): void {
    const { pages } = this;
    if ((pages.flags[page]! & PG_RELEASED) !== 0) {
      this.unbusy(page);
      return;
    }
    if ((pages.flags[page]! & PG_WANTED) !== 0) this.wakeup(page);
    pages.flags[page]! &= ~(PG_BUSY | PG_WANTED);
    pages.free(page);
  }

  /** The physical address of a page. */
  addressOf(page: number): Pa {
    return this.pages.pageAddress(page);
  }

  // Objects and maps.

  /** Registers an object and gives it its id. */
  adoptObject(object: UvmObject): number {
    const id = this.#nextObject++;
    this.#objects.set(id, object);
    return id;
  }

  objectById(id: number): UvmObject {
    const object = this.#objects.get(id);
    if (object === undefined) throw new KernelPanic('uvm: no such object', { id });
    return object;
  }

  /** An object has died. Its id is not used again. */
  disownObject(object: UvmObject): void {
    this.#objects.delete(object.id);
  }

  /** Every object, for the debugger and the invariants. */
  get objects(): readonly UvmObject[] {
    return [...this.#objects.values()];
  }

  newMapId(): number {
    return this.#nextMap++;
  }
}
