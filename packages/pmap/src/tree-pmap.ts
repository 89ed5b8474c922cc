import { NO_PA, NO_PMAP, PMAP_KERNEL, hex, type Pa, type PmapId, type Va } from './address.ts';
import type { Errno } from './errno.ts';
import type { EventStream } from './events.ts';
import { STEAL_TABLE } from './events.ts';
import { MapTable } from './map-table.ts';
import type { PhysicalMemory } from './memory.ts';
import { KernelPanic, shortage } from './panic.ts';
import type { Pmap, PmapServices } from './pmap.ts';
import type { BootServices, Layout } from './port.ts';
import {
  PMAP_WIRED,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type EnterFlags,
  type Prot,
} from './prot.ts';
import { PV_NONE, PvTable } from './pv.ts';
import { TreeTables, type TreeCaches, type TreeFormat, type TreeMap } from './tree-tables.ts';

/** What a {@link TreePmap} needs of the CPUs. */
export interface TreeCpus<M> extends TreeCaches<M> {
  /** The CPU on which pmap calls are being made. */
  readonly current: number;
  /** The current CPU runs the map from now on. */
  activate(map: M): void;
  /** The current CPU no longer runs it. */
  deactivate(map: M): void;
  /** CPUs that still walk its tables walk the kernel's. */
  unload(map: M): void;
}

/** What a {@link TreePmap} is made of. */
export interface TreePmapParts<M extends TreeMap, C extends TreeCpus<M>> {
  readonly boot: BootServices;
  readonly format: TreeFormat;
  readonly layout: Layout;
  /** A map with that root, one reference and nothing else; it has one table. */
  readonly makeMap: (id: PmapId, root: Pa) => M;
  /** The CPUs, running the kernel's map. */
  readonly makeCpus: (kernel: M) => C;
  /** Bytes of kernel memory that have tables from boot on; `growKernel` makes more. */
  readonly bootKernelBytes: number;
  /** The most pv entries at once. */
  readonly pvEntries: number;
}

/**
 * A pmap for MMUs that walk a tree of tables in memory and tell used and modified by bits of the entry: all that is not
 * the architecture's, in the manner of NetBSD's of 2001. Pages know their mappings by pv lists, wired is a bit of
 * software's, tables go with the last mapping in them, and the kernel's are in every root. (NetBSD later made such pmaps of
 * one source, too: sys/uvm/pmap.)
 *
 * The count of a map's mappings is that of its leaves, and the count of wired ones that of its wired leaves; mappings of
 * `kenterPa` are wired, and counted (`PortCapabilities.kenterCounted`). Nothing is deferred. `pageProtect` removes wired
 * mappings, `clearReference` keeps them, and `unwire` panics where nothing is mapped. What a shortage takes back is one
 * table of level 0 with nothing wired in it.
 *
 * A port derives from it and adds what is its own.
 */
export abstract class TreePmap<M extends TreeMap, C extends TreeCpus<M>> implements Pmap {
  readonly fork: ((src: PmapId, dst: PmapId) => void) | null = null;
  readonly prefer: ((offset: number, va: Va) => Va) | null = null;
  readonly procwr: ((pmap: PmapId, va: Va, length: number) => void) | null = null;
  readonly growKernel: (maxva: Va) => Va;
  readonly mapPoolPage: ((pa: Pa) => Va) | null = null;
  readonly cpus: C;
  protected readonly memory: PhysicalMemory;
  protected readonly events: EventStream;
  protected readonly tables: TreeTables<M>;
  private readonly boot: BootServices;
  private readonly format: TreeFormat;
  private readonly layout: Layout;
  private readonly maps: MapTable<M>;
  private readonly makeMap: (id: PmapId, root: Pa) => M;
  private readonly pvLimit: number;
  private readonly pageSize: number;
  private services: PmapServices | null = null;
  private pv: PvTable = new PvTable(0);
  /** Used and modified, as the entries have them, of mappings that are no more; by page. */
  private attributes: Int32Array = new Int32Array(0);
  /** The map that a table was last stolen from. */
  private hand: PmapId = PMAP_KERNEL;

