import {
  type EventName,
  type Pa,
  type PmapId,
  PMAP_KERNEL,
  type Prot,
  type Va,
  VM_PROT_READ,
} from '@uvmkit/pmap';
import type { Machine } from '@uvmkit/machine';
import { mapLookup, type VmMap, VM_FAULT_WIRE } from '@uvmkit/uvm-core';

/** What a wiring policy costs over a stretch of a machine's life. Counts unless their names say otherwise. */
export interface Costs {
  /** Pages that faults copied, those that locking simulates among them. */
  readonly copies: number;
  /** Faults that programs took. */
  readonly faults: number;
  /** Of those, the ones on memory that the program had locked. */
  readonly lockedFaults: number;
  /** Of those, the ones that brought a mapping back as it had been: it was taken away for somebody else's sake. */
  readonly bystanderFaults: number;
  /** Faults that locking the memory of programs simulated. */
  readonly simulated: number;
  /** The most bytes of the policy's own bookkeeping (back references, ledgers). */
  readonly bytes: number;
  /** Virtual ns. */
  readonly time: number;
}

/** A mapping as it was entered. */
interface Entered {
  readonly pa: Pa;
  readonly prot: Prot;
}

/** A fault that is being resolved. */
interface Faulting {
  readonly map: VmMap;
  readonly simulated: boolean;
}

/** Measures what wiring costs, from a machine's events and counters. Watching changes nothing of what it watches. */
export class Meter {
  readonly #machine: Machine;
  readonly #unwatch: () => void;
  readonly #copiesBefore: number;
  readonly #timeBefore: number;
  #faults = 0;
  #lockedFaults = 0;
  #bystanderFaults = 0;
  #simulated = 0;
  #bytes = 0;
  /** The mappings of user pmaps, and those of them whose page was taken from everybody. */
  readonly #entered: Map<string, Entered> = new Map();
  readonly #taken: Map<string, Entered> = new Map();
  #faulting: Faulting | null = null;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#copiesBefore = copies(machine);
    this.#timeBefore = machine.now;
    this.#unwatch = machine.events.watch((name, a, b, c, d) => this.#event(name, a, b, c, d));
  }

  /** Stops measuring. */
  end(): Costs {
    this.#unwatch();
    return {
      copies: copies(this.#machine) - this.#copiesBefore,
      faults: this.#faults,
      lockedFaults: this.#lockedFaults,
      bystanderFaults: this.#bystanderFaults,
      simulated: this.#simulated,
      bytes: this.#bytes,
      time: this.#machine.now - this.#timeBefore,
    };
  }

  #event(name: EventName, a: number, b: number, c: number, d: number): void {
    switch (name) {
      case 'uvm.fault':
        this.#fault(a, b, c);
        return;
      case 'uvm.faultDone':
        this.#faulting = null;
        this.#weigh();
        return;
      case 'proc.syscall':
        this.#weigh();
        return;
      case 'pmap.enter':
        if (a !== PMAP_KERNEL) this.#enter(a, b, { pa: c, prot: d });
        return;
      case 'pmap.pageProtect':
        if ((b & VM_PROT_READ) === 0) this.#take(a);
        return;
      case 'page.free':
        this.#forgetPage(a);
        return;
      default:
    }
  }

  #fault(id: number, va: Va, type: number): void {
    const { uvm } = this.#machine;
    const simulated = type >= VM_FAULT_WIRE;
    const map = [...uvm.maps].find((each) => each.id === id) ?? uvm.kernelMap;
    this.#faulting = { map, simulated };
    if (map === uvm.kernelMap) return;
    if (simulated) this.#simulated++;
    else {
      this.#faults++;
      if ((mapLookup(map, va)?.wiredCount ?? 0) > 0) this.#lockedFaults++;
    }
  }

  /** A mapping is made: by a fault, perhaps as it was before its page was taken from everybody. */
  #enter(pmap: PmapId, va: Va, mapping: Entered): void {
    const place = `${pmap}:${va}`;
    const before = this.#taken.get(place);
    this.#taken.delete(place);
    this.#entered.set(place, mapping);
    const { map, simulated } = this.#faulting ?? { map: null, simulated: true };
    const again = before?.pa === mapping.pa && before.prot === mapping.prot;
    if (again && !simulated && map?.pmap === pmap) this.#bystanderFaults++;
  }

  #take(pa: Pa): void {
    for (const [place, mapping] of this.#entered)
      if (mapping.pa === pa) {
        this.#entered.delete(place);
        this.#taken.set(place, mapping);
      }
  }

  /** The frame may come back as another page. */
  #forgetPage(pa: Pa): void {
    for (const places of [this.#entered, this.#taken])
      for (const [place, mapping] of places) if (mapping.pa === pa) places.delete(place);
  }

  #weigh(): void {
    const { uvm } = this.#machine;
    this.#bytes = Math.max(this.#bytes, uvm.wiring.bytes(uvm));
  }
}

function copies({ uvm: { exp } }: Machine): number {
  return exp.flt_acow + exp.flt_prcopy;
}
