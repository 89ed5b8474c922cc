import {
  type EventStream,
  hex,
  KernelPanic,
  NO_PA,
  type Pa,
  type PhysicalMemory,
  type PmapId,
  type PmapServices,
  PvTable,
  type Va,
} from '@uvmkit/pmap';
import type { Cpus } from './cpus.ts';
import { DirectFlush, type TlbFlush } from './flush.ts';
import type { I386Options, Variant } from './options.ts';
import { PG_M, PG_RW, PG_U, PG_V, PG_u, pteFrame } from './pte.ts';
import { ShootdownQueues } from './shootdown.ts';
import type { Space } from './space.ts';
import { NBPG, NKPTP, pdei, ptei } from './vmparam.ts';
import { PteWindow } from './window.ts';

/** What the state of a pmap is made of at boot. */
export interface PmapParts {
  readonly memory: PhysicalMemory;
  readonly events: EventStream;
  readonly cpus: Cpus;
  readonly kernel: Space;
  readonly variant: Variant;
  readonly options: I386Options;
  readonly diagnostic: boolean;
  readonly print: (message: string) => void;
  /** PG_G where the processor has it, else 0 (pmap_pg_g). */
  readonly pgG: number;
  /** The first kernel address not mapped at boot (virtual_avail). */
  readonly virtualAvail: Va;
}

/**
 * What every part of the pmap shares: pmap.c's file-scope variables, and the few things done to
 * tables from everywhere.
 *
 * JavaScript runs one call at a time, so an entry that is read and then written in one call is
 * exchanged atomically to every simulated CPU; the loops here never read an entry in one call to
 * write it in another.
 */
export class PmapState {
  readonly memory: PhysicalMemory;
  readonly events: EventStream;
  readonly cpus: Cpus;
  readonly kernel: Space;
  readonly variant: Variant;
  readonly options: I386Options;
  readonly diagnostic: boolean;
  readonly print: (message: string) => void;
  readonly pgG: number;
  readonly virtualAvail: Va;
  readonly flush: TlbFlush;
  readonly window: PteWindow;
  /** Live maps by handle. */
  readonly spaces: (Space | undefined)[];
  /** Kernel page tables that exist (nkpde). */
  kernelTables: number = NKPTP;
  /** UVM's services; null until pmap_init. */
  services: PmapServices | null = null;
  pv: PvTable = new PvTable(0);
  /** By managed page: PG_U and PG_M of mappings that are no more. */
  attributes: Uint8Array = new Uint8Array(0);
  /**
   * Bits of a PTE any of which means that a TLB may hold it. The Q pmap reasons that hardware sets U
   * before it caches anything; the UP pmap does not reason.
   */
  readonly cachedIf: number;
  /** Bits of a PTE any of which means that a TLB may let a write through: likewise M. */
  readonly writableIf: number;
  readonly #deferred: boolean;
  /** Page-table pages that a CPU may still walk through, until the next flush. */
  readonly #limbo: Pa[] = [];

  constructor(parts: PmapParts) {
    const { cpus, events, kernel, memory, variant } = parts;
    const deferred = parts.options.deferred ?? false;
    this.memory = memory;
    this.events = events;
    this.cpus = cpus;
    this.kernel = kernel;
    this.variant = variant;
    this.options = parts.options;
    this.diagnostic = parts.diagnostic;
    this.print = parts.print;
    this.pgG = parts.pgG;
    this.virtualAvail = parts.virtualAvail;
    this.spaces = [kernel];
    this.#deferred = deferred;
    this.flush =
      variant === 'q' ? new ShootdownQueues(cpus, events, kernel) : new DirectFlush(cpus, deferred);
    this.window = new PteWindow(memory, cpus, variant === 'q');
    this.cachedIf = variant === 'q' ? PG_U : PG_V;
    this.writableIf = variant === 'q' ? PG_M : PG_V;
  }

