import {
  ACCESS_USER,
  FAULT,
  FRONT_MISS,
  SCOPE_ALL,
  SCOPE_NONGLOBAL,
  mmuStats,
  TLB_MISS,
  Tlb,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  WideTranslationFront,
  hex,
  type Access,
  type EventStream,
  type Mmu,
  type MmuStats,
  type Pa,
  type PhysicalMemory,
  type Va,
} from '@uvmkit/pmap';
import {
  PG_ASM,
  PG_FOE,
  PG_FOR,
  PG_FOW,
  PG_KRE,
  PG_KWE,
  PG_PALCODE,
  PG_URE,
  PG_UWE,
  PG_V,
} from './pte.ts';
import { K0SEG, K1SEG, PAGE_SIZE, USEG_END, VPTBASE, pageNumber } from './vmparam.ts';

/** MMCSR, the second argument of an entMM trap (alpha_cpu.h 1.36): translation not valid. */
export const MMCSR_INVALTRANS = 0;
/** Access violation: an enable bit is missing, or the address is no address of this mode. */
export const MMCSR_ACCESS = 1;
/** Fault on read. */
export const MMCSR_FOR = 2;
/** Fault on execute. */
export const MMCSR_FOE = 3;
/** Fault on write. */
export const MMCSR_FOW = 4;
const MMCSR_NAMES: readonly string[] = ['TNV', 'ACV', 'FOR', 'FOE', 'FOW'];
/** No fault. */
const GRANTED = -1;

/** PALcode `tbi`: everything, ASM entries included. */
export const TBIA = -2;
/** PALcode `tbi`: every entry without ASM. */
export const TBIAP = -1;
/** PALcode `tbi`: one page's ITB entry. */
export const TBISI = 1;
/** PALcode `tbi`: one page's DTB entry. */
export const TBISD = 2;
/** PALcode `tbi`: one page's entries in both. */
export const TBIS = 3;

/** Bytes of a process control block (`alpha_pcb`), and the offsets of what concerns the MMU. */
export const PCB_SIZE = 128;
export const PCB_PTBR = 16;
export const PCB_ASN = 28;

/** What hardware an {@link AlphaMmu} is. */
export interface AlphaMmuOptions {
  /** The highest ASN, from the HWRPB: 127 on EV5, 255 on EV6; 0 where ASNs are not implemented. */
  readonly maxAsn: number;
  /** Which fault wins where an entry is invalid *and* denies the access: ACV (SIMH's PALcode) or TNV (QEMU's). */
  readonly precedence: 'acv' | 'tnv';
  /** Whether a miss first tries a virtual load of the PTE through VPTPTR, as PALcode does. */
  readonly virtualPageTable: boolean;
  /** Sets (a power of two) and ways of each translation buffer. Shipped parts are fully associative. */
  readonly tbSets: number;
  readonly tbWays: number;
}

/**
 * A permission check is one exclusive-or and one mask on the low word of a PTE: the bits wanted set
 * are inverted by NEED, after which anything left under MASK is a refusal. Indexed by the access and mode bits.
 *
 *                load            store           fetch
 *     user       URE, not FOR    UWE, not FOW    URE, not FOE
 *     kernel     KRE, not FOR    KWE, not FOW    KRE, not FOE
 */
const NEED: Int32Array = new Int32Array(16);
const MASK: Int32Array = new Int32Array(16);
for (let access = 0; access < 16; access++) {
  const [readable, writable] = access & ACCESS_USER ? [PG_URE, PG_UWE] : [PG_KRE, PG_KWE];
  const enable =
    (access & (VM_PROT_READ | VM_PROT_EXECUTE) ? readable : 0) |
    (access & VM_PROT_WRITE ? writable : 0);
  const faultOn =
    (access & VM_PROT_READ ? PG_FOR : 0) |
    (access & VM_PROT_WRITE ? PG_FOW : 0) |
    (access & VM_PROT_EXECUTE ? PG_FOE : 0);
  NEED[access] = PG_V | enable;
  MASK[access] = PG_V | enable | faultOn;
}

/**
 * One Alpha CPU's translation: ITB, DTB and the PALcode that fills them from three-level tables of
 * 8 KB (Alpha Architecture Handbook, OSF/1 PALcode; the miss flow is PALcode's).
 */
