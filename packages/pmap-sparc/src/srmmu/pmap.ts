import {
  KernelPanic,
  NO_PA,
  NO_PMAP,
  PMAP_KERNEL,
  PMAP_WIRED,
  PV_NONE,
  PvTable,
  shortage,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type BootServices,
  type EnterFlags,
  type Errno,
  type EventStream,
  type Pa,
  type PhysicalMemory,
  type Pmap,
  type PmapId,
  type PmapServices,
  type Prot,
  type Va,
} from '@uvmkit/pmap';
import { WireMap } from '../wire-map.ts';
import type { SrmmuMap } from './map.ts';
import { SrmmuMaps, type SrmmuMapsOptions } from './maps.ts';
import { FLUSH_PAGE, FLUSH_REGION, FLUSH_SEGMENT, type SrmmuMmu } from './mmu.ts';
import {
  describeEntry,
  isPte,
  L23_TABLE_BYTES,
  makePte,
  NBPG,
  NBPRG,
  NBPSG,
  PG_ACC,
  PG_C,
  PG_M,
  PG_R,
  PG_TYPE,
  PPROT_RX_RX,
  PPROT_S,
  PPROT_WRITE,
  ptePa,
  ptePpn,
} from './pte.ts';
import { KERNEL_IMAGE_BYTES, SrmmuTables } from './tables.ts';

/** In the low bits of a physical address given to `enter` or `kenterPa`: do not cache (sparc/include/pmap.h). */
export const PMAP_NC = 4;
/** In the same place, bits 6:3: the I/O space, PA[35:32]. */
export const PMAP_SPACE_SHIFT = 3;

/** End of the kernel's managed addresses (KERNEND, sparc/vaddrs.h). */
export const KERNEL_END = 0xfe00_0000;

/** Page attributes, in the head of the pv list: PV_REF4M and PV_MOD4M. sun4c has them the other way round. */
const PV_REF4M = 1;
const PV_MOD4M = 2;
/** Shifts `PG_R` and `PG_M` down to them. */
const PV_SHIFT = 5;

/** What the SRMMU pmap can be told; see the package's README for what each is for. */
export interface SrmmuPmapOptions extends SrmmuMapsOptions {
  /** The most pv entries at once; no limit if not given. */
  readonly pvEntries?: number;
  /**
   * `2001` (the default): nothing knows whether a mapping is wired, and `wiredCount` counts what enter was told, in
   * the manner of December 2001. `late`: the exact count of the rewrite after 2003.
   */
  readonly wiring?: '2001' | 'late';
}

/** Counters of the pmap's own (the `ps_` counters of sparc/pmap.c). */
export interface SrmmuCounters {
  /** `enter` of the same page at the same protection. */
  uselessChangeprots: number;
  /** `unwire` calls, of which nothing comes. */
  uselessChangewire: number;
}

/**
 * NetBSD's pmap for the sun4m: sparc/pmap.c 1.197.2.1 (2001-10-01) with the per-CPU tables and cross-calls of
 * 1.199.4.20.
 */
export class SrmmuPmap implements Pmap {
  readonly growKernel = null;
  readonly fork = null;
  /** SuperSPARC's caches are physical: no two addresses of a page disagree. */
  readonly prefer = null;
  readonly mapPoolPage = null;
  readonly procwr = null;
  readonly counters: SrmmuCounters = { uselessChangeprots: 0, uselessChangewire: 0 };
  private readonly memory: PhysicalMemory;
  private readonly events: EventStream;
  private readonly diagnostic: boolean;
  private readonly kernelBase: Va;
  private readonly tables: SrmmuTables;
  private readonly maps: SrmmuMaps;
  private readonly kernel: SrmmuMap;
  private readonly pvLimit: number;
  /** Wired pages of each L3 table, by physical address / 256. */
  private readonly wires: WireMap;
  /** Whether `wiredCount` is exact. */
  private readonly late: boolean;
  private services: PmapServices | null = null;
  private pv: PvTable = new PvTable(0);
  /** PV_REF4M and PV_MOD4M of each managed page: they outlive its mappings. */
  private attributes: Uint8Array = new Uint8Array(0);