  constructor(parts: TreePmapParts<M, C>) {
    const { boot, format, layout, makeMap } = parts;
    const { memory, events, steal } = boot;
    const { kernelMin, kernelMax, pageSize } = layout;
    const allocate = (): Pa => steal(pageSize, pageSize);
    const kernel = makeMap(PMAP_KERNEL, allocate());
    this.memory = memory;
    this.events = events;
    this.boot = boot;
    this.format = format;
    this.layout = layout;
    this.makeMap = makeMap;
    this.pvLimit = parts.pvEntries;
    this.pageSize = pageSize;
    this.maps = new MapTable(kernel);
    this.cpus = parts.makeCpus(kernel);
    this.tables = new TreeTables(memory, events, format, this.maps, this.cpus, kernelMin, allocate);
    this.tables.grow(kernelMin + parts.bootKernelBytes);
    this.tables.allocate = () => NO_PA;
    this.growKernel = (maxva) => {
      if (maxva > kernelMax)
        throw new RangeError(`kernel addresses end at ${hex(kernelMax)}, given ${hex(maxva)}`);
      return this.tables.grow(maxva);
    };
  }

  init(services: PmapServices): void {
    this.services = services;
    this.pv = new PvTable(services.pageCount, this.pvLimit);
    this.attributes = new Int32Array(services.pageCount);
    this.tables.allocate = () => services.allocPage();
    this.tables.free = (pa) => services.freePage(pa);
  }

  virtualSpace(): { readonly start: Va; readonly end: Va } {
    return { start: this.layout.kernelMin, end: this.layout.kernelMax };
  }

  create(): PmapId {
    let root = this.tables.makeRoot();
    while (root === NO_PA && this.stealTable()) root = this.tables.makeRoot();
    if (root === NO_PA) return NO_PMAP;
    const { id } = this.maps.add(this.makeMap(this.maps.nextId, root));
    if (this.events.watched) this.events.emit('pmap.create', id);
    return id;
  }

  reference(id: PmapId): void {
    this.maps.reference(id);
  }

  /** A map that still has mappings is emptied first, with a message under DIAGNOSTIC. */
  destroy(id: PmapId): void {
    const map = this.maps.drop(id);
    if (map === null) return;
    if (map.resident > 0) {
      if (this.boot.diagnostic) this.boot.print(`pmap_destroy: pmap ${id} still has mappings`);
      this.removeRange(map, 0, this.layout.userMax, false);
    }
    this.cpus.unload(map);
    this.cpus.invalidate(map, null);
    this.tables.free(map.root);
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
    return this.maps.get(id).tables * this.pageSize;
  }

  /**
   * Whatever can run out is got before anything changes. The access in `flags` sets used and modified at once, with
   * hardware that would set them too: the walk that follows need not.
   */
  enter(id: PmapId, va: Va, pa: Pa, prot: Prot, flags: EnterFlags): Errno {
    const map = this.maps.get(id);
    if (this.events.watched) this.events.emit('pmap.enter', id, va, pa, prot, flags);
    const vpn = this.checkPage(map, va, pa, 'pmap_enter');
    let at = this.tables.make(map, vpn);
    while (at === NO_PA && this.stealTable()) at = this.tables.make(map, vpn);
    if (at === NO_PA) return shortage(flags, 'pmap_enter: no page for a table', { pmap: id, va });
    const page = this.pageIndex(pa);
    this.tables.hold(at);
    const enough = page < 0 || this.havePv(at);
    if (enough) this.replace(map, vpn, at, pa, page, this.newFlags(map, prot, flags));
    this.tables.release(map, vpn, at);
    return enough ? 0 : shortage(flags, 'pmap_enter: no pv entries', { pmap: id, va });
  }

  /** Whether there is a pv entry for a new mapping: a free one, or that of the mapping which it replaces. */
  private havePv(at: Pa): boolean {
    while (!this.pv.available())
      if ((this.tables.read(at) & this.format.listed) !== 0) return true;
      else if (!this.stealTable()) return false;
    return true;
  }

  /** The bits of the entry that an enter asks for, but for its page. */
  private newFlags(map: M, prot: Prot, flags: EnterFlags): number {
    let entry = this.format.valid | this.format.rights(prot, map !== this.maps.kernel);
    if (map === this.maps.kernel) entry |= this.format.global;
    if ((flags & PMAP_WIRED) !== 0) entry |= this.format.wired | this.format.referenced;
    if ((flags & VM_PROT_ALL) !== 0) entry |= this.format.referenced;
    if ((flags & VM_PROT_WRITE) !== 0) entry |= this.format.modified;
    return entry;
  }

