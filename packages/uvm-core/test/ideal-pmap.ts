import {
  type Access,
  type BootServices,
  ENOMEM,
  type Errno,
  FAULT,
  type Fault,
  KernelPanic,
  type Layout,
  type MachineDependent,
  type Mmu,
  type MmuStats,
  mmuStats,
  NO_PA,
  NO_PMAP,
  type Pa,
  PMAP_CANFAIL,
  PMAP_KERNEL,
  PMAP_WIRED,
  type Pmap,
  type PmapId,
  type Port,
  type PortCapabilities,
  type Prot,
  TRAP_FAULT,
  type TrapOutcome,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type Va,
} from '@uvmkit/pmap';
import type { Mapping, MappingProbe } from '../src/check.ts';

/** What {@link idealPort} may be told. All of it may be changed while the machine runs. */
export interface IdealOptions {
  pageSize?: number;
  /** A small data segment leaves small maps room; 16 MB if not given. */
  maxDataSize?: number;
  /** The most mappings that all user maps may have together: beyond, enter answers ENOMEM. */
  mappings?: number;
  /** Called before every enter that may fail; true makes it fail. */
  failEnter?: () => boolean;
  /** Called before every create; true makes it fail. */
  failCreate?: () => boolean;
  /** Called after every enter with the number of unwired mappings; answers the one to forget, or −1. */
  forget?: (unwired: number) => number;
  /** Kernel page tables grow in steps of this many bytes; 0 for a map that is there from boot. */
  growBy?: number;
  /** PMAP_PREFER: pages of one object share cache lines at this distance. */
  alias?: number;
  /** remove and protect reach the TLB with the next update only. */
  deferred?: boolean;
}

interface Pte extends Mapping {
  prot: Prot;
  wired: boolean;
  /** Made by kenterPa. */
  readonly kentered?: boolean;
}

const MB = 1 << 20;

/** A port with nothing of a real machine in it: maps are maps, the MMU looks into them. It breaks no promise and grants no favour. */
export function idealPort(options: IdealOptions = {}): Port & { boot(boot: BootServices): Ideal } {
  const layout: Layout = {
    pageSize: options.pageSize ?? 4096,
    littleEndian: true,
    pointerSize: 4,
    userMin: 0x1000,
    userMax: 0x40000000,
    userStack: 0x40000000,
    userHoles: [],
    kernelMin: 0xc0000000,
    kernelMax: 0xd0000000,
    maxDataSize: options.maxDataSize ?? 16 * MB,
    maxStackSize: 2 * MB,
  };
  const capabilities: PortCapabilities = {
    execute: 'page',
    writeOnly: true,
    referenced: 'hardware',
    modified: 'hardware',
    addressSpaceTags: 0,
    cacheAlias: options.alias ?? 0,
    tables: 'mmu',
    deferred: options.deferred ?? false,
    scarceTables: options.mappings !== undefined,
    strictAlignment: false,
    pageProtectWired: 'removes',
    clearReferenceWired: 'keeps',
    kenterCounted: false,
    unwireMissing: 'panics',
  };
  const port: Port & { boot(boot: BootServices): Ideal } = {
    name: 'ideal',
    description: 'a Map for a page table',
    layout,
    capabilities,
    boot: (boot) => new Ideal(port, boot, options),
  };
  return port;
}

/** The booted ideal: its MMU, its pmap and the probe for the checker in one. */
export class Ideal implements MachineDependent, Mmu, MappingProbe {
  readonly port: Port;
  readonly mmus: readonly Mmu[] = [this];
  readonly pmap: IdealPmap;
  readonly fault: { -readonly [K in keyof Fault]: Fault[K] } = {
    va: 0,
    access: 0,
    type: VM_FAULT_INVALID,
    kernel: false,
  };
  readonly cpu = 0;
  readonly dataCache = null;
  readonly stats: MmuStats = mmuStats();
  currentCpu = 0;
  #va: Va = 0;
  #access: Access = 0;