export class AlphaMmu implements Mmu {
  readonly cpu: number;
  readonly dataCache = null;
  /** Translation buffer of instruction fetches. */
  readonly itb: Tlb;
  /** Translation buffer of loads and stores, and of PALcode's own loads through the VPT. */
  readonly dtb: Tlb;
  /** Page frame number of the level-1 table. */
  ptbr = 0;
  /** entMM's arguments: a0 the address, a1 MMCSR, a2 −1 fetch, 0 load, 1 store; and whether PS said user mode. */
  a0: Va = 0;
  a1 = 0;
  a2 = 0;
  userMode = false;
  /** `imb` instructions so far: how often the instruction stream was brought up to date. */
  imbs = 0;
  readonly maxAsn: number;
  private readonly memory: PhysicalMemory;
  private readonly events: EventStream;
  private readonly tnvFirst: boolean;
  private readonly useVpt: boolean;
  /**
   * The translation buffers replace round-robin and so take no notice of hits: what is in front is in a buffer
   * behind, with the enable bits that the kind of access needs and none of its fault-on bits. K0SEG is in front too.
   */
  private readonly front: WideTranslationFront = new WideTranslationFront();
  private readonly counts: MmuStats = mmuStats();
  private currentAsn = 0;
  private vptBase: Va = VPTBASE;
  private vptPage: number = pageNumber(VPTBASE);
  // The PTE that the last walk ended with.
  private low = 0;
  private high = 0;

  constructor(cpu: number, memory: PhysicalMemory, events: EventStream, options: AlphaMmuOptions) {
    this.cpu = cpu;
    this.itb = new Tlb(options.tbSets, options.tbWays, PG_ASM);
    this.dtb = new Tlb(options.tbSets, options.tbWays, PG_ASM);
    this.maxAsn = options.maxAsn;
    this.memory = memory;
    this.events = events;
    this.tnvFirst = options.precedence === 'tnv';
    this.useVpt = options.virtualPageTable;
  }

  translate(va: Va, access: Access): Pa {
    const pa = this.front.find(va, access);
    return (pa | 0) === FRONT_MISS ? this.lookup(va, access) : pa;
  }

  get stats(): MmuStats {
    this.counts.lookups += this.front.takeHits();
    return this.counts;
  }

  /** Asks the buffer that the access goes through. */
  private lookup(va: Va, access: Access): Pa {
    this.counts.lookups += this.front.takeHits() + 1;
    if (va < K1SEG || va >= USEG_END) return this.direct(va, access);
    const page = Math.floor(va / PAGE_SIZE) | 0;
    const tb = (access & VM_PROT_EXECUTE) !== 0 ? this.itb : this.dtb;
    const entry = tb.lookup(page, this.currentAsn);
    if (entry === TLB_MISS) return this.miss(va, page, access, tb);
    const bits = tb.bits[entry]!;
    if (((bits ^ NEED[access & 15]!) & MASK[access & 15]!) !== 0) {
      return this.refuse(va, access, bits, tb, entry);
    }
    const pa = (tb.frame[entry]! >>> 0) * PAGE_SIZE + (va & (PAGE_SIZE - 1));
    return this.front.remember(va, access, pa);
  }

  /** K0SEG is physical memory, for the kernel; beyond it and above USEG lies no address at all. */
  private direct(va: Va, access: Access): Pa {
    if (va >= K0SEG && va < K1SEG && (access & ACCESS_USER) === 0)
      return this.front.remember(va, access, va - K0SEG);
    return this.fault(va, access, firstPart(access), MMCSR_ACCESS);
  }

  /** The miss flow: find the PTE, keep it if it is valid, then judge the access by it. */
  private miss(va: Va, page: number, access: Access, tb: Tlb): Pa {
    this.counts.misses++;
    const fault = this.findPte(page);
    if (fault !== GRANTED) return this.fault(va, access, firstPart(access), fault);
    const low = this.low;
    let entry = TLB_MISS;
    if ((low & PG_V) !== 0) {
      entry = tb.insert(page, this.currentAsn, this.high | 0, low & PG_PALCODE);
      this.front.invalidate();
      if (((low ^ NEED[access & 15]!) & MASK[access & 15]!) === 0) {
        return this.high * PAGE_SIZE + (va & (PAGE_SIZE - 1));
      }
    }
    return this.refuse(va, access, low, tb, entry);
  }

