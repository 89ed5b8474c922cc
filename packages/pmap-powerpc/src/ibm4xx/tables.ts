import {
  NO_PA,
  type EventStream,
  type Pa,
  type PhysicalMemory,
  type PmapId,
  type Va,
} from '@uvmkit/pmap';

/** Tables a map can have, and table entries in one. */
export const STSZ = 64;
const PTES: number = 4096;

/** Bytes that one table maps, and that it takes up: one page. */
export const TABLE_SPAN = 0x4000000;
export const TABLE_BYTES: number = PTES * 4;

/**
 * The page tables of every map (pm_ptbl): the hardware knows nothing of them, the miss handler walks them.
 *
 *     va       STIDX (6)      │ PTIDX (12)       │ offset (14)
 *                 │                │
 *     pm_ptbl[STIDX] ──▶ table ──[PTIDX]──▶ TTE, a big-endian word; 0: nothing
 *        64 pointers       4096 words, one page
 */
export class PageTables {
  private readonly memory: PhysicalMemory;
  private readonly events: EventStream;
  /** Tables by handle · 64 + STIDX. */
  private readonly tables: Pa[] = [];

  constructor(memory: PhysicalMemory, events: EventStream) {
    this.memory = memory;
    this.events = events;
  }

  /** Makes a map empty: no tables. */
  open(pmap: PmapId): void {
    for (let index = 0; index < STSZ; index++) this.tables[pmap * STSZ + index] = NO_PA;
  }

  /** The physical address of the TTE for an address, or `NO_PA` if its table does not exist. */
  slot(pmap: PmapId, va: Va): Pa {
    const table = this.tables[pmap * STSZ + (va >>> 26)]!;
    return table === NO_PA ? NO_PA : table + (((va >>> 14) & (PTES - 1)) << 2);
  }

  /** The TTE for an address; 0 if there is none. */
  lookup(pmap: PmapId, va: Va): number {
    const slot = this.slot(pmap, va);
    return slot === NO_PA ? 0 : this.memory.readBe32(slot);
  }

  /** The TTE at a slot. */
  read(slot: Pa): number {
    return this.memory.readBe32(slot);
  }

  /** Writes a TTE for an address at its slot. */
  write(pmap: PmapId, va: Va, slot: Pa, tte: number): void {
    if (this.events.watched)
      this.events.emit('pte.write', pmap, va, this.memory.readBe32(slot), tte >>> 0);
    this.memory.writeBe32(slot, tte);
  }

  /** Gives the map a zeroed page as the table for the 64 MB around an address. */
  addTable(pmap: PmapId, va: Va, table: Pa): void {
    this.tables[pmap * STSZ + (va >>> 26)] = table;
  }

  /** The number of the map's tables. */
  count(pmap: PmapId): number {
    let count = 0;
    for (let index = 0; index < STSZ; index++)
      if (this.tables[pmap * STSZ + index] !== NO_PA) count++;
    return count;
  }

  /** Takes every table from the map and hands each to `free`. */
  close(pmap: PmapId, free: (table: Pa) => void): void {
    for (let index = 0; index < STSZ; index++) {
      const table = this.tables[pmap * STSZ + index]!;
      if (table !== NO_PA) free(table);
    }
    this.open(pmap);
  }
}
