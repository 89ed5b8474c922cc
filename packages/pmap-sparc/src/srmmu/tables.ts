import { NO_PA, type Pa, type PhysicalMemory, type PmapServices, type Va } from '@uvmkit/pmap';
import { TablePool } from '../table-pool.ts';
import type { SrmmuMap } from './map.ts';
import {
  isPtd,
  L1_TABLE_BYTES,
  L23_TABLE_BYTES,
  makePtd,
  makePte,
  NBPG,
  NBPRG,
  NBPSG,
  PG_C,
  PPROT_N_RWX,
  ptdTable,
} from './pte.ts';

/** The kernel's image: the one segment at the start of its space that is mapped from boot. */
export const KERNEL_IMAGE_BYTES: number = NBPSG;
/** Where in the image each CPU finds a page of its own (CPUINFO_VA − KERNBASE, sparc/vaddrs.h). */
export const CPUINFO_OFFSET = 0x2000;

const LAST_ADDRESS = 2 ** 32;

/**
 * The tables in memory: how they are laid out, found, made and freed. Who maps what is the pmap's affair.
 *
 *     context table, one a CPU ─▶ L1, one a CPU and map ─▶ L2 ─▶ L3      (shared by all CPUs)
 *
 * The kernel's L2 and L3 tables all exist from boot, so that its mappings never want memory.
 */
export class SrmmuTables {
  readonly kernelBase: Va;
  /** Where the context table of each CPU is. */
  readonly contextTable: Float64Array;
  /** Valid entries of each L2 and L3 table (rg_nsegmap, sg_npte), by physical address / 256. */
  readonly valid: Uint8Array;
  private readonly memory: PhysicalMemory;
  private readonly cpus: number;
  private readonly l1: TablePool;
  private readonly l23: TablePool;

  constructor(memory: PhysicalMemory, cpus: number, kernelBase: Va) {
    this.kernelBase = kernelBase;
    this.contextTable = new Float64Array(cpus);
    this.valid = new Uint8Array(memory.size / L23_TABLE_BYTES);
    this.memory = memory;
    this.cpus = cpus;
    this.l1 = new TablePool(memory, L1_TABLE_BYTES);
    this.l23 = new TablePool(memory, L23_TABLE_BYTES);
  }

  attach(services: PmapServices): void {
    this.l1.attach(services);
    this.l23.attach(services);
  }

