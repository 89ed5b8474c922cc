import {
  type BootServices,
  type Fault,
  type MachineDependent,
  type Port,
  type PortCapabilities,
  TRAP_FAULT,
  type TrapOutcome,
  VM_FAULT_INVALID,
  VM_PROT_READ,
} from '@uvmkit/pmap';
import { bootstrap } from './bootstrap.ts';
import type { Cpus } from './cpus.ts';
import type { I386Mmu } from './mmu.ts';
import type { I386Options } from './options.ts';
import { I386Pmap } from './pmap.ts';
import type { PmapState } from './state.ts';
import { decodePageFault } from './trap.ts';
import { I386_LAYOUT } from './vmparam.ts';

/** The i386 port: `i386()` for a Pentium Pro under NetBSD-current of December 2001. */
export function i386(options: I386Options = {}): I386Port {
  return new I386Port(options);
}

/** The port as a value; nothing happens until it boots. */
export class I386Port implements Port {
  readonly name: string = 'i386';
  readonly description: string = 'i386 two-level page tables, NetBSD pmap with recursive mapping';
  readonly layout: typeof I386_LAYOUT = I386_LAYOUT;
  readonly capabilities: PortCapabilities;
  readonly #options: I386Options;

  constructor(options: I386Options) {
    this.#options = options;
    this.capabilities = {
      execute: 'none',
      writeOnly: false,
      referenced: 'hardware',
      modified: 'hardware',
      addressSpaceTags: 0,
      cacheAlias: 0,
      tables: 'tree',
      deferred: options.deferred ?? false,
      scarceTables: options.pvEntries !== undefined,
      strictAlignment: false,
      pageProtectWired: 'removes',
      clearReferenceWired: 'keeps',
      kenterCounted: false,
      unwireMissing: 'panics',
    };
  }

  boot(boot: BootServices): I386Machine {
    return new I386Machine(this, bootstrap(boot, this.#options));
  }
}

/** A booted i386. */
export class I386Machine implements MachineDependent {
  readonly port: I386Port;
  readonly pmap: I386Pmap;
  readonly mmus: readonly I386Mmu[];
  readonly fault: Fault = { va: 0, access: VM_PROT_READ, type: VM_FAULT_INVALID, kernel: false };
  readonly #cpus: Cpus;

  constructor(port: I386Port, state: PmapState) {
    this.port = port;
    this.pmap = new I386Pmap(state);
    this.mmus = state.cpus.mmus;
    this.#cpus = state.cpus;
  }

  get currentCpu(): number {
    return this.#cpus.current;
  }

  set currentCpu(cpu: number) {
    if (this.mmus[cpu] === undefined)
      throw new RangeError(`there are ${this.mmus.length} CPUs, given ${cpu}`);
    this.#cpus.current = cpu;
  }

  /** The pmap settles nothing itself: U and M are the hardware's. */
  trap(cpu: number): TrapOutcome {
    decodePageFault(this.mmus[cpu]!, this.fault);
    return TRAP_FAULT;
  }
}
