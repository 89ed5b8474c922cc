import {
  ACCESS_USER,
  ACCESS_USERSPACE,
  FAULT,
  FRONT_MISS,
  SCOPE_ALL,
  TLB_MISS,
  Tlb,
  TranslationFront,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  mmuStats,
  type Access,
  type EventStream,
  type Mmu,
  type MmuStats,
  type Pa,
  type PhysicalMemory,
  type Va,
} from '@uvmkit/pmap';
import { BAT_MISS, BAT_PAIRS, BatArray } from './bat.ts';
import {
  DSISR_DIRECT,
  DSISR_NOTFOUND,
  DSISR_PROTECT,
  DSISR_STORE,
  EXC_DSI,
  EXC_ISI,
  MSR_DR,
  MSR_EE,
  MSR_IR,
  MSR_PR,
  PAGE_INDEX_MASK,
  PTEG_SLOTS,
  PTE_BYTES,
  PTE_CHG,
  PTE_CHG_BYTE,
  PTE_G,
  PTE_HID,
  PTE_PP,
  PTE_REF,
  PTE_REF_BYTE,
  SDR1_HTABMASK,
  SDR1_HTABORG,
  SEGMENT_SHIFT,
  SR_KP,
  SR_KS,
  SR_N,
  SR_T,
  SR_VSID,
  SRR1_MSR,
  SRR1_NOEXEC,
  SRR1_NOTFOUND,
  SRR1_PROTECT,
  keyPpRights,
  primaryHash,
  pteHi,
  ptegAddress,
  secondaryHash,
} from './pte.ts';

/** Processors whose MMU is modelled. They differ in TLB geometry and in who hears a `tlbie`. */
export type OeaModel = '603' | '604' | '750';

/**
 * TLBs (user's manuals of the processors): 604 and 750 hold 128 entries each for data and
 * instructions, the 603 holds 64; all are two-way. Only the 604 puts `tlbie` on the bus.
 */
const GEOMETRY: Readonly<
  Record<OeaModel, { readonly sets: number; readonly broadcasts: boolean }>
> = {
  '603': { sets: 32, broadcasts: false },
  '604': { sets: 64, broadcasts: true },
  '750': { sets: 64, broadcasts: false },
};

/** Whether several processors of the model can keep their TLBs together. */
export function canMultiprocess(model: OeaModel): boolean {
  return GEOMETRY[model].broadcasts;
}

/** The segment through which copyin and copyout reach user space (USER_SR of vmparam.h). */
export const USER_SR = 12;

/** An index of the fast path's tables: 0–15 supervisor segments, 16–31 user segments. */
const USER_BANK = 16;
/** No VSID: the segment needs the full order of checks. */
const SLOW = -1;

/*
 * A TLB entry's word:
 *
 *     bits 0–2   rwx that are done at once with key 0
 *     bits 4–6   with key 1
 *     bits 8–19  low twelve bits of PTE word 1 (R, C, WIMG, PP)
 *
 * A store is done at once only if C is set, so that the first one goes back to memory.
 */
const KEY_1_SHIFT = 4;
const WORD1_SHIFT = 8;

/**
 * The MMU of a 60x processor: BATs, segments, hashed page table, and a TLB each for data and
 * instructions (Programming Environments Manual, chapter 7).
 *
 * **Two images of the segment registers.** The processor has sixteen; trap entry loads the
 * kernel's and the return to user mode the process' (trap_subr.S 1.54.2.1). The model keeps both images
 * and takes the one that the access' privilege asks for, so that no access has to reload. An
 * access with `ACCESS_USERSPACE` does what copyin and copyout do: it loads `USER_SR` of the
 * kernel's image with the user's segment and goes through that window, in supervisor state.
 *
 * **The 603** has its TLB loaded by miss handlers that search the same table and set the same bytes; they
 * are part of the model.
 *
 * **R and C** are set after permission is granted, each by a store of its one byte, and never on a fault.
 */
export class OeaMmu implements Mmu {
  readonly cpu: number;
  readonly dataCache: null = null;
  readonly model: OeaModel;
  readonly dtlb: Tlb;
  readonly itlb: Tlb;

  /** The fault record: which interrupt (0x300 or 0x400) and its registers. SRR0 is known for an ISI only. */
  vector = 0;
  dar = 0;
  dsisr = 0;
  srr0 = 0;
  srr1 = 0;

