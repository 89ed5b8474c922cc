import {
  KernelPanic,
  NO_PA,
  type EventStream,
  type Pa,
  type PhysicalMemory,
  type PmapServices,
  type Va,
} from '@uvmkit/pmap';
import type { Cpus } from './cpus.ts';
import { PG_ASM, PG_KRE, PG_KWE, PG_TABLE, PG_V, pteNumber } from './pte.ts';
import type { Shootdown } from './shootdown.ts';
import type { Space, SpaceTable } from './space.ts';
import { K1SEG, PAGE_SIZE, USEG_END, VPTBASE } from './vmparam.ts';

/** No table; no page for one. */
export const NO_TABLE = -1;

/** Bytes that one level-3 table maps: 8 MB. */
export const TABLE_SPAN: number = 1024 * PAGE_SIZE;
/** The level-1 slot that maps the level-1 table itself. */
const VPT_SLOT = 0x3fe;
/** The first level-1 slot of K1SEG. The slots from here on are the same in every map, but for the VPT's. */
const KERNEL_SLOT = 0x300;
/** A kernel table's entry. */
const KERNEL_TABLE = PG_TABLE | PG_ASM;
/** The VPT's entry has no ASM: each map has its own tables (pitfall F.5). */
const SELF_MAP = PG_V | PG_KRE | PG_KWE;

/** Physical address of the level-1 entry of a page, given the table's frame. */
function entry1(lev1: number, page: number): Pa {
  return lev1 * PAGE_SIZE + ((page >> 20) & 0x3ff) * 8;
}

/** Physical address of the level-2 entry of a page, given the table's frame. */
function entry2(lev2: number, page: number): Pa {
  return lev2 * PAGE_SIZE + ((page >> 10) & 0x3ff) * 8;
}

/** Physical address of the PTE of a page, given the frame of its level-3 table. */
export function entry3(lev3: number, page: number): Pa {
  return lev3 * PAGE_SIZE + (page & 0x3ff) * 8;
}

/** The first page beyond those that the level-2 table of a page maps. */
export function beyondLevel2(page: number): number {
  return (page | 0xf_ffff) + 1;
}

/** The first page beyond those that the level-3 table of a page maps. */
export function beyondLevel3(page: number): number {
  return (page | 0x3ff) + 1;
}

/**
 * Steals and fills the kernel's tables (pmap_bootstrap).
 *
 * @param count level-3 tables: 8 MB of K1SEG each, 1 … 1024
 * @returns the frame of the level-1 table
 */
export function bootKernelTables(
  memory: PhysicalMemory,
  steal: (bytes: number, align: number) => Pa,
  count: number,
): number {
  const tables = steal((2 + count) * PAGE_SIZE, PAGE_SIZE);
  const lev1 = tables / PAGE_SIZE;
  writeEntry(memory, lev1 * PAGE_SIZE + VPT_SLOT * 8, SELF_MAP, lev1);
  writeEntry(memory, lev1 * PAGE_SIZE + KERNEL_SLOT * 8, KERNEL_TABLE, lev1 + 1);
  for (let i = 0; i < count; i++) {
    writeEntry(memory, (lev1 + 1) * PAGE_SIZE + i * 8, KERNEL_TABLE, lev1 + 2 + i);
  }
  return lev1;
}

function writeEntry(memory: PhysicalMemory, at: Pa, low: number, high: number): void {
  memory.writeLe32(at, low);
  memory.writeLe32(at + 4, high);
}

/**
 * The three-level tables of every map, in physical memory, with a count of references to each table page:
 *
 *     level 1: level-2 tables below it     level 2: level-3 tables below it
 *     level 3: valid PTEs in it            and one more for each operation that is at work inside
 *
 * The last reference frees the page and drops one on the table above. The kernel's tables hold one
 * for good.
 */
export class Tables {
  readonly memory: PhysicalMemory;
  /** A page taken from another map: the next one given out. */
  spare: number = NO_TABLE;
  /** First kernel address beyond the kernel's tables (`virtual_end`). */
  kernelEnd: Va;
  /** References by page frame. */
  private readonly counts: Uint16Array;
  private readonly kernel: Space;
  private readonly spaces: SpaceTable;
  private readonly cpus: Cpus;
  private readonly shootdown: Shootdown;
  private readonly events: EventStream;
  private services: PmapServices | null = null;

