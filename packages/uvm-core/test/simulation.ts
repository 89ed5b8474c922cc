import {
  EACCES,
  EFAULT,
  EINVAL,
  ENOMEM,
  type Errno,
  errnoName,
  type Prot,
  type Va,
} from '@uvmkit/pmap';
import { MAP_ANON, MAP_FIXED, MAP_PRIVATE, MAP_SHARED } from '../src/mmap.ts';
import { MADV_DONTNEED, MADV_FREE, MS_ASYNC, MS_INVALIDATE, MS_SYNC } from '../src/mmap.ts';
import {
  CHANNEL_MEMORY,
  MAP_INHERIT_COPY,
  MAP_INHERIT_NONE,
  MAP_INHERIT_SHARE,
  type Sleeping,
  UVM_FLAG_FIXED,
  VM_FAULT_WIREMAX,
} from '../src/types.ts';
import { vnodeRead, vnodeSetSize, vnodeWrite } from '../src/vnode-io.ts';
import { Aobj } from '../src/aobj.ts';
import { uvmMap } from '../src/map.ts';
import { uvmUnmap } from '../src/map-unmap.ts';
import { Kit, type KitOptions, PAGE, R, RW, RWX, RX, W } from './kit.ts';
import {
  beyondEnd,
  Dice,
  FileModel,
  insideFile,
  type Memory,
  type PageModel,
  type ProcModel,
  promoted,
  readSpot,
  SPOTS,
  stored,
  zeroes,
} from './simulation-model.ts';
import { Strangers } from './simulation-strangers.ts';

/** What a simulation may do, besides the plain things. */
export interface SimulationOptions extends KitOptions {
  readonly seed: number;
  /** Lock memory. Then nothing is done of which the wiring problem says that it takes locked pages away. */
  readonly wire: boolean;
  /** Change inheritance, and truncate files. */
  readonly share: boolean;
  /** Have the page daemon run, with a swap device of so many pages, and take that away and bring it back. */
  readonly pressure?: { readonly swap: number };
}

const PROTECTIONS: readonly Prot[] = [R, RW, RW, RW, RX, RWX, 0];
const ARENA = 24;

