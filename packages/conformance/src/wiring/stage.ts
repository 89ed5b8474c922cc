import { KernelPanic, type Port, type Prot, type Va } from '@uvmkit/pmap';
import {
  Machine,
  O_RDWR,
  type Process,
  PT_ATTACH,
  PT_DETACH,
  PT_WRITE_D,
  type SyscallResult,
  type ThreadBody,
  WUNTRACED,
} from '@uvmkit/machine';
import { checkUvm, type Violation, type WiringPolicy } from '@uvmkit/uvm-core';
import type { Outcome } from '../row.ts';
import { attempt, SetupError, told } from '../world.ts';

/** RAM of a scenario's machine: enough for all of them, and for the hash table of a PowerPC. */
const MEMORY = 8 << 20;
/** RAM at the end of it that a device shows: of any page size a few pages. */
const DEVICE_MEMORY = 64 << 10;
/** So that locking everything does not lock a stack of megabytes. */
const STACK = 64 << 10;
const BLOCK = 1024;

/** One thing that a program saw, and what it should have seen. */
export interface Sight {
  readonly what: string;
  readonly seen: Outcome;
  /** Any of these is right. */
  readonly right: readonly Outcome[];
  /** A number that a limit is held against, not memory. */
  readonly isCount: boolean;
}

/** An invariant that did not hold after a step. */
export interface Break extends Violation {
  readonly step: string;
}

/** A line on the console, and the step that it came in. */
export interface ConsoleLine {
  readonly step: string;
  readonly text: string;
}

/** The last step of every scenario. */
export const CURTAIN = 'every process ends';

/** Is told what happens on a stage, as it does. What it has no ear for it need not hear. */
export interface Audience {
  /** The machine is there, and nothing has happened. */
  readonly begin: (machine: Machine) => void;
  /** What happens from now on is no part of the story (true), or is again (false). */
  readonly offstage?: (off: boolean) => void;
  /** A process enters. */
  readonly enter?: (name: string, process: Process) => void;
  /** There is a file. */
  readonly prop?: (name: string) => void;
  readonly step?: (text: string) => void;
  readonly see?: (sight: Sight) => void;
}

/** How to act a scenario. */
export interface PlayOptions {
  /** Is told what happens as it happens. */
  readonly audience?: Audience;
  /** The chance at each step of the machine that every pmap forgets all that is not wired; see `MachineOptions`. */
  readonly amnesia?: number;
}

/**
 * Where a scenario is acted: a machine just booted with a wiring policy, processes with names, steps in order. After each
 * step every invariant of UVM is examined; what does not hold is kept, and the play goes on.
 */
export class Stage {
  readonly machine: Machine;
  /** Bytes. */
  readonly page: number;
  readonly sights: Sight[] = [];
  readonly breaks: Break[] = [];
  readonly console: ConsoleLine[] = [];
  /** The step in which the machine stopped. */
  stoppedIn = '';
  readonly wiredAtBoot: number;
  #step = 'boot';
  readonly #known: Set<string> = new Set();
  readonly #audience: Audience | null;

