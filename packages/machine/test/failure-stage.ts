import { EIO, errnoName, hex, KernelPanic, NO_PA, type Port } from '@uvmkit/pmap';
import { checkUvm, MAP_ANON, MAP_PRIVATE, MAP_SHARED, NO_PAGE, SWAP_ON } from '@uvmkit/uvm-core';
import type { File } from '../src/file.ts';
import { Machine, type MachineOptions } from '../src/machine.ts';
import type { Process } from '../src/process.ts';
import { ProcessSignal } from '../src/signal.ts';

/** What can be made to fail once. */
export const FAILURES = [
  'page allocation',
  'table page allocation',
  'swap read',
  'swap write',
  'file read',
  'file write',
] as const;
export type Failure = (typeof FAILURES)[number];

/** Pages that UVM has on a stage. */
export const STAGE_PAGES = 48;

const FAST = { seek: 1000, rotation: 1000, transfer: 10 };
const MEGA = 1 << 20;

/** What is in use on a stage: after everything has ended it must be the same whatever failed. */
export interface InUse {
  readonly pages: number;
  readonly wired: number;
  readonly kernelPages: number;
  readonly tablePages: number;
  readonly amaps: number;
  readonly anons: number;
  readonly slots: number;
  readonly aobjs: number;
  readonly vnodeRefs: number;
  readonly lent: number;
  readonly sleepers: number;
  readonly processes: number;
}

/** A byte that processes see, at the start of a page. A write that failed may or may not have been made: it has two values then. */
interface Cell {
  values: readonly number[];
}

/** A page of a process. */
interface Seen {
  readonly cell: Cell;
  /** Whether a child shares it. */
  readonly shared: boolean;
}

/**
 * A machine with {@link STAGE_PAGES} pages of memory and a disk to swap to, on which one thing fails once; the model of what its
 * processes and its file must read; and what came of the failure.
 */
export class Stage {
  readonly machine: Machine;
  readonly page: number;
  readonly root: Process;
  readonly file: File;
  /** What the calls and accesses of the scenario were answered, where it was not success. */
  readonly outcomes: string[] = [];
  /** How often the thing that fails has been asked for. */
  asked = 0;
  readonly #failure: Failure;
  readonly #nth: number;
  readonly #memory: Map<Process, Map<number, Seen>> = new Map();
  readonly #contents: Cell[];
  #armed = false;

  /**
   * @param nth which request fails; 0 for none
   * @param options further ones of the machine
   */
  constructor(port: Port, failure: Failure, nth: number, options: Partial<MachineOptions> = {}) {
    this.#failure = failure;
    this.#nth = nth;
    this.page = port.layout.pageSize;
    const memory = 4 * MEGA;
    const deviceMemory = (managedPages(port, memory) - STAGE_PAGES) * this.page;
    this.machine = new Machine({
      port,
      memory,
      deviceMemory,
      disk: FAST,
      blockSize: this.page,
      ...options,
    });
    const { machine } = this;
    const disk = machine.addDisk({ ...FAST, size: 4 * MEGA });
    machine.addPartition('/dev/sd1b', disk);
    this.root = machine.spawn({ superuser: true });
    this.#contents = Array.from({ length: 16 }, (_, i) => ({ values: [i + 1] }));
    const bytes = new Uint8Array(16 * this.page);
    this.#contents.forEach(({ values }, i) => (bytes[i * this.page] = values[0]!));
    this.file = machine.fs.create('f', bytes);
    this.sys(this.root.sys.swapctl(SWAP_ON, '/dev/sd1b'));
    const fails = (failing: Failure): boolean => this.#fails(failing);
    const { pages } = machine.uvm;
    const alloc = pages.alloc.bind(pages);
    const allocTable = pages.allocPage.bind(pages);
    let table = false;
    pages.alloc = (object, offset, anon, flags) =>
      !table && fails('page allocation') ? NO_PAGE : alloc(object, offset, anon, flags);
    pages.allocPage = () => {
      if (fails('table page allocation')) return NO_PA;
      table = true;
      const pa = allocTable();
      table = false;
      return pa;
    };
    disk.failure = (_at, _length, write) => (fails(write ? 'swap write' : 'swap read') ? EIO : 0);
    machine.disk.failure = (_at, _length, write) =>
      fails(write ? 'file write' : 'file read') ? EIO : 0;
  }

  /** From here on things may fail. */
  begin(): void {
    this.#armed = true;
  }