/** Random processes on one kit, each held against a plain model after every step. */
export class Simulation {
  readonly kit: Kit;
  readonly dice: Dice;
  readonly procs: ProcModel[] = [];
  readonly files: FileModel[] = [];
  /** What was done, latest last: what to read when something is wrong. */
  readonly log: string[] = [];
  /** How often memory and swap were used up. */
  outOfMemory = 0;
  readonly #strangers: Strangers;
  readonly #options: SimulationOptions;
  readonly #base: Va;
  /** Shared memory, in an array of slots and in clusters. */
  readonly #segments: { readonly object: Aobj; readonly memory: Memory[] }[] = [];
  /** How often swap was taken away. */
  swapoffs = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    const dice = new Dice(options.seed);
    this.dice = dice;
    this.kit = new Kit({ memory: 4 << 20, ...options });
    const { kit } = this;
    this.#strangers = new Strangers(kit, dice);
    this.#base = kit.md.port.layout.userMin + (64 << 20);
    kit.onStuck = (channel) => {
      if (channel === CHANNEL_MEMORY) kit.uvm.wakeup(CHANNEL_MEMORY);
      return channel === CHANNEL_MEMORY;
    };
    const { pressure } = options;
    // With swap that is not full a short pmap makes a fault wait, and time is all it takes.
    kit.uvm.swap.on(kit.swap(pressure?.swap ?? 64), 0);
    if (pressure === undefined) kit.uvm.daemon = { wake: () => undefined, signalled: true };
    else {
      kit.uvm.swap.on(kit.swap(pressure.swap, 'wd1b'), 1);
      kit.startDaemon();
      for (const size of [12, 70]) {
        const memory = Array.from({ length: size }, (_, index) => ({
          own: zeroes(),
          file: null,
          index,
        }));
        this.#segments.push({ object: new Aobj(kit.uvm, size), memory });
      }
    }
    for (const size of [6, 10]) {
      const holes = size === 10 ? [3 * PAGE, 4 * PAGE, 9 * PAGE] : [];
      const file = kit.file({ size: size * PAGE, holes });
      this.files.push(new FileModel(file, size));
    }
    this.procs.push({ proc: kit.proc(), pages: new Map() });
  }

  /** One random thing, and then every check. */
  step(): void {
    const { dice } = this;
    const actor = dice.pick(this.procs);
    const roll = dice.roll(100);
    if (this.#safe && dice.chance(6)) this.#strange(actor);
    else if (this.#safe && dice.chance(10)) this.#lock(actor);
    else if (roll < 30) this.#loadOrStore(actor, true);
    else if (roll < 50) this.#loadOrStore(actor, false);
    else if (roll < 60) this.#mmap(actor);
    else if (roll < 65) this.#munmap(actor);
    else if (roll < 72) this.#mprotect(actor);
    else if (roll < 77) this.#fork(actor);
    else if (roll < 80) this.#exit(actor);
    else if (roll < 84) this.#msync(actor);
    else if (roll < 88) this.#madvise(actor);
    else if (roll < 91) this.#fileIo();
    else if (roll < 93) this.#kernelWork(actor);
    else if (roll < 96) this.#lock(actor);
    else if (roll < 98) this.#minherit(actor);
    else this.#truncate();
    this.kit.check();
    if (dice.chance(16)) this.audit();
  }

  /** Lets everything that is under way end. */
  settle(): void {
    this.kit.settle();
    this.kit.check();
  }

  /** Reads every page of every process. */
  audit(): void {
    this.settle();
    for (const model of this.procs)
      for (const page of model.pages.keys())
        this.kit.run(this.#load(model, page, this.dice.roll(SPOTS.length)));
    this.kit.check();
  }

  /** Ends every process; then nothing of them may be left. */
  end(): void {
    this.audit();
    this.#strangers.finish(null);
    for (const { proc } of this.procs) proc.exit();
    this.procs.length = 0;
    for (const { object } of this.#segments) object.pgops.detach(this.kit.uvm, object);
    this.kit.settle();
    this.kit.check({ idle: true });
    const { exp, uvm } = this.kit;
    const left = {
      anons: exp.nanon - exp.nfreeanon,
      amaps: uvm.amaps.size,
      wired: exp.wired,
      tables: uvm.pages.tablePages,
      maps: uvm.maps.size - 1,
    };
    if (Object.values(left).some((count) => count !== 0))
      throw new Error(`left after every exit: ${JSON.stringify(left)}`);
  }

  #note(model: ProcModel | null, text: string): void {
    const who = model === null ? 'kernel' : `proc ${model.proc.space.map.id}`;
    this.log.push(`${who}: ${text}`);
    if (this.log.length > 60) this.log.shift();
  }

  #va(page: number): Va {
    return this.#base + page * PAGE;
  }

  #range(): { from: number; to: number } {
    const from = this.dice.roll(ARENA);
    return { from, to: Math.min(ARENA, from + 1 + this.dice.roll(8)) };
  }

  #pagesIn(model: ProcModel, from: number, to: number): PageModel[] {
    const found: PageModel[] = [];
    for (let page = from; page < to; page++) {
      const at = model.pages.get(page);
      if (at !== undefined) found.push(at);
    }
    return found;
  }

  // Memory.

  #expected(model: ProcModel, page: number, rights: Prot): Errno {
    const at = model.pages.get(page);
    if (at === undefined) return EFAULT;
    if ((at.prot & rights) !== rights) return EACCES;
    return beyondEnd(at.memory) ? EINVAL : 0;
  }

  /** Memory and swap are used up, and the process is told so. */
  #outOfMemory(error: Errno): boolean {
    if (error !== ENOMEM || this.#options.pressure === undefined) return false;
    this.outOfMemory++;
    return true;
  }

  *#load(model: ProcModel, page: number, spot: number): Sleeping<void> {
    const va = this.#va(page) + SPOTS[spot]!;
    const { error, pa } = yield* model.proc.access(va, R);
    if (this.#outOfMemory(error)) return;
    this.#same(`load ${page}.${spot} error`, error, this.#expected(model, page, R), errnoName);
    if (error !== 0) return;
    const read = this.kit.memory.read8(pa);
    this.#notePromotion(model, page);
    this.#same(`load ${page}.${spot}`, read, readSpot(model.pages.get(page)!.memory, spot));
  }

  *#store(model: ProcModel, page: number, spot: number, value: number): Sleeping<void> {
    const va = this.#va(page) + SPOTS[spot]!;
    const { error, pa } = yield* model.proc.access(va, W);
    if (this.#outOfMemory(error)) return;
    this.#same(`store ${page}.${spot} error`, error, this.#expected(model, page, W), errnoName);
    if (error !== 0) return;
    const { memory, shared } = model.pages.get(page)!;
    // Beyond the end of a file nobody says what becomes of it.
    if (!shared || insideFile(memory, spot)) {
      this.kit.memory.write8(pa, value);
      stored(model.pages.get(page)!, spot, value);
    }
  }

  #loadOrStore(model: ProcModel, store: boolean): void {
    const page = this.dice.roll(ARENA);
    const spot = this.dice.roll(SPOTS.length);
    const value = 1 + this.dice.roll(255);
    this.#note(model, store ? `store ${page}.${spot} = ${value}` : `load ${page}.${spot}`);
    const op = store ? this.#store(model, page, spot, value) : this.#load(model, page, spot);
    // Now and then it is left waiting for the disk while others go on.
    if (this.dice.chance(3)) this.kit.start(op);
    else this.kit.run(op);
  }

  #same<T>(what: string, is: T, wanted: T, name: (value: T) => string = String): void {
    if (is !== wanted) throw new Error(`${what}: ${name(is)}, must be ${name(wanted)}`);
  }

  // System calls.

  #mmap(model: ProcModel): void {
    const { from, to } = this.#range();
    const prot = this.dice.pick(PROTECTIONS);
    const shared = this.dice.chance(3);
    const file = this.dice.chance(2) ? this.dice.pick(this.files) : null;
    const first = file === null ? 0 : this.dice.roll(file.pages.length);
    this.#note(
      model,
      `mmap ${from}–${to} prot ${prot} ${shared ? 'shared' : 'private'} ${file === null ? 'anon' : `file ${this.files.indexOf(file)} from ${first}`}`,
    );
    const { error } = model.proc.mmap({
      addr: this.#va(from),
      length: (to - from) * PAGE,
      prot,
      flags: MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE) | (file === null ? MAP_ANON : 0),
      ...(file === null ? {} : { fd: model.proc.fd(file.file), pos: first * PAGE }),
    });
    this.#same('mmap', error, 0, errnoName);
    for (let page = from; page < to; page++)
      model.pages.set(page, {
        memory: { own: file === null ? zeroes() : null, file, index: first + page - from },
        prot,
        shared,
        inherit: shared ? MAP_INHERIT_SHARE : MAP_INHERIT_COPY,
        wired: false,
      });
  }

  #munmap(model: ProcModel): void {
    const { from, to } = this.#range();
    this.#note(model, `munmap ${from}–${to}`);
    const whole = this.#pagesIn(model, from, to).length === to - from;
    const error = model.proc.munmap(this.#va(from), (to - from) * PAGE);
    this.#same('munmap', error, whole ? 0 : EINVAL, errnoName);
    if (whole) for (let page = from; page < to; page++) model.pages.delete(page);
  }

  #mprotect(model: ProcModel): void {
    const { from, to } = this.#range();
    const prot = this.dice.pick(PROTECTIONS);
    // PROT_NONE takes the mappings of locked pages away (H6).
    const pages = this.#pagesIn(model, from, to);
    if (prot === 0 && !this.#safe && pages.some(({ wired }) => wired)) return;
    this.#note(model, `mprotect ${from}–${to} prot ${prot}`);
    const error = model.proc.mprotect(this.#va(from), (to - from) * PAGE, prot);
    this.#same('mprotect', error, 0, errnoName);
    for (const page of pages) page.prot = prot;
  }

  #fork(model: ProcModel): void {
    if (this.procs.length >= 4) return;
    this.kit.settle();
    this.#note(model, 'fork');
    const child: ProcModel = { proc: model.proc.fork(), pages: new Map() };
    for (const [number, page] of model.pages) {
      if (page.inherit === MAP_INHERIT_NONE) continue;
      const { own, file, index } = page.memory;
      const copy = page.inherit === MAP_INHERIT_COPY;
      const memory = copy ? { own: own === null ? null : [...own], file, index } : page.memory;
      const shared = page.shared && !copy;
      child.pages.set(number, { ...page, memory, shared, wired: false });
    }
    this.procs.push(child);
  }

  #exit(model: ProcModel): void {
    if (this.procs.length === 1) return;
    this.kit.settle();
    this.#note(model, 'exit');
    this.#strangers.finish(model.proc.space.map);
    model.proc.exit();
    this.procs.splice(this.procs.indexOf(model), 1);
  }

  #msync(model: ProcModel): void {
    const { from, to } = this.#range();
    const pages = this.#pagesIn(model, from, to);
    const mode = this.dice.pick([MS_SYNC, MS_SYNC, MS_ASYNC, MS_SYNC | MS_INVALIDATE]);
    // Invalidating takes locked pages away (H3).
    if ((mode & MS_INVALIDATE) !== 0 && this.#lockedFile()) return;
    this.#note(model, `msync ${from}–${to} mode ${mode}`);
    if (mode !== MS_ASYNC) this.kit.settle();
    const error = model.proc.msync(this.#va(from), (to - from) * PAGE, mode);
    this.#same('msync', error, pages.length === to - from ? 0 : EFAULT, errnoName);
    if (error !== 0 || mode === MS_ASYNC) return;
    for (const { memory, shared } of pages) {
      const { file, index } = memory;
      if (!shared || file === null || index >= file.count) continue;
      SPOTS.forEach((at, spot) => {
        this.#same(
          `page ${index} byte ${at} on disk after msync`,
          file.file.byte(index * PAGE + at),
          file.pages[index]![spot]!,
        );
      });
    }
  }

  #lockedFile(): boolean {
    if (this.#safe) return false;
    return this.procs.some(({ pages }) =>
      [...pages.values()].some(({ wired, memory }) => wired && memory.file !== null),
    );
  }

  #madvise(model: ProcModel): void {
    const { from, to } = this.#range();
    const pages = this.#pagesIn(model, from, to);
    const whole = pages.length === to - from;
    const advice = this.dice.pick([0, 1, 2, MADV_DONTNEED, MADV_FREE]);
    if (advice === MADV_FREE && pages.some(({ segment }) => segment === true)) return;
    if (
      advice === MADV_FREE &&
      !this.#safe &&
      (this.#lockedFile() || pages.some(({ wired }) => wired))
    )
      return;
    this.kit.settle();
    this.#note(model, `madvise ${from}–${to} ${advice}`);
    const error = model.proc.madvise(this.#va(from), (to - from) * PAGE, advice);
    this.#same('madvise', error, advice > 2 && !whole ? EFAULT : 0, errnoName);
    if (advice !== MADV_FREE || error !== 0) return;
    // Dirty pages of the file are gone, and pages of the process' own may be: the whole page or nothing.
    for (const { memory } of pages) {
      const { file, index } = memory;
      if (file !== null && index < file.count)
        file.pages[index] = SPOTS.map((at) => file.file.byte(index * PAGE + at));
    }
    for (let page = from; page < to; page++) {
      const at = model.pages.get(page)!;
      const { memory } = at;
      if (memory.own === null || (at.shared && memory.file !== null)) continue;
      if (model.proc.anon(this.#va(page)) === -1)
        memory.own = memory.file === null ? zeroes() : null;
    }
  }

  #fileIo(): void {
    const file = this.dice.pick(this.files);
    const index = this.dice.roll(file.pages.length);
    const spot = this.dice.roll(SPOTS.length);
    const offset = index * PAGE + SPOTS[spot]!;
    const { uvm } = this.kit;
    const inside = offset < file.file.vnode.size;
    this.kit.settle();
    if (this.dice.chance(2)) {
      this.#note(null, `read file ${this.files.indexOf(file)} at ${offset}`);
      const bytes = this.kit.run(vnodeRead(uvm, file.file.vnode, offset, 1));
      if (typeof bytes === 'number' && this.#outOfMemory(bytes)) return;
      if (typeof bytes === 'number') throw new Error(`read: ${errnoName(bytes)}`);
      this.#same('bytes read', bytes.length, inside ? 1 : 0);
      if (inside) this.#same('byte read', bytes[0], file.pages[index]![spot]);
    } else {
      if (!inside) return;
      const value = 1 + this.dice.roll(255);
      this.#note(null, `write file ${this.files.indexOf(file)} at ${offset} = ${value}`);
      const { error } = this.kit.run(
        vnodeWrite(uvm, file.file.vnode, offset, Uint8Array.of(value)),
      );
      if (this.#outOfMemory(error)) return;
      this.#same('write', error, 0, errnoName);
      file.pages[index]![spot] = value;
    }
  }

  /** What others do to memory, locked or not; only where the wiring policy says that nothing comes of it. */
  #strange(model: ProcModel): void {
    const { dice, kit } = this;
    const page = dice.roll(ARENA);
    kit.settle();
    switch (dice.roll(5)) {
      case 0: {
        const spot = dice.roll(SPOTS.length);
        const at = model.pages.get(page);
        if (at !== undefined && at.shared && !insideFile(at.memory, spot)) return;
        this.#note(model, `trace ${page}.${spot} = 77`);
        const error = this.#strangers.trace(model.proc, this.#va(page) + SPOTS[spot]!, 77);
        const wanted = at === undefined || beyondEnd(at.memory) ? EINVAL : 0;
        this.#same('trace', error, wanted, errnoName);
        if (error === 0) stored(at!, spot, 77);
        return;
      }
      case 1:
        this.#note(model, `lend ${page}`);
        this.#strangers.lend(model.proc, this.#va(page));
        return;
      case 2: {
        const { from, to } = this.#range();
        this.#note(model, `transfer ${from}–${to}`);
        this.#strangers.transfer(model.proc, this.#va(from), (to - from) * PAGE);
        for (let at = from; at < to; at++) if (model.pages.has(at)) this.#notePromotion(model, at);
        return;
      }
      case 3:
        this.#note(null, 'a loan or a transfer ends');
        this.#strangers.finishOne();
        return;
      default:
        if (kit.uvm.wiring.enterFlags !== 0) return;
        this.#note(model, 'amnesia');
        this.#strangers.forget(dice.chance(2) ? null : model.proc);
    }
  }

  #kernelWork(model: ProcModel): void {
    if (this.#options.pressure !== undefined && this.dice.chance(2)) {
      if (this.dice.chance(2)) this.#moveSwap();
      else this.#attach(model);
    } else if (this.dice.chance(2)) {
      this.#note(model, 'pmap_collect');
      this.kit.md.pmap.collect(model.proc.space.pmap);
    } else {
      this.#note(null, 'zero idle pages');
      this.kit.uvm.pages.idleZero(20, 5);
    }
  }

  /** Takes a swap device away, and brings it back or another in its place. */
  #moveSwap(): void {
    const { kit } = this;
    const { swap } = kit.uvm;
    const { backend, priority } = this.dice.pick(swap.devices);
    this.#note(null, `swapoff ${backend.name}, ${kit.exp.swpginuse} slots in use`);
    const error = kit.run(swap.off(backend));
    if (error === 0) {
      this.swapoffs++;
      this.#same('swapon', swap.on(backend, 1 - priority), 0, errnoName);
    } else this.#same('swapoff', error, ENOMEM, errnoName);
  }

  /** Maps shared memory that lives in an anonymous object. */
  #attach(model: ProcModel): void {
    if (this.#options.share) return;
    const { uvm } = this.kit;
    const { from, to } = this.#range();
    const { object, memory } = this.dice.pick(this.#segments);
    const first = this.dice.roll(memory.length - (to - from) + 1);
    this.#note(model, `shmat ${from}–${to} object ${object.id} from ${first}`);
    this.kit.settle();
    const { map } = model.proc.space;
    uvmUnmap(uvm, map, this.#va(from), this.#va(to));
    object.pgops.reference(uvm, object);
    const attributes = {
      prot: RW,
      maxProt: RWX,
      inherit: MAP_INHERIT_SHARE,
      advice: 0,
      flags: UVM_FLAG_FIXED,
    };
    const size = (to - from) * PAGE;
    const { error } = uvmMap(uvm, map, this.#va(from), size, object, first * PAGE, 0, attributes);
    this.#same('shmat', error, 0, errnoName);
    for (let page = from; page < to; page++)
      model.pages.set(page, {
        memory: memory[first + page - from]!,
        prot: RW,
        shared: true,
        segment: true,
        inherit: MAP_INHERIT_SHARE,
        wired: false,
      });
  }

  #lock(model: ProcModel): void {
    if (!this.#options.wire) return;
    const { from, to } = this.#range();
    const pages = this.#pagesIn(model, from, to);
    const whole = pages.length === to - from;
    this.kit.settle();
    if (this.dice.chance(3)) {
      this.#note(model, `munlock ${from}–${to}`);
      const error = model.proc.munlock(this.#va(from), (to - from) * PAGE);
      const begins = model.pages.has(from);
      const all = whole && pages.every(({ wired }) => wired);
      this.#same('munlock', error, all ? 0 : begins ? EINVAL : EFAULT, errnoName);
      if (error === 0) for (const page of pages) page.wired = false;
      return;
    }
    this.#note(model, `mlock ${from}–${to}`);
    const error = model.proc.mlock(this.#va(from), (to - from) * PAGE);
    const accessible = whole && pages.every(({ prot }) => prot !== 0);
    // What is locked already is not looked at again.
    const beyond = pages.some(({ memory, wired }) => !wired && beyondEnd(memory));
    const wanted = !model.pages.has(from) ? EFAULT : accessible && !beyond ? 0 : EINVAL;
    this.#same('mlock', error, wanted, errnoName);
    for (let page = from; page < to; page++) {
      const at = model.pages.get(page);
      if (at === undefined) continue;
      if (error === 0) at.wired = true;
      // What may be written one day is the process' own from now on; as far as locking came, if it failed.
      if (error === 0 && this.#locksMaximum && !at.shared) promoted(at.memory);
      else this.#notePromotion(model, page);
    }
  }

  /** Locking at the maximum protection makes every private page the process' own. */
  get #locksMaximum(): boolean {
    return this.kit.uvm.wiring.faultType === VM_FAULT_WIREMAX;
  }

  /** The wiring policy says that nothing can take locked memory away. */
  get #safe(): boolean {
    return this.kit.uvm.wiring.countsPlaces;
  }

  /** Whether a fault in locked memory copies a page for a load that met a mapping missing is up to the pmap. */
  #notePromotion(model: ProcModel, page: number): void {
    const at = model.pages.get(page)!;
    if (!at.shared && model.proc.anon(this.#va(page)) !== -1) promoted(at.memory);
  }

  #minherit(model: ProcModel): void {
    if (!this.#options.share) return;
    const { from, to } = this.#range();
    const inherit = this.dice.pick([MAP_INHERIT_SHARE, MAP_INHERIT_COPY, MAP_INHERIT_NONE]);
    this.#note(model, `minherit ${from}–${to} ${inherit}`);
    const error = model.proc.minherit(this.#va(from), (to - from) * PAGE, inherit);
    this.#same('minherit', error, 0, errnoName);
    for (const page of this.#pagesIn(model, from, to)) page.inherit = inherit;
  }

  #truncate(): void {
    if (!this.#options.share || this.#lockedFile() || this.#options.pressure !== undefined) return;
    const file = this.dice.pick(this.files);
    const size = this.dice.chance(2)
      ? this.dice.roll(file.pages.length + 1) * PAGE
      : this.dice.roll(file.pages.length * PAGE);
    this.kit.settle();
    this.#note(null, `truncate file ${this.files.indexOf(file)} to ${size}`);
    this.#same('setsize', this.kit.run(vnodeSetSize(this.kit.uvm, file.file.vnode, size)), 0);
    file.file.trim();
    for (const [index, spots] of file.pages.entries())
      SPOTS.forEach((at, spot) => {
        if (index * PAGE + at >= size) spots[spot] = 0;
      });
  }
}
