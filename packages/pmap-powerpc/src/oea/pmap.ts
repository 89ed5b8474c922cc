import {
  KernelPanic,
  MapTable,
  NO_PA,
  PMAP_KERNEL,
  PMAP_WIRED,
  shortage,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
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
import type { CurrentCpu, TlbFlusher } from './flush.ts';
import type { OeaMmu } from './mmu.ts';
import type { OeaOptions } from './options.ts';
import {
  PTE_BR,
  PTE_BW,
  PTE_CHG,
  PTE_EXEC,
  PTE_G,
  PTE_I,
  PTE_PP,
  PTE_REF,
  PTE_RPN,
  SEGMENT_LENGTH,
  SEGMENT_SHIFT,
  formatPte,
  pteHi,
} from './pte.ts';
import { NOT_IN_TABLE, type PtegTable } from './pteg.ts';
import {
  LIST_KUNMANAGED,
  LIST_PAGES,
  LIST_UNMANAGED,
  POOL_MANAGED,
  PVO_BYTES,
  PVO_EXECUTABLE,
  PVO_MANAGED,
  PVO_NONE,
  PVO_WIRED,
  poolOf,
  type PvoStore,
} from './pvo.ts';
import { KERNEL_VSIDBITS, NO_VSID, VsidBitmap, vsidMake } from './vsid.ts';

const PAGE = 4096;
const SEGMENTS = 16;

/** VM_MIN_KERNEL_ADDRESS: segment 13 (KERNEL_SR). */
export const KERNEL_MIN: Va = 0xd0000000;
/** VM_MAX_KERNEL_ADDRESS: the end of segment 14 (KERNEL2_SR). */
export const KERNEL_MAX: Va = 0xf0000000;
/** Kernel addresses set aside for reaching pages beyond the block that BAT 0 maps. */
const RESERVED_KVA: number = 4 * PAGE;

/** Flag of `enter`: the page is not to be cached (PMAP_NC of mpc6xx/pmap.h). */
export const PMAP_NC = 0x1000;

/** What {@link OeaPmap} is made of; the port puts it together. */
export interface OeaPmapParts {
  readonly memory: PhysicalMemory;
  readonly events: EventStream;
  readonly cpu: CurrentCpu;
  readonly mmus: readonly OeaMmu[];
  readonly pvos: PvoStore;
  readonly table: PtegTable;
  readonly flusher: TlbFlusher;
  readonly options: OeaOptions;
}

/**
 * NetBSD's pmap for the OEA, between mpc6xx/pmap.c 1.8 and 1.28.4.7.
 *
 * A mapping *is* its PVO. The hash table holds as many of them as fit; a mapping that does not, wired or not, is
 * put there by {@link PtegTable.spill} when it is missed. Isolation comes from VSIDs alone: keys are
 * 0, PP is 10 (stores allowed) or 11 (not), for user and kernel alike.
 */
export class OeaPmap implements Pmap {
  readonly growKernel: null = null;
  readonly fork: null = null;
  readonly prefer: null = null;
  readonly mapPoolPage: ((pa: Pa) => Va) | null;
  /** Pages whose instruction cache lines have been synchronised. */
  icacheSyncs = 0;

  private readonly memory: PhysicalMemory;
  private readonly events: EventStream;
  private readonly cpu: CurrentCpu;
  private readonly mmus: readonly OeaMmu[];
  private readonly pvos: PvoStore;
  private readonly table: PtegTable;
  private readonly flusher: TlbFlusher;
  private readonly vsids: VsidBitmap;
  private readonly keepsWired: boolean;
  private readonly syncsFirstMapping: boolean;
  private readonly countsWired: boolean;
  private readonly protectTakesWrite: boolean;
  private services: PmapServices | null = null;
  /** R, C and PTE_EXEC of pages, beyond what their mappings still hold (mdpg_attrs). */
  private attrs: Int16Array = new Int16Array(0);

  /*
   * struct pmap, by handle.
   */
  private readonly maps: MapTable<PhysicalMap> = new MapTable({ id: PMAP_KERNEL, references: 1 });
  private readonly ids: number[] = [KERNEL_VSIDBITS];
  private readonly resident: number[] = [0];
  private readonly wired: number[] = [0];
  /** PVOs by handle · 16 + segment, so that ranges over empty segments cost nothing. */
  private readonly segmentPvos: number[] = Array.from({ length: SEGMENTS }, () => 0);
  private readonly segments: Int32Array = new Int32Array(SEGMENTS);

  constructor(parts: OeaPmapParts) {
    const { options } = parts;
    this.memory = parts.memory;
    this.events = parts.events;
    this.cpu = parts.cpu;
    this.mmus = parts.mmus;
    this.pvos = parts.pvos;
    this.table = parts.table;
    this.flusher = parts.flusher;
    this.vsids = new VsidBitmap(options.pmaps ?? 32768);
    this.keepsWired = options.revision === '1.8';
    this.syncsFirstMapping = options.revision === '1.8';
    this.countsWired = options.wiredCount === 'exact';
    this.protectTakesWrite = options.protect === 'authentic';
    this.mapPoolPage = parts.memory.size <= SEGMENT_LENGTH ? (pa) => pa : null;
  }

  init(services: PmapServices): void {
    this.services = services;
    this.pvos.manage(services.pageCount);
    this.attrs = new Int16Array(services.pageCount);
  }

  virtualSpace(): { readonly start: Va; readonly end: Va } {
    return { start: KERNEL_MIN + RESERVED_KVA, end: KERNEL_MAX };
  }

  /**
   * A new, empty map with one reference and a set of VSIDs of its own.
   *
   * @returns its handle; VSIDs are all that it takes, so there is never a shortage of memory
   * @throws KernelPanic `pmap_pinit: out of segments` when no VSID can be found
   */
  create(): PmapId {
    const id = this.vsids.allocate(this.mmus[this.cpu.currentCpu]!.mftb());
    if (id === NO_VSID) throw new KernelPanic('pmap_pinit: out of segments');
    const pmap = this.maps.nextId;
    this.maps.add({ id: pmap, references: 1 });
    this.ids[pmap] = id;
    this.resident[pmap] = 0;
    this.wired[pmap] = 0;
    for (let segment = 0; segment < SEGMENTS; segment++)
      this.segmentPvos[pmap * SEGMENTS + segment] = 0;
    if (this.events.watched) this.events.emit('pmap.create', pmap);
    return pmap;
  }

  reference(pmap: PmapId): void {
    this.maps.reference(pmap);
  }

  destroy(pmap: PmapId): void {
    const map = this.maps.drop(pmap);
    if (map === null) return;
    // Its VSID may be another's soon, and a PVO left behind would be that one's.
    if (this.pvosOf(pmap) !== 0)
      throw new KernelPanic('pmap_release: mappings remain', { pmap, pvos: this.pvosOf(pmap) });
    this.flusher.update(pmap);
    this.vsids.release(this.ids[pmap]!);
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

  /** PVOs are what stands for page tables here: 32 bytes a mapping. The hash table is everybody's. */
  tableBytes(pmap: PmapId): number {
    this.maps.get(pmap);
    return this.pvosOf(pmap) * PVO_BYTES;
  }

  private pvosOf(pmap: PmapId): number {
    let pvos = 0;
    for (let segment = 0; segment < SEGMENTS; segment++)
      pvos += this.segmentPvos[pmap * SEGMENTS + segment]!;
    return pvos;
  }

  /**
   * Maps the page at `pa` at `va`, as the contract says (`Pmap.enter` of `@uvmkit/pmap`).
   *
   * A mapping that is there already is always taken away and made anew, even if nothing about it changes, and
   * may end up in another slot or in none. `PMAP_NC` makes it uncached.
   */
  enter(pmap: PmapId, va: Va, pa: Pa, prot: Prot, flags: EnterFlags): Errno {
    this.maps.get(pmap);
    if (pmap === PMAP_KERNEL) checkKernelVa(va);
    if (this.events.watched) this.events.emit('pmap.enter', pmap, va, pa, prot, flags);
    if ((prot & VM_PROT_ALL) === 0) {
      // No PP means "nothing" while keys are 0.
      this.removeAt(pmap, va);
      return 0;
    }
    const page = this.services === null ? -1 : this.services.pageIndex(pa);
    let word1 = this.word1(pa, prot, flags);
    if ((flags & PMAP_WIRED) !== 0) {
      if ((flags & VM_PROT_ALL) !== 0) word1 |= PTE_REF;
      if ((flags & VM_PROT_WRITE) !== 0) word1 |= PTE_CHG;
    }
    const list = page < 0 ? LIST_UNMANAGED : LIST_PAGES + page;
    const unmapped = this.pvos.pageHead[list] === PVO_NONE;
    const keep = (flags & PMAP_WIRED) | PVO_MANAGED;
    if (!this.pvoEnter(pmap, va, word1, list, executable(keep, prot)))
      return shortage(flags, 'pmap_pvo_enter: failed', { pmap, va, pa });
    if (page >= 0 && (prot & VM_PROT_EXECUTE) !== 0 && (word1 & PTE_I) === 0)
      this.syncOnEnter(page, unmapped);
    return 0;
  }

  /** Word 1 without R and C: uncached and guarded unless it is RAM that may be cached. */
  private word1(pa: Pa, prot: Prot, flags: EnterFlags): number {
    const cached = pa < this.memory.size && (flags & PMAP_NC) === 0;
    const pp = (prot & VM_PROT_WRITE) === 0 ? PTE_BR : PTE_BW;
    return (pa & PTE_RPN) | (cached ? 0 : PTE_I | PTE_G) | pp;
  }

  private syncOnEnter(page: number, unmapped: boolean): void {
    const due = this.syncsFirstMapping ? unmapped : (this.attrs[page]! & PTE_EXEC) === 0;
    if (due) this.icacheSyncs++;
    this.attrs[page]! |= PTE_EXEC;
  }

  kenterPa(va: Va, pa: Pa, prot: Prot): void {
    if (va < KERNEL_MIN || va >= KERNEL_MAX)
      throw new KernelPanic('pmap_kenter_pa: attempt to enter non-kernel address', { va });
    if (this.events.watched) this.events.emit('pmap.kenter', va, pa, prot);
    const flags = executable(PVO_WIRED, prot);
    if (!this.pvoEnter(PMAP_KERNEL, va, this.word1(pa, prot, 0), LIST_KUNMANAGED, flags))
      throw new KernelPanic('pmap_kenter_pa: failed to enter va', { va, pa });
  }

  kremove(va: Va, length: number): void {
    if (va < KERNEL_MIN || va + length > KERNEL_MAX)
      throw new KernelPanic('pmap_kremove: attempt to remove non-kernel address', { va });
    if (this.events.watched) this.events.emit('pmap.kremove', va, length);
    for (let at = va; at < va + length; at += PAGE) this.removeAt(PMAP_KERNEL, at);
  }

  remove(pmap: PmapId, start: Va, end: Va): void {
    this.maps.get(pmap);
    if (this.events.watched) this.events.emit('pmap.remove', pmap, start, end);
    for (let va = start; va < end; va += PAGE) {
      if (this.segmentPvos[pmap * SEGMENTS + (va >>> SEGMENT_SHIFT)] === 0) va = lastPage(va);
      else this.removeAt(pmap, va);
    }
  }

  private removeAt(pmap: PmapId, va: Va): void {
    const pvo = this.find(pmap, va);
    if (pvo !== PVO_NONE) this.pvoRemove(pvo, true);
  }

  protect(pmap: PmapId, start: Va, end: Va, prot: Prot): void {
    if ((prot & VM_PROT_ALL & ~VM_PROT_WRITE) === 0) return this.remove(pmap, start, end);
    this.maps.get(pmap);
    if (this.events.watched) this.events.emit('pmap.protect', pmap, start, end, prot);
    const keepWrite = (prot & VM_PROT_WRITE) !== 0 && !this.protectTakesWrite;
    for (let va = start; va < end; va += PAGE) {
      if (this.segmentPvos[pmap * SEGMENTS + (va >>> SEGMENT_SHIFT)] === 0) {
        va = lastPage(va);
        continue;
      }
      const pvo = this.find(pmap, va);
      if (pvo === PVO_NONE) continue;
      if ((prot & VM_PROT_EXECUTE) === 0) this.pvos.vaddr[pvo]! &= ~PVO_EXECUTABLE;
      if (!keepWrite) this.takeWrite(pvo, true);
    }
  }

  private takeWrite(pvo: number, late: boolean): void {
    const word1 = this.pvos.lo[pvo]!;
    if ((word1 & PTE_PP) !== PTE_BR) this.table.change(pvo, word1 | PTE_BR, late);
  }

  unwire(pmap: PmapId, va: Va): void {
    this.maps.get(pmap);
    if (this.events.watched) this.events.emit('pmap.unwire', pmap, va);
    const pvo = this.find(pmap, va);
    if (pvo === PVO_NONE || (this.pvos.vaddr[pvo]! & PVO_WIRED) === 0) return;
    this.pvos.vaddr[pvo]! &= ~PVO_WIRED;
    this.wired[pmap]!--;
  }

  extract(pmap: PmapId, va: Va): Pa {
    this.maps.get(pmap);
    const pvo = this.find(pmap, va);
    return pvo === PVO_NONE ? NO_PA : ((this.pvos.lo[pvo]! & PTE_RPN) | (va & (PAGE - 1))) >>> 0;
  }

  /** Nothing: advice that this pmap never took. */
  copy(_dst: PmapId, _src: PmapId, _dstVa: Va, _length: number, _srcVa: Va): void {}

  /** Nothing: PVOs are not reclaimed. */
  collect(pmap: PmapId): void {
    this.maps.get(pmap);
  }

  /** The groups are walked if there are fewer of them than pages in the range. */
  forget(pmap: PmapId, start: Va, end: Va): number {
    this.maps.get(pmap);
    if (this.events.watched) this.events.emit('pmap.forget', pmap, start, end);
    const before = this.resident[pmap]!;
    if (before === 0) return 0;
    const { ptegHead, onext, pmap: owner, vaddr } = this.pvos;
    if ((end - start) / PAGE < ptegHead.length) {
      for (let va = start; va < end; va += PAGE) {
        const pvo = this.find(pmap, va);
        if (pvo !== PVO_NONE) this.forgetPvo(pvo);
      }
      return before - this.resident[pmap]!;
    }
    for (let group = 0; group < ptegHead.length; group++)
      for (let pvo = ptegHead[group]!, next; pvo !== PVO_NONE; pvo = next) {
        next = onext[pvo]!;
        const va = (vaddr[pvo]! & ~(PAGE - 1)) >>> 0;
        if (owner[pvo] === pmap && va >= start && va < end) this.forgetPvo(pvo);
      }
    return before - this.resident[pmap]!;
  }

  /** Removes it, unless it is wired, or of {@link kenterPa}. */
  private forgetPvo(pvo: number): void {
    if ((this.pvos.vaddr[pvo]! & (PVO_MANAGED | PVO_WIRED)) === PVO_MANAGED)
      this.pvoRemove(pvo, true);
  }

  update(pmap: PmapId): void {
    this.maps.get(pmap);
    if (this.flusher.update(pmap) && this.events.watched) this.events.emit('pmap.update', pmap);
  }

  activate(pmap: PmapId): void {
    this.maps.get(pmap);
    const { currentCpu } = this.cpu;
    for (let segment = 0; segment < SEGMENTS; segment++)
      this.segments[segment] = vsidMake(segment, this.ids[pmap]!);
    this.mmus[currentCpu]!.loadUserSegments(this.segments);
    if (this.events.watched) this.events.emit('pmap.activate', pmap, currentCpu);
  }

  /** Nothing: the segment registers stay until another map is activated. */
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
    const page = this.managedPage(pa);
    if (page < 0 || (prot & VM_PROT_WRITE) !== 0) return;
    if (this.events.watched) this.events.emit('pmap.pageProtect', pa, prot);
    let pvo = this.pvos.pageHead[LIST_PAGES + page]!;
    while (pvo !== PVO_NONE) {
      const next = this.pvos.vnext[pvo]!;
      const wired = (this.pvos.vaddr[pvo]! & PVO_WIRED) !== 0;
      if ((prot & VM_PROT_ALL) !== 0) {
        if ((prot & VM_PROT_EXECUTE) === 0) this.pvos.vaddr[pvo]! &= ~PVO_EXECUTABLE;
        this.takeWrite(pvo, false);
      } else if (!wired || !this.keepsWired) this.pvoRemove(pvo, false);
      pvo = next;
    }
  }

  clearModify(pa: Pa): boolean {
    const was = this.clearBit(pa, PTE_CHG);
    if (this.events.watched) this.events.emit('pmap.clearModify', pa, Number(was));
    return was;
  }

  clearReference(pa: Pa): boolean {
    const was = this.clearBit(pa, PTE_REF);
    if (this.events.watched) this.events.emit('pmap.clearReference', pa, Number(was));
    return was;
  }

  isModified(pa: Pa): boolean {
    return this.queryBit(pa, PTE_CHG);
  }

  isReferenced(pa: Pa): boolean {
    return this.queryBit(pa, PTE_REF);
  }

  private managedPage(pa: Pa): number {
    return this.services === null ? -1 : this.services.pageIndex(pa);
  }

  private queryBit(pa: Pa, bit: number): boolean {
    const page = this.managedPage(pa);
    if (page < 0) return false;
    if ((this.attrs[page]! & bit) !== 0) return true;
    for (let pvo = this.pvos.pageHead[LIST_PAGES + page]!; pvo !== PVO_NONE;) {
      if ((this.table.harvest(pvo) & bit) !== 0) {
        this.attrs[page]! |= bit;
        return true;
      }
      pvo = this.pvos.vnext[pvo]!;
    }
    return false;
  }

  private clearBit(pa: Pa, bit: number): boolean {
    const page = this.managedPage(pa);
    if (page < 0) return false;
    let seen = this.attrs[page]!;
    this.attrs[page]! &= ~bit;
    for (let pvo = this.pvos.pageHead[LIST_PAGES + page]!; pvo !== PVO_NONE;) {
      seen |= this.table.harvest(pvo);
      this.table.clear(pvo, bit);
      pvo = this.pvos.vnext[pvo]!;
    }
    return (seen & bit) !== 0;
  }

  /** The cookie is the address: device pages are mapped where they are. */
  physAddress(cookie: number): Pa {
    return cookie;
  }

  procwr: (pmap: PmapId, va: Va, length: number) => void = (pmap, va, length) => {
    this.maps.get(pmap);
    for (let at = va - (va % PAGE); at < va + length; at += PAGE) {
      const pvo = this.find(pmap, at);
      if (pvo !== PVO_NONE && (this.pvos.vaddr[pvo]! & PVO_EXECUTABLE) !== 0) this.icacheSyncs++;
    }
  };

  describe(pmap: PmapId, va: Va): string {
    this.maps.get(pmap);
    const pvo = this.find(pmap, va);
    if (pvo === PVO_NONE) return 'no pvo';
    const pte = this.table.pteOf(pvo);
    const lo = pte === NOT_IN_TABLE ? this.pvos.lo[pvo]! : this.memory.readBe32(pte + 4);
    const where = pte === NOT_IN_TABLE ? 'not in the table' : `at 0x${pte.toString(16)}`;
    const flags = this.pvos.vaddr[pvo]!;
    return [
      formatPte(this.pvos.hi[pvo]!, lo),
      where,
      ...((flags & PVO_WIRED) === 0 ? [] : ['WIRED']),
      ...((flags & PVO_MANAGED) === 0 ? [] : ['MANAGED']),
      ...((flags & PVO_EXECUTABLE) === 0 ? [] : ['EXECUTABLE']),
    ].join(' ');
  }

  /** pmap_pvo_find_va. */
  private find(pmap: PmapId, va: Va): number {
    const { ptegHead, onext, vaddr, pmap: owner } = this.pvos;
    const vsid = vsidMake(va >>> SEGMENT_SHIFT, this.ids[pmap]!);
    let pvo = ptegHead[this.table.group(vsid, va)]!;
    while (pvo !== PVO_NONE && (((vaddr[pvo]! ^ va) & ~(PAGE - 1)) !== 0 || owner[pvo] !== pmap))
      pvo = onext[pvo]!;
    return pvo;
  }

  /** pmap_pvo_enter: what is at `va` goes first, then the new PVO is made. False if the pool is dry. */
  private pvoEnter(pmap: PmapId, va: Va, word1: number, list: number, flags: number): boolean {
    this.removeAt(pmap, va);
    const pool = poolOf(list);
    if (!this.pvos.withinLimit || (!this.pvos.has(pool) && !this.supply(pool))) return false;
    const segment = va >>> SEGMENT_SHIFT;
    const vsid = vsidMake(segment, this.ids[pmap]!);
    const pvo = this.pvos.take(pool, this.table.group(vsid, va), list);
    this.pvos.vaddr[pvo] = (va & ~(PAGE - 1)) | flags;
    this.pvos.pmap[pvo] = pmap;
    this.pvos.hi[pvo] = pteHi(vsid, va, false);
    this.pvos.lo[pvo] = word1;
    this.segmentPvos[pmap * SEGMENTS + segment]!++;
    this.count(pmap, flags, 1);
    this.table.insert(pvo);
    return true;
  }

  /** Another page of PVOs. It stays in the pool for good. */
  private supply(pool: number): boolean {
    if (this.services === null || this.services.allocPage() === NO_PA) return false;
    this.pvos.addPage(pool);
    return true;
  }

  /** pmap_pvo_remove: wired or not. R and C go to the page. */
  private pvoRemove(pvo: number, late: boolean): void {
    const { vaddr, list, lo } = this.pvos;
    const pmap = this.pvos.pmap[pvo]!;
    const flags = vaddr[pvo]!;
    this.table.unset(pvo, late);
    this.segmentPvos[pmap * SEGMENTS + (flags >>> SEGMENT_SHIFT)]!--;
    this.count(pmap, flags, -1);
    const page = list[pvo]! - LIST_PAGES;
    if (page >= 0) this.attrs[page]! |= lo[pvo]! & (PTE_REF | PTE_CHG);
    this.pvos.put(pvo, this.table.groupOf(pvo));
  }

  /** pm_stats: mappings of kenterPa take no part. */
  private count(pmap: PmapId, flags: number, by: number): void {
    if ((flags & PVO_MANAGED) === 0) return;
    this.resident[pmap]! += by;
    if ((flags & PVO_WIRED) !== 0 && this.countsWired) this.wired[pmap]! += by;
  }

  /**
   * Puts a missed mapping back into the hash table, from the trap handler with translation off.
   *
   * @param vsid of the segment register in force at the fault
   * @param draw the time base
   * @returns false if there is no mapping: a fault for UVM
   */
  spill(vsid: number, ea: Va, draw: number): boolean {
    return this.table.spill(vsid, ea, draw);
  }

  /** Fills both pools from memory stolen at boot: mappings must be possible before {@link init}. */
  reserve(unmanagedPages: number, managedPages: number): void {
    for (let page = 0; page < unmanagedPages; page++) this.pvos.addPage(poolOf(LIST_UNMANAGED));
    for (let page = 0; page < managedPages; page++) this.pvos.addPage(POOL_MANAGED);
  }
}

function executable(flags: number, prot: Prot): number {
  return (prot & VM_PROT_EXECUTE) === 0 ? flags : flags | PVO_EXECUTABLE;
}

/** The last page of the address' segment. */
function lastPage(va: Va): Va {
  return ((va | (SEGMENT_LENGTH - 1)) >>> 0) - (PAGE - 1);
}

function checkKernelVa(va: Va): void {
  if (va < KERNEL_MIN || va >= KERNEL_MAX)
    throw new RangeError(
      `kernel mappings lie from 0xd0000000 to 0xf0000000, given 0x${va.toString(16)}`,
    );
}