  /**
   * Builds the kernel's tables (pmap_bootstrap4m): contexts with the kernel's alone in number 0, every L2 and
   * L3 table of the kernel, its image mapped page by page.
   */
  bootstrap(kernel: SrmmuMap, contexts: number, steal: (bytes: number, align: number) => Pa): void {
    const memory = this.memory;
    const regions = (LAST_ADDRESS - this.kernelBase) / NBPRG;
    const contextBytes = 4 * 2 ** Math.ceil(Math.log2(contexts));
    const image = steal(KERNEL_IMAGE_BYTES, NBPSG);
    const l2 = steal(regions * L23_TABLE_BYTES, memory.pageSize);
    const l3 = steal(regions * 64 * L23_TABLE_BYTES, memory.pageSize);
    for (let segment = 0; segment < regions * 64; segment++)
      memory.writeBe32(l2 + segment * 4, makePtd(l3 + segment * L23_TABLE_BYTES));
    for (let page = 0; page < 64; page++) this.mapImage(l3, page, image + page * NBPG);
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      const l1 = steal(L1_TABLE_BYTES, memory.pageSize);
      for (let region = 0; region < regions; region++)
        memory.writeBe32(
          l1 + (this.kernelBase / NBPRG) * 4 + region * 4,
          makePtd(l2 + region * L23_TABLE_BYTES),
        );
      if (cpu > 0) this.ownPage(l1, l2, l3, steal);
      kernel.l1[cpu] = l1;
      const table = steal(contextBytes, Math.max(contextBytes, memory.pageSize));
      memory.writeBe32(table, makePtd(l1));
      this.contextTable[cpu] = table;
    }
  }

  /** Gives a CPU a page of its own at CPUINFO_OFFSET: copies of the first L2 and L3 table with that entry changed. */
  private ownPage(l1: Pa, l2: Pa, l3: Pa, steal: (bytes: number, align: number) => Pa): void {
    const memory = this.memory;
    const ownL2 = steal(2 * L23_TABLE_BYTES, memory.pageSize);
    const ownL3 = ownL2 + L23_TABLE_BYTES;
    memory.copy(l2, ownL2, L23_TABLE_BYTES);
    memory.copy(l3, ownL3, L23_TABLE_BYTES);
    memory.writeBe32(ownL2, makePtd(ownL3));
    this.mapImage(ownL3, CPUINFO_OFFSET / NBPG, steal(NBPG, NBPG));
    memory.writeBe32(l1 + (this.kernelBase / NBPRG) * 4, makePtd(ownL2));
  }

  private mapImage(l3: Pa, page: number, pa: Pa): void {
    this.memory.writeBe32(l3 + page * 4, makePte(pa, PPROT_N_RWX, PG_C));
  }

  /** The L1 tables of a new map, with the kernel's part copied in. False, and nothing taken, if memory is short. */
  allocateL1(map: SrmmuMap, kernel: SrmmuMap): boolean {
    const kernelPart = (this.kernelBase / NBPRG) * 4;
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      const l1 = this.l1.allocate();
      if (l1 === NO_PA) {
        while (cpu > 0) this.l1.free(map.l1[--cpu]!);
        return false;
      }
      this.memory.copy(kernel.l1[cpu]! + kernelPart, l1 + kernelPart, L1_TABLE_BYTES - kernelPart);
      map.l1[cpu] = l1;
    }
    return true;
  }

  freeL1(map: SrmmuMap): void {
    for (const l1 of map.l1) this.l1.free(l1);
  }

  /** The L2 table for `va`, or `NO_PA`. */
  findL2(map: SrmmuMap, va: Va): Pa {
    const ptd = this.memory.readBe32(map.l1[0]! + (va >>> 24) * 4);
    return isPtd(ptd) ? ptdTable(ptd) : NO_PA;
  }

  /** The L3 table for `va`, or `NO_PA`. */
  findL3(map: SrmmuMap, va: Va): Pa {
    const l2 = this.findL2(map, va);
    if (l2 === NO_PA) return NO_PA;
    const ptd = this.memory.readBe32(l2 + ((va >>> 18) & 63) * 4);
    return isPtd(ptd) ? ptdTable(ptd) : NO_PA;
  }

  /** The L3 table for `va` of a user's map, made if it is not there; `NO_PA`, and nothing changed, if memory is short. */
  makeL3(map: SrmmuMap, va: Va): Pa {
    let l2 = this.findL2(map, va);
    const newL2 = l2 === NO_PA;
    if (newL2) l2 = this.l23.allocate();
    if (l2 === NO_PA) return NO_PA;
    const l3 = this.l23.allocate();
    if (l3 === NO_PA) {
      if (newL2) this.l23.free(l2);
      return NO_PA;
    }
    // A parent is linked only when its child is whole: another CPU may be walking.
    this.memory.writeBe32(l2 + ((va >>> 18) & 63) * 4, makePtd(l3));
    this.valid[l2 / L23_TABLE_BYTES]!++;
    map.tableBytes += L23_TABLE_BYTES;
    if (newL2) {
      this.linkL2(map, va, makePtd(l2));
      map.tableBytes += L23_TABLE_BYTES;
    }
    return l3;
  }

  /** Unlinks and frees the empty L3 table for `va` of a user's map. Returns whether the L2 table went with it. */
  freeL3(map: SrmmuMap, va: Va, l3: Pa): boolean {
    const l2 = this.findL2(map, va);
    this.memory.writeBe32(l2 + ((va >>> 18) & 63) * 4, 0);
    this.l23.free(l3);
    map.tableBytes -= L23_TABLE_BYTES;
    if (--this.valid[l2 / L23_TABLE_BYTES]! > 0) return false;
    this.linkL2(map, va, 0);
    this.l23.free(l2);
    map.tableBytes -= L23_TABLE_BYTES;
    return true;
  }

  /** An L1 slot is the same for every CPU. */
  private linkL2(map: SrmmuMap, va: Va, entry: number): void {
    for (const l1 of map.l1) this.memory.writeBe32(l1 + (va >>> 24) * 4, entry);
  }

  /** Points a context at a map's L1 tables in the context table of every CPU. */
  setContext(context: number, map: SrmmuMap): void {
    for (let cpu = 0; cpu < this.cpus; cpu++)
      this.memory.writeBe32(this.contextTable[cpu]! + context * 4, makePtd(map.l1[cpu]!));
  }

  clearContext(context: number): void {
    for (const table of this.contextTable) this.memory.writeBe32(table + context * 4, 0);
  }
}