  constructor(
    boot: BootServices,
    mmus: readonly SrmmuMmu[],
    cpu: { readonly currentCpu: number },
    kernelBase: Va,
    options: SrmmuPmapOptions,
  ) {
    this.memory = boot.memory;
    this.events = boot.events;
    this.diagnostic = boot.diagnostic;
    this.kernelBase = kernelBase;
    this.pvLimit = options.pvEntries ?? Number.POSITIVE_INFINITY;
    this.wires = new WireMap(boot.memory.size / L23_TABLE_BYTES);
    this.late = options.wiring === 'late';
    this.tables = new SrmmuTables(boot.memory, mmus.length, kernelBase);
    this.maps = new SrmmuMaps(boot, mmus, cpu, this.tables, options);
    this.kernel = this.maps.kernel;
  }

  /** Where the context table of a CPU is: what goes into its context table pointer. */
  contextTable(cpu: number): Pa {
    return this.tables.contextTable[cpu]!;
  }

  init(services: PmapServices): void {
    this.services = services;
    this.pv = new PvTable(services.pageCount, this.pvLimit);
    this.attributes = new Uint8Array(services.pageCount);
    this.tables.attach(services);
  }

  virtualSpace(): { readonly start: Va; readonly end: Va } {
    return { start: this.kernelBase + KERNEL_IMAGE_BYTES, end: KERNEL_END };
  }

  create(): PmapId {
    const map = this.maps.create();
    if (map === null) return NO_PMAP;
    if (this.events.watched) this.events.emit('pmap.create', map.id);
    return map.id;
  }

  reference(pmap: PmapId): void {
    this.maps.reference(pmap);
  }

  /**
   * As the interface says; panics under DIAGNOSTIC if a mapping is left. NetBSD keeps the dead map with its
   * tables and context for the next `create`; here both are given back at once.
   */
  destroy(pmap: PmapId): void {
    const map = this.maps.drop(pmap);
    if (map === null) return;
    if (map.resident > 0) {
      if (this.diagnostic)
        throw new KernelPanic('pmap_release: map not empty', { pmap, resident: map.resident });
      this.remove(pmap, 0, this.kernelBase);
    }
    this.maps.release(map);
    if (this.events.watched) this.events.emit('pmap.destroy', pmap);
  }

  residentCount(pmap: PmapId): number {
    return this.maps.get(pmap).resident;
  }

  wiredCount(pmap: PmapId): number {
    return this.maps.get(pmap).wired;
  }

  tableBytes(pmap: PmapId): number {
    return this.maps.get(pmap).tableBytes;
  }

  activate(pmap: PmapId): void {
    this.maps.activate(this.maps.get(pmap));
  }

  /** On one CPU nothing happens; on several the CPU drops the map's entries, and flushes pass it by from then on. */
  deactivate(pmap: PmapId): void {
    this.maps.deactivate(this.maps.get(pmap));
  }

  update(pmap: PmapId): void {
    if (this.events.watched) this.events.emit('pmap.update', pmap);
    this.maps.update(this.maps.get(pmap));
  }

