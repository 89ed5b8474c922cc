import {
  ACCESS_USER,
  ACCESS_USERSPACE,
  FAULT,
  FRONT_MISS,
  SCOPE_ALL,
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
  type Va,
} from '@uvmkit/pmap';
import {
  ESR_DIZ,
  ESR_DST,
  EXC_DSI,
  EXC_DTMISS,
  EXC_ISI,
  EXC_ITMISS,
  MSR_DR,
  MSR_EE,
  MSR_IR,
  MSR_PR,
  NTLB,
  TLB_EPN,
  TLB_SIZE,
  TLB_SIZE_16K,
  TLB_SIZE_1K,
  TLB_SIZE_SHIFT,
  TLB_VALID,
  TLB_ZSEL,
  TLB_ZSEL_SHIFT,
  entryRights,
  pageMask,
  zoneField,
} from './pte.ts';

/** No entry. */
const NONE = -1;
/** Chains for pages of up to 16 KB, by address; one more holds all larger pages. */
const CHAINS = 128;
const LARGE = CHAINS;
const CHAIN_SHIFT = 14;
const KERNEL_RIGHTS_SHIFT = 4;
/** The mask of a page of 1 KB. */
const TINY_PAGE: number = pageMask(TLB_SIZE_1K);

/** The words of an entry, as `tlbwe` and `tlbre` number them. */
export const TLBHI = 0;
export const TLBLO = 1;

/** What `tlbsx.` answers when nothing matches (CR0.EQ clear). */
export const TLBSX_MISS = -1;

/**
 * The MMU of a 403GCX or 405: 64 entries, fully associative, loaded by software alone (PPC405 Core
 * User's Manual, chapter 7). There is no table walk and there are no referenced or changed bits.
 *
 *     EA        EPN, above the page size       │ offset       valid entries of any index:
 *                ║                                            EPN equal, TID = PID or TID = 0
 *     entry     EPN SIZE V TID │ RPN EX WR ZSEL WIMG
 *                                 ║         └─ ZPR[ZSEL] and privilege decide what EX and WR mean
 *     PA        RPN, above the page size       │ offset
 *
 * **Two PIDs.** The kernel runs with its own, processes with theirs; trap entry and exit exchange them, and
 * copyin and copyout borrow the user's (trap_subr.S 1.7.2.3). The model keeps both and takes the one
 * that the access asks for. {@link mtpid} and the TLB instructions are about the kernel's.
 *
 * **The search** compares few entries instead of 64: valid entries are chained by address, pages
 * larger than 16 KB in a chain of their own. Of several matches, a programming error, the lowest index counts.
 * Which entry is replaced is software's choice, so hits may be answered from a front. A front knows
 * pieces of 4 KB: while any page of 1 KB is in the TLB, nothing is put there.
 */
export class Ibm4xxMmu implements Mmu {
  readonly cpu: number;
  readonly dataCache: null = null;

  /** The fault record: vector, and the registers that it has. */
  vector = 0;
  dear = 0;
  esr = 0;
  srr0 = 0;
  srr1 = 0;
  /** The PID at the fault, as the handler finds it. */
  faultPid = 0;

  private readonly events: EventStream | null;
  private pid = 0;
  private userPid = 0;
  private zpr = 0;
  private msr: number = MSR_EE;
  /** Rights that need translation: reads and writes if DR is set, fetches if IR is. */
  private relocated = 0;

  /*
   * The entries: the words, and what is made of them when they are written.
   */
  private readonly hi: Int32Array = new Int32Array(NTLB);
  private readonly lo: Int32Array = new Int32Array(NTLB);
  private readonly tid: Uint8Array = new Uint8Array(NTLB);
  private readonly mask: Int32Array = new Int32Array(NTLB).fill(TINY_PAGE);
  /** The user's `VM_PROT_*` bits, and above them the supervisor's. */
  private readonly rights: Uint8Array = new Uint8Array(NTLB);
  private readonly chain: Int8Array = new Int8Array(CHAINS + 1).fill(NONE);
  private readonly next: Int8Array = new Int8Array(NTLB).fill(NONE);
  /** Valid entries of 1 KB. */
  private tinyPages = 0;
  private readonly front: TranslationFront = new TranslationFront();
  private readonly counts: MmuStats = mmuStats();

  constructor(cpu = 0, events: EventStream | null = null) {
    this.cpu = cpu;
    this.events = events;
  }

  translate(va: Va, access: Access): Pa {
    const pa = this.front.find(va, access);
    return (pa | 0) === FRONT_MISS ? this.lookup(va, access) : pa;
  }

  get stats(): MmuStats {
    this.counts.lookups += this.front.takeHits();
    return this.counts;
  }

