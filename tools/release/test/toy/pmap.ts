import {
  MapTable,
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
  type PhysicalMap,
  type PhysicalMemory,
  type Pmap,
  type PmapId,
  type PmapServices,
  type Prot,
  type Va,
} from '@uvmkit/pmap';
import type { ToyMmu } from './mmu.ts';
import * as pte from './pte.ts';

const { KERNEL, PAGE, PTE_MOD, PTE_REF, PTE_V, PTE_WIRED, PTE_WRITE, SPAN } = pte;

/** The MMU does not tell fetches from loads, so what may be executed may be read. */
const READABLE: Prot = VM_PROT_READ | VM_PROT_EXECUTE;

/** One map: its table, which is all there is to it. */
interface ToyMap extends PhysicalMap {
  readonly table: Pa;
  resident: number;
  wired: number;
}

/** The software: tables written as bytes in physical memory, and flushes where the TLB may hold what was. */
export class ToyPmap implements Pmap {
  readonly growKernel = null;
  readonly fork = null;
  readonly prefer = null;
  readonly mapPoolPage = null;
  readonly procwr = null;
  private readonly memory: PhysicalMemory;
  private readonly events: EventStream;
  private readonly mmu: ToyMmu;
  private readonly maps: MapTable<ToyMap>;
  private active: ToyMap;
  private services: PmapServices | null = null;
  private pv: PvTable = new PvTable(0);
  /** R and M of mappings that are no more, by page. */
  private attributes: Uint8Array = new Uint8Array(0);

  constructor(boot: BootServices, mmu: ToyMmu, kernelTable: Pa) {
    const kernel = { id: PMAP_KERNEL, references: 1, table: kernelTable, resident: 0, wired: 0 };
    this.memory = boot.memory;
    this.events = boot.events;
    this.mmu = mmu;
    this.maps = new MapTable<ToyMap>(kernel);
    this.active = kernel;
  }

  init(services: PmapServices): void {
    this.services = services;
    this.pv = new PvTable(services.pageCount);
    this.attributes = new Uint8Array(services.pageCount);
  }

  virtualSpace(): { readonly start: Va; readonly end: Va } {
    return { start: KERNEL, end: KERNEL + SPAN };
  }

  create(): PmapId {
    const table = this.services!.allocPage();
    if (table === NO_PA) return NO_PMAP;
    const id = this.maps.nextId;
    this.maps.add({ id, references: 1, table, resident: 0, wired: 0 });
    if (this.events.watched) this.events.emit('pmap.create', id);
    return id;
  }

  reference(id: PmapId): void {
    this.maps.reference(id);
  }

  destroy(id: PmapId): void {
    const map = this.maps.drop(id);
    if (map === null) return;
    if (this.active === map) this.activate(PMAP_KERNEL);
    this.services!.freePage(map.table);
    this.maps.delete(map);
    if (this.events.watched) this.events.emit('pmap.destroy', id);
  }

  residentCount(id: PmapId): number {
    return this.maps.get(id).resident;
  }

  wiredCount(id: PmapId): number {
    return this.maps.get(id).wired;
  }

  tableBytes(id: PmapId): number {
    this.maps.get(id);
    return PAGE;
  }

  /** Where the entry for an address lies; a RangeError if the map can have none there. */
  private slot(map: ToyMap, va: Va): Pa {
    const offset = va - (map === this.maps.kernel ? KERNEL : 0);
    if (offset < 0 || offset >= SPAN) throw new RangeError(`pmap ${map.id} has no address ${va}`);
    return map.table + Math.floor(offset / PAGE) * 4;
  }

  /** The only way in which the pmap writes an entry; a valid one that changes is flushed. */
  private write(map: ToyMap, va: Va, at: Pa, entry: number): void {
    const old = this.memory.readLe32(at);
    this.memory.writeLe32(at, entry);
    if (this.events.watched) this.events.emit('pte.write', map.id, va, old, entry >>> 0);
    const visible = map === this.active || map === this.maps.kernel;
    if ((old & PTE_V) !== 0 && visible) this.mmu.flushPage(va);
  }

  private pageIndex(pa: Pa): number {
    return this.services === null ? -1 : this.services.pageIndex(pa);
  }

  enter(id: PmapId, va: Va, pa: Pa, prot: Prot, flags: EnterFlags): Errno {
    const map = this.maps.get(id);
    if (this.events.watched) this.events.emit('pmap.enter', id, va, pa, prot, flags);
    const at = this.slot(map, va);
    this.removeAt(map, va, at);
    const page = this.pageIndex(pa);
    if (page >= 0 && !this.pv.insert(page, id, va, 0))
      return shortage(flags, 'pmap_enter: no pv entries', { pmap: id, va });
    const wired = (flags & PMAP_WIRED) !== 0;
    const rights = (prot & VM_PROT_WRITE) === 0 ? PTE_V : PTE_V | PTE_WRITE;
    map.resident++;
    if (wired) map.wired++;
    this.write(map, va, at, pa | rights | (wired ? PTE_WIRED : 0));
    return 0;
  }

  /** Takes a mapping away, wired or not; R and M go to the page. */
  private removeAt(map: ToyMap, va: Va, at: Pa): void {
    const old = this.memory.readLe32(at);
    if ((old & PTE_V) === 0) return;
    this.write(map, va, at, 0);
    const page = this.pageIndex(pte.ptePage(old));
    if (page >= 0 && this.pv.remove(page, map.id, va))
      this.attributes[page]! |= old & (PTE_REF | PTE_MOD);
    map.resident--;
    if ((old & PTE_WIRED) !== 0) map.wired--;
  }

