import {
  Amnesia,
  errnoName,
  EventStream,
  KernelPanic,
  type MachineDependent,
  type Pa,
  PhysicalMemory,
  type Port,
  withoutTlb,
} from '@uvmkit/pmap';
import {
  CHANNEL_LBOLT,
  Pdaemon,
  type Quirks,
  type Sleeping,
  spaceAlloc,
  spaceFree,
  type SwapBackend,
  Uarea,
  Uvm,
  Vmspace,
  type WaitChannel,
  type WiringPolicy,
} from '@uvmkit/uvm-core';
import { AccessPath } from './access.ts';
import { BlockMap } from './blocks.ts';
import { Clock } from './clock.ts';
import { Cpu } from './cpu.ts';
import { type Device, NULL, ZERO } from './device.ts';
import { Disk, type DiskOptions } from './disk.ts';
import { FileSystem, type FileSystemOptions } from './fs.ts';
import type { FileSystemKind } from './file-kinds.ts';
import { File } from './file.ts';
import { type Image, layImage } from './image.ts';
import { KernelThread, type Runnable } from './kernel-thread.ts';
import { type Limits, RLIM_INFINITY } from './limits.ts';
import { OPEN_MAX } from './descriptors.ts';
import type { Optimisations } from './optimisations.ts';
import { Process } from './process.ts';
import { endProcess } from './process-calls.ts';
import { Random } from './random.ts';
import { CHANNEL_PREEMPT, DeadlockError, Scheduler, type Sleeper } from './scheduler.ts';
import { Partition } from './partition.ts';
import { type Profile, type ProfileName, PROFILES } from './profile.ts';
import { SharedMemory } from './shm.ts';
import { SIGKILL } from './signal.ts';
import { Thread, type ThreadBody } from './thread.ts';
import { Swapper } from './swapper.ts';
import { Traps } from './trap.ts';

/** What a machine is made of. A run is repeated by the same options and the same calls. */
export interface MachineOptions extends Optimisations {
  readonly port: Port;
  /** Bytes of RAM, a multiple of the page size; 64 MB if not given. */
  readonly memory?: number;
  /** Bytes at the end of RAM that UVM does not manage, for devices to show (a frame buffer); none if not given. */
  readonly deviceMemory?: number;
  /** 1 if not given. */
  readonly cpus?: number;
  /** Decides what runs when, and how long the disk's arm takes; 1 if not given. */
  readonly seed?: number;
  /** `netbsd-2001` if not given. */
  readonly profile?: ProfileName;
  /** The port's DIAGNOSTIC checks; true if not given. */
  readonly diagnostic?: boolean;
  /** See `UvmOptions`. */
  readonly colours?: number;
  /** See `UvmOptions`. */
  readonly quirks?: Partial<Quirks>;
  /** What mlock(2) does; as the commit of 31 December 2001 has it if not given. */
  readonly wiring?: WiringPolicy;
  /**
   * How likely it is, 0 … 1, that at a step every pmap forgets all that is not wired; 0 if not given. Steps are
   * accesses, pmap calls, system calls and turns of the scheduler: see `Amnesia`. It has a generator of its own, from
   * the same seed, so that nothing else is drawn otherwise.
   */
  readonly amnesia?: number;
  readonly disk?: Partial<DiskOptions>;
  /** Whether there is a page daemon, from boot on; true if not given. Without it running out of memory is a panic. */
  readonly pageDaemon?: boolean;
  /** Bytes of a block of the file system, a power of two; 8192 if not given. */
  readonly blockSize?: number;
  /** How the root file system does it; `blocks` if not given. */
  readonly fileSystem?: FileSystemKind;
  /** The console: one line, without its end. Nothing is printed if not given. */
  readonly print?: (line: string) => void;
}

/** What `Machine.spawn` may be told, beside the image. */
export interface SpawnOptions extends Image {
  readonly limits?: Partial<Limits>;
  readonly superuser?: boolean;
}

/** DFLDSIZ and DFLSSIZ of the ports of 2001; a port with less room lowers them. */
const DEFAULT_DATA = 128 << 20;
const DEFAULT_STACK = 2 << 20;
/** Virtual ns of a turn of the scheduler, so that threads that wait by spinning make time pass. */
const TURN_TIME = 1_000;
/** Virtual ns in which an idle CPU zeroes a byte: 100 MB/s. */
const ZERO_TIME = 10;
/** The once-a-second wakeup. */
const LBOLT_PERIOD = 1_000_000_000;

