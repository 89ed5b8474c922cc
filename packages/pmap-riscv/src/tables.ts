import {
  KernelPanic,
  NO_PA,
  type EventStream,
  type MapTable,
  type Pa,
  type PhysicalMemory,
  type Va,
} from '@uvmkit/pmap';
import {
  makePte,
  PAGE_SHIFT,
  PAGE_SIZE,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_LEAF,
  PTE_R,
  PTE_V,
  PTE_W,
  ptePa,
} from './bits.ts';
import type { Cpus } from './cpus.ts';
import type { Format } from './format.ts';
import type { Space } from './space.ts';

/** Told of a table of level 0, and of the pages [vpn, stop) of it that are asked for. True ends the tour. */
export type TableVisit = (table: Pa, vpn: number, stop: number) => boolean;

/**
 * The tables of every map, as bytes in physical memory. Each user's root has the kernel's entries in its upper slots.
 *
 *     root (kernel)   [ user half: empty | kernel memory | direct map: superpage leaves ]
 *     root (user)     [ its own          | the same      | the same                     ]
 *
 * A table page below the root counts the entries in it that are valid, and one more for each operation that is at work
 * inside. The last one frees it and drops one of the table above. The kernel's tables hold one for good. Entries of 8 bytes have
 * a high word of 0, with which their page came: memory ends below 4 GB.
 */
export class Tables {
  readonly memory: PhysicalMemory;
  /** First kernel address beyond the kernel's tables. */
  kernelEnd: Va;
  /** Where table pages come from, and go: memory that is stolen for good at boot, then UVM's. */
  allocate: () => Pa;
  free: (pa: Pa) => void = () => {};
  private readonly format: Format;
  private readonly spaces: MapTable<Space>;
  private readonly cpus: Cpus;
  private readonly events: EventStream;
  /** By page number of the table. */
  private readonly counts: Uint16Array;
  /** The addresses of the entries on the last {@link descend}, by level. */
  private readonly trail: Float64Array;

  /** @param kernelMin the first address of kernel memory; no table for it is there yet */
  constructor(
    memory: PhysicalMemory,
    events: EventStream,
    format: Format,
    spaces: MapTable<Space>,
    cpus: Cpus,
    kernelMin: Va,
    allocate: () => Pa,
  ) {
    this.memory = memory;
    this.events = events;
    this.format = format;
    this.spaces = spaces;
    this.cpus = cpus;
    this.kernelEnd = kernelMin;
    this.allocate = allocate;
    this.counts = new Uint16Array(memory.size / PAGE_SIZE);
    this.trail = new Float64Array(format.levels);
  }

  /** Bytes from one entry of a table to the next. */
  get entryBytes(): number {
    return this.format.entryBytes;
  }

  /** Whether an address is one of the format's. */
  has(va: Va): boolean {
    return va >= this.format.lowest && va < this.format.beyond;
  }

  /** The low word of an entry. */
  read(at: Pa): number {
    return this.memory.readLe32(at) | 0;
  }

  /** Writes a leaf of level 0 and counts it in its table, which may be left empty. */
  write(space: Space, vpn: number, at: Pa, old: number, low: number): void {
    this.memory.writeLe32(at, low);
    this.counts[at >>> PAGE_SHIFT]! += (low & PTE_V) - (old & PTE_V);
    if (this.events.watched)
      this.events.emit('pte.write', space.id, vpn * PAGE_SIZE, old >>> 0, low >>> 0);
  }

  /**
   * Goes down the tables of a map towards a page, leaving a {@link trail}.
   *
   * @returns the level of the entry where it ends: a leaf, an entry that is not valid, or level 0
   */
  private descend(space: Space, vpn: number): number {
    const { indexBits, entryBytes } = this.format;
    let table = space.root;
    for (let level = this.format.levels - 1; ; level--) {
      const at = table + ((vpn >> (level * indexBits)) & ((1 << indexBits) - 1)) * entryBytes;
      this.trail[level] = at;
      const low = this.read(at);
      if (level === 0 || (low & PTE_V) === 0 || (low & PTE_LEAF) !== 0) return level;
      table = ptePa(low);
    }
  }

  /** Where the entry for a page lies in its table of level 0, or `NO_PA` if there is no such table. */
  find(space: Space, vpn: number): Pa {
    return this.descend(space, vpn) === 0 ? this.trail[0]! : NO_PA;
  }

  /** The physical address of a byte by any kind of mapping, or `NO_PA`. */
  extract(space: Space, vpn: number, offset: number): Pa {
    const level = this.descend(space, vpn);
    const low = this.read(this.trail[level]!);
    if ((low & PTE_V) === 0) return NO_PA;
    const span = (1 << (level * this.format.indexBits)) - 1;
    return ptePa(low) + (vpn & span) * PAGE_SIZE + offset;
  }

