import {
  KernelPanic,
  PV_NONE,
  PvTable,
  STEAL_MAPPING,
  STEAL_TABLE,
  type EventStream,
  type PmapServices,
} from '@uvmkit/pmap';
import type { Cpus } from './cpus.ts';
import { MMCSR_FOR, MMCSR_FOW } from './mmu.ts';
import {
  PG_ASM,
  PG_EXEC,
  PG_FO,
  PG_FOE,
  PG_FOR,
  PG_FOW,
  PG_PVLIST,
  PG_V,
  PG_WIRED,
} from './pte.ts';
import type { Shootdown } from './shootdown.ts';
import type { Space, SpaceTable } from './space.ts';
import { beyondLevel2, beyondLevel3, entry3, NO_TABLE, type Tables } from './tables.ts';
import { PAGE_SIZE, USEG_END } from './vmparam.ts';

/** Attribute of a page: stored to since it was last cleared (PGA_MODIFIED). */
export const PGA_MODIFIED = 1;
/** Attribute of a page: used since it was last cleared (PGA_REFERENCED). */
export const PGA_REFERENCED = 2;

/**
 * Single mappings, from both sides: from the PTE, and from the page through its pv entries. Referenced and
 * modified are attributes of the page; a PTE only says, by its fault-on bits, what is still to be noticed.
 */
export class Mappings {
  pv: PvTable = new PvTable(0);
  /** PGA_* bits by page index. */
  attributes: Uint8Array = new Uint8Array(0);
  private readonly tables: Tables;
  private readonly spaces: SpaceTable;
  private readonly cpus: Cpus;
  private readonly shootdown: Shootdown;
  private readonly events: EventStream;
  private readonly enforceExecute: boolean;
  private readonly diagnostic: boolean;
  private services: PmapServices | null = null;
  private hand = 0;

  /**
   * @param enforceExecute whether FOE stays on mappings without PG_EXEC
   * @param diagnostic a kernel with DIAGNOSTIC
   */
  constructor(
    tables: Tables,
    spaces: SpaceTable,
    cpus: Cpus,
    shootdown: Shootdown,
    events: EventStream,
    enforceExecute: boolean,
    diagnostic: boolean,
  ) {
    this.tables = tables;
    this.spaces = spaces;
    this.cpus = cpus;
    this.shootdown = shootdown;
    this.events = events;
    this.enforceExecute = enforceExecute;
    this.diagnostic = diagnostic;
  }

  /** Sizes the per-page arrays. */
  init(services: PmapServices, pvEntries: number): void {
    this.services = services;
    this.pv = new PvTable(services.pageCount, pvEntries);
    this.attributes = new Uint8Array(services.pageCount);
  }

  /** The index of a frame's page, or −1 if UVM does not manage it. */
  pageOf(frame: number): number {
    return this.services === null ? -1 : this.services.pageIndex(frame * PAGE_SIZE);
  }

  /**
   * Removes a valid mapping (pmap_remove_mapping) and drops the reference that it held on its level-3
   * table, which may free the table.
   *
   * @param now see {@link Shootdown.invalidate}
   * @returns whether the instruction stream must be synchronized
   */
  remove(space: Space, page: number, lev3: number, now: boolean): boolean {
    const at = entry3(lev3, page);
    const low = this.tables.memory.readLe32(at);
    const frame = this.tables.memory.readLe32(at + 4);
    const va = page * PAGE_SIZE;
    if ((low & PG_WIRED) !== 0) space.wired--;
    space.resident--;
    this.tables.writePte(space, page, at, 0, 0);
    this.shootdown.invalidate(space, va, (low & PG_ASM) !== 0, now);
    if ((low & PG_PVLIST) !== 0) this.pv.remove(this.pageOf(frame), space.id, va);
    if (!space.kernel) this.tables.releaseLevel3(space, page, lev3);
    return (low & PG_EXEC) !== 0;
  }

