import {
  TRAP_BAD_ADDRESS,
  TRAP_FAULT,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type Fault,
  type TrapOutcome,
} from '@uvmkit/pmap';
import type { ToyMmu } from './mmu.ts';
import { KERNEL, SPAN } from './pte.ts';

/** From the MMU's record to what UVM asks. There is nothing that the pmap settles itself: R and M are the hardware's. */
export function decodeFault(mmu: ToyMmu, fault: Fault): TrapOutcome {
  fault.va = mmu.faultVa;
  fault.access = mmu.faultStore ? VM_PROT_WRITE : VM_PROT_READ;
  fault.type = mmu.faultValid ? VM_FAULT_PROTECT : VM_FAULT_INVALID;
  fault.kernel = mmu.faultVa >= KERNEL;
  return fault.va % KERNEL < SPAN ? TRAP_FAULT : TRAP_BAD_ADDRESS;
}
