import {
  KernelPanic,
  TRAP_BAD_ADDRESS,
  TRAP_FAULT,
  TRAP_SETTLED,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type Fault,
  type TrapOutcome,
  type Va,
} from '@uvmkit/pmap';
import type { Sun4cMmu } from './mmu.ts';
import { inHole, SER_PROT, SER_WRITE, T_TEXTFAULT } from './pte.ts';
import { PAGEIN_LOADED, PAGEIN_NOT_HERE, type Sun4cSegments } from './segments.ts';

/**
 * Decodes the fault registers for uvm_fault (mem_access_fault, sparc/trap.c). The hole is tested before the bits are
 * looked at, and fetches are asked for as loads: the MMU has no execute right to miss.
 *
 * A user's segment that has lost its PMEG is loaded again here, and uvm_fault never hears of it. After a uvm_fault
 * that entered a page into a segment without a PMEG, NetBSD loads the segment on its way out; here the
 * access, tried again, comes back for it.
 *
 * @throws KernelPanic `kernel fault` when the supervisor fetches where it may not; `me_alloc: all pmegs gone` when there
 * is nothing to load the segment into
 */
export function trap(
  mmu: Sun4cMmu,
  segments: Sun4cSegments,
  kernelBase: Va,
  fault: Fault,
): TrapOutcome {
  const va = mmu.sva;
  const ser = mmu.readSer();
  fault.va = va;
  fault.access = ser & SER_WRITE ? VM_PROT_WRITE : VM_PROT_READ;
  fault.type = ser & SER_PROT ? VM_FAULT_PROTECT : VM_FAULT_INVALID;
  fault.kernel = va >= kernelBase;
  if (inHole(va)) return TRAP_BAD_ADDRESS;
  if (mmu.supervisor && mmu.trapType === T_TEXTFAULT)
    throw new KernelPanic('kernel fault', { va, ser });
  if (fault.kernel) return mmu.supervisor ? TRAP_FAULT : TRAP_BAD_ADDRESS;
  const found = segments.pagein(va, fault.access);
  if (found === PAGEIN_LOADED) return TRAP_SETTLED;
  return found === PAGEIN_NOT_HERE ? TRAP_FAULT : TRAP_BAD_ADDRESS;
}