  /**
   * Removes the mappings of pages [first, end), those that are not wired or all (pmap_do_remove). Each table is held
   * while mappings go from it, and freed as it is let go.
   */
  removeRange(space: Space, first: number, end: number, wiredToo: boolean): void {
    const { tables } = this;
    if (!space.kernel && space.lev1 === this.spaces.kernel.lev1) return;
    const last = Math.min(end, tables.beyond(space));
    tables.hold(space.lev1);
    let sync = false;
    for (let page = first; page < last;) {
      const lev2 = tables.level2(space, page);
      const end2 = Math.min(last, beyondLevel2(page));
      if (lev2 === NO_TABLE) {
        page = end2;
        continue;
      }
      tables.hold(lev2);
      while (page < end2) {
        const lev3 = tables.level3(lev2, page);
        const end3 = Math.min(end2, beyondLevel3(page));
        if (lev3 !== NO_TABLE) {
          tables.hold(lev3);
          if (this.removeFrom(space, lev3, page, end3, wiredToo)) sync = true;
          tables.releaseLevel3(space, page, lev3);
        }
        page = end3;
      }
      tables.releaseLevel2(space, page - 1, lev2);
    }
    tables.releaseLevel1(space);
    if (sync) this.cpus.syncIstream(space);
  }

  /** Removes the mappings of [page, end), which one level-3 table maps. Whether any was executable. */
  private removeFrom(
    space: Space,
    lev3: number,
    page: number,
    end: number,
    wiredToo: boolean,
  ): boolean {
    const { memory } = this.tables;
    let sync = false;
    for (; page < end; page++) {
      const at = entry3(lev3, page);
      const low = memory.readLe32(at);
      if ((low & PG_V) === 0 || ((low & PG_WIRED) !== 0 && !wiredToo)) continue;
      if (space.kernel && this.diagnostic && (low & PG_PVLIST) === 0) {
        if (this.pageOf(memory.readLe32(at + 4)) >= 0) {
          throw new KernelPanic('pmap_remove: managed page without PG_PVLIST', {
            va: page * PAGE_SIZE,
          });
        }
      }
      if (this.remove(space, page, lev3, false)) sync = true;
    }
    return sync;
  }

  /** Removes every mapping of a page that is not wired, and wired ones too if so told. */
  removeAll(index: number, wiredToo: boolean): void {
    const { pv } = this;
    for (let entry = pv.head[index]!, next; entry !== PV_NONE; entry = next) {
      next = pv.next[entry]!;
      const page = pv.va[entry]! / PAGE_SIZE;
      const lev3 = pv.aux[entry]!;
      const wired = (this.tables.memory.readLe32(entry3(lev3, page)) & PG_WIRED) !== 0;
      if (wired && !wiredToo) continue;
      const space = this.spaces.get(pv.pmap[entry]!);
      if (this.remove(space, page, lev3, true)) this.cpus.syncIstream(space);
    }
  }

  /**
   * Sets and clears bits in every mapping of a page (pmap_changebit), where that makes a difference.
   *
   * @param index the page
   * @param set bits to set
   * @param clear bits to clear, after that
   */
  changeBits(index: number, set: number, clear: number): void {
    const { pv } = this;
    const { memory } = this.tables;
    for (let entry = pv.head[index]!; entry !== PV_NONE; entry = pv.next[entry]!) {
      const va = pv.va[entry]!;
      const page = va / PAGE_SIZE;
      const at = entry3(pv.aux[entry]!, page);
      const low = memory.readLe32(at);
      let changed = (low | set) & ~clear;
      if (this.enforceExecute && (low & PG_EXEC) === 0) changed |= PG_FOE;
      if (changed >>> 0 === low) continue;
      const space = this.spaces.get(pv.pmap[entry]!);
      this.tables.writePte(space, page, at, changed, memory.readLe32(at + 4));
      this.shootdown.invalidate(space, va, (low & PG_ASM) !== 0, true);
      if ((low & PG_EXEC) !== 0) this.cpus.syncIstream(space);
    }
  }