  /** The entry that a walk to the page ends at, and its level. */
  entry(space: Space, vpn: number): { readonly level: number; readonly low: number } {
    const level = this.descend(space, vpn);
    return { level, low: this.read(this.trail[level]!) };
  }

  /** As {@link find}, but makes the tables. `NO_PA` if pages are short: nothing has changed then. */
  make(space: Space, vpn: number): Pa {
    for (;;) {
      const level = this.descend(space, vpn);
      if (level === 0) return this.trail[0]!;
      const table = this.allocate();
      if (table === NO_PA) {
        this.prune(space, vpn);
        return NO_PA;
      }
      const at = this.trail[level]!;
      this.memory.writeLe32(at, makePte(table, PTE_V));
      this.counts[at >>> PAGE_SHIFT]!++;
      space.tables++;
      if (space.kernel) this.counts[table >>> PAGE_SHIFT]!++;
    }
  }

  /** Keeps the table that an entry lies in from being freed, until {@link release}. */
  hold(at: Pa): void {
    this.counts[at >>> PAGE_SHIFT]!++;
  }

  /** Lets go of the table that the entry `at` for a page lies in. */
  release(space: Space, vpn: number, at: Pa): void {
    this.counts[at >>> PAGE_SHIFT]!--;
    this.prune(space, vpn);
  }

  /** Frees the tables on the way to a page that have nothing in them. No CPU may have a pointer to one cached then. */
  prune(space: Space, vpn: number): void {
    if (space.kernel) return;
    for (let level = this.descend(space, vpn); level < this.format.levels - 1; level++) {
      const table = this.trail[level]! >>> PAGE_SHIFT;
      if (this.counts[table] !== 0) return;
      const above = this.trail[level + 1]!;
      this.memory.writeLe32(above, 0);
      this.counts[above >>> PAGE_SHIFT]!--;
      this.cpus.invalidate(space, null);
      this.free(table * PAGE_SIZE);
      space.tables--;
    }
  }

  /**
   * Visits the tables of level 0 that map pages of [first, end). A table is held while it is visited and freed after if
   * it is empty.
   *
   * @returns whether a visit ended the tour
   */
  each(space: Space, first: number, end: number, visit: TableVisit): boolean {
    const { indexBits } = this.format;
    for (let vpn = first; vpn < end;) {
      const level = this.descend(space, vpn);
      const at = this.trail[0]!;
      const stop = Math.min(end, (vpn | ((1 << ((level || 1) * indexBits)) - 1)) + 1);
      if (level === 0) {
        this.hold(at);
        const ended = visit(at, vpn, stop);
        this.release(space, vpn, at);
        if (ended) return true;
      }
      vpn = stop;
    }
    return false;
  }

  /** A root for a new map, with the kernel's entries, or `NO_PA`. */
  makeRoot(): Pa {
    const root = this.allocate();
    if (root === NO_PA) return NO_PA;
    const half = PAGE_SIZE / 2;
    const { root: kernel } = this.spaces.kernel;
    this.memory.copy(kernel + half, root + half, half);
    return root;
  }

  /**
   * Makes the kernel's tables reach `maxva`, in every map.
   *
   * @throws KernelPanic if there is no page for a table
   */
  grow(maxva: Va): Va {
    const { kernel } = this.spaces;
    const { indexBits, levels } = this.format;
    while (this.kernelEnd < maxva) {
      const vpn = this.kernelEnd / PAGE_SIZE;
      if (this.make(kernel, vpn) === NO_PA)
        throw new KernelPanic('pmap_growkernel: out of memory', { maxva, end: this.kernelEnd });
      const at = this.trail[levels - 1]!;
      const low = this.read(at);
      for (const space of this.spaces.all())
        this.memory.writeLe32(space.root + (at % PAGE_SIZE), low);
      this.kernelEnd += PAGE_SIZE << indexBits;
    }
    return this.kernelEnd;
  }

  /**
   * Maps all of memory at `direct` by leaves in the kernel's root, before any other map is there.
   *
   * @returns whether it has room there
   */
  mapDirectly(direct: Va): boolean {
    const { indexBits, entryBytes, levels, beyond } = this.format;
    if (this.memory.size > (direct < 0 ? 0 : beyond) - direct) return false;
    const shift = (levels - 1) * indexBits;
    const bytes = PAGE_SIZE * 2 ** shift;
    const flags = PTE_V | PTE_R | PTE_W | PTE_G | PTE_A | PTE_D;
    for (let pa = 0; pa < this.memory.size; pa += bytes) {
      const index = (Math.floor((direct + pa) / PAGE_SIZE) >> shift) & ((1 << indexBits) - 1);
      this.memory.writeLe32(this.spaces.kernel.root + index * entryBytes, makePte(pa, flags));
    }
    return true;
  }
}
