import {
  KernelPanic,
  MapTable,
  NO_PA,
  PMAP_KERNEL,
  PMAP_WIRED,
  PV_NONE,
  PvTable,
  shortage,
  VM_PROT_ALL,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
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
  type PhysicalMap,
} from '@uvmkit/pmap';
import type { Contexts } from './contexts.ts';
import type { Ibm4xxMmu } from './mmu.ts';
import type { Ibm4xxOptions } from './options.ts';
import {
  NO_PID,
  TTE_I,
  TTE_G,
  TTE_PA,
  TTE_W,
  TTE_WR,
  ZONE_PRIV,
  ZONE_USER,
  formatTte,
  makeTte,
} from './pte.ts';
import { TABLE_BYTES, TABLE_SPAN, type PageTables } from './tables.ts';
import type { TlbInfo } from './tlb.ts';

const PAGE = 16384;

/** The kernel's own addresses; below, it sees physical memory. */
export const KERNEL_MIN: Va = 0x80000000;
export const KERNEL_MAX: Va = 0xef000000;

/** Flags of `enter`: not cached; written through (PME_NOCACHE and PME_WRITETHROUG of ibm4xx/pmap.h). */
export const PME_NOCACHE = 0x100;
export const PME_WRITETHROUG = 0x200;

/** Page attributes. */
const PTE_HI_REF = 0x20;
const PTE_HI_CHG = 0x40;

/** PV_WIRED, in the pv entry's word. */
const PV_WIRED = 1;

/** What {@link Ibm4xxPmap} is made of; the port puts it together. */
export interface Ibm4xxPmapParts {
  readonly memory: PhysicalMemory;
  readonly events: EventStream;
  readonly mmu: Ibm4xxMmu;
  readonly tlb: TlbInfo;
  readonly contexts: Contexts;
  readonly tables: PageTables;
  readonly options: Ibm4xxOptions;
}

/**
 * NetBSD's pmap for the 40x (ibm4xx/pmap.c 1.5.4.9).
 *
 * The MMU has no referenced and no changed bit. A page counts as referenced from the enter that a
 * fault led to, and clearing that takes its mappings away; it counts as modified once a mapping of it allows stores,
 * and clearing that takes the stores away. Either way the next access is a fault of UVM's.
 */
export class Ibm4xxPmap implements Pmap {
  readonly fork: null = null;
  readonly prefer: null = null;
  readonly mapPoolPage: ((pa: Pa) => Va) | null;
  /** Pages whose instruction cache lines have been synchronised. */
  icacheSyncs = 0;

  private readonly events: EventStream;
  private readonly memory: PhysicalMemory;
  private readonly mmu: Ibm4xxMmu;
  private readonly tlb: TlbInfo;
  private readonly contexts: Contexts;
  private readonly tables: PageTables;
  private readonly options: Ibm4xxOptions;
  private services: PmapServices | null = null;
  private pvs: PvTable = new PvTable(0);
  private attrs: Uint8Array = new Uint8Array(0);
  /** Mappings that `enter` made of pages without a vm_page, and whether each is wired. */
  private readonly devices: Map<number, boolean> = new Map();

  /*
   * struct pmap, by handle.
   */
  private readonly maps: MapTable<PhysicalMap> = new MapTable({ id: PMAP_KERNEL, references: 1 });
  private readonly resident: number[] = [0];
  private readonly wired: number[] = [0];
  /** Whether the TLB may hold what the tables no longer do. */
  private readonly stale: boolean[] = [false];
  private kernelEnd: Va = KERNEL_MIN;

  constructor(parts: Ibm4xxPmapParts) {
    this.memory = parts.memory;
    this.events = parts.events;
    this.mmu = parts.mmu;
    this.tlb = parts.tlb;
    this.contexts = parts.contexts;
    this.tables = parts.tables;
    this.options = parts.options;
    this.mapPoolPage = parts.memory.size <= KERNEL_MIN ? (pa) => pa : null;
    this.tables.open(PMAP_KERNEL);
  }

  /** Gives the kernel its first table, from memory stolen at boot. */
  bootstrap(table: Pa): void {
    this.tables.addTable(PMAP_KERNEL, KERNEL_MIN, table);
    this.kernelEnd = KERNEL_MIN + TABLE_SPAN;
  }

