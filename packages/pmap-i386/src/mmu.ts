import {
  ACCESS_USER,
  EventStream,
  FAULT,
  FRONT_MISS,
  hex,
  mmuStats,
  SCOPE_ALL,
  SCOPE_NONGLOBAL,
  Tlb,
  TLB_MISS,
  TranslationFront,
  VM_PROT_EXECUTE,
  VM_PROT_WRITE,
  type Access,
  type Mmu,
  type MmuStats,
  type Pa,
  type PhysicalMemory,
  type Va,
} from '@uvmkit/pmap';
import { PROCESSORS, type Processor, type ProcessorFeatures } from './processor.ts';
import {
  PG_FRAME,
  PG_G,
  PG_LGRESERVED,
  PG_M,
  PG_N,
  PG_PROT,
  PG_PS,
  PG_RW,
  PG_U,
  PG_V,
  PG_u,
  PGEX_P,
  PGEX_RSVD,
  PGEX_U,
  PGEX_W,
} from './pte.ts';
import { NBPD, NBPG, PDSHIFT, PGOFSET, PGSHIFT } from './vmparam.ts';

/** CR0.PE: protected mode; paging needs it. */
export const CR0_PE = 0x00000001;
/** CR0.WP: the supervisor's writes obey R/W. Reads as 0 on the 80386. */
export const CR0_WP = 0x00010000;
/** CR0.PG: paging is on. */
export const CR0_PG = 0x80000000;
/** CR4.PSE: PDEs with PS set are 4 MB pages. */
export const CR4_PSE = 0x00000010;
/** CR4.PGE: entries with G set survive a load of CR3. */
export const CR4_PGE = 0x00000080;

/** What {@link I386Mmu} may be told. */
export interface I386MmuOptions {
  /** The CPU's number; 0 if not given. */
  readonly cpu?: number;
  /** `pentiumpro` if not given. */
  readonly processor?: Processor;
  /** Where TLB flushes are reported. */
  readonly events?: EventStream;
  /**
   * Whether a walk sets A in the PDE before it reads the PTE, and so even if it then faults. Intel
   * permits it and does not promise it; QEMU does it, and so does this model unless told otherwise.
   * With false the PDE is written only once the access is known to succeed.
   */
  readonly accessedOnFault?: boolean;
}

/** The TLBs that one kind of access goes through: one for each page size. */
interface TlbBank {
  readonly small: Tlb;
  readonly large: Tlb;
}

/**
 * The paging unit of the 80386, i486, Pentium and Pentium Pro without PAE: CR0, CR2, CR3 and CR4, an
 * instruction and a data TLB for both page sizes, and the two-level walk.
 *
 * Physical memory is read and written only through `readLe32` and `writeLe32` of the memory given,
 * four bytes at a time, each of which is one bus access of a walk: a subclass that keeps a record
 * is a bus analyser. Entries reach memory as locked read-modify-writes, so a call of
 * {@link translate} is atomic to other CPUs.
 *
 * A TLB entry keeps what the manual says and no more: R/W and U/S of both levels together, D and G of the
 * leaf. Absent pages are never cached. PDEs are not cached on their own, as processors may;
 * software that relies on their being stale does not exist, and software that forgets to invalidate
 * *any* address under a changed PDE is caught by the entries of the pages themselves.
 *
 * Segmentation is not modelled: addresses are linear. There is no execute permission.
 */
export class I386Mmu implements Mmu {
  readonly cpu: number;
  readonly dataCache: null = null;
  readonly features: ProcessorFeatures;
  /** The linear address of the last page fault, down to the byte. */
  cr2: Va = 0;
  /** The error code that the last page fault pushed: `PGEX_*`. */
  errorCode = 0;