  /** @throws RangeError if the port cannot have so many CPUs */
  constructor(port: Port, wiring: WiringPolicy, cpus: number, options: PlayOptions = {}) {
    const { audience = null, amnesia = 0 } = options;
    this.machine = new Machine({
      port,
      memory: MEMORY,
      deviceMemory: DEVICE_MEMORY,
      blockSize: BLOCK,
      cpus,
      wiring,
      amnesia,
      print: (text) => this.console.push({ step: this.#step, text }),
    });
    this.#audience = audience;
    this.page = port.layout.pageSize;
    this.wiredAtBoot = this.machine.uvm.exp.wired;
    audience?.begin(this.machine);
  }

  // Who and what there is.

  /** A process without a parent. */
  actor(name: string): Process {
    this.#audience?.offstage?.(true);
    const process = this.machine.spawn({ stackSize: STACK });
    this.#audience?.offstage?.(false);
    return this.known(name, process);
  }

  /** Gives a process that is there already a name. */
  known(name: string, process: Process): Process {
    this.#audience?.enter?.(name, process);
    return process;
  }

  /** A file of so many pages, filled with one byte; the name to open it by. */
  file(name: string, pages: number, byte: number): string {
    this.machine.fs.create(name, new Uint8Array(pages * this.page).fill(byte), 0o600);
    this.#audience?.prop?.(name);
    return name;
  }

  /** A device that shows the memory at the end of RAM; the name to open it by. */
  device(name: string): string {
    const { deviceMemory, md } = this.machine;
    // What a cookie counts is the port's business.
    const unit = md.pmap.physAddress(1);
    this.machine.devices.set(name, {
      mmap: (offset) => (offset < DEVICE_MEMORY ? (deviceMemory + offset) / unit : -1),
    });
    return name;
  }

  // What happens.

  /** One step of the story, told in a sentence. Nothing is acted on a machine that has stopped. */
  step(text: string, act: () => void): void {
    if (this.machine.panic !== null) return;
    this.#step = text;
    this.#audience?.step?.(text);
    this.#untilPanic(act);
    if (this.machine.panic !== null) {
      this.stoppedIn = text;
      return;
    }
    this.#examine();
  }

  /** A program looks at something: bytes that it reads, what a call answers. `right` is what it should see. */
  see(what: string, right: Outcome | readonly Outcome[], look: () => Outcome): void {
    this.#see(what, right, look, false);
  }

  /** Likewise, of something that a count decides: what a limit is held against. */
  seeCount(what: string, right: Outcome, look: () => Outcome): void {
    this.#see(what, right, look, true);
  }

  /** The value of a call that must succeed. */
  must(what: string, result: SyscallResult): number {
    if (result.error !== 0) throw new SetupError(`${what} answered ${told(result)}`);
    return result.value;
  }

  /** A mapping of a file or device from its start. */
  map(process: Process, name: string, pages: number, prot: Prot, flags: number): Va {
    const fd = this.must('open', process.sys.open(name, O_RDWR));
    return this.must('mmap', process.sys.mmap(0, pages * this.page, prot, flags, fd, 0));
  }

  /** A thread of the process runs until nothing more happens, or until `until` says so. */
  run(process: Process, body: ThreadBody, until: () => boolean = () => false): void {
    this.machine.start(process, body);
    while (!until() && this.machine.turn());
  }

  /** One process writes a word into another's memory, as a debugger sets a breakpoint: through ptrace(2). */
  poke(tracer: Process, target: Process, va: Va, word: number): void {
    const { pid } = target;
    this.must('ptrace PT_ATTACH', tracer.sys.ptrace(PT_ATTACH, pid));
    this.must('wait4', tracer.sys.wait4(pid, WUNTRACED));
    this.must('ptrace PT_WRITE_D', tracer.sys.ptrace(PT_WRITE_D, pid, va, word));
    this.must('ptrace PT_DETACH', tracer.sys.ptrace(PT_DETACH, pid));
  }

  /** Every process ends: what is left then is left for good. */
  curtain(): void {
    this.step(CURTAIN, () => {
      for (const process of [...this.machine.processes.values()])
        if (process.state === 'running') process.sys.exit();
      this.machine.run();
    });
  }

  /** Wired pages beyond those at boot. */
  get wiredPages(): number {
    return this.machine.uvm.exp.wired - this.wiredAtBoot;
  }

  #see(
    what: string,
    right: Outcome | readonly Outcome[],
    look: () => Outcome,
    isCount: boolean,
  ): void {
    if (this.machine.panic !== null) return;
    this.#untilPanic(() => {
      const sight = { what, seen: attempt(look), right: [right].flat(), isCount };
      this.sights.push(sight);
      this.#audience?.see?.(sight);
    });
    if (this.machine.panic !== null) this.stoppedIn ||= this.#step;
  }

  #untilPanic(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof KernelPanic)) throw error;
    }
  }

  #examine(): void {
    for (const violation of checkUvm(this.machine.uvm)) {
      const key = `${violation.invariant} ${violation.here} ${violation.there}`;
      if (this.#known.has(key)) continue;
      this.#known.add(key);
      this.breaks.push({ ...violation, step: this.#step });
    }
  }
}