  init(services: PmapServices): void {
    this.services = services;
    this.pvs = new PvTable(services.pageCount, this.options.pvs);
    this.attrs = new Uint8Array(services.pageCount);
  }

  virtualSpace(): { readonly start: Va; readonly end: Va } {
    return { start: KERNEL_MIN, end: KERNEL_MAX };
  }

  growKernel: (maxva: Va) => Va = (maxva) => {
    if (maxva > KERNEL_MAX)
      throw new RangeError(`kernel mappings end at 0xef000000, given 0x${maxva.toString(16)}`);
    while (this.kernelEnd < maxva) {
      if (this.slotFor(PMAP_KERNEL, this.kernelEnd) === NO_PA)
        throw new KernelPanic('pmap_growkernel: no memory for a page table', { maxva });
      this.kernelEnd += TABLE_SPAN;
    }
    return this.kernelEnd;
  };

  create(): PmapId {
    const pmap = this.maps.nextId;
    this.maps.add({ id: pmap, references: 1 });
    this.resident[pmap] = 0;
    this.wired[pmap] = 0;
    this.stale[pmap] = false;
    this.tables.open(pmap);
    if (this.events.watched) this.events.emit('pmap.create', pmap);
    return pmap;
  }

  reference(pmap: PmapId): void {
    this.maps.reference(pmap);
  }

  destroy(pmap: PmapId): void {
    const map = this.maps.drop(pmap);
    if (map === null) return;
    if (this.resident[pmap] !== 0)
      throw new KernelPanic('pmap_release: mappings remain', {
        pmap,
        resident: this.resident[pmap]!,
      });
    this.contexts.release(pmap);
    this.tables.close(pmap, (table) => this.services!.freePage(table));
    this.maps.delete(map);
    if (this.events.watched) this.events.emit('pmap.destroy', pmap);
  }

  residentCount(pmap: PmapId): number {
    this.maps.get(pmap);
    return this.resident[pmap]!;
  }

  wiredCount(pmap: PmapId): number {
    this.maps.get(pmap);
    return this.wired[pmap]!;
  }

  tableBytes(pmap: PmapId): number {
    this.maps.get(pmap);
    return this.tables.count(pmap) * TABLE_BYTES;
  }

  /**
   * Maps the page at `pa` at `va`, as the contract says (`Pmap.enter` of `@uvmkit/pmap`).
   *
   * A mapping that is there goes first. Stores are allowed only if the flags name WRITE, or the
   * mapping is wired and `prot` has it. A mapping that is not wired is loaded into the TLB at
   * once; a wired one waits for its first miss. `PME_NOCACHE` and `PME_WRITETHROUG` set I and G, and W.
   */
  enter(pmap: PmapId, va: Va, pa: Pa, prot: Prot, flags: EnterFlags): Errno {
    this.maps.get(pmap);
    if (pmap === PMAP_KERNEL) checkKernelVa(va);
    if (this.events.watched) this.events.emit('pmap.enter', pmap, va, pa, prot, flags);
    this.removeAt(pmap, va, false);
    const wired = (flags & PMAP_WIRED) !== 0;
    const access = (wired ? flags | prot : flags) & VM_PROT_ALL;
    if ((prot & VM_PROT_ALL) === VM_PROT_NONE) return 0;
    if (access === 0 && this.options.enterWithoutAccess === 'drop') return 0;

    const slot = this.slotFor(pmap, va);
    if (slot === NO_PA)
      return shortage(flags, 'pmap_enter: no memory for a page table', { pmap, va, pa });
    if (!this.addMapping(pmap, va, pa, wired))
      return shortage(flags, 'pmap_enter_pv: no pv entries', { pmap, va, pa });
    this.mark(pa, access);
    const zone = pmap === PMAP_KERNEL ? ZONE_PRIV : ZONE_USER;
    const tte = makeTte(pa, zone, (access & VM_PROT_WRITE) !== 0, cacheBits(flags));
    this.tables.write(pmap, va, slot, tte);
    // Two entries for one page are a programming error, and a deferred flush may have left one.
    this.flush(pmap, va, false);
    const pid = this.contexts.pidOf(pmap);
    if (!wired && access !== 0 && pid !== NO_PID) this.tlb.enter(pid, va, tte);
    return 0;
  }