  /** @param kernelTables level-3 tables that {@link bootKernelTables} made */
  constructor(
    memory: PhysicalMemory,
    spaces: SpaceTable,
    cpus: Cpus,
    shootdown: Shootdown,
    events: EventStream,
    kernelTables: number,
  ) {
    this.memory = memory;
    this.kernelEnd = K1SEG + kernelTables * TABLE_SPAN;
    this.counts = new Uint16Array(memory.size / PAGE_SIZE);
    this.kernel = spaces.kernel;
    this.spaces = spaces;
    this.cpus = cpus;
    this.shootdown = shootdown;
    this.events = events;
    const { kernel } = spaces;
    kernel.lev2Tables = 1;
    kernel.lev3Tables = kernelTables;
    this.counts.fill(1, kernel.lev1, kernel.lev1 + 2 + kernelTables);
  }

  /** From here on table pages come from UVM. */
  init(services: PmapServices): void {
    this.services = services;
  }

  /** The first page that the map cannot have mapped itself: beyond it lies the VPT, or nothing. */
  beyond(space: Space): number {
    return (space.kernel ? this.kernelEnd : USEG_END) / PAGE_SIZE;
  }

  /** References to a table page. */
  references(table: number): number {
    return this.counts[table]!;
  }

  /** Frame of the level-2 table of a page, or {@link NO_TABLE}. */
  level2(space: Space, page: number): number {
    const at = entry1(space.lev1, page);
    return (this.memory.readLe32(at) & PG_V) === 0 ? NO_TABLE : this.memory.readLe32(at + 4);
  }

  /** Frame of the level-3 table of a page, given its level-2 table, or {@link NO_TABLE}. */
  level3(lev2: number, page: number): number {
    const at = entry2(lev2, page);
    return (this.memory.readLe32(at) & PG_V) === 0 ? NO_TABLE : this.memory.readLe32(at + 4);
  }

  /** Frame of the level-3 table of a page, or {@link NO_TABLE} (pmap_l3pte). */
  lookup(space: Space, page: number): number {
    const lev2 = this.level2(space, page);
    return lev2 === NO_TABLE ? NO_TABLE : this.level3(lev2, page);
  }

  /**
   * Frame of the level-3 table of a user page, which is made if it is not there. A new table has no
   * reference: the caller takes one, or the map keeps an empty table.
   *
   * @returns {@link NO_TABLE} if pages are short; nothing has changed then
   */
  ensure(space: Space, page: number): number {
    const fresh = space.lev1 === this.kernel.lev1;
    if (fresh && !this.createLevel1(space)) return NO_TABLE;
    let lev2 = this.level2(space, page);
    if (lev2 === NO_TABLE) {
      this.hold(space.lev1);
      lev2 = this.allocate();
      if (lev2 === NO_TABLE) {
        this.releaseLevel1(space);
        return NO_TABLE;
      }
      writeEntry(this.memory, entry1(space.lev1, page), PG_TABLE, lev2);
      space.lev2Tables++;
    }
    let lev3 = this.level3(lev2, page);
    if (lev3 === NO_TABLE) {
      this.hold(lev2);
      lev3 = this.allocate();
      if (lev3 === NO_TABLE) {
        this.releaseLevel2(space, page, lev2);
        return NO_TABLE;
      }
      writeEntry(this.memory, entry2(lev2, page), PG_TABLE, lev3);
      space.lev3Tables++;
    }
    return lev3;
  }

  /** Takes a reference to a table page. */
  hold(table: number): void {
    this.counts[table]!++;
  }

  /** Drops a reference to the level-3 table of a page; the last one frees it (pmap_l3pt_delref). */
  releaseLevel3(space: Space, page: number, lev3: number): void {
    if (--this.counts[lev3]! > 0) return;
    const lev2 = this.level2(space, page);
    this.unlinkLevel3(space, page, lev2);
    this.free(lev3);
    this.releaseLevel2(space, page, lev2);
  }

  /** Makes an empty level-3 table, on which the caller has the only reference, the {@link spare} page. */
  take(space: Space, page: number, lev2: number, lev3: number): void {
    this.counts[lev3]!--;
    this.unlinkLevel3(space, page, lev2);
    this.spare = lev3;
    this.releaseLevel2(space, page, lev2);
  }

