import {
  MapTable,
  PMAP_KERNEL,
  STEAL_CONTEXT,
  type BootServices,
  type EventStream,
  type PmapId,
  type Va,
} from '@uvmkit/pmap';
import { ContextPool, NO_CONTEXT } from '../context-pool.ts';
import { SrmmuMap } from './map.ts';
import { FLUSH_CONTEXT, FLUSH_ENTIRE, FLUSH_PAGE, type FlushType, type SrmmuMmu } from './mmu.ts';
import type { SrmmuTables } from './tables.ts';

/** Options that concern contexts and flushes. */
export interface SrmmuMapsOptions {
  /** Contexts, the kernel's included: 4096 if not given, at most 65536. */
  readonly contexts?: number;
  /** Leaves the flushes of remove, protect and kremove to `update`. Off if not given. */
  readonly deferred?: boolean;
  /**
   * Whether a stolen context is flushed from the TLBs before it is used again. On if not given. NetBSD of 2001 did
   * not (`false`), so that the new owner could meet the old one's translations.
   */
  readonly stealFlush?: boolean;
}

/**
 * The physical maps, the contexts that stand for them in the MMUs, and the flushes that reach every CPU which may hold
 * a map's entries.
 */
export class SrmmuMaps {
  readonly kernel: SrmmuMap;
  private readonly events: EventStream;
  private readonly mmus: readonly SrmmuMmu[];
  private readonly cpu: { readonly currentCpu: number };
  private readonly tables: SrmmuTables;
  private readonly contexts: ContextPool;
  private readonly deferred: boolean;
  private readonly stealFlush: boolean;
  private readonly maps: MapTable<SrmmuMap>;

  constructor(
    boot: BootServices,
    mmus: readonly SrmmuMmu[],
    cpu: { readonly currentCpu: number },
    tables: SrmmuTables,
    options: SrmmuMapsOptions,
  ) {
    this.events = boot.events;
    this.mmus = mmus;
    this.cpu = cpu;
    this.tables = tables;
    this.contexts = new ContextPool(options.contexts ?? 4096, mmus.length, 65536);
    this.deferred = options.deferred ?? false;
    this.stealFlush = options.stealFlush ?? true;
    this.kernel = new SrmmuMap(PMAP_KERNEL, mmus.length);
    this.kernel.context = 0;
    this.kernel.cpuset = -1;
    this.maps = new MapTable(this.kernel);
    tables.bootstrap(this.kernel, this.contexts.count, boot.steal);
  }

  /** @throws RangeError if the handle was not given out */
  get(pmap: PmapId): SrmmuMap {
    return this.maps.get(pmap);
  }

  reference(pmap: PmapId): void {
    this.maps.reference(pmap);
  }

  /** Drops a reference: the map if it was the last, else null. */
  drop(pmap: PmapId): SrmmuMap | null {
    return this.maps.drop(pmap);
  }

  /** A new map with the kernel's part in its tables, or null if memory is short. */
  create(): SrmmuMap | null {
    const map = new SrmmuMap(this.maps.nextId, this.mmus.length);
    return this.tables.allocateL1(map, this.kernel) ? this.maps.add(map) : null;
  }

  /** Gives back the context, the level 1 tables and the handle of an empty map. */
  release(map: SrmmuMap): void {
    if (map.context !== NO_CONTEXT) this.freeContext(map);
    this.tables.freeL1(map);
    this.maps.delete(map);
  }

  activate(map: SrmmuMap): void {
    const cpu = this.cpu.currentCpu;
    if (map.context === NO_CONTEXT) this.allocateContext(map, cpu);
    map.cpuset |= 1 << cpu;
    this.load(cpu, map.context);
    if (this.events.watched) this.events.emit('pmap.activate', map.id, cpu);
  }

  deactivate(map: SrmmuMap): void {
    const cpu = this.cpu.currentCpu;
    const loaded = (map.cpuset & (1 << cpu)) !== 0;
    if (this.mmus.length === 1 || map === this.kernel || !loaded) return;
    this.mmus[cpu]!.cxr = map.context;
    this.mmus[cpu]!.flush(FLUSH_CONTEXT, 0);
    this.load(cpu, 0);
    map.cpuset &= ~(1 << cpu);
  }

  private load(cpu: number, context: number): void {
    this.mmus[cpu]!.cxr = context;
    this.contexts.loaded[cpu] = context;
  }

  private allocateContext(map: SrmmuMap, cpu: number): void {
    const context = this.contexts.allocate(map.id, cpu);
    const { victim } = this.contexts;
    if (victim !== NO_CONTEXT) {
      const loser = this.get(victim);
      if (this.stealFlush) this.flush(loser, FLUSH_CONTEXT, 0);
      loser.context = NO_CONTEXT;
      loser.cpuset = 0;
      loser.pendingCount = 0;
      if (this.events.watched) this.events.emit('pmap.steal', victim, 0, STEAL_CONTEXT, context);
    }
    map.context = context;
    this.tables.setContext(context, map);
  }

  private freeContext(map: SrmmuMap): void {
    this.flush(map, FLUSH_CONTEXT, 0);
    this.contexts.free(map.context);
    this.tables.clearContext(map.context);
    // The next walk of a CPU that stayed in this context would go through freed tables.
    for (let cpu = 0; cpu < this.mmus.length; cpu++)
      if (this.contexts.loaded[cpu] === map.context) this.load(cpu, 0);
    map.context = NO_CONTEXT;
  }

  /** Flushes on every CPU that may hold entries of the map (tlb_flush_page and its kin, by cross-call). */
  flush(map: SrmmuMap, type: FlushType, va: Va): void {
    if (map.context === NO_CONTEXT) return;
    const from = this.cpu.currentCpu;
    for (let cpu = 0; cpu < this.mmus.length; cpu++) {
      if (((map.cpuset >>> cpu) & 1) === 0) continue;
      if (cpu !== from && this.events.watched) this.events.emit('tlb.shootdown', from, cpu, va);
      const mmu = this.mmus[cpu]!;
      const saved = mmu.cxr;
      mmu.cxr = map.context;
      mmu.flush(type, va);
      mmu.cxr = saved;
    }
  }

  /** Flushes a page now or, if flushes are deferred, at the next {@link update}. */
  flushLater(map: SrmmuMap, va: Va): void {
    if (!this.deferred) {
      this.flush(map, FLUSH_PAGE, va);
    } else if (map.context !== NO_CONTEXT) {
      if (map.pendingCount < map.pending.length) map.pending[map.pendingCount] = va;
      map.pendingCount++;
    }
  }

  /**
   * Flushes what a freed table reached, the tables above it included. This TLB holds PTEs alone, and theirs
   * have been flushed or wait for {@link update}: where flushes are deferred this one would come before them.
   */
  flushTable(map: SrmmuMap, type: FlushType, va: Va): void {
    if (!this.deferred) this.flush(map, type, va);
  }

  /** Makes the flushes that {@link flushLater} put off. */
  update(map: SrmmuMap): void {
    if (map.pendingCount > map.pending.length) {
      this.flush(map, map === this.kernel ? FLUSH_ENTIRE : FLUSH_CONTEXT, 0);
    } else {
      for (let index = 0; index < map.pendingCount; index++)
        this.flush(map, FLUSH_PAGE, map.pending[index]!);
    }
    map.pendingCount = 0;
  }
}