  /**
   * As the interface says. Execution is always granted. The access flags are not looked at: the hardware
   * sets R and M. `pa` may carry PMAP_NC and a space in its low bits.
   */
  enter(pmap: PmapId, va: Va, pa: Pa, prot: Prot, flags: EnterFlags): Errno {
    const map = this.maps.get(pmap);
    if (this.events.watched) this.events.emit('pmap.enter', pmap, va, pa, prot, flags);
    const pte = this.makePte(pa, prot, map === this.kernel);
    let l3 = this.tables.findL3(map, va);
    const newTable = l3 === NO_PA;
    if (newTable) {
      l3 = this.tables.makeL3(map, va);
      if (l3 === NO_PA) return shortage(flags, 'pmap_enter: out of page tables', { pmap, va });
    }
    const slot = l3 + ((va >>> 12) & 63) * 4;
    const old = this.memory.readBe32(slot);
    const replaces = isPte(old);
    if (replaces && ptePpn(old) === ptePpn(pte)) {
      this.countSamePage(map, l3, va, flags);
      this.changeProtection(map, va, slot, old, pte);
      return 0;
    }
    const page = this.pageOf(pte);
    const oldPage = replaces ? this.pageOf(old) : -1;
    if (
      page >= 0 &&
      !this.pv.available() &&
      (oldPage < 0 || this.pv.find(oldPage, pmap, va) === PV_NONE)
    ) {
      if (newTable) this.dropTable(map, va, l3);
      return shortage(flags, 'pv_link4m: out of pv entries', { pmap, va });
    }
    if (replaces) this.saveAndUnlink(map, oldPage, va, old);
    else this.countNewPage(map, l3, newTable, flags);
    this.setWired(map, l3, va, (flags & PMAP_WIRED) !== 0);
    if (page >= 0) this.pv.insert(page, pmap, va, 0);
    this.write(map, va, slot, old, pte);
    if (replaces) this.maps.flush(map, FLUSH_PAGE, va);
    return 0;
  }

  /** Counts a page that was not there. In 2001 the one that brings its table into being is not counted as wired. */
  private countNewPage(map: SrmmuMap, l3: Pa, newTable: boolean, flags: EnterFlags): void {
    map.resident++;
    this.tables.valid[l3 / L23_TABLE_BYTES]!++;
    if (!this.late && map !== this.kernel && !newTable && flags & PMAP_WIRED) map.wired++;
  }

  /** In 2001: up if wired, down if not, whatever it was before. */
  private countSamePage(map: SrmmuMap, l3: Pa, va: Va, flags: EnterFlags): void {
    const wired = (flags & PMAP_WIRED) !== 0;
    this.setWired(map, l3, va, wired);
    if (!this.late && map !== this.kernel) map.wired += wired ? 1 : -1;
  }

  /** Notes whether a page is wired, which late wiring counts. Answers how the number of wired pages grew. */
  private setWired(map: SrmmuMap, l3: Pa, va: Va, wired: boolean): number {
    const growth = this.wires.set(l3 / L23_TABLE_BYTES, (va >>> 12) & 63, wired);
    if (this.late) map.wired += growth;
    return growth;
  }

  private changeProtection(map: SrmmuMap, va: Va, slot: Pa, old: number, pte: number): void {
    const changed = ((old & ~PG_ACC) | (pte & PG_ACC)) >>> 0;
    if (changed === old) {
      this.counters.uselessChangeprots++;
      return;
    }
    this.write(map, va, slot, old, changed);
    this.maps.flush(map, FLUSH_PAGE, va);
  }

  private makePte(pa: Pa, prot: Prot, supervisor: boolean): number {
    const acc = PPROT_RX_RX | (prot & VM_PROT_WRITE ? PPROT_WRITE : 0) | (supervisor ? PPROT_S : 0);
    const space = ((pa % NBPG) >>> PMAP_SPACE_SHIFT) & 0xf;
    const pte = makePte(pa, acc, (pa & PMAP_NC) === 0 ? PG_C : 0);
    return space === 0 ? pte : (pte | (space << 28)) >>> 0;
  }

  /** The index of the managed page that a PTE maps, or −1. */
  private pageOf(pte: number): number {
    return this.services === null || (pte & PG_TYPE) !== 0
      ? -1
      : this.services.pageIndex(ptePa(pte));
  }

  /** Writes a PTE. The hardware's R and M cannot come between reading the old one and this. */
  private write(map: SrmmuMap, va: Va, slot: Pa, old: number, pte: number): void {
    this.memory.writeBe32(slot, pte);
    if (this.events.watched) this.events.emit('pte.write', map.id, va, old, pte);
  }

