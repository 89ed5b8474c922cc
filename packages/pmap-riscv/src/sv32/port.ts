import type { BootServices, Port, TrapOutcome } from '@uvmkit/pmap';
import { capabilities, RiscvMachine } from '../machine.ts';
import type { RiscvOptions } from '../options.ts';
import { Sv32Mmu } from './mmu.ts';
import { Sv32Pmap } from './pmap.ts';
import { SV32 } from './pte.ts';
import { trap } from './trap.ts';
import { SV32_LAYOUT } from './vmparam.ts';

/** A booted machine of harts in Sv32. */
export class Sv32Machine extends RiscvMachine<Sv32Mmu, Sv32Pmap> {
  constructor(port: Port, boot: BootServices, options: RiscvOptions) {
    super(
      port,
      boot,
      (cpu) => new Sv32Mmu(cpu, boot.memory, boot.events, options),
      (mmus) => new Sv32Pmap(boot, mmus, options.pvEntries ?? Number.POSITIVE_INFINITY),
    );
  }

  override trap(cpu: number): TrapOutcome {
    return trap(this.mmus[cpu]!, this.pmap, this.fault);
  }
}

/** The Sv32 port. */
export function sv32(options: RiscvOptions = {}): Port {
  const port: Port = {
    name: 'sv32',
    description: 'RISC-V Sv32, a pmap in the style of NetBSD 2001',
    layout: SV32_LAYOUT,
    capabilities: capabilities(SV32, options),
    boot: (boot) => new Sv32Machine(port, boot, options),
  };
  return port;
}
