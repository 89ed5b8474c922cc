import {
  ACCESS_USER,
  FAULT,
  mmuStats,
  SCOPE_CONTEXT,
  SCOPE_RANGE,
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
  describeSer,
  inHole,
  NPTESG,
  NSEGMAP,
  PG_M,
  PG_PFNUM,
  PG_S,
  PG_TYPE,
  PG_U,
  PG_W,
  ptePa,
  SER_INVAL,
  SER_PROT,
  SER_WRITE,
  SYSEN_CACHE,
  T_DATAFAULT,
  T_TEXTFAULT,
} from './pte.ts';
import { NO_LINE, Vac, type VacHost } from './vac.ts';

/** How much of everything the machine has. */
export interface Sun4cModel {
  /** Contexts: 8 on the SPARCstation 1 family, 16 on the 2. */
  readonly contexts: number;
  /** PMEGs, the invalid one included: 128 or 256. */
  readonly pmegs: number;
  /** Bytes in a line of the cache: 16 or 32. */
  readonly lineBytes: 16 | 32;
}

/** The cause of the fault that an access meets, by its bits 3:1 (USER, EXECUTE, WRITE) and the PTE's 31:29 (V, W, S). */
const VERDICT: Uint8Array = Uint8Array.from({ length: 64 }, (_, index) => {
  const pte = index << 29;
  const store = (index & (VM_PROT_WRITE << 2)) !== 0;
  const user = (index & (ACCESS_USER << 2)) !== 0;
  if (pte >= 0) return SER_INVAL;
  return (user && pte & PG_S) || (store && !(pte & PG_W)) ? SER_PROT : 0;
});

/** The SER cause that V, W and S (as bits 2:0) give an access, or 0. */
function verdict(rights: number, access: Access): number {
  return VERDICT[((access & 0xe) << 2) | rights]!;
}

/**
 * The MMU of the sun4c: segment map and PMEGs, all registers of the MMU itself. There are no page tables in
 * memory and there is no TLB: what is written here takes effect at once.
 *
 * So no `TranslationFront` stands before it: a hit would have to be checked against the line's tag all the same, and costs
 * no less than the two registers that it would spare.
 *
 * Everything is reached as the processor reaches it: through the context register and a virtual address (ASI 2, 3, 4).
 * Source: NetBSD's sys/arch/sparc/include/ctlreg.h and sparc/cache.h (1.30).
 */
export class Sun4cMmu implements Mmu, VacHost {
  readonly cpu: number = 0;
  readonly dataCache: Vac;
  /** `misses` counts the accesses that met an invalid PTE: there is no other miss. */
  readonly stats: MmuStats = mmuStats();
  readonly model: Sun4cModel;
  /** Context register. */
  context = 0;
  /** System enable register: `SYSEN_CACHE`. */
  systemEnable = 0;
  /** Synchronous error register, looked at without clearing it: bits add up until software reads it. */
  ser = 0;
  /** Synchronous virtual address register. */
  sva = 0;
  /** The trap that the last fault became: T_TEXTFAULT or T_DATAFAULT. */
  trapType: number = T_DATAFAULT;
  /** Whether the processor was in supervisor mode at the last fault (PSR.PS in the trap). */
  supervisor = true;
  private lastSer = 0;
  private readonly events: EventStream;
  /** PMEG number by context and segment. */
  private readonly segmap: Uint8Array;
  /** PTEs by PMEG and page. */
  private readonly ptes: Int32Array;

  constructor(memory: PhysicalMemory, events: EventStream, model: Sun4cModel) {
    this.model = model;
    this.events = events;
    this.segmap = new Uint8Array(model.contexts * NSEGMAP);
    this.ptes = new Int32Array(model.pmegs * NPTESG);
    this.dataCache = new Vac(this, memory, model.lineBytes);
  }

