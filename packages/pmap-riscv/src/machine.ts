import {
  faultRecord,
  type BootServices,
  type Fault,
  type Layout,
  type MachineDependent,
  type Port,
  type PortCapabilities,
  type TrapOutcome,
} from '@uvmkit/pmap';
import { PAGE_SIZE } from './bits.ts';
import type { Format } from './format.ts';
import type { RiscvMmu } from './mmu.ts';
import type { RiscvOptions } from './options.ts';
import type { RiscvPmap } from './pmap.ts';

/** A booted RISC-V machine. */
export abstract class RiscvMachine<
  M extends RiscvMmu,
  P extends RiscvPmap,
> implements MachineDependent {
  readonly port: Port;
  readonly mmus: readonly M[];
  readonly pmap: P;
  readonly fault: Fault = faultRecord();

  constructor(port: Port, boot: BootServices, mmu: (cpu: number) => M, pmap: (mmus: M[]) => P) {
    const { cpus, memory } = boot;
    if (memory.pageSize !== PAGE_SIZE)
      throw new RangeError(
        `${port.name} has pages of ${PAGE_SIZE} bytes, the memory given has ${memory.pageSize}`,
      );
    if (!Number.isInteger(cpus) || cpus < 1)
      throw new RangeError(`${port.name} has 1 CPU or more, given ${cpus}`);
    const mmus = Array.from({ length: cpus }, (_, cpu) => mmu(cpu));
    this.port = port;
    this.mmus = mmus;
    this.pmap = pmap(mmus);
  }

  get currentCpu(): number {
    return this.pmap.cpus.current;
  }

  set currentCpu(cpu: number) {
    if (this.mmus[cpu] === undefined)
      throw new RangeError(`there are ${this.mmus.length} CPUs, given ${cpu}`);
    this.pmap.cpus.current = cpu;
  }

  abstract trap(cpu: number): TrapOutcome;
}

/** What a port of either format can do. */
export function capabilities(format: Format, options: RiscvOptions): PortCapabilities {
  const { accessedDirty = 'hardware', asidBits = format.asidBits } = options;
  return {
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
  };
}

/** What is the same in the address spaces of both. */
export const COMMON_LAYOUT: Pick<
  Layout,
  'pageSize' | 'littleEndian' | 'userMin' | 'userHoles' | 'maxStackSize'
> = {
  pageSize: PAGE_SIZE,
  littleEndian: true,
  userMin: 0,
  userHoles: [],
  maxStackSize: 32 << 20,
};
