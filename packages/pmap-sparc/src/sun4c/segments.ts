import {
  KernelPanic,
  MapTable,
  PMAP_KERNEL,
  STEAL_CONTEXT,
  STEAL_PMEG,
  VM_PROT_NONE,
  VM_PROT_WRITE,
  type BootServices,
  type EventStream,
  type PhysicalMemory,
  type PmapId,
  type Prot,
  type Va,
} from '@uvmkit/pmap';
import { ContextPool, NO_CONTEXT } from '../context-pool.ts';
import { Sun4cMap } from './map.ts';
import type { Sun4cMmu } from './mmu.ts';
import type { Sun4cPages } from './pages.ts';
import { NO_PMEG, PMEG_FREE, PMEG_LOCKED, PMEG_LRU, PmegPool, type PmegList } from './pmeg-pool.ts';
import {
  isValid,
  NBPG,
  NPTESG,
  pageInSegment,
  PG_M,
  PG_NC,
  PG_U,
  PG_V,
  PG_W,
  segmentOf,
  segmentVa,
} from './pte.ts';

/** What {@link Sun4cSegments.pagein} found. */
export const PAGEIN_HARD_FAULT = -1;
export const PAGEIN_NOT_HERE = 0;
export const PAGEIN_LOADED = 1;

/**
 * The maps' share of the MMU: which map has which context, which segment has which PMEG, and how software gets at a PTE
 * wherever it is.
 *
 * Source: sparc/pmap.c 1.197.2.1: me_alloc, me_free, mmu_pagein, ctx_alloc, ctx_free.
 */
export class Sun4cSegments {
  readonly mmu: Sun4cMmu;
  readonly pool: PmegPool;
  readonly contexts: ContextPool;
  readonly kernel: Sun4cMap;
  /** The PMEG whose PTEs are all invalid, where segments without one point: the last (`seginval`). */
  readonly invalid: number;
  private readonly memory: PhysicalMemory;
  private readonly events: EventStream;
  private readonly pages: Sun4cPages;
  /** Whether a user's PMEG is locked while its segment has wired pages, and `wiredCount` is exact. */
  readonly late: boolean;
  private readonly kernelSegment: number;
  private readonly maps: MapTable<Sun4cMap>;
  /** Maps that were destroyed, empty, for the next that are made. */
  private readonly spare: Sun4cMap[] = [];

  constructor(boot: BootServices, mmu: Sun4cMmu, pages: Sun4cPages, kernelBase: Va, late: boolean) {
    this.mmu = mmu;
    this.invalid = mmu.model.pmegs - 1;
    this.pool = new PmegPool(this.invalid);
    this.contexts = new ContextPool(mmu.model.contexts, 1, 16);
    this.kernel = new Sun4cMap(PMAP_KERNEL, this.invalid);
    this.kernel.context = 0;
    this.memory = boot.memory;
    this.events = boot.events;
    this.pages = pages;
    this.late = late;
    this.kernelSegment = segmentOf(kernelBase);
    this.maps = new MapTable(this.kernel);
    for (let context = mmu.model.contexts - 1; context >= 0; context--) {
      mmu.context = context;
      mmu.setSegmaps(this.kernel.pmeg);
    }
    for (let page = 0; page < NPTESG; page++) mmu.setPte(page * NBPG, 0);
  }

  // Maps

  /** @throws RangeError if the handle was not given out */
  get(pmap: PmapId): Sun4cMap {
    return this.maps.get(pmap);
  }

  reference(pmap: PmapId): void {
    this.maps.reference(pmap);
  }

  /** Drops a reference: the map if it was the last, else null. */
  drop(pmap: PmapId): Sun4cMap | null {
    return this.maps.drop(pmap);
  }

  create(): Sun4cMap {
    let map = this.spare.pop();
    if (map === undefined) {
      map = new Sun4cMap(this.maps.nextId, this.invalid);
    } else {
      map.references = 1;
      map.wired = 0;
    }
    return this.maps.add(map);
  }

  /** Gives back the context and the handle of an empty map. */
  release(map: Sun4cMap): void {
    if (map.context !== NO_CONTEXT) this.freeContext(map);
    this.maps.delete(map);
    this.spare.push(map);
  }

  // Contexts

  activate(map: Sun4cMap): void {
    if (map.context === NO_CONTEXT) this.allocateContext(map);
    this.mmu.context = map.context;
    if (this.events.watched) this.events.emit('pmap.activate', map.id, 0);
  }

