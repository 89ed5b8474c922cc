import {
  VM_FAULT_INVALID,
  VM_PROT_READ,
  type BootServices,
  type Fault,
  type MachineDependent,
  type Port,
  type TrapOutcome,
} from '@uvmkit/pmap';
import { SrmmuMmu, type SrmmuMmuOptions } from './mmu.ts';
import { KERNEL_END, SrmmuPmap, type SrmmuPmapOptions } from './pmap.ts';
import { NBPG, NBPRG, PCR_E } from './pte.ts';
import { trap } from './trap.ts';

/** Options of the SRMMU port. */
export interface SrmmuOptions extends SrmmuMmuOptions, SrmmuPmapOptions {
  /** KERNBASE: a multiple of 16 MB below 0xfd000000. 0xf0000000 if not given; older kernels had 0xf8000000. */
  readonly kernelBase?: number;
}

/** The most CPUs: one bit each in pm_cpuset. */
const MOST_CPUS = 32;

/** A booted sun4m. */
export class SrmmuMachine implements MachineDependent {
  readonly port: Port;
  readonly pmap: SrmmuPmap;
  readonly mmus: readonly SrmmuMmu[];
  currentCpu = 0;
  readonly fault: Fault = { va: 0, access: VM_PROT_READ, type: VM_FAULT_INVALID, kernel: false };

  constructor(port: Port, boot: BootServices, options: SrmmuOptions) {
    if (boot.cpus > MOST_CPUS)
      throw new RangeError(`srmmu: at most ${MOST_CPUS} CPUs, given ${boot.cpus}`);
    this.port = port;
    this.mmus = Array.from(
      { length: boot.cpus },
      (_, cpu) => new SrmmuMmu(cpu, boot.memory, boot.events, options),
    );
    this.pmap = new SrmmuPmap(boot, this.mmus, this, port.layout.kernelMin, options);
    for (const mmu of this.mmus) {
      mmu.cxtptr = this.pmap.contextTable(mmu.cpu) / 16;
      mmu.pcr = PCR_E;
    }
  }

  trap(cpu: number): TrapOutcome {
    return trap(this.mmus[cpu]!, this.port.layout.kernelMin, this.fault);
  }
}

/**
 * The sun4m port: SPARC Reference MMU and NetBSD's pmap of late 2001 for it.
 *
 * @throws RangeError if `kernelBase` is not a multiple of 16 MB in the range it may have
 */
export function srmmu(options: SrmmuOptions = {}): Port {
  const kernelBase = options.kernelBase ?? 0xf000_0000;
  if (kernelBase % NBPRG !== 0 || kernelBase < 0x8000_0000 || kernelBase >= KERNEL_END - NBPRG)
    throw new RangeError(
      `kernelBase must be a multiple of 16 MB from 0x80000000 to 0xfc000000, given ${kernelBase}`,
    );
  const port: Port = {
    name: 'srmmu',
    description: 'sun4m: SPARC Reference MMU (SuperSPARC), NetBSD/sparc pmap of October 2001',
    layout: {
      pageSize: NBPG,
      littleEndian: false,
      pointerSize: 4,
      userMin: 0,
      userMax: kernelBase,
      userStack: kernelBase,
      userHoles: [],
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
      addressSpaceTags: options.contexts ?? 4096,
      cacheAlias: 0,
      tables: 'tree',
      deferred: options.deferred ?? false,
      scarceTables: false,
      strictAlignment: true,
      pageProtectWired: 'removes',
      clearReferenceWired: 'keeps',
      kenterCounted: false,
      unwireMissing: 'silent',
    },
    boot: (services) => new SrmmuMachine(port, services, options),
  };
  return port;
}
