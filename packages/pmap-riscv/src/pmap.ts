import {
  hex,
  KernelPanic,
  MapTable,
  NO_PA,
  NO_PMAP,
  PMAP_KERNEL,
  PMAP_WIRED,
  PV_NONE,
  PvTable,
  shortage,
  STEAL_TABLE,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type BootServices,
  type EnterFlags,
  type Errno,
  type EventStream,
  type Layout,
  type Pa,
  type PhysicalMemory,
  type Pmap,
  type PmapId,
  type PmapServices,
  type Prot,
  type Va,
} from '@uvmkit/pmap';
import {
  flagNames,
  makePte,
  PAGE_SIZE,
  PTE_A,
  PTE_D,
  PTE_FLAGS,
  PTE_G,
  PTE_PVLIST,
  PTE_R,
  PTE_U,
  PTE_V,
  PTE_W,
  PTE_WIRED,
  PTE_X,
  ptePa,
  pteProt,
  pteRights,
} from './bits.ts';
import { Cpus } from './cpus.ts';
import type { Format } from './format.ts';
import { STORE_PAGE_FAULT, type RiscvMmu } from './mmu.ts';
import { Space } from './space.ts';
import { Tables } from './tables.ts';

/** Kernel memory that has tables from boot on; growKernel makes more. */
const BOOT_KERNEL_BYTES = 16 << 20;

/**
 * A pmap for RISC-V as NetBSD would have written one in 2001: pv lists, wired in a software bit of the entry, tables
 * freed with the last mapping, kernel tables shared by the entries of the root. (NetBSD's own is of 2014 and later.)
 *
 * The count of a map's mappings is that of its leaves, and the count of wired ones that of the leaves with WIRED; mappings of
 * kenterPa have it and are counted too.
 */
export abstract class RiscvPmap implements Pmap {
  readonly fork = null;
  readonly prefer = null;
  /** There is no instruction cache here that a FENCE.I would have to empty. */
  readonly procwr = null;
  readonly growKernel: (maxva: Va) => Va;
  readonly mapPoolPage: ((pa: Pa) => Va) | null;
  readonly cpus: Cpus;
  private readonly memory: PhysicalMemory;
  private readonly events: EventStream;
  private readonly boot: BootServices;
  private readonly layout: Layout;
  private readonly spaces: MapTable<Space>;
  private readonly tables: Tables;
  private readonly pvLimit: number;
  private services: PmapServices | null = null;
  private pv: PvTable = new PvTable(0);
  /** PTE_A and PTE_D of mappings that are no more, by page. */
  private attributes: Uint8Array = new Uint8Array(0);
  /** The map that a table was last stolen from. */
  private hand: PmapId = PMAP_KERNEL;

  /**
   * @param direct where the direct map of physical memory begins
   * @param pvEntries the most pv entries at once
   */
  constructor(
    boot: BootServices,
    mmus: readonly RiscvMmu[],
    format: Format,
    layout: Layout,
    direct: Va,
    pvEntries: number,
  ) {
    const { memory, events, steal } = boot;
    const allocate = (): Pa => steal(PAGE_SIZE, PAGE_SIZE);
    const kernel = new Space(PMAP_KERNEL, allocate(), mmus.length);
    const { kernelMin } = layout;
    this.memory = memory;
    this.events = events;
    this.boot = boot;
    this.layout = layout;
    this.pvLimit = pvEntries;
    this.spaces = new MapTable(kernel);
    this.cpus = new Cpus(mmus, events, format.mode, kernel);
    this.tables = new Tables(memory, events, format, this.spaces, this.cpus, kernelMin, allocate);
    this.mapPoolPage = this.tables.mapDirectly(direct) ? (pa) => direct + pa : null;
    this.tables.grow(kernelMin + BOOT_KERNEL_BYTES);
    this.tables.allocate = () => NO_PA;
    this.growKernel = (maxva) => {
      if (maxva > layout.kernelMax)
        throw new RangeError(
          `kernel addresses end at ${hex(layout.kernelMax)}, given ${hex(maxva)}`,
        );
      return this.tables.grow(maxva);
    };
  }

  init(services: PmapServices): void {
    this.services = services;
    this.pv = new PvTable(services.pageCount, this.pvLimit);
    this.attributes = new Uint8Array(services.pageCount);
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
    const { id } = this.spaces.add(new Space(this.spaces.nextId, root, this.cpus.mmus.length));
    if (this.events.watched) this.events.emit('pmap.create', id);
    return id;
  }