  readonly #memory: PhysicalMemory;
  readonly #events: EventStream;
  readonly #accessedOnFault: boolean;
  readonly #data: TlbBank;
  readonly #code: TlbBank;
  /** The two banks, or the one that serves both. */
  readonly #banks: readonly TlbBank[];
  /** By the low four bits of an access: the bits that a TLB entry must have for it to hit. */
  readonly #needs: Int32Array = new Int32Array(16);
  /**
   * The TLBs replace round-robin and so take no notice of hits: what is in front is in the TLB behind, with the
   * rights that the kind of access needs.
   */
  private readonly front: TranslationFront = new TranslationFront();
  readonly #stats: MmuStats = mmuStats();
  #cr0 = 0;
  #cr3 = 0;
  /** The directory's physical address: CR3 without PWT and PCD. */
  #directory: Pa = 0;
  #cr4 = 0;

  /** The state after a reset: paging off, registers and TLBs clear. */
  constructor(memory: PhysicalMemory, options: I386MmuOptions = {}) {
    this.#memory = memory;
    this.cpu = options.cpu ?? 0;
    this.features = PROCESSORS[options.processor ?? 'pentiumpro'];
    this.#events = options.events ?? new EventStream();
    this.#accessedOnFault = options.accessedOnFault ?? true;
    this.#data = tlbBank(this.features.dtlb);
    this.#code = this.features.itlb === null ? this.#data : tlbBank(this.features.itlb);
    this.#banks = this.#code === this.#data ? [this.#data] : [this.#data, this.#code];
    this.#setNeeds();
  }

  translate(va: Va, access: Access): Pa {
    const pa = this.front.find(va, access);
    return (pa | 0) === FRONT_MISS ? this.lookup(va, access) : pa;
  }

  get stats(): MmuStats {
    this.#stats.lookups += this.front.takeHits();
    return this.#stats;
  }

