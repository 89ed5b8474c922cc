import {
  TRAP_BAD_ADDRESS,
  TRAP_FAULT,
  TRAP_SETTLED,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  type Fault,
  type Layout,
  type TrapOutcome,
} from '@uvmkit/pmap';
import { PTE_FLAGS, PTE_G, SSTATUS_SPP } from './bits.ts';
import { CAUSES, INSTRUCTION_PAGE_FAULT, type RiscvMmu } from './mmu.ts';
import type { RiscvPmap } from './pmap.ts';

/** Every right that a user's leaf can have. */
const USER_LEAF = PTE_FLAGS & ~PTE_G;

/**
 * The trap handler's part of a fault: scause tells the access, stval the address, SPP the mode.
 *
 *     access fault (1, 5, 7) ───────────────────────────────▶ bad address: nothing answers on the bus
 *     page fault (12, 13, 15) ─▶ only A or D missing? ──────▶ settled
 *                             └▶ an address this mode has? ─▶ uvm_fault
 *                                                          └▶ bad address
 *
 * The supervisor has a user's address only where it may load and store there: with SUM, and never to fetch.
 *
 * @param fault filled in, whatever the outcome
 */
export function decodeFault(
  mmu: RiscvMmu,
  pmap: RiscvPmap,
  layout: Layout,
  fault: Fault,
): TrapOutcome {
  const { scause, stval: va } = mmu;
  const cause = CAUSES.get(scause);
  if (cause === undefined) throw new RangeError(`scause ${scause} is no fault of the MMU's`);
  const supervisor = (mmu.sstatus & SSTATUS_SPP) !== 0;
  const kernel = va >= layout.kernelMin && va < layout.kernelMax;
  const user = va >= layout.userMin && va < layout.userMax;
  const mapped = (kernel || user) && pmap.isMapped(kernel, mmu.cpu, va);
  fault.va = va;
  fault.access = cause[0];
  fault.type = mapped ? VM_FAULT_PROTECT : VM_FAULT_INVALID;
  fault.kernel = !user;
  if (scause < INSTRUCTION_PAGE_FAULT) return TRAP_BAD_ADDRESS;
  if (mapped && pmap.settle(kernel, mmu)) return TRAP_SETTLED;
  const reachable = kernel ? supervisor : user && mmu.permits(USER_LEAF);
  return reachable ? TRAP_FAULT : TRAP_BAD_ADDRESS;
}