  remove(id: PmapId, start: Va, end: Va): void {
    const map = this.maps.get(id);
    if (this.events.watched) this.events.emit('pmap.remove', id, start, end);
    for (let va = start; va < end; va += PAGE) this.removeAt(map, va, this.slot(map, va));
  }

  protect(id: PmapId, start: Va, end: Va, prot: Prot): void {
    if ((prot & READABLE) === 0) return this.remove(id, start, end);
    const map = this.maps.get(id);
    if (this.events.watched) this.events.emit('pmap.protect', id, start, end, prot);
    if ((prot & VM_PROT_WRITE) !== 0) return;
    for (let va = start; va < end; va += PAGE) this.clear(map, va, PTE_WRITE);
  }

  /** Clears bits of an entry that is valid; whether any was set. */
  private clear(map: ToyMap, va: Va, bits: number): boolean {
    const at = this.slot(map, va);
    const old = this.memory.readLe32(at);
    if ((old & PTE_V) === 0 || (old & bits) === 0) return false;
    this.write(map, va, at, old & ~bits);
    return true;
  }

  unwire(id: PmapId, va: Va): void {
    const map = this.maps.get(id);
    if (this.events.watched) this.events.emit('pmap.unwire', id, va);
    if (this.clear(map, va, PTE_WIRED)) map.wired--;
  }

  extract(id: PmapId, va: Va): Pa {
    const entry = this.memory.readLe32(this.slot(this.maps.get(id), va));
    return (entry & PTE_V) === 0 ? NO_PA : pte.ptePage(entry) + (va % PAGE);
  }

  kenterPa(va: Va, pa: Pa, prot: Prot): void {
    if (this.events.watched) this.events.emit('pmap.kenter', va, pa, prot);
    const { kernel } = this.maps;
    this.write(
      kernel,
      va,
      this.slot(kernel, va),
      pa | PTE_V | (prot & VM_PROT_WRITE ? PTE_WRITE : 0),
    );
  }

  kremove(va: Va, length: number): void {
    if (this.events.watched) this.events.emit('pmap.kremove', va, length);
    const { kernel } = this.maps;
    for (let at = va; at < va + length; at += PAGE)
      this.write(kernel, at, this.slot(kernel, at), 0);
  }

  /** Mappings come back by faults; there is nothing to copy. */
  copy(to: PmapId, from: PmapId): void {
    this.maps.get(to);
    this.maps.get(from);
  }

  /** The table is all there is, and it is needed. */
  collect(id: PmapId): void {
    this.maps.get(id);
  }

  /** No wired ones, and of the kernel's none that no list has: `kenterPa` made those. */
  forget(id: PmapId, start: Va, end: Va): number {
    const map = this.maps.get(id);
    if (this.events.watched) this.events.emit('pmap.forget', id, start, end);
    const before = map.resident;
    for (let va = start; va < end; va += PAGE) {
      const at = this.slot(map, va);
      const entry = this.memory.readLe32(at);
      if ((entry & PTE_WIRED) !== 0) continue;
      const page = this.pageIndex(pte.ptePage(entry));
      const listed = page >= 0 && this.pv.find(page, id, va) !== PV_NONE;
      if (listed || map !== this.maps.kernel) this.removeAt(map, va, at);
    }
    return before - map.resident;
  }

  /** Nothing was deferred. */
  update(id: PmapId): void {
    this.maps.get(id);
  }

  activate(id: PmapId): void {
    this.active = this.maps.get(id);
    if (this.events.watched) this.events.emit('pmap.activate', id, this.mmu.cpu);
    this.mmu.loadTable(this.active.table);
  }

  deactivate(): void {}

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
    for (let entry = this.pv.head[page]!, next; entry !== PV_NONE; entry = next) {
      next = this.pv.next[entry]!;
      const map = this.maps.get(this.pv.pmap[entry]!);
      const va = this.pv.va[entry]!;
      if ((prot & READABLE) !== 0) this.clear(map, va, PTE_WRITE);
      else this.removeAt(map, va, this.slot(map, va));
    }
  }

  clearModify(pa: Pa): boolean {
    const was = this.clearAttribute(pa, PTE_MOD);
    if (this.events.watched) this.events.emit('pmap.clearModify', pa, Number(was));
    return was;
  }

  clearReference(pa: Pa): boolean {
    const was = this.clearAttribute(pa, PTE_REF);
    if (this.events.watched) this.events.emit('pmap.clearReference', pa, Number(was));
    return was;
  }

  private clearAttribute(pa: Pa, bit: number): boolean {
    const was = this.has(pa, bit);
    const page = this.pageIndex(pa);
    if (!was) return false;
    this.attributes[page]! &= ~bit;
    for (let entry = this.pv.head[page]!; entry !== PV_NONE; entry = this.pv.next[entry]!)
      this.clear(this.maps.get(this.pv.pmap[entry]!), this.pv.va[entry]!, bit);
    return true;
  }

  isModified(pa: Pa): boolean {
    return this.has(pa, PTE_MOD);
  }

  isReferenced(pa: Pa): boolean {
    return this.has(pa, PTE_REF);
  }

  private has(pa: Pa, bit: number): boolean {
    const page = this.pageIndex(pa);
    if (page < 0) return false;
    let bits = this.attributes[page]!;
    for (let entry = this.pv.head[page]!; entry !== PV_NONE; entry = this.pv.next[entry]!) {
      const map = this.maps.get(this.pv.pmap[entry]!);
      bits |= this.memory.readLe32(this.slot(map, this.pv.va[entry]!));
    }
    return (bits & bit) !== 0;
  }

  physAddress(cookie: number): Pa {
    return cookie;
  }

  describe(id: PmapId, va: Va): string {
    return pte.formatPte(this.memory.readLe32(this.slot(this.maps.get(id), va)));
  }
}
