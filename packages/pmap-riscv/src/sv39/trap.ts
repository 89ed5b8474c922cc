import type { Fault, TrapOutcome } from '@uvmkit/pmap';
import { decodeFault } from '../trap.ts';
import type { Sv39Mmu } from './mmu.ts';
import type { Sv39Pmap } from './pmap.ts';
import { SV39_LAYOUT } from './vmparam.ts';

/** From scause and stval to what UVM is asked, by the addresses that a kernel in Sv39 has. */
export function trap(mmu: Sv39Mmu, pmap: Sv39Pmap, fault: Fault): TrapOutcome {
  return decodeFault(mmu, pmap, SV39_LAYOUT, fault);
}