  /** Searches the TLB. */
  private lookup(va: Va, access: Access): Pa {
    this.counts.lookups += this.front.takeHits() + 1;
    const need = access & 7;
    const user = (access & ACCESS_USER) !== 0;
    const pid = (access & (ACCESS_USER | ACCESS_USERSPACE)) === 0 ? this.pid : this.userPid;
    const pa = this.checks(va, need, user, pid, this.search(va, pid));
    return pa === FAULT || this.tinyPages !== 0 ? pa : this.front.remember(va, access, pa);
  }

  /** What becomes of an access, given the matching entry: untranslated, missed, granted or refused. */
  private checks(va: Va, need: number, user: boolean, pid: number, entry: number): Pa {
    if ((need & VM_PROT_EXECUTE) !== 0 && need !== VM_PROT_EXECUTE) {
      // A fetch and a data access in one: the fetch comes first, and both must succeed.
      const fetched = this.checks(va, VM_PROT_EXECUTE, user, pid, entry);
      return fetched === FAULT ? FAULT : this.checks(va, need & ~VM_PROT_EXECUTE, user, pid, entry);
    }
    if ((need & this.relocated) !== need) return va;
    if (entry === NONE) {
      this.counts.misses++;
      return this.fault(va, need, user, pid, need === VM_PROT_EXECUTE ? EXC_ITMISS : EXC_DTMISS, 0);
    }
    const rights = this.rights[entry]! >>> (user ? 0 : KERNEL_RIGHTS_SHIFT);
    if ((rights & need) === need) return this.physical(entry, va);
    const zone = zoneField(this.zpr, (this.lo[entry]! & TLB_ZSEL) >>> TLB_ZSEL_SHIFT);
    const diz = user && zone === 0 ? ESR_DIZ : 0;
    return this.fault(va, need, user, pid, need === VM_PROT_EXECUTE ? EXC_ISI : EXC_DSI, diz);
  }

  private matches(entry: number, va: Va, pid: number): boolean {
    const tid = this.tid[entry]!;
    return ((va ^ this.hi[entry]!) & this.mask[entry]!) === 0 && (tid === pid || tid === 0);
  }

  private physical(entry: number, va: Va): Pa {
    const mask = this.mask[entry]!;
    return ((this.lo[entry]! & mask) | (va & ~mask)) >>> 0;
  }

  /** The matching entry of lowest index, or NONE. */
  private search(va: Va, pid: number): number {
    const at = (va >>> CHAIN_SHIFT) & (CHAINS - 1);
    let found = NONE;
    for (let entry = this.chain[at]!; entry !== NONE; entry = this.next[entry]!)
      if (this.matches(entry, va, pid) && (found === NONE || entry < found)) found = entry;
    for (let entry = this.chain[LARGE]!; entry !== NONE; entry = this.next[entry]!)
      if (this.matches(entry, va, pid) && (found === NONE || entry < found)) found = entry;
    return found;
  }

  private fault(
    va: Va,
    need: number,
    user: boolean,
    pid: number,
    vector: number,
    esr: number,
  ): typeof FAULT {
    this.counts.faults++;
    this.vector = vector;
    this.faultPid = pid;
    this.srr1 = this.msr | (user ? MSR_PR : 0);
    this.esr = esr | ((need & VM_PROT_WRITE) === 0 ? 0 : ESR_DST);
    if (need === VM_PROT_EXECUTE) this.srr0 = va;
    else this.dear = va;
    return FAULT;
  }

  /**
   * `tlbwe`: writes one word of an entry. Writing TLBHI takes the PID into the entry's TID.
   *
   * @param entry 0 … 63
   * @param word {@link TLBHI} or {@link TLBLO}
   */
  tlbwe(entry: number, word: number, value: number): void {
    this.front.invalidate();
    if (word === TLBLO) {
      this.lo[entry] = value;
      this.grade(entry);
      return;
    }
    this.unlink(entry);
    this.hi[entry] = value;
    this.tid[entry] = this.pid;
    this.mask[entry] = pageMask((value & TLB_SIZE) >>> TLB_SIZE_SHIFT);
    this.link(entry);
  }

  /** `tlbre`: reads one word of an entry. Reading TLBHI puts the entry's TID into the PID. */
  tlbre(entry: number, word: number): number {
    if (word === TLBLO) return this.lo[entry]! >>> 0;
    this.mtpid(this.tid[entry]!);
    return this.hi[entry]! >>> 0;
  }

  /** `tlbsx.`: the index of the entry for an address under the PID, or {@link TLBSX_MISS}. */
  tlbsx(ea: Va): number {
    return this.search(ea, this.pid);
  }

  private valid(entry: number): boolean {
    return (this.hi[entry]! & TLB_VALID) !== 0;
  }

