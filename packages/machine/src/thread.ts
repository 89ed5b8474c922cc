import {
  ACCESS_USER,
  type Access,
  ENOMEM,
  type Pa,
  type Prot,
  type Va,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { type Sleeping, WAIT, type WaitChannel } from '@uvmkit/uvm-core';
import { REACHED } from './access.ts';
import { sleepInterruptibly } from './context.ts';
import { pageRest } from './copy.ts';
import type { Cpu } from './cpu.ts';
import type { Process } from './process.ts';
import { endProcess } from './process-calls.ts';
import type { SyscallResult } from './result.ts';
import { CHANNEL_PREEMPT, type Sleeper } from './scheduler.ts';
import { ProcessSignal } from './signal.ts';
import { SystemCalls } from './system-calls.ts';
import { MOST_HANDLED, takeSignals, trapSignal, waitWhileStopped } from './signal-calls.ts';
import { ThreadDeath } from './thread-death.ts';
import type { WaitingFault } from './trap.ts';

/** What a thread does: a generator function over its thread, whose accesses and calls it yields to. */
export type ThreadBody = (thread: Thread) => Generator<WaitChannel, unknown, void>;

/** One access or call in so many, drawn from the seed, lets other threads run first. */
const PREEMPT_ONE_IN = 4;

/**
 * A thread: a coroutine that shares its process' address space with the process' other threads.
 *
 *     machine.start(process, function* (t) {
 *       yield* t.store32(va, 1);
 *       const { value } = yield* t.mmap(0, 4096, 3, MAP_ANON, -1, 0);
 *     });
 *
 * It sleeps where the kernel would, and may be preempted before every access and call, so that seeds
 * make interleavings. A {@link ProcessSignal} that the body does not catch ends the process.
 */
export class Thread extends SystemCalls implements Sleeper {
  readonly process: Process;
  readonly thread: Thread = this;
  cpu: Cpu;
  /** True once the body has returned or been ended. */
  done = false;
  /** True if the thread is to end when it next leaves the kernel. */
  killed = false;
  /** True while it sleeps so that a signal may wake it. */
  interruptible = false;
  #channel: WaitChannel = CHANNEL_PREEMPT;
  readonly #body: Generator<WaitChannel, void, void>;

  constructor(process: Process, body: ThreadBody) {
    super();
    this.process = process;
    this.cpu = process.cpu;
    this.#body = this.#run(body);
  }

  /** Runs the thread on a CPU until it sleeps, is preempted or ends. Called by the machine. */
  resume(cpu: Cpu): void {
    const { process } = this;
    const { machine } = process;
    if (process.swappedOut && !process.exiting) {
      machine.swapper.request(this);
      return;
    }
    this.cpu = cpu;
    process.cpu = cpu;
    process.loadUnlessEnding();
    const step = this.#body.next();
    if (step.done !== true) {
      this.#channel = step.value;
      if (step.value === CHANNEL_PREEMPT) this.awaken();
      else machine.park(step.value, this);
      return;
    }
    this.done = true;
    process.threads.delete(this);
    // Whoever ends the process waits for its threads.
    machine.scheduler.wakeup(process.channel);
  }

  awaken(): void {
    this.process.machine.scheduler.ready(this);
  }

  /** Wakes it if it sleeps in a way that a signal may end. */
  interrupt(): void {
    if (!this.interruptible) return;
    this.interruptible = false;
    this.process.machine.scheduler.forget(this.#channel, this);
    this.awaken();
  }

  *#run(body: ThreadBody): Generator<WaitChannel, void, void> {
    try {
      this.#leaveKernel();
      yield* body(this);
    } catch (error) {
      if (this.killed || error instanceof ThreadDeath) return;
      if (!(error instanceof ProcessSignal) || error.pid !== this.process.pid) throw error;
      yield* endProcess(this.process, error.signal, this);
    }
  }

  /** Back in user mode there is nothing to go on with if the thread is to end. */
  #leaveKernel(): void {
    if (this.killed) throw new ThreadDeath();
  }

  /** Lets other threads run. */
  *pause(): Sleeping<void> {
    yield CHANNEL_PREEMPT;
    this.#leaveKernel();
  }

  *#maybePreempt(): Sleeping<void> {
    const { process } = this;
    if (process.machine.random.below(PREEMPT_ONE_IN) === 0) yield CHANNEL_PREEMPT;
    this.#leaveKernel();
    if (process.stopSignal !== 0) {
      yield* waitWhileStopped(this);
      this.#leaveKernel();
    }
    if (process.pending.length > 0) yield* takeSignals(this);
  }

  /** Sleeps for so many ns of virtual time. */
  *sleep(ns: number): Sleeping<void> {
    const { machine } = this.process;
    const channel = machine.uvm.newChannel();
    let over = false;
    machine.clock.after(ns, () => {
      over = true;
      machine.scheduler.wakeup(channel);
    });
    while (!over) if (yield* sleepInterruptibly(this, channel)) break;
    this.#leaveKernel();
  }

  protected override *enter<T extends SyscallResult>(
    number: number,
    call: Sleeping<T>,
  ): Sleeping<T> {
    yield* this.#maybePreempt();
    const result = yield* super.enter(number, call);
    this.#leaveKernel();
    return result;
  }

  // Accesses in user mode.

  *load8(va: Va): Sleeping<number> {
    return yield* this.#load(va, 1);
  }

  *load16(va: Va): Sleeping<number> {
    return yield* this.#load(va, 2);
  }

  *load32(va: Va): Sleeping<number> {
    return yield* this.#load(va, 4);
  }

  /** Loads 64 bits as two words: `into` becomes [low, high]. */
  *load64(va: Va, into: Uint32Array): Sleeping<void> {
    yield* this.#reach(va, 8, VM_PROT_READ);
    this.process.finishLoad64(this.cpu, into);
  }

  *store8(va: Va, value: number): Sleeping<void> {
    yield* this.#store(va, 1, value);
  }

  *store16(va: Va, value: number): Sleeping<void> {
    yield* this.#store(va, 2, value);
  }

  *store32(va: Va, value: number): Sleeping<void> {
    yield* this.#store(va, 4, value);
  }

  *store64(va: Va, low: number, high: number): Sleeping<void> {
    yield* this.#reach(va, 8, VM_PROT_WRITE);
    this.process.finishStore64(this.cpu, low, high);
  }

  /** Fetches one byte as an instruction. */
  *fetch8(va: Va): Sleeping<number> {
    yield* this.#reach(va, 1, VM_PROT_EXECUTE);
    return this.process.machine.path.load(this.cpu, 0, 1);
  }

  /** Makes one access to one byte without moving it. The physical address that it went to. */
  *touch(va: Va, access: Prot): Sleeping<Pa> {
    yield* this.#reach(va, 1, access);
    return this.process.machine.path.pa;
  }

  /** Loads [va, va + length), a page at a time. */
  *readBytes(va: Va, length: number): Sleeping<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const count = pageRest(this, va + done, length - done);
      yield* this.#reach(va + done, count, VM_PROT_READ);
      this.process.machine.path.read(this.cpu, bytes.subarray(done, done + count));
      done += count;
    }
    return bytes;
  }

  /** Stores bytes from `va` on, a page at a time. */
  *writeBytes(va: Va, bytes: Uint8Array): Sleeping<void> {
    for (let done = 0; done < bytes.length;) {
      const count = pageRest(this, va + done, bytes.length - done);
      yield* this.#reach(va + done, count, VM_PROT_WRITE);
      this.process.machine.path.write(this.cpu, bytes.subarray(done, done + count));
      done += count;
    }
  }

  *#load(va: Va, size: number): Sleeping<number> {
    yield* this.#reach(va, size, VM_PROT_READ);
    return this.process.machine.path.load(this.cpu, 0, size);
  }

  *#store(va: Va, size: number, value: number): Sleeping<void> {
    yield* this.#reach(va, size, VM_PROT_WRITE);
    this.process.machine.path.store(this.cpu, 0, size, value);
  }

  /** Sleeps until the access can go ahead; nothing happens between its return and the next yield. */
  *#reach(va: Va, size: number, prot: Prot): Sleeping<void> {
    yield* this.#maybePreempt();
    const { process } = this;
    const { path, uvm } = process.machine;
    const access: Access = prot | ACCESS_USER;
    let waiting: WaitingFault | null = null;
    for (let handled = 0; ;) {
      const outcome = path.attempt(process, this.cpu, va, size, access, waiting, false);
      if (outcome === REACHED) return;
      if (outcome === WAIT) {
        waiting = path.traps.waiting;
        yield uvm.waitChannel;
        this.#leaveKernel();
        continue;
      }
      const signal = process.refused();
      if (signal.errno === ENOMEM) {
        yield* endProcess(process, signal.signal, this);
        throw new ThreadDeath();
      }
      if (handled++ >= MOST_HANDLED || !(yield* trapSignal(this, signal))) throw signal;
      this.#leaveKernel();
      waiting = null;
    }
  }
}
