import {
  faultRecord,
  type BootServices,
  type Fault,
  type Layout,
  type MachineDependent,
  type Port,
  type TrapOutcome,
} from '@uvmkit/pmap';
import { PAGE_SIZE } from './bits.ts';
import type { Format } from './format.ts';
import type { RiscvMmu } from './mmu.ts';
import type { RiscvOptions } from './options.ts';
import type { RiscvPmap } from './pmap.ts';

/** What is of one format alone. */
export interface Parts<M, P> {
  readonly mmu: (cpu: number, boot: BootServices) => M;
  readonly pmap: (boot: BootServices, mmus: readonly M[], pvEntries: number) => P;
  readonly trap: (mmu: M, pmap: P, fault: Fault) => TrapOutcome;
}

/** A booted RISC-V machine. */
export class RiscvMachine<M extends RiscvMmu, P extends RiscvPmap> implements MachineDependent {
  readonly port: Port;
  readonly mmus: readonly M[];
  readonly pmap: P;
  readonly fault: Fault = faultRecord();
  readonly #parts: Parts<M, P>;

  constructor(port: Port, boot: BootServices, options: RiscvOptions, parts: Parts<M, P>) {
    const { cpus, memory } = boot;
    if (memory.pageSize !== PAGE_SIZE)
      throw new RangeError(
        `${port.name} has pages of ${PAGE_SIZE} bytes, the memory given has ${memory.pageSize}`,
      );
    if (!Number.isInteger(cpus) || cpus < 1)
      throw new RangeError(`${port.name} has 1 CPU or more, given ${cpus}`);
    this.port = port;
    this.#parts = parts;
    this.mmus = Array.from({ length: cpus }, (_, cpu) => parts.mmu(cpu, boot));
    this.pmap = parts.pmap(boot, this.mmus, options.pvEntries ?? Number.POSITIVE_INFINITY);
  }

  get currentCpu(): number {
    return this.pmap.cpus.current;
  }

  set currentCpu(cpu: number) {
    if (this.mmus[cpu] === undefined)
      throw new RangeError(`there are ${this.mmus.length} CPUs, given ${cpu}`);
    this.pmap.cpus.current = cpu;
  }

  trap(cpu: number): TrapOutcome {
    return this.#parts.trap(this.mmus[cpu]!, this.pmap, this.fault);
  }
}

/** The port of a format. */
export function riscvPort<M extends RiscvMmu, P extends RiscvPmap>(
  format: Format,
  layout: Layout,
  options: RiscvOptions,
  parts: Parts<M, P>,
): Port {
  const { accessedDirty = 'hardware', asidBits = format.asidBits } = options;
  const port: Port = {
    name: format.name,
    description: `RISC-V S${format.name.slice(1)}, a pmap in the style of NetBSD 2001`,
    layout,
    capabilities: {
      execute: 'page',
      writeOnly: false,
      referenced: accessedDirty,
      modified: accessedDirty,
      addressSpaceTags: asidBits === 0 ? 0 : 2 ** asidBits,
      cacheAlias: 0,
      tables: 'tree',
      deferred: false,
      scarceTables: options.pvEntries !== undefined,
      strictAlignment: false,
      pageProtectWired: 'removes',
      clearReferenceWired: 'keeps',
      kenterCounted: true,
      unwireMissing: 'panics',
    },
    boot: (boot) => new RiscvMachine(port, boot, options, parts),
  };
  return port;
}
