import {
  type Fault,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import type { I386Mmu } from './mmu.ts';
import { PGEX_P, PGEX_U, PGEX_W } from './pte.ts';
import { KERNBASE } from './vmparam.ts';

/**
 * A page fault as trap() reads it (sys/arch/i386/i386/trap.c): CR2 is the address; a write if the
 * error code says so, else a read, since the hardware does not tell fetches from loads. The fault is
 * the kernel map's if the CPU was in supervisor mode and the address is at or above KERNBASE. All others
 * are the process', those at addresses that no process can have included: its map has nothing
 * there, and the answer is EFAULT.
 */
export function decodePageFault(mmu: I386Mmu, fault: Fault): void {
  const { errorCode } = mmu;
  fault.va = mmu.cr2;
  fault.access = (errorCode & PGEX_W) === 0 ? VM_PROT_READ : VM_PROT_WRITE;
  fault.type = (errorCode & PGEX_P) === 0 ? VM_FAULT_INVALID : VM_FAULT_PROTECT;
  fault.kernel = (errorCode & PGEX_U) === 0 && mmu.cr2 >= KERNBASE;
}