  /**
   * Takes a mapping off its page's list and keeps its R and M. False if `enter` did not make it: a managed page's
   * that is on no list.
   */
  private saveAndUnlink(map: SrmmuMap, page: number, va: Va, pte: number): boolean {
    if (page < 0) return true;
    if (!this.pv.remove(page, map.id, va)) return false;
    this.attributes[page]! |= (pte & (PG_R | PG_M)) >>> PV_SHIFT;
    return true;
  }

  remove(pmap: PmapId, start: Va, end: Va): void {
    const map = this.maps.get(pmap);
    if (this.events.watched) this.events.emit('pmap.remove', pmap, start, end);
    this.removeRange(map, start, end, false);
  }

  /** Removes the mappings of [start, end), all of them or only what may be forgotten. */
  private removeRange(map: SrmmuMap, start: Va, end: Va, forgetting: boolean): void {
    for (let va = start; va < end;) {
      if (this.tables.findL2(map, va) === NO_PA) {
        va += NBPRG - (va % NBPRG);
        continue;
      }
      const stop = Math.min(end, va - (va % NBPSG) + NBPSG);
      const l3 = this.tables.findL3(map, va);
      if (l3 !== NO_PA) this.removeFrom(map, l3, va, stop, forgetting);
      va = stop;
    }
  }

  /** What one segment has of it. */
  private removeFrom(map: SrmmuMap, l3: Pa, start: Va, end: Va, forgetting: boolean): void {
    for (let va = start; va < end; va += NBPG) {
      const slot = l3 + ((va >>> 12) & 63) * 4;
      const pte = this.memory.readBe32(slot);
      if (!isPte(pte) || (forgetting && !this.isForgettable(map, l3, va, pte))) continue;
      this.write(map, va, slot, pte, 0);
      if (this.saveAndUnlink(map, this.pageOf(pte), va, pte)) this.countOut(map, va, l3);
      this.maps.flushLater(map, va);
    }
    this.dropTable(map, start, l3);
  }

  private isForgettable(map: SrmmuMap, l3: Pa, va: Va, pte: number): boolean {
    if (this.wires.has(l3 / L23_TABLE_BYTES, (va >>> 12) & 63)) return false;
    const page = this.pageOf(pte);
    return map !== this.kernel || (page >= 0 && this.pv.find(page, PMAP_KERNEL, va) !== PV_NONE);
  }

  /** A mapping that `enter` made is gone from its table. */
  private countOut(map: SrmmuMap, va: Va, l3: Pa): void {
    map.resident--;
    this.tables.valid[l3 / L23_TABLE_BYTES]!--;
    this.setWired(map, l3, va, false);
  }

  /** Frees a user's L3 table if nothing is left in it. */
  private dropTable(map: SrmmuMap, va: Va, l3: Pa): void {
    if (map === this.kernel || this.tables.valid[l3 / L23_TABLE_BYTES]! > 0) return;
    const wholeRegion = this.tables.freeL3(map, va, l3);
    this.maps.flushTable(map, wholeRegion ? FLUSH_REGION : FLUSH_SEGMENT, va);
  }

  /** As the interface says: with WRITE in `prot` nothing is lost, which NetBSD's took away even then. */
  protect(pmap: PmapId, start: Va, end: Va, prot: Prot): void {
    if ((prot & (VM_PROT_READ | VM_PROT_EXECUTE)) === 0) return this.remove(pmap, start, end);
    const map = this.maps.get(pmap);
    if (this.events.watched) this.events.emit('pmap.protect', pmap, start, end, prot);
    if (prot & VM_PROT_WRITE) return;
    for (let va = start; va < end;) {
      const stop = Math.min(end, va - (va % NBPSG) + NBPSG);
      const l3 = this.tables.findL3(map, va);
      if (l3 !== NO_PA) {
        for (; va < stop; va += NBPG) {
          const slot = l3 + ((va >>> 12) & 63) * 4;
          const pte = this.memory.readBe32(slot);
          if (!isPte(pte) || (pte & PPROT_WRITE) === 0) continue;
          this.write(map, va, slot, pte, (pte & ~PPROT_WRITE) >>> 0);
          this.maps.flushLater(map, va);
        }
      }
      va = stop;
    }
  }

