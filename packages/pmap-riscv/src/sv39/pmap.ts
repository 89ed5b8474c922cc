import type { BootServices } from '@uvmkit/pmap';
import { RiscvPmap } from '../pmap.ts';
import type { Sv39Mmu } from './mmu.ts';
import { SV39 } from './pte.ts';
import { DIRECT_BASE, SV39_LAYOUT } from './vmparam.ts';

/** The pmap over tables of Sv39. */
export class Sv39Pmap extends RiscvPmap {
  /** @param pvEntries the most pv entries at once */
  constructor(boot: BootServices, mmus: readonly Sv39Mmu[], pvEntries: number) {
    super(boot, mmus, SV39, SV39_LAYOUT, DIRECT_BASE, pvEntries);
  }
}