  /*
   *      31  30  29        18 17      12 11       0
   *     | = bit 29 | segment  |   page   |  offset  |      bits 31:29 not all alike: the hole
   *
   *     segmap[context][segment] ─▶ PMEG        pte[PMEG][page] ─▶ frame and rights
   *
   * The cache answers first, with the rights in its tag. A load that hits never comes to the MMU; a
   * store goes through to memory and so leaves its mark in the PTE.
   */
  translate(va: Va, access: Access): Pa {
    this.stats.lookups++;
    if (inHole(va)) return this.fault(va, access, SER_INVAL);
    const line = this.systemEnable & SYSEN_CACHE ? this.dataCache.find(va, this.context) : NO_LINE;
    if (line !== NO_LINE) {
      const cause = verdict(this.dataCache.rights(line), access);
      if (cause !== 0) return this.fault(va, access, cause);
      if ((access & VM_PROT_WRITE) === 0) return this.dataCache.physical(line, va);
    }
    const slot = this.slot(va);
    const pte = this.ptes[slot]!;
    const cause = line === NO_LINE ? verdict(pte >>> 29, access) : pte < 0 ? 0 : SER_INVAL;
    if (cause !== 0) return this.fault(va, access, cause);
    const used = pte | (access & VM_PROT_WRITE ? PG_U | PG_M : PG_U);
    if (used !== pte) this.ptes[slot] = used;
    if (pte & PG_TYPE) return ptePa(pte) + (va & 0xfff);
    return ((pte & PG_PFNUM) << 12) + (va & 0xfff);
  }

  private slot(va: Va): number {
    const pmeg = this.segmap[(this.context << 12) | ((va >>> 18) & 0xfff)]!;
    return (pmeg << 6) | ((va >>> 12) & 63);
  }

  private fault(va: Va, access: Access, cause: number): typeof FAULT {
    const store = access & VM_PROT_WRITE;
    this.stats.faults++;
    if (cause === SER_INVAL) this.stats.misses++;
    this.lastSer = cause | (store ? SER_WRITE : 0);
    this.ser |= this.lastSer;
    this.sva = va;
    this.trapType = access & VM_PROT_EXECUTE && !store ? T_TEXTFAULT : T_DATAFAULT;
    this.supervisor = (access & ACCESS_USER) === 0;
    return FAULT;
  }

  /** Reads the synchronous error register, which clears it. */
  readSer(): number {
    const { ser } = this;
    this.ser = 0;
    return ser;
  }

  /** ASI 3, load: the PMEG of the segment of `va` in the current context. */
  getSegmap(va: Va): number {
    return this.segmap[(this.context << 12) | ((va >>> 18) & 0xfff)]!;
  }

  /** ASI 3, store. */
  setSegmap(va: Va, pmeg: number): void {
    this.segmap[(this.context << 12) | ((va >>> 18) & 0xfff)] = pmeg;
  }

  /**
   * Stores of ASI 3 for the first `pmegs.length` segments of the current context: the loop of ctx_alloc.
   */
  setSegmaps(pmegs: Uint8Array): void {
    this.segmap.set(pmegs, this.context << 12);
  }

  /** ASI 4, load: the PTE for `va` through the current context's segment map. Sets nothing. */
  getPte(va: Va): number {
    return this.ptes[this.slot(va)]! >>> 0;
  }

  /** ASI 4, store. */
  setPte(va: Va, pte: number): void {
    this.ptes[this.slot(va)] = pte;
  }

  /** Flushes a page of the current context from the cache. */
  flushCachePage(va: Va): void {
    this.stats.pageFlushes++;
    if (this.events.watched) this.events.emit('tlb.flushPage', 0, va);
    this.dataCache.flushPage(va);
  }

  /** Flushes a segment of the current context from the cache. */
  flushCacheSegment(va: Va): void {
    this.stats.fullFlushes++;
    if (this.events.watched) this.events.emit('tlb.flush', 0, SCOPE_RANGE);
    this.dataCache.flushSegment(va);
  }

  /** Flushes the current context from the cache. */
  flushCacheContext(): void {
    this.stats.fullFlushes++;
    if (this.events.watched) this.events.emit('tlb.flush', 0, SCOPE_CONTEXT);
    this.dataCache.flushContext();
  }

  /** Empties the cache. There are no cached translations; PTEs and segment map stay. */
  flushAll(): void {
    this.dataCache.flushAll();
  }

  registers(): Readonly<Record<string, number>> {
    return {
      CONTEXT: this.context,
      SYSEN: this.systemEnable,
      SER: this.ser,
      SVA: this.sva,
    };
  }

  describeFault(): string {
    const ser = this.lastSer.toString(16).padStart(4, '0');
    const sva = this.sva.toString(16).padStart(8, '0');
    return `SER 0x${ser} (${describeSer(this.lastSer)}), SVA 0x${sva}`;
  }
}
