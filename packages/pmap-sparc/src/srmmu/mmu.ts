import {
  ACCESS_USER,
  FAULT,
  FRONT_MISS,
  mmuStats,
  SCOPE_ALL,
  SCOPE_CONTEXT,
  SCOPE_RANGE,
  Tlb,
  TLB_MISS,
  TranslationFront,
  VM_PROT_EXECUTE,
  VM_PROT_WRITE,
  type Access,
  type EventStream,
  type Mmu,
  type MmuStats,
  type Pa,
  type PhysicalMemory,
  type Va,
} from '@uvmkit/pmap';
import {
  ACC_SUPERVISOR,
  AT_STORE,
  AT_SUPERVISOR,
  AT_TEXT,
  describeSfsr,
  ET_INVALID,
  ET_MASK,
  ET_PTD,
  ET_PTE,
  FT_BUS,
  FT_INVALID,
  FT_NONE,
  FT_TRANSLATION,
  isPtd,
  isPte,
  makeSfsr,
  NBPG,
  OFFSET_MASK,
  PCR_E,
  PCR_NF,
  permissionFault,
  PG_ACC,
  PG_ACC_SHIFT,
  PG_M,
  PG_R,
  ptdTable,
  ptePpn,
  SFSR_EBE,
  SFSR_OW,
  sfsrAt,
  sfsrFt,
} from './pte.ts';

/** Types of flush and probe: bits 10:8 of the address stored to or loaded from ASI 3. */
export const FLUSH_PAGE = 0;
export const FLUSH_SEGMENT = 1;
export const FLUSH_REGION = 2;
export const FLUSH_CONTEXT = 3;
export const FLUSH_ENTIRE = 4;
/** One of the five types. */
export type FlushType = 0 | 1 | 2 | 3 | 4;

/** The scope of a `tlb.flush` event, by type. */
const FLUSH_SCOPE: Uint8Array = Uint8Array.of(
  SCOPE_RANGE,
  SCOPE_RANGE,
  SCOPE_RANGE,
  SCOPE_CONTEXT,
  SCOPE_ALL,
);

/** What is implementation-defined about the MMU. */
export interface SrmmuMmuOptions {
  /** Entries of the TLB for 4 KB pages: a power of two ≥ 4, in sets of four. 64, SuperSPARC's, if not given. */
  readonly tlbEntries?: number;
  /**
   * Whether a PTE in the context table maps 4 GB, as Appendix H allows. If not (the default) it is a
   * translation error, as it is to SuperSPARC and to NetBSD.
   */
  readonly rootPte?: boolean;
}

/*
 * A word of TLB bits. The right to make an access of each type is worked out when the entry is
 * filled, so that a hit is one lookup and one bit test. Stores have it only once M is set: the
 * first one walks again and sets it in memory.
 *
 *       24       15     8  7       0
 *      | GLOBAL | PTE 7:0 | allowed by AT |
 */
const TLB_PTE_SHIFT = 8;
const TLB_GLOBAL = 1 << 24;

/** AT by the low four bits of an access (READ, WRITE, EXECUTE, USER). */
const ACCESS_TYPE: Uint8Array = Uint8Array.from({ length: 16 }, (_, access) => {
  const store = access & VM_PROT_WRITE ? AT_STORE : 0;
  const text = access & VM_PROT_EXECUTE ? AT_TEXT : 0;
  return store | text | (access & ACCESS_USER ? 0 : AT_SUPERVISOR);
});

/** Which access types may use a PTE as it stands, by its bits 7:0: bit AT is set where it is allowed. */
const ALLOWED: Uint8Array = Uint8Array.from({ length: 256 }, (_, pte) => {
  let allowed = 0;
  for (let at = 0; at < 8; at++) {
    if (at & AT_STORE && !(pte & PG_M)) continue;
    if (permissionFault(at, (pte & PG_ACC) >>> PG_ACC_SHIFT) === FT_NONE) allowed |= 1 << at;
  }
  return allowed;
});

/** Fault classes of the overwrite rule: a fault never hides one of a higher class. */
function faultClass(sfsr: number): number {
  if (sfsrFt(sfsr) === FT_NONE) return 0;
  if (sfsrFt(sfsr) === FT_TRANSLATION) return 3;
  const at = sfsrAt(sfsr);
  return (at & AT_TEXT) !== 0 && (at & AT_STORE) === 0 ? 1 : 2;
}

