import {
  VM_FAULT_INVALID,
  VM_PROT_READ,
  type BootServices,
  type Fault,
  type MachineDependent,
  type Port,
  type TrapOutcome,
} from '@uvmkit/pmap';
import { Sun4cMmu, type Sun4cModel } from './mmu.ts';
import { KERNEL_END, Sun4cPmap, type Sun4cPmapOptions } from './pmap.ts';
import {
  CACHE_ALIAS_DIST,
  MMU_HOLE_END,
  MMU_HOLE_START,
  NBPG,
  NBPSG,
  PG_PFNUM,
  SYSEN_CACHE,
} from './pte.ts';
import { trap } from './trap.ts';

/** Options of the sun4c port. */
export interface Sun4cOptions extends Sun4cPmapOptions {
  /** `ss1` (the default): 8 contexts, 128 PMEGs, cache lines of 16 bytes. `ss2`: 16, 256 and 32. */
  readonly model?: 'ss1' | 'ss2';
  /** Contexts, the kernel's included: 2 to 16; the model's if not given. */
  readonly contexts?: number;
  /** PMEGs, the invalid one included: 3 to 256; the model's if not given. */
  readonly pmegs?: number;
  /** Whether the cache is on. On if not given. */
  readonly cache?: boolean;
  /** KERNBASE: a multiple of 256 KB from 0xe1000000 to 0xfd000000. 0xf0000000 if not given; older kernels had 0xf8000000. */
  readonly kernelBase?: number;
}

const MODELS: Readonly<Record<'ss1' | 'ss2', Sun4cModel>> = {
  ss1: { contexts: 8, pmegs: 128, lineBytes: 16 },
  ss2: { contexts: 16, pmegs: 256, lineBytes: 32 },
};

/** Bytes of RAM that sixteen bits of frame number reach. */
const MOST_MEMORY = (PG_PFNUM + 1) * NBPG;

/** A booted sun4c. */
export class Sun4cMachine implements MachineDependent {
  readonly port: Port;
  readonly pmap: Sun4cPmap;
  readonly mmus: readonly [Sun4cMmu];
  currentCpu = 0;
  readonly fault: Fault = { va: 0, access: VM_PROT_READ, type: VM_FAULT_INVALID, kernel: false };

  constructor(port: Port, boot: BootServices, model: Sun4cModel, options: Sun4cOptions) {
    if (boot.cpus !== 1) throw new RangeError(`sun4c: a sun4c has one CPU, given ${boot.cpus}`);
    if (boot.memory.size > MOST_MEMORY)
      throw new RangeError(
        `sun4c: memory can be up to ${MOST_MEMORY} bytes, given ${boot.memory.size}`,
      );
    this.port = port;
    const mmu = new Sun4cMmu(boot.memory, boot.events, model);
    this.mmus = [mmu];
    this.pmap = new Sun4cPmap(boot, mmu, port.layout.kernelMin, options);
    if (options.cache ?? true) mmu.systemEnable = SYSEN_CACHE;
  }

  trap(cpu: number): TrapOutcome {
    return trap(this.mmus[cpu]!, this.pmap.segments, this.port.layout.kernelMin, this.fault);
  }
}

/**
 * The sun4c port: the MMU of the SPARCstation 1 or 2 and NetBSD's pmap of late 2001 for it.
 *
 * @throws RangeError if an option is beyond what the hardware has
 */
export function sun4c(options: Sun4cOptions = {}): Port {
  const base = MODELS[options.model ?? 'ss1'];
  const model: Sun4cModel = {
    ...base,
    contexts: options.contexts ?? base.contexts,
    pmegs: options.pmegs ?? base.pmegs,
  };
  const kernelBase = options.kernelBase ?? 0xf000_0000;
  if (!Number.isInteger(model.pmegs) || model.pmegs < 3 || model.pmegs > 256)
    throw new RangeError(`pmegs must be 3 to 256, given ${model.pmegs}`);
  if (
    kernelBase % NBPSG !== 0 ||
    kernelBase < MMU_HOLE_END + 0x100_0000 ||
    kernelBase > KERNEL_END - 0x100_0000
  )
    throw new RangeError(
      `kernelBase must be a multiple of 256 KB from 0xe1000000 to 0xfd000000, given ${kernelBase}`,
    );
  const port: Port = {
    name: 'sun4c',
    description: `sun4c: ${model.pmegs} PMEGs, ${model.contexts} contexts, virtual cache; NetBSD/sparc pmap of October 2001`,
    layout: {
      pageSize: NBPG,
      littleEndian: false,
      pointerSize: 4,
      userMin: 0,
      userMax: kernelBase,
      userStack: kernelBase,
      userHoles: [{ start: MMU_HOLE_START, end: MMU_HOLE_END }],
      kernelMin: kernelBase,
      kernelMax: KERNEL_END,
      maxDataSize: 256 << 20,
      maxStackSize: 32 << 20,
    },
    capabilities: {
      execute: 'none',
      writeOnly: false,
      referenced: 'hardware',
      modified: 'hardware',
      addressSpaceTags: model.contexts,
      cacheAlias: CACHE_ALIAS_DIST,
      tables: 'mmu',
      deferred: false,
      scarceTables: true,
      strictAlignment: true,
      pageProtectWired: 'removes',
      clearReferenceWired: 'keeps',
      kenterCounted: false,
      unwireMissing: 'silent',
    },
    boot: (services) => new Sun4cMachine(port, services, model, options),
  };
  return port;
}
