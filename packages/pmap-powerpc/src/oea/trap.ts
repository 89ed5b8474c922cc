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
import { USER_SR, type OeaMmu } from './mmu.ts';
import type { OeaPmap } from './pmap.ts';
import {
  BAT_BL_256M,
  BAT_G,
  BAT_I,
  BAT_PP_RW,
  BAT_VS,
  DSISR_NOTFOUND,
  DSISR_STORE,
  EXC_ISI,
  MSR_PR,
  SEGMENT_SHIFT,
  SRR1_NOTFOUND,
  SR_VSID,
  batPair,
} from './pte.ts';

/** The data BATs that the miss handler loads from `battable`; which one, the time base decides. */
const FIRST_DYNAMIC_BAT = 2;

/**
 * The storage interrupts as trap_subr.S 1.54.2.1 and trap.c handle them:
 *
 *     DSI ──▶ supervisor, and battable has the segment? ──▶ load DBAT 2 or 3 ──▶ retry
 *     DSI, ISI ──▶ not in the table? ──▶ pmap_pte_spill ──▶ found ──▶ retry
 *                                                      └──▶ C trap(): uvm_fault
 *
 * What the first two settle, UVM never hears of. The handler of spills runs with translation
 * off, so kernel mappings come back by it too.
 */
export class OeaTrap {
  readonly fault: Fault = { va: 0, access: VM_PROT_READ, type: VM_FAULT_INVALID, kernel: false };
  private readonly mmus: readonly OeaMmu[];
  private readonly pmap: OeaPmap;
  /** Upper words of `battable` by segment; 0 where it has none. */
  private readonly battable: Int32Array = new Int32Array(16);

  constructor(mmus: readonly OeaMmu[], pmap: OeaPmap, ioSegments: readonly number[]) {
    this.mmus = mmus;
    this.pmap = pmap;
    for (const segment of ioSegments)
      this.battable[segment] = batPair(segment << SEGMENT_SHIFT, 0, BAT_BL_256M, BAT_VS, 0)[0];
  }

  trap(cpu: number): TrapOutcome {
    const mmu = this.mmus[cpu]!;
    const fetch = mmu.vector === EXC_ISI;
    const user = (mmu.srr1 & MSR_PR) !== 0;
    const ea = fetch ? mmu.srr0 : mmu.dar;
    const missing =
      ((fetch ? mmu.srr1 : mmu.dsisr) & (fetch ? SRR1_NOTFOUND : DSISR_NOTFOUND)) !== 0;
    this.decode(mmu, ea, user, fetch, missing);
    const settled = missing && (this.loadBat(mmu, ea, user, fetch) || this.spill(mmu, ea, user));
    return settled ? TRAP_SETTLED : TRAP_FAULT;
  }

  private decode(mmu: OeaMmu, ea: Va, user: boolean, fetch: boolean, missing: boolean): void {
    const { fault } = this;
    // A fault in copyin's window is one in the segment that it shows.
    const window = !user && ea >>> SEGMENT_SHIFT === USER_SR;
    fault.va = window ? ((mmu.windowSegment << SEGMENT_SHIFT) | (ea & 0x0fffffff)) >>> 0 : ea;
    fault.kernel = !user && !window;
    fault.type = missing ? VM_FAULT_INVALID : VM_FAULT_PROTECT;
    if (fetch) fault.access = VM_PROT_EXECUTE;
    else fault.access = (mmu.dsisr & DSISR_STORE) === 0 ? VM_PROT_READ : VM_PROT_WRITE;
  }

  private loadBat(mmu: OeaMmu, ea: Va, user: boolean, fetch: boolean): boolean {
    const upper = this.battable[ea >>> SEGMENT_SHIFT]!;
    if (user || fetch || upper === 0) return false;
    const lower = (ea & 0xf0000000) | BAT_I | BAT_G | BAT_PP_RW;
    mmu.mtdbat(FIRST_DYNAMIC_BAT + (mmu.mftb() & 1), upper, lower);
    return true;
  }

  private spill(mmu: OeaMmu, ea: Va, user: boolean): boolean {
    return this.pmap.spill(mmu.segmentOf(ea, user) & SR_VSID, ea, mmu.mftb());
  }
}
