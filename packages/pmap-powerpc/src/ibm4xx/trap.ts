import {
  TRAP_FAULT,
  TRAP_SETTLED,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type Fault,
  type TrapOutcome,
  type Va,
} from '@uvmkit/pmap';
import type { Contexts } from './contexts.ts';
import type { Ibm4xxMmu } from './mmu.ts';
import { KERNEL_MIN } from './pmap.ts';
import {
  ESR_DST,
  EXC_DTMISS,
  EXC_ISI,
  EXC_ITMISS,
  KERNEL_PID,
  MSR_PR,
  TTE_SZ_16M,
  TTE_WR,
} from './pte.ts';
import type { PageTables } from './tables.ts';
import type { TlbInfo } from './tlb.ts';

/** The bits of an address above a 16 MB page. */
const PAGE_16M_MASK = 0xff000000;

/**
 * The TLB miss handler and the storage interrupts (trap_subr.S 1.7.2.3, ibm4xx/trap.c):
 *
 *     miss ──▶ kernel, below 80000000? ──▶ a 16 MB entry, address = physical address ──▶ retry
 *          └─▶ ctxbusy[PID] ──▶ page table ──▶ TTE? ──▶ into the TLB ──▶ retry
 *                                                 └──▶ C trap(): uvm_fault
 *     protection ──────────────────────────────────────▶ C trap(): uvm_fault
 *
 * So a wired page that is not in the TLB costs a miss and nothing more. The write that a read-only
 * TTE refuses to see whether the page is modified is UVM's.
 */
export class Ibm4xxTrap {
  readonly fault: Fault = { va: 0, access: VM_PROT_READ, type: VM_FAULT_INVALID, kernel: false };
  private readonly mmu: Ibm4xxMmu;
  private readonly tlb: TlbInfo;
  private readonly contexts: Contexts;
  private readonly tables: PageTables;

  constructor(mmu: Ibm4xxMmu, tlb: TlbInfo, contexts: Contexts, tables: PageTables) {
    this.mmu = mmu;
    this.tlb = tlb;
    this.contexts = contexts;
    this.tables = tables;
  }

  trap(): TrapOutcome {
    const { fault } = this;
    const { vector, dear, srr0, srr1, esr, faultPid } = this.mmu;
    const fetch = vector === EXC_ISI || vector === EXC_ITMISS;
    const miss = vector === EXC_DTMISS || vector === EXC_ITMISS;
    fault.va = fetch ? srr0 : dear;
    fault.kernel = faultPid === KERNEL_PID && (srr1 & MSR_PR) === 0;
    fault.type = miss ? VM_FAULT_INVALID : VM_FAULT_PROTECT;
    // DIZ says who was refused, not what: 2001's trap() took it for a store.
    if (fetch) fault.access = VM_PROT_EXECUTE;
    else fault.access = (esr & ESR_DST) === 0 ? VM_PROT_READ : VM_PROT_WRITE;
    return miss && this.tlbMiss(fault.va, faultPid) ? TRAP_SETTLED : TRAP_FAULT;
  }

  /** pmap_tlbmiss: loads the entry for an address under a PID. False if the tables have none. */
  private tlbMiss(va: Va, pid: number): boolean {
    const tte = pid === KERNEL_PID && va < KERNEL_MIN ? directTte(va) : this.walk(va, pid);
    if (tte === 0) return false;
    this.tlb.enter(pid, va, tte);
    return true;
  }

  private walk(va: Va, pid: number): number {
    const pmap = this.contexts.pmapOf(pid);
    return pmap < 0 ? 0 : this.tables.lookup(pmap, va);
  }
}

/** How the kernel sees physical memory: in 16 MB entries of the privileged zone, stores allowed, fetches not. */
function directTte(va: Va): number {
  return (va & PAGE_16M_MASK) | TTE_SZ_16M | TTE_WR;
}