  /**
   * Settles a fault-on trap: notes the use on the page and takes the bits from all its mappings. A
   * trap whose reason is gone from the tables came from a stale entry, which the trap has dropped: it
   * is settled too (pitfall F.9).
   *
   * @param code MMCSR_FOR, MMCSR_FOW or MMCSR_FOE
   * @returns false if execute permission is enforced and this was a fetch without it
   */
  emulateReference(space: Space, page: number, code: number): boolean {
    const lev3 = this.tables.lookup(space, page);
    if (lev3 === NO_TABLE) return true;
    const at = entry3(lev3, page);
    const low = this.tables.memory.readLe32(at);
    const bit = code === MMCSR_FOW ? PG_FOW : code === MMCSR_FOR ? PG_FOR : PG_FOE;
    if ((low & PG_V) === 0 || (low & bit) === 0) return true;
    if (bit === PG_FOE && (low & PG_EXEC) === 0 && this.enforceExecute) return false;
    const index = this.pageOf(this.tables.memory.readLe32(at + 4));
    if (index < 0) {
      throw new KernelPanic('pmap_emulate_reference: page not managed', { va: page * PAGE_SIZE });
    }
    const write = bit === PG_FOW;
    this.attributes[index]! |= write ? PGA_REFERENCED | PGA_MODIFIED : PGA_REFERENCED;
    this.changeBits(index, 0, write ? PG_FO : PG_FOR | PG_FOE);
    return true;
  }

  /**
   * Puts a mapping on its page's list, at the cost of another mapping if entries are short.
   *
   * @returns false if there is none to be had: nothing has changed then
   */
  enterPv(space: Space, va: number, index: number, lev3: number): boolean {
    return (
      this.pv.insert(index, space.id, va, lev3) ||
      ((this.stealPv(space, false) || this.stealPv(space, true)) &&
        this.pv.insert(index, space.id, va, lev3))
    );
  }

  /** Forgets the next mapping, in page order, that is neither wired nor the kernel's. */
  private stealPv(wanting: Space, own: boolean): boolean {
    const pages = this.attributes.length;
    for (let n = 0; n < pages; n++) {
      const index = this.hand;
      this.hand = index + 1 === pages ? 0 : index + 1;
      for (let entry = this.pv.head[index]!; entry !== PV_NONE; entry = this.pv.next[entry]!) {
        const space = this.spaces.get(this.pv.pmap[entry]!);
        if (space.kernel || (space === wanting) !== own) continue;
        const va = this.pv.va[entry]!;
        const lev3 = this.pv.aux[entry]!;
        const page = va / PAGE_SIZE;
        if ((this.tables.memory.readLe32(entry3(lev3, page)) & PG_WIRED) !== 0) continue;
        if (this.remove(space, page, lev3, true)) this.cpus.syncIstream(space);
        if (this.events.watched) this.events.emit('pmap.steal', space.id, va, STEAL_MAPPING);
        return true;
      }
    }
    return false;
  }

  /**
   * Takes a level-3 table without wired mappings from another map, the least recently used one first
   * (pmap_ptpage_steal), and leaves it as the tables' spare page. Only the user half of a level-1 table is searched
   * (pitfall F.4).
   */
  stealTable(wanting: Space): boolean {
    const last = USEG_END / PAGE_SIZE;
    for (const space of this.spaces.withTables()) {
      if (space === wanting) continue;
      for (let page = 0; page < last;) {
        const lev2 = this.tables.level2(space, page);
        if (lev2 === NO_TABLE) {
          page = beyondLevel2(page);
          continue;
        }
        const lev3 = this.tables.level3(lev2, page);
        if (lev3 !== NO_TABLE && !this.hasWired(lev3)) {
          this.takeTable(space, page, lev2, lev3);
          return true;
        }
        page = beyondLevel3(page);
      }
    }
    return false;
  }

  private hasWired(lev3: number): boolean {
    const { memory } = this.tables;
    for (let page = 0; page < 1024; page++) {
      if ((memory.readLe32(entry3(lev3, page)) & (PG_V | PG_WIRED)) === (PG_V | PG_WIRED))
        return true;
    }
    return false;
  }

  private takeTable(space: Space, first: number, lev2: number, lev3: number): void {
    this.tables.hold(lev3);
    let sync = false;
    for (let page = first; page < first + 1024; page++) {
      if ((this.tables.memory.readLe32(entry3(lev3, page)) & PG_V) === 0) continue;
      if (this.remove(space, page, lev3, true)) sync = true;
    }
    this.tables.take(space, first, lev2, lev3);
    if (sync) this.cpus.syncIstream(space);
    if (this.events.watched)
      this.events.emit('pmap.steal', space.id, first * PAGE_SIZE, STEAL_TABLE);
  }
}
