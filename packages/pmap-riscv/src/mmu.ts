import {
  ACCESS_USER,
  FAULT,
  hex,
  mmuStats,
  SCOPE_ALL,
  SCOPE_CONTEXT,
  Tlb,
  TLB_MISS,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type Access,
  type BootServices,
  type EventStream,
  type Mmu,
  type MmuStats,
  type Pa,
  type PhysicalMemory,
  type Prot,
  type TranslationFront,
  type Va,
  type WideTranslationFront,
} from '@uvmkit/pmap';
import * as bits from './bits.ts';
import type { Format } from './format.ts';

/** satp.MODE: no translation. */
export const BARE = 0;

/** scause of the faults that the MMU raises. */
export const INSTRUCTION_ACCESS_FAULT = 1;
export const LOAD_ACCESS_FAULT = 5;
export const STORE_ACCESS_FAULT = 7;
export const INSTRUCTION_PAGE_FAULT = 12;
export const LOAD_PAGE_FAULT = 13;
export const STORE_PAGE_FAULT = 15;
/** The right that was missing, and the manual's words, by cause. */
export const CAUSES: ReadonlyMap<number, readonly [Prot, string]> = new Map([
  [INSTRUCTION_ACCESS_FAULT, [VM_PROT_EXECUTE, 'instruction access fault']],
  [LOAD_ACCESS_FAULT, [VM_PROT_READ, 'load access fault']],
  [STORE_ACCESS_FAULT, [VM_PROT_WRITE, 'store/AMO access fault']],
  [INSTRUCTION_PAGE_FAULT, [VM_PROT_EXECUTE, 'instruction page fault']],
  [LOAD_PAGE_FAULT, [VM_PROT_READ, 'load page fault']],
  [STORE_PAGE_FAULT, [VM_PROT_WRITE, 'store/AMO page fault']],
]);

/** The high word of an Sv39 entry: bits 63:54 are N, PBMT and reserved, and none of them is implemented here. */
const HIGH_RESERVED = 0x0040_0000;
/** Bits that a pointer to a table must not have set. */
const POINTER_RESERVED = bits.PTE_U | bits.PTE_A | bits.PTE_D;

/** What a hart is connected to. */
export type Bus = Pick<BootServices, 'memory' | 'events'>;

/** What is implementation-defined about a hart's MMU. */
export interface RiscvMmuOptions {
  /**
   * Who sets A and D: `hardware`, in the entry as it walks, or `software` (Svade): a page fault where A is clear, or D at
   * a store. `hardware` if not given.
   */
  readonly accessedDirty?: 'hardware' | 'software';
  /** Bits of ASID that are implemented (ASIDLEN): 0 to as many as satp has, which is what they are if not given. */
  readonly asidBits?: number;
  /** Entries of the TLB for 4 KB pages: a power of two from 4, in sets of four. 64 if not given. */
  readonly tlbEntries?: number;
}

/**
 * The MMU of one hart with supervisor and user mode (The RISC-V Instruction Set Manual, Volume II, 20211203,
 * chapter 4), for either format. There is no machine mode in it, and no PMP; a physical address where no RAM is
 * fails the PMA check and is an access fault.
 *
 * What the manual leaves open is decided so that software that forgets an SFENCE.VMA is caught: a TLB entry
 * that denies an access raises the fault without asking the tables again, and pointers to last-level tables are
 * cached too, where a fence of one address does not reach them. Invalid entries are not cached.
 */
export abstract class RiscvMmu implements Mmu {
  readonly cpu: number;
  readonly dataCache = null;
  /** The last fault: its cause, its address down to the byte, and (SPP) the mode that it came from. */
  scause = 0;
  stval: Va = 0;
  readonly asidBits: number;
  /** The TLBs replace round-robin, so what is in front is in them, with the rights that the kind of access needs. */
  protected abstract readonly front: TranslationFront | WideTranslationFront;
  protected readonly counts: MmuStats = mmuStats();
  private readonly memory: PhysicalMemory;
  private readonly events: EventStream;
  private readonly format: Format;
  private readonly hardware: boolean;
  /** TLBs by level: 4 KB pages, and what a leaf at each level above maps. */
  private readonly tlbs: readonly Tlb[];
  /** Pointers to tables of level 0. */
  private readonly pointers: Tlb = new Tlb(1, 8, bits.PTE_G);
  private permitted: Int32Array = bits.permitted(0);
  private status = 0;
  private mode = BARE;
  private asid = 0;
  private ppn = 0;
  private faulted: Access = 0;

