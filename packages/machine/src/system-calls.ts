import type { Prot, Va } from '@uvmkit/pmap';
import {
  type Inherit,
  type Sleeping,
  sysBreak,
  sysMadvise,
  sysMinherit,
  sysMlockall,
  sysMunlockall,
} from '@uvmkit/uvm-core';
import type { Errno } from '@uvmkit/pmap';
import type { Context } from './context.ts';
import type { Cpu } from './cpu.ts';
import * as files from './file-calls.ts';
import type { Image } from './image.ts';
import { getrlimit, type Limit, setrlimit } from './limits.ts';
import * as memory from './memory-calls.ts';
import { mlock, munlock } from './mlock-calls.ts';
import type { Process } from './process.ts';
import { endProcess, exec, exitStatus, fork, vfork, wait4, WAIT_ANY } from './process-calls.ts';
import { resultOf, type SyscallResult, succeeded } from './result.ts';
import {
  type Disposition,
  kill,
  sigaction,
  takeSignals,
  waitWhileStopped,
} from './signal-calls.ts';
import { ptrace, ptraceIo, type TraceTransfer } from './ptrace.ts';
import type { SegmentStatus } from './shm.ts';
import { type MachineSwapctlResult, swapctl } from './swap-calls.ts';
import { sysctl, type SysctlResult } from './sysctl.ts';
import type { Thread, ThreadBody } from './thread.ts';

/** Virtual ns that a system call takes beside what it waits for. */
export const SYSCALL_TIME = 500;

/** The numbers of system calls, as `proc.syscall` events give them (sys/syscall.h). */
export const SYS = {
  exit: 1,
  fork: 2,
  read: 3,
  write: 4,
  open: 5,
  close: 6,
  wait4: 7,
  unlink: 10,
  break: 17,
  ptrace: 26,
  kill: 37,
  dup: 41,
  pipe: 42,
  execve: 59,
  vfork: 66,
  munmap: 73,
  mprotect: 74,
  madvise: 75,
  mincore: 78,
  fsync: 95,
  socketpair: 135,
  pread: 173,
  pwrite: 174,
  getrlimit: 194,
  setrlimit: 195,
  mmap: 197,
  lseek: 199,
  ftruncate: 201,
  sysctl: 202,
  mlock: 203,
  munlock: 204,
  shmat: 228,
  shmdt: 230,
  shmget: 231,
  mlockall: 242,
  munlockall: 243,
  minherit: 273,
  swapctl: 271,
  msync: 277,
  sigaction: 291,
  shmctl: 304,
} as const;

/**
 * Every system call in its sleeping form, with NetBSD's values and argument order. Addresses and lengths are bytes;
 * errors and values are those of the manual of December 2001 where nothing is said.
 */
export abstract class SystemCalls implements Context {
  abstract readonly process: Process;
  abstract readonly cpu: Cpu;
  /** The thread that calls, or null for plain calls. */
  abstract readonly thread: Thread | null;
  /** Signals whose handlers run now. */
  readonly handling: Set<number> = new Set();

  /** Makes one call: counts it, takes the interrupts that are due, reports it. */
  protected *enter<T extends SyscallResult>(number: number, call: Sleeping<T>): Sleeping<T> {
    const { amnesia, clock, uvm } = this.process.machine;
    amnesia?.step();
    uvm.exp.syscalls++;
    clock.charge(SYSCALL_TIME);
    if (clock.due) clock.runDue();
    if (this.thread === null) {
      if (this.process.stopSignal !== 0) yield* waitWhileStopped(this);
      if (this.process.pending.length > 0) yield* takeSignals(this);
    }
    const result = yield* call;
    if (uvm.events.watched) uvm.events.emit('proc.syscall', this.process.pid, number, result.error);
    return result;
  }

