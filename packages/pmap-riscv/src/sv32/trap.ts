import type { Fault, TrapOutcome } from '@uvmkit/pmap';
import { decodeFault } from '../trap.ts';
import type { Sv32Mmu } from './mmu.ts';
import type { Sv32Pmap } from './pmap.ts';
import { SV32_LAYOUT } from './vmparam.ts';

/** From scause and stval to what UVM is asked, by the addresses that a kernel in Sv32 has. */
export function trap(mmu: Sv32Mmu, pmap: Sv32Pmap, fault: Fault): TrapOutcome {
  return decodeFault(mmu, pmap, SV32_LAYOUT, fault);
}
