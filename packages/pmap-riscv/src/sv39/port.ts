import type { Port } from '@uvmkit/pmap';
import { riscvPort } from '../machine.ts';
import type { RiscvOptions } from '../options.ts';
import { Sv39Mmu } from './mmu.ts';
import { Sv39Pmap } from './pmap.ts';
import { SV39 } from './pte.ts';
import { trap } from './trap.ts';
import { SV39_LAYOUT } from './vmparam.ts';

/** The Sv39 port. */
export function sv39(options: RiscvOptions = {}): Port {
  return riscvPort(SV39, SV39_LAYOUT, options, {
    mmu: (cpu, boot) => new Sv39Mmu(cpu, boot, options),
    pmap: (boot, mmus: readonly Sv39Mmu[], pvEntries) => new Sv39Pmap(boot, mmus, pvEntries),
    trap,
  });
}