/**
 * A machine: CPUs, RAM, a disk, one port and UVM over it, processes. Booted when it is made.
 *
 * Nothing runs by itself. {@link run}, and every plain call that has to wait, turn the clock:
 *
 *     an event that is due happens (a transfer ends)
 *     else a runnable thread, drawn from the seed, runs until it sleeps
 *     else time skips to the next event
 *
 * A `KernelPanic` stops the machine for good: it is kept in {@link panic}, and thrown again by every later call.
 */
export class Machine {
  readonly uvm: Uvm;
  readonly md: MachineDependent;
  readonly events: EventStream = new EventStream();
  readonly memory: PhysicalMemory;
  /** Where the memory begins that is devices' own: the end of RAM if there is none. */
  readonly deviceMemory: Pa;
  readonly disk: Disk;
  readonly fs: FileSystem;
  readonly profile: ProfileName;
  /** What the profile says, difference by difference. */
  readonly rules: Profile;
  /** Character devices by their paths: what the machine was given, /dev/zero and /dev/null. */
  readonly devices: Map<string, Device> = new Map([
    ['/dev/zero', ZERO],
    ['/dev/null', NULL],
  ]);
  /** Mounted file systems by the paths that they are mounted on; {@link fs} is the root. */
  readonly mounts: Map<string, FileSystem> = new Map();
  /** The panic that stopped the machine, or null while it runs. */
  panic: KernelPanic | null = null;
  readonly processes: ReadonlyMap<number, Process>;
  readonly cpus: readonly Cpu[];
  readonly clock: Clock = new Clock();
  readonly random: Random;
  /** What makes the pmaps forget, or null if nothing does. */
  readonly amnesia: Amnesia | null;
  /** Partitions of disks by the paths of their block devices; the raw ones have an r before the last name. */
  readonly partitions: Map<string, Partition> = new Map();
  /** What swapctl has been asked to swap to, by path. */
  readonly swapBackends: Map<string, SwapBackend> = new Map();
  /** The block device that a panic would dump memory to (`dumpdev`), or null. */
  dumpDevice: string | null = null;
  /** Files that are swapped to, by path: each is used as long as it is. */
  readonly swapFiles: Map<string, File> = new Map();
  /** System V shared memory. */
  readonly shm: SharedMemory;
  readonly scheduler: Scheduler<Runnable>;
  /** Takes idle processes out of memory when it is short, and brings them back. */
  readonly swapper: Swapper;
  /** How every access that is not on the fast path is made. */
  readonly path: AccessPath;
  /** The space of processes that have none of their own any more (proc0's). */
  readonly kernelSpace: Vmspace;
  readonly print: (line: string) => void;
  readonly #processes: Map<number, Process> = new Map();
  #nextPid = 1;
  #disks = 0;
  readonly #blockDevices: Map<Partition, File> = new Map();
  #lboltArmed = false;
  readonly #idleZeroing: boolean;

