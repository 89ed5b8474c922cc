import { TranslationFront, FRONT_MISS, type Access, type Pa, type Va } from '@uvmkit/pmap';
import { RiscvMmu, type Bus, type RiscvMmuOptions } from '../mmu.ts';
import { SV32 } from './pte.ts';

/** A hart's MMU in Sv32: the walk and the TLBs are `RiscvMmu`'s, over this format. */
export class Sv32Mmu extends RiscvMmu {
  protected override readonly front: TranslationFront = new TranslationFront();

  /** The state after a reset: no translation. */
  constructor(cpu: number, bus: Bus, options: RiscvMmuOptions = {}) {
    super(SV32, cpu, bus, options);
  }

  override translate(va: Va, access: Access): Pa {
    const pa = this.front.find(va, access);
    return (pa | 0) === FRONT_MISS ? this.lookup(va, access) : pa;
  }
}