  reference(id: PmapId): void {
    this.spaces.reference(id);
  }

  /** A map that still has mappings is emptied first, with a message under DIAGNOSTIC. */
  destroy(id: PmapId): void {
    const space = this.spaces.drop(id);
    if (space === null) return;
    if (space.resident > 0) {
      if (this.boot.diagnostic) this.boot.print(`pmap_destroy: pmap ${id} still has mappings`);
      this.removeRange(space, 0, this.layout.userMax, false);
    }
    this.cpus.unload(space);
    this.cpus.invalidate(space, null);
    this.tables.free(space.root);
    this.spaces.delete(space);
    if (this.events.watched) this.events.emit('pmap.destroy', id);
  }

  residentCount(id: PmapId): number {
    return this.spaces.get(id).resident;
  }

  wiredCount(id: PmapId): number {
    return this.spaces.get(id).wired;
  }

  tableBytes(id: PmapId): number {
    return this.spaces.get(id).tables * PAGE_SIZE;
  }

  /**
   * Whatever can run out is got before anything changes. The access in `flags` sets A and D at once, with hardware that
   * would set them too: the walk that follows need not.
   */
  enter(id: PmapId, va: Va, pa: Pa, prot: Prot, flags: EnterFlags): Errno {
    const space = this.spaces.get(id);
    if (this.events.watched) this.events.emit('pmap.enter', id, va, pa, prot, flags);
    const vpn = this.checkPage(space, va, pa, 'pmap_enter');
    let at = this.tables.make(space, vpn);
    while (at === NO_PA && this.stealTable()) at = this.tables.make(space, vpn);
    if (at === NO_PA) return shortage(flags, 'pmap_enter: no page for a table', { pmap: id, va });
    const page = this.pageIndex(pa);
    this.tables.hold(at);
    const enough = page < 0 || this.havePv(at);
    if (enough) this.replace(space, vpn, at, pa, page, this.newFlags(space, prot, flags));
    this.tables.release(space, vpn, at);
    return enough ? 0 : shortage(flags, 'pmap_enter: no pv entries', { pmap: id, va });
  }

  /** Whether there is a pv entry for a new mapping: a free one, or that of the mapping which it replaces. */
  private havePv(at: Pa): boolean {
    while (!this.pv.available())
      if ((this.tables.read(at) & PTE_PVLIST) !== 0) return true;
      else if (!this.stealTable()) return false;
    return true;
  }

  /** The low bits of the entry that an enter asks for. */
  private newFlags(space: Space, prot: Prot, flags: EnterFlags): number {
    let low = PTE_V | pteRights(prot, !space.kernel);
    if (space.kernel) low |= PTE_G;
    if ((flags & PMAP_WIRED) !== 0) low |= PTE_WIRED | PTE_A;
    if ((flags & VM_PROT_ALL) !== 0) low |= PTE_A;
    if ((flags & VM_PROT_WRITE) !== 0) low |= PTE_D;
    return low;
  }

  /** Makes the entry at `at`, in a table that is held, map `pa`; what it mapped before goes or is kept up. */
  private replace(space: Space, vpn: number, at: Pa, pa: Pa, page: number, flags: number): void {
    const managed = page < 0 ? 0 : PTE_PVLIST;
    let low = makePte(pa, flags | managed);
    let old = this.tables.read(at);
    if ((old & PTE_V) !== 0) {
      if (ptePa(old) === pa && (old & PTE_PVLIST) === managed) low |= old & (PTE_A | PTE_D);
      else {
        this.removeAt(space, vpn, at, old);
        old = 0;
      }
    }
    if ((old & PTE_V) === 0) {
      space.resident++;
      if (page >= 0) this.pv.insert(page, space.id, vpn * PAGE_SIZE, at | 0);
    }
    this.store(space, vpn, at, old, low);
  }

  /** Writes an entry, counts wiring, and makes TLBs forget what was there. */
  private store(space: Space, vpn: number, at: Pa, old: number, low: number): void {
    space.wired += Number((low & PTE_WIRED) !== 0) - Number((old & PTE_WIRED) !== 0);
    this.tables.write(space, vpn, at, old, low);
    if ((old & PTE_V) !== 0 && ((old ^ low) & ~(PTE_WIRED | PTE_PVLIST)) !== 0)
      this.cpus.invalidate(space, vpn * PAGE_SIZE);
  }

