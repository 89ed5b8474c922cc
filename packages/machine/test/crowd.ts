import { hex, type Port } from '@uvmkit/pmap';
import {
  checkUvm,
  MADV_DONTNEED,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MAP_ANON,
  MAP_PRIVATE,
  MAP_SHARED,
  MS_ASYNC,
  MS_SYNC,
  type Sleeping,
  SWAP_OFF,
  SWAP_ON,
  violationText,
} from '@uvmkit/uvm-core';
import { Machine } from '../src/machine.ts';
import type { Process } from '../src/process.ts';
import { PIOD_WRITE_D, PT_ATTACH, PT_DETACH } from '../src/ptrace.ts';
import { Random } from '../src/random.ts';
import { IPC_PRIVATE, IPC_RMID } from '../src/shm.ts';
import type { Thread } from '../src/thread.ts';

/** Pages that UVM has. */
const MEMORY = 96;
/** Pages that everybody shares: of each kind, and what a process has for itself from the start. */
const COMMON = 24;
const OWN = 20;
/** Bytes of a page that belong to one actor, and how many actors a page has room for. */
const CELL = 16;
const FAST = { seek: 1000, rotation: 1000, transfer: 10 };

export interface CrowdOptions {
  readonly port: Port;
  readonly seed: number;
  /** 1 if not given. */
  readonly cpus?: number;
  /** What each thread does before it ends. */
  readonly steps: number;
  /** Turns of the machine between two looks at every invariant. */
  readonly every: number;
  /** Further options of the machine. */
  readonly machine?: Partial<ConstructorParameters<typeof Machine>[0]>;
}

/** A page of memory that threads know, and at which of its bytes. */
interface Range {
  readonly va: number;
  readonly pages: number;
  writable: boolean;
}

/** What one thread is, and what it must find at its own bytes of each page. */
interface Actor {
  /** Where its bytes are in pages that everybody sees: nobody else has the same. */
  readonly number: number;
  /** Where they are in its process' own pages: a child goes on with its parent's. */
  readonly own: number;
  readonly process: Process;
  readonly fd: number;
  /** Memory of the process' own, and what only this thread has mapped. */
  readonly private: readonly Range[];
  readonly mapped: Range[];
  /** By address of a page: what is there. Not there: 0. */
  readonly bytes: Map<number, number>;
}

/**
 * Threads of several processes that share spaces, segments and a file, in a tenth of the memory that they use. Every
 * thread has bytes of its own in every page, and so knows what it must read whatever the others do.
 */
export class Crowd {
  readonly machine: Machine;
  /** Bytes compared with the model. */
  checked = 0;
  readonly #options: CrowdOptions;
  readonly #random: Random;
  readonly #page: number;
  #actors = 0;
  readonly #shared: readonly Range[];
  readonly #root: Process;
  readonly #boot: { readonly free: number; readonly anons: number };
  readonly #segment: number;

