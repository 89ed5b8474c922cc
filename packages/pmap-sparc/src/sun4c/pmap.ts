import {
  KernelPanic,
  NO_PA,
  PMAP_CANFAIL,
  PMAP_KERNEL,
  PMAP_WIRED,
  PV_NONE,
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
import { TablePool } from '../table-pool.ts';
import { Sun4cAliases } from './aliases.ts';
import type { Sun4cMap } from './map.ts';
import type { Sun4cMmu } from './mmu.ts';
import { PV_MOD, PV_REF, Sun4cPages } from './pages.ts';
import { PMEG_LOCKED, PMEG_LRU } from './pmeg-pool.ts';
import {
  CACHE_ALIAS_DIST,
  describePte,
  inHole,
  isValid,
  makePte,
  MMU_HOLE_END,
  NBPG,
  NBPSG,
  NPTESG,
  pageInSegment,
  PG_M,
  PG_NC,
  PG_PFNUM,
  PG_S,
  PG_TYPE_SHIFT,
  PG_U,
  PG_V,
  PG_W,
  ptePa,
  samePage,
  segmentOf,
  segmentVa,
} from './pte.ts';
import { Sun4cSegments } from './segments.ts';

/** In the low bits of a physical address given to `enter` or `kenterPa`: on-board I/O space (sparc/include/pmap.h). */
export const PMAP_OBIO = 1;
/** In the same place: do not cache. */
export const PMAP_NC = 4;
/** Low bits of an address that become PG_TYPE and PG_NC. */
const PMAP_TNC = 7;

/** End of the kernel's managed addresses (KERNEND, sparc/vaddrs.h). */
export const KERNEL_END = 0xfe00_0000;
/** The kernel's image: the one segment that is mapped from boot, by PMEG 0. */
export const KERNEL_IMAGE_BYTES: number = NBPSG;

/** What the sun4c pmap can be told; see the package's README for what each is for. */
export interface Sun4cPmapOptions {
  /** The most pv entries at once; no limit if not given. */
  readonly pvEntries?: number;
  /**
   * `2001` (the default): nothing of 2001 knows whether a mapping is wired, and `wiredCount` counts what enter was told, in
   * the manner of December 2001. `late`: the exact count of the rewrite after 2003, under which
   * a user's segment with wired pages keeps its PMEG.
   */
  readonly wiring?: '2001' | 'late';
}

/** Counters of the pmap's own (the `ps_` counters of sparc/pmap.c). */
export interface Sun4cCounters {
  /** `enter` of the same page at the same protection. */
  uselessChangeprots: number;
  /** `unwire` calls, of which nothing comes. */
  uselessChangewire: number;
}

/** NetBSD's pmap for the sun4c: sparc/pmap.c 1.197.2.1 (2001-10-01), and 1.199.4.20 where that was all there was to read. */
export class Sun4cPmap implements Pmap {
  readonly growKernel = null;
  readonly fork = null;
  readonly mapPoolPage = null;
  readonly procwr = null;
  readonly counters: Sun4cCounters = { uselessChangeprots: 0, uselessChangewire: 0 };
  readonly segments: Sun4cSegments;
  private readonly memory: PhysicalMemory;
  private readonly events: EventStream;
  private readonly diagnostic: boolean;
  private readonly kernelBase: Va;
  private readonly kernel: Sun4cMap;
  private readonly pages: Sun4cPages;
  private readonly aliases: Sun4cAliases;
  /** Software copies of a user's segments: sg_pte. */
  private readonly copies: TablePool;

  constructor(boot: BootServices, mmu: Sun4cMmu, kernelBase: Va, options: Sun4cPmapOptions) {
    this.memory = boot.memory;
    this.events = boot.events;
    this.diagnostic = boot.diagnostic;
    this.kernelBase = kernelBase;
    this.pages = new Sun4cPages(options.pvEntries ?? Number.POSITIVE_INFINITY);
    this.segments = new Sun4cSegments(boot, mmu, this.pages, kernelBase, options.wiring === 'late');
    this.aliases = new Sun4cAliases(this.pages, this.segments);
    this.kernel = this.segments.kernel;
    this.copies = new TablePool(boot.memory, NPTESG * 4);
    const image = boot.steal(KERNEL_IMAGE_BYTES, NBPSG);
    const segment = segmentOf(kernelBase);
    this.segments.loadKernel(segment);
    for (let at = 0; at < KERNEL_IMAGE_BYTES; at += NBPG)
      mmu.setPte(kernelBase + at, makePte((image + at) / NBPG, PG_V | PG_W | PG_S));
    this.kernel.valid[segment] = NPTESG;
  }

  init(services: PmapServices): void {
    this.pages.attach(services);
    this.copies.attach(services);
  }

  virtualSpace(): { readonly start: Va; readonly end: Va } {
    return { start: this.kernelBase + KERNEL_IMAGE_BYTES, end: KERNEL_END };
  }

  // Maps

  create(): PmapId {
    const map = this.segments.create();
    if (this.events.watched) this.events.emit('pmap.create', map.id);
    return map.id;
  }

  reference(pmap: PmapId): void {
    this.segments.reference(pmap);
  }

  /**
   * As the interface says; panics under DIAGNOSTIC if a mapping is left. NetBSD keeps the dead map's context for
   * the next `create`; here it is given back at once.
   */
  destroy(pmap: PmapId): void {
    const map = this.segments.drop(pmap);
    if (map === null) return;
    if (map.resident > 0) {
      if (this.diagnostic)
        throw new KernelPanic('pmap_release: map not empty', { pmap, resident: map.resident });
      this.remove(pmap, 0, this.kernelBase);
    }
    this.segments.release(map);
    if (this.events.watched) this.events.emit('pmap.destroy', pmap);
  }

  residentCount(pmap: PmapId): number {
    return this.segments.get(pmap).resident;
  }

  wiredCount(pmap: PmapId): number {
    return this.segments.get(pmap).wired;
  }

  /** The software copies; what the MMU holds is nobody's memory. */
  tableBytes(pmap: PmapId): number {
    let bytes = 0;
    for (const copy of this.segments.get(pmap).copy) if (copy !== NO_PA) bytes += NPTESG * 4;
    return bytes;
  }

  activate(pmap: PmapId): void {
    this.segments.activate(this.segments.get(pmap));
  }

  deactivate(_pmap: PmapId): void {}

  // Mappings

  /**
   * As the interface says, but an address in the hole is answered with success and no mapping. The access
   * flags are not looked at: the hardware sets U and M. In a segment without a PMEG only the copy is written, and the
   * first access loads it (`Sun4cSegments.pagein`). `pa` may carry PMAP_OBIO and PMAP_NC in its low bits.
   */
  enter(pmap: PmapId, va: Va, pa: Pa, prot: Prot, flags: EnterFlags): Errno {
    const map = this.segments.get(pmap);
    if (this.events.watched) this.events.emit('pmap.enter', pmap, va, pa, prot, flags);
    if (inHole(va)) return 0;
    const pte = this.makePte(pa, prot, map === this.kernel);
    const wired = (flags & PMAP_WIRED) !== 0;
    const segment = segmentOf(va);
    const old = this.segments.readPte(map, va);
    const replaces = isValid(old);
    if (replaces && samePage(old, pte)) {
      // In 2001: up if wired and down if not, whatever it was before.
      this.noteWired(map, va, wired, wired ? 1 : -1);
      this.changeProtection(map, va, old, pte);
      return 0;
    }
    const page = this.pages.ofPte(pte);
    const oldPage = replaces ? this.pages.ofPte(old) : -1;
    const room =
      this.pages.pv.available() ||
      (oldPage >= 0 && this.pages.pv.find(oldPage, pmap, va) !== PV_NONE);
    if (page >= 0 && !room) return shortage(flags, 'pv_link: out of pv entries', { pmap, va });
    const newSegment = map.valid[segment] === 0;
    if (newSegment && !this.openSegment(map, segment, flags))
      return shortage(flags, 'pmap_enter: out of PTE copies', { pmap, va });
    if (replaces) {
      this.segments.writePte(map, va, old, 0);
      this.pages.harvest(old);
      if (oldPage >= 0) this.aliases.unlink(oldPage, map, va);
    } else {
      map.valid[segment]!++;
      map.resident++;
    }
    // In 2001 neither another page nor the one that opens its segment is counted.
    this.noteWired(map, va, wired, wired && !replaces && !newSegment ? 1 : 0);
    const uncached = page >= 0 ? this.aliases.link(page, map, va, (pte & PG_NC) !== 0) : 0;
    this.segments.writePte(map, va, 0, (pte | uncached) >>> 0);
    return 0;
  }

  /** Gives an empty segment what it needs: a user's a copy, the kernel's a PMEG. False if it cannot be had. */
  private openSegment(map: Sun4cMap, segment: number, flags: EnterFlags): boolean {
    if (map === this.kernel) {
      // Without CANFAIL this is left to me_alloc, which panics in its own words.
      if (flags & PMAP_CANFAIL && !this.segments.available()) return false;
      this.segments.loadKernel(segment);
      return true;
    }
    const copy = this.copies.allocate();
    map.copy[segment] = copy;
    return copy !== NO_PA;
  }

  /** Notes what an enter said of wiring; `drift` is by how much the count of 2001 moves, in users' maps only. */
  private noteWired(map: Sun4cMap, va: Va, wired: boolean, drift: number): void {
    this.setWired(map, segmentOf(va), va, wired);
    if (!this.segments.late && map !== this.kernel) map.wired += drift;
  }

  /**
   * Notes whether a page is wired, and answers how the number of wired pages grew. Late wiring counts it and
   * locks a user's PMEG while its segment has any.
   */
  private setWired(map: Sun4cMap, segment: number, va: Va, wired: boolean): number {
    const growth = map.wires.set(segment, pageInSegment(va), wired);
    if (!this.segments.late) return growth;
    map.wired += growth;
    if (growth !== 0 && map !== this.kernel && this.segments.isLoaded(map, segment)) {
      const list = map.wires.count[segment]! > 0 ? PMEG_LOCKED : PMEG_LRU;
      if (this.segments.pool.listOf(map.pmeg[segment]!) !== list)
        this.segments.pool.move(map.pmeg[segment]!, list);
    }
    return growth;
  }

  private changeProtection(map: Sun4cMap, va: Va, old: number, pte: number): void {
    const changed = ((old & ~PG_W) | (pte & PG_W)) >>> 0;
    if (changed === old) this.counters.uselessChangeprots++;
    else this.segments.writePte(map, va, old, changed);
  }

  private makePte(pa: Pa, prot: Prot, supervisor: boolean): number {
    const pfn = Math.floor(pa / NBPG) & PG_PFNUM;
    const space = ((pa % NBPG) & PMAP_TNC) << PG_TYPE_SHIFT;
    return makePte(pfn, PG_V | space | (prot & VM_PROT_WRITE ? PG_W : 0) | (supervisor ? PG_S : 0));
  }

  remove(pmap: PmapId, start: Va, end: Va): void {
    const map = this.segments.get(pmap);
    if (this.events.watched) this.events.emit('pmap.remove', pmap, start, end);
    for (let va = start; va < end;) {
      const stop = segmentEnd(va, end);
      if (this.isMapped(map, va)) this.removeFrom(map, va, stop, false);
      va = stop;
    }
  }

  /** Removes what one segment has in [start, end), all of it or only what may be forgotten. */
  private removeFrom(map: Sun4cMap, start: Va, end: Va, forgetting: boolean): void {
    const segment = segmentOf(start);
    for (let va = start; va < end; va += NBPG) {
      const pte = this.segments.readPte(map, va);
      if (!isValid(pte)) continue;
      const page = this.pages.ofPte(pte);
      if (!forgetting || this.isForgettable(map, va, page))
        this.removePte(map, segment, va, pte, page);
    }
    this.closeSegment(map, segment);
  }

  /** Whether anything is mapped in the segment of `va`. */
  private isMapped(map: Sun4cMap, va: Va): boolean {
    return !inHole(va) && map.valid[segmentOf(va)]! > 0;
  }

  /** Takes one valid mapping away, off its page's list and out of every count. `enter` made it if it is listed or not managed. */
  private removePte(map: Sun4cMap, segment: number, va: Va, pte: number, page: number): void {
    this.segments.writePte(map, va, pte, 0);
    map.valid[segment]!--;
    if (page >= 0 && !this.aliases.unlink(page, map, va)) return;
    this.pages.harvest(pte);
    map.resident--;
    this.setWired(map, segment, va, false);
  }

  /** Gives the PMEG and the copy of a segment back if nothing is left in it. */
  private closeSegment(map: Sun4cMap, segment: number): void {
    if (map.valid[segment]! > 0) return;
    if (this.segments.isLoaded(map, segment)) this.segments.free(map, segment);
    if (map === this.kernel) return;
    this.copies.free(map.copy[segment]!);
    map.copy[segment] = NO_PA;
  }

  /** As the interface says: with WRITE in `prot` nothing is lost, which NetBSD's took away even then. */
  protect(pmap: PmapId, start: Va, end: Va, prot: Prot): void {
    if ((prot & (VM_PROT_READ | VM_PROT_EXECUTE)) === 0) return this.remove(pmap, start, end);
    const map = this.segments.get(pmap);
    if (this.events.watched) this.events.emit('pmap.protect', pmap, start, end, prot);
    if (prot & VM_PROT_WRITE) return;
    for (let va = start; va < end;) {
      const stop = segmentEnd(va, end);
      if (this.isMapped(map, va))
        for (let at = va; at < stop; at += NBPG) this.writeProtect(map, at);
      va = stop;
    }
  }

  private writeProtect(map: Sun4cMap, va: Va): void {
    const pte = this.segments.readPte(map, va);
    if (isValid(pte) && pte & PG_W) this.segments.writePte(map, va, pte, (pte & ~PG_W) >>> 0);
  }

  /**
   * In 2001 this counts a `ps_useless_changewire` and does nothing, whatever is mapped at `va` or is not. With `late`
   * wiring a wired mapping loses the attribute, the last of its segment unlocks the PMEG, and what is not
   * wired or not there is counted so.
   */
  unwire(pmap: PmapId, va: Va): void {
    const map = this.segments.get(pmap);
    if (this.events.watched) this.events.emit('pmap.unwire', pmap, va);
    const growth = inHole(va) ? 0 : this.setWired(map, segmentOf(va), va, false);
    if (growth === 0 || !this.segments.late) this.counters.uselessChangewire++;
  }

  extract(pmap: PmapId, va: Va): Pa {
    const map = this.segments.get(pmap);
    if (inHole(va)) return NO_PA;
    const pte = this.segments.readPte(map, va);
    return isValid(pte) ? ptePa(pte) + (va & (NBPG - 1)) : NO_PA;
  }

  /** As the interface says; panics under DIAGNOSTIC over another mapping, and if no PMEG can be had. */
  kenterPa(va: Va, pa: Pa, prot: Prot): void {
    if (this.events.watched) this.events.emit('pmap.kenter', va, pa, prot);
    const segment = segmentOf(va);
    const old = this.segments.readPte(this.kernel, va);
    if (!isValid(old)) {
      if (this.kernel.valid[segment] === 0) this.segments.loadKernel(segment);
      this.kernel.valid[segment]!++;
    } else if (this.diagnostic) {
      throw new KernelPanic('pmap_kenter_pa: mapping exists', { va, pte: old });
    }
    this.segments.writePte(this.kernel, va, old, this.makePte(pa, prot, true));
  }

  /** As the interface says; under DIAGNOSTIC it panics at a mapping that `enter` made. */
  kremove(va: Va, length: number): void {
    if (this.events.watched) this.events.emit('pmap.kremove', va, length);
    for (let at = va; at < va + length;) {
      const stop = segmentEnd(at, va + length);
      if (this.isMapped(this.kernel, at)) this.kremoveFrom(at, stop);
      at = stop;
    }
  }

  private kremoveFrom(start: Va, end: Va): void {
    const segment = segmentOf(start);
    for (let va = start; va < end; va += NBPG) {
      const pte = this.segments.readPte(this.kernel, va);
      if (!isValid(pte)) continue;
      const page = this.pages.ofPte(pte);
      if (this.diagnostic && page >= 0 && this.pages.pv.find(page, PMAP_KERNEL, va) !== PV_NONE)
        throw new KernelPanic('pmap_kremove: managed mapping', { va, pte });
      this.segments.writePte(this.kernel, va, pte, 0);
      this.kernel.valid[segment]!--;
    }
    this.closeSegment(this.kernel, segment);
  }

  copy(_dst: PmapId, _src: PmapId, _dstVa: Va, _length: number, _srcVa: Va): void {}

  collect(pmap: PmapId): void {
    this.segments.get(pmap);
    if (this.events.watched) this.events.emit('pmap.collect', pmap);
  }

  /** Without the kernel's unmanaged mappings: nothing tells those of `enter` from those of {@link kenterPa}. */
  forget(pmap: PmapId, start: Va, end: Va): number {
    const map = this.segments.get(pmap);
    if (this.events.watched) this.events.emit('pmap.forget', pmap, start, end);
    const before = map.resident;
    for (let va = start; va < end && map.resident > 0;) {
      const stop = segmentEnd(va, end);
      if (this.isMapped(map, va)) this.removeFrom(map, va, stop, true);
      va = stop;
    }
    return before - map.resident;
  }

  private isForgettable(map: Sun4cMap, va: Va, page: number): boolean {
    if (map.wires.has(segmentOf(va), pageInSegment(va))) return false;
    return (
      map !== this.kernel || (page >= 0 && this.pages.pv.find(page, PMAP_KERNEL, va) !== PV_NONE)
    );
  }

  update(pmap: PmapId): void {
    this.segments.get(pmap);
    if (this.events.watched) this.events.emit('pmap.update', pmap);
  }

  // Pages

  /**
   * The kernel reaches the page through a window that is not cached (vpage) and that is gone again when it is done, so
   * what matters here is that no mapping keeps lines of what was there before.
   */
  zeroPage(pa: Pa): void {
    this.flushMappings(pa);
    this.memory.zero(pa);
  }

  /** As {@link zeroPage}; the source needs no flush, for memory is never behind a write-through cache. */
  copyPage(src: Pa, dst: Pa): void {
    this.flushMappings(dst);
    this.memory.copy(src, dst);
  }

  private flushMappings(pa: Pa): void {
    const page = this.pages.index(pa);
    if (page < 0) return;
    const { pv } = this.pages;
    for (let entry = pv.head[page]!; entry !== PV_NONE; entry = pv.next[entry]!)
      this.segments.flushPage(this.segments.get(pv.pmap[entry]!), pv.va[entry]!);
  }

  pageProtect(pa: Pa, prot: Prot): void {
    const page = this.pages.index(pa);
    if (page < 0) return;
    if (this.events.watched) this.events.emit('pmap.pageProtect', pa, prot);
    if (prot & VM_PROT_WRITE) return;
    const { pv } = this.pages;
    if (prot & (VM_PROT_READ | VM_PROT_EXECUTE)) {
      for (let entry = pv.head[page]!; entry !== PV_NONE; entry = pv.next[entry]!)
        this.writeProtect(this.segments.get(pv.pmap[entry]!), pv.va[entry]!);
      return;
    }
    for (let entry = pv.head[page]!; entry !== PV_NONE; entry = pv.head[page]!) {
      const map = this.segments.get(pv.pmap[entry]!);
      const va = pv.va[entry]!;
      const pte = this.segments.readPte(map, va);
      if (!isValid(pte))
        throw new KernelPanic('pmap_page_protect !PG_V', { pmap: map.id, va, pte });
      this.removePte(map, segmentOf(va), va, pte, page);
      this.closeSegment(map, segmentOf(va));
    }
  }

  clearModify(pa: Pa): boolean {
    const was = this.testAndClear(pa, PV_MOD);
    if (this.events.watched) this.events.emit('pmap.clearModify', pa, was ? 1 : 0);
    return was;
  }

  clearReference(pa: Pa): boolean {
    const was = this.testAndClear(pa, PV_REF);
    if (this.events.watched) this.events.emit('pmap.clearReference', pa, was ? 1 : 0);
    return was;
  }

  isModified(pa: Pa): boolean {
    return this.test(pa, PV_MOD);
  }

  isReferenced(pa: Pa): boolean {
    return this.test(pa, PV_REF);
  }

  private testAndClear(pa: Pa, attribute: number): boolean {
    const page = this.pages.index(pa);
    if (page < 0) return false;
    this.syncAttributes(page);
    const attributes = this.pages.attributes[page]!;
    this.pages.attributes[page] = attributes & ~attribute;
    return (attributes & attribute) !== 0;
  }

  private test(pa: Pa, attribute: number): boolean {
    const page = this.pages.index(pa);
    if (page < 0) return false;
    if ((this.pages.attributes[page]! & attribute) === 0) this.syncAttributes(page);
    return (this.pages.attributes[page]! & attribute) !== 0;
  }

  /**
   * Moves U and M of every loaded mapping into the page's attributes (pv_syncflags). The page leaves the cache with
   * them, since a hit would not set U again; NetBSD flushed only where M was set, and missed references.
   */
  private syncAttributes(page: number): void {
    const { pv } = this.pages;
    for (let entry = pv.head[page]!; entry !== PV_NONE; entry = pv.next[entry]!) {
      const map = this.segments.get(pv.pmap[entry]!);
      const va = pv.va[entry]!;
      const pte = this.segments.readPte(map, va);
      if ((pte & (PG_U | PG_M)) === 0) continue;
      this.pages.harvest(pte);
      this.segments.writePte(map, va, pte, (pte & ~(PG_U | PG_M)) >>> 0);
    }
  }

  physAddress(cookie: number): Pa {
    return cookie;
  }

  /** The next address congruent with the offset, and beyond the hole if it falls into it. */
  readonly prefer = (offset: number, va: Va): Va => {
    const at = inHole(va) ? MMU_HOLE_END : va;
    const preferred = at + ((offset - at) & (CACHE_ALIAS_DIST - 1));
    return inHole(preferred) ? MMU_HOLE_END + (offset & (CACHE_ALIAS_DIST - 1)) : preferred;
  };

  describe(pmap: PmapId, va: Va): string {
    const map = this.segments.get(pmap);
    if (inHole(va)) return 'in the hole';
    const segment = segmentOf(va);
    const where = this.segments.isLoaded(map, segment) ? `PMEG ${map.pmeg[segment]}` : 'no PMEG';
    return `segment 0x${segmentVa(segment).toString(16).padStart(8, '0')} ${where}: ${describePte(this.segments.readPte(map, va))}`;
  }
}

/** Where the segment of `va` ends, the range does, or the hole, if `va` is in it. */
function segmentEnd(va: Va, end: Va): Va {
  return inHole(va) ? MMU_HOLE_END : Math.min(end, va - (va % NBPSG) + NBPSG);
}