  /** Referenced by any access, modified by one that stores. */
  private mark(pa: Pa, access: Prot): void {
    const page = this.pageIndex(pa);
    if (page < 0 || access === 0) return;
    this.attrs[page]! |= (access & VM_PROT_WRITE) === 0 ? PTE_HI_REF : PTE_HI_REF | PTE_HI_CHG;
  }

  private addMapping(pmap: PmapId, va: Va, pa: Pa, wired: boolean): boolean {
    const page = this.pageIndex(pa);
    if (page < 0) this.devices.set(mappingKey(pmap, va), wired);
    else if (!this.pvs.insert(page, pmap, va, wired ? PV_WIRED : 0)) return false;
    this.resident[pmap]!++;
    this.countWired(pmap, wired, 1);
    return true;
  }

  private countWired(pmap: PmapId, wired: boolean, by: number): void {
    if (wired && this.options.wiredCount === 'exact') this.wired[pmap]! += by;
  }

  /** The slot for an address, its table made if need be; `NO_PA` if memory is short. */
  private slotFor(pmap: PmapId, va: Va): Pa {
    const slot = this.tables.slot(pmap, va);
    if (slot !== NO_PA || this.services === null) return slot;
    const table = this.services.allocPage();
    if (table === NO_PA) return NO_PA;
    this.tables.addTable(pmap, va, table);
    return this.tables.slot(pmap, va);
  }

  kenterPa(va: Va, pa: Pa, prot: Prot): void {
    checkKernelVa(va);
    if (this.events.watched) this.events.emit('pmap.kenter', va, pa, prot);
    this.removeAt(PMAP_KERNEL, va, false);
    const slot = this.slotFor(PMAP_KERNEL, va);
    if (slot === NO_PA)
      throw new KernelPanic('pmap_kenter_pa: no memory for a page table', { va, pa });
    const tte = makeTte(pa, ZONE_PRIV, (prot & VM_PROT_WRITE) !== 0, 0);
    this.tables.write(PMAP_KERNEL, va, slot, tte);
    this.flush(PMAP_KERNEL, va, false);
  }

  kremove(va: Va, length: number): void {
    checkKernelVa(va);
    if (this.events.watched) this.events.emit('pmap.kremove', va, length);
    for (let at = va; at < va + length; at += PAGE) this.removeAt(PMAP_KERNEL, at, true);
  }

  /** Makes the slot for an address empty and flushes it; the TTE that was there. */
  private clearSlot(pmap: PmapId, va: Va, late: boolean): number {
    const slot = this.tables.slot(pmap, va);
    if (slot === NO_PA) return 0;
    const tte = this.tables.read(slot);
    if (tte === 0) return 0;
    this.tables.write(pmap, va, slot, 0);
    this.flush(pmap, va, late);
    return tte;
  }

  private flush(pmap: PmapId, va: Va, late: boolean): void {
    if (late && this.options.deferred === true) {
      this.stale[pmap] = true;
      return;
    }
    const pid = this.contexts.pidOf(pmap);
    if (pid !== NO_PID) this.tlb.flush(va, pid);
  }

  remove(pmap: PmapId, start: Va, end: Va): void {
    this.maps.get(pmap);
    if (this.events.watched) this.events.emit('pmap.remove', pmap, start, end);
    for (let va = start; va < end; va += PAGE) {
      if (this.tables.slot(pmap, va) === NO_PA) va = lastPage(va);
      else this.removeAt(pmap, va, true);
    }
  }

  /** Takes a mapping away, wired or not. */
  private removeAt(pmap: PmapId, va: Va, late: boolean): void {
    const tte = this.clearSlot(pmap, va, late);
    if (tte === 0) return;
    const wired = this.disown(pmap, va, (tte & TTE_PA) >>> 0);
    if (wired === null) return;
    this.resident[pmap]!--;
    this.countWired(pmap, wired, -1);
  }

  /** Drops what is known of a mapping that `enter` made, and says whether it was wired; null for one of kenterPa. */
  private disown(pmap: PmapId, va: Va, pa: Pa): boolean | null {
    const page = this.pageIndex(pa);
    if (page < 0) {
      const wired = this.devices.get(mappingKey(pmap, va));
      this.devices.delete(mappingKey(pmap, va));
      return wired ?? null;
    }
    const pv = this.pvs.find(page, pmap, va);
    if (pv === PV_NONE) return null;
    const wired = this.pvs.aux[pv] === PV_WIRED;
    this.pvs.remove(page, pmap, va);
    return wired;
  }

