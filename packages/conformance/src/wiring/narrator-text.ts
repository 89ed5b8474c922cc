import {
  errnoName,
  type EventName,
  hex,
  type Pa,
  PMAP_WIRED,
  type PmapId,
  protName,
  TRAP_FAULT,
  VM_PROT_ALL,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { SYS } from '@uvmkit/machine';
import { VM_FAULT_WIRE, VM_FAULT_WIREMAX } from '@uvmkit/uvm-core';

/** How a story calls those that it is about. */
export interface Told {
  readonly map: (id: number) => string;
  readonly pmap: (id: PmapId) => string;
  readonly process: (pid: number) => string;
  readonly page: (pa: Pa) => string;
}

/** An event with its fields. */
interface Event {
  readonly name: EventName;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly e: number;
}

const CALLS: ReadonlyMap<number, string> = new Map(
  Object.entries(SYS).map(([name, number]) => [number, name]),
);

/** What each kind of event says to a reader; nothing of those that a story can do without. */
const TEXTS: Partial<Record<EventName, (event: Event, told: Told) => string>> = {
  'mmu.fault': ({ a, b, c, d }) =>
    d === TRAP_FAULT
      ? `the MMU of CPU ${a} has no translation of ${hex(b)} for ${accessText(c)}: a fault`
      : `the MMU of CPU ${a} faults at ${hex(b)}; the pmap settles it`,
  'tlb.shootdown': ({ a, b, c }) => `CPU ${a} has CPU ${b} drop what its TLB holds of ${hex(c)}`,
  'pmap.enter': ({ a, b, c, d, e }, { pmap, page }) =>
    `pmap_enter: ${pmap(a)} maps ${hex(b)} to ${page(c)}, ${protName(d)}${(e & PMAP_WIRED) === 0 ? '' : ', wired'}`,
  'pmap.remove': ({ a, b, c }, { pmap }) => `pmap_remove: ${range(b, c)} of ${pmap(a)}`,
  'pmap.forget': ({ a, b, c }, { pmap }) =>
    `the pmap of ${pmap(a)} is made to forget ${range(b, c)}`,
  'pmap.protect': ({ a, b, c, d }, { pmap }) =>
    `pmap_protect: ${range(b, c)} of ${pmap(a)} to ${protName(d)}`,
  'pmap.pageProtect': ({ a, b }, { page }) =>
    (b & VM_PROT_READ) === 0
      ? `pmap_page_protect(NONE): ${page(a)} is taken from every pmap`
      : `pmap_page_protect(READ): nobody may write to ${page(a)} any more`,
  'pmap.unwire': ({ a, b }, { pmap }) => `pmap_unwire: ${pmap(a)}'s mapping of ${hex(b)}`,
  'uvm.fault': ({ a, b, c, d }, { map }) => faultText(map(a), b, c, d),
  'uvm.faultDone': ({ c }) => (c === 0 ? '' : `the fault is refused: ${errnoName(c)}`),
  'uvm.promote': ({ a, b, c, d }, { map, page }) =>
    c < 0
      ? ''
      : `promotion: at ${hex(b)} of ${map(a)} a copy, ${page(d)}, takes the place of ${page(c)}`,
  'uvm.wait': () => 'it waits for memory',
  'uvm.wire': ({ a, b, c, d }, { map }) =>
    `UVM wires ${range(b, c)} of ${map(a)} by simulated faults, ${wireText(d)}`,
  'uvm.unwire': ({ a, b, c }, { map }) => `UVM unwires ${range(b, c)} of ${map(a)}`,
  'page.wire': ({ a, b }, { page }) => `${page(a)} is wired: count ${b}`,
  'page.unwire': ({ a, b }, { page }) => `${page(a)} is unwired: count ${b}`,
  'io.start': ({ a, c, d }) => `disk ${a} begins to ${d === 0 ? 'read' : 'write'} ${c} bytes`,
  'io.done': ({ a, d }) => `disk ${a} has done it${d === 0 ? '' : `: ${errnoName(d)}`}`,
  'proc.exit': ({ a }, { process }) => `${process(a)} has ended`,
  'proc.syscall': ({ a, b, c }, { process }) =>
    `${CALLS.get(b) ?? `call ${b}`}(2) by ${process(a)} answers ${c === 0 ? 'ok' : errnoName(c)}`,
  'proc.signal': ({ a, b }, { process }) => `${process(a)} gets signal ${b}`,
};

/** An event in words; empty if there is nothing to say of it. */
export function eventText(event: Event, told: Told): string {
  return TEXTS[event.name]?.(event, told) ?? '';
}

function faultText(who: string, va: number, type: number, access: number): string {
  const simulated = type === VM_FAULT_WIRE || type === VM_FAULT_WIREMAX;
  return `uvm_fault: ${who} at ${hex(va)}, ${simulated ? `${protName(access)}, simulated` : accessText(access)}`;
}

function wireText(type: number): string {
  return type === VM_FAULT_WIREMAX
    ? 'VM_FAULT_WIREMAX: at the maximum protection'
    : 'VM_FAULT_WIRE: at the protection that it has now';
}

function accessText(access: number): string {
  switch (access & VM_PROT_ALL) {
    case VM_PROT_READ:
      return 'a load';
    case VM_PROT_WRITE:
    case VM_PROT_READ | VM_PROT_WRITE:
      return 'a store';
    default:
      return 'a fetch';
  }
}

function range(start: number, end: number): string {
  return `[${hex(start)}, ${hex(end)})`;
}
