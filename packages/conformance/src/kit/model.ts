import {
  ENOMEM,
  type EnterFlags,
  errnoName,
  NO_PA,
  type Pa,
  PMAP_CANFAIL,
  PMAP_WIRED,
  type Port,
  type Prot,
  protName,
  type Va,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { AccessJudge } from './access.ts';
import type { Aspect, Breach } from './case.ts';
import { ceiling, IdealMap, type IdealMapping, type IdealPage } from './ideal.ts';
import { Observer } from './observer.ts';
import { code, KERNEL, PAGES, Stage, type StageOptions } from './stage.ts';

/** What a model may be told. */
export interface ModelOptions extends StageOptions {
  /** Aspects that are not judged. */
  readonly excused?: ReadonlySet<Aspect>;
  /** Whether something may run out: ENOMEM is then no breach, nor is a mapping that went without a reason. */
  readonly scarce?: boolean;
  /** Whether a mapping that is not wired may go only where the caller asked for it, or where something ran out. */
  readonly retentive?: boolean;
}

/** An address of a map. */
export type Place = readonly [map: number, va: Va];

/** Which kinds of access are tried after a command, and whether the pages' bits are asked for. */
export const LOOK_LOAD = 1;
export const LOOK_STORE = 2;
export const LOOK_FETCH = 4;
export const LOOK_BITS = 8;
/** Whether the access named in an enter is tried at once. */
export const LOOK_NAMED = 16;

/** Places looked at after a command. */
const MOST_PLACES = 4;

/**
 * A port beside an ideal pmap: maps that are maps, with no hardware in them. Every method makes one call of the
 * contract on both, and then holds against each other what can be asked of the port and what its CPUs can reach.
 *
 *     method ──▶ Pmap call ──▶ ideal map ──▶ counts, extract ──▶ accesses by every CPU that runs the map
 *
 * What the ideal does not know it lets the port choose, and remembers: a mapping that is not wired may have been
 * forgotten, a page entered for a store may have been marked modified.
 */
export class Model {
  readonly stage: Stage;
  readonly port: Port;
  readonly kernel: IdealMap;
  readonly maps: (IdealMap | null)[] = [];
  readonly pages: readonly IdealPage[];
  /** By CPU, the index of the user map it runs, or null. */
  readonly running: (number | null)[];
  /** The kinds of access tried after each command. */
  look: number = LOOK_LOAD | LOOK_BITS | LOOK_NAMED;
  /** Whether `update` follows each call by itself, where the port defers. */
  updates = true;
  readonly excused: ReadonlySet<Aspect>;
  readonly scarce: boolean;
  readonly observer: Observer;
  readonly #accesses: AccessJudge;
  /** Maps with effects that may not be visible yet. */
  readonly #pending: Set<number> = new Set();

  constructor(port: Port, options: ModelOptions = {}) {
    this.port = port;
    this.excused = options.excused ?? new Set();
    this.scarce = options.scarce ?? false;
    this.observer = new Observer(this, options.retentive ?? false);
    const stage = new Stage(port, options);
    this.stage = stage;
    this.kernel = this.#emptyMap(KERNEL);
    for (const map of stage.maps.keys()) this.maps.push(this.#emptyMap(map));
    this.pages = stage.pages.map((pa, page) => ({
      pa,
      managed: page < PAGES,
      modified: 'no',
      used: false,
      content: 0,
    }));
    this.running = Array.from({ length: stage.cpus }, () => null);
    this.#accesses = new AccessJudge(this);
    stage.machine.events.watch((name) => {
      if (name === 'pmap.steal') this.observer.forgets = true;
    });
  }

  /** The ideal of a live map. */
  ideal(map: number): IdealMap {
    return map === KERNEL ? this.kernel : this.maps[map]!;
  }

  /** The mapping at an address of the kernel or of a user map. */
  mapping(map: number, va: Va): IdealMapping | undefined {
    return this.ideal(map).mappings.get(va);
  }

  isLive(map: number): boolean {
    return map === KERNEL || this.maps[map] !== null;
  }

  /** Lets a CPU make what comes next. */
  on(cpu: number): this {
    if (this.stage.md.currentCpu !== cpu) {
      this.stage.note(() => `md.currentCpu = ${cpu};`);
      this.stage.md.currentCpu = cpu;
    }
    return this;
  }

  get cpu(): number {
    return this.stage.md.currentCpu;
  }

  /** The current CPU leaves the map it runs and runs this one. */
  activate(map: number): void {
    this.deactivate();
    this.stage.note(() => `pmap.activate(${this.stage.name(map)});`);
    this.stage.pmap.activate(this.stage.id(map));
    this.running[this.cpu] = map;
    this.#done([]);
  }

  /** The current CPU leaves the map it runs. */
  deactivate(): void {
    const map = this.running[this.cpu] ?? null;
    if (map === null) return;
    this.stage.note(() => `pmap.deactivate(${this.stage.name(map)});`);
    this.stage.pmap.deactivate(this.stage.id(map));
    this.running[this.cpu] = null;
  }

  /**
   * Enters a mapping and, where the current CPU runs the map, tries the access that the flags name.
   *
   * @param flags `PMAP_WIRED`, `PMAP_CANFAIL` and access bits of `prot`
   * @returns whether it was not refused
   */
  enter(map: number, va: Va, page: number, prot: Prot, flags: EnterFlags): boolean {
    const { stage } = this;
    const target = this.pages[page]!;
    const { mappings } = this.ideal(map);
    const old = mappings.get(va);
    stage.note(
      () =>
        `pmap.enter(${stage.name(map)}, ${code(va)}, page${page}, ${prot}, 0x${flags.toString(16)}); // ${protName(prot)}, for ${protName(flags)}${flags & PMAP_WIRED ? ', wired' : ''}`,
    );
    const error = stage.pmap.enter(stage.id(map), va, target.pa, prot, flags);
    if (error !== 0) {
      if (error !== ENOMEM || (flags & PMAP_CANFAIL) === 0 || !this.scarce)
        throw this.wrong('pmap.enter', this.scarce ? '0 or ENOMEM' : '0', errnoName(error));
      const left = stage.pmap.extract(stage.id(map), va);
      if (left === NO_PA) mappings.delete(va);
      else if (old === undefined) throw this.wrong('a mapping after ENOMEM', 'none', code(left));
      this.#done([]);
      return false;
    }
    const wired = (flags & PMAP_WIRED) !== 0;
    mappings.set(va, {
      page,
      least: prot,
      most: this.#ceiling(prot),
      wired,
      kenter: false,
      watched: false,
    });
    this.#seed(target, prot, flags);
    // It may have cost others their mappings, and says so by the mappings that are no longer there.
    this.observer.forgets ||= this.scarce;
    this.#settle([map], [map, va], flags & VM_PROT_ALL);
    this.#done([[map, va]]);
    return true;
  }

  #seed(page: IdealPage, prot: Prot, flags: EnterFlags): void {
    if (!page.managed) return;
    const wired = (flags & PMAP_WIRED) !== 0;
    const software = this.port.capabilities.modified === 'software';
    const store = (flags & VM_PROT_WRITE) !== 0;
    if ((flags & VM_PROT_ALL) !== 0 || wired) page.used = true;
    if (store && wired && software) page.modified = 'yes';
    // A wired page that may be stored to without a fault that tells has to be taken for stored to.
    const untold = wired && software && (prot & VM_PROT_WRITE) !== 0;
    if (page.modified === 'no' && (store || untold)) page.modified = 'maybe';
  }

  /**
   * What UVM does with a fault that the mapping does not explain: enters it again for the access.
   *
   * @returns whether it was not refused for a shortage
   */
  refault(map: number, va: Va, mapping: IdealMapping, flags: EnterFlags): boolean {
    const { stage } = this;
    const { pa } = this.pages[mapping.page]!;
    const all = flags | PMAP_CANFAIL;
    stage.note(
      () =>
        `pmap.enter(${stage.name(map)}, ${code(va)}, page${mapping.page}, ${mapping.least}, 0x${all.toString(16)}); // as UVM after the fault`,
    );
    const error = stage.pmap.enter(stage.id(map), va, pa, mapping.least, all);
    if (error !== 0) {
      if (error !== ENOMEM || !this.scarce) throw this.wrong('pmap.enter', '0', errnoName(error));
      if (stage.pmap.extract(stage.id(map), va) === NO_PA) this.ideal(map).mappings.delete(va);
      return false;
    }
    mapping.most = this.#ceiling(mapping.least);
    mapping.watched = false;
    this.ideal(map).mappings.set(va, mapping);
    this.#seed(this.pages[mapping.page]!, mapping.least, flags);
    this.#settle([map]);
    return true;
  }

  remove(map: number, start: Va, end: Va): void {
    const { stage } = this;
    stage.note(() => `pmap.remove(${stage.name(map)}, ${code(start)}, ${code(end)});`);
    stage.pmap.remove(stage.id(map), start, end);
    const gone = this.ideal(map).within(start, end);
    for (const [va] of gone) this.ideal(map).mappings.delete(va);
    this.#settle([map]);
    this.#done(gone.map(([va]) => [map, va]));
  }

  protect(map: number, start: Va, end: Va, prot: Prot): void {
    const { stage } = this;
    stage.note(
      () =>
        `pmap.protect(${stage.name(map)}, ${code(start)}, ${code(end)}, ${prot}); // ${protName(prot)}`,
    );
    stage.pmap.protect(stage.id(map), start, end, prot);
    const met = this.ideal(map).within(start, end);
    for (const [va, mapping] of met) {
      if ((prot & (VM_PROT_READ | VM_PROT_EXECUTE)) === 0) this.ideal(map).mappings.delete(va);
      else this.#lower(mapping, prot);
    }
    this.#settle([map]);
    this.#done(met.map(([va]) => [map, va]));
  }

  #lower(mapping: IdealMapping, prot: Prot): void {
    mapping.least &= prot;
    // Raising may be ignored. Stores that were not allowed never come so, what else there was not may.
    const readable = (mapping.most & VM_PROT_READ) !== 0;
    const kept = readable ? mapping.most | VM_PROT_EXECUTE : VM_PROT_ALL;
    mapping.most = kept & this.#ceiling(prot);
  }

  /** Unwires the mapping at `va`, which must be wired. */
  unwire(map: number, va: Va): void {
    const { stage } = this;
    stage.note(() => `pmap.unwire(${stage.name(map)}, ${code(va)});`);
    stage.pmap.unwire(stage.id(map), va);
    this.mapping(map, va)!.wired = false;
    this.#done([[map, va]]);
  }

  kenter(va: Va, page: number, prot: Prot): void {
    const { stage } = this;
    stage.note(() => `pmap.kenterPa(${code(va)}, page${page}, ${prot});`);
    stage.pmap.kenterPa(va, this.pages[page]!.pa, prot);
    this.kernel.mappings.set(va, {
      page,
      least: prot,
      most: this.#ceiling(prot),
      wired: true,
      kenter: true,
      watched: false,
    });
    // Usable at once: no update.
    this.#done([[KERNEL, va]]);
  }

  kremove(start: Va, end: Va): void {
    const { stage } = this;
    stage.note(() => `pmap.kremove(${code(start)}, ${code(end - start)});`);
    stage.pmap.kremove(start, end - start);
    const gone = this.kernel.within(start, end);
    for (const [va] of gone) this.kernel.mappings.delete(va);
    this.#settle([KERNEL]);
    this.#done(gone.map(([va]) => [KERNEL, va]));
  }

  /** The page's mappings by `enter`: map, address, mapping. */
  mappingsOf(page: number): [number, Va, IdealMapping][] {
    return [KERNEL, ...this.maps.keys()]
      .filter((map) => this.isLive(map))
      .flatMap((map) =>
        [...this.ideal(map).mappings]
          .filter(([, mapping]) => mapping.page === page && !mapping.kenter)
          .map(([va, mapping]): [number, Va, IdealMapping] => [map, va, mapping]),
      );
  }

  pageProtect(page: number, prot: Prot): void {
    const { stage } = this;
    stage.note(() => `pmap.pageProtect(page${page}, ${prot}); // ${protName(prot)}`);
    stage.pmap.pageProtect(this.pages[page]!.pa, prot);
    const met = this.mappingsOf(page);
    if ((prot & VM_PROT_WRITE) === 0)
      for (const [map, va, mapping] of met) {
        if ((prot & VM_PROT_ALL) !== 0) {
          mapping.least &= ~VM_PROT_WRITE;
          mapping.most &= ~VM_PROT_WRITE;
        } else if (!mapping.wired || this.port.capabilities.pageProtectWired === 'removes')
          this.ideal(map).mappings.delete(va);
      }
    this.#settle(met.map(([map]) => map));
    this.#done(met.map(([map, va]) => [map, va]));
  }

  clearModify(page: number): void {
    const { stage } = this;
    const target = this.pages[page]!;
    stage.note(() => `pmap.clearModify(page${page});`);
    const was = stage.pmap.clearModify(target.pa);
    if (target.modified !== 'maybe' && was !== (target.modified === 'yes'))
      throw this.wrong(`pmap.clearModify(page${page})`, `${target.modified === 'yes'}`, `${was}`);
    target.modified = 'no';
    this.#watch(page);
    this.#done(this.#placesOf(page));
  }

  clearReference(page: number): void {
    const { stage } = this;
    const target = this.pages[page]!;
    stage.note(() => `pmap.clearReference(page${page});`);
    const was = stage.pmap.clearReference(target.pa);
    if (was && !target.used)
      throw this.wrong(`pmap.clearReference(page${page})`, 'false', 'true, but it was not used');
    target.used = false;
    this.#watch(page);
    // A port may take the mappings away to see the next use.
    this.observer.forgets = true;
    if (this.port.capabilities.clearReferenceWired === 'removes')
      for (const [map, va] of this.mappingsOf(page))
        if (stage.pmap.extract(stage.id(map), va) === NO_PA) this.ideal(map).mappings.delete(va);
    this.#done(this.#placesOf(page));
  }

  #ceiling(prot: Prot): Prot {
    return ceiling(prot, this.port.capabilities);
  }

  #placesOf(page: number): Place[] {
    return this.mappingsOf(page).map(([map, va]) => [map, va]);
  }

  #watch(page: number): void {
    for (const [, , mapping] of this.mappingsOf(page)) mapping.watched = true;
  }

  /** Advises the port to copy the mappings of a range; it may, as far as the contract goes. */
  copy(dst: number, src: number, dstVa: Va, length: number, srcVa: Va): void {
    const { stage } = this;
    stage.note(
      () =>
        `pmap.copy(${stage.name(dst)}, ${stage.name(src)}, ${code(dstVa)}, ${code(length)}, ${code(srcVa)});`,
    );
    stage.pmap.copy(stage.id(dst), stage.id(src), dstVa, length, srcVa);
    const copied: Place[] = [];
    for (const [va, mapping] of this.ideal(src).within(srcVa, srcVa + length)) {
      const at = va - srcVa + dstVa;
      if (this.mapping(dst, at) !== undefined) continue;
      const pa = stage.pmap.extract(stage.id(dst), at);
      if (pa === NO_PA) continue;
      if (pa !== this.pages[mapping.page]!.pa)
        throw this.wrong('what pmap.copy copied', code(this.pages[mapping.page]!.pa), code(pa));
      const { page, most } = mapping;
      this.ideal(dst).mappings.set(at, {
        page,
        least: 0,
        most,
        wired: false,
        kenter: false,
        watched: false,
      });
      copied.push([dst, at]);
    }
    this.#settle([dst]);
    this.#done(copied);
  }

  collect(map: number): void {
    this.stage.note(() => `pmap.collect(${this.stage.name(map)});`);
    this.stage.pmap.collect(this.stage.id(map));
    this.observer.forgets = true;
    this.#settle([map]);
    this.#done([...this.ideal(map).mappings.keys()].map((va) => [map, va]));
  }

  /** Lets the port forget a range: what is not wired is gone, and it says how much that was. */
  forget(map: number, start: Va, end: Va): void {
    const { stage } = this;
    stage.note(() => `pmap.forget(${stage.name(map)}, ${code(start)}, ${code(end)});`);
    const forgotten = stage.pmap.forget(stage.id(map), start, end);
    const gone = this.ideal(map)
      .within(start, end)
      .filter(([va, { wired, page }]) => {
        // Of the kernel's map it may keep what is not managed.
        const may = map === KERNEL && !this.pages[page]!.managed;
        return !wired && !(may && stage.pmap.extract(stage.id(map), va) !== NO_PA);
      });
    for (const [va] of gone) this.ideal(map).mappings.delete(va);
    if (forgotten !== gone.length)
      throw this.wrong(`pmap.forget(${stage.name(map)}, …)`, `${gone.length}`, `${forgotten}`);
    this.#settle([map]);
    this.#done(gone.map(([va]) => [map, va]));
  }

  update(map: number): void {
    this.stage.note(() => `pmap.update(${this.stage.name(map)});`);
    this.stage.pmap.update(this.stage.id(map));
    this.#pending.delete(map);
    this.#done([...this.ideal(map).mappings.keys()].map((va) => [map, va]));
  }

  zeroPage(page: number): void {
    this.stage.note(() => `pmap.zeroPage(page${page});`);
    this.stage.pmap.zeroPage(this.pages[page]!.pa);
    this.pages[page]!.content = 0;
    this.#done(this.#placesOf(page));
  }

  copyPage(src: number, dst: number): void {
    this.stage.note(() => `pmap.copyPage(page${src}, page${dst});`);
    this.stage.pmap.copyPage(this.pages[src]!.pa, this.pages[dst]!.pa);
    this.pages[dst]!.content = this.pages[src]!.content;
    this.#done(this.#placesOf(dst));
  }

  /** Empties a map as exit does, destroys it, and makes another in its place. */
  renew(map: number): void {
    const { stage } = this;
    this.destroy(map);
    stage.note(() => `${stage.name(map)} = pmap.create();`);
    stage.maps[map] = stage.pmap.create();
    this.maps[map] = this.#emptyMap(map);
    this.#done([]);
  }

  /** Empties a map as exit does, and destroys it. */
  destroy(map: number): void {
    const { stage } = this;
    const cpu = this.cpu;
    for (const [other, running] of this.running.entries())
      if (running === map) this.on(other).deactivate();
    this.on(cpu);
    const { userMin, userMax } = this.port.layout;
    this.remove(map, userMin, userMax);
    const counts = this.observer.counts(map);
    const { resident, wired } = this.ideal(map);
    if (!this.excused.has('residentCount') && counts.resident !== resident)
      throw this.wrong('residentCount of an emptied map', `${resident}`, `${counts.resident}`);
    if (!this.excused.has('wiredCount') && counts.wired !== wired)
      throw this.wrong('wiredCount of an emptied map', `${wired}`, `${counts.wired}`);
    stage.note(() => `pmap.destroy(${stage.name(map)});`);
    stage.pmap.destroy(stage.id(map));
    this.maps[map] = null;
    this.#pending.delete(map);
  }

  /**
   * Makes an access, which must end as the ideal says.
   *
   * @param access `VM_PROT_*` bits with the mode
   */
  access(cpu: number, map: number, va: Va, access: number): void {
    const cpuBefore = this.cpu;
    this.on(cpu);
    if (map === KERNEL || this.running[cpu] === map) this.#accesses.judge(map, va, access);
    this.on(cpuBefore);
  }

  /**
   * Makes an access by the current CPU that the ideal knows nothing of.
   *
   * @returns the physical address, or FAULT if the fault is not the pmap's to settle
   */
  reach(va: Va, access: number): Pa {
    return this.#accesses.reach(va, access, `the access at ${code(va)}`);
  }

  /** Everything at once: counts, every address by every CPU, the bits. For the end of a sequence. */
  sweep(): void {
    for (const map of [KERNEL, ...this.maps.keys()]) if (this.isLive(map)) this.#flush(map);
    this.observer.observe();
    const places = (map: number, vas: readonly Va[]): Place[] => vas.map((va) => [map, va]);
    const { userSpots, kernelSpots, kenterSpots } = this.stage;
    const kernel = places(KERNEL, [...kernelSpots, ...kenterSpots]);
    for (let cpu = 0; cpu < this.stage.cpus; cpu++) {
      for (const map of this.maps.keys()) {
        if (!this.isLive(map)) continue;
        this.on(cpu).activate(map);
        this.#lookAt(LOOK_LOAD | LOOK_FETCH, places(map, userSpots), cpu);
        this.#lookAt(LOOK_STORE, places(map, userSpots), cpu);
      }
      this.#lookAt(LOOK_LOAD | LOOK_STORE, kernel, cpu);
    }
    this.observer.bits();
  }

  /** A breach seen here. */
  wrong(what: string, wanted: string, found: string): Breach {
    return this.stage.breach(what, wanted, found);
  }

  #emptyMap(map: number): IdealMap {
    const { resident, wired, tables } = this.observer.counts(map);
    return new IdealMap(resident, wired, tables);
  }

  /** Effects on these maps may not be visible yet; makes them so, unless the caller does that. */
  #settle(maps: readonly number[], entered: Place | null = null, access: Prot = 0): void {
    if (this.port.capabilities.deferred) for (const map of maps) this.#pending.add(map);
    if (this.updates) for (const map of maps) this.#flush(map);
    // Until then the CPU may use what was mapped before.
    const [map] = entered ?? [KERNEL];
    if (entered === null || this.#pending.has(map) || (this.look & LOOK_NAMED) === 0) return;
    const runs = map === KERNEL || this.running[this.cpu] === map;
    if (runs && access !== 0) this.#accesses.named(map, entered[1], access);
  }

  #flush(map: number): void {
    if (!this.#pending.delete(map)) return;
    this.stage.note(() => `pmap.update(${this.stage.name(map)});`);
    this.stage.pmap.update(this.stage.id(map));
  }

  /** After a call: everything that can be asked, and what CPUs reach at the places that it was about. */
  #done(places: readonly Place[]): void {
    this.observer.observe();
    this.observer.forgets = false;
    const focus = places.slice(0, MOST_PLACES);
    for (let cpu = 0; cpu < this.stage.cpus; cpu++) this.#lookAt(this.look, focus, cpu);
    if ((this.look & LOOK_BITS) !== 0) this.observer.bits();
  }

  #lookAt(look: number, places: readonly Place[], cpu: number): void {
    for (const [map, va] of places) {
      if (!this.isLive(map) || this.#pending.has(map)) continue;
      const mode = this.#accesses.modeOf(map);
      if ((look & LOOK_LOAD) !== 0) this.access(cpu, map, va, VM_PROT_READ | mode);
      if ((look & LOOK_FETCH) !== 0) this.access(cpu, map, va, VM_PROT_EXECUTE | mode);
      if ((look & LOOK_STORE) !== 0) this.access(cpu, map, va, VM_PROT_WRITE | mode);
    }
  }
}