  /** The map in the context register, or null in the kernel's context. */
  current(): Sun4cMap | null {
    const owner = this.contexts.owner[this.mmu.context]!;
    return owner === NO_CONTEXT ? null : this.get(owner);
  }

  /** Stealing a context leaves PMEGs where they are: they are out of reach until the next ctx_alloc. */
  private allocateContext(map: Sun4cMap): void {
    const context = this.contexts.allocate(map.id, 0);
    this.mmu.context = context;
    const { victim } = this.contexts;
    if (victim !== NO_CONTEXT) {
      this.mmu.flushCacheContext();
      this.get(victim).context = NO_CONTEXT;
      if (this.events.watched) this.events.emit('pmap.steal', victim, 0, STEAL_CONTEXT, context);
    }
    map.context = context;
    this.mmu.setSegmaps(map.pmeg.subarray(0, this.kernelSegment));
  }

  private freeContext(map: Sun4cMap): void {
    const saved = this.mmu.context;
    this.mmu.context = map.context;
    this.mmu.flushCacheContext();
    this.mmu.context = saved === map.context ? 0 : saved;
    this.contexts.free(map.context);
    map.context = NO_CONTEXT;
  }

  // PTEs, wherever they are

  isLoaded(map: Sun4cMap, segment: number): boolean {
    return map.pmeg[segment] !== this.invalid;
  }

  /**
   * Makes the PTEs of a loaded segment reachable and answers the address of the first: in the map's own context, in
   * any for the kernel, and for a map without one through segment 0 of context 0, which
   * nothing else uses. The context register is for {@link close} to put back.
   */
  open(map: Sun4cMap, segment: number): Va {
    if (map === this.kernel) return segmentVa(segment);
    if (map.context !== NO_CONTEXT) {
      this.mmu.context = map.context;
      return segmentVa(segment);
    }
    this.mmu.context = 0;
    this.mmu.setSegmap(0, map.pmeg[segment]!);
    return 0;
  }

  /** Ends what {@link open} began; `context` is what the register held before. */
  close(map: Sun4cMap, context: number): void {
    if (map.context === NO_CONTEXT) this.mmu.setSegmap(0, this.invalid);
    this.mmu.context = context;
  }

  /** The PTE for `va`: the hardware's if its segment is loaded, else the copy's. 0 if there is neither. */
  readPte(map: Sun4cMap, va: Va): number {
    const segment = segmentOf(va);
    const page = pageInSegment(va);
    if (!this.isLoaded(map, segment)) {
      const copy = map.copy[segment]!;
      return copy < 0 ? 0 : this.memory.readBe32(copy + page * 4);
    }
    const saved = this.mmu.context;
    const pte = this.mmu.getPte(this.open(map, segment) + page * NBPG);
    this.close(map, saved);
    return pte;
  }

  /**
   * Writes the PTE for `va` where it is; an old one that was cached is flushed from the cache first, since lines
   * carry its W and S.
   */
  writePte(map: Sun4cMap, va: Va, old: number, pte: number): void {
    const segment = segmentOf(va);
    const page = pageInSegment(va);
    if (this.events.watched) this.events.emit('pte.write', map.id, va, old, pte);
    if (!this.isLoaded(map, segment)) {
      this.memory.writeBe32(map.copy[segment]! + page * 4, pte);
      return;
    }
    const saved = this.mmu.context;
    const at = this.open(map, segment) + page * NBPG;
    if (isValid(old) && (old & PG_NC) === 0 && map.context !== NO_CONTEXT)
      this.mmu.flushCachePage(at);
    this.mmu.setPte(at, pte);
    this.close(map, saved);
  }

  /** Flushes a page of the map from the cache, where it can have lines at all. */
  flushPage(map: Sun4cMap, va: Va): void {
    if (map.context === NO_CONTEXT) return;
    const saved = this.mmu.context;
    this.mmu.context = map.context;
    this.mmu.flushCachePage(va);
    this.mmu.context = saved;
  }

  // PMEGs

  /** Whether {@link allocate} would find a PMEG. */
  available(): boolean {
    return this.pool.first(PMEG_FREE) !== NO_PMEG || this.pool.first(PMEG_LRU) !== NO_PMEG;
  }