  /**
   * In 2001 this counts a `ps_useless_changewire` and does nothing, whatever is mapped at `va` or is not. With `late`
   * wiring a wired mapping loses the attribute, and what is not wired or not there is counted so.
   */
  unwire(pmap: PmapId, va: Va): void {
    const map = this.maps.get(pmap);
    if (this.events.watched) this.events.emit('pmap.unwire', pmap, va);
    const l3 = this.tables.findL3(map, va);
    const growth = l3 === NO_PA ? 0 : this.setWired(map, l3, va, false);
    if (growth === 0 || !this.late) this.counters.uselessChangewire++;
  }

  extract(pmap: PmapId, va: Va): Pa {
    const l3 = this.tables.findL3(this.maps.get(pmap), va);
    if (l3 === NO_PA) return NO_PA;
    const pte = this.memory.readBe32(l3 + ((va >>> 12) & 63) * 4);
    return isPte(pte) ? ptePa(pte) + (va & (NBPG - 1)) : NO_PA;
  }

  kenterPa(va: Va, pa: Pa, prot: Prot): void {
    if (this.events.watched) this.events.emit('pmap.kenter', va, pa, prot);
    const slot = this.tables.findL3(this.kernel, va) + ((va >>> 12) & 63) * 4;
    const old = this.memory.readBe32(slot);
    if (isPte(old) && this.diagnostic)
      throw new KernelPanic('pmap_kenter_pa: mapping exists', { va, pte: old });
    this.write(this.kernel, va, slot, old, this.makePte(pa, prot, true));
  }

  /** As the interface says; under DIAGNOSTIC it panics at a mapping that `enter` made. */
  kremove(va: Va, length: number): void {
    if (this.events.watched) this.events.emit('pmap.kremove', va, length);
    for (let at = va; at < va + length; at += NBPG) {
      const slot = this.tables.findL3(this.kernel, at) + ((at >>> 12) & 63) * 4;
      const pte = this.memory.readBe32(slot);
      if (!isPte(pte)) continue;
      if (this.diagnostic) {
        const page = this.pageOf(pte);
        if (page >= 0 && this.pv.find(page, PMAP_KERNEL, at) !== PV_NONE)
          throw new KernelPanic('pmap_kremove: managed mapping', { va: at, pte });
      }
      this.write(this.kernel, at, slot, pte, 0);
      this.maps.flushLater(this.kernel, at);
    }
  }

  copy(_dst: PmapId, _src: PmapId, _dstVa: Va, _length: number, _srcVa: Va): void {}

  collect(pmap: PmapId): void {
    this.maps.get(pmap);
    if (this.events.watched) this.events.emit('pmap.collect', pmap);
  }

  /** Without the kernel's unmanaged mappings: nothing tells those of `enter` from those of {@link kenterPa}. */
  forget(pmap: PmapId, start: Va, end: Va): number {
    const map = this.maps.get(pmap);
    if (this.events.watched) this.events.emit('pmap.forget', pmap, start, end);
    const before = map.resident;
    if (before > 0) this.removeRange(map, start, end, true);
    return before - map.resident;
  }

  // Pages

  zeroPage(pa: Pa): void {
    this.memory.zero(pa);
  }

  copyPage(src: Pa, dst: Pa): void {
    this.memory.copy(src, dst);
  }

  pageProtect(pa: Pa, prot: Prot): void {
    const page = this.managed(pa);
    if (page < 0) return;
    if (this.events.watched) this.events.emit('pmap.pageProtect', pa, prot);
    if (prot & VM_PROT_WRITE) return;
    if (prot & (VM_PROT_READ | VM_PROT_EXECUTE)) this.writeProtectPage(page);
    else this.removePage(page);
  }

