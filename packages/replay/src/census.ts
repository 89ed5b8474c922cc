import { type EventName, VM_FAULT_PROTECT, VM_PROT_EXECUTE, VM_PROT_WRITE } from '@uvmkit/pmap';
import { VM_FAULT_WIRE } from '@uvmkit/uvm-core';
import type { Machine } from '@uvmkit/machine';

/** The most of something that there was at one time. */
export interface Peaks {
  /** Pages in page tables' sense: what pmaps map, times the page size. */
  residentBytes: number;
  tableBytes: number;
  mapEntries: number;
  amaps: number;
  processes: number;
  usedPages: number;
  /** Pages that cannot be written out or dropped: tables, kernel memory, what is locked. */
  fixedPages: number;
}

/**
 * Counts what happens on a machine and has no counter there, and keeps the peaks. It listens to the machine's
 * events, which come with faults and calls but not with accesses that hit.
 */
export class Census {
  /** Faults of accesses that went to uvm_fault, by the right that was missing. */
  readFaults = 0;
  writeFaults = 0;
  fetchFaults = 0;
  /** Of those, the ones at a mapping that did not allow the access; at the others was none. */
  protectFaults = 0;
  /** Faults that wiring simulated. */
  wireFaults = 0;
  /** Flushes that one CPU asked of another. */
  shootdowns = 0;
  /** Tables, contexts and the like that a pmap took from one use for another. */
  steals = 0;
  /** Transfers of the disk. */
  transfers = 0;
  readonly peaks: Peaks = {
    residentBytes: 0,
    tableBytes: 0,
    mapEntries: 0,
    amaps: 0,
    processes: 0,
    usedPages: 0,
    fixedPages: 0,
  };
  readonly #machine: Machine;
  readonly #unwatch: () => void;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#unwatch = machine.events.watch((name, _map, _va, type, access) =>
      this.#event(name, type, access),
    );
  }

  /** Stops listening. */
  close(): void {
    this.#unwatch();
  }

  #event(name: EventName, type: number, access: number): void {
    switch (name) {
      case 'uvm.fault':
        if (type >= VM_FAULT_WIRE) {
          this.wireFaults++;
          return;
        }
        if (type === VM_FAULT_PROTECT) this.protectFaults++;
        if ((access & VM_PROT_WRITE) !== 0) this.writeFaults++;
        else if ((access & VM_PROT_EXECUTE) !== 0) this.fetchFaults++;
        else this.readFaults++;
        return;
      case 'tlb.shootdown':
        this.shootdowns++;
        return;
      case 'pmap.steal':
        this.steals++;
        return;
      case 'io.start':
        this.transfers++;
        return;
      case 'page.alloc':
        this.#samplePages();
        return;
      default:
    }
  }

  #samplePages(): void {
    const { exp, pages } = this.#machine.uvm;
    const { peaks } = this;
    const fixed = pages.tablePages + pages.kernelPages + exp.wired;
    peaks.fixedPages = Math.max(peaks.fixedPages, fixed);
    peaks.usedPages = Math.max(peaks.usedPages, exp.npages - exp.free);
  }

  /** Looks at how much there is now. Called before anything takes some of it away. */
  sample(): void {
    const { uvm, memory, processes } = this.#machine;
    const { pmap } = uvm;
    let resident = 0;
    let tables = 0;
    let entries = 0;
    let alive = 0;
    for (const { state, space } of processes.values()) {
      if (state !== 'running') continue;
      alive++;
      resident += pmap.residentCount(space.pmap);
      tables += pmap.tableBytes(space.pmap);
      entries += space.map.nentries;
    }
    this.#samplePages();
    const { peaks } = this;
    peaks.residentBytes = Math.max(peaks.residentBytes, resident * memory.pageSize);
    peaks.tableBytes = Math.max(peaks.tableBytes, tables);
    peaks.mapEntries = Math.max(peaks.mapEntries, entries);
    peaks.amaps = Math.max(peaks.amaps, uvm.amaps.size);
    peaks.processes = Math.max(peaks.processes, alive);
  }
}