/**
 * The SPARC Reference MMU (The SPARC Architecture Manual, Version 8, Appendix H), one CPU's.
 *
 * Three levels of tables in big-endian memory below a table of contexts; hardware sets referenced and modified. Its
 * caches are physical, as SuperSPARC's are.
 *
 * The architecture leaves the TLB to the implementation. Here each size of mapping has an array of its own, so
 * that a 16 MB mapping is one entry that answers for all of its pages, as on the chips.
 */
export class SrmmuMmu implements Mmu {
  readonly cpu: number;
  readonly dataCache = null;
  /** Context table pointer (0x100): bits 31:2 are PA[35:6]. */
  cxtptr = 0;
  /** Fault status (0x300), looked at without clearing it; software reads with {@link readSfsr}. */
  sfsr = 0;
  /** Fault address (0x400): the full virtual address. */
  sfar = 0;
  /**
   * Whether the last fault goes to the processor as a trap. With `PCR_NF` only a fetch by the supervisor (ASI 9)
   * does; others leave the record, and the access answers nothing of use.
   */
  trapping = true;
  /**
   * The TLBs replace round-robin and so take no notice of hits: what is in front is in the TLB behind, with the right
   * that the kind of access needs, and M if it stores.
   */
  private readonly front: TranslationFront = new TranslationFront();
  private readonly counts: MmuStats = mmuStats();
  private control = 0;
  private context = 0;
  private lastSfsr = 0;
  private lastSfar = 0;
  private readonly memory: PhysicalMemory;
  private readonly events: EventStream;
  private readonly rootPte: boolean;
  /** TLB entries of 4 KB. */
  private readonly pages: Tlb;
  /** TLB entries of 4 GB, 16 MB, 256 KB, by level. */
  private readonly large: readonly [Tlb, Tlb, Tlb] = [
    new Tlb(1, 2, TLB_GLOBAL),
    new Tlb(1, 4, TLB_GLOBAL),
    new Tlb(1, 8, TLB_GLOBAL),
  ];
  /** Whether a large entry was entered since they were last all dropped. */
  private anyLarge = false;

  constructor(
    cpu: number,
    memory: PhysicalMemory,
    events: EventStream,
    options: SrmmuMmuOptions = {},
  ) {
    const entries = options.tlbEntries ?? 64;
    if (entries < 4)
      throw new RangeError(`TLB entries must be a power of two from 4, given ${entries}`);
    this.cpu = cpu;
    this.memory = memory;
    this.events = events;
    this.rootPte = options.rootPte ?? false;
    this.pages = new Tlb(entries / 4, 4, TLB_GLOBAL);
  }

  translate(va: Va, access: Access): Pa {
    const pa = this.front.find(va, access);
    return (pa | 0) === FRONT_MISS ? this.lookup(va, access) : pa;
  }

  get stats(): MmuStats {
    this.counts.lookups += this.front.takeHits();
    return this.counts;
  }

  /** Asks the TLB for 4 KB pages, then the others. */
  private lookup(va: Va, access: Access): Pa {
    this.counts.lookups += this.front.takeHits() + 1;
    if ((this.control & PCR_E) === 0) return va;
    const at = ACCESS_TYPE[access & 15]!;
    const entry = this.pages.lookup(va >>> 12, this.context);
    if (entry !== TLB_MISS) {
      const bits = this.pages.bits[entry]!;
      if (((bits >>> at) & 1) === 0) return this.refused(va, at, bits, 3);
      return this.front.remember(va, access, this.pages.frame[entry]! * NBPG + (va & 0xfff));
    }
    return this.anyLarge ? this.lookupLarge(va, access, at) : this.walk(va, at);
  }

  private lookupLarge(va: Va, access: Access, at: number): Pa {
    for (let level = 2; level >= 0; level--) {
      const tlb = this.large[level]!;
      const entry = tlb.lookup(largeVpn(va, level), this.context);
      if (entry === TLB_MISS) continue;
      const bits = tlb.bits[entry]!;
      if (((bits >>> at) & 1) === 0) return this.refused(va, at, bits, level);
      const pa = tlb.frame[entry]! * NBPG + ((va & OFFSET_MASK[level]!) >>> 0);
      return this.front.remember(va, access, pa);
    }
    return this.walk(va, at);
  }

