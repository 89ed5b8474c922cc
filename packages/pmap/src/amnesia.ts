import { PMAP_KERNEL, type PmapId, type Va } from './address.ts';
import { AmnesiacPmap } from './amnesiac-pmap.ts';
import type { Access } from './prot.ts';
import { FAULT, type Mmu, type MmuStats } from './mmu.ts';
import {
  TRAP_BAD_ADDRESS,
  type Layout,
  type MachineDependent,
  type Port,
  type TrapOutcome,
} from './port.ts';

/**
 * How many pages are kept for accesses that have faulted and have not come through yet. No instruction of these
 * architectures needs more; a fault whose access is never made again (its thread has died) makes way.
 */
const MOST_KEPT = 8;

/**
 * A port whose pmaps forget at random all that they may, so that whoever relies on a mapping that is not wired is
 * found out.
 *
 * Only what has been entered since a map last forgot can be there to be forgotten, so a step costs what has happened since,
 * however much is mapped or wired.
 *
 * A *step* is an access (before it is translated), sixteen calls of the pmap (before each of them), and whatever else the owner
 * of the machine says is one. At each, with the probability given, every map forgets everything (`Pmap.forget`), the
 * kernel's too, and those that had anything to forget are updated.
 *
 * **Progress.** What a fault was taken for is kept until it has been used once. So an instruction that needs
 * several mappings at once comes through, though everything is forgotten before every access:
 *
 *     a b │ fault a          a kept
 *     a b │ a used, fault b  b kept, a may go
 *     a b │ fault a          a and b kept
 *     a b │ a used, b used   done
 *
 * At worst one of n mappings takes 2ⁿ − 1 faults.
 */
export class Amnesia {
  /** 0 … 1. */
  readonly probability: number;
  /** Steps so far at which everything was forgotten. */
  strikes = 0;
  /** Mappings forgotten so far. */
  forgotten = 0;
  private readonly draw: () => number;
  private readonly kept: Va[] = [];
  /** Maps that exist. */
  private readonly maps: Map<PmapId, Memories> = new Map([[PMAP_KERNEL, new Memories(1)]]);
  private md: MachineDependent | null = null;
  /** How many {@link undisturbed} actions are under way. */
  private calm = 0;

  /**
   * @param probability of forgetting everything, at each step
   * @param draw a number of [0, 1), another at each call
   * @throws RangeError if the probability is none
   */
  constructor(probability: number, draw: () => number) {
    if (!(probability >= 0 && probability <= 1))
      throw new RangeError(`a probability is from 0 to 1, given ${probability}`);
    this.probability = probability;
    this.draw = draw;
  }

  /** The same port, but for its memory. Serves one machine. */
  afflict(port: Port): Port {
    return {
      ...port,
      boot: (services) => {
        const healthy = port.boot(services);
        this.md = healthy;
        return new AmnesiacMachine(healthy, this);
      },
    };
  }

  /**
   * Here everything may be forgotten.
   *
   * @param part of a step that this is; a whole one if not given
   */
  step(part = 1): void {
    if (this.md !== null && this.calm === 0 && this.draw() < this.probability * part)
      this.strike(this.md);
  }

  /** Does something in the middle of a pmap's operation, where nothing may be forgotten: no step is one until it is done. */
  undisturbed<T>(action: () => T): T {
    this.calm++;
    try {
      return action();
    } finally {
      this.calm--;
    }
  }

  private strike({ pmap, port }: MachineDependent): void {
    const { pageSize } = port.layout;
    this.strikes++;
    for (const [map, { fresh }] of this.maps) {
      if (fresh.size === 0) continue;
      const pages = [...fresh].toSorted((a, b) => a - b);
      fresh.clear();
      let start = 0;
      let end = 0;
      for (const va of pages) {
        if (this.kept.includes(va)) {
          fresh.add(va);
          continue;
        }
        if (va !== end) {
          if (start < end) this.forgotten += pmap.forget(map, start, end);
          start = va;
        }
        end = va + pageSize;
      }
      if (start < end) this.forgotten += pmap.forget(map, start, end);
      pmap.update(map);
    }
  }