  private chainOf(entry: number): number {
    const size = (this.hi[entry]! & TLB_SIZE) >>> TLB_SIZE_SHIFT;
    return size > TLB_SIZE_16K ? LARGE : (this.hi[entry]! >>> CHAIN_SHIFT) & (CHAINS - 1);
  }

  private link(entry: number): void {
    if (!this.valid(entry)) return;
    const chain = this.chainOf(entry);
    this.next[entry] = this.chain[chain]!;
    this.chain[chain] = entry;
    if (this.mask[entry] === TINY_PAGE) this.tinyPages++;
  }

  private unlink(entry: number): void {
    if (!this.valid(entry)) return;
    if (this.mask[entry] === TINY_PAGE) this.tinyPages--;
    const chain = this.chainOf(entry);
    const after = this.next[entry]!;
    if (this.chain[chain] === entry) this.chain[chain] = after;
    else {
      let before = this.chain[chain]!;
      while (this.next[before] !== entry) before = this.next[before]!;
      this.next[before] = after;
    }
  }

  private grade(entry: number): void {
    const lo = this.lo[entry]!;
    this.rights[entry] =
      entryRights(lo, this.zpr, true) | (entryRights(lo, this.zpr, false) << KERNEL_RIGHTS_SHIFT);
  }

  /** `mtspr PID`: the kernel's, which the TLB instructions use. */
  mtpid(pid: number): void {
    this.pid = pid & 0xff;
    this.front.invalidate();
  }

  /** `mfspr PID`. */
  mfpid(): number {
    return this.pid;
  }

  /** The PID that the return to user mode loads, and that copyin and copyout borrow. */
  loadUserPid(pid: number): void {
    this.userPid = pid & 0xff;
    this.front.invalidate();
  }

  /** `mtspr ZPR`. */
  mtzpr(zpr: number): void {
    this.zpr = zpr;
    this.front.invalidate();
    for (let entry = 0; entry < NTLB; entry++) this.grade(entry);
  }

  /** `mtmsr`: translation on or off. PR comes with each access. */
  mtmsr(value: number): void {
    this.msr = value & ~MSR_PR;
    this.front.invalidate();
    this.relocated =
      ((value & MSR_DR) === 0 ? 0 : VM_PROT_READ | VM_PROT_WRITE) |
      ((value & MSR_IR) === 0 ? 0 : VM_PROT_EXECUTE);
  }

  /** Invalidates an entry: `tlbwe` of TLBHI with V clear, counted and told as a flush of its page. */
  invalidate(entry: number): void {
    const va = (this.hi[entry]! & TLB_EPN) >>> 0;
    this.tlbwe(entry, TLBHI, 0);
    this.counts.pageFlushes++;
    if (this.events?.watched) this.events.emit('tlb.flushPage', this.cpu, va);
  }

  /** `tlbia`: every entry, the ones that software locks included. */
  flushAll(): void {
    this.front.invalidate();
    for (let entry = 0; entry < NTLB; entry++) {
      this.unlink(entry);
      this.hi[entry]! &= ~TLB_VALID;
    }
    this.counts.fullFlushes++;
    if (this.events?.watched) this.events.emit('tlb.flush', this.cpu, SCOPE_ALL);
  }

  registers(): Readonly<Record<string, number>> {
    const names: Record<string, number> = {
      MSR: this.msr,
      PID: this.pid,
      'PID.user': this.userPid,
      ZPR: this.zpr >>> 0,
      DEAR: this.dear,
      ESR: this.esr,
      SRR0: this.srr0,
      SRR1: this.srr1,
    };
    for (let entry = 0; entry < NTLB; entry++) {
      if (!this.valid(entry)) continue;
      names[`TLB${entry}.HI`] = this.hi[entry]! >>> 0;
      names[`TLB${entry}.LO`] = this.lo[entry]! >>> 0;
      names[`TLB${entry}.TID`] = this.tid[entry]!;
    }
    return names;
  }

  describeFault(): string {
    const word = (value: number): string =>
      (value >>> 0).toString(16).toUpperCase().padStart(8, '0');
    const vector = `0x${this.vector.toString(16).padStart(4, '0')}`;
    switch (this.vector) {
      case EXC_DSI:
        return `DSI ${vector} DEAR ${word(this.dear)} ESR ${word(this.esr)}`;
      case EXC_ISI:
        return `ISI ${vector} SRR0 ${word(this.srr0)} ESR ${word(this.esr)}`;
      case EXC_DTMISS:
        return `DTLB miss ${vector} DEAR ${word(this.dear)} ESR ${word(this.esr)}`;
      case EXC_ITMISS:
        return `ITLB miss ${vector} SRR0 ${word(this.srr0)}`;
      default:
        return 'no fault';
    }
  }
}