  *#errno(number: number, call: Sleeping<Errno>): Sleeping<SyscallResult> {
    return yield* this.enter(number, asResult(call));
  }

  get #uvm(): Process['machine']['uvm'] {
    return this.process.machine.uvm;
  }

  // Memory.

  /** The value is the address. `fd` is −1 with MAP_ANON. */
  *mmap(
    addr: Va,
    length: number,
    prot: Prot,
    flags: number,
    fd = -1,
    offset = 0,
  ): Sleeping<SyscallResult> {
    const call = memory.mmap(this, addr, length, prot, flags, fd, offset);
    return yield* this.enter(SYS.mmap, call);
  }

  *munmap(addr: Va, length: number): Sleeping<SyscallResult> {
    return yield* this.#errno(SYS.munmap, this.#thenReclaim(memory.munmap(this, addr, length)));
  }

  *mprotect(addr: Va, length: number, prot: Prot): Sleeping<SyscallResult> {
    return yield* this.#errno(SYS.mprotect, memory.mprotect(this, addr, length, prot));
  }

  *minherit(addr: Va, length: number, inherit: Inherit): Sleeping<SyscallResult> {
    const call = sysMinherit(this.#uvm, this.process, addr, length, inherit);
    return yield* this.#errno(SYS.minherit, call);
  }

  *madvise(addr: Va, length: number, advice: number): Sleeping<SyscallResult> {
    const call = sysMadvise(this.#uvm, this.process, addr, length, advice);
    return yield* this.#errno(SYS.madvise, call);
  }

  *mlock(addr: Va, length: number): Sleeping<SyscallResult> {
    return yield* this.#errno(SYS.mlock, mlock(this, addr, length));
  }

  *munlock(addr: Va, length: number): Sleeping<SyscallResult> {
    return yield* this.#errno(SYS.munlock, munlock(this, addr, length));
  }

  *mlockall(flags: number): Sleeping<SyscallResult> {
    return yield* this.#errno(SYS.mlockall, sysMlockall(this.#uvm, this.process, flags));
  }

  *munlockall(): Sleeping<SyscallResult> {
    return yield* this.#errno(SYS.munlockall, sysMunlockall(this.#uvm, this.process));
  }

  /** Moves the end of the heap to `end`. */
  *brk(end: Va): Sleeping<SyscallResult> {
    return yield* this.#errno(SYS.break, sysBreak(this.#uvm, this.process, end));
  }

  /** Stores one byte a page at `vec`: 1 if the page is in memory. */
  *mincore(addr: Va, length: number, vec: Va): Sleeping<SyscallResult> {
    return yield* this.#errno(SYS.mincore, memory.mincore(this, addr, length, vec));
  }

  *msync(addr: Va, length: number, flags: number): Sleeping<SyscallResult> {
    return yield* this.#errno(SYS.msync, memory.msync(this, addr, length, flags));
  }

  // Files.

  /** The value is the descriptor. `mode` counts with O_CREAT. */
  *open(name: string, flags: number, mode = 0o600): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.open, files.open(this, name, flags, mode));
  }

  *close(fd: number): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.close, files.close(this, fd));
  }

  /** The value is the new descriptor. */
  *dup(fd: number): Sleeping<SyscallResult> {
    return yield* this.enter(
      SYS.dup,
      immediately(() => files.dup(this, fd)),
    );
  }

  /** The value is one descriptor, `second` the other: what is written to either is read from the other. */
  *pipe(): Sleeping<files.PairResult> {
    return yield* this.enter(
      SYS.pipe,
      immediately(() => files.pipe(this, false)),
    );
  }

  /** Likewise, but whole pages are lent to the kernel instead of copied. */
  *socketpair(): Sleeping<files.PairResult> {
    return yield* this.enter(
      SYS.socketpair,
      immediately(() => files.pipe(this, true)),
    );
  }

  *unlink(name: string): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.unlink, files.unlink(this, name));
  }

  /** Reads up to `length` bytes to `va`; the value is how many. */
  *read(fd: number, va: Va, length: number): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.read, files.read(this, fd, va, length, null));
  }

  *pread(fd: number, va: Va, length: number, offset: number): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.pread, files.read(this, fd, va, length, offset));
  }

  /** Writes `length` bytes from `va`; the value is how many. */
  *write(fd: number, va: Va, length: number): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.write, files.write(this, fd, va, length, null));
  }

  *pwrite(fd: number, va: Va, length: number, offset: number): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.pwrite, files.write(this, fd, va, length, offset));
  }

  /** The value is the new offset. */
  *lseek(fd: number, offset: number, whence: number): Sleeping<SyscallResult> {
    return yield* this.enter(
      SYS.lseek,
      immediately(() => files.lseek(this, fd, offset, whence)),
    );
  }

  *ftruncate(fd: number, size: number): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.ftruncate, files.ftruncate(this, fd, size));
  }

  *fsync(fd: number): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.fsync, files.fsync(this, fd));
  }

  // Processes.

  /**
   * The value is the child's pid.
   *
   * @param body what the child's first thread does; without it plain calls drive the child
   * @param shareSpace both use one address space (FORK_SHAREVM)
   */
  *fork(body: ThreadBody | null = null, shareSpace = false): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.fork, fork(this, body, shareSpace));
  }

  /** As fork, but in this process' space; it sleeps until the child has one of its own or has ended. */
  *vfork(body: ThreadBody): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.vfork, vfork(this, body));
  }

  /** Replaces the address space by a new image. */
  *exec(image: Image = {}): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.execve, exec(this, image, this.thread));
  }

  /** Ends the process. A thread does not come back from it. */
  *exit(code = 0): Sleeping<SyscallResult> {
    return yield* this.enter(
      SYS.exit,
      thenSucceed(endProcess(this.process, exitStatus(code), this.thread)),
    );
  }

  /** Waits for a child to end, or to be stopped; the value is its pid. */
  *wait4(
    pid: number = WAIT_ANY,
    options = 0,
  ): Sleeping<SyscallResult & { readonly status: number }> {
    return yield* this.enter(SYS.wait4, wait4(this, pid, options));
  }

  // Shared memory.

  /** The value is the id of the segment with that key. */
  *shmget(key: number, size: number, flags: number): Sleeping<SyscallResult> {
    return yield* this.enter(
      SYS.shmget,
      immediately(() => this.process.machine.shm.get(this, key, size, flags)),
    );
  }

  /** The value is the address at which the segment is mapped. */
  *shmat(id: number, addr: Va = 0, flags = 0): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.shmat, this.process.machine.shm.attach(this, id, addr, flags));
  }

  *shmdt(addr: Va): Sleeping<SyscallResult> {
    return yield* this.#errno(SYS.shmdt, this.process.machine.shm.detach(this, addr));
  }

  /** `status` is what IPC_STAT tells; `mode` counts with IPC_SET. */
  *shmctl(
    id: number,
    command: number,
    mode = 0,
  ): Sleeping<SyscallResult & { readonly status: SegmentStatus | null }> {
    return yield* this.enter(
      SYS.shmctl,
      immediately(() => this.process.machine.shm.control(this, id, command, mode)),
    );
  }

  // Swap space and other processes.

  /** `path` is a block device or a file. */
  *swapctl(command: number, path = '', misc = 0): Sleeping<MachineSwapctlResult> {
    return yield* this.enter(SYS.swapctl, swapctl(this, command, path, misc));
  }

  /** `old` of the result is what was there before; vm.* is all there is. */
  *sysctl(name: readonly number[], value?: number): Sleeping<SysctlResult> {
    return yield* this.enter(
      SYS.sysctl,
      immediately(() => sysctl(this.process, name, value)),
    );
  }

  /** The value of a request that reads is the word. */
  *ptrace(request: number, pid: number, addr: Va = 0, data = 0): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.ptrace, ptrace(this, request, pid, addr, data));
  }

  /** PT_IO; the value is the number of bytes moved. */
  *ptraceIo(pid: number, transfer: TraceTransfer): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.ptrace, ptraceIo(this, pid, transfer));
  }

  // Signals and limits.

  /** What to do with a signal from now on. */
  *sigaction(signal: number, action: Disposition): Sleeping<SyscallResult> {
    return yield* this.enter(
      SYS.sigaction,
      immediately(() => resultOf(sigaction(this, signal, action))),
    );
  }

  /** Sends a signal. */
  *kill(pid: number, signal: number): Sleeping<SyscallResult> {
    return yield* this.enter(
      SYS.kill,
      immediately(() => resultOf(kill(this, pid, signal))),
    );
  }

  /** `soft` and `hard` of the result are the limit, Infinity for none. */
  *getrlimit(resource: number): Sleeping<SyscallResult & Limit> {
    return yield* this.enter(
      SYS.getrlimit,
      immediately(() => getrlimit(this, resource)),
    );
  }

  *setrlimit(resource: number, limit: Limit): Sleeping<SyscallResult> {
    return yield* this.enter(SYS.setrlimit, setrlimit(this, resource, limit));
  }

  /** The last mapping of a file without a name may just have gone. */
  *#thenReclaim(call: Sleeping<Errno>): Sleeping<Errno> {
    const error = yield* call;
    yield* this.process.machine.reclaim();
    return error;
  }
}

function* asResult(call: Sleeping<Errno>): Sleeping<SyscallResult> {
  return resultOf(yield* call);
}

function* thenSucceed(call: Sleeping<void>): Sleeping<SyscallResult> {
  yield* call;
  return succeeded(0);
}

/** A call that never sleeps, in the form of those that may. */
// oxlint-disable-next-line require-yield -- it has nothing to wait for
function* immediately<T extends SyscallResult>(call: () => T): Sleeping<T> {
  return call();
}