  /** There may be a mapping at `va` that is not wired, and was not there, or was wired. */
  remember(map: PmapId, va: Va): void {
    this.maps.get(map)?.fresh.add(va);
  }

  /** An access has faulted at `va`, and is to be made again. */
  keep(va: Va, { pageSize }: Layout): void {
    const page = Math.floor(va / pageSize) * pageSize;
    if (this.kept.includes(page)) return;
    if (this.kept.length === MOST_KEPT) this.kept.shift();
    this.kept.push(page);
  }

  /** An access at `va` has come through. */
  release(va: Va, { pageSize }: Layout): void {
    const at = this.kept.indexOf(Math.floor(va / pageSize) * pageSize);
    if (at >= 0) this.kept.splice(at, 1);
  }

  /** Whether an access has faulted and not come through yet. */
  get keeps(): boolean {
    return this.kept.length > 0;
  }

  /** References to a map have come, or gone. */
  count(map: PmapId, by: number): void {
    const memories = this.maps.get(map) ?? new Memories(0);
    memories.references += by;
    if (memories.references === 0) this.maps.delete(map);
    else this.maps.set(map, memories);
  }
}

/** What a map may have to forget. */
class Memories {
  /** To the map. */
  references: number;
  /** Pages entered, or unwired, since it forgot everything. */
  readonly fresh: Set<Va> = new Set();

  constructor(references: number) {
    this.references = references;
  }
}

/** A booted port with the steps of its {@link Amnesia}. */
class AmnesiacMachine implements MachineDependent {
  readonly port: Port;
  readonly pmap: AmnesiacPmap;
  readonly mmus: readonly Mmu[];
  readonly fault: MachineDependent['fault'];
  readonly syncForDevice?: NonNullable<MachineDependent['syncForDevice']>;
  readonly #healthy: MachineDependent;
  readonly #amnesia: Amnesia;

  constructor(healthy: MachineDependent, amnesia: Amnesia) {
    this.#healthy = healthy;
    this.#amnesia = amnesia;
    this.port = healthy.port;
    this.pmap = new AmnesiacPmap(healthy.pmap, amnesia, healthy.port.layout.pageSize);
    this.mmus = healthy.mmus.map((mmu) => new AmnesiacMmu(mmu, amnesia, healthy.port.layout));
    this.fault = healthy.fault;
    if (healthy.syncForDevice !== undefined)
      this.syncForDevice = (pa, length) => healthy.syncForDevice!(pa, length);
  }

  get currentCpu(): number {
    return this.#healthy.currentCpu;
  }

  set currentCpu(cpu: number) {
    this.#healthy.currentCpu = cpu;
  }

  trap(cpu: number): TrapOutcome {
    const outcome = this.#healthy.trap(cpu);
    if (outcome !== TRAP_BAD_ADDRESS) this.#amnesia.keep(this.fault.va, this.port.layout);
    return outcome;
  }
}

/** An MMU whose every access is a step. */
class AmnesiacMmu implements Mmu {
  readonly cpu: number;
  readonly dataCache: Mmu['dataCache'];
  readonly #healthy: Mmu;
  readonly #amnesia: Amnesia;
  readonly #layout: Layout;

  constructor(healthy: Mmu, amnesia: Amnesia, layout: Layout) {
    this.cpu = healthy.cpu;
    this.dataCache = healthy.dataCache;
    this.#healthy = healthy;
    this.#amnesia = amnesia;
    this.#layout = layout;
  }

  translate(va: Va, access: Access): number {
    this.#amnesia.step();
    const pa = this.#healthy.translate(va, access);
    if (pa !== FAULT && this.#amnesia.keeps) this.#amnesia.release(va, this.#layout);
    return pa;
  }

  get stats(): MmuStats {
    return this.#healthy.stats;
  }

  flushAll(): void {
    this.#healthy.flushAll();
  }

  registers(): Readonly<Record<string, number>> {
    return this.#healthy.registers();
  }

  describeFault(): string {
    return this.#healthy.describeFault();
  }
}