  /**
   * Takes a level-3 table out of the tree. PALcode may have its VPT page in a DTB, and must not go on
   * reading PTEs from a page that is something else by then (pitfall F.5).
   */
  private unlinkLevel3(space: Space, page: number, lev2: number): void {
    writeEntry(this.memory, entry2(lev2, page), 0, 0);
    space.lev3Tables--;
    this.shootdown.invalidateTable(space, VPTBASE + ((page >> 10) & 0xf_ffff) * PAGE_SIZE);
  }

  /** Drops a reference to the level-2 table of a page; the last one frees it (pmap_l2pt_delref). */
  releaseLevel2(space: Space, page: number, lev2: number): void {
    if (--this.counts[lev2]! > 0) return;
    writeEntry(this.memory, entry1(space.lev1, page), 0, 0);
    space.lev2Tables--;
    this.free(lev2);
    this.releaseLevel1(space);
  }

  /** Drops a reference to the level-1 table; with the last one the map shares the kernel's again. */
  releaseLevel1(space: Space): void {
    const { lev1 } = space;
    if (--this.counts[lev1]! > 0) return;
    space.lev1 = this.kernel.lev1;
    this.cpus.replacedLevel1(space);
    this.free(lev1);
  }

  /**
   * Makes the kernel's tables reach `maxva` in every map (pmap_growkernel).
   *
   * @throws KernelPanic if there is no page, or `maxva` lies in the VPT window
   */
  growKernel(maxva: Va): Va {
    if (maxva > VPTBASE) throw new KernelPanic('pmap_growkernel: out of address space', { maxva });
    const kernel = this.kernel;
    while (this.kernelEnd < maxva) {
      const page = this.kernelEnd / PAGE_SIZE;
      let lev2 = this.level2(kernel, page);
      if (lev2 === NO_TABLE) {
        lev2 = this.allocateKernel();
        for (const space of [kernel, ...this.spaces.withTables()]) {
          writeEntry(this.memory, entry1(space.lev1, page), KERNEL_TABLE, lev2);
        }
        kernel.lev2Tables++;
      }
      writeEntry(this.memory, entry2(lev2, page), KERNEL_TABLE, this.allocateKernel());
      kernel.lev3Tables++;
      this.kernelEnd += TABLE_SPAN;
    }
    return this.kernelEnd;
  }

  /** Writes a PTE and tells whoever watches. */
  writePte(space: Space, page: number, at: Pa, low: number, high: number): void {
    if (this.events.watched) {
      const old = pteNumber(this.memory.readLe32(at), this.memory.readLe32(at + 4));
      this.events.emit('pte.write', space.id, page * PAGE_SIZE, old, pteNumber(low, high));
    }
    this.memory.writeLe32(at, low);
    this.memory.writeLe32(at + 4, high);
  }

  /** pmap_lev1map_create. */
  private createLevel1(space: Space): boolean {
    const lev1 = this.allocate();
    if (lev1 === NO_TABLE) return false;
    const kernelSlots = KERNEL_SLOT * 8;
    const { memory } = this;
    const to = lev1 * PAGE_SIZE + kernelSlots;
    memory.copy(this.kernel.lev1 * PAGE_SIZE + kernelSlots, to, PAGE_SIZE - kernelSlots);
    writeEntry(memory, lev1 * PAGE_SIZE + VPT_SLOT * 8, SELF_MAP, lev1);
    space.lev1 = lev1;
    this.cpus.replacedLevel1(space);
    return true;
  }

  private allocate(): number {
    const taken = this.spare;
    if (taken !== NO_TABLE) {
      this.spare = NO_TABLE;
      return taken;
    }
    const pa = this.services === null ? NO_PA : this.services.allocPage();
    return pa === NO_PA ? NO_TABLE : pa / PAGE_SIZE;
  }

  private allocateKernel(): number {
    const table = this.allocate();
    if (table === NO_TABLE) throw new KernelPanic('pmap_growkernel: out of memory');
    this.hold(table);
    return table;
  }

  private free(table: number): void {
    this.services!.freePage(table * PAGE_SIZE);
  }
}
