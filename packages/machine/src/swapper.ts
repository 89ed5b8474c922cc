import type { Errno } from '@uvmkit/pmap';
import type { Sleeping, Vmspace, WaitChannel } from '@uvmkit/uvm-core';
import type { Machine } from './machine.ts';
import type { Process } from './process.ts';
import { CHANNEL_PREEMPT } from './scheduler.ts';
import { SIGKILL } from './signal.ts';
import type { Thread } from './thread.ts';

/** Virtual ns without running after which a process counts as idle: 20 s (maxslp). */
export const MAXSLP = 20_000_000_000;

/**
 * Swaps whole processes out and in (uvm_glue.c): what goes is the u-area, and what the pmap remembers.
 *
 *     in memory ──idle for MAXSLP, memory short──▶ swapped out ──something of it is to run──▶ in memory
 */
export class Swapper {
  readonly #machine: Machine;
  readonly #channel: WaitChannel;
  /** Threads that may run as soon as their processes are in memory. */
  readonly #waiting: Thread[] = [];
  #running = false;
  /** Processes that are being brought in. */
  readonly #coming: Set<Process> = new Set();

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#channel = machine.uvm.newChannel();
  }

  /**
   * Memory is short (uvm_swapout_threads): the idle processes go. If there are none, and not even a u-area would fit any
   * more, the one that has not run for longest does.
   */
  swapOutIdle(): void {
    const { uvm, processes, clock } = this.#machine;
    const awake = new Set<Vmspace>();
    const idle: Process[] = [];
    let oldest: Process | null = null;
    for (const process of processes.values()) {
      if (process.state !== 'running') continue;
      if (clock.now - process.lastRun < MAXSLP) awake.add(process.space);
      if (!swappable(process)) continue;
      if (clock.now - process.lastRun >= MAXSLP) idle.push(process);
      else if (oldest === null || process.lastRun < oldest.lastRun) oldest = process;
    }
    for (const map of uvm.maps) map.idle = false;
    for (const { space } of processes.values()) space.map.idle = !awake.has(space);
    uvm.kernelMap.idle = false;
    if (idle.length === 0 && oldest !== null && uvm.exp.free * uvm.pageSize <= oldest.uarea!.size)
      idle.push(oldest);
    for (const process of idle) this.#swapOut(process);
  }

  /** Pages that u-areas have wired now. */
  get wiredPages(): number {
    const { uvm, processes } = this.#machine;
    let bytes = 0;
    for (const { uarea } of processes.values()) if (uarea?.inMemory === true) bytes += uarea.size;
    return uvm.atop(bytes);
  }

  #swapOut(process: Process): void {
    const { uvm, cpus } = this.#machine;
    // Nothing of it may be reached without anybody noticing that it is not here.
    for (const cpu of cpus) if (cpu.space === process.space) cpu.unload();
    process.swappedOut = true;
    process.uarea!.swapOut();
    uvm.pmap.collect(process.space.pmap);
    if (uvm.events.watched) uvm.events.emit('proc.swapout', process.pid);
  }

  /**
   * Has a process in memory (uvm_swapin).
   *
   * @returns ENOMEM if nothing can be freed for it: it must end
   */
  *swapIn(process: Process): Sleeping<Errno> {
    const coming = this.#coming;
    while (coming.has(process)) yield this.#channel;
    if (!process.swappedOut) return 0;
    const { uvm } = this.#machine;
    coming.add(process);
    const error = yield* process.uarea!.swapIn();
    coming.delete(process);
    uvm.wakeup(this.#channel);
    if (error !== 0) return error;
    process.swappedOut = false;
    process.lastRun = this.#machine.now;
    if (uvm.events.watched) uvm.events.emit('proc.swapin', process.pid);
    return 0;
  }

  /** Waits while somebody brings the process in: its u-area must not go meanwhile. */
  *settle(process: Process): Sleeping<void> {
    while (this.#coming.has(process)) yield this.#channel;
  }

  /** The thread may run, but its process is not in memory: it is runnable again when that is. */
  request(thread: Thread): void {
    this.#waiting.push(thread);
    if (this.#running) return;
    this.#running = true;
    this.#machine.startKernelThread('swapper', this.#serve());
  }

  /** uvm_scheduler, as long as there is something for it to do. */
  *#serve(): Sleeping<void> {
    for (let thread; (thread = this.#waiting.shift()) !== undefined;) {
      const { process } = thread;
      if ((yield* this.swapIn(process)) !== 0 && !process.exiting) {
        process.machine.print(`UVM: pid ${process.pid} killed: out of swap`);
        process.machine.terminate(process, SIGKILL);
        // Its threads have only their end to run for.
        while (!process.exiting) yield CHANNEL_PREEMPT;
      }
      thread.awaken();
    }
    this.#running = false;
  }
}

/** A process that is on its way somewhere stays, and so does one whose memory a transfer uses (P_PHYSIO). */
function swappable({ state, exiting, swappedOut, space, uarea }: Process): boolean {
  return (
    state === 'running' &&
    !exiting &&
    !swappedOut &&
    uarea !== null &&
    space.map.vslocks.length === 0
  );
}