  private readonly memory: PhysicalMemory;
  private readonly events: EventStream | null;
  private readonly bus: OeaMmu[];
  private readonly broadcasts: boolean;
  private readonly dbat: BatArray = new BatArray();
  private readonly ibat: BatArray = new BatArray();
  private readonly sr: Int32Array = new Int32Array(2 * USER_BANK);
  /** VSID of each segment in which a data access, or a fetch, may use the TLB at once; else SLOW. */
  private readonly dataVsid: Int32Array = new Int32Array(2 * USER_BANK);
  private readonly fetchVsid: Int32Array = new Int32Array(2 * USER_BANK);
  /** 0 where the key is 0, KEY_1_SHIFT where it is 1. */
  private readonly keyShift: Uint8Array = new Uint8Array(2 * USER_BANK);
  private msr: number = MSR_EE;
  private sdr1 = 0;
  private timebase = 0;
  /**
   * The TLBs replace round-robin and so take no notice of hits. What is in front is in the TLB behind, with C set
   * if it answers stores, or was translated by a BAT or not at all; registers that decide empty it.
   */
  private readonly front: TranslationFront = new TranslationFront();
  private readonly counts: MmuStats = mmuStats();

  /**
   * @param memory where the page table lies
   * @param cpu the processor's number
   * @param model TLB geometry and bus behaviour
   * @param bus the processors that share a bus, this one adds itself; its own array if it is alone
   * @param events where flushes are told; null for nowhere
   */
  constructor(
    memory: PhysicalMemory,
    cpu = 0,
    model: OeaModel = '604',
    bus: OeaMmu[] = [],
    events: EventStream | null = null,
  ) {
    const { sets, broadcasts } = GEOMETRY[model];
    this.memory = memory;
    this.cpu = cpu;
    this.model = model;
    this.dtlb = new Tlb(sets, 2);
    this.itlb = new Tlb(sets, 2);
    this.bus = bus;
    this.broadcasts = broadcasts;
    this.events = events;
    bus.push(this);
    this.refreshAll();
  }

  translate(va: Va, access: Access): Pa {
    const pa = this.front.find(va, access);
    return (pa | 0) === FRONT_MISS ? this.lookup(va, access) : pa;
  }

  get stats(): MmuStats {
    this.counts.lookups += this.front.takeHits();
    return this.counts;
  }

  /** Asks the TLB if the segment allows that at once, and makes all the checks if not. */
  private lookup(va: Va, access: Access): Pa {
    this.counts.lookups += this.front.takeHits() + 1;
    const need = access & 7;
    const window = (access & (ACCESS_USER | ACCESS_USERSPACE)) === ACCESS_USERSPACE;
    const ea = window ? this.userWindow(va) : va;
    const space = ((access & ACCESS_USER) << 1) | (ea >>> SEGMENT_SHIFT);
    const fetch = need === VM_PROT_EXECUTE;
    const vsid = fetch ? this.fetchVsid[space]! : this.dataVsid[space]!;
    if (vsid !== SLOW) {
      const tlb = fetch ? this.itlb : this.dtlb;
      const entry = tlb.lookup((ea >>> 12) & PAGE_INDEX_MASK, vsid);
      if (entry !== TLB_MISS && ((tlb.bits[entry]! >>> this.keyShift[space]!) & need) === need)
        return this.front.remember(va, access, ((tlb.frame[entry]! << 12) | (ea & 0xfff)) >>> 0);
    }
    let pa: Pa;
    if (fetch || (need & VM_PROT_EXECUTE) === 0) pa = this.checks(ea, space, need);
    else {
      // A fetch and a data access in one: the fetch comes first, and both must succeed.
      pa = this.checks(ea, space, VM_PROT_EXECUTE);
      if (pa !== FAULT) pa = this.checks(ea, space, need & ~VM_PROT_EXECUTE);
    }
    return pa === FAULT ? FAULT : this.front.remember(va, access, pa);
  }