  private writeProtectPage(page: number): void {
    for (let pv = this.pv.head[page]!; pv !== PV_NONE; pv = this.pv.next[pv]!) {
      const map = this.maps.get(this.pv.pmap[pv]!);
      const va = this.pv.va[pv]!;
      const slot = this.tables.findL3(map, va) + ((va >>> 12) & 63) * 4;
      const pte = this.memory.readBe32(slot);
      if ((pte & PPROT_WRITE) === 0) continue;
      this.write(map, va, slot, pte, (pte & ~PPROT_WRITE) >>> 0);
      this.maps.flush(map, FLUSH_PAGE, va);
    }
  }

  private removePage(page: number): void {
    for (let pv = this.pv.pop(page); pv !== PV_NONE; pv = this.pv.pop(page)) {
      const map = this.maps.get(this.pv.pmap[pv]!);
      const va = this.pv.va[pv]!;
      const l3 = this.tables.findL3(map, va);
      const slot = l3 + ((va >>> 12) & 63) * 4;
      const pte = l3 === NO_PA ? 0 : this.memory.readBe32(slot);
      if (!isPte(pte)) throw new KernelPanic('pmap_page_protect !PG_V', { pmap: map.id, va, pte });
      this.attributes[page]! |= (pte & (PG_R | PG_M)) >>> PV_SHIFT;
      this.write(map, va, slot, pte, 0);
      this.countOut(map, va, l3);
      this.maps.flush(map, FLUSH_PAGE, va);
      this.dropTable(map, va, l3);
    }
  }

  clearModify(pa: Pa): boolean {
    const was = this.testAndClear(pa, PV_MOD4M);
    if (this.events.watched) this.events.emit('pmap.clearModify', pa, was ? 1 : 0);
    return was;
  }

  clearReference(pa: Pa): boolean {
    const was = this.testAndClear(pa, PV_REF4M);
    if (this.events.watched) this.events.emit('pmap.clearReference', pa, was ? 1 : 0);
    return was;
  }

  isModified(pa: Pa): boolean {
    return this.test(pa, PV_MOD4M);
  }

  isReferenced(pa: Pa): boolean {
    return this.test(pa, PV_REF4M);
  }

  private testAndClear(pa: Pa, attribute: number): boolean {
    const page = this.managed(pa);
    if (page < 0) return false;
    this.syncAttributes(page);
    const attributes = this.attributes[page]!;
    this.attributes[page] = attributes & ~attribute;
    return (attributes & attribute) !== 0;
  }

  private test(pa: Pa, attribute: number): boolean {
    const page = this.managed(pa);
    if (page < 0) return false;
    if ((this.attributes[page]! & attribute) === 0) this.syncAttributes(page);
    return (this.attributes[page]! & attribute) !== 0;
  }

  /** Moves R and M of every mapping into the page's attributes (pv_syncflags4m). Never deferred: M must be exact. */
  private syncAttributes(page: number): void {
    for (let pv = this.pv.head[page]!; pv !== PV_NONE; pv = this.pv.next[pv]!) {
      const map = this.maps.get(this.pv.pmap[pv]!);
      const va = this.pv.va[pv]!;
      const slot = this.tables.findL3(map, va) + ((va >>> 12) & 63) * 4;
      const pte = this.memory.readBe32(slot);
      if ((pte & (PG_R | PG_M)) === 0) continue;
      this.attributes[page]! |= (pte & (PG_R | PG_M)) >>> PV_SHIFT;
      this.write(map, va, slot, pte, (pte & ~(PG_R | PG_M)) >>> 0);
      this.maps.flush(map, FLUSH_PAGE, va);
    }
  }

  private managed(pa: Pa): number {
    return this.services === null ? -1 : this.services.pageIndex(pa);
  }

  physAddress(cookie: number): Pa {
    return cookie;
  }

  describe(pmap: PmapId, va: Va): string {
    const l3 = this.tables.findL3(this.maps.get(pmap), va);
    return l3 === NO_PA
      ? 'no level 3 table'
      : describeEntry(this.memory.readBe32(l3 + ((va >>> 12) & 63) * 4));
  }
}
