import type { Pa, Va } from './address.ts';
import { NO_PA } from './address.ts';
import type { EventStream } from './events.ts';
import type { MapTable, PhysicalMap } from './map-table.ts';
import type { PhysicalMemory } from './memory.ts';
import { KernelPanic } from './panic.ts';
import type { Prot } from './prot.ts';

/**
 * The entries of an architecture whose MMU walks a tree of tables in memory, each a page: words of 32 bits, of which
 * the tables may hold more than the pmap has to know.
 */
export interface TreeFormat {
  /** Log2 of the bytes of a page, and of a table. */
  readonly pageShift: number;
  readonly levels: number;
  /** Bits of a virtual page number that a level takes; a table has as many entries as they can tell apart. */
  readonly indexBits: number;
  /** Bytes from one entry of a table to the next. */
  readonly entryBytes: number;
  /** The lowest virtual address, and the first beyond the highest. */
  readonly lowest: Va;
  readonly beyond: Va;
  /** The bit of an entry that is there. */
  readonly valid: number;
  /** Bits of software's: the mapping is wired; it is on its page's pv list. */
  readonly wired: number;
  readonly listed: number;
  /** The bits that say that the page was used, and stored to. */
  readonly referenced: number;
  readonly modified: number;
  /** Set in the kernel's leaves, where entries of every address space match; 0 if there is no such bit. */
  readonly global: number;
  /** The bits that {@link rights} may set. */
  readonly rightsMask: number;
  /** The word of the entry at an address, which is signed, and how it is written. */
  readonly load: (memory: PhysicalMemory, at: Pa) => number;
  readonly save: (memory: PhysicalMemory, at: Pa, entry: number) => void;
  /** Whether a valid entry above level 0 maps a page, a large one, and no table. */
  readonly isLeaf: (entry: number) => boolean;
  /** What an entry points to: a page or a table. */
  readonly target: (entry: number) => Pa;
  /** The entry for a table. */
  readonly pointer: (table: Pa) => number;
  /** The bits of a leaf that name its page. */
  readonly page: (pa: Pa) => number;
  /** The bits of a leaf of level 0 that grant rights, of a user's map or of the kernel's. Never 0 together with {@link valid}. */
  readonly rights: (prot: Prot, user: boolean) => number;
  /** The protection that {@link rights} made an entry of. */
  readonly prot: (entry: number, user: boolean) => Prot;
  /** A valid entry in the manual's words. */
  readonly describe: (entry: number) => string;
}

/** One physical map over a tree of tables. */
export interface TreeMap extends PhysicalMap {
  /** Physical address of the root table. */
  readonly root: Pa;
  /** Leaves of level 0. */
  resident: number;
  /** Those of them that are wired. */
  wired: number;
  /** Tables of its own, the root included. */
  tables: number;
}

/** How CPUs are made to forget what they have cached of a map. */
export interface TreeCaches<M> {
  /**
   * No CPU uses it any more when this returns.
   *
   * @param va the page whose leaf changed; null if a table was taken out
   */
  invalidate(map: M, va: Va | null): void;
}

/** Told of a table of level 0, and of the pages [vpn, stop) of it that are asked for. True ends the tour. */
export type TableVisit = (table: Pa, vpn: number, stop: number) => boolean;

/**
 * The tables of every map, as bytes in physical memory. Each root has the kernel's entries in its upper half:
 *
 *     kernel's root   [ nothing          | kernel memory, and whatever the port has there ]
 *     a user's root   [ its own          | the same                                       ]
 *
 * A table page below the root counts the entries in it that are valid, and one more for each operation that is at work
 * inside. The last one frees it and drops one of the table above. The kernel's tables hold one for good.
 */
export class TreeTables<M extends TreeMap> {
  readonly memory: PhysicalMemory;
  /** First kernel address beyond the kernel's tables. */
  kernelEnd: Va;
  /** Where table pages come from, and go: memory that is stolen for good at boot, then UVM's. */
  allocate: () => Pa;
  free: (pa: Pa) => void = () => {};
  private readonly format: TreeFormat;
  private readonly maps: MapTable<M>;
  private readonly caches: TreeCaches<M>;
  private readonly events: EventStream;
  /** By page number of the table. */
  private readonly counts: Uint16Array;
  /** The addresses of the entries on the last {@link descend}, by level. */
  private readonly trail: Float64Array;
  private readonly pageShift: number;
  private readonly pageSize: number;

