import type { BootServices } from '@uvmkit/pmap';
import { RiscvPmap } from '../pmap.ts';
import type { Sv32Mmu } from './mmu.ts';
import { SV32 } from './pte.ts';
import { DIRECT_BASE, SV32_LAYOUT } from './vmparam.ts';

/** The pmap over tables of Sv32. */
export class Sv32Pmap extends RiscvPmap {
  /** @param pvEntries the most pv entries at once */
  constructor(boot: BootServices, mmus: readonly Sv32Mmu[], pvEntries: number) {
    super(boot, mmus, SV32, SV32_LAYOUT, DIRECT_BASE, pvEntries);
  }
}