  /** Makes the entry at `at`, in a table that is held, map `pa`; what it mapped before goes or is kept up. */
  private replace(map: M, vpn: number, at: Pa, pa: Pa, page: number, flags: number): void {
    const managed = page < 0 ? 0 : this.format.listed;
    let entry = this.format.page(pa) | flags | managed;
    let old = this.tables.read(at);
    if ((old & this.format.valid) !== 0) {
      if (this.format.target(old) === pa && (old & this.format.listed) === managed)
        entry |= old & (this.format.referenced | this.format.modified);
      else {
        this.removeAt(map, vpn, at, old);
        old = 0;
      }
    }
    if ((old & this.format.valid) === 0) {
      map.resident++;
      if (page >= 0) this.pv.insert(page, map.id, vpn * this.pageSize, at | 0);
    }
    this.store(map, vpn, at, old, entry);
  }

  /** Writes an entry, counts wiring, and makes TLBs forget what was there. */
  private store(map: M, vpn: number, at: Pa, old: number, entry: number): void {
    map.wired +=
      Number((entry & this.format.wired) !== 0) - Number((old & this.format.wired) !== 0);
    this.tables.write(map, vpn, at, old, entry);
    if (
      (old & this.format.valid) !== 0 &&
      ((old ^ entry) & ~(this.format.wired | this.format.listed)) !== 0
    )
      this.cpus.invalidate(map, vpn * this.pageSize);
  }

  /** Takes a mapping away, wired or not; used and modified go to the page. Its table may be left empty. */
  private removeAt(map: M, vpn: number, at: Pa, old: number): void {
    this.store(map, vpn, at, old, 0);
    map.resident--;
    if ((old & this.format.listed) === 0) return;
    const page = this.pageIndex(this.format.target(old));
    this.attributes[page]! |= old & (this.format.referenced | this.format.modified);
    if (!this.pv.remove(page, map.id, vpn * this.pageSize))
      throw new KernelPanic('pmap_remove_pv: not on the list', { pmap: map.id, vpn });
  }

  /** Removes the mappings of [start, end), and says how many they were. */
  private removeRange(map: M, start: Va, end: Va, keepWired: boolean): number {
    const skip = keepWired ? this.format.wired : 0;
    const before = map.resident;
    this.eachLeaf(map, start, end, (vpn, at, old) => {
      if ((old & skip) === 0) this.removeAt(map, vpn, at, old);
    });
    return before - map.resident;
  }

  /** Visits the mappings of [start, end). */
  private eachLeaf(
    map: M,
    start: Va,
    end: Va,
    visit: (vpn: number, at: Pa, old: number) => void,
  ): void {
    this.checkRange(map, start, end);
    this.tables.each(map, start / this.pageSize, end / this.pageSize, (table, first, stop) => {
      for (let vpn = first, at = table; vpn < stop; vpn++, at += this.tables.entryBytes) {
        const old = this.tables.read(at);
        if ((old & this.format.valid) !== 0) visit(vpn, at, old);
      }
      return false;
    });
  }

  remove(id: PmapId, start: Va, end: Va): void {
    const map = this.maps.get(id);
    if (this.events.watched) this.events.emit('pmap.remove', id, start, end);
    this.removeRange(map, start, end, false);
  }

  protect(id: PmapId, start: Va, end: Va, prot: Prot): void {
    const map = this.maps.get(id);
    if (this.events.watched) this.events.emit('pmap.protect', id, start, end, prot);
    if ((prot & (VM_PROT_READ | VM_PROT_EXECUTE)) === 0) {
      this.removeRange(map, start, end, false);
      return;
    }
    this.eachLeaf(map, start, end, (vpn, at, old) => this.lower(map, vpn, at, old, prot));
  }

  /** Takes the rights of a mapping that `prot` has not. */
  private lower(map: M, vpn: number, at: Pa, old: number, prot: Prot): void {
    const user = map !== this.maps.kernel;
    const rights = this.format.rights(this.format.prot(old, user) & prot, user);
    const entry = (old & ~this.format.rightsMask) | rights;
    if (entry !== old) this.store(map, vpn, at, old, entry);
  }

  /** Where no mapping is: a panic with DIAGNOSTIC, nothing without. Where one is not wired: a message, or nothing. */
  unwire(id: PmapId, va: Va): void {
    const map = this.maps.get(id);
    if (this.events.watched) this.events.emit('pmap.unwire', id, va);
    const vpn = Math.floor(va / this.pageSize);
    const at = this.tables.find(map, vpn);
    const old = at === NO_PA ? 0 : this.tables.read(at);
    if ((old & this.format.wired) !== 0) this.store(map, vpn, at, old, old & ~this.format.wired);
    else if (this.boot.diagnostic) {
      if ((old & this.format.valid) === 0)
        throw new KernelPanic('pmap_unwire: not mapped', { pmap: id, va });
      this.boot.print(`pmap_unwire: wiring for pmap ${id} va ${hex(va)} didn't change!`);
    }
  }