  /** Takes a mapping away, wired or not; A and D go to the page. Its table may be left empty. */
  private removeAt(space: Space, vpn: number, at: Pa, old: number): void {
    this.store(space, vpn, at, old, 0);
    space.resident--;
    if ((old & PTE_PVLIST) === 0) return;
    const page = this.pageIndex(ptePa(old));
    this.attributes[page]! |= old & (PTE_A | PTE_D);
    if (!this.pv.remove(page, space.id, vpn * PAGE_SIZE))
      throw new KernelPanic('pmap_remove_pv: not on the list', { pmap: space.id, vpn });
  }

  /** Removes the mappings of [start, end), and says how many they were. */
  private removeRange(space: Space, start: Va, end: Va, keepWired: boolean): number {
    const skip = keepWired ? PTE_WIRED : 0;
    const before = space.resident;
    this.eachLeaf(space, start, end, (vpn, at, old) => {
      if ((old & skip) === 0) this.removeAt(space, vpn, at, old);
    });
    return before - space.resident;
  }

  /** Visits the mappings of [start, end). */
  private eachLeaf(
    space: Space,
    start: Va,
    end: Va,
    visit: (vpn: number, at: Pa, old: number) => void,
  ): void {
    this.checkRange(space, start, end);
    this.tables.each(space, start / PAGE_SIZE, end / PAGE_SIZE, (table, first, stop) => {
      for (let vpn = first, at = table; vpn < stop; vpn++, at += this.tables.entryBytes) {
        const old = this.tables.read(at);
        if ((old & PTE_V) !== 0) visit(vpn, at, old);
      }
      return false;
    });
  }

  remove(id: PmapId, start: Va, end: Va): void {
    const space = this.spaces.get(id);
    if (this.events.watched) this.events.emit('pmap.remove', id, start, end);
    this.removeRange(space, start, end, false);
  }

  protect(id: PmapId, start: Va, end: Va, prot: Prot): void {
    const space = this.spaces.get(id);
    if (this.events.watched) this.events.emit('pmap.protect', id, start, end, prot);
    if ((prot & (VM_PROT_READ | VM_PROT_EXECUTE)) === 0) {
      this.removeRange(space, start, end, false);
      return;
    }
    const user = !space.kernel;
    this.eachLeaf(space, start, end, (vpn, at, old) => {
      const rights = pteRights(pteProt(old, user) & prot, user);
      const low = (old & ~(PTE_R | PTE_W | PTE_X | PTE_U)) | rights;
      if (low !== old) this.store(space, vpn, at, old, low);
    });
  }

  /** Where no mapping is: a panic with DIAGNOSTIC, nothing without. Where one is not wired: a message, or nothing. */
  unwire(id: PmapId, va: Va): void {
    const space = this.spaces.get(id);
    if (this.events.watched) this.events.emit('pmap.unwire', id, va);
    const vpn = Math.floor(va / PAGE_SIZE);
    const at = this.tables.find(space, vpn);
    const old = at === NO_PA ? 0 : this.tables.read(at);
    if ((old & PTE_WIRED) !== 0) this.store(space, vpn, at, old, old & ~PTE_WIRED);
    else if (this.boot.diagnostic) {
      if ((old & PTE_V) === 0) throw new KernelPanic('pmap_unwire: not mapped', { pmap: id, va });
      this.boot.print(`pmap_unwire: wiring for pmap ${id} va ${hex(va)} didn't change!`);
    }
  }

  extract(id: PmapId, va: Va): Pa {
    const space = this.spaces.get(id);
    const vpn = Math.floor(va / PAGE_SIZE);
    return this.tables.has(va) ? this.tables.extract(space, vpn, va - vpn * PAGE_SIZE) : NO_PA;
  }

  kenterPa(va: Va, pa: Pa, prot: Prot): void {
    if (this.events.watched) this.events.emit('pmap.kenter', va, pa, prot);
    const { kernel } = this.spaces;
    const vpn = this.checkPage(kernel, va, pa, 'pmap_kenter_pa');
    const at = this.tables.find(kernel, vpn);
    if ((this.tables.read(at) & PTE_PVLIST) !== 0)
      throw new KernelPanic('pmap_kenter_pa: managed mapping', { va });
    const access = PMAP_WIRED | VM_PROT_WRITE;
    this.replace(kernel, vpn, at, pa, -1, this.newFlags(kernel, prot, access));
  }

