import type { Prot, Va } from '@uvmkit/pmap';
import {
  type Inherit,
  type Sleeping,
  sysBreak,
  sysMadvise,
  sysMinherit,
  sysMlock,
  sysMlockall,
  sysMmap,
  sysMprotect,
  sysMsync,
  sysMunlock,
  sysMunlockall,
  sysMunmap,
} from '@uvmkit/uvm-core';
import type { Errno } from '@uvmkit/pmap';
import type { Context } from './context.ts';
import type { Cpu } from './cpu.ts';
import * as files from './file-calls.ts';
import type { Image } from './image.ts';
import { mincore } from './memory-calls.ts';
import type { Process } from './process.ts';
import { endProcess, exec, exitStatus, fork, wait4, WAIT_ANY } from './process-calls.ts';
import { resultOf, type SyscallResult, succeeded } from './result.ts';
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
  dup: 41,
  execve: 59,
  munmap: 73,
  mprotect: 74,
  madvise: 75,
  mincore: 78,
  fsync: 95,
  pread: 173,
  pwrite: 174,
  mmap: 197,
  lseek: 199,
  ftruncate: 201,
  mlock: 203,
  munlock: 204,
  mlockall: 242,
  munlockall: 243,
  minherit: 273,
  msync: 277,
} as const;

/**
 * Every system call in its sleeping form, with NetBSD's values and argument order. Addresses and lengths are bytes;
 * errors and values are those of the manual of December 2001 where nothing is said.
 */
export abstract class SystemCalls implements Context {
  abstract readonly process: Process;
  abstract readonly cpu: Cpu;
  /** The thread that calls, or null for plain calls. */
  protected abstract get thread(): Thread | null;

  /** Makes one call: counts it, takes the interrupts that are due, reports it. */
  protected *enter<T extends SyscallResult>(number: number, call: Sleeping<T>): Sleeping<T> {
    const { clock, uvm } = this.process.machine;
    uvm.exp.syscalls++;
    clock.charge(SYSCALL_TIME);
    if (clock.due) clock.runDue();
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
    const call = sysMmap(this.#uvm, this.process, addr, length, prot, flags, fd, offset);
    return yield* this.enter(SYS.mmap, call);
  }

  *munmap(addr: Va, length: number): Sleeping<SyscallResult> {
    return yield* this.#errno(
      SYS.munmap,
      this.#thenReclaim(sysMunmap(this.#uvm, this.process, addr, length)),
    );
  }

  *mprotect(addr: Va, length: number, prot: Prot): Sleeping<SyscallResult> {
    const call = sysMprotect(this.#uvm, this.process, addr, length, prot);
    return yield* this.#errno(SYS.mprotect, call);
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
    return yield* this.#errno(SYS.mlock, sysMlock(this.#uvm, this.process, addr, length));
  }

  *munlock(addr: Va, length: number): Sleeping<SyscallResult> {
    return yield* this.#errno(SYS.munlock, sysMunlock(this.#uvm, this.process, addr, length));
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
    return yield* this.#errno(SYS.mincore, mincore(this, addr, length, vec));
  }

  *msync(addr: Va, length: number, flags: number): Sleeping<SyscallResult> {
    const call = sysMsync(this.#uvm, this.process, addr, length, flags);
    return yield* this.#errno(SYS.msync, call);
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

  /** Waits for a child to end; the value is its pid. */
  *wait4(pid: number = WAIT_ANY): Sleeping<SyscallResult & { readonly status: number }> {
    return yield* this.enter(SYS.wait4, wait4(this, pid, this.thread));
  }

  /** The last mapping of a file without a name may just have gone. */
  *#thenReclaim(call: Sleeping<Errno>): Sleeping<Errno> {
    const error = yield* call;
    yield* this.process.machine.fs.reclaim();
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
function* immediately(call: () => SyscallResult): Sleeping<SyscallResult> {
  return call();
}