  protect(pmap: PmapId, start: Va, end: Va, prot: Prot): void {
    if ((prot & VM_PROT_ALL & ~VM_PROT_WRITE) === 0) return this.remove(pmap, start, end);
    this.maps.get(pmap);
    if (this.events.watched) this.events.emit('pmap.protect', pmap, start, end, prot);
    if ((prot & VM_PROT_WRITE) !== 0 && this.options.protect !== 'authentic') return;
    for (let va = start; va < end; va += PAGE) {
      if (this.tables.slot(pmap, va) === NO_PA) va = lastPage(va);
      else this.takeWrite(pmap, va, true);
    }
  }

  private takeWrite(pmap: PmapId, va: Va, late: boolean): void {
    const slot = this.tables.slot(pmap, va);
    const tte = this.tables.read(slot);
    if ((tte & TTE_WR) === 0) return;
    this.tables.write(pmap, va, slot, tte & ~TTE_WR);
    this.flush(pmap, va, late);
  }

  unwire(pmap: PmapId, va: Va): void {
    this.maps.get(pmap);
    if (this.events.watched) this.events.emit('pmap.unwire', pmap, va);
    const tte = this.tables.lookup(pmap, va);
    if (tte === 0) return;
    const page = this.pageIndex((tte & TTE_PA) >>> 0);
    let wired: boolean;
    if (page < 0) {
      wired = this.devices.get(mappingKey(pmap, va)) === true;
      if (wired) this.devices.set(mappingKey(pmap, va), false);
    } else {
      const pv = this.pvs.find(page, pmap, va);
      wired = pv !== PV_NONE && this.pvs.aux[pv] === PV_WIRED;
      if (wired) this.pvs.aux[pv] = 0;
    }
    this.countWired(pmap, wired, -1);
  }

  extract(pmap: PmapId, va: Va): Pa {
    this.maps.get(pmap);
    const tte = this.tables.lookup(pmap, va);
    return tte === 0 ? NO_PA : ((tte & TTE_PA) | (va & (PAGE - 1))) >>> 0;
  }

  /** Nothing: advice that this pmap never took. */
  copy(_dst: PmapId, _src: PmapId, _dstVa: Va, _length: number, _srcVa: Va): void {}

  /** Nothing: page tables stay until the map goes. */
  collect(pmap: PmapId): void {
    this.maps.get(pmap);
  }

  forget(pmap: PmapId, start: Va, end: Va): number {
    this.maps.get(pmap);
    if (this.events.watched) this.events.emit('pmap.forget', pmap, start, end);
    const before = this.resident[pmap]!;
    for (let va = start; va < end && this.resident[pmap] !== 0; va += PAGE) {
      const slot = this.tables.slot(pmap, va);
      if (slot === NO_PA) va = lastPage(va);
      else if (this.isForgettable(pmap, va, this.tables.read(slot))) this.removeAt(pmap, va, true);
    }
    return before - this.resident[pmap]!;
  }

  /** Whether `enter` made the mapping, and made it without the wired attribute or lost it since. */
  private isForgettable(pmap: PmapId, va: Va, tte: number): boolean {
    if (tte === 0) return false;
    const page = this.pageIndex((tte & TTE_PA) >>> 0);
    if (page < 0) return this.devices.get(mappingKey(pmap, va)) === false;
    const pv = this.pvs.find(page, pmap, va);
    return pv !== PV_NONE && this.pvs.aux[pv] !== PV_WIRED;
  }

  update(pmap: PmapId): void {
    this.maps.get(pmap);
    if (!this.stale[pmap]!) return;
    this.stale[pmap] = false;
    const pid = this.contexts.pidOf(pmap);
    if (pid !== NO_PID) this.tlb.flushUnlocked(pid);
    if (this.events.watched) this.events.emit('pmap.update', pmap);
  }

