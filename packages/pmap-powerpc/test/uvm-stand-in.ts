import {
  ACCESS_USER,
  FAULT,
  NO_PA,
  PMAP_CANFAIL,
  PMAP_WIRED,
  TRAP_SETTLED,
  VM_PROT_READ,
  VM_PROT_WRITE,
  bootBare,
  type BareMachine,
  type BareOptions,
  type Port,
} from '@uvmkit/pmap';

/** How often one access may be tried again before the test gives up. */
const RETRIES = 8;

/**
 * The access as a CPU makes it: translated, and tried again while the pmap settles its faults.
 *
 * @returns the physical address, or FAULT if the fault is UVM's; how often the pmap settled is counted in `settled`
 */
export function touch(machine: BareMachine, va: number, access: number, cpu = 0): number {
  const { md } = machine;
  for (let tries = 0; tries < RETRIES; tries++) {
    const pa = md.mmus[cpu]!.translate(va, access);
    if (pa !== FAULT) return pa;
    if (md.trap(cpu) !== TRAP_SETTLED) return FAULT;
  }
  throw new Error(`access to 0x${va.toString(16)} is settled again and again`);
}

interface Mapping {
  readonly pa: number;
  prot: number;
  wired: boolean;
}

export type Step =
  | { op: 'enter'; map: number; va: number; page: number; prot: number; flags: number }
  | { op: 'remove'; map: number; from: number; to: number }
  | { op: 'forget'; map: number; from: number; to: number }
  | { op: 'protect'; map: number; from: number; to: number; prot: number }
  | { op: 'pageProtect'; page: number; prot: number }
  | { op: 'unwire'; map: number; va: number }
  | { op: 'clearModify'; page: number }
  | { op: 'clearReference'; page: number }
  | { op: 'touch'; map: number; va: number; store: boolean };

export interface StandInOptions {
  readonly addresses: readonly number[];
  readonly pages: number;
  readonly maps: number;
  readonly bare?: BareOptions;
  /** The port's clearReference takes mappings away, and its stores may ask for an enter. */
  readonly emulates: boolean;
}

/**
 * What UVM asks of a pmap, with a plain model of what must come of it. Every step checks
 * translations, rights, counts, wiring and the modified bit against the model.
 */
export class StandIn {
  readonly machine: BareMachine;
  readonly maps: number[] = [];
  readonly pages: number[] = [];
  readonly #addresses: readonly number[];
  readonly #emulates: boolean;
  readonly #mappings: Map<number, Mapping>[] = [];
  readonly #modified = new Set<number>();

  constructor(port: Port, options: StandInOptions) {
    this.machine = bootBare(port, options.bare ?? {});
    this.#addresses = options.addresses;
    this.#emulates = options.emulates;
    for (let map = 0; map < options.maps; map++) {
      this.maps.push(this.machine.md.pmap.create());
      this.#mappings.push(new Map());
    }
    for (let page = 0; page < options.pages; page++) this.pages.push(this.machine.takePage());
  }

  /** Mappings that exist, over all maps. */
  get mapped(): number {
    return this.#mappings.reduce((sum, map) => sum + map.size, 0);
  }

