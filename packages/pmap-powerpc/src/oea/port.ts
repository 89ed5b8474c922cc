import type {
  BootServices,
  Fault,
  Layout,
  MachineDependent,
  Pa,
  Port,
  PortCapabilities,
  TrapOutcome,
} from '@uvmkit/pmap';
import { TlbFlusher } from './flush.ts';
import { OeaMmu, USER_SR, canMultiprocess } from './mmu.ts';
import type { OeaOptions } from './options.ts';
import { KERNEL_MAX, KERNEL_MIN, OeaPmap } from './pmap.ts';
import {
  BAT_BL_256M,
  BAT_PP_RW,
  BAT_VS,
  MSR_DR,
  MSR_EE,
  MSR_IR,
  PTEG_BYTES,
  batPair,
} from './pte.ts';
import { PtegTable } from './pteg.ts';
import { PvoStore } from './pvo.ts';
import { OeaTrap } from './trap.ts';
import { KERNEL_VSIDBITS, NPMAPS, vsidMake } from './vsid.ts';

const PAGE = 4096;
const KERNEL_SR = 13;
const KERNEL2_SR = 14;
const MIN_PTEGS = 1024;
const MAX_PTEGS = 524288;
/** Pages of PVOs stolen at boot: at least the pools' low-water marks of 252 and 1008. */
const UNMANAGED_RESERVE = 2;
const MANAGED_RESERVE = 8;

/** mpc6xx's vmparam.h, late 2001. */
const LAYOUT: Layout = {
  pageSize: PAGE,
  littleEndian: false,
  pointerSize: 4,
  userMin: 0,
  userMax: 0x7ffff000,
  userStack: 0x7ffff000,
  userHoles: [],
  kernelMin: KERNEL_MIN,
  kernelMax: KERNEL_MAX,
  maxDataSize: 1 << 30,
  maxStackSize: 32 << 20,
};

/**
 * The PowerPC operating environment architecture (603, 604, 750) and NetBSD's mpc6xx pmap.
 *
 * @throws RangeError if an option is out of its range
 */
export function oea(options: OeaOptions = {}): Port {
  checkOptions(options);
  const capabilities: PortCapabilities = {
    execute: 'none',
    writeOnly: false,
    referenced: 'hardware',
    modified: 'hardware',
    addressSpaceTags: (options.pmaps ?? NPMAPS) - 2,
    cacheAlias: 0,
    tables: 'hash',
    deferred: options.deferred ?? false,
    scarceTables: true,
    strictAlignment: false,
    pageProtectWired: options.revision === '1.8' ? 'keeps' : 'removes',
    clearReferenceWired: 'keeps',
    kenterCounted: false,
    unwireMissing: 'silent',
  };
  const port: Port = {
    name: 'oea',
    description: `PowerPC ${options.model ?? '604'}: hashed page table, NetBSD mpc6xx pmap ${options.revision ?? '1.28.4.7'}`,
    layout: LAYOUT,
    capabilities,
    boot: (boot) => new OeaMachine(port, options, boot),
  };
  return port;
}

/** A booted OEA. */
export class OeaMachine implements MachineDependent {
  readonly port: Port;
  readonly pmap: OeaPmap;
  readonly mmus: readonly OeaMmu[];
  /** The hash table, for reports and the curious. */
  readonly table: PtegTable;
  currentCpu = 0;
  readonly #trap: OeaTrap;

  constructor(port: Port, options: OeaOptions, boot: BootServices) {
    const { memory, events } = boot;
    const model = options.model ?? '604';
    if (boot.cpus > 1 && !canMultiprocess(model))
      throw new RangeError(`a ${model} works alone, ${boot.cpus} CPUs were given`);
    const ptegs = options.ptegs ?? ptegCount(memory.size / PAGE);
    const base = boot.steal(ptegs * PTEG_BYTES, ptegs * PTEG_BYTES);
    boot.steal((UNMANAGED_RESERVE + MANAGED_RESERVE) * PAGE, PAGE);

    const bus: OeaMmu[] = [];
    for (let cpu = 0; cpu < boot.cpus; cpu++)
      startMmu(new OeaMmu(memory, cpu, model, bus, events), base, ptegs);
    this.mmus = bus;
    const flusher = new TlbFlusher(this, bus, options.deferred ?? false);
    const pvos = new PvoStore(ptegs, options.pvos ?? Number.POSITIVE_INFINITY);
    const table = new PtegTable(memory, base, ptegs, pvos, flusher, events, boot.diagnostic);
    this.port = port;
    this.table = table;
    const parts = { memory, events, cpu: this, mmus: bus, pvos, table, flusher, options };
    this.pmap = new OeaPmap(parts);
    this.pmap.reserve(UNMANAGED_RESERVE, MANAGED_RESERVE);
    this.#trap = new OeaTrap(bus, this.pmap, options.ioSegments ?? []);
  }

  trap(cpu: number): TrapOutcome {
    return this.#trap.trap(cpu);
  }

  get fault(): Fault {
    return this.#trap.fault;
  }
}

/** pmap_bootstrap's size: 0x1000 groups, doubled until there is one a page, then halved. */
function ptegCount(pages: number): number {
  let groups = 0x1000;
  while (groups < pages) groups *= 2;
  return groups / 2;
}

/** The kernel's segments, SDR1, RAM one-to-one through BAT 0, translation on. */
function startMmu(mmu: OeaMmu, base: Pa, ptegs: number): void {
  const empty = vsidMake(0, KERNEL_VSIDBITS);
  for (let segment = 0; segment < 16; segment++) mmu.mtsr(segment, empty);
  for (const segment of [KERNEL_SR, KERNEL2_SR])
    mmu.mtsr(segment, vsidMake(segment, KERNEL_VSIDBITS));
  mmu.loadUserSegments(Array.from({ length: 16 }, () => empty));
  mmu.mtsdr1(base | ((ptegs - 1) >>> 10));
  const [upper, lower] = batPair(0, 0, BAT_BL_256M, BAT_VS, BAT_PP_RW);
  mmu.mtdbat(0, upper, lower);
  mmu.mtibat(0, upper, lower);
  mmu.mtmsr(MSR_EE | MSR_IR | MSR_DR);
}

function checkOptions(options: OeaOptions): void {
  const { ptegs, pmaps, pvos, ioSegments = [] } = options;
  checkPower('ptegs', ptegs, MIN_PTEGS, MAX_PTEGS);
  checkPower('pmaps', pmaps, 32, NPMAPS);
  if (pvos !== undefined && !(pvos >= 1))
    throw new RangeError(`pvos must be at least 1, given ${pvos}`);
  for (const segment of ioSegments)
    if (!Number.isInteger(segment) || segment < 1 || segment > 15 || RESERVED.includes(segment))
      throw new RangeError(`ioSegments are 1 to 11 and 15, given ${segment}`);
}

const RESERVED: readonly number[] = [USER_SR, KERNEL_SR, KERNEL2_SR];

function checkPower(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined) return;
  if (!Number.isInteger(value) || value < least || value > most || (value & (value - 1)) !== 0)
    throw new RangeError(`${name} must be a power of two from ${least} to ${most}, given ${value}`);
}