  constructor(port: Port, boot: BootServices, options: IdealOptions) {
    this.port = port;
    this.pmap = new IdealPmap(boot, port.layout, options);
  }

  translate(va: Va, access: Access): Pa {
    this.stats.lookups++;
    const { pmap } = this;
    const page = va - (va % pmap.pageSize);
    const rights = access & VM_PROT_ALL;
    const kernel = va >= this.port.layout.kernelMin;
    const map = kernel ? PMAP_KERNEL : pmap.active;
    const stale = pmap.stale.get(map)?.get(page);
    const pte = stale ?? pmap.table(map).get(page);
    if (pte === undefined || (pte.prot & rights) !== rights) {
      this.stats.faults++;
      this.#va = va;
      this.#access = rights;
      this.fault.type = pte === undefined ? VM_FAULT_INVALID : VM_FAULT_PROTECT;
      return FAULT;
    }
    pmap.touch(pte.pa, (rights & VM_PROT_WRITE) !== 0);
    return pte.pa + (va - page);
  }

  trap(): TrapOutcome {
    this.fault.va = this.#va;
    this.fault.access = this.#access;
    this.fault.kernel = this.#va >= this.port.layout.kernelMin;
    return TRAP_FAULT;
  }

  mappings(pmap: PmapId): Iterable<Mapping> {
    return this.pmap.table(pmap).values();
  }

  flushAll(): void {
    this.pmap.stale.clear();
  }

  registers(): Readonly<Record<string, number>> {
    return { active: this.pmap.active };
  }

  describeFault(): string {
    return `fault at ${this.#va.toString(16)} for ${this.#access}`;
  }
}

/** pmap(9) over Maps, strict about everything that the contract says of the caller. */
export class IdealPmap implements Pmap {
  readonly pageSize: number;
  readonly options: IdealOptions;
  readonly growKernel: ((maxva: Va) => Va) | null;
  readonly prefer: ((offset: number, va: Va) => Va) | null;
  readonly fork = null;
  readonly mapPoolPage = null;
  readonly procwr = null;
  /** The user map that the CPU runs on. */
  active: PmapId = NO_PMAP;
  /** Translations that the CPU may still use until the next update. */
  readonly stale: Map<PmapId, Map<Va, Pte>> = new Map();
  readonly calls: Map<string, number> = new Map();
  readonly #boot: BootServices;
  readonly #layout: Layout;
  readonly #maps: Map<PmapId, { refs: number; ptes: Map<Va, Pte> }> = new Map();
  readonly #modified: Set<Pa> = new Set();
  readonly #referenced: Set<Pa> = new Set();
  #next = 1;

  constructor(boot: BootServices, layout: Layout, options: IdealOptions) {
    this.#boot = boot;
    this.#layout = layout;
    this.options = options;
    this.pageSize = layout.pageSize;
    this.#maps.set(PMAP_KERNEL, { refs: 1, ptes: new Map() });
    const { growBy = 0, alias = 0 } = options;
    this.growKernel = growBy === 0 ? null : (maxva) => Math.ceil(maxva / growBy) * growBy;
    this.prefer =
      alias === 0 ? null : (offset, va) => va + ((((offset - va) % alias) + alias) % alias);
  }

  table(pmap: PmapId): Map<Va, Pte> {
    const map = this.#maps.get(pmap);
    if (map === undefined) throw new RangeError(`no such pmap: ${pmap}`);
    return map.ptes;
  }

  touch(pa: Pa, write: boolean): void {
    this.#referenced.add(pa);
    if (write) this.#modified.add(pa);
  }

  init(): void {
    this.#count('init');
  }