  /** @throws RangeError if an option is out of its range */
  constructor(format: Format, cpu: number, bus: Bus, options: RiscvMmuOptions) {
    const { asidBits = format.asidBits, tlbEntries = 64 } = options;
    if (!Number.isInteger(asidBits) || asidBits < 0 || asidBits > format.asidBits)
      throw new RangeError(
        `${format.name} has ASIDs of 0 to ${format.asidBits} bits, given ${asidBits}`,
      );
    if (tlbEntries < 4)
      throw new RangeError(`TLB entries must be a power of two from 4, given ${tlbEntries}`);
    this.format = format;
    this.cpu = cpu;
    this.memory = bus.memory;
    this.events = bus.events;
    this.asidBits = asidBits;
    this.hardware = (options.accessedDirty ?? 'hardware') === 'hardware';
    this.tlbs = Array.from({ length: format.levels }, (_, level) =>
      level === 0 ? new Tlb(tlbEntries / 4, 4, bits.PTE_G) : new Tlb(1, 8, bits.PTE_G),
    );
  }

  /** Each format's own, so that the shortcut in front is one class to the compiler. */
  abstract translate(va: Va, access: Access): Pa;

  get stats(): MmuStats {
    this.counts.lookups += this.front.takeHits();
    return this.counts;
  }

  /** Asks the TLBs. An entry that only lacks A or D for the access is no help, and the tables are asked. */
  protected lookup(va: Va, access: Access): Pa {
    this.counts.lookups += this.front.takeHits() + 1;
    const { format } = this;
    if (this.mode === BARE)
      return va >= 0 && va < this.memory.size ? va : this.accessFault(va, access);
    if (va < format.lowest || va >= format.beyond) return this.pageFault(va, access, 0);
    const vpn = Math.floor(va / bits.PAGE_SIZE) | 0;
    for (let level = 0; level < format.levels; level++) {
      const tlb = this.tlbs[level]!;
      const entry = tlb.lookup(vpn >> (level * format.indexBits), this.asid);
      if (entry === TLB_MISS) continue;
      const flags = tlb.bits[entry]!;
      if (this.allows(flags, access)) {
        const pa = this.within(tlb.frame[entry]!, level, vpn, va);
        return pa < this.memory.size
          ? this.front.remember(va, access, pa)
          : this.accessFault(va, access);
      }
      if (!this.allows(flags | bits.PTE_A | bits.PTE_D, access))
        return this.pageFault(va, access, flags);
      break;
    }
    this.counts.misses++;
    return this.walk(va, vpn, access);
  }

  private allows(flags: number, access: Access): boolean {
    return ((this.permitted[flags]! >>> (access & 31)) & 1) !== 0;
  }