  /**
   * Reads the level-3 PTE of a page into `low` and `high`.
   *
   *      42       33 32       23 22       13 12           0
   *     ┌───────────┬───────────┬───────────┬──────────────┐
   *     │ level 1   │ level 2   │ level 3   │ byte in page │   8-byte PTEs, 1024 a table
   *     └────┬──────┴─────┬─────┴─────┬─────┴──────────────┘
   *      PTBR│          PFN│        PFN│
   *         [PTE]────────▶[PTE]──────▶[PTE]
   *                        └ this one is also the PTE of the VPT page that holds the whole level-3
   *                          table: with it in the DTB one load does
   *
   * @returns GRANTED, or the MMCSR code of a fault at level 1 or 2
   */
  private findPte(page: number): number {
    const memory = this.memory;
    const index3 = (page & 0x3ff) * 8;
    const vptPage = this.vptPage + ((page >> 10) & 0xf_ffff);
    if (this.useVpt) {
      const entry = this.dtb.lookup(vptPage, this.currentAsn);
      if (entry !== TLB_MISS && (this.dtb.bits[entry]! & PG_KRE) !== 0) {
        const pte = (this.dtb.frame[entry]! >>> 0) * PAGE_SIZE + index3;
        this.low = memory.readLe32(pte);
        this.high = memory.readLe32(pte + 4);
        return GRANTED;
      }
    }
    let pte = this.ptbr * PAGE_SIZE + ((page >> 20) & 0x3ff) * 8;
    let low = memory.readLe32(pte);
    if ((low & (PG_KRE | PG_V)) !== (PG_KRE | PG_V)) return this.tableFault(low);
    pte = memory.readLe32(pte + 4) * PAGE_SIZE + ((page >> 10) & 0x3ff) * 8;
    low = memory.readLe32(pte);
    if ((low & (PG_KRE | PG_V)) !== (PG_KRE | PG_V)) return this.tableFault(low);
    const table = memory.readLe32(pte + 4);
    if (this.useVpt) {
      this.dtb.insert(vptPage, this.currentAsn, table | 0, low & PG_PALCODE);
      this.front.invalidate();
    }
    pte = table * PAGE_SIZE + index3;
    this.low = memory.readLe32(pte);
    this.high = memory.readLe32(pte + 4);
    return GRANTED;
  }

  private tableFault(low: number): number {
    if (this.tnvFirst) return (low & PG_V) === 0 ? MMCSR_INVALTRANS : MMCSR_ACCESS;
    return (low & PG_KRE) === 0 ? MMCSR_ACCESS : MMCSR_INVALTRANS;
  }

  /** Finds which part of a refused access fails and why. A fault-on fault costs the entry its place. */
  private refuse(va: Va, access: Access, low: number, tb: Tlb, entry: number): Pa {
    let part = firstPart(access);
    let code = this.judge(low, part, access);
    if (code === GRANTED && part === VM_PROT_EXECUTE && (access & VM_PROT_READ) !== 0) {
      part = VM_PROT_READ;
      code = this.judge(low, part, access);
    }
    if (code === GRANTED) {
      part = VM_PROT_WRITE;
      code = this.judge(low, part, access);
    }
    if (code >= MMCSR_FOR && entry !== TLB_MISS) {
      tb.drop(entry);
      this.front.invalidate();
    }
    return this.fault(va, access, part, code);
  }

  private judge(low: number, part: Access, access: Access): number {
    const index = part | (access & ACCESS_USER);
    const denied = (~low & NEED[index]! & ~PG_V) !== 0;
    const invalid = (low & PG_V) === 0;
    if (this.tnvFirst && invalid) return MMCSR_INVALTRANS;
    if (denied) return MMCSR_ACCESS;
    if (invalid) return MMCSR_INVALTRANS;
    if ((low & MASK[index]! & ~NEED[index]!) === 0) return GRANTED;
    if (part === VM_PROT_READ) return MMCSR_FOR;
    return part === VM_PROT_WRITE ? MMCSR_FOW : MMCSR_FOE;
  }

  private fault(va: Va, access: Access, part: Access, code: number): Pa {
    this.counts.faults++;
    this.a0 = va;
    this.a1 = code;
    this.a2 = part === VM_PROT_EXECUTE ? -1 : part === VM_PROT_WRITE ? 1 : 0;
    this.userMode = (access & ACCESS_USER) !== 0;
    return FAULT;
  }

  /** Address space number: the tag of entries without ASM. */
  get asn(): number {
    return this.currentAsn;
  }