  run(step: Step): void {
    const { pmap } = this.machine.md;
    switch (step.op) {
      case 'enter':
        this.#enter(
          step.map,
          this.#addresses[step.va]!,
          this.pages[step.page]!,
          step.prot,
          step.flags,
        );
        break;
      case 'remove': {
        const [start, end] = this.#range(step.from, step.to);
        pmap.remove(this.maps[step.map]!, start, end);
        for (const va of this.#mappings[step.map]!.keys())
          if (va >= start && va < end) this.#mappings[step.map]!.delete(va);
        pmap.update(this.maps[step.map]!);
        break;
      }
      case 'forget': {
        const [start, end] = this.#range(step.from, step.to);
        const mine = this.#mappings[step.map]!;
        const due = [...mine].filter(([va, { wired }]) => va >= start && va < end && !wired);
        this.#same('forget', pmap.forget(this.maps[step.map]!, start, end), due.length);
        for (const [va] of due) mine.delete(va);
        pmap.update(this.maps[step.map]!);
        break;
      }
      case 'protect': {
        const [start, end] = this.#range(step.from, step.to);
        pmap.protect(this.maps[step.map]!, start, end, step.prot);
        pmap.update(this.maps[step.map]!);
        for (const [va, mapping] of this.#mappings[step.map]!)
          if (va >= start && va < end)
            this.#lower(this.#mappings[step.map]!, va, mapping, step.prot);
        break;
      }
      case 'pageProtect':
        pmap.pageProtect(this.pages[step.page]!, step.prot);
        for (const map of this.#mappings)
          for (const [va, mapping] of map)
            if (mapping.pa === this.pages[step.page]) this.#lower(map, va, mapping, step.prot);
        break;
      case 'unwire': {
        const mapping = this.#mappings[step.map]!.get(this.#addresses[step.va]!);
        pmap.unwire(this.maps[step.map]!, this.#addresses[step.va]!);
        if (mapping !== undefined) mapping.wired = false;
        break;
      }
      case 'clearModify': {
        const pa = this.pages[step.page]!;
        this.#same('clearModify', pmap.clearModify(pa), this.#modified.delete(pa));
        break;
      }
      case 'clearReference': {
        const pa = this.pages[step.page]!;
        pmap.clearReference(pa);
        this.#same('isReferenced after clearReference', pmap.isReferenced(pa), false);
        if (!this.#emulates) break;
        for (const map of this.#mappings)
          for (const [va, mapping] of map) if (mapping.pa === pa) map.delete(va);
        break;
      }
      case 'touch':
        this.#touch(step.map, this.#addresses[step.va]!, step.store);
        break;
    }
    this.#verify();
  }

  #range(from: number, to: number): [number, number] {
    const start = this.#addresses[Math.min(from, to)]!;
    const end = this.#addresses[Math.max(from, to)]! + this.machine.memory.pageSize;
    return [start, end];
  }

  #enter(map: number, va: number, pa: number, prot: number, flags: number): void {
    const { pmap } = this.machine.md;
    const error = pmap.enter(this.maps[map]!, va, pa, prot, flags | PMAP_CANFAIL);
    pmap.update(this.maps[map]!);
    const wired = (flags & PMAP_WIRED) !== 0;
    if (error !== 0) {
      // Nothing, or still the old mapping.
      if (pmap.extract(this.maps[map]!, va) === NO_PA) this.#mappings[map]!.delete(va);
      return;
    }
    this.#mappings[map]!.set(va, { pa, prot, wired });
    // A port whose stores are emulated must seed what the flags name; hardware need not.
    if (this.#emulates ? (flags & VM_PROT_WRITE) !== 0 : wired && (flags & VM_PROT_WRITE) !== 0)
      this.#modified.add(pa);
    if (this.#emulates && wired && (prot & VM_PROT_WRITE) !== 0) this.#modified.add(pa);
    const access = flags & (VM_PROT_READ | VM_PROT_WRITE);
    if (access === 0) return;
    pmap.activate(this.maps[map]!);
    this.#same('the access named in enter', touch(this.machine, va, access | ACCESS_USER), pa);
    if ((access & VM_PROT_WRITE) !== 0) this.#modified.add(pa);
  }

  #lower(map: Map<number, Mapping>, va: number, mapping: Mapping, prot: number): void {
    if ((prot & ~VM_PROT_WRITE) === 0 && (prot & VM_PROT_WRITE) === 0) map.delete(va);
    else mapping.prot &= prot | VM_PROT_READ;
  }

  #touch(map: number, va: number, store: boolean): void {
    const { pmap } = this.machine.md;
    const mapping = this.#mappings[map]!.get(va);
    const access = (store ? VM_PROT_WRITE : VM_PROT_READ) | ACCESS_USER;
    pmap.activate(this.maps[map]!);
    const allowed = mapping !== undefined && (!store || (mapping.prot & VM_PROT_WRITE) !== 0);
    let pa = touch(this.machine, va, access);
    if (allowed && pa === FAULT && this.#emulates) {
      // As uvm_fault would: the mapping again, with the access that failed.
      const flags = (access & 7) | (mapping.wired ? PMAP_WIRED : 0);
      this.#enter(map, va, mapping.pa, mapping.prot, flags);
      pa = touch(this.machine, va, access);
    }
    this.#same(
      `${store ? 'store' : 'load'} at 0x${va.toString(16)}`,
      pa,
      allowed ? mapping.pa : FAULT,
    );
    if (!allowed || !store) return;
    this.#modified.add(pa);
  }

  #verify(): void {
    const { pmap } = this.machine.md;
    for (const [map, mappings] of this.#mappings.entries()) {
      const handle = this.maps[map]!;
      let wired = 0;
      for (const va of this.#addresses) {
        const mapping = mappings.get(va);
        if (mapping?.wired === true) wired++;
        this.#same(`extract 0x${va.toString(16)}`, pmap.extract(handle, va), mapping?.pa ?? NO_PA);
      }
      this.#same('residentCount', pmap.residentCount(handle), mappings.size);
      this.#same('wiredCount', pmap.wiredCount(handle), wired);
    }
    for (const pa of this.pages)
      this.#same(`isModified 0x${pa.toString(16)}`, pmap.isModified(pa), this.#modified.has(pa));
  }

  #same(what: string, got: unknown, wanted: unknown): void {
    if (got !== wanted) throw new Error(`${what}: ${String(got)}, wanted ${String(wanted)}`);
  }
}