  /** @throws RangeError if the handle was not given out, or its map is destroyed */
  space(pmap: PmapId): Space {
    const space = this.spaces[pmap];
    if (space === undefined) throw new RangeError(`there is no pmap ${pmap}`);
    return space;
  }

  isKernel(space: Space): boolean {
    return space === this.kernel;
  }

  /** The index of the managed page at `pa`; −1 if it is not managed or nothing is yet. */
  pageIndex(pa: Pa): number {
    return this.services === null ? -1 : this.services.pageIndex(pa);
  }

  /** The directory's entry for a slot. */
  pde(space: Space, slot: number): number {
    return this.memory.readLe32(space.directory + slot * 4);
  }

  /** Where the PTE of `va` lies, or `NO_PA` if it has no page table. */
  pteAddress(space: Space, va: Va): Pa {
    const pde = this.pde(space, pdei(va));
    return (pde & PG_V) === 0 ? NO_PA : pteFrame(pde) + ptei(va) * 4;
  }

  /**
   * Where the PTE that a pv entry stands for lies: in the page-table page that the entry names.
   *
   * @throws KernelPanic if, with DIAGNOSTIC, the directory does not name that page
   */
  pvPteAddress(space: Space, va: Va, entry: number): Pa {
    const table = this.pv.aux[entry]! * NBPG;
    if (this.diagnostic && pteFrame(this.pde(space, pdei(va))) !== table)
      throw this.inconsistent(
        'pmap_page_remove: mapped managed page has invalid pv_ptp field',
        space,
        va,
      );
    return table + ptei(va) * 4;
  }

  /** Writes a PTE: the only way in which the pmap does. */
  store(space: Space, va: Va, at: Pa, old: number, value: number): void {
    this.memory.writeLe32(at, value);
    if (this.events.watched) this.events.emit('pte.write', space.id, va, old >>> 0, value >>> 0);
  }

  /** Writes a PDE. */
  storePde(space: Space, slot: number, value: number): void {
    this.memory.writeLe32(space.directory + slot * 4, value);
  }

  /** A zeroed page for a table, or `NO_PA`. Pages that only wait for a flush are not a shortage. */
  allocPage(): Pa {
    if (this.services === null) return NO_PA;
    const pa = this.services.allocPage();
    if (pa !== NO_PA || this.#limbo.length === 0) return pa;
    this.settleNow();
    return this.services.allocPage();
  }

  /** A page-table page for a slot of a user's map (pmap_get_ptp): its address, or `NO_PA`. */
  allocTable(space: Space, slot: number): Pa {
    const pa = this.allocPage();
    if (pa === NO_PA) return NO_PA;
    this.storePde(space, slot, pa | PG_u | PG_RW | PG_V);
    space.wireCounts[slot] = 1;
    space.tables++;
    space.resident++;
    return pa;
  }

  /** Frees the page-table page of a slot if no PTE in it is valid. */
  freeTableIfEmpty(space: Space, slot: number): void {
    if (space.wireCounts[slot] !== 1) return;
    const opde = this.pde(space, slot);
    this.storePde(space, slot, 0);
    this.flush.table(space, slot, opde);
    space.wireCounts[slot] = 0;
    space.tables--;
    space.resident--;
    this.#limbo.push(pteFrame(opde));
  }

  /** The end of a call whose effects pmap(9) lets wait for pmap_update. */
  settle(): void {
    if (!this.#deferred) this.settleNow();
  }

  /** No CPU uses an old translation, and no table that was freed, once this returns. */
  settleNow(): void {
    this.flush.now();
    const limbo = this.#limbo;
    for (let i = 0; i < limbo.length; i++) this.services!.freePage(limbo[i]!);
    limbo.length = 0;
  }

  /** The panic of a reverse map that does not agree with the tables. */
  inconsistent(words: string, space: Space, va: Va): KernelPanic {
    return new KernelPanic(`${words} for ${hex(va)}`, { pmap: space.id, va });
  }
}
