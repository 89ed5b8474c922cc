import {
  KernelPanic,
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
  type Va,
} from '@uvmkit/pmap';
import { FLUSH_ENTIRE, type SrmmuMmu } from './mmu.ts';
import {
  AT_STORE,
  AT_SUPERVISOR,
  AT_TEXT,
  FT_INVALID,
  FT_NONE,
  FT_TRANSLATION,
  isPte,
  sfsrAt,
  sfsrFt,
} from './pte.ts';

/**
 * Decodes SFSR and SFAR for uvm_fault (mem_access_fault4m, sparc/trap.c). The address is read first, since reading
 * the status frees both for the next fault.
 *
 * The pmap settles nothing on the 4m, for the walk is the hardware's. A translation error means that
 * the tables are corrupt, unless a probe now finds a PTE, in which case the access is tried again.
 *
 * @throws KernelPanic `kernel fault` when the supervisor fetches where it may not, or meets a translation or bus error
 */
export function trap(mmu: SrmmuMmu, kernelBase: Va, fault: Fault): TrapOutcome {
  const va = mmu.sfar;
  const sfsr = mmu.readSfsr();
  const at = sfsrAt(sfsr);
  const ft = sfsrFt(sfsr);
  const supervisor = (at & AT_SUPERVISOR) !== 0;
  fault.va = va;
  fault.access = at & AT_STORE ? VM_PROT_WRITE : at & AT_TEXT ? VM_PROT_EXECUTE : VM_PROT_READ;
  fault.type = ft === FT_INVALID ? VM_FAULT_INVALID : VM_FAULT_PROTECT;
  fault.kernel = va >= kernelBase;
  if (ft === FT_NONE || (ft === FT_TRANSLATION && isPte(mmu.probe(FLUSH_ENTIRE, va))))
    return TRAP_SETTLED;
  const text = (at & (AT_TEXT | AT_STORE)) === AT_TEXT;
  if (supervisor && (text || ft >= FT_TRANSLATION))
    throw new KernelPanic('kernel fault', { va, sfsr });
  if (ft >= FT_TRANSLATION) return TRAP_BAD_ADDRESS;
  return fault.kernel && !supervisor ? TRAP_BAD_ADDRESS : TRAP_FAULT;
}
