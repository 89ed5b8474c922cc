import {
  faultRecord,
  type BootServices,
  type Fault,
  type MachineDependent,
  type Port,
  type PortCapabilities,
  type TrapOutcome,
} from '@uvmkit/pmap';
import { Cpus } from './cpus.ts';
import { Mappings } from './mappings.ts';
import { AlphaMmu, PCB_SIZE } from './mmu.ts';
import { AlphaPmap } from './pmap.ts';
import { checkCount, resolveOptions, type AlphaOptions, type AlphaSettings } from './options.ts';
import { Shootdown } from './shootdown.ts';
import { SpaceTable } from './space.ts';
import { bootKernelTables, Tables } from './tables.ts';
import { entMM } from './trap.ts';
import { ALPHA_LAYOUT, PAGE_SIZE } from './vmparam.ts';

/** The bits of `pm_cpus`. */
const MAX_CPUS = 64;

/**
 * The alpha port: OSF/1 PALcode's MMU and NetBSD/alpha's pmap.
 *
 * @throws RangeError if an option is out of its range
 */
export function alpha(options: AlphaOptions = {}): Port {
  const settings = resolveOptions(options);
  const port: Port = {
    name: 'alpha',
    description: "DEC Alpha: three-level tables walked by OSF/1 PALcode, NetBSD/alpha's pmap",
    layout: ALPHA_LAYOUT,
    capabilities: capabilities(settings),
    boot: (boot) => new AlphaMachine(port, settings, boot),
  };
  return port;
}

function capabilities(settings: AlphaSettings): PortCapabilities {
  return {
    execute: settings.enforceExecute ? 'page' : 'none',
    writeOnly: true,
    referenced: 'software',
    modified: 'software',
    addressSpaceTags: settings.maxAsn === 0 ? 0 : settings.maxAsn + 1,
    cacheAlias: 0,
    tables: 'tree',
    deferred: settings.deferred,
    scarceTables: settings.pvEntries !== Number.POSITIVE_INFINITY,
    strictAlignment: true,
    pageProtectWired: settings.pageProtectWired,
    clearReferenceWired: 'keeps',
    kenterCounted: true,
    unwireMissing: 'panics',
  };
}

/** A booted alpha. */
class AlphaMachine implements MachineDependent {
  readonly port: Port;
  readonly pmap: AlphaPmap;
  readonly mmus: readonly AlphaMmu[];
  readonly fault: Fault = faultRecord();
  readonly #cpus: Cpus;

  constructor(port: Port, settings: AlphaSettings, boot: BootServices) {
    const { memory, events } = boot;
    if (memory.pageSize !== PAGE_SIZE) {
      throw new RangeError(`alpha wants pages of ${PAGE_SIZE} bytes, given ${memory.pageSize}`);
    }
    checkCount('cpus', boot.cpus, 1, MAX_CPUS);
    const pcbs = boot.steal(MAX_CPUS * PCB_SIZE, PAGE_SIZE);
    const lev1 = bootKernelTables(memory, boot.steal, settings.kernelTables);
    const mmus = Array.from(
      { length: boot.cpus },
      (_, cpu) => new AlphaMmu(cpu, memory, events, settings),
    );
    const spaces = new SpaceTable(lev1, boot.cpus);
    const cpus = new Cpus(mmus, spaces.kernel, memory, pcbs);
    const shootdown = new Shootdown(cpus, events, settings.shootdown, settings.deferred);
    const tables = new Tables(memory, spaces, cpus, shootdown, events, settings.kernelTables);
    const mappings = new Mappings(
      tables,
      spaces,
      cpus,
      shootdown,
      events,
      settings.enforceExecute,
      boot.diagnostic,
    );
    this.port = port;
    this.mmus = mmus;
    this.#cpus = cpus;
    this.pmap = new AlphaPmap(
      {
        memory,
        events,
        spaces,
        cpus,
        shootdown,
        tables,
        mappings,
        print: boot.print,
      },
      settings,
      boot.diagnostic,
    );
  }

  get currentCpu(): number {
    return this.#cpus.current;
  }

  set currentCpu(cpu: number) {
    checkCount('currentCpu', cpu, 0, this.mmus.length - 1);
    this.#cpus.current = cpu;
  }

  trap(cpu: number): TrapOutcome {
    const mmu = this.mmus[cpu]!;
    const before = this.#cpus.current;
    this.#cpus.current = cpu;
    this.pmap.interrupt(cpu);
    const outcome = entMM(mmu, this.pmap, this.fault);
    if (mmu.userMode) this.#cpus.userReturn(cpu);
    this.#cpus.current = before;
    return outcome;
  }
}
