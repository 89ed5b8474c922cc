import {
  ACCESS_USER,
  FAULT,
  FRONT_MISS,
  hex,
  mmuStats,
  SCOPE_ALL,
  Tlb,
  TLB_MISS,
  TranslationFront,
  VM_PROT_WRITE,
  type Access,
  type EventStream,
  type Mmu,
  type MmuStats,
  type Pa,
  type PhysicalMemory,
  type Va,
} from '@uvmkit/pmap';
import { KERNEL, PAGE, PTE_MOD, PTE_REF, PTE_V, PTE_WRITE, ptePage, SHIFT, SPAN } from './pte.ts';

/** The hardware: two table registers, a TLB, a walk of one step. It knows nothing of the pmap. */
export class ToyMmu implements Mmu {
  readonly cpu = 0;
  readonly dataCache = null;
  /** The address that faulted, whether for a store, and whether the entry was valid. */
  faultVa: Va = 0;
  faultStore = false;
  faultValid = false;
  private readonly memory: PhysicalMemory;
  private readonly events: EventStream;
  private readonly kernelTable: Pa;
  private userTable: Pa;
  private readonly tlb: Tlb = new Tlb(16, 2);
  private readonly front: TranslationFront = new TranslationFront();
  private readonly counts: MmuStats = mmuStats();

  constructor(memory: PhysicalMemory, events: EventStream, kernelTable: Pa) {
    this.memory = memory;
    this.events = events;
    this.kernelTable = kernelTable;
    this.userTable = kernelTable;
  }

  translate(va: Va, access: Access): Pa {
    const pa = this.front.find(va, access);
    return (pa | 0) === FRONT_MISS ? this.lookup(va, access) : pa;
  }

  get stats(): MmuStats {
    this.counts.lookups += this.front.takeHits();
    return this.counts;
  }

  /** A TLB entry for stores has M set; one that lacks a bit is no help, and the table is asked. */
  private lookup(va: Va, access: Access): Pa {
    this.counts.lookups += this.front.takeHits() + 1;
    const need = (access & VM_PROT_WRITE) === 0 ? PTE_V : PTE_V | PTE_WRITE | PTE_MOD;
    const entry = this.tlb.lookup(va >>> SHIFT, 0);
    const user = (access & ACCESS_USER) !== 0;
    if (entry !== TLB_MISS && (need & ~this.tlb.bits[entry]!) === 0 && (va < KERNEL || !user))
      return this.front.remember(va, access, this.tlb.frame[entry]! * PAGE + (va & (PAGE - 1)));
    return this.walk(va, access, user);
  }

  /*
   *      31        26 25       14 13        0
   *     | 0 or KERNEL | index     | offset    |        table[index] ─▶ page
   */
  private walk(va: Va, access: Access, user: boolean): Pa {
    this.counts.misses++;
    const kernel = va >= KERNEL;
    const index = (va - (kernel ? KERNEL : 0)) / PAGE;
    if ((kernel && user) || index >= SPAN / PAGE) return this.fault(va, access, 0);
    const at = (kernel ? this.kernelTable : this.userTable) + Math.floor(index) * 4;
    const pte = this.memory.readLe32(at);
    const store = (access & VM_PROT_WRITE) !== 0;
    if ((pte & PTE_V) === 0 || (store && (pte & PTE_WRITE) === 0))
      return this.fault(va, access, pte);
    const used = pte | PTE_REF | (store ? PTE_MOD : 0);
    if (used !== pte) this.memory.writeLe32(at, used);
    this.tlb.insert(va >>> SHIFT, 0, ptePage(used) / PAGE, used);
    this.front.invalidate();
    return ptePage(used) + (va & (PAGE - 1));
  }

  private fault(va: Va, access: Access, pte: number): typeof FAULT {
    this.counts.faults++;
    this.faultVa = va;
    this.faultStore = (access & VM_PROT_WRITE) !== 0;
    this.faultValid = (pte & PTE_V) !== 0;
    return FAULT;
  }

  /** Loads the table of a user's map, and so forgets the last one's. */
  loadTable(table: Pa): void {
    this.userTable = table;
    this.flushAll();
  }

  /** Forgets one page. */
  flushPage(va: Va): void {
    this.counts.pageFlushes++;
    this.tlb.flushPage(va >>> SHIFT, 0);
    this.front.invalidate();
    if (this.events.watched) this.events.emit('tlb.flushPage', this.cpu, va);
  }

  flushAll(): void {
    this.counts.fullFlushes++;
    this.tlb.flushAll();
    this.front.invalidate();
    if (this.events.watched) this.events.emit('tlb.flush', this.cpu, SCOPE_ALL);
  }

  registers(): Readonly<Record<string, number>> {
    return { TABLE: this.userTable, FAULTVA: this.faultVa };
  }

  describeFault(): string {
    const why = this.faultValid ? 'is not for stores' : 'is not mapped';
    return `${hex(this.faultVa)} ${why}`;
  }
}