  /**
   * Asks the TLBs. An entry that does not suffice, for want of rights or of D, is dropped and the tables
   * are asked: no fault is ever raised from stale bits, which is why software need not flush when it
   * grants rights.
   */
  private lookup(va: Va, access: Access): Pa {
    this.#stats.lookups += this.front.takeHits() + 1;
    if ((this.#cr0 & CR0_PG) === 0) return va;
    const bank = isFetch(access) ? this.#code : this.#data;
    const need = this.#needs[access & 15]!;
    const small = bank.small.lookup(va >>> PGSHIFT, 0);
    if (small !== TLB_MISS) {
      if ((need & ~bank.small.bits[small]!) === 0)
        return this.front.remember(va, access, bank.small.frame[small]! * NBPG + (va & PGOFSET));
      this.#drop(bank.small, small);
    }
    if ((this.#cr4 & CR4_PSE) !== 0) {
      const large = bank.large.lookup(va >>> PDSHIFT, 0);
      if (large !== TLB_MISS) {
        if ((need & ~bank.large.bits[large]!) === 0)
          return this.front.remember(
            va,
            access,
            bank.large.frame[large]! * NBPD + (va & (NBPD - 1)),
          );
        this.#drop(bank.large, large);
      }
    }
    this.#stats.misses++;
    return this.#walk(va, access, need, bank);
  }

  #drop(tlb: Tlb, entry: number): void {
    tlb.drop(entry);
    this.front.invalidate();
  }

  /**
   *     31          22 21          12 11           0
   *    ┌──────────────┬──────────────┬──────────────┐
   *    │ directory    │ table        │ offset       │  va
   *    └──────┬───────┴──────┬───────┴──────┬───────┘
   *           │              │              │
   *   CR3 ──▶ PDE ─────────▶ PTE ─────────▶ byte           4 KB page
   *   CR3 ──▶ PDE with PS ────────────────▶ byte           4 MB page: the offset is va 21:0
   */
  #walk(va: Va, access: Access, need: number, bank: TlbBank): Pa {
    const memory = this.#memory;
    const pdeAddress = this.#directory + ((va >>> PDSHIFT) << 2);
    const pde = memory.readLe32(pdeAddress) | 0;
    if ((pde & PG_V) === 0) return this.#pageFault(va, access, 0);
    if ((pde & PG_PS) !== 0 && (this.#cr4 & CR4_PSE) !== 0)
      return this.#large(va, access, need, bank.large, pdeAddress, pde);
    const pdeUsed = (pde & PG_U) !== 0;
    if (!pdeUsed && this.#accessedOnFault) memory.writeLe32(pdeAddress, pde | PG_U);

    const pteAddress = ((pde & PG_FRAME) >>> 0) + ((va >>> (PGSHIFT - 2)) & 0xffc);
    const pte = memory.readLe32(pteAddress) | 0;
    if ((pte & PG_V) === 0) return this.#pageFault(va, access, 0);
    const rights = pde & pte & PG_PROT;
    if ((need & PG_PROT & ~rights) !== 0) return this.#pageFault(va, access, PGEX_P);

    if (!pdeUsed && !this.#accessedOnFault) memory.writeLe32(pdeAddress, pde | PG_U);
    const leaf = pte | PG_U | (need & PG_M);
    if (leaf !== pte) memory.writeLe32(pteAddress, leaf);
    const frame = leaf >>> PGSHIFT;
    bank.small.insert(va >>> PGSHIFT, 0, frame, rights | (leaf & this.#cached()));
    this.front.invalidate();
    return frame * NBPG + (va & PGOFSET);
  }

  /** The end of a walk at a PDE that is the leaf of a 4 MB page. */
  #large(va: Va, access: Access, need: number, tlb: Tlb, pdeAddress: Pa, pde: number): Pa {
    if ((pde & PG_LGRESERVED) !== 0) return this.#pageFault(va, access, PGEX_P | PGEX_RSVD);
    const rights = pde & PG_PROT;
    if ((need & PG_PROT & ~rights) !== 0) return this.#pageFault(va, access, PGEX_P);
    const leaf = pde | PG_U | (need & PG_M);
    if (leaf !== pde) this.#memory.writeLe32(pdeAddress, leaf);
    const frame = leaf >>> PDSHIFT;
    tlb.insert(va >>> PDSHIFT, 0, frame, rights | (leaf & this.#cached()));
    this.front.invalidate();
    return frame * NBPD + (va & (NBPD - 1));
  }

  /** The bits of a leaf, beside its rights, that a TLB entry keeps. */
  #cached(): number {
    return (this.#cr4 & CR4_PGE) === 0 ? PG_M : PG_M | PG_G;
  }

  #pageFault(va: Va, access: Access, cause: number): Pa {
    this.#stats.faults++;
    this.cr2 = va;
    this.errorCode =
      cause |
      ((access & VM_PROT_WRITE) === 0 ? 0 : PGEX_W) |
      ((access & ACCESS_USER) === 0 ? 0 : PGEX_U);
    return FAULT;
  }

  /** CR0, unsigned. */
  get cr0(): number {
    return this.#cr0 >>> 0;
  }

  /** CR3, unsigned: the directory's physical address, with PWT and PCD, which have no effect here. */
  get cr3(): number {
    return this.#cr3;
  }

  /** CR4, unsigned. */
  get cr4(): number {
    return this.#cr4;
  }

  /**
   * MOV to CR0. A change of PG drops every translation; a change of WP drops none, since the rights
   * cached are those of the tables and WP is applied at each access.
   *
   * @throws RangeError for PG without PE, which the processor answers with #GP
   */
  writeCr0(value: number): void {
    if ((value & CR0_PG) !== 0 && (value & CR0_PE) === 0)
      throw new RangeError(
        `CR0 ${hex(value >>> 0)} has PG without PE: paging needs protected mode`,
      );
    const changed = this.#cr0 ^ value;
    this.#cr0 = this.features.writeProtect ? value | 0 : value & ~CR0_WP;
    this.#setNeeds();
    if ((changed & CR0_PG) !== 0) this.#flushEverything();
  }

  /** MOV to CR3 (`lcr3`, `tlbflush`): a new directory, and every entry that is not global dropped. */
  writeCr3(value: number): void {
    this.#cr3 = (value & (PG_FRAME | PG_N)) >>> 0;
    this.#directory = (value & PG_FRAME) >>> 0;
    this.#stats.fullFlushes++;
    for (const { small, large } of this.#banks) {
      small.flushNonGlobal();
      large.flushNonGlobal();
    }
    this.front.invalidate();
    if (this.#events.watched) this.#events.emit('tlb.flush', this.cpu, SCOPE_NONGLOBAL);
  }

  /**
   * MOV to CR4. A change of PSE or PGE drops every translation, global ones too.
   *
   * @throws RangeError for a bit that the processor lacks (it would raise #GP) or that is not modelled
   */
  writeCr4(value: number): void {
    const { pageSizeExtension, pageGlobal } = this.features;
    const known = (pageSizeExtension ? CR4_PSE : 0) | (pageGlobal ? CR4_PGE : 0);
    if ((value & ~known) !== 0)
      throw new RangeError(
        `CR4 of this processor has the bits ${hex(known)}, given ${hex(value >>> 0)}`,
      );
    const changed = this.#cr4 ^ value;
    this.#cr4 = value;
    if (changed !== 0) this.#flushEverything();
  }

  /**
   * INVLPG: drops whatever translates `va`, of either size, global or not.
   *
   * @param va any byte of the page
   * @throws RangeError on an 80386, which answers it with #UD
   */
  invlpg(va: Va): void {
    if (!this.features.invlpg) throw new RangeError('the 80386 has no INVLPG: load CR3 instead');
    this.#stats.pageFlushes++;
    for (const { small, large } of this.#banks) {
      small.flushPage(va >>> PGSHIFT, -1);
      if ((this.#cr4 & CR4_PSE) !== 0) large.flushPage(va >>> PDSHIFT, -1);
    }
    this.front.invalidate();
    if (this.#events.watched) this.#events.emit('tlb.flushPage', this.cpu, va);
  }

  flushAll(): void {
    this.#flushEverything();
  }

  #flushEverything(): void {
    this.#stats.fullFlushes++;
    for (const { small, large } of this.#banks) {
      small.flushAll();
      large.flushAll();
    }
    this.front.invalidate();
    if (this.#events.watched) this.#events.emit('tlb.flush', this.cpu, SCOPE_ALL);
  }

  /**
   * The permission table of the manual, as the bits that must be there: U/S for a user's access, R/W for a
   * write by the user or, with WP, by anyone. A write also needs D, so that the first one walks and sets it.
   */
  #setNeeds(): void {
    const supervisorObeys = (this.#cr0 & CR0_WP) !== 0;
    for (let access = 0; access < 16; access++) {
      const user = (access & ACCESS_USER) !== 0;
      let need = user ? PG_u : 0;
      if ((access & VM_PROT_WRITE) !== 0) need |= PG_M | (user || supervisorObeys ? PG_RW : 0);
      this.#needs[access] = need;
    }
    this.front.invalidate();
  }

  registers(): Readonly<Record<string, number>> {
    return { CR0: this.cr0, CR2: this.cr2, CR3: this.cr3, CR4: this.cr4 };
  }

  describeFault(): string {
    const { errorCode } = this;
    const words = [
      (errorCode & PGEX_P) === 0 ? 'not present' : 'protection',
      (errorCode & PGEX_W) === 0 ? 'read' : 'write',
      (errorCode & PGEX_U) === 0 ? 'supervisor' : 'user',
    ];
    if ((errorCode & PGEX_RSVD) !== 0) words.push('reserved bit');
    return `#PF error code ${errorCode} (${words.join(', ')}), CR2 ${hex(this.cr2)}`;
  }
}

/** An instruction fetch goes through the instruction TLB; whatever also writes goes through the other. */
function isFetch(access: Access): boolean {
  return (access & (VM_PROT_EXECUTE | VM_PROT_WRITE)) === VM_PROT_EXECUTE;
}

function tlbBank(shape: ProcessorFeatures['dtlb']): TlbBank {
  return {
    small: new Tlb(shape.small.sets, shape.small.ways, PG_G),
    large: new Tlb(shape.large.sets, shape.large.ways, PG_G),
  };
}