  kremove(va: Va, length: number): void {
    if (this.events.watched) this.events.emit('pmap.kremove', va, length);
    const { kernel } = this.spaces;
    this.eachLeaf(kernel, va, va + length, (vpn, at, old) => {
      if ((old & PTE_PVLIST) !== 0)
        throw new KernelPanic('pmap_kremove: managed mapping', { va: vpn * PAGE_SIZE });
      this.removeAt(kernel, vpn, at, old);
    });
  }

  /** Advice that is not taken. */
  copy(dst: PmapId, src: PmapId, _dstVa: Va, _length: number, _srcVa: Va): void {
    this.spaces.get(dst);
    this.spaces.get(src);
  }

  collect(id: PmapId): void {
    const space = this.spaces.get(id);
    if (this.events.watched) this.events.emit('pmap.collect', id);
    if (!space.kernel) this.removeRange(space, 0, this.layout.userMax, true);
  }

  /** Mappings of kenterPa are wired. */
  forget(id: PmapId, start: Va, end: Va): number {
    const space = this.spaces.get(id);
    if (this.events.watched) this.events.emit('pmap.forget', id, start, end);
    return this.removeRange(space, start, end, true);
  }

  /** Nothing is deferred. */
  update(id: PmapId): void {
    this.spaces.get(id);
    if (this.events.watched) this.events.emit('pmap.update', id);
  }

  activate(id: PmapId): void {
    const space = this.spaces.get(id);
    if (this.events.watched) this.events.emit('pmap.activate', id, this.cpus.current);
    this.cpus.activate(space);
  }

  deactivate(id: PmapId): void {
    this.cpus.deactivate(this.spaces.get(id));
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
    this.eachMapping(pa, (space, vpn, at, old) => {
      if (!removes) return this.clear(space, vpn, at, old, PTE_W);
      this.removeAt(space, vpn, at, old);
      this.tables.prune(space, vpn);
    });
  }

  /** Visits the mappings on a page's list. One may be taken off it while it is visited. */
  private eachMapping(
    pa: Pa,
    visit: (space: Space, vpn: number, at: Pa, old: number) => void,
  ): void {
    const page = this.pageIndex(pa);
    const { pv } = this;
    for (let entry = page < 0 ? PV_NONE : pv.head[page]!, next; entry !== PV_NONE; entry = next) {
      next = pv.next[entry]!;
      const at = pv.aux[entry]! >>> 0;
      visit(this.spaces.get(pv.pmap[entry]!), pv.va[entry]! / PAGE_SIZE, at, this.tables.read(at));
    }
  }

  /** Clears bits of an entry; nothing happens where none is set. */
  private clear(space: Space, vpn: number, at: Pa, old: number, bits: number): void {
    if ((old & bits) !== 0) this.store(space, vpn, at, old, old & ~bits);
  }

  clearModify(pa: Pa): boolean {
    const was = this.clearAttribute(pa, PTE_D);
    if (this.events.watched) this.events.emit('pmap.clearModify', pa, was ? 1 : 0);
    return was;
  }

  clearReference(pa: Pa): boolean {
    const was = this.clearAttribute(pa, PTE_A);
    if (this.events.watched) this.events.emit('pmap.clearReference', pa, was ? 1 : 0);
    return was;
  }

  private clearAttribute(pa: Pa, bit: number): boolean {
    const was = this.has(pa, bit);
    if (!was) return false;
    this.attributes[this.pageIndex(pa)]! &= ~bit;
    this.eachMapping(pa, (space, vpn, at, old) => this.clear(space, vpn, at, old, bit));
    return true;
  }

  isModified(pa: Pa): boolean {
    return this.has(pa, PTE_D);
  }

  isReferenced(pa: Pa): boolean {
    return this.has(pa, PTE_A);
  }

  private has(pa: Pa, bit: number): boolean {
    const page = this.pageIndex(pa);
    let bits = page < 0 ? 0 : this.attributes[page]!;
    this.eachMapping(pa, (_space, _vpn, _at, old) => (bits |= old));
    return (bits & bit) !== 0;
  }

  physAddress(cookie: number): Pa {
    return cookie * PAGE_SIZE;
  }

