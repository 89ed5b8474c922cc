import {
  faultRecord,
  type BootServices,
  type Fault,
  type MachineDependent,
  type Port,
  type TrapOutcome,
} from '@uvmkit/pmap';
import { ToyMmu } from './mmu.ts';
import { ToyPmap } from './pmap.ts';
import { KERNEL, PAGE, SPAN } from './pte.ts';
import { decodeFault } from './trap.ts';

/** A booted toy machine. */
class ToyMachine implements MachineDependent {
  readonly port: Port;
  readonly pmap: ToyPmap;
  readonly mmus: readonly [ToyMmu];
  readonly fault: Fault = faultRecord();
  currentCpu = 0;

  constructor(port: Port, boot: BootServices) {
    if (boot.cpus !== 1) throw new RangeError(`a toy has one CPU, given ${boot.cpus}`);
    const kernelTable = boot.steal(PAGE, PAGE);
    const mmu = new ToyMmu(boot.memory, boot.events, kernelTable);
    this.port = port;
    this.mmus = [mmu];
    this.pmap = new ToyPmap(boot, mmu, kernelTable);
  }

  trap(): TrapOutcome {
    return decodeFault(this.mmus[0], this.fault);
  }
}

/** The port. */
export const toy: Port = {
  name: 'toy',
  description: 'a table of one level, and nothing else',
  layout: {
    pageSize: PAGE,
    littleEndian: true,
    pointerSize: 4,
    userMin: 0,
    userMax: SPAN,
    userStack: SPAN,
    userHoles: [],
    kernelMin: KERNEL,
    kernelMax: KERNEL + SPAN,
    maxDataSize: SPAN / 2,
    maxStackSize: SPAN / 4,
  },
  capabilities: {
    execute: 'none',
    writeOnly: false,
    referenced: 'hardware',
    modified: 'hardware',
    addressSpaceTags: 0,
    cacheAlias: 0,
    tables: 'tree',
    deferred: false,
    scarceTables: false,
    strictAlignment: false,
    pageProtectWired: 'removes',
    clearReferenceWired: 'keeps',
    kenterCounted: false,
    unwireMissing: 'silent',
  },
  boot: (services) => new ToyMachine(toy, services),
};