  extract(id: PmapId, va: Va): Pa {
    const map = this.maps.get(id);
    const vpn = Math.floor(va / this.pageSize);
    return this.tables.has(va) ? this.tables.extract(map, vpn, va - vpn * this.pageSize) : NO_PA;
  }

  kenterPa(va: Va, pa: Pa, prot: Prot): void {
    if (this.events.watched) this.events.emit('pmap.kenter', va, pa, prot);
    const { kernel } = this.maps;
    const vpn = this.checkPage(kernel, va, pa, 'pmap_kenter_pa');
    const at = this.tables.find(kernel, vpn);
    if ((this.tables.read(at) & this.format.listed) !== 0)
      throw new KernelPanic('pmap_kenter_pa: managed mapping', { va });
    const access = PMAP_WIRED | VM_PROT_WRITE;
    this.replace(kernel, vpn, at, pa, -1, this.newFlags(kernel, prot, access));
  }

  kremove(va: Va, length: number): void {
    if (this.events.watched) this.events.emit('pmap.kremove', va, length);
    const { kernel } = this.maps;
    this.eachLeaf(kernel, va, va + length, (vpn, at, old) => {
      if ((old & this.format.listed) !== 0)
        throw new KernelPanic('pmap_kremove: managed mapping', { va: vpn * this.pageSize });
      this.removeAt(kernel, vpn, at, old);
    });
  }

  /** Advice that is not taken. */
  copy(dst: PmapId, src: PmapId, _dstVa: Va, _length: number, _srcVa: Va): void {
    this.maps.get(dst);
    this.maps.get(src);
  }

  collect(id: PmapId): void {
    const map = this.maps.get(id);
    if (this.events.watched) this.events.emit('pmap.collect', id);
    if (map !== this.maps.kernel) this.removeRange(map, 0, this.layout.userMax, true);
  }

  /** Mappings of kenterPa are wired. */
  forget(id: PmapId, start: Va, end: Va): number {
    const map = this.maps.get(id);
    if (this.events.watched) this.events.emit('pmap.forget', id, start, end);
    return this.removeRange(map, start, end, true);
  }

  /** Nothing is deferred. */
  update(id: PmapId): void {
    this.maps.get(id);
    if (this.events.watched) this.events.emit('pmap.update', id);
  }

  activate(id: PmapId): void {
    const map = this.maps.get(id);
    if (this.events.watched) this.events.emit('pmap.activate', id, this.cpus.current);
    this.cpus.activate(map);
  }

  deactivate(id: PmapId): void {
    this.cpus.deactivate(this.maps.get(id));
  }

  zeroPage(pa: Pa): void {
    this.memory.zero(pa);
  }

  copyPage(src: Pa, dst: Pa): void {
    this.memory.copy(src, dst);
  }

  pageProtect(pa: Pa, prot: Prot): void {
    if ((prot & VM_PROT_WRITE) !== 0) return;
    if (this.events.watched) this.events.emit('pmap.pageProtect', pa, prot);
    const removes = (prot & (VM_PROT_READ | VM_PROT_EXECUTE)) === 0;
    this.eachMapping(pa, (map, vpn, at, old) => {
      if (!removes) return this.lower(map, vpn, at, old, VM_PROT_READ | VM_PROT_EXECUTE);
      this.removeAt(map, vpn, at, old);
      this.tables.prune(map, vpn);
    });
  }

  /** Visits the mappings on a page's list. One may be taken off it while it is visited. */
  private eachMapping(pa: Pa, visit: (map: M, vpn: number, at: Pa, old: number) => void): void {
    const page = this.pageIndex(pa);
    const { pv } = this;
    for (let entry = page < 0 ? PV_NONE : pv.head[page]!, next; entry !== PV_NONE; entry = next) {
      next = pv.next[entry]!;
      const at = pv.aux[entry]! >>> 0;
      visit(
        this.maps.get(pv.pmap[entry]!),
        pv.va[entry]! / this.pageSize,
        at,
        this.tables.read(at),
      );
    }
  }

  clearModify(pa: Pa): boolean {
    const was = this.clearAttribute(pa, this.format.modified);
    if (this.events.watched) this.events.emit('pmap.clearModify', pa, was ? 1 : 0);
    return was;
  }