  /*
   *     satp.PPN ─▶ [index 2] ─▶ [index 1] ─▶ [index 0] ─▶ page        a leaf may stand at any level: the
   *                  1 GB leaf    2 MB leaf    4 KB leaf              indices below it are part of the offset
   *     (Sv32 has two levels, and leaves of 4 MB and 4 KB)
   */
  private walk(va: Va, vpn: number, access: Access): Pa {
    const { memory, format } = this;
    const { indexBits, entryBytes } = format;
    let level = format.levels - 1;
    let table: Pa = this.ppn * bits.PAGE_SIZE;
    let global = 0;
    const pointer = this.pointers.lookup(vpn >> indexBits, this.asid);
    if (pointer !== TLB_MISS) {
      level = 0;
      table = this.pointers.frame[pointer]! * bits.PAGE_SIZE;
      global = this.pointers.bits[pointer]!;
    }
    for (; ; level--) {
      const index = (vpn >> (level * indexBits)) & ((1 << indexBits) - 1);
      const at = table + index * entryBytes;
      if (at + entryBytes > memory.size) return this.accessFault(va, access);
      const low = memory.readLe32(at) | 0;
      const high = entryBytes === 4 ? 0 : memory.readLe32(at + 4);
      const reserved = (low & (bits.PTE_R | bits.PTE_W)) === bits.PTE_W || high >= HIGH_RESERVED;
      if ((low & bits.PTE_V) === 0 || reserved) return this.pageFault(va, access, 0);
      const ppn = high * 0x40_0000 + (low >>> 10);
      global |= low & bits.PTE_G;
      if ((low & bits.PTE_LEAF) !== 0)
        return this.leaf(va, vpn, access, at, low | global, ppn, level);
      if (level === 0 || (low & POINTER_RESERVED) !== 0) return this.pageFault(va, access, 0);
      table = ppn * bits.PAGE_SIZE;
      if (level === 1 && table < memory.size)
        this.pointers.insert(vpn >> indexBits, this.asid, ppn, global);
    }
  }

  /** The walk ended at a leaf: checks it, sees to A and D, fills the TLB. */
  private leaf(
    va: Va,
    vpn: number,
    access: Access,
    at: Pa,
    low: number,
    ppn: number,
    level: number,
  ): Pa {
    const flags = low & bits.PTE_FLAGS;
    const span = (1 << (level * this.format.indexBits)) - 1;
    if (!this.allows(flags | bits.PTE_A | bits.PTE_D, access))
      return this.pageFault(va, access, flags);
    if ((ppn & span) !== 0) return this.pageFault(va, access, 0);
    let used = flags;
    if (!this.allows(flags, access)) {
      if (!this.hardware) return this.pageFault(va, access, flags);
      used |= (access & VM_PROT_WRITE) === 0 ? bits.PTE_A : bits.PTE_A | bits.PTE_D;
      this.memory.writeLe32(at, this.memory.readLe32(at) | (used & (bits.PTE_A | bits.PTE_D)));
    }
    const pa = this.within(ppn, level, vpn, va);
    if (pa >= this.memory.size) return this.accessFault(va, access);
    this.tlbs[level]!.insert(vpn >> (level * this.format.indexBits), this.asid, ppn, used);
    this.front.invalidate();
    return pa;
  }

  /** The physical address of `va` in what a leaf at `level` maps. */
  private within(ppn: number, level: number, vpn: number, va: Va): Pa {
    const span = (1 << (level * this.format.indexBits)) - 1;
    return (ppn + (vpn & span)) * bits.PAGE_SIZE + (va & (bits.PAGE_SIZE - 1));
  }

  private accessFault(va: Va, access: Access): Pa {
    if ((access & VM_PROT_EXECUTE) !== 0) return this.fault(va, access, INSTRUCTION_ACCESS_FAULT);
    const store = (access & VM_PROT_WRITE) !== 0;
    return this.fault(va, access, store ? STORE_ACCESS_FAULT : LOAD_ACCESS_FAULT);
  }

  /** The fetch is tried before what the instruction does. An AMO, which loads and stores, faults as a store. */
  private pageFault(va: Va, access: Access, flags: number): Pa {
    const fetch = access & ~(VM_PROT_READ | VM_PROT_WRITE);
    if ((access & VM_PROT_EXECUTE) !== 0 && !this.allows(flags, fetch))
      return this.fault(va, access, INSTRUCTION_PAGE_FAULT);
    const store = (access & VM_PROT_WRITE) !== 0;
    return this.fault(va, access, store ? STORE_PAGE_FAULT : LOAD_PAGE_FAULT);
  }

