import type { Sleeping } from '@uvmkit/uvm-core';
import type { Cpu } from './cpu.ts';
import type { Machine } from './machine.ts';
import { CHANNEL_PREEMPT, type Sleeper } from './scheduler.ts';

/** Whoever the machine can let run on a CPU. */
export interface Runnable {
  /** Runs until it sleeps, is preempted or ends. Called by the machine. */
  resume(cpu: Cpu): void;
}

/**
 * A thread of the kernel's own (kthread): the page daemon, say. It has no user memory, and runs in whatever
 * space the CPU has loaded.
 */
export class KernelThread implements Runnable, Sleeper {
  readonly name: string;
  /** True once the body has returned. */
  done = false;
  readonly #machine: Machine;
  readonly #body: Sleeping<unknown>;

  constructor(machine: Machine, name: string, body: Sleeping<unknown>) {
    this.#machine = machine;
    this.name = name;
    this.#body = body;
  }

  resume(cpu: Cpu): void {
    this.#machine.md.currentCpu = cpu.number;
    const step = this.#body.next();
    if (step.done === true) this.done = true;
    else if (step.value === CHANNEL_PREEMPT) this.awaken();
    else this.#machine.park(step.value, this);
  }

  awaken(): void {
    this.#machine.scheduler.ready(this);
  }
}