  /** @throws RangeError for a size or number that does not suit the port */
  constructor(options: MachineOptions) {
    const { port, cpus = 1, seed = 1 } = options;
    const { pageSize, littleEndian } = port.layout;
    if (!Number.isInteger(cpus) || cpus < 1)
      throw new RangeError(`a machine has 1 CPU or more, given ${cpus}`);
    this.profile = options.profile ?? 'netbsd-2001';
    this.rules = PROFILES[this.profile];
    this.print = options.print ?? (() => {});
    this.#idleZeroing = options.idleZeroing ?? true;
    this.random = new Random(seed);
    this.amnesia = (options.amnesia ?? 0) === 0 ? null : amnesiaOf(options.amnesia!, seed);
    this.scheduler = new Scheduler(this.random);
    this.processes = this.#processes;
    this.memory = new PhysicalMemory(options.memory ?? 64 << 20, pageSize);
    const reserved = options.deviceMemory ?? 0;
    if (reserved < 0 || reserved % pageSize !== 0 || reserved >= this.memory.size)
      throw new RangeError(`device memory is whole pages of RAM, given ${reserved} bytes`);
    this.deviceMemory = this.memory.size - reserved;
    const taken = new BootMemory(port.name, this.memory);
    const hardware = options.tlb === false ? withoutTlb(port) : port;
    this.md = (this.amnesia?.afflict(hardware) ?? hardware).boot({
      memory: this.memory,
      cpus,
      events: this.events,
      diagnostic: options.diagnostic ?? true,
      steal: (bytes, align) => taken.steal(bytes, align),
      print: (line) => this.print(line),
    });
    this.uvm = new Uvm({
      memory: this.memory,
      md: this.md,
      segments: [{ start: taken.close(), end: this.deviceMemory }],
      events: this.events,
      wakeup: (channel) => this.scheduler.wakeup(channel),
      ...given('colours', options.colours),
      ...given('faultAhead', options.faultAhead),
      ...given('mapHints', options.mapHints),
      ...given('merging', options.merging),
      ...given('quirks', options.quirks),
      ...given('wiring', options.wiring),
      swapOutIdle: () => this.swapper.swapOutIdle(),
    });
    this.swapper = new Swapper(this);
    this.shm = new SharedMemory(this.uvm);
    this.kernelSpace = new Vmspace(this.uvm.kernelMap);
    this.cpus = this.md.mmus.map((_, number) => new Cpu(this.md, number));
    this.path = new AccessPath(
      new Traps(this.uvm, this.clock),
      this.memory,
      littleEndian,
      port.capabilities.strictAlignment,
    );
    if (options.pageDaemon ?? true) {
      const daemon = new Pdaemon(this.uvm);
      this.uvm.daemon = daemon;
      this.startKernelThread('pagedaemon', daemon.run());
    }
    this.disk = this.addDisk(options.disk);
    this.fs = new FileSystem(this.uvm, this.memory, this.disk, this.clock, {
      ...given('blockSize', options.blockSize),
      ...given('kind', options.fileSystem),
    });
  }

  // Disks and file systems.