  /** @param kernelMin the first address of kernel memory; no table for it is there yet */
  constructor(
    memory: PhysicalMemory,
    events: EventStream,
    format: TreeFormat,
    maps: MapTable<M>,
    caches: TreeCaches<M>,
    kernelMin: Va,
    allocate: () => Pa,
  ) {
    this.memory = memory;
    this.events = events;
    this.format = format;
    this.maps = maps;
    this.caches = caches;
    this.pageShift = format.pageShift;
    this.pageSize = 2 ** format.pageShift;
    this.kernelEnd = kernelMin;
    this.allocate = allocate;
    this.counts = new Uint16Array(memory.size / this.pageSize);
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

  isValid(entry: number): boolean {
    return (entry & this.format.valid) !== 0;
  }

  /** The word of an entry. */
  read(at: Pa): number {
    return this.format.load(this.memory, at);
  }

  /** Writes a leaf of level 0 and counts it in its table, which may be left empty. */
  write(map: M, vpn: number, at: Pa, old: number, entry: number): void {
    this.format.save(this.memory, at, entry);
    this.counts[at >>> this.pageShift]! += Number(this.isValid(entry)) - Number(this.isValid(old));
    if (this.events.watched)
      this.events.emit('pte.write', map.id, vpn * this.pageSize, old >>> 0, entry >>> 0);
  }

  /**
   * Goes down the tables of a map towards a page, leaving a {@link trail}.
   *
   * @returns the level of the entry where it ends: a leaf, an entry that is not valid, or level 0
   */
  private descend(map: M, vpn: number): number {
    const { indexBits, entryBytes } = this.format;
    let table = map.root;
    for (let level = this.format.levels - 1; ; level--) {
      const at = table + ((vpn >> (level * indexBits)) & ((1 << indexBits) - 1)) * entryBytes;
      this.trail[level] = at;
      const entry = this.read(at);
      if (level === 0 || !this.isValid(entry) || this.format.isLeaf(entry)) return level;
      table = this.format.target(entry);
    }
  }

  /** Where the entry for a page lies in its table of level 0, or `NO_PA` if there is no such table. */
  find(map: M, vpn: number): Pa {
    return this.descend(map, vpn) === 0 ? this.trail[0]! : NO_PA;
  }

  /** The physical address of a byte by any kind of mapping, or `NO_PA`. */
  extract(map: M, vpn: number, offset: number): Pa {
    const level = this.descend(map, vpn);
    const entry = this.read(this.trail[level]!);
    if (!this.isValid(entry)) return NO_PA;
    const span = (1 << (level * this.format.indexBits)) - 1;
    return this.format.target(entry) + (vpn & span) * this.pageSize + offset;
  }

  /** The entry that a walk to the page ends at, and its level. */
  entry(map: M, vpn: number): { readonly level: number; readonly entry: number } {
    const level = this.descend(map, vpn);
    return { level, entry: this.read(this.trail[level]!) };
  }

  /** As {@link find}, but makes the tables. `NO_PA` if pages are short: nothing has changed then. */
  make(map: M, vpn: number): Pa {
    for (;;) {
      const level = this.descend(map, vpn);
      if (level === 0) return this.trail[0]!;
      const table = this.allocate();
      if (table === NO_PA) {
        this.prune(map, vpn);
        return NO_PA;
      }
      const at = this.trail[level]!;
      this.format.save(this.memory, at, this.format.pointer(table));
      this.counts[at >>> this.pageShift]!++;
      map.tables++;
      if (map === this.maps.kernel) this.counts[table >>> this.pageShift]!++;
    }
  }

  /** Keeps the table that an entry lies in from being freed, until {@link release}. */
  hold(at: Pa): void {
    this.counts[at >>> this.pageShift]!++;
  }

  /** Lets go of the table that the entry `at` for a page lies in. */
  release(map: M, vpn: number, at: Pa): void {
    this.counts[at >>> this.pageShift]!--;
    this.prune(map, vpn);
  }

  /** Frees the tables on the way to a page that have nothing in them. No CPU may have a pointer to one cached then. */
  prune(map: M, vpn: number): void {
    if (map === this.maps.kernel) return;
    for (let level = this.descend(map, vpn); level < this.format.levels - 1; level++) {
      const table = this.trail[level]! >>> this.pageShift;
      if (this.counts[table] !== 0) return;
      const above = this.trail[level + 1]!;
      this.format.save(this.memory, above, 0);
      this.counts[above >>> this.pageShift]!--;
      this.caches.invalidate(map, null);
      this.free(table * this.pageSize);
      map.tables--;
    }
  }

  /**
   * Visits the tables of level 0 that map pages of [first, end). A table is held while it is visited and freed after if
   * it is empty.
   *
   * @returns whether a visit ended the tour
   */
  each(map: M, first: number, end: number, visit: TableVisit): boolean {
    const { indexBits } = this.format;
    for (let vpn = first; vpn < end;) {
      const level = this.descend(map, vpn);
      const at = this.trail[0]!;
      const stop = Math.min(end, (vpn | ((1 << ((level || 1) * indexBits)) - 1)) + 1);
      if (level === 0) {
        this.hold(at);
        const ended = visit(at, vpn, stop);
        this.release(map, vpn, at);
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
    const half = this.pageSize / 2;
    const { root: kernel } = this.maps.kernel;
    this.memory.copy(kernel + half, root + half, half);
    return root;
  }

  /**
   * Makes the kernel's tables reach `maxva`, in every map.
   *
   * @throws KernelPanic if there is no page for a table
   */
  grow(maxva: Va): Va {
    const { kernel } = this.maps;
    const { indexBits, levels } = this.format;
    while (this.kernelEnd < maxva) {
      const vpn = this.kernelEnd / this.pageSize;
      if (this.make(kernel, vpn) === NO_PA)
        throw new KernelPanic('pmap_growkernel: out of memory', { maxva, end: this.kernelEnd });
      const at = this.trail[levels - 1]!;
      const entry = this.read(at);
      for (const map of this.maps.all())
        this.format.save(this.memory, map.root + (at % this.pageSize), entry);
      this.kernelEnd += this.pageSize << indexBits;
    }
    return this.kernelEnd;
  }
}