  #fails(failing: Failure): boolean {
    return this.#armed && failing === this.#failure && ++this.asked === this.#nth;
  }

  /** Whether the thing that was to fail has. */
  get failed(): boolean {
    return this.asked >= this.#nth && this.#nth > 0;
  }

  // What scenarios do.

  /** A call's value; null if it failed, which it may only after something was made to. */
  sys(result: { readonly error: number; readonly value: number }): number | null {
    if (result.error === 0) return result.value;
    this.#outcome(errnoName(result.error));
    return null;
  }

  #outcome(what: string): void {
    if (!this.failed) throw new Error(`${what}, and nothing was made to fail`);
    this.outcomes.push(what);
  }

  /** Anonymous memory, zeroed in the model too. */
  anon(process: Process, pages: number, flags = MAP_ANON | MAP_PRIVATE): number | null {
    const va = this.sys(process.sys.mmap(0, pages * this.page, 3, flags));
    if (va !== null) this.see(process, va, zeroes(pages), (flags & MAP_SHARED) !== 0);
    return va;
  }

  /** The first pages of the file. Nobody may change it otherwise after a private mapping was made. */
  mapFile(process: Process, fd: number, pages: number, flags: number): number | null {
    const va = this.sys(process.sys.mmap(0, pages * this.page, 3, flags, fd, 0));
    const shared = (flags & MAP_SHARED) !== 0;
    if (va !== null) this.see(process, va, this.fileCells(0, pages, shared), shared);
    return va;
  }

  /** What pages of the file hold: the same bytes, or bytes like them. */
  fileCells(first: number, pages: number, same: boolean): readonly Cell[] {
    const cells = this.#contents.slice(first, first + pages);
    return same ? cells : cells.map((cell) => ({ ...cell }));
  }

  /** From now on the process must find these cells from `va` on, a page each. */
  see(process: Process, va: number, cells: readonly Cell[], shared = false): void {
    cells.forEach((cell, i) => this.#model(process).set(va + i * this.page, { cell, shared }));
  }

  /** Pages that are not looked at any more. */
  forget(process: Process, va: number, pages: number): void {
    for (let i = 0; i < pages; i++) this.#model(process).delete(va + i * this.page);
  }

  /** The child, which must read what its parent does; null if there is none. */
  fork(process: Process): Process | null {
    const pid = this.sys(process.sys.fork());
    if (pid === null) return null;
    const child = this.machine.processes.get(pid)!;
    for (const [va, { cell, shared }] of this.#model(process))
      this.see(child, va, [shared ? cell : { ...cell }], shared);
    return child;
  }

  store(process: Process, va: number, value: number): boolean {
    const done = this.#try(process, () => process.store8(va, value));
    if (done) this.#model(process).get(va)!.cell.values = [value];
    return done;
  }

  /** Stores `first`, `first + 1`, … to every page from `va` on. */
  storeAll(process: Process, va: number | null, pages: number, first: number): void {
    for (let i = 0; va !== null && i < pages; i++)
      this.store(process, va + i * this.page, (first + i) % 256);
  }

  load(process: Process, va: number): void {
    this.#try(process, () => this.#compare(process, va));
  }

  loadAll(process: Process, va: number | null, pages: number): void {
    for (let i = 0; va !== null && i < pages; i++) this.load(process, va + i * this.page);
  }

  /** write(2) of one byte at the start of a page of the file. */
  write(process: Process, fd: number, buffer: number, page: number, value: number): void {
    if (!this.store(process, buffer, value)) return;
    const cell = this.#contents[page]!;
    const done = this.sys(process.sys.pwrite(fd, buffer, 1, page * this.page));
    cell.values = done === null ? [...cell.values, value] : [value];
  }

  /** read(2) of one byte from the start of a page of the file. */
  read(process: Process, fd: number, buffer: number, page: number): void {
    if (this.sys(process.sys.pread(fd, buffer, 1, page * this.page)) === null) return;
    this.see(process, buffer, this.fileCells(page, 1, false));
    this.load(process, buffer);
  }

  /** ftruncate(2) to so many pages: what is cut off reads as zeroes when the file has grown again. */
  cut(process: Process, fd: number, pages: number): void {
    const done = this.sys(process.sys.ftruncate(fd, pages * this.page));
    for (const cell of this.#contents.slice(pages))
      cell.values = done === null ? [...cell.values, 0] : [0];
  }

  /** Uses a quarter more pages than there are, so that whatever else is in memory has to leave. */
  squeeze(): Process {
    const pages = Math.ceil(STAGE_PAGES * 1.25);
    const hog = this.machine.spawn();
    this.storeAll(hog, this.anon(hog, pages), pages, 1);
    return hog;
  }

  #try(process: Process, access: () => void): boolean {
    if (process.state !== 'running') return false;
    try {
      access();
      return true;
    } catch (error) {
      if (!(error instanceof ProcessSignal)) throw error;
      this.#outcome(`signal ${error.signal}`);
      return false;
    }
  }

  #model(process: Process): Map<number, Seen> {
    let model = this.#memory.get(process);
    if (model === undefined) this.#memory.set(process, (model = new Map()));
    return model;
  }

  #compare(process: Process, va: number): void {
    const { values } = this.#model(process).get(va)!.cell;
    const got = process.load8(va);
    if (!values.includes(got))
      throw new Error(
        `process ${process.pid} reads ${got} at ${hex(va)}, should read ${values.join(' or ')}`,
      );
  }

  // What must hold afterwards.

  /**
   * Looks at everything once more, with nothing failing.
   *
   * @returns how many pages cannot be read any more
   */
  verify(): number {
    this.#armed = false;
    this.machine.run();
    let lost = 0;
    for (const [process, model] of this.#memory)
      for (const va of model.keys()) {
        if (process.state !== 'running') break;
        try {
          this.#compare(process, va);
        } catch (error) {
          if (!(error instanceof ProcessSignal)) throw error;
          lost++;
        }
      }
    // An error of a write that nobody waited for is told to the next who asks, once.
    const fd = this.root.sys.open('f', 2).value;
    this.root.sys.fsync(fd);
    const { error } = this.root.sys.fsync(fd);
    if (error !== 0) throw new Error(`fsync still fails with ${errnoName(error)}`);
    this.root.sys.close(fd);
    this.#contents.forEach(({ values }, i) => {
      const [got] = this.file.onDisk(i * this.page, 1);
      if (!values.includes(got!))
        throw new Error(
          `page ${i} of the file is ${got} on disk, should be ${values.join(' or ')}`,
        );
    });
    this.#sound();
    return lost;
  }

  #sound(): void {
    const [violation] = checkUvm(this.machine.uvm);
    if (violation !== undefined) throw new Error(JSON.stringify(violation));
  }

  /** Ends everything; what is still in use then. */
  end(): InUse {
    const { machine } = this;
    for (const process of [...machine.processes.values()])
      if (process.state === 'running') process.sys.exit();
    machine.run();
    this.#sound();
    const { exp, pages, amaps, aobjs, swap, lentAnons, lentPages } = machine.uvm;
    const { vnode } = this.file;
    return {
      pages: exp.npages - exp.free - vnode.npages - pages.tablePages,
      wired: exp.wired,
      kernelPages: pages.kernelPages,
      tablePages: pages.tablePages,
      amaps: amaps.size,
      anons: exp.nanon - exp.nfreeanon,
      slots: exp.swpginuse - swap.bad,
      aobjs: aobjs.size,
      vnodeRefs: vnode.refs,
      lent: lentAnons.size + lentPages.size,
      sleepers: [...machine.scheduler.channels()].length,
      processes: machine.processes.size,
    };
  }
}