  clearReference(pa: Pa): boolean {
    const was = this.clearAttribute(pa, this.format.referenced);
    if (this.events.watched) this.events.emit('pmap.clearReference', pa, was ? 1 : 0);
    return was;
  }

  private clearAttribute(pa: Pa, bit: number): boolean {
    const was = this.has(pa, bit);
    if (!was) return false;
    this.attributes[this.pageIndex(pa)]! &= ~bit;
    this.eachMapping(pa, (map, vpn, at, old) => {
      if ((old & bit) !== 0) this.store(map, vpn, at, old, old & ~bit);
    });
    return true;
  }

  isModified(pa: Pa): boolean {
    return this.has(pa, this.format.modified);
  }

  isReferenced(pa: Pa): boolean {
    return this.has(pa, this.format.referenced);
  }

  private has(pa: Pa, bit: number): boolean {
    const page = this.pageIndex(pa);
    let bits = page < 0 ? 0 : this.attributes[page]!;
    this.eachMapping(pa, (_map, _vpn, _at, old) => (bits |= old));
    return (bits & bit) !== 0;
  }

  physAddress(cookie: number): Pa {
    return cookie * this.pageSize;
  }

  describe(id: PmapId, va: Va): string {
    const map = this.maps.get(id);
    if (!this.tables.has(va)) return 'not an address';
    const { level, entry } = this.tables.entry(map, Math.floor(va / this.pageSize));
    const target =
      (entry & this.format.valid) === 0
        ? 'invalid'
        : `${this.format.describe(entry)} → ${hex(this.format.target(entry))}`;
    return `level ${level} PTE ${hex(entry >>> 0, this.tables.entryBytes * 2)} ${target}`;
  }

  private pageIndex(pa: Pa): number {
    return this.services === null ? -1 : this.services.pageIndex(pa);
  }

  /**
   * Forgets all that one table of a user's map holds, for the page that it is and the pv entries of its mappings. Never a
   * wired mapping. The search goes on with the map after the one that it ended with.
   */
  private stealTable(): boolean {
    const maps = this.maps.all().filter(({ id }) => id !== PMAP_KERNEL);
    const after = maps.findIndex(({ id }) => id > this.hand);
    const order = after < 0 ? maps : [...maps.slice(after), ...maps.slice(0, after)];
    return order.some((map) => this.stealFrom(map));
  }

  private stealFrom(map: M): boolean {
    const end = this.layout.userMax / this.pageSize;
    const { entryBytes } = this.tables;
    return this.tables.each(map, 0, end, (table, first, stop) => {
      let all = 0;
      for (let at = table; at < table + this.pageSize; at += entryBytes)
        all |= this.tables.read(at);
      if ((all & (this.format.valid | this.format.wired)) !== this.format.valid) return false;
      for (let vpn = first, at = table; vpn < stop; vpn++, at += entryBytes) {
        const old = this.tables.read(at);
        if ((old & this.format.valid) !== 0) this.removeAt(map, vpn, at, old);
      }
      this.hand = map.id;
      if (this.events.watched)
        this.events.emit('pmap.steal', map.id, first * this.pageSize, STEAL_TABLE);
      return true;
    });
  }

  /** The page number of `va`. A page that the map cannot have is a mistake, or the kernel's panic. */
  private checkPage(map: M, va: Va, pa: Pa, who: string): number {
    if (va % this.pageSize !== 0 || pa % this.pageSize !== 0 || pa < 0 || pa >= 2 ** 32)
      throw new RangeError(
        `${who} wants page-aligned addresses, physical below 4 GB, given ${hex(va)} ${hex(pa)}`,
      );
    this.checkRange(map, va, va + this.pageSize);
    if (map === this.maps.kernel && va >= this.tables.kernelEnd)
      throw new KernelPanic(`${who}: no kernel table`, { va, end: this.tables.kernelEnd });
    return va / this.pageSize;
  }

  private checkRange(map: M, start: Va, end: Va): void {
    const { userMin, userMax, kernelMin, kernelMax } = this.layout;
    const [first, beyond] = map === this.maps.kernel ? [kernelMin, kernelMax] : [userMin, userMax];
    if (start % this.pageSize !== 0 || end % this.pageSize !== 0 || start < first || end > beyond)
      throw new RangeError(
        `pmap ${map.id} has pages from ${hex(first)} to ${hex(beyond)}, given ${hex(start)} to ${hex(end)}`,
      );
  }
}
