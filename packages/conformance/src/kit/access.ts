import {
  ACCESS_USER,
  ACCESS_USERSPACE,
  type Access,
  FAULT,
  KernelPanic,
  NO_PA,
  type Pa,
  PMAP_WIRED,
  type Prot,
  protName,
  TRAP_BAD_ADDRESS,
  TRAP_FAULT,
  TRAP_SETTLED,
  type TrapOutcome,
  type Va,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import type { Breach } from './case.ts';
import type { IdealMapping } from './ideal.ts';
import type { Model } from './model.ts';
import { code, KERNEL } from './stage.ts';

/** How often a pmap may settle faults of one access before it is taken for a livelock. */
const MOST_TRAPS = 16;

/** Where in a page the kit loads and stores: a word that is not at its edges. */
const WORD = 0x128;

/**
 * Accesses through a CPU's MMU, held against the ideal: what is reached, what is refused, what the word there is,
 * and what the trap says of it.
 */
export class AccessJudge {
  readonly #model: Model;
  #tag = 0;
  /** Whether the last trap has told of its fault, in place of a panic. */
  #told = true;

  constructor(model: Model) {
    this.#model = model;
  }

  /** In which mode a map's addresses are used. */
  modeOf(map: number): Access {
    return map === KERNEL ? 0 : ACCESS_USER;
  }

  /** An access by the current CPU, which runs the map. */
  judge(map: number, va: Va, access: Access): void {
    const model = this.#model;
    const rights = access & VM_PROT_ALL;
    const mapping = model.mapping(map, va);
    const what = this.#name(map, va, access);
    const most = mapping?.most ?? 0;
    this.#note(va, access);
    let pa = this.reach(va + WORD, access, what);
    if (pa === FAULT) {
      if (this.#told) this.#judgeFault(what, map, va, rights);
      // A load of an instruction that stores too may have been made before the store was refused.
      if ((rights & most) !== 0) model.pages[mapping!.page]!.used = true;
      if (mapping === undefined || (rights & ~mapping.least) !== 0) {
        model.stage.unnote();
        return;
      }
      if (!this.#resolve(what, map, va, mapping, rights)) return;
      this.#note(va, access);
      pa = this.reach(va + WORD, access, what);
      if (pa === FAULT)
        throw this.#wrong(`${what}, entered again for it`, 'to be reached', 'a fault');
    }
    if (mapping === undefined) throw this.#wrong(what, 'a fault: nothing is mapped', this.#at(pa));
    if ((rights & ~most) !== 0)
      throw this.#wrong(what, `a fault: the mapping is ${protName(mapping.most)}`, this.#at(pa));
    this.#reached(what, mapping, va, pa, rights);
  }

  /** The access that an enter has just named: it must be reached with nothing in between. */
  named(map: number, va: Va, rights: Prot): void {
    const mapping = this.#model.mapping(map, va)!;
    const access = rights | this.modeOf(map);
    const what = `${this.#name(map, va, access)}, named in the enter just made,`;
    this.#note(va, access);
    const pa = this.reach(va + WORD, access, what);
    if (pa === FAULT) throw this.#wrong(what, 'to be reached', 'a fault for UVM');
    this.#reached(what, mapping, va, pa, rights);
  }

  /** The physical address, or FAULT if the fault is not the pmap's to settle. */
  reach(va: Va, access: Access, what: string): Pa {
    const { md } = this.#model.stage;
    const cpu = md.currentCpu;
    const mmu = md.mmus[cpu]!;
    for (let traps = 0; traps < MOST_TRAPS; traps++) {
      const pa = mmu.translate(va, access);
      if (pa !== FAULT) return pa;
      const outcome = this.#trap(cpu, access);
      if (outcome === TRAP_FAULT || outcome === TRAP_BAD_ADDRESS) return FAULT;
      if (outcome !== TRAP_SETTLED)
        throw this.#wrong(`trap of ${what}`, 'one of the three outcomes', `${outcome}`);
    }
    throw this.#wrong(what, 'an end', `${MOST_TRAPS} faults that trap says it has settled`);
  }

  #trap(cpu: number, access: Access): TrapOutcome {
    const { md } = this.#model.stage;
    try {
      this.#told = true;
      return md.trap(cpu);
    } catch (error) {
      // A kernel that goes where nothing is stops, and some ports know that without asking UVM.
      const kernels = (access & (ACCESS_USER | ACCESS_USERSPACE)) === 0;
      if (!kernels || !(error instanceof KernelPanic)) throw error;
      this.#told = false;
      return TRAP_FAULT;
    }
  }

  #judgeFault(what: string, map: number, va: Va, rights: Prot): void {
    const { fault } = this.#model.stage.md;
    const told = `the fault of ${what}`;
    if (fault.va !== va + WORD && fault.va !== va)
      throw this.#wrong(told, `at ${code(va + WORD)}`, `at ${code(fault.va)}`);
    if (fault.kernel !== (map === KERNEL))
      throw this.#wrong(told, `kernel: ${map === KERNEL}`, `kernel: ${fault.kernel}`);
    // A fetch that cannot be told from a load is a load.
    const possible = rights | (rights & VM_PROT_EXECUTE ? VM_PROT_READ : 0);
    const single = [VM_PROT_READ, VM_PROT_WRITE, VM_PROT_EXECUTE].includes(fault.access);
    if (!single || (fault.access & ~possible) !== 0)
      throw this.#wrong(told, `for ${protName(rights)}`, `for ${protName(fault.access)}`);
  }

  /**
   * A fault within the mapping's rights: may the port have it? If so UVM's answer to it, the same enter with
   * the access that faulted.
   *
   * @returns whether the access is to be tried again
   */
  #resolve(what: string, map: number, va: Va, mapping: IdealMapping, rights: Prot): boolean {
    const model = this.#model;
    const { referenced, modified } = model.port.capabilities;
    const emulates = referenced === 'software' || modified === 'software';
    if (mapping.wired && !(emulates && mapping.watched))
      throw this.#wrong(what, 'to be reached: it is wired', 'a fault for UVM');
    if (model.observer.present(map, va) && !emulates)
      throw this.#wrong(
        what,
        'to be reached: the mapping is there and allows it',
        'a fault for UVM',
      );
    return model.refault(map, va, mapping, rights | (mapping.wired ? PMAP_WIRED : 0));
  }

  #reached(what: string, mapping: IdealMapping, va: Va, pa: Pa, rights: Prot): void {
    const page = this.#model.pages[mapping.page]!;
    if (pa !== page.pa + WORD) throw this.#wrong(what, this.#at(page.pa + WORD), this.#at(pa));
    if (!mapping.kenter) page.used = true;
    if ((rights & VM_PROT_READ) !== 0) {
      const found = this.#load(va + WORD, pa);
      if (found !== page.content)
        throw this.#wrong(`what ${what} finds`, `${page.content}`, `${found}`);
    }
    if ((rights & VM_PROT_WRITE) === 0) return;
    this.#store(va + WORD, pa, ++this.#tag);
    page.content = this.#tag;
    if (!mapping.kenter) page.modified = 'yes';
  }

  #load(va: Va, pa: Pa): number {
    const { md, machine } = this.#model.stage;
    const { dataCache } = md.mmus[md.currentCpu]!;
    if (dataCache !== null) return dataCache.load(va, pa, 4);
    return md.port.layout.littleEndian ? machine.memory.readLe32(pa) : machine.memory.readBe32(pa);
  }

  #store(va: Va, pa: Pa, value: number): void {
    const { md, machine } = this.#model.stage;
    const { dataCache } = md.mmus[md.currentCpu]!;
    if (dataCache !== null) dataCache.store(va, pa, 4, value);
    else if (md.port.layout.littleEndian) machine.memory.writeLe32(pa, value);
    else machine.memory.writeBe32(pa, value);
  }

  #note(va: Va, access: Access): void {
    const { stage } = this.#model;
    stage.note(
      () =>
        `access(${stage.md.currentCpu}, ${code(va + WORD)}, ${access}); // ${protName(access)}${access & ACCESS_USER ? ' by a user' : ''}`,
    );
  }

  #name(map: number, va: Va, access: Access): string {
    const { stage } = this.#model;
    const kinds = [
      access & VM_PROT_READ ? 'load' : '',
      access & VM_PROT_WRITE ? 'store' : '',
      access & VM_PROT_EXECUTE ? 'fetch' : '',
    ].filter((kind) => kind !== '');
    return `${kinds.join(' and ')} by CPU ${stage.md.currentCpu} at ${code(va + WORD)} of ${stage.name(map)}`;
  }

  #at(pa: Pa): string {
    const { pages } = this.#model;
    const page = pages.findIndex((each) => each.pa + WORD === pa);
    return pa === NO_PA || page < 0 ? code(pa) : `page${page} (${code(pa)})`;
  }

  #wrong(what: string, wanted: string, found: string): Breach {
    return this.#model.wrong(what, wanted, found);
  }
}
