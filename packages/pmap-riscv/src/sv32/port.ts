import type { Port } from '@uvmkit/pmap';
import { riscvPort } from '../machine.ts';
import type { RiscvOptions } from '../options.ts';
import { Sv32Mmu } from './mmu.ts';
import { Sv32Pmap } from './pmap.ts';
import { SV32 } from './pte.ts';
import { trap } from './trap.ts';
import { SV32_LAYOUT } from './vmparam.ts';

/** The Sv32 port. */
export function sv32(options: RiscvOptions = {}): Port {
  return riscvPort(SV32, SV32_LAYOUT, options, {
    mmu: (cpu, boot) => new Sv32Mmu(cpu, boot, options),
    pmap: (boot, mmus: readonly Sv32Mmu[], pvEntries) => new Sv32Pmap(boot, mmus, pvEntries),
    trap,
  });
}