  /**
   * Everything that the fast path leaves out, in the architecture's order:
   *
   *     real mode → BAT → T → N → TLB → page table
   */
  private checks(ea: Va, space: number, need: number): Pa {
    const fetch = need === VM_PROT_EXECUTE;
    if ((this.msr & (fetch ? MSR_IR : MSR_DR)) === 0) return ea;
    const bats = fetch ? this.ibat : this.dbat;
    const pair = bats.find(ea, space >= USER_BANK);
    if (pair !== BAT_MISS) {
      const wanted = fetch ? VM_PROT_READ : need;
      if ((bats.rights(pair) & wanted) !== wanted)
        return this.fault(ea, space, need, DSISR_PROTECT, SRR1_PROTECT);
      return bats.translate(pair, ea) >>> 0;
    }
    const sr = this.sr[space]!;
    if ((sr & SR_T) !== 0) return this.fault(ea, space, need, DSISR_DIRECT, SRR1_NOEXEC);
    if (fetch && (sr & SR_N) !== 0) return this.fault(ea, space, need, 0, SRR1_NOEXEC);
    const tlb = fetch ? this.itlb : this.dtlb;
    const entry = tlb.lookup((ea >>> 12) & PAGE_INDEX_MASK, sr & SR_VSID);
    if (entry !== TLB_MISS) {
      const word1 = tlb.bits[entry]! >>> WORD1_SHIFT;
      const denied = this.denial(word1, space, need);
      if (denied !== 0) return this.fault(ea, space, need, DSISR_PROTECT, denied);
      const marked = (need & VM_PROT_WRITE) === 0 || (word1 & PTE_CHG) !== 0;
      if (marked) return ((tlb.frame[entry]! << 12) | (ea & 0xfff)) >>> 0;
    }
    return this.walk(ea, space, need);
  }

  /**
   * The table search.
   *
   *     EA     SR# (4)  │ page index (16)                │ offset (12)
   *               │        └─ API = its high 6 bits
   *               ▼
   *            VSID (24)   hash h = VSID[5–23] ⊕ page index        19 bits
   *
   *     PTEG   HTABORG │ h[0–8] ∧ HTABMASK │ h[9–18] │ 000000      8 PTEs of 8 bytes
   *
   *     PTE    V VSID H API  │  RPN R C WIMG PP                    H=0: group of h
   *                                                                H=1: group of ¬h
   */
  private walk(ea: Va, space: number, need: number): Pa {
    const memory = this.memory;
    this.counts.misses++;
    const vsid = this.sr[space]! & SR_VSID;
    let hash = primaryHash(vsid, ea);
    let pte = this.search(hash, pteHi(vsid, ea) | 0);
    if (pte === FAULT) {
      hash = secondaryHash(hash);
      pte = this.search(hash, pteHi(vsid, ea) | PTE_HID);
    }
    if (pte === FAULT) return this.fault(ea, space, need, DSISR_NOTFOUND, SRR1_NOTFOUND);
    let word1 = memory.readBe32(pte + 4) | 0;
    const denied = this.denial(word1, space, need);
    if (denied !== 0) return this.fault(ea, space, need, DSISR_PROTECT, denied);
    if ((word1 & PTE_REF) === 0) {
      word1 |= PTE_REF;
      memory.write8(pte + PTE_REF_BYTE, (word1 >>> 8) & 0xff);
    }
    if ((need & VM_PROT_WRITE) !== 0 && (word1 & PTE_CHG) === 0) {
      word1 |= PTE_CHG;
      memory.write8(pte + PTE_CHG_BYTE, word1 & 0xff);
    }
    const tlb = need === VM_PROT_EXECUTE ? this.itlb : this.dtlb;
    tlb.insert((ea >>> 12) & PAGE_INDEX_MASK, vsid, word1 >>> 12, entryBits(word1, need));
    this.front.invalidate();
    return ((word1 & ~0xfff) | (ea & 0xfff)) >>> 0;
  }

  /** The PTE of one group whose word 0 is `want`, read in order from slot 0; or FAULT. */
  private search(hash: number, want: number): Pa {
    const memory = this.memory;
    const group = ptegAddress(this.sdr1, hash);
    for (let pte = group; pte < group + PTEG_SLOTS * PTE_BYTES; pte += PTE_BYTES)
      if ((memory.readBe32(pte) | 0) === want) return pte;
    return FAULT;
  }