  describe(id: PmapId, va: Va): string {
    const space = this.spaces.get(id);
    if (!this.tables.has(va)) return 'not an address: it is not sign-extended';
    const { level, low } = this.tables.entry(space, Math.floor(va / PAGE_SIZE));
    const target = (low & PTE_V) === 0 ? 'invalid' : `${flagNames(low)} → ${hex(ptePa(low))}`;
    return `level ${level} PTE ${hex(low >>> 0, this.tables.entryBytes * 2)} ${target}`;
  }

  /** Whether a leaf maps the address in the kernel's map or a CPU's own, whatever it allows. */
  isMapped(kernel: boolean, cpu: number, va: Va): boolean {
    const vpn = Math.floor(va / PAGE_SIZE);
    return (this.tables.entry(this.cpus.walked(kernel, cpu), vpn).low & PTE_V) !== 0;
  }

  /**
   * Settles a page fault that was raised for want of A or D (Svade): sets them, as hardware would have.
   *
   * A CPU that knew less than the tables is told, too.
   *
   * @returns false if the fault was about something else
   */
  settle(kernel: boolean, mmu: RiscvMmu): boolean {
    const space = this.cpus.walked(kernel, mmu.cpu);
    const vpn = Math.floor(mmu.stval / PAGE_SIZE);
    const at = this.tables.find(space, vpn);
    const old = at === NO_PA ? 0 : this.tables.read(at);
    const used = old | (mmu.scause === STORE_PAGE_FAULT ? PTE_A | PTE_D : PTE_A);
    if (!mmu.permits(used & PTE_FLAGS)) return false;
    if (used !== old) this.tables.write(space, vpn, at, old, used);
    mmu.sfenceVma(mmu.stval, null);
    return true;
  }

  private pageIndex(pa: Pa): number {
    return this.services === null ? -1 : this.services.pageIndex(pa);
  }

  /**
   * Forgets all that one table of a user's map holds, for the page that it is and the pv entries of its mappings. Never a
   * wired mapping. The search goes on with the map after the one that it ended with.
   */
  private stealTable(): boolean {
    const spaces = this.spaces.all().filter(({ kernel }) => !kernel);
    const after = spaces.findIndex(({ id }) => id > this.hand);
    const order = after < 0 ? spaces : [...spaces.slice(after), ...spaces.slice(0, after)];
    return order.some((space) => this.stealFrom(space));
  }

  private stealFrom(space: Space): boolean {
    const end = this.layout.userMax / PAGE_SIZE;
    const { entryBytes } = this.tables;
    return this.tables.each(space, 0, end, (table, first, stop) => {
      let all = 0;
      for (let at = table; at < table + PAGE_SIZE; at += entryBytes) all |= this.tables.read(at);
      if ((all & (PTE_V | PTE_WIRED)) !== PTE_V) return false;
      for (let vpn = first, at = table; vpn < stop; vpn++, at += entryBytes) {
        const old = this.tables.read(at);
        if ((old & PTE_V) !== 0) this.removeAt(space, vpn, at, old);
      }
      this.hand = space.id;
      if (this.events.watched)
        this.events.emit('pmap.steal', space.id, first * PAGE_SIZE, STEAL_TABLE);
      return true;
    });
  }

  /** The page number of `va`. A page that the map cannot have is a mistake, or the kernel's panic. */
  private checkPage(space: Space, va: Va, pa: Pa, who: string): number {
    if (va % PAGE_SIZE !== 0 || pa % PAGE_SIZE !== 0 || pa < 0 || pa >= 2 ** 32)
      throw new RangeError(
        `${who} wants page-aligned addresses, physical below 4 GB, given ${hex(va)} ${hex(pa)}`,
      );
    this.checkRange(space, va, va + PAGE_SIZE);
    if (space.kernel && va >= this.tables.kernelEnd)
      throw new KernelPanic(`${who}: no kernel table`, { va, end: this.tables.kernelEnd });
    return va / PAGE_SIZE;
  }

  private checkRange(space: Space, start: Va, end: Va): void {
    const { userMin, userMax, kernelMin, kernelMax } = this.layout;
    const [first, beyond] = space.kernel ? [kernelMin, kernelMax] : [userMin, userMax];
    if (start % PAGE_SIZE !== 0 || end % PAGE_SIZE !== 0 || start < first || end > beyond)
      throw new RangeError(
        `pmap ${space.id} has pages from ${hex(first)} to ${hex(beyond)}, given ${hex(start)} to ${hex(end)}`,
      );
  }
}