const managed: Map<string, number> = new Map();

/** What a port leaves of memory: all but a stage's share of it is given to devices. */
function managedPages(port: Port, memory: number): number {
  let pages = managed.get(port.name);
  if (pages === undefined)
    managed.set(port.name, (pages = new Machine({ port, memory }).uvm.exp.npages));
  return pages;
}

/** So many cells that hold 0. */
export function zeroes(count: number): readonly Cell[] {
  return Array.from({ length: count }, () => ({ values: [0] }));
}

/** One scenario on a stage of its own. */
export interface Scenario {
  readonly name: string;
  /** Calls `stage.begin` where things may begin to fail. */
  play(stage: Stage): void;
}

/** What came of one failure. */
export interface Fate {
  /** False if the thing was not asked for so often: the scenario was not harmed. */
  readonly failed: boolean;
  readonly outcomes: readonly string[];
  /** The panic's message, or null. */
  readonly panic: string | null;
  readonly lost: number;
  /** What is left at the end; null after a panic. */
  readonly left: InUse | null;
}

/**
 * Plays a scenario with the nth request of one kind failing.
 *
 * @throws Error if a process or the file does not hold what it should, UVM is not sound, or somebody waits for ever
 */
export function play(
  port: Port,
  scenario: Scenario,
  failure: Failure,
  nth: number,
  options: Partial<MachineOptions> = {},
): Fate {
  const stage = new Stage(port, failure, nth, options);
  try {
    scenario.play(stage);
    const lost = stage.verify();
    const left = stage.end();
    return { failed: stage.failed, outcomes: stage.outcomes, panic: null, lost, left };
  } catch (error) {
    if (!(error instanceof KernelPanic)) throw error;
    const { outcomes, failed } = stage;
    return { failed, outcomes, panic: error.message, lost: 0, left: null };
  }
}