  /**
   * A PMEG for a segment (me_alloc): a free one, or the one that was loaded longest ago, whose owner is a user's map
   * and is not asked. What it holds is the caller's to replace, all 64 entries.
   *
   * @throws KernelPanic `me_alloc: all pmegs gone` if every one is locked
   */
  allocate(list: PmegList, map: Sun4cMap, segment: number): number {
    let pmeg = this.pool.first(PMEG_FREE);
    if (pmeg === NO_PMEG) {
      pmeg = this.pool.first(PMEG_LRU);
      if (pmeg === NO_PMEG)
        throw new KernelPanic('me_alloc: all pmegs gone', { pmap: map.id, va: segmentVa(segment) });
      this.unload(pmeg);
    }
    this.pool.move(pmeg, list);
    this.pool.owner[pmeg] = map.id;
    this.pool.segment[pmeg] = segment;
    map.pmeg[segment] = pmeg;
    return pmeg;
  }

  /** Writes a user's PMEG back to the copy in memory, U and M to the pages they belong to, and takes it away. */
  private unload(pmeg: number): void {
    const map = this.get(this.pool.owner[pmeg]!);
    const segment = this.pool.segment[pmeg]!;
    const copy = map.copy[segment]!;
    const { mmu } = this;
    const saved = mmu.context;
    const va = this.open(map, segment);
    if (map.context !== NO_CONTEXT) mmu.flushCacheSegment(va);
    for (let page = 0; page < NPTESG; page++) {
      const pte = mmu.getPte(va + page * NBPG);
      this.pages.harvest(pte);
      this.memory.writeBe32(copy + page * 4, (pte & ~(PG_U | PG_M)) >>> 0);
    }
    mmu.setSegmap(va, this.invalid);
    map.pmeg[segment] = this.invalid;
    mmu.context = saved;
    if (this.events.watched)
      this.events.emit('pmap.steal', map.id, segmentVa(segment), STEAL_PMEG, pmeg);
  }

  /** Loads a kernel segment with a locked PMEG of invalid entries, in every context. */
  loadKernel(segment: number): void {
    const pmeg = this.allocate(PMEG_LOCKED, this.kernel, segment);
    this.setEverywhere(segment, pmeg);
    const va = segmentVa(segment);
    for (let page = 0; page < NPTESG; page++) this.mmu.setPte(va + page * NBPG, 0);
  }

  private setEverywhere(segment: number, pmeg: number): void {
    const saved = this.mmu.context;
    for (let context = 0; context < this.contexts.count; context++) {
      this.mmu.context = context;
      this.mmu.setSegmap(segmentVa(segment), pmeg);
    }
    this.mmu.context = saved;
  }

  /**
   * Takes the PMEG of a segment that maps nothing any more (me_free). Its cache lines have been flushed and its U and
   * M saved. Entries may still look valid: who takes it next writes all of them.
   */
  free(map: Sun4cMap, segment: number): void {
    const pmeg = map.pmeg[segment]!;
    const { mmu } = this;
    if (map === this.kernel) {
      this.setEverywhere(segment, this.invalid);
    } else if (map.context !== NO_CONTEXT) {
      const saved = mmu.context;
      mmu.context = map.context;
      mmu.setSegmap(segmentVa(segment), this.invalid);
      mmu.context = saved;
    }
    map.pmeg[segment] = this.invalid;
    this.pool.owner[pmeg] = NO_PMEG;
    this.pool.move(pmeg, PMEG_FREE);
  }

  /**
   * What a fault at a user's address of the current map comes to (mmu_pagein). `prot` is the access, or NONE.
   *
   * @returns PAGEIN_LOADED if the segment had lost its PMEG and has one again, with all that it mapped;
   * PAGEIN_HARD_FAULT if the PTE is there and grants the access, so that nothing can help it;
   * PAGEIN_NOT_HERE if the pmap knows no better than uvm_fault
   */
  pagein(va: Va, prot: Prot): number {
    const map = this.current();
    const segment = segmentOf(va);
    if (map === null || segment >= this.kernelSegment) return PAGEIN_NOT_HERE;
    const copy = map.copy[segment]!;
    if (copy < 0) return PAGEIN_NOT_HERE;
    if (this.isLoaded(map, segment)) {
      const need = prot & VM_PROT_WRITE ? PG_V | PG_W : PG_V;
      const granted = prot !== VM_PROT_NONE && (this.mmu.getPte(va) & need) === (need | 0);
      return granted ? PAGEIN_HARD_FAULT : PAGEIN_NOT_HERE;
    }
    const wired = this.late && map.wires.count[segment]! > 0;
    const pmeg = this.allocate(wired ? PMEG_LOCKED : PMEG_LRU, map, segment);
    const first = segmentVa(segment);
    this.mmu.setSegmap(first, pmeg);
    for (let page = 0; page < NPTESG; page++)
      this.mmu.setPte(first + page * NBPG, this.memory.readBe32(copy + page * 4));
    return PAGEIN_LOADED;
  }
}
