import type { BootServices, Port, TrapOutcome } from '@uvmkit/pmap';
import { capabilities, RiscvMachine } from '../machine.ts';
import type { RiscvOptions } from '../options.ts';
import { Sv39Mmu } from './mmu.ts';
import { Sv39Pmap } from './pmap.ts';
import { SV39 } from './pte.ts';
import { trap } from './trap.ts';
import { SV39_LAYOUT } from './vmparam.ts';

/** A booted machine of harts in Sv39. */
export class Sv39Machine extends RiscvMachine<Sv39Mmu, Sv39Pmap> {
  constructor(port: Port, boot: BootServices, options: RiscvOptions) {
    super(
      port,
      boot,
      (cpu) => new Sv39Mmu(cpu, boot.memory, boot.events, options),
      (mmus) => new Sv39Pmap(boot, mmus, options.pvEntries ?? Number.POSITIVE_INFINITY),
    );
  }

  override trap(cpu: number): TrapOutcome {
    return trap(this.mmus[cpu]!, this.pmap, this.fault);
  }
}

/** The Sv39 port. */
export function sv39(options: RiscvOptions = {}): Port {
  const port: Port = {
    name: 'sv39',
    description: 'RISC-V Sv39, a pmap in the style of NetBSD 2001',
    layout: SV39_LAYOUT,
    capabilities: capabilities(SV39, options),
    boot: (boot) => new Sv39Machine(port, boot, options),
  };
  return port;
}