  /** Loads the map's PID as the return to user mode does, after finding one for it (ctx_setup). */
  activate(pmap: PmapId): void {
    this.maps.get(pmap);
    this.mmu.loadUserPid(this.contexts.obtain(pmap));
    if (this.events.watched) this.events.emit('pmap.activate', pmap, this.mmu.cpu);
  }

  /** Nothing: the PID stays until another map is activated. */
  deactivate(pmap: PmapId): void {
    this.maps.get(pmap);
  }

  zeroPage(pa: Pa): void {
    this.memory.zero(pa);
  }

  copyPage(src: Pa, dst: Pa): void {
    this.memory.copy(src, dst);
  }

  pageProtect(pa: Pa, prot: Prot): void {
    const page = this.pageIndex(pa);
    if (page < 0 || (prot & VM_PROT_WRITE) !== 0) return;
    if (this.events.watched) this.events.emit('pmap.pageProtect', pa, prot);
    this.lowerPage(page, prot);
  }

  private lowerPage(page: number, prot: Prot): void {
    let pv = this.pvs.head[page]!;
    while (pv !== PV_NONE) {
      const next = this.pvs.next[pv]!;
      const pmap = this.pvs.pmap[pv]!;
      const va = this.pvs.va[pv]!;
      if ((prot & VM_PROT_ALL) === VM_PROT_NONE) this.removeAt(pmap, va, false);
      else this.takeWrite(pmap, va, false);
      pv = next;
    }
  }

  /** Stores lose their permission: the next one is a fault of UVM's, on wired mappings too. */
  clearModify(pa: Pa): boolean {
    const was = this.clearAttr(pa, PTE_HI_CHG, VM_PROT_READ);
    if (this.events.watched) this.events.emit('pmap.clearModify', pa, Number(was));
    return was;
  }

  /** Mappings go, **wired ones included**: there is no other way to see the next reference. */
  clearReference(pa: Pa): boolean {
    const was = this.clearAttr(pa, PTE_HI_REF, VM_PROT_NONE);
    if (this.events.watched) this.events.emit('pmap.clearReference', pa, Number(was));
    return was;
  }

  private clearAttr(pa: Pa, attr: number, prot: Prot): boolean {
    const page = this.pageIndex(pa);
    if (page < 0) return false;
    const was = (this.attrs[page]! & attr) !== 0;
    this.attrs[page]! &= ~attr;
    this.lowerPage(page, prot);
    return was;
  }

  isModified(pa: Pa): boolean {
    return this.hasAttr(pa, PTE_HI_CHG);
  }

  isReferenced(pa: Pa): boolean {
    return this.hasAttr(pa, PTE_HI_REF);
  }

  private hasAttr(pa: Pa, attr: number): boolean {
    const page = this.pageIndex(pa);
    return page >= 0 && (this.attrs[page]! & attr) !== 0;
  }

  /** The cookie is the address: device pages are mapped where they are. */
  physAddress(cookie: number): Pa {
    return cookie;
  }

  procwr: (pmap: PmapId, va: Va, length: number) => void = (pmap, va, length) => {
    this.maps.get(pmap);
    for (let at = va - (va % PAGE); at < va + length; at += PAGE)
      if (this.tables.lookup(pmap, at) !== 0) this.icacheSyncs++;
  };

  describe(pmap: PmapId, va: Va): string {
    this.maps.get(pmap);
    return formatTte(this.tables.lookup(pmap, va));
  }

  private pageIndex(pa: Pa): number {
    return this.services === null ? -1 : this.services.pageIndex(pa);
  }
}

function cacheBits(flags: EnterFlags): number {
  return (
    ((flags & PME_NOCACHE) === 0 ? 0 : TTE_I | TTE_G) |
    ((flags & PME_WRITETHROUG) === 0 ? 0 : TTE_W)
  );
}

/** One number for (map, page). */
function mappingKey(pmap: PmapId, va: Va): number {
  return pmap * 0x40000 + (va >>> 14);
}

/** The last page of the table that has the address. */
function lastPage(va: Va): Va {
  return va - (va % TABLE_SPAN) + TABLE_SPAN - PAGE;
}

function checkKernelVa(va: Va): void {
  if (va < KERNEL_MIN || va >= KERNEL_MAX)
    throw new RangeError(
      `kernel mappings lie from 0x80000000 to 0xef000000, given 0x${va.toString(16)}`,
    );
}
