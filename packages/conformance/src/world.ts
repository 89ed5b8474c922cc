import {
  errnoName,
  type Errno,
  KernelPanic,
  type Port,
  type Prot,
  type Va,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import {
  exitCode,
  type File,
  IPC_PRIVATE,
  type Limits,
  Machine,
  type MachineOptions,
  O_RDWR,
  type Optimisations,
  type Process,
  ProcessSignal,
  PT_ATTACH,
  PT_DETACH,
  PT_READ_D,
  PT_WRITE_D,
  SIGBUS,
  SIGKILL,
  SIGSEGV,
  type SyscallResult,
  terminationSignal,
  type ThreadBody,
  WUNTRACED,
} from '@uvmkit/machine';
import { MAP_ANON, MAP_PRIVATE, mapLookup, NO_OWNER } from '@uvmkit/uvm-core';
import type { Outcome, RowProfile } from './row.ts';

export const RW: Prot = VM_PROT_READ | VM_PROT_WRITE;

/** RAM of a row's machine: enough for every row, and for the hash table of a PowerPC. */
const MEMORY = 8 << 20;
/** An FFS fragment: small files end on one, so that a page can lie wholly behind the last block. */
const BLOCK = 1024;
/** So that locking everything does not lock a stack of megabytes. */
const STACK = 64 << 10;

const SIGNALS: ReadonlyMap<number, string> = new Map([
  [SIGKILL, 'SIGKILL'],
  [SIGBUS, 'SIGBUS'],
  [SIGSEGV, 'SIGSEGV'],
]);

/** `ok`, or the error's name. */
export function told({ error }: { readonly error: Errno }): string {
  return error === 0 ? 'ok' : errnoName(error);
}

function signalName(signal: number): string {
  return SIGNALS.get(signal) ?? `signal ${signal}`;
}

/** An access of a process' own: what it gave, `ok` if nothing, or the signal that it got. */
export function attempt(access: () => Outcome | undefined | void): Outcome {
  try {
    return access() ?? 'ok';
  } catch (error) {
    if (error instanceof ProcessSignal) return signalName(error.signal);
    throw error;
  }
}

/** A row's situation cannot be brought about. */
export class SetupError extends Error {
  override readonly name: string = 'SetupError';
}

/** A file of a row and its descriptor in the row's process. */
export interface OpenedFile {
  readonly file: File;
  readonly name: string;
  readonly fd: number;
}

/** What may be otherwise about the machine of a row, without any row telling the difference. */
export type RowSetting = Pick<MachineOptions, 'seed' | 'wiring' | 'amnesia'> & Optimisations;

/** What a row finds: a machine just booted, with one process that is not the superuser's. */
export class World {
  readonly machine: Machine;
  readonly process: Process;
  readonly profile: RowProfile;
  /** Bytes. */
  readonly page: number;
  #files = 0;

  constructor(port: Port, profile: RowProfile, setting: RowSetting = {}) {
    this.machine = new Machine({ port, memory: MEMORY, blockSize: BLOCK, profile, ...setting });
    this.profile = profile;
    this.page = port.layout.pageSize;
    this.process = this.spawn();
  }

  /** Another process without a parent. */
  spawn(): Process {
    return this.machine.spawn({ stackSize: STACK });
  }

  // Addresses.

  /** The highest address, C's `(void *)-1`: of 64-bit ports the highest that a number tells exactly. */
  get highest(): Va {
    return this.machine.md.port.layout.pointerSize === 4 ? 2 ** 32 - 1 : Number.MAX_SAFE_INTEGER;
  }

  get userMin(): Va {
    return this.machine.md.port.layout.userMin;
  }

  get userMax(): Va {
    return this.machine.md.port.layout.userMax;
  }

  // What a situation is made of. All of it must work.

  /** The value of a call that must succeed. */
  must(what: string, result: SyscallResult): number {
    if (result.error !== 0) throw new SetupError(`${what} answered ${told(result)}`);
    return result.value;
  }

  /** Memory of nobody else's: so many pages of zeroes. */
  anon(pages: number, prot: Prot = RW, flags: number = MAP_PRIVATE): Va {
    const { sys } = this.process;
    return this.must('mmap', sys.mmap(0, pages * this.page, prot, MAP_ANON | flags));
  }

  /** A page of the heap, as malloc(3) gives it. */
  heapPage(): Va {
    const { space, sys } = this.process;
    const start = space.dataAddress + space.dataPages * this.page;
    this.must('brk', sys.brk(start + this.page));
    return start;
  }

  /** A mapping of an open file from its start. */
  map(fd: number, length: number, prot: Prot, flags: number, process: Process = this.process): Va {
    return this.must('mmap', process.sys.mmap(0, length, prot, flags, fd, 0));
  }

  /**
   * A file on disk, opened.
   *
   * @param contents its bytes, or so many zeroes
   */
  file(contents: Uint8Array | number, flags: number = O_RDWR, mode = 0o600): OpenedFile {
    const name = `file${++this.#files}`;
    const bytes = typeof contents === 'number' ? new Uint8Array(contents) : contents;
    const file = this.machine.fs.create(name, bytes, 0o600);
    const { fd } = this.open(name, flags);
    file.mode = mode;
    return { file, name, fd };
  }

  /** Opens a file of the row's, by its process or another. */
  open(name: string, flags: number, process: Process = this.process): { readonly fd: number } {
    return { fd: this.must('open', process.sys.open(name, flags)) };
  }

  /** A shared memory object: a file by another name, as shm_open(3) of librt makes it. */
  shm(size: number): OpenedFile {
    return this.file(size);
  }

  /** A System V segment, attached. */
  segment(pages: number): Va {
    const { sys } = this.process;
    const id = this.must('shmget', sys.shmget(IPC_PRIVATE, pages * this.page, 0o600));
    return this.must('shmat', sys.shmat(id));
  }

  /** Sets limits of the process. */
  limit(limits: Partial<Limits>): void {
    this.process.limits = { ...this.process.limits, ...limits };
  }

  /** Stores bytes in the process' memory. */
  fill(va: Va, length: number, byte: number): void {
    this.process.writeBytes(va, new Uint8Array(length).fill(byte));
  }

  /** Writes bytes to a file through its descriptor. */
  pwrite(fd: number, offset: number, bytes: Uint8Array): void {
    const buffer = this.anon(1);
    this.process.writeBytes(buffer, bytes);
    this.must('pwrite', this.process.sys.pwrite(fd, buffer, bytes.length, offset));
    this.must('munmap', this.process.sys.munmap(buffer, this.page));
  }

  /** Reads a file through its descriptor: what read(2) gives, which may be less than asked for. */
  pread(fd: number, offset: number, length: number): Uint8Array {
    const pages = Math.ceil(length / this.page);
    const buffer = this.anon(pages);
    const count = this.must('pread', this.process.sys.pread(fd, buffer, length, offset));
    const bytes = this.process.readBytes(buffer, count);
    this.must('munmap', this.process.sys.munmap(buffer, pages * this.page));
    return bytes;
  }

  /** A tracer comes, puts a byte into another process' memory, and goes: a debugger that sets a breakpoint. */
  poke(process: Process, va: Va, byte: number): void {
    const tracer = this.spawn();
    const { sys } = tracer;
    const { pid } = process;
    const bytes = new DataView(new ArrayBuffer(4));
    const { littleEndian } = this.machine.md.port.layout;
    this.must('ptrace PT_ATTACH', sys.ptrace(PT_ATTACH, pid));
    this.must('wait4', sys.wait4(pid, WUNTRACED));
    bytes.setUint32(0, this.must('ptrace PT_READ_D', sys.ptrace(PT_READ_D, pid, va)), littleEndian);
    bytes.setUint8(0, byte);
    const word = bytes.getUint32(0, littleEndian);
    this.must('ptrace PT_WRITE_D', sys.ptrace(PT_WRITE_D, pid, va, word));
    this.must('ptrace PT_DETACH', sys.ptrace(PT_DETACH, pid));
    sys.exit();
  }

  // What can be seen.

  /** See {@link attempt}. */
  attempt(access: () => Outcome | undefined | void): Outcome {
    return attempt(access);
  }

  /** What an action gave, or the words of the panic that it led to: the machine has stopped then. */
  untilPanic(action: () => Outcome): Outcome {
    try {
      return action();
    } catch (error) {
      if (error instanceof KernelPanic) return error.message.replace(/ \(.*$/s, '');
      throw error;
    }
  }

  /** A child of the process' and how it ends: `exit N`, or the signal that ended it. */
  child(body: ThreadBody): string {
    const { process } = this;
    const pid = this.must(
      'fork',
      process.sys.fork(function* (t) {
        yield* body(t);
        yield* t.exit(0);
      }),
    );
    const waited = process.sys.wait4(pid);
    this.must('wait4', waited);
    const signal = terminationSignal(waited.status);
    return signal === 0 ? `exit ${exitCode(waited.status)}` : signalName(signal);
  }

  /** A child of the process' that plain calls drive. */
  fork(): Process {
    const pid = this.must('fork', this.process.sys.fork());
    return this.machine.processes.get(pid)!;
  }

  /** How many of the pages mincore(2) calls resident, or the error that it answered. */
  resident(va: Va, pages: number): Outcome {
    const vec = this.anon(Math.ceil(pages / this.page));
    const result = this.process.sys.mincore(va, pages * this.page, vec);
    if (result.error !== 0) return told(result);
    const count = this.process.readBytes(vec, pages).reduce((sum, byte) => sum + (byte & 1), 0);
    this.must('munmap', this.process.sys.munmap(vec, this.page));
    return count;
  }

  /** Whether the mapping at an address is locked. */
  locked(va: Va, process: Process = this.process): boolean {
    return (mapLookup(process.space.map, va)?.wiredCount ?? 0) > 0;
  }

  /** Whether the pmap leaves a wired mapping alone when its page is taken away from everybody. */
  get keepsWired(): boolean {
    return this.machine.md.port.capabilities.pageProtectWired === 'keeps';
  }

  /** Pages that the process has locked. */
  lockedPages(process: Process = this.process): number {
    let bytes = 0;
    for (const entry of process.space.map.entries())
      if (entry.wiredCount > 0) bytes += entry.end - entry.start;
    return bytes / this.page;
  }

  /** Who owns the page that a load from the address reaches: the process alone, as an anon, or an object (a file). */
  owner(va: Va, process: Process = this.process): 'anon' | 'object' {
    const { pages } = this.machine.uvm;
    const page = pages.pageIndex(process.touch(va, VM_PROT_READ));
    return pages.uobject[page] === NO_OWNER ? 'anon' : 'object';
  }

  /** Pages of the machine that are wired, beyond the u-areas of its processes. */
  get wiredPages(): number {
    const { uvm, swapper } = this.machine;
    return uvm.exp.wired - swapper.wiredPages;
  }
}