  constructor(options: CrowdOptions) {
    this.#options = options;
    const { port, seed, cpus = 1 } = options;
    this.#page = port.layout.pageSize;
    this.#random = new Random(seed * 7919);
    const memory = 4 << 20;
    const deviceMemory = (new Machine({ port, memory, cpus }).uvm.exp.npages - MEMORY) * this.#page;
    this.machine = new Machine({
      port,
      memory,
      deviceMemory,
      seed,
      cpus,
      disk: FAST,
      blockSize: this.#page,
      ...options.machine,
    });
    const { machine } = this;
    for (const name of ['/dev/sd1b', '/dev/sd2b'])
      machine.addPartition(name, machine.addDisk({ ...FAST, size: 1000 * this.#page }));
    machine.fs.create('f', new Uint8Array(COMMON * this.#page));
    machine.fs.create('g', new Uint8Array(COMMON * this.#page));
    const { exp } = machine.uvm;
    this.#boot = { free: exp.free, anons: exp.nfreeanon };
    this.#root = machine.spawn({ superuser: true });
    const { sys } = this.#root;
    ok(sys.swapctl(SWAP_ON, '/dev/sd1b'));
    ok(sys.swapctl(SWAP_ON, '/dev/sd2b'));
    this.#segment = ok(sys.shmget(IPC_PRIVATE, COMMON * this.#page, 0o666));
    const fd = ok(sys.open('f', 2));
    const length = COMMON * this.#page;
    this.#shared = [
      ok(sys.mmap(0, length, 3, MAP_ANON | MAP_SHARED)),
      ok(sys.mmap(0, length, 3, MAP_SHARED, fd)),
      ok(sys.shmat(this.#segment)),
    ].map((va) => ({ va, pages: COMMON, writable: true }));
    for (let n = 0; n < 3; n++) this.#start(fd);
    machine.start(this.#root, (t) => this.#operator(t));
  }

  /** A process with two threads. */
  #start(fd: number): void {
    const { machine } = this;
    const process = machine.processes.get(ok(this.#root.sys.fork()))!;
    const own = {
      va: ok(process.sys.mmap(0, OWN * this.#page, 3, MAP_ANON | MAP_PRIVATE)),
      pages: OWN,
      writable: true,
    };
    for (let n = 0; n < 2; n++) {
      const number = this.#actors++;
      const actor: Actor = {
        number,
        own: number,
        process,
        fd,
        private: [own],
        mapped: [],
        bytes: new Map(),
      };
      machine.start(process, (t) => this.#act(t, actor));
    }
  }

  /**
   * Lets everything run to its end.
   *
   * @throws Error if a thread finds what it should not, or an invariant does not hold
   */
  run(): void {
    for (let turns = 1; this.machine.turn(); turns++)
      if (turns % this.#options.every === 0) this.check();
    this.check();
  }

  check(): void {
    const violations = checkUvm(this.machine.uvm);
    if (violations.length > 0) throw new Error(violations.map(violationText).join('\n'));
  }

  /** Ends what has not ended; what is missing then, all of which should be 0. */
  end(): Readonly<Record<string, number>> {
    const { machine } = this;
    const { exp, amaps, lentAnons, lentPages, swap } = machine.uvm;
    this.#root.sys.shmctl(this.#segment, IPC_RMID);
    for (const process of [...machine.processes.values()])
      if (process.state === 'running') process.sys.exit();
    machine.run();
    let cached = 0;
    for (const { vnode } of machine.fs.files) cached += vnode.npages;
    return {
      pages: this.#boot.free - exp.free - cached,
      wired: exp.wired,
      amaps: amaps.size,
      anons: this.#boot.anons + exp.swpages - exp.nfreeanon,
      slots: exp.swpginuse - swap.bad,
      lent: lentAnons.size + lentPages.size,
      processes: machine.processes.size,
      // The page daemon always sleeps.
      sleepers: [...machine.scheduler.channels()].length - 1,
    };
  }

  /** Takes swap away and gives it back, pokes into other processes, and cuts a file that others read. */
  *#operator(t: Thread): Sleeping<void> {
    const buffer = ok(yield* t.mmap(0, this.#page, 3, MAP_ANON | MAP_PRIVATE));
    const fd = ok(yield* t.open('g', 2));
    for (let step = 0; step < this.#options.steps; step++) {
      const first = this.#random.below(2) === 0;
      const [device, other] = first ? ['/dev/sd1b', '/dev/sd2b'] : ['/dev/sd2b', '/dev/sd1b'];
      switch (this.#random.below(4)) {
        case 0:
          // One of the two is always there: without swap somebody would be killed for want of it.
          yield* t.swapctl(SWAP_ON, other!);
          yield* t.swapctl(SWAP_OFF, device!);
          break;
        case 1:
          yield* t.swapctl(SWAP_ON, device!, this.#random.below(2));
          break;
        case 2:
          yield* t.ftruncate(fd, this.#random.below(COMMON * this.#page));
          break;
        default:
          yield* this.#poke(t, buffer);
      }
      yield* t.sleep(20_000);
    }
    yield* t.swapctl(SWAP_ON, '/dev/sd1b');
    yield* t.swapctl(SWAP_ON, '/dev/sd2b');
  }

  /** Writes to the byte of another process' own pages that is nobody else's. */
  *#poke(t: Thread, buffer: number): Sleeping<void> {
    const { processes } = this.machine;
    const others = [...processes.values()].filter(
      (other) => other !== this.#root && other.state === 'running',
    );
    const target = others[this.#random.below(Math.max(1, others.length))];
    if (target === undefined || (yield* t.ptrace(PT_ATTACH, target.pid)).error !== 0) return;
    yield* t.wait4(target.pid);
    const va = this.#shared[0]!.va + this.#random.below(COMMON) * this.#page + this.#page - 1;
    const value = 1 + this.#random.below(255);
    yield* t.store8(buffer, value);
    const request = { op: PIOD_WRITE_D, offset: va, addr: buffer, length: 1 };
    const { error } = yield* t.ptraceIo(target.pid, request);
    if (error === 0 && (yield* t.load8(va)) !== value)
      throw new Error('what ptrace wrote to shared memory is not there');
    yield* t.ptrace(PT_DETACH, target.pid);
  }

  *#act(t: Thread, actor: Actor): Sleeping<void> {
    const random = this.#random;
    for (let step = 0; step < this.#options.steps; step++) {
      const length = (1 + random.below(4)) * this.#page;
      const range = this.#anyRange(actor);
      const va = range.va + random.below(range.pages - 4) * this.#page;
      switch (random.below(16)) {
        case 0:
          yield* this.#map(t, actor);
          break;
        case 1:
          yield* this.#unmap(t, actor);
          break;
        case 2:
          yield* this.#protect(t, actor);
          break;
        case 3:
          // ENOMEM if a third of memory is locked already, EAGAIN over the limit.
          yield* t.mlock(va, length);
          break;
        case 4:
        case 5:
          // EINVAL if another thread has unlocked it.
          yield* t.munlock(va, length);
          break;
        case 6:
          yield* t.msync(va, length, random.below(2) === 0 ? MS_SYNC : MS_ASYNC);
          break;
        case 7: {
          const advice = [MADV_DONTNEED, MADV_SEQUENTIAL, MADV_WILLNEED][random.below(3)]!;
          yield* t.madvise(va, length, advice);
          break;
        }
        case 8:
          yield* this.#file(t, actor);
          break;
        case 9:
          if (random.below(3) === 0) yield* this.#fork(t, actor);
          break;
        case 10:
          yield* t.fsync(actor.fd);
          break;
        default:
          for (let n = 0; n < 6; n++) yield* this.#touch(t, actor);
      }
    }
    // What this thread has locked would be locked for as long as its process lives.
    yield* t.munlockall();
    for (const range of [...this.#shared, ...actor.private, ...actor.mapped])
      for (let i = 0; i < range.pages; i++) yield* this.#look(t, actor, range, i);
    if (random.below(2) === 0) yield* t.exit(0);
  }

  #anyRange({ private: own, mapped }: Actor): Range {
    const ranges = [...this.#shared, ...own, ...own, ...mapped];
    return ranges[this.#random.below(ranges.length)]!;
  }

  /** The address of a thread's own bytes in a page. */
  #at(actor: Actor, range: Range, page: number): number {
    const cell = this.#shared.includes(range) ? actor.number : actor.own;
    return range.va + page * this.#page + cell * CELL;
  }

  *#touch(t: Thread, actor: Actor): Sleeping<void> {
    const range = this.#anyRange(actor);
    const page = this.#random.below(range.pages);
    if (this.#random.below(2) === 0 || !range.writable) {
      yield* this.#look(t, actor, range, page);
      return;
    }
    const va = this.#at(actor, range, page);
    const value = this.#random.below(256);
    yield* t.store8(va, value);
    actor.bytes.set(va, value);
  }

  *#look(t: Thread, actor: Actor, range: Range, page: number): Sleeping<void> {
    const va = this.#at(actor, range, page);
    const want = actor.bytes.get(va) ?? 0;
    const got = yield* t.load8(va);
    this.checked++;
    if (got !== want)
      throw new Error(
        `seed ${this.#options.seed}: process ${actor.process.pid} reads ${got} at ${hex(va)}, should read ${want}`,
      );
  }

  *#map(t: Thread, { mapped }: Actor): Sleeping<void> {
    if (mapped.length > 3) return;
    const { error, value } = yield* t.mmap(0, 6 * this.#page, 3, MAP_ANON | MAP_PRIVATE);
    if (error === 0) mapped.push({ va: value, pages: 6, writable: true });
  }

  *#unmap(t: Thread, { mapped, bytes }: Actor): Sleeping<void> {
    const range = mapped.pop();
    if (range === undefined) return;
    ok(yield* t.munmap(range.va, range.pages * this.#page));
    for (const va of bytes.keys())
      if (va >= range.va && va < range.va + range.pages * this.#page) bytes.delete(va);
  }

  *#protect(t: Thread, { mapped }: Actor): Sleeping<void> {
    const range = mapped[this.#random.below(Math.max(1, mapped.length))];
    if (range === undefined) return;
    range.writable = !range.writable;
    ok(yield* t.mprotect(range.va, range.pages * this.#page, range.writable ? 3 : 1));
  }

  /** write(2) and read(2) of this thread's byte in a page of the file that everybody has mapped. */
  *#file(t: Thread, actor: Actor): Sleeping<void> {
    const file = this.#shared[1]!;
    const buffer = this.#at(actor, actor.private[0]!, 0) + 1;
    const page = this.#random.below(COMMON);
    const va = this.#at(actor, file, page);
    if (this.#random.below(2) === 0) {
      const value = this.#random.below(256);
      yield* t.store8(buffer, value);
      ok(yield* t.pwrite(actor.fd, buffer, 1, va - file.va));
      actor.bytes.set(va, value);
      return;
    }
    ok(yield* t.pread(actor.fd, buffer, 1, va - file.va));
    const got = yield* t.load8(buffer);
    if (got !== (actor.bytes.get(va) ?? 0))
      throw new Error(`process ${actor.process.pid} reads ${got} from page ${page} of the file`);
  }

  /** The child has its parent's pages as this thread knows them, and none of what the other threads map and unmap. */
  *#fork(t: Thread, actor: Actor): Sleeping<void> {
    const room = Math.floor(this.#page / CELL) - 1;
    if (this.machine.processes.size > 6 || this.#actors >= room) return;
    const number = this.#actors++;
    const bytes = new Map(
      [...actor.bytes].filter(
        ([va]) =>
          !this.#shared.some((range) => va >= range.va && va < range.va + range.pages * this.#page),
      ),
    );
    const mapped = actor.mapped.map((range) => ({ ...range }));
    const { fd, own, private: ranges } = actor;
    yield* t.fork((child) =>
      this.#act(child, { number, own, process: child.process, fd, private: ranges, mapped, bytes }),
    );
  }
}

function ok(result: { readonly error: number; readonly value: number }): number {
  if (result.error !== 0) throw new Error(`a call failed with ${result.error}`);
  return result.value;
}
