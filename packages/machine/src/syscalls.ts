import type { Prot, Va } from '@uvmkit/pmap';
import type { Inherit, Sleeping } from '@uvmkit/uvm-core';
import type { Cpu } from './cpu.ts';
import type { PairResult } from './file-calls.ts';
import type { Image } from './image.ts';
import type { Limit } from './limits.ts';
import type { Process } from './process.ts';
import type { TraceTransfer } from './ptrace.ts';
import type { SyscallResult } from './result.ts';
import type { SegmentStatus } from './shm.ts';
import type { MachineSwapctlResult } from './swap-calls.ts';
import type { SysctlResult } from './sysctl.ts';
import type { Disposition } from './signal-calls.ts';
import { SystemCalls } from './system-calls.ts';
import type { ThreadBody } from './thread.ts';

/** The calls of a process that no thread of the machine's makes. */
class PlainCalls extends SystemCalls {
  readonly process: Process;
  readonly thread: null = null;

  constructor(process: Process) {
    super();
    this.process = process;
  }

  get cpu(): Cpu {
    return this.process.cpu;
  }
}

/**
 * Every system call as a plain call: it turns the machine's clock until it is done. What a call does is told
 * at {@link SystemCalls}, whose arguments and order these have.
 *
 * @throws KernelPanic, RangeError if the process has ended, DeadlockError if the call can never return
 */
export class Syscalls {
  readonly #process: Process;
  /** The same calls in their sleeping form, as a handler gets them. */
  readonly calls: SystemCalls;

  constructor(process: Process) {
    this.#process = process;
    this.calls = new PlainCalls(process);
  }

  #drive<T>(call: Sleeping<T>): T {
    return this.#process.drive(call);
  }

  mmap(addr: Va, length: number, prot: Prot, flags: number, fd = -1, offset = 0): SyscallResult {
    return this.#drive(this.calls.mmap(addr, length, prot, flags, fd, offset));
  }

  munmap(addr: Va, length: number): SyscallResult {
    return this.#drive(this.calls.munmap(addr, length));
  }

  mprotect(addr: Va, length: number, prot: Prot): SyscallResult {
    return this.#drive(this.calls.mprotect(addr, length, prot));
  }

  minherit(addr: Va, length: number, inherit: Inherit): SyscallResult {
    return this.#drive(this.calls.minherit(addr, length, inherit));
  }

  madvise(addr: Va, length: number, advice: number): SyscallResult {
    return this.#drive(this.calls.madvise(addr, length, advice));
  }

  mlock(addr: Va, length: number): SyscallResult {
    return this.#drive(this.calls.mlock(addr, length));
  }

  munlock(addr: Va, length: number): SyscallResult {
    return this.#drive(this.calls.munlock(addr, length));
  }

  mlockall(flags: number): SyscallResult {
    return this.#drive(this.calls.mlockall(flags));
  }

  munlockall(): SyscallResult {
    return this.#drive(this.calls.munlockall());
  }

  brk(end: Va): SyscallResult {
    return this.#drive(this.calls.brk(end));
  }

  mincore(addr: Va, length: number, vec: Va): SyscallResult {
    return this.#drive(this.calls.mincore(addr, length, vec));
  }

  msync(addr: Va, length: number, flags: number): SyscallResult {
    return this.#drive(this.calls.msync(addr, length, flags));
  }

  open(name: string, flags: number, mode = 0o600): SyscallResult {
    return this.#drive(this.calls.open(name, flags, mode));
  }

  close(fd: number): SyscallResult {
    return this.#drive(this.calls.close(fd));
  }

  dup(fd: number): SyscallResult {
    return this.#drive(this.calls.dup(fd));
  }

  unlink(name: string): SyscallResult {
    return this.#drive(this.calls.unlink(name));
  }

  read(fd: number, va: Va, length: number): SyscallResult {
    return this.#drive(this.calls.read(fd, va, length));
  }

  pread(fd: number, va: Va, length: number, offset: number): SyscallResult {
    return this.#drive(this.calls.pread(fd, va, length, offset));
  }

  write(fd: number, va: Va, length: number): SyscallResult {
    return this.#drive(this.calls.write(fd, va, length));
  }

  pwrite(fd: number, va: Va, length: number, offset: number): SyscallResult {
    return this.#drive(this.calls.pwrite(fd, va, length, offset));
  }

  lseek(fd: number, offset: number, whence: number): SyscallResult {
    return this.#drive(this.calls.lseek(fd, offset, whence));
  }

  ftruncate(fd: number, size: number): SyscallResult {
    return this.#drive(this.calls.ftruncate(fd, size));
  }

  fsync(fd: number): SyscallResult {
    return this.#drive(this.calls.fsync(fd));
  }

  fork(body: ThreadBody | null = null, shareSpace = false): SyscallResult {
    return this.#drive(this.calls.fork(body, shareSpace));
  }

  exec(image: Image = {}): SyscallResult {
    return this.#drive(this.calls.exec(image));
  }

  exit(code = 0): SyscallResult {
    return this.#drive(this.calls.exit(code));
  }

  wait4(pid?: number, options?: number): SyscallResult & { readonly status: number } {
    return this.#drive(this.calls.wait4(pid, options));
  }

  vfork(body: ThreadBody): SyscallResult {
    return this.#drive(this.calls.vfork(body));
  }

  sigaction(signal: number, action: Disposition): SyscallResult {
    return this.#drive(this.calls.sigaction(signal, action));
  }

  kill(pid: number, signal: number): SyscallResult {
    return this.#drive(this.calls.kill(pid, signal));
  }

  getrlimit(resource: number): SyscallResult & Limit {
    return this.#drive(this.calls.getrlimit(resource));
  }

  setrlimit(resource: number, limit: Limit): SyscallResult {
    return this.#drive(this.calls.setrlimit(resource, limit));
  }

  shmget(key: number, size: number, flags: number): SyscallResult {
    return this.#drive(this.calls.shmget(key, size, flags));
  }

  shmat(id: number, addr: Va = 0, flags = 0): SyscallResult {
    return this.#drive(this.calls.shmat(id, addr, flags));
  }

  shmdt(addr: Va): SyscallResult {
    return this.#drive(this.calls.shmdt(addr));
  }

  shmctl(
    id: number,
    command: number,
    mode = 0,
  ): SyscallResult & { readonly status: SegmentStatus | null } {
    return this.#drive(this.calls.shmctl(id, command, mode));
  }

  sysctl(name: readonly number[], value?: number): SysctlResult {
    return this.#drive(this.calls.sysctl(name, value));
  }

  swapctl(command: number, path = '', misc = 0): MachineSwapctlResult {
    return this.#drive(this.calls.swapctl(command, path, misc));
  }

  ptrace(request: number, pid: number, addr: Va = 0, data = 0): SyscallResult {
    return this.#drive(this.calls.ptrace(request, pid, addr, data));
  }

  ptraceIo(pid: number, transfer: TraceTransfer): SyscallResult {
    return this.#drive(this.calls.ptraceIo(pid, transfer));
  }

  pipe(): PairResult {
    return this.#drive(this.calls.pipe());
  }

  socketpair(): PairResult {
    return this.#drive(this.calls.socketpair());
  }
}