  /** 0 if word 1 and the segment's key allow the access, else the ISI code of why not. */
  private denial(word1: number, space: number, need: number): number {
    const rights = keyPpRights(this.keyShift[space] === 0 ? 0 : 1, word1 & PTE_PP);
    if (need !== VM_PROT_EXECUTE) return (rights & need) === need ? 0 : SRR1_PROTECT;
    if ((rights & VM_PROT_READ) === 0) return SRR1_PROTECT;
    return (word1 & PTE_G) === 0 ? 0 : SRR1_NOEXEC;
  }

  /** Fills in the fault record. The DSI's store bit is the one for accesses that store. */
  private fault(ea: Va, space: number, need: number, dsisr: number, srr1: number): typeof FAULT {
    const msr = this.msr | (space >= USER_BANK ? MSR_PR : 0);
    this.counts.faults++;
    if (need === VM_PROT_EXECUTE) {
      this.vector = EXC_ISI;
      this.srr0 = ea;
      this.srr1 = ((msr & SRR1_MSR) | srr1) >>> 0;
    } else {
      this.vector = EXC_DSI;
      this.dar = ea;
      this.dsisr = (dsisr | ((need & VM_PROT_WRITE) === 0 ? 0 : DSISR_STORE)) >>> 0;
      this.srr1 = (msr & SRR1_MSR) >>> 0;
    }
    return FAULT;
  }

  /**
   * What copyin and copyout do before they touch user memory; the address inside the window. While the window
   * stays where it is there is nothing to do, so an access through it may be answered from the front.
   */
  private userWindow(va: Va): Va {
    const shown = va >>> SEGMENT_SHIFT;
    const segment = this.sr[USER_BANK + shown]!;
    if (this.sr[USER_SR] !== segment || this.windowSegment !== shown) this.mtsr(USER_SR, segment);
    this.windowSegment = shown;
    return ((USER_SR << SEGMENT_SHIFT) | (va & 0x0fffffff)) >>> 0;
  }

  /** The user segment that `USER_SR` shows (pcb_umapsr): what turns a fault there into a user address. */
  windowSegment = 0;

  /** `mtsr`: one segment register of the image in force while the kernel runs. */
  mtsr(segment: number, value: number): void {
    this.sr[segment] = value;
    this.refresh(segment);
  }

  /** The sixteen segment registers that the return to user mode loads. */
  loadUserSegments(values: Readonly<ArrayLike<number>>): void {
    for (let segment = 0; segment < 16; segment++) {
      this.sr[USER_BANK + segment] = values[segment]!;
      this.refresh(USER_BANK + segment);
    }
  }

  /** The segment register that decides for an address at a privilege. */
  segmentOf(ea: Va, user: boolean): number {
    return this.sr[(user ? USER_BANK : 0) + (ea >>> SEGMENT_SHIFT)]! >>> 0;
  }

  /** `mtmsr`: translation on or off. PR comes with each access. */
  mtmsr(value: number): void {
    this.msr = value & ~MSR_PR;
    this.refreshAll();
  }

  /**
   * `mtsdr1`.
   *
   * @throws RangeError if HTABMASK is not right-aligned ones or the table not aligned to its size
   */
  mtsdr1(value: number): void {
    const mask = value & SDR1_HTABMASK;
    if ((mask & (mask + 1)) !== 0 || ((value >>> 16) & mask) !== 0)
      throw new RangeError(
        `SDR1 wants HTABMASK as right-aligned ones and HTABORG zero under them, given 0x${(value >>> 0).toString(16)}`,
      );
    this.sdr1 = value & (SDR1_HTABORG | SDR1_HTABMASK);
  }

  /** Writes a data BAT pair. */
  mtdbat(pair: number, upper: number, lower: number): void {
    this.dbat.set(pair, upper, lower);
    this.refreshAll();
  }

  /** Writes an instruction BAT pair. */
  mtibat(pair: number, upper: number, lower: number): void {
    this.ibat.set(pair, upper, lower);
    this.refreshAll();
  }

  /** `mftb`: the time base, which the model lets tick once a translation. */
  mftb(): number {
    return this.timebase + this.stats.lookups;
  }

  /** `mttb`: sets the time base, so that what software draws from it can be foretold. */
  mttb(value: number): void {
    this.timebase = value - this.stats.lookups;
  }