  set asn(asn: number) {
    this.currentAsn = asn;
    this.front.invalidate();
  }

  /** VPTPTR: the base of the virtual page table, a multiple of 8 GB in K1SEG. */
  get vptptr(): Va {
    return this.vptBase;
  }

  /** PALcode `wrvptptr`. */
  wrvptptr(va: Va): void {
    this.vptBase = va;
    this.vptPage = pageNumber(va);
  }

  /**
   * PALcode `swpctx`: loads PTBR and ASN from the process control block at a physical address. The
   * registers that it also swaps are no concern of an MMU. Nothing is flushed, unless ASNs are not implemented.
   */
  swpctx(pcb: Pa): void {
    this.ptbr = this.memory.readLe32(pcb + PCB_PTBR);
    this.asn = this.memory.readLe32(pcb + PCB_ASN);
    if (this.maxAsn === 0) {
      this.tbiap();
      this.imb();
    }
  }

  /**
   * PALcode `tbi`.
   *
   * @param op {@link TBIA}, {@link TBIAP}, {@link TBISI}, {@link TBISD} or {@link TBIS}
   * @param va for the last three: any byte of the page
   * @throws RangeError for another op
   */
  tbi(op: number, va: Va): void {
    if (op === TBIA) this.tbia();
    else if (op === TBIAP) this.tbiap();
    else if (op === TBISI) this.tbisi(va);
    else if (op === TBISD) this.tbisd(va);
    else if (op === TBIS) this.tbis(va);
    else throw new RangeError(`tbi op must be −2, −1, 1, 2 or 3, given ${op}`);
  }

  /** Drops every entry. */
  tbia(): void {
    this.itb.flushAll();
    this.dtb.flushAll();
    this.flushed(SCOPE_ALL);
  }

  /** Drops every entry without ASM, whatever its ASN. */
  tbiap(): void {
    this.itb.flushNonGlobal();
    this.dtb.flushNonGlobal();
    this.flushed(SCOPE_NONGLOBAL);
  }

  /** Drops the page's ITB entry, if it is the current ASN's or matches all. */
  tbisi(va: Va): void {
    this.itb.flushPage(pageNumber(va), this.currentAsn);
    this.flushedPage(va);
  }

  /** Drops the page's DTB entry, if it is the current ASN's or matches all. */
  tbisd(va: Va): void {
    this.dtb.flushPage(pageNumber(va), this.currentAsn);
    this.flushedPage(va);
  }

  /** Drops the page's entries in both buffers, where they are the current ASN's or match all. */
  tbis(va: Va): void {
    const page = pageNumber(va);
    this.itb.flushPage(page, this.currentAsn);
    this.dtb.flushPage(page, this.currentAsn);
    this.flushedPage(va);
  }

  /** PALcode `imb`: the instruction stream sees every store made before. */
  imb(): void {
    this.imbs++;
  }

  flushAll(): void {
    this.tbia();
  }

  registers(): Readonly<Record<string, number>> {
    const { ptbr, asn, vptptr, a0, a1, a2 } = this;
    return {
      PTBR: ptbr,
      ASN: asn,
      VPTPTR: vptptr,
      A0: a0,
      A1: a1,
      A2: a2,
      PS: this.userMode ? 8 : 0,
    };
  }

  describeFault(): string {
    const access = this.a2 < 0 ? 'fetch' : this.a2 > 0 ? 'store' : 'load';
    const mode = this.userMode ? 'user' : 'kernel';
    return `entMM MMCSR ${this.a1} (${MMCSR_NAMES[this.a1]!}), ${mode} ${access}, VA ${hex(this.a0, 16)}`;
  }

  private flushed(scope: number): void {
    this.front.invalidate();
    this.counts.fullFlushes++;
    if (this.events.watched) this.events.emit('tlb.flush', this.cpu, scope);
  }

  private flushedPage(va: Va): void {
    this.front.invalidate();
    this.counts.pageFlushes++;
    if (this.events.watched) this.events.emit('tlb.flushPage', this.cpu, va);
  }
}

/** The part of an access that is tried first: an instruction is fetched, then loads, then stores. */
function firstPart(access: Access): Access {
  if ((access & VM_PROT_EXECUTE) !== 0) return VM_PROT_EXECUTE;
  return (access & VM_PROT_READ) !== 0 ? VM_PROT_READ : VM_PROT_WRITE;
}