  /** One more disk, with an arm of its own and nothing on it. `io.*` events give disks numbers in this order, from 0. */
  addDisk(options: Partial<DiskOptions> = {}): Disk {
    const { memory, clock, random, events } = this;
    return new Disk(memory, clock, random, events, options, this.#disks++);
  }

  /**
   * Makes a file system on a disk and mounts it: files whose names begin with `path` and a slash are in it.
   *
   * @throws RangeError if something is mounted there, or the options are out of range
   */
  mount(path: string, disk: Disk, options: FileSystemOptions = {}): FileSystem {
    if (this.mounts.has(path)) throw new RangeError(`something is mounted on ${path} already`);
    const fs = new FileSystem(this.uvm, this.memory, disk, this.clock, options);
    this.mounts.set(path, fs);
    return fs;
  }

  /**
   * Gives a part of a disk the names of a block device and of its raw twin: /dev/sd1b and /dev/rsd1b.
   *
   * @param path the block device's
   * @param start where it begins on the disk, bytes
   * @param length bytes; to the disk's end if not given
   * @throws RangeError if it is not made of the disk's sectors, or the name is taken
   */
  addPartition(
    path: string,
    disk: Disk,
    start = 0,
    length: number = disk.options.size - start,
  ): Partition {
    if (this.partitions.has(path)) throw new RangeError(`there is a device ${path} already`);
    const partition = new Partition(path, disk, start, length);
    this.partitions.set(path, partition);
    this.devices.set(path.replace(/[^/]*$/, 'r$&'), { partition });
    return partition;
  }

  /** The file that a block device is to UVM, its pages cached like a file's; null for any other path. */
  blockDevice(path: string): File | null {
    const partition = this.partitions.get(path);
    if (partition === undefined) return null;
    let file = this.#blockDevices.get(partition);
    if (file === undefined) {
      const { uvm, memory, clock } = this;
      const { disk, start, length } = partition;
      const blocks = new BlockMap(uvm.pageSize, Math.floor(length / uvm.pageSize));
      file = File.ofDevice(
        { uvm, memory, disk, blocks, clock, start, kind: 'blocks', server: this.fs.server },
        path,
      );
      this.#blockDevices.set(partition, file);
    }
    return file;
  }

  /** The file system that a path leads to, and what the file is called in it. */
  resolve(path: string): { readonly fs: FileSystem; readonly name: string } {
    for (const [mounted, fs] of this.mounts)
      if (path.startsWith(`${mounted}/`)) return { fs, name: path.slice(mounted.length + 1) };
    return { fs: this.fs, name: path };
  }

  /** Gives back what files without a name or a user hold, on every file system. */
  *reclaim(): Sleeping<void> {
    yield* this.fs.reclaim();
    for (const fs of this.mounts.values()) yield* fs.reclaim();
  }

  /** Virtual time, in ns since boot. */
  get now(): number {
    return this.clock.now;
  }

  // Processes.

  /**
   * A process without a parent, with an image of its own: just a stack, if nothing else is asked for.
   *
   * @throws RangeError if the image cannot be laid out, or there is no memory for one more process
   */
  spawn(options: SpawnOptions = {}): Process {
    const { userMin, userMax, maxDataSize, maxStackSize } = this.md.port.layout;
    const { free } = this.uvm.exp;
    const limits: Limits = {
      data: Math.min(DEFAULT_DATA, maxDataSize),
      stack: Math.min(DEFAULT_STACK, maxStackSize),
      memlock: Math.floor(free / 3) * this.uvm.pageSize,
      files: OPEN_MAX,
      addressSpace: RLIM_INFINITY,
      ...options.limits,
    };
    const hardLimits: Limits = {
      data: Math.max(limits.data, maxDataSize),
      stack: Math.max(limits.stack, maxStackSize),
      memlock: Math.max(limits.memlock, free * this.uvm.pageSize),
      files: Math.max(limits.files, OPEN_MAX),
      addressSpace: RLIM_INFINITY,
    };
    const space = this.drive(spaceAlloc(this.uvm, userMin, userMax));
    const uarea = this.drive(Uarea.alloc(this.uvm));
    if (uarea === null) {
      this.drive(spaceFree(this.uvm, space));
      throw new RangeError('there is no room for one more process');
    }
    const process = this.addProcess(space, uarea, limits, options.superuser ?? false, null);
    process.hardLimits = hardLimits;
    const error = process.drive(layImage(this.uvm, space, options, limits.stack));
    if (error === 0) return process;
    process.drive(endProcess(process, SIGKILL, null));
    throw new RangeError(`the image cannot be laid out in user space: ${errnoName(error)}`);
  }

  /** Enters a new process in the table; its space is its own business. */
  addProcess(
    space: Vmspace,
    uarea: Uarea,
    limits: Limits,
    superuser: boolean,
    parent: Process | null,
  ): Process {
    const process = new Process(this, this.#nextPid++, space, uarea, limits, superuser, parent);
    this.#processes.set(process.pid, process);
    parent?.children.add(process);
    return process;
  }

  /** Has a process ended by a signal, from outside: it is gone when its threads have left the kernel. */
  terminate(process: Process, signal: number): void {
    this.startKernelThread(`end of ${process.pid}`, endProcess(process, signal, null));
  }

  /** Takes a dead process out of the table. */
  forgetProcess(process: Process): void {
    this.#processes.delete(process.pid);
  }

  /** A thread of the process; it runs when the clock is turned. */
  start(process: Process, body: ThreadBody): Thread {
    this.checkRunning();
    if (process.exiting) throw new RangeError(`process ${process.pid} has ended`);
    const thread = new Thread(process, body);
    process.threads.add(thread);
    this.scheduler.ready(thread);
    return thread;
  }

  /** A thread of the kernel's own; it runs when the clock is turned. */
  startKernelThread(name: string, body: Sleeping<unknown>): KernelThread {
    const thread = new KernelThread(this, name, body);
    this.scheduler.ready(thread);
    return thread;
  }

  // The clock.

  /**
   * Turns the clock until nothing can run and nothing is pending. Threads that sleep on what will never
   * happen are left asleep.
   *
   * @throws what a thread's body threw, beside its process' signals; KernelPanic
   */
  run(): void {
    this.checkRunning();
    while (this.turn());
  }

  /** One turn of the clock; false if there was nothing to do. */
  turn(): boolean {
    try {
      this.amnesia?.step();
      const { due } = this.clock;
      if (due) this.clock.runDue();
      const thread = this.scheduler.next();
      if (thread === null) return due || this.#idle();
      this.clock.charge(TURN_TIME);
      const { cpus } = this;
      thread.resume(cpus[cpus.length === 1 ? 0 : this.random.below(cpus.length)]!);
      return true;
    } catch (error) {
      throw this.stopAt(error);
    }
  }

  /** Nothing can run until the next event: until then free pages are zeroed (the idle loop). False if nothing is pending. */
  #idle(): boolean {
    const { pages, exp, pageSize } = this.uvm;
    const pause = this.clock.next - this.clock.now;
    if (this.#idleZeroing && pause !== Number.POSITIVE_INFINITY)
      pages.idleZero(exp.free, Math.floor(pause / (pageSize * ZERO_TIME)));
    return this.clock.skip();
  }

  /** Runs one operation that may sleep to its end, turning the clock. */
  drive<T>(operation: Sleeping<T>): T {
    this.checkRunning();
    try {
      for (let step = operation.next(); ; step = operation.next()) {
        if (step.done === true) return step.value;
        if (step.value !== CHANNEL_PREEMPT) this.sleep(step.value);
      }
    } catch (error) {
      throw this.stopAt(error);
    }
  }

  /** Likewise, an operation that the process makes: it has a CPU whenever the operation runs. */
  driveFor<T>(process: Process, operation: Sleeping<T>): T {
    this.checkRunning();
    if (process.state !== 'running') throw new RangeError(`process ${process.pid} has ended`);
    return this.drive(onCpuOf(process, operation));
  }

  /**
   * Turns the clock until the channel is woken.
   *
   * @throws DeadlockError if it never will be
   */
  sleep(channel: WaitChannel): void {
    let awake = false;
    const sleeper: Sleeper = { awaken: () => (awake = true) };
    this.park(channel, sleeper);
    while (!awake) {
      if (this.turn()) continue;
      this.scheduler.forget(channel, sleeper);
      throw new DeadlockError(channel);
    }
  }

  /** Puts a sleeper to sleep. */
  park(channel: WaitChannel, sleeper: Sleeper): void {
    this.scheduler.sleep(channel, sleeper);
    if (channel !== CHANNEL_LBOLT || this.#lboltArmed) return;
    this.#lboltArmed = true;
    this.clock.after(LBOLT_PERIOD - (this.clock.now % LBOLT_PERIOD), () => {
      this.#lboltArmed = false;
      this.scheduler.wakeup(CHANNEL_LBOLT);
    });
  }

  // Panics.

  /** Throws the panic that stopped the machine, if one has. */
  checkRunning(): void {
    if (this.panic !== null) throw this.panic;
  }

  /** Notes a panic on its way up; whatever it is given it returns, to be thrown on. */
  stopAt(error: unknown): unknown {
    if (error instanceof KernelPanic && this.panic === null) {
      this.panic = error;
      for (const cpu of this.cpus) cpu.stop();
      this.print(error.message);
    }
    return error;
  }
}

/** Its own generator, far from the machine's in the same sequence. */
function amnesiaOf(probability: number, seed: number): Amnesia {
  const random = new Random(seed ^ 0x5bd1e995);
  return new Amnesia(probability, () => random.next() / 2 ** 32);
}

/** RAM as the port takes it at boot: from the bottom up, for good. */
class BootMemory {
  readonly #name: string;
  readonly #memory: PhysicalMemory;
  #end = 0;
  #open = true;

  constructor(name: string, memory: PhysicalMemory) {
    this.#name = name;
    this.#memory = memory;
  }

  steal(bytes: number, align: number): Pa {
    const { pageSize, size } = this.#memory;
    if (!this.#open) throw new RangeError(`${this.#name} can steal memory only while it boots`);
    const at = Math.ceil(this.#end / align) * align;
    const end = Math.ceil((at + bytes) / pageSize) * pageSize;
    // UVM needs more than its reserve to run at all.
    if (end + 16 * pageSize > size)
      throw new RangeError(`${this.#name} wants ${end} bytes to boot, there are ${size} in all`);
    this.#end = end;
    return at;
  }

  /** The first byte that UVM manages. */
  close(): Pa {
    this.#open = false;
    return this.#end;
  }
}

/** The operation, with its process' space loaded whenever it runs. */
function* onCpuOf<T>(process: Process, operation: Sleeping<T>): Sleeping<T> {
  for (;;) {
    if (process.swappedOut && (yield* process.machine.swapper.swapIn(process)) !== 0) {
      // It cannot run. Its end can be made without it, and then it is where the dead are.
      process.machine.print(`UVM: pid ${process.pid} killed: out of swap`);
      yield* endProcess(process, SIGKILL, null);
    }
    process.loadUnlessEnding();
    const step = operation.next();
    if (step.done === true) return step.value;
    yield step.value;
  }
}

/** An option to pass on, if it was given. */
function given<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]?: V });
}
