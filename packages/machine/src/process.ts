import {
  ACCESS_USER,
  type Access,
  EBADF,
  ENOMEM,
  type Errno,
  FAULT,
  type Pa,
  type PhysicalMemory,
  type Prot,
  type Va,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import {
  type Caller,
  type MappableDeviceFile,
  type MappableFile,
  type Sleeping,
  type Uarea,
  type Vmspace,
  WAIT,
  type WaitChannel,
} from '@uvmkit/uvm-core';
import { type AccessPath, REACHED } from './access.ts';
import type { Context } from './context.ts';
import { copyin, copyout, pageRest } from './copy.ts';
import type { Cpu } from './cpu.ts';
import { Descriptors } from './descriptors.ts';
import type { Limits } from './limits.ts';
import type { Machine } from './machine.ts';
import { endProcess } from './process-calls.ts';
import { ProcessSignal, signalFor } from './signal.ts';
import { type Disposition, MOST_HANDLED, trapSignal } from './signal-calls.ts';
import { Syscalls } from './syscalls.ts';
import type { Thread } from './thread.ts';
import type { WaitingFault } from './trap.ts';

const USER_READ: Access = VM_PROT_READ | ACCESS_USER;
const USER_WRITE: Access = VM_PROT_WRITE | ACCESS_USER;
const USER_FETCH: Access = VM_PROT_EXECUTE | ACCESS_USER;

/**
 * A process: an address space, descriptors, threads, and the plain form of everything a process does.
 *
 * Accesses are user-mode ones through the MMU of {@link cpu}, byte for byte; words have the port's byte
 * order and may be unaligned. One that hits the TLB costs a translation and a memory access, and nothing is
 * allocated. One that faults turns the machine's clock until the fault is resolved; if it is refused,
 * a {@link ProcessSignal} is thrown and the process goes on as if it had a handler, unless the signal was SIGKILL.
 */
export class Process implements Caller, Context {
  readonly pid: number;
  readonly machine: Machine;
  /** After the process' end the kernel's. */
  space: Vmspace;
  parent: Process | null;
  readonly children: Set<Process> = new Set();
  readonly threads: Set<Thread> = new Set();
  state: 'running' | 'zombie' | 'dead' = 'running';
  /** From the start of its end on. */
  exiting = false;
  /** What wait4 tells of it: `exitCode` and `terminationSignal` read it. */
  status = 0;
  /** Soft limits. */
  limits: Limits;
  /** What it may raise them to. */
  hardLimits: Limits;
  /** The highest RLIMIT_MEMLOCK that it has ever had: lowering the limit unlocks nothing. Bytes. */
  mostLocked: number;
  readonly superuser: boolean;
  descriptors: Descriptors = new Descriptors();
  /** What it wants done with signals, where that is not the default action. */
  readonly dispositions: Map<number, Disposition> = new Map();
  /** Signals with a handler that have not been delivered yet. */
  readonly pending: number[] = [];
  /** The signal that stopped it, 0 while it may run. */
  stopSignal = 0;
  /** Whether wait4 has told of that. */
  stopReported = false;
  /** The signal that it goes on with after a tracer had it stopped. */
  resumeSignal = 0;
  /** Who traces it (ptrace(2)). */
  tracer: Process | null = null;
  /** Whose child it was before, as long as it is traced. */
  realParent: Process | null = null;
  /** Whether a thread of it stands stopped at a signal of its own. */
  trapped = false;
  /** Whether its parent sleeps in vfork(2) until it has an image of its own (P_PPWAIT). */
  vforked = false;
  /** Its u-area; null after its end. */
  uarea: Uarea | null;
  /** Its u-area may be anywhere: it must be swapped in before it runs (without P_INMEM). */
  swappedOut = false;
  /** When it ran last other than on the fast path, ns since boot. */
  lastRun: number;
  /** The CPU on which it ran last, and on which plain calls run. May be set. */
  cpu: Cpu;
  /** Where it waits for its children and its threads. */
  readonly channel: WaitChannel;
  /** The system calls as plain calls. */
  readonly sys: Syscalls;
  readonly process: Process = this;
  readonly thread: null = null;
  private readonly memory: PhysicalMemory;
  private readonly path: AccessPath;
  private readonly littleEndian: boolean;
  /** False where a data cache stands before memory. */
  private readonly direct: boolean;

  /** Made by `Machine.spawn` and by fork. */
  constructor(
    machine: Machine,
    pid: number,
    space: Vmspace,
    uarea: Uarea,
    limits: Limits,
    superuser: boolean,
    parent: Process | null,
  ) {
    this.machine = machine;
    this.pid = pid;
    this.space = space;
    this.uarea = uarea;
    this.lastRun = machine.now;
    this.limits = limits;
    this.mostLocked = limits.memlock;
    this.hardLimits = parent?.hardLimits ?? limits;
    this.superuser = superuser;
    this.parent = parent;
    this.cpu = parent?.cpu ?? machine.cpus[0]!;
    this.channel = machine.uvm.newChannel();
    this.sys = new Syscalls(this);
    this.memory = machine.memory;
    this.path = machine.path;
    this.littleEndian = machine.md.port.layout.littleEndian;
    this.direct = machine.md.mmus.every((mmu) => mmu.dataCache === null);
  }

  /** Makes it the process that runs on the CPU. RangeError if it has no space of its own any more. */
  load(cpu: Cpu): void {
    this.machine.checkRunning();
    if (this.space === this.machine.kernelSpace)
      throw new RangeError(`process ${this.pid} has ended`);
    cpu.load(this.space);
  }

  /** Likewise, on its own CPU; but the end of its end is made in the kernel's space. */
  loadUnlessEnding(): void {
    this.lastRun = this.machine.now;
    if (this.space !== this.machine.kernelSpace) this.load(this.cpu);
    else this.machine.md.currentCpu = this.cpu.number;
  }

  mappable(fd: number): MappableFile | MappableDeviceFile | Errno {
    return this.descriptors.get(fd)?.mappable() ?? EBADF;
  }

  /** Turns the clock until the operation, which this process makes, is done. */
  drive<T>(operation: Sleeping<T>): T {
    return this.machine.driveFor(this, operation);
  }

  // Words. The first lines are the fast path: the space is loaded, the word aligned, the TLB hit.

  load8(va: Va): number {
    const { cpu } = this;
    if (cpu.space !== this.space) return this.#load(va, 1);
    let pa = cpu.mmu.translate(va, USER_READ);
    if ((pa | 0) === FAULT) pa = this.resolve(va, 1, USER_READ);
    return this.direct ? this.memory.read8(pa) : cpu.mmu.dataCache!.load(va, pa, 1);
  }

  load16(va: Va): number {
    const { cpu } = this;
    if (cpu.space !== this.space || (va & 1) !== 0) return this.#load(va, 2);
    let pa = cpu.mmu.translate(va, USER_READ);
    if ((pa | 0) === FAULT) pa = this.resolve(va, 2, USER_READ);
    if (!this.direct) return cpu.mmu.dataCache!.load(va, pa, 2);
    return this.littleEndian ? this.memory.readLe16(pa) : this.memory.readBe16(pa);
  }

  load32(va: Va): number {
    const { cpu } = this;
    if (cpu.space !== this.space || (va & 3) !== 0) return this.#load(va, 4);
    let pa = cpu.mmu.translate(va, USER_READ);
    if ((pa | 0) === FAULT) pa = this.resolve(va, 4, USER_READ);
    if (!this.direct) return cpu.mmu.dataCache!.load(va, pa, 4);
    return this.littleEndian ? this.memory.readLe32(pa) : this.memory.readBe32(pa);
  }

  store8(va: Va, value: number): void {
    const { cpu } = this;
    if (cpu.space !== this.space) {
      this.#store(va, 1, value);
      return;
    }
    let pa = cpu.mmu.translate(va, USER_WRITE);
    if ((pa | 0) === FAULT) pa = this.resolve(va, 1, USER_WRITE);
    if (this.direct) this.memory.write8(pa, value & 0xff);
    else cpu.mmu.dataCache!.store(va, pa, 1, value & 0xff);
  }

  store16(va: Va, value: number): void {
    const { cpu } = this;
    if (cpu.space !== this.space || (va & 1) !== 0) {
      this.#store(va, 2, value);
      return;
    }
    let pa = cpu.mmu.translate(va, USER_WRITE);
    if ((pa | 0) === FAULT) pa = this.resolve(va, 2, USER_WRITE);
    if (!this.direct) cpu.mmu.dataCache!.store(va, pa, 2, value);
    else if (this.littleEndian) this.memory.writeLe16(pa, value);
    else this.memory.writeBe16(pa, value);
  }

  store32(va: Va, value: number): void {
    const { cpu } = this;
    if (cpu.space !== this.space || (va & 3) !== 0) {
      this.#store(va, 4, value);
      return;
    }
    let pa = cpu.mmu.translate(va, USER_WRITE);
    if ((pa | 0) === FAULT) pa = this.resolve(va, 4, USER_WRITE);
    if (!this.direct) cpu.mmu.dataCache!.store(va, pa, 4, value);
    else if (this.littleEndian) this.memory.writeLe32(pa, value);
    else this.memory.writeBe32(pa, value);
  }

  /** Fetches one byte as an instruction; a data cache, where there is one, serves fetches too. */
  fetch8(va: Va): number {
    const { cpu } = this;
    if (cpu.space !== this.space) {
      this.#reach(va, 1, USER_FETCH, false);
      return this.path.load(this.cpu, 0, 1);
    }
    let pa = cpu.mmu.translate(va, USER_FETCH);
    if ((pa | 0) === FAULT) pa = this.resolve(va, 1, USER_FETCH);
    return this.direct ? this.memory.read8(pa) : cpu.mmu.dataCache!.load(va, pa, 1);
  }

  /** Loads 64 bits in one access: `into` becomes [low, high]. */
  load64(va: Va, into: Uint32Array): void {
    this.#reach(va, 8, USER_READ, false);
    this.finishLoad64(this.cpu, into);
  }

  store64(va: Va, low: number, high: number): void {
    this.#reach(va, 8, USER_WRITE, false);
    this.finishStore64(this.cpu, low, high);
  }

  /** The two words of a 64-bit load whose bytes have just been reached. */
  finishLoad64(cpu: Cpu, into: Uint32Array): void {
    const low = this.littleEndian ? 0 : 4;
    into[0] = this.path.load(cpu, low, 4);
    into[1] = this.path.load(cpu, 4 - low, 4);
  }

  /** The two words of a 64-bit store whose bytes have just been reached. */
  finishStore64(cpu: Cpu, low: number, high: number): void {
    const at = this.littleEndian ? 0 : 4;
    this.path.store(cpu, at, 4, low);
    this.path.store(cpu, 4 - at, 4, high);
  }

  /**
   * Makes one access to one byte without moving it.
   *
   * @param access VM_PROT_* bits
   * @returns the physical address that it went to
   */
  touch(va: Va, access: Prot): Pa {
    const { cpu } = this;
    if (cpu.space !== this.space) {
      this.#reach(va, 1, access | ACCESS_USER, false);
      return this.path.pa;
    }
    const pa = cpu.mmu.translate(va, access | ACCESS_USER);
    return (pa | 0) !== FAULT ? pa : this.resolve(va, 1, access | ACCESS_USER);
  }

  /** Loads [va, va + length), a page at a time. */
  readBytes(va: Va, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const count = pageRest(this, va + done, length - done);
      this.#reach(va + done, count, USER_READ, false);
      this.path.read(this.cpu, bytes.subarray(done, done + count));
      done += count;
    }
    return bytes;
  }

  /** Stores bytes from `va` on, a page at a time: after a signal a part of them has been stored. */
  writeBytes(va: Va, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const count = pageRest(this, va + done, bytes.length - done);
      this.#reach(va + done, count, USER_WRITE, false);
      this.path.write(this.cpu, bytes.subarray(done, done + count));
      done += count;
    }
  }

  /** Reads the process' memory as the kernel does for write(2): the bytes, or EFAULT. */
  copyin(va: Va, length: number): Uint8Array | Errno {
    return this.drive(copyin(this, va, length));
  }

  /** Writes the process' memory as the kernel does for read(2): 0 or EFAULT. */
  copyout(va: Va, bytes: Uint8Array): Errno {
    return this.drive(copyout(this, va, bytes));
  }

  // The slow path.

  #load(va: Va, size: number): number {
    this.#reach(va, size, USER_READ, false);
    return this.path.load(this.cpu, 0, size);
  }

  #store(va: Va, size: number, value: number): void {
    this.#reach(va, size, USER_WRITE, false);
    this.path.store(this.cpu, 0, size, value);
  }

  /** The MMU has just answered FAULT: resolves it and answers where the access goes. */
  private resolve(va: Va, size: number, access: Access): Pa {
    this.#reach(va, size, access, true);
    return this.path.pa;
  }

  /** Turns the clock until the access can go ahead. */
  #reach(va: Va, size: number, access: Access, faulted: boolean): void {
    for (let handled = 0; !this.#attempt(va, size, access, faulted); handled++) {
      const signal = this.refused();
      if (signal.errno === ENOMEM) this.machine.drive(endProcess(this, signal.signal, null));
      else if (handled < MOST_HANDLED && this.drive(trapSignal(this.sys.calls, signal))) {
        faulted = false;
        continue;
      }
      throw signal;
    }
  }

  /** Turns the clock until the access can go ahead (true) or is refused (false). */
  #attempt(va: Va, size: number, access: Access, faulted: boolean): boolean {
    try {
      let waiting: WaitingFault | null = null;
      for (;;) {
        if (this.swappedOut) {
          const error = this.machine.drive(this.machine.swapper.swapIn(this));
          if (error !== 0) return this.path.traps.refuse(va, access, error);
          faulted = false;
        }
        this.lastRun = this.machine.now;
        const outcome = this.path.attempt(this, this.cpu, va, size, access, waiting, faulted);
        if (outcome === REACHED) return true;
        if (outcome !== WAIT) return false;
        waiting = this.path.traps.waiting;
        faulted = false;
        this.machine.sleep(this.machine.uvm.waitChannel);
      }
    } catch (error) {
      throw this.machine.stopAt(error);
    }
  }

  /** The signal for the access that has just been refused. */
  refused(): ProcessSignal {
    const { machine, pid } = this;
    const { va, access, errno } = this.path.traps.refusal;
    const choice = signalFor(machine.rules, errno);
    if (errno === ENOMEM) machine.print(`UVM: pid ${pid} killed: out of swap`);
    if (machine.events.watched)
      machine.events.emit('proc.signal', pid, choice.signal, choice.code, va);
    return new ProcessSignal(pid, choice, va, access, errno);
  }
}
