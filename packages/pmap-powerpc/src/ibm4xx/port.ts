import type {
  BootServices,
  Fault,
  Layout,
  MachineDependent,
  Port,
  PortCapabilities,
  TrapOutcome,
} from '@uvmkit/pmap';
import { Contexts } from './contexts.ts';
import { Ibm4xxMmu } from './mmu.ts';
import type { Ibm4xxOptions } from './options.ts';
import { Ibm4xxPmap, KERNEL_MAX, KERNEL_MIN } from './pmap.ts';
import { KERNEL_PID, MINCTX, MSR_DR, MSR_EE, MSR_IR, NETBSD_ZPR, NUMCTX } from './pte.ts';
import { PageTables, TABLE_BYTES } from './tables.ts';
import { TlbInfo } from './tlb.ts';
import { Ibm4xxTrap } from './trap.ts';

const PAGE = 16384;

/**
 * The locked entries of the Walnut board's kernel, as words: the first 16 MB of RAM (image, all
 * rights), and the page of the on-chip devices (no fetches, uncached, guarded).
 */
const LOCKED: readonly (readonly [hi: number, lo: number])[] = [
  [0x000003c0, 0x00000300],
  [0xef6000c0, 0xef600105],
];

/** ibm4xx's vmparam.h 1.8.6.1. */
const LAYOUT: Layout = {
  pageSize: PAGE,
  littleEndian: false,
  pointerSize: 4,
  userMin: 0,
  userMax: 0xfffec000,
  userStack: 0xfffec000,
  userHoles: [],
  kernelMin: KERNEL_MIN,
  kernelMax: KERNEL_MAX,
  maxDataSize: 1 << 30,
  maxStackSize: 32 << 20,
};

/**
 * The IBM 403GCX/405 and NetBSD's ibm4xx pmap.
 *
 * @throws RangeError if an option is out of its range
 */
export function ibm4xx(options: Ibm4xxOptions = {}): Port {
  const { contexts = NUMCTX, pvs } = options;
  if (!Number.isInteger(contexts) || contexts <= MINCTX || contexts > NUMCTX)
    throw new RangeError(`contexts must be ${MINCTX + 1} to ${NUMCTX}, given ${contexts}`);
  if (pvs !== undefined && !(pvs >= 1))
    throw new RangeError(`pvs must be at least 1, given ${pvs}`);
  const capabilities: PortCapabilities = {
    execute: 'none',
    writeOnly: false,
    referenced: 'software',
    modified: 'software',
    addressSpaceTags: contexts - MINCTX,
    cacheAlias: 0,
    tables: 'tree',
    deferred: options.deferred ?? false,
    scarceTables: false,
    strictAlignment: false,
    pageProtectWired: 'removes',
    clearReferenceWired: 'removes',
    kenterCounted: false,
    unwireMissing: 'silent',
  };
  const port: Port = {
    name: 'ibm4xx',
    description: 'IBM PowerPC 405: software-loaded TLB, NetBSD ibm4xx pmap 1.5.4.9',
    layout: LAYOUT,
    capabilities,
    boot: (boot) => new Ibm4xxMachine(port, options, boot),
  };
  return port;
}

/** A booted 40x. */
export class Ibm4xxMachine implements MachineDependent {
  readonly port: Port;
  readonly pmap: Ibm4xxPmap;
  readonly mmus: readonly [Ibm4xxMmu];
  currentCpu = 0;
  readonly #trap: Ibm4xxTrap;

  constructor(port: Port, options: Ibm4xxOptions, boot: BootServices) {
    if (boot.cpus !== 1) throw new RangeError(`a 40x works alone, ${boot.cpus} CPUs were given`);
    const { memory, events } = boot;
    const mmu = new Ibm4xxMmu(0, events);
    const tlb = new TlbInfo(mmu);
    const contexts = new Contexts(tlb, events, options.contexts ?? NUMCTX);
    const tables = new PageTables(memory, events);
    this.port = port;
    this.mmus = [mmu];
    this.pmap = new Ibm4xxPmap({ memory, events, mmu, tlb, contexts, tables, options });
    this.pmap.bootstrap(boot.steal(TABLE_BYTES, TABLE_BYTES));
    this.#trap = new Ibm4xxTrap(mmu, tlb, contexts, tables);

    for (const [entry, [hi, lo]] of LOCKED.entries()) tlb.lock(entry, hi, lo);
    mmu.mtzpr(NETBSD_ZPR);
    mmu.mtpid(KERNEL_PID);
    mmu.mtmsr(MSR_EE | MSR_IR | MSR_DR);
  }

  trap(_cpu: number): TrapOutcome {
    return this.#trap.trap();
  }

  get fault(): Fault {
    return this.#trap.fault;
  }
}