  virtualSpace(): { start: Va; end: Va } {
    return { start: this.#layout.kernelMin, end: this.#layout.kernelMax };
  }

  create(): PmapId {
    this.#count('create');
    if (this.options.failCreate?.() === true) return NO_PMAP;
    this.#maps.set(this.#next, { refs: 1, ptes: new Map() });
    return this.#next++;
  }

  reference(pmap: PmapId): void {
    this.table(pmap);
    this.#maps.get(pmap)!.refs++;
  }

  destroy(pmap: PmapId): void {
    const left = this.table(pmap).size;
    const map = this.#maps.get(pmap)!;
    if (--map.refs > 0) return;
    if (left !== 0) throw new KernelPanic('ideal: pmap_destroy of a map with mappings', { left });
    this.#maps.delete(pmap);
    this.stale.delete(pmap);
    if (this.active === pmap) this.active = NO_PMAP;
  }

  residentCount(pmap: PmapId): number {
    return this.table(pmap).size;
  }

  wiredCount(pmap: PmapId): number {
    let wired = 0;
    for (const pte of this.table(pmap).values()) if (pte.wired) wired++;
    return wired;
  }

  tableBytes(pmap: PmapId): number {
    return this.table(pmap).size * 8;
  }

  enter(pmap: PmapId, va: Va, pa: Pa, prot: Prot, flags: number): Errno {
    this.#count('enter');
    this.#aligned(va, pa);
    if ((flags & VM_PROT_ALL & ~prot) !== 0)
      throw new KernelPanic('ideal: access exceeds protection', { va, prot, flags });
    if ((prot & VM_PROT_ALL) === VM_PROT_NONE)
      throw new KernelPanic('ideal: mapping without any right', { va });
    const table = this.table(pmap);
    const full =
      !table.has(va) &&
      pmap !== PMAP_KERNEL &&
      this.#userMappings() >= (this.options.mappings ?? Number.POSITIVE_INFINITY);
    if ((flags & PMAP_CANFAIL) !== 0 && (full || this.options.failEnter?.() === true)) {
      this.#drop(pmap, va);
      return ENOMEM;
    }
    if (full) throw new KernelPanic('ideal: pmap_enter out of mappings', { va });
    this.stale.get(pmap)?.delete(va);
    table.set(va, { va, pa, prot, wired: (flags & PMAP_WIRED) !== 0 });
    if ((flags & PMAP_WIRED) !== 0) {
      if ((flags & VM_PROT_ALL) !== 0) this.#referenced.add(pa);
      if ((flags & VM_PROT_WRITE) !== 0) this.#modified.add(pa);
    }
    this.#forgetOne(pmap, va);
    return 0;
  }

  remove(pmap: PmapId, start: Va, end: Va): void {
    this.#count('remove');
    for (const va of this.#range(pmap, start, end)) {
      if (this.table(pmap).get(va)!.kentered === true)
        throw new KernelPanic('ideal: pmap_remove of a mapping of kenterPa', { va });
      this.#keepStale(pmap, va);
      this.table(pmap).delete(va);
    }
  }

  protect(pmap: PmapId, start: Va, end: Va, prot: Prot): void {
    this.#count('protect');
    if ((prot & (VM_PROT_READ | VM_PROT_EXECUTE)) === 0) {
      this.remove(pmap, start, end);
      return;
    }
    const table = this.table(pmap);
    for (const va of this.#range(pmap, start, end)) {
      this.#keepStale(pmap, va);
      const pte = table.get(va)!;
      table.set(va, { ...pte, prot: pte.prot & prot });
    }
  }

  unwire(pmap: PmapId, va: Va): void {
    this.#count('unwire');
    const pte = this.table(pmap).get(va);
    if (pte === undefined) throw new KernelPanic('ideal: pmap_unwire: no mapping', { va });
    if (!pte.wired) throw new KernelPanic('ideal: pmap_unwire: not wired', { va });
    pte.wired = false;
  }

  extract(pmap: PmapId, va: Va): Pa {
    const page = va - (va % this.pageSize);
    const pte = this.table(pmap).get(page);
    return pte === undefined ? NO_PA : pte.pa + (va - page);
  }

  kenterPa(va: Va, pa: Pa, prot: Prot): void {
    this.#aligned(va, pa);
    this.table(PMAP_KERNEL).set(va, { va, pa, prot, wired: true, kentered: true });
  }

  kremove(va: Va, length: number): void {
    for (const at of this.#range(PMAP_KERNEL, va, va + length)) this.table(PMAP_KERNEL).delete(at);
  }

  copy(): void {
    this.#count('copy');
  }

  collect(pmap: PmapId): void {
    for (const [va, pte] of this.table(pmap)) if (!pte.wired) this.#drop(pmap, va);
  }

  forget(pmap: PmapId, start: Va, end: Va): number {
    this.#count('forget');
    const table = this.table(pmap);
    const before = table.size;
    for (const va of this.#range(pmap, start, end)) {
      if (table.get(va)!.wired) continue;
      this.#keepStale(pmap, va);
      table.delete(va);
    }
    return before - table.size;
  }

  update(pmap: PmapId): void {
    this.stale.delete(pmap);
  }

  activate(pmap: PmapId): void {
    this.table(pmap);
    this.active = pmap;
  }

  deactivate(): void {
    this.active = NO_PMAP;
  }

  zeroPage(pa: Pa): void {
    this.#boot.memory.zero(pa);
  }

  copyPage(src: Pa, dst: Pa): void {
    this.#boot.memory.copy(src, dst);
  }

  pageProtect(pa: Pa, prot: Prot): void {
    this.#count('pageProtect');
    if ((prot & VM_PROT_WRITE) !== 0) return;
    for (const [pmap, { ptes }] of this.#maps)
      for (const [va, pte] of ptes) {
        if (pte.pa !== pa) continue;
        if ((prot & (VM_PROT_READ | VM_PROT_EXECUTE)) === 0) this.#drop(pmap, va);
        else pte.prot &= ~VM_PROT_WRITE;
      }
    for (const stale of this.stale.values())
      for (const [va, pte] of stale) if (pte.pa === pa) stale.delete(va);
  }

  clearModify(pa: Pa): boolean {
    return this.#modified.delete(pa);
  }

  clearReference(pa: Pa): boolean {
    return this.#referenced.delete(pa);
  }

  isModified(pa: Pa): boolean {
    return this.#modified.has(pa);
  }

  isReferenced(pa: Pa): boolean {
    return this.#referenced.has(pa);
  }

  physAddress(cookie: number): Pa {
    return cookie * this.pageSize;
  }

  describe(pmap: PmapId, va: Va): string {
    return JSON.stringify(this.table(pmap).get(va - (va % this.pageSize)) ?? null);
  }

  *#range(pmap: PmapId, start: Va, end: Va): Generator<Va, void, void> {
    for (const va of [...this.table(pmap).keys()]) if (va >= start && va < end) yield va;
  }

  #keepStale(pmap: PmapId, va: Va): void {
    if (this.options.deferred !== true) return;
    let map = this.stale.get(pmap);
    if (map === undefined) this.stale.set(pmap, (map = new Map()));
    if (!map.has(va)) map.set(va, this.table(pmap).get(va)!);
  }

  #drop(pmap: PmapId, va: Va): void {
    this.table(pmap).delete(va);
    this.stale.get(pmap)?.delete(va);
  }

  /** Forgets what the test names, but never what was entered just now: that access must succeed. */
  #forgetOne(pmap: PmapId, entered: Va): void {
    const { forget } = this.options;
    if (forget === undefined) return;
    const unwired: [PmapId, Va][] = [];
    for (const [id, { ptes }] of this.#maps)
      for (const [va, pte] of ptes)
        if (!pte.wired && (id !== pmap || va !== entered)) unwired.push([id, va]);
    const chosen = unwired[forget(unwired.length)];
    if (chosen !== undefined) this.#drop(chosen[0], chosen[1]);
  }

  #userMappings(): number {
    let count = 0;
    for (const [id, { ptes }] of this.#maps) if (id !== PMAP_KERNEL) count += ptes.size;
    return count;
  }

  #aligned(va: Va, pa: Pa): void {
    if (va % this.pageSize !== 0 || pa % this.pageSize !== 0)
      throw new RangeError(`mapping must be page-aligned, given ${va} and ${pa}`);
  }

  #count(name: string): void {
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
  }
}