  /**
   * `tlbie`: drops every entry of the congruence class that the low bits of the page index select, of
   * both TLBs and whatever its VSID; on a 604, of every processor on the bus.
   */
  tlbie(ea: Va): void {
    if (!this.broadcasts) return this.invalidateClass(ea);
    for (const mmu of this.bus) {
      mmu.invalidateClass(ea);
      if (mmu !== this && this.events?.watched)
        this.events.emit('tlb.shootdown', this.cpu, mmu.cpu, ea);
    }
  }

  private invalidateClass(ea: Va): void {
    this.front.invalidate();
    const { dtlb, itlb } = this;
    const first = ((ea >>> 12) & (dtlb.sets - 1)) * 2;
    dtlb.drop(first);
    dtlb.drop(first + 1);
    itlb.drop(first);
    itlb.drop(first + 1);
    this.counts.pageFlushes++;
    if (this.events?.watched) this.events.emit('tlb.flushPage', this.cpu, ea);
  }

  /** `tlbia`, or the loop of `tlbie` over every class where a processor lacks it. */
  flushAll(): void {
    this.front.invalidate();
    this.dtlb.flushAll();
    this.itlb.flushAll();
    this.counts.fullFlushes++;
    if (this.events?.watched) this.events.emit('tlb.flush', this.cpu, SCOPE_ALL);
  }

  private refreshAll(): void {
    for (let space = 0; space < 2 * USER_BANK; space++) this.refresh(space);
  }

  /** Brings the fast path's tables up to date with the registers, for one segment at one privilege. */
  private refresh(space: number): void {
    this.front.invalidate();
    const sr = this.sr[space]!;
    const user = space >= USER_BANK;
    const segment = space & 15;
    const data =
      (this.msr & MSR_DR) !== 0 && (sr & SR_T) === 0 && !this.dbat.touches(segment, user);
    const fetch =
      (this.msr & MSR_IR) !== 0 && (sr & (SR_T | SR_N)) === 0 && !this.ibat.touches(segment, user);
    this.dataVsid[space] = data ? sr & SR_VSID : SLOW;
    this.fetchVsid[space] = fetch ? sr & SR_VSID : SLOW;
    this.keyShift[space] = (sr & (user ? SR_KP : SR_KS)) === 0 ? 0 : KEY_1_SHIFT;
  }

  registers(): Readonly<Record<string, number>> {
    const names: Record<string, number> = {
      MSR: this.msr,
      SDR1: this.sdr1 >>> 0,
      DAR: this.dar,
      DSISR: this.dsisr,
      SRR0: this.srr0,
      SRR1: this.srr1,
    };
    for (let segment = 0; segment < 16; segment++) {
      names[`SR${segment}`] = this.sr[segment]! >>> 0;
      names[`SR${segment}.user`] = this.sr[USER_BANK + segment]! >>> 0;
    }
    for (let pair = 0; pair < BAT_PAIRS; pair++) {
      names[`DBAT${pair}U`] = this.dbat.upper(pair);
      names[`DBAT${pair}L`] = this.dbat.lower(pair);
      names[`IBAT${pair}U`] = this.ibat.upper(pair);
      names[`IBAT${pair}L`] = this.ibat.lower(pair);
    }
    return names;
  }

  describeFault(): string {
    const word = (value: number) => value.toString(16).toUpperCase().padStart(8, '0');
    if (this.vector === EXC_DSI) return `DSI DSISR ${word(this.dsisr)} DAR ${word(this.dar)}`;
    if (this.vector === EXC_ISI) return `ISI SRR1 ${word(this.srr1)} SRR0 ${word(this.srr0)}`;
    return 'no fault';
  }
}

/** A TLB entry's word for PTE word 1, in the TLB that the access used. */
function entryBits(word1: number, need: number): number {
  return (
    entryRights(word1, 0, need) |
    (entryRights(word1, 1, need) << KEY_1_SHIFT) |
    ((word1 & 0xfff) << WORD1_SHIFT)
  );
}

function entryRights(word1: number, key: number, need: number): number {
  const rights = keyPpRights(key, word1 & PTE_PP);
  if (need === VM_PROT_EXECUTE)
    return (rights & VM_PROT_READ) !== 0 && (word1 & PTE_G) === 0 ? VM_PROT_EXECUTE : 0;
  return (word1 & PTE_CHG) === 0 ? rights & ~VM_PROT_WRITE : rights;
}
