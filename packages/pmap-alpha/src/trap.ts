import {
  TRAP_BAD_ADDRESS,
  TRAP_FAULT,
  TRAP_SETTLED,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type Fault,
  type TrapOutcome,
} from '@uvmkit/pmap';
import { MMCSR_FOR, MMCSR_INVALTRANS, type AlphaMmu } from './mmu.ts';
import type { AlphaPmap } from './pmap.ts';
import { K1SEG, USEG_END } from './vmparam.ts';

/**
 * The memory-management fault entry (entMM; NetBSD alpha/alpha/trap.c): a0 is the address, a1 the MMCSR
 * code, a2 the access.
 *
 *     FOR, FOW, FOE ──▶ pmap_emulate_reference ──▶ settled
 *     TNV, ACV ───────▶ an address that the mode can have? ──▶ uvm_fault
 *                                                         └──▶ bad address
 *
 * @param fault filled in, whatever the outcome
 */
export function entMM(mmu: AlphaMmu, pmap: AlphaPmap, fault: Fault): TrapOutcome {
  const { a0: va, a1: code, a2, userMode } = mmu;
  fault.va = va;
  fault.access = a2 < 0 ? VM_PROT_EXECUTE : a2 > 0 ? VM_PROT_WRITE : VM_PROT_READ;
  fault.type = code === MMCSR_INVALTRANS ? VM_FAULT_INVALID : VM_FAULT_PROTECT;
  fault.kernel = va < 0;
  if (code >= MMCSR_FOR && pmap.emulateReference(va, userMode, code)) return TRAP_SETTLED;
  const reachable = va < USEG_END && va >= (userMode ? 0 : K1SEG);
  return reachable ? TRAP_FAULT : TRAP_BAD_ADDRESS;
}