  private fault(va: Va, access: Access, cause: number): typeof FAULT {
    this.counts.faults++;
    this.scause = cause;
    this.stval = va;
    const user = (access & ACCESS_USER) !== 0;
    this.status = user ? this.status & ~bits.SSTATUS_SPP : this.status | bits.SSTATUS_SPP;
    this.faulted = access;
    return FAULT;
  }

  /** Whether a leaf with these bits 7:0 would let the access through that faulted last. */
  permits(flags: number): boolean {
    return this.allows(flags, this.faulted);
  }

  /** sstatus: SUM and MXR, which software writes, and SPP, which a fault does. */
  get sstatus(): number {
    return this.status;
  }

  set sstatus(value: number) {
    this.status = value & (bits.SSTATUS_SPP | bits.SSTATUS_SUM | bits.SSTATUS_MXR);
    this.permitted = bits.permitted(value);
    this.front.invalidate();
  }

  /**
   * CSRRW of satp: which tables, under which ASID. Flushes nothing. A mode that is not implemented makes the whole write
   * have no effect; bits of the ASID that are not are dropped.
   *
   * @param mode {@link BARE} or the format's
   * @param ppn page number of the root table
   */
  writeSatp(mode: number, asid: number, ppn: number): void {
    if (mode !== BARE && mode !== this.format.mode) return;
    this.mode = mode;
    this.asid = asid & ((1 << this.asidBits) - 1);
    this.ppn = ppn;
    this.front.invalidate();
  }

  /** satp.PPN. */
  get satpPpn(): number {
    return this.ppn;
  }

  /**
   * SFENCE.VMA (4.2.1). Of the four forms those with an ASID leave global entries, and those with an address leave
   * pointers to tables.
   *
   * @param va rs1: any byte of the page, or null for x0. One that is no address has no effect
   * @param asid rs2, or null for x0
   */
  sfenceVma(va: Va | null, asid: number | null): void {
    const context = asid === null ? -1 : asid & ((1 << this.asidBits) - 1);
    if (va === null) {
      this.fenceAll(context);
      return;
    }
    if (va < this.format.lowest || va >= this.format.beyond) return;
    this.counts.pageFlushes++;
    const vpn = Math.floor(va / bits.PAGE_SIZE) | 0;
    for (let level = 0; level < this.tlbs.length; level++)
      this.fencePage(this.tlbs[level]!, vpn >> (level * this.format.indexBits), context);
    this.front.invalidate();
    if (this.events.watched) this.events.emit('tlb.flushPage', this.cpu, va);
  }

  private fenceAll(context: number): void {
    this.counts.fullFlushes++;
    for (const tlb of [...this.tlbs, this.pointers])
      if (context < 0) tlb.flushAll();
      else tlb.flushContext(context);
    this.front.invalidate();
    if (this.events.watched)
      this.events.emit('tlb.flush', this.cpu, context < 0 ? SCOPE_ALL : SCOPE_CONTEXT);
  }

  /** One page: of every address space and global, or of one address space and not global. */
  private fencePage(tlb: Tlb, vpn: number, context: number): void {
    const set = (vpn & (tlb.sets - 1)) * tlb.ways;
    for (let entry = set; entry < set + tlb.ways; entry++) {
      if (tlb.vpn[entry] !== vpn) continue;
      if (context < 0 || (tlb.context[entry] === context && (tlb.bits[entry]! & bits.PTE_G) === 0))
        tlb.drop(entry);
    }
  }

  flushAll(): void {
    this.sfenceVma(null, null);
  }

  registers(): Readonly<Record<string, number>> {
    return {
      'satp.MODE': this.mode,
      'satp.ASID': this.asid,
      'satp.PPN': this.ppn,
      sstatus: this.status,
      scause: this.scause,
      stval: this.stval,
    };
  }

  describeFault(): string {
    const mode = (this.status & bits.SSTATUS_SPP) === 0 ? 'user' : 'supervisor';
    const digits = this.format.entryBytes * 2;
    return `scause ${this.scause} (${CAUSES.get(this.scause)?.[1] ?? 'none'}), ${mode}, stval ${hex(this.stval, digits)}`;
  }
}