  /** The TLB holds the PTE and it does not serve: it lacks the right, or M, which only a walk can set. */
  private refused(va: Va, at: number, bits: number, level: number): Pa {
    const pte = bits >>> TLB_PTE_SHIFT;
    const ft = permissionFault(at, (pte & PG_ACC) >>> PG_ACC_SHIFT);
    return ft === FT_NONE ? this.walk(va, at) : this.fault(va, at, ft, level);
  }

  /*
   *      31      24 23      18 17      12 11           0
   *     |  index 1 |  index 2 |  index 3 |    offset    |
   *
   *     context table[CXR] ─▶ L1[index 1] ─▶ L2[index 2] ─▶ L3[index 3] ─▶ page
   *            4 GB              16 MB          256 KB          4 KB
   */
  private walk(va: Va, at: number): Pa {
    this.counts.misses++;
    let entryPa = this.contextEntry();
    for (let level = 0; ; level++) {
      const entry = this.read(entryPa);
      if (entry < 0) return this.fault(va, at, FT_TRANSLATION, level);
      const type = entry & ET_MASK;
      if (type === ET_PTD && level < 3) {
        entryPa = ptdTable(entry) + tableOffset(va, level + 1);
      } else if (type === ET_PTE && (level > 0 || this.rootPte)) {
        return this.use(va, at, entryPa, entry, level);
      } else {
        return this.fault(va, at, type === ET_INVALID ? FT_INVALID : FT_TRANSLATION, level);
      }
    }
  }

  /** The walk ended at a PTE: checks it, sets R and M in memory, fills the TLB. */
  private use(va: Va, at: number, entryPa: Pa, pte: number, level: number): Pa {
    const acc = (pte & PG_ACC) >>> PG_ACC_SHIFT;
    const ft = permissionFault(at, acc);
    if (ft !== FT_NONE) return this.fault(va, at, ft, level);
    const used = (pte | (at & AT_STORE ? PG_R | PG_M : PG_R)) >>> 0;
    if (used !== pte) this.memory.writeBe32(entryPa, used);
    // Page number bits below the mapping's size come from the address, whatever the PTE has there.
    const offset = OFFSET_MASK[level]!;
    const frame = ptePpn(pte) & ~(offset >>> 12);
    const low = used & 0xff;
    const bits = ALLOWED[low]! | (low << TLB_PTE_SHIFT) | (acc >= ACC_SUPERVISOR ? TLB_GLOBAL : 0);
    this.front.invalidate();
    if (level === 3) {
      this.pages.insert(va >>> 12, this.context, frame, bits);
    } else {
      this.large[level]!.insert(largeVpn(va, level), this.context, frame, bits);
      this.anyLarge = true;
    }
    return frame * NBPG + ((va & offset) >>> 0);
  }

  /** Control register (VA 0x000 of ASI 4): `PCR_E`, `PCR_NF`. */
  get pcr(): number {
    return this.control;
  }

  set pcr(value: number) {
    this.control = value;
    this.front.invalidate();
  }

  /** Context register (0x200). */
  get cxr(): number {
    return this.context;
  }

  set cxr(value: number) {
    this.context = value;
    this.front.invalidate();
  }

  private contextEntry(): Pa {
    return ptdTable(this.cxtptr) + this.context * 4;
  }

  /** A word of a table, or −1 if nothing answers at that address. */
  private read(pa: Pa): number {
    return pa + 4 <= this.memory.size ? this.memory.readBe32(pa) : -1;
  }

  private fault(va: Va, at: number, ft: number, level: number): typeof FAULT {
    this.record(va, makeSfsr(level, at, ft));
    return FAULT;
  }

  /**
   * Enters a fault into SFSR and SFAR. A fault of the class already there replaces it and sets OW, one
   * of a higher class replaces it with OW clear, one of a lower class is lost. Classes from above:
   * translation, data, instruction (Appendix H, fault status register).
   */
  private record(va: Va, sfsr: number): void {
    this.counts.faults++;
    this.trapping = (this.control & PCR_NF) === 0 || sfsrAt(sfsr) === (AT_TEXT | AT_SUPERVISOR);
    this.lastSfsr = sfsr;
    this.lastSfar = va;
    const was = faultClass(this.sfsr);
    const now = faultClass(sfsr);
    if (now < was) return;
    this.sfsr = now === was ? sfsr | SFSR_OW : sfsr;
    this.sfar = va;
  }

  /**
   * The bus did not carry out an access that {@link translate} had let through: records an access bus error (FT 5).
   * For whoever owns the bus; `ebe` is of `SFSR_UC`, `SFSR_TO`, `SFSR_BE`.
   */
  busError(va: Va, access: Access, ebe: number): void {
    this.record(va, makeSfsr(0, ACCESS_TYPE[access & 15]!, FT_BUS) | (ebe & SFSR_EBE));
  }

  /** Reads the fault status, which clears it; read {@link sfar} first. */
  readSfsr(): number {
    const sfsr = this.sfsr;
    this.sfsr = 0;
    return sfsr;
  }

  /**
   * A store to ASI 3: drops TLB entries of the context in CXR (supervisor entries of any) that map
   * the page, segment or region of `va`, or belong to the context, or all.
   */
  flush(type: FlushType, va: Va): void {
    this.front.invalidate();
    if (type === FLUSH_PAGE) this.counts.pageFlushes++;
    else this.counts.fullFlushes++;
    if (this.events.watched) {
      if (type === FLUSH_PAGE) this.events.emit('tlb.flushPage', this.cpu, va);
      else this.events.emit('tlb.flush', this.cpu, FLUSH_SCOPE[type]!);
    }
    switch (type) {
      case FLUSH_PAGE:
        this.pages.flushPage(va >>> 12, this.context);
        break;
      case FLUSH_SEGMENT:
        this.dropWithin(this.pages, va >>> 18, 6);
        this.dropWithin(this.large[2], va >>> 18, 0);
        break;
      case FLUSH_REGION:
        this.dropWithin(this.pages, va >>> 24, 12);
        this.dropWithin(this.large[2], va >>> 24, 6);
        this.dropWithin(this.large[1], va >>> 24, 0);
        break;
      case FLUSH_CONTEXT:
        this.pages.flushContext(this.context);
        for (const tlb of this.large) tlb.flushContext(this.context);
        break;
      case FLUSH_ENTIRE:
        this.flushAll();
        break;
    }
  }

  /** Drops the entries of `tlb` whose page number shifted right by `shift` is `prefix`. */
  private dropWithin(tlb: Tlb, prefix: number, shift: number): void {
    for (let entry = 0; entry < tlb.vpn.length; entry++) {
      if (tlb.vpn[entry]! >>> shift !== prefix) continue;
      if (tlb.context[entry] === this.context || tlb.bits[entry]! & TLB_GLOBAL) tlb.drop(entry);
    }
  }

  flushAll(): void {
    this.front.invalidate();
    this.pages.flushAll();
    for (const tlb of this.large) tlb.flushAll();
    this.anyLarge = false;
  }

  /**
   * A load from ASI 3: the table entry of that level for `va` in the context of CXR, read from memory, or
   * 0 where the tables do not reach it. Type 4 answers the PTE that the walk ends at, whatever its level, or 0.
   * Probing changes nothing and faults nothing.
   */
  probe(type: FlushType, va: Va): number {
    let entry = this.read(this.contextEntry());
    for (let level = 0; entry >= 0; level++) {
      if (type !== FLUSH_ENTIRE && level === 3 - type) return entry;
      if (level === 3 || !isPtd(entry)) break;
      entry = this.read(ptdTable(entry) + tableOffset(va, level + 1));
    }
    return type === FLUSH_ENTIRE && entry >= 0 && isPte(entry) ? entry : 0;
  }

  registers(): Readonly<Record<string, number>> {
    return {
      PCR: this.pcr,
      CXTPTR: this.cxtptr,
      CXR: this.cxr,
      SFSR: this.sfsr,
      SFAR: this.sfar,
    };
  }

  describeFault(): string {
    const sfsr = this.lastSfsr.toString(16).padStart(8, '0');
    const sfar = this.lastSfar.toString(16).padStart(8, '0');
    return `SFSR 0x${sfsr} (${describeSfsr(this.lastSfsr)}), SFAR 0x${sfar}`;
  }
}

/** Offset in the table of a level (1 … 3) of the entry for `va`. */
function tableOffset(va: Va, level: number): number {
  if (level === 1) return (va >>> 24) * 4;
  return ((va >>> (level === 2 ? 18 : 12)) & 63) * 4;
}

/** What a large TLB entry of a level (0 … 2) is found by. */
function largeVpn(va: Va, level: number): number {
  return level === 0 ? 0 : va >>> (level === 1 ? 24 : 18);
}
