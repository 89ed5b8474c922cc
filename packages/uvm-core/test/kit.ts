import {
  EBADF,
  EFAULT,
  type Errno,
  errnoName,
  ACCESS_USER,
  EventStream,
  FAULT,
  type MachineDependent,
  type Pa,
  PhysicalMemory,
  type PmapId,
  type Port,
  type Prot,
  TRAP_BAD_ADDRESS,
  TRAP_SETTLED,
  type Va,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { type CheckOptions, checkUvm, type MappingProbe, violationText } from '../src/check.ts';
import type { MapEntry } from '../src/entry.ts';
import { uvmFault, uvmRefault } from '../src/fault.ts';
import { mapLookup } from '../src/map.ts';
import {
  type AddressResult,
  type Caller,
  MAP_ANON,
  MAP_PRIVATE,
  type MappableDeviceFile,
  type MappableFile,
  sysBreak,
  sysMadvise,
  sysMinherit,
  sysMmap,
  sysMprotect,
  sysMsync,
  sysMunmap,
} from '../src/mmap.ts';
import { sysMlock, sysMlockall, sysMunlock, sysMunlockall } from '../src/mlock.ts';
import type { UvmObject } from '../src/object.ts';
import { Pdaemon } from '../src/pdaemon.ts';
import { spaceAlloc, spaceFork, spaceFree, type Vmspace } from '../src/space.ts';
import { CHANNEL_MEMORY, type Sleeping, WAIT, type WaitChannel } from '../src/types.ts';
import { type Quirks, Uvm } from '../src/uvm.ts';
import type { WiringPolicy } from '../src/wiring/policy.ts';
import { FakeDisk, FakeFile, FakeSwap, type FileOptions } from './disk.ts';
import { Ideal, type IdealOptions, idealPort } from './ideal-pmap.ts';

export const PAGE = 4096;
export const R: Prot = VM_PROT_READ;
export const W: Prot = VM_PROT_WRITE;
export const X: Prot = VM_PROT_EXECUTE;
export const RW: Prot = R | W;
export const RX: Prot = R | X;
export const RWX: Prot = VM_PROT_ALL;

/** How a kit is to be. */
export interface KitOptions extends IdealOptions {
  /** The port to boot instead of the ideal one. */
  port?: Port;
  /** Bytes of RAM; 2 MB if not given. */
  memory?: number;
  /** Bytes at the end of it that are a device's. */
  device?: number;
  cpus?: number;
  colours?: number;
  faultAhead?: boolean;
  quirks?: Partial<Quirks>;
  wiring?: WiringPolicy;
}

/** Something that may sleep, under way. */
export class Thread<T> {
  readonly op: Sleeping<T>;
  /** What it sleeps on; null while it can run. */
  asleep: WaitChannel | null = null;
  done = false;
  value: T | undefined;

  constructor(op: Sleeping<T>) {
    this.op = op;
    this.step();
  }

  /** Runs it until it sleeps or ends. */
  step(): void {
    this.asleep = null;
    const result = this.op.next();
    if (result.done === true) {
      this.done = true;
      this.value = result.value;
    } else this.asleep = result.value;
  }
}

/** A port booted with UVM on it, a disk that waits to be told, and processes that reach memory through the MMU. */
export class Kit {
  readonly memory: PhysicalMemory;
  readonly events: EventStream = new EventStream();
  readonly md: MachineDependent;
  readonly uvm: Uvm;
  readonly disk: FakeDisk;
  readonly files: FakeFile[] = [];
  readonly printed: string[] = [];
  readonly threads: Set<Thread<unknown>> = new Set();
  /** The page daemon, which never ends. */
  daemon: Thread<never> | null = null;
  /** Called when everybody sleeps and the disk is idle; true if it did something about it. */
  onStuck: (channel: WaitChannel) => boolean = () => false;
  readonly #timestamps = new Map<number, number>();
  #active: PmapId | null = null;

  constructor(options: KitOptions = {}) {
    const port = options.port ?? idealPort(options);
    const { pageSize } = port.layout;
    this.memory = new PhysicalMemory(options.memory ?? 2 << 20, pageSize);
    let stolen = 0;
    this.md = port.boot({
      memory: this.memory,
      cpus: options.cpus ?? 1,
      events: this.events,
      diagnostic: true,
      steal: (bytes, align) => {
        const at = Math.ceil(stolen / align) * align;
        stolen = Math.ceil((at + bytes) / pageSize) * pageSize;
        return at;
      },
      print: (message) => this.printed.push(message),
    });
    this.uvm = new Uvm({
      memory: this.memory,
      md: this.md,
      segments: [{ start: stolen, end: this.memory.size - (options.device ?? 0) }],
      events: this.events,
      wakeup: (channel) => this.#wakeup(channel),
      colours: options.colours ?? 1,
      faultAhead: options.faultAhead ?? true,
      quirks: options.quirks ?? {},
      ...(options.wiring === undefined ? {} : { wiring: options.wiring }),
    });
    this.disk = new FakeDisk(this.memory);
  }

  /** The ideal pmap's own counters and options. */
  get ideal(): Ideal {
    if (this.md instanceof Ideal) return this.md;
    throw new TypeError(`this kit runs on ${this.md.port.name}`);
  }

  get exp(): Uvm['exp'] {
    return this.uvm.exp;
  }

  /** Runs something to its end, delivering the disk's transfers as it waits. It is resumed only if it was woken. */
  run<T>(op: Sleeping<T>): T {
    const thread = this.start(op);
    while (!thread.done) this.#advance(thread);
    return thread.value as T;
  }

  /** Starts something; it goes on when woken, by {@link settle} or while something else runs. */
  start<T>(op: Sleeping<T>): Thread<T> {
    const thread = new Thread(op);
    if (!thread.done) this.threads.add(thread);
    return thread;
  }

  /** Runs whatever has been woken, without delivering anything. */
  resume(): void {
    for (const thread of this.#awake()) this.#step(thread);
  }

  /** Starts the page daemon. */
  startDaemon(): void {
    const daemon = new Pdaemon(this.uvm);
    this.uvm.daemon = daemon;
    this.daemon = new Thread(daemon.run());
  }

  /** Runs nothing but the daemon, without delivering anything: the scans that it has been woken for. */
  runDaemon(): void {
    while (this.daemon !== null && this.daemon.asleep === null) this.daemon.step();
  }

  /** A swap device of that many pages, the first of which is not used. */
  swap(pages: number, name = 'wd0b'): FakeSwap {
    return new FakeSwap(this.disk, this.uvm.pageSize, name, pages);
  }

  /** Delivers and runs until everything that was started has ended. */
  settle(): void {
    while (this.threads.size > 0) {
      const [thread] = this.threads;
      this.#advance(thread!);
    }
    do this.runDaemon();
    while (this.disk.deliver());
  }

  #advance(wanted: Thread<unknown>): void {
    const awake = this.#awake();
    if (awake.length > 0) for (const thread of awake) this.#step(thread);
    else if (!this.disk.deliver() && !this.onStuck(wanted.asleep!))
      throw new Error(`asleep for ever on channel ${wanted.asleep}`);
  }

  #awake(): Thread<unknown>[] {
    const all = this.daemon === null ? this.threads : [...this.threads, this.daemon];
    return [...all].filter((thread) => thread.asleep === null);
  }

  #step(thread: Thread<unknown>): void {
    try {
      thread.step();
    } catch (error) {
      this.threads.delete(thread);
      throw error;
    }
    if (thread.done) this.threads.delete(thread);
  }

  #wakeup(channel: WaitChannel): void {
    for (const thread of this.threads) if (thread.asleep === channel) thread.asleep = null;
    if (this.daemon?.asleep === channel) this.daemon.asleep = null;
  }

  /** A file whose bytes count up, different on every page. */
  file(options: FileOptions | number = 4): FakeFile {
    const given = typeof options === 'number' ? { size: options * PAGE } : options;
    const size = given.size ?? given.content?.length ?? 4 * PAGE;
    const content = given.content ?? Uint8Array.from({ length: size }, (_, i) => fileByte(i));
    const file = new FakeFile(this.uvm, this.disk, { ...given, content, size });
    this.files.push(file);
    return file;
  }

  proc(): Proc {
    const { userMin, userMax } = this.md.port.layout;
    const space = this.run(spaceAlloc(this.uvm, userMin, userMax));
    space.dataAddress = userMin + 16 * PAGE;
    return new Proc(this, space);
  }

  /** Makes the CPU run on a map. */
  activate(pmap: PmapId): void {
    if (this.#active === pmap) return;
    if (this.#active !== null) this.md.pmap.deactivate(this.#active);
    this.#active = pmap;
    this.md.pmap.activate(pmap);
  }

  /** The map is about to go. */
  leave(pmap: PmapId): void {
    if (this.#active !== pmap) return;
    this.md.pmap.deactivate(pmap);
    this.#active = null;
  }

  /** Every violation, in words. */
  violations(options: CheckOptions = {}): string[] {
    const probe: { probe?: MappingProbe } = this.md instanceof Ideal ? { probe: this.md } : {};
    return checkUvm(this.uvm, {
      ...probe,
      image: (object, index) => this.#image(object, index),
      swapImage: (slot) => this.#swapImage(slot),
      memoryWaiters: [...this.threads].filter(({ asleep }) => asleep === CHANNEL_MEMORY).length,
      ...options,
      timestamps: this.#timestamps,
    }).map(violationText);
  }

  /** Throws unless every invariant holds. */
  check(options: CheckOptions = {}): void {
    const found = this.violations(options);
    if (found.length > 0) throw new Error(found.slice(0, 8).join('\n'));
  }

  #swapImage(slot: number): Uint8Array | null {
    const { backend, drumOffset } = this.uvm.swap.deviceOf(slot);
    const page = backend instanceof FakeSwap ? backend.content.get(slot - drumOffset + 1) : null;
    return page ?? null;
  }

  #image(object: UvmObject, index: number): Uint8Array | null {
    const file = this.files.find(({ vnode }) => vnode === object);
    if (file === undefined) return null;
    return file.page(index).subarray(0, Math.max(0, file.vnode.size - index * this.uvm.pageSize));
  }
}

/** The byte that {@link Kit.file} has at an offset. */
export function fileByte(at: number): number {
  return (at + 7 * Math.floor(at / PAGE) + 1) & 0xff;
}

/** An access that ended in an errno. */
export class AccessError extends Error {
  readonly errno: Errno;

  constructor(errno: Errno, va: Va) {
    super(`${errnoName(errno)} at 0x${va.toString(16)}`);
    this.errno = errno;
  }
}

/** A process: an address space, limits, and open files. */
export class Proc implements Caller {
  readonly kit: Kit;
  space: Vmspace;
  superuser = true;
  readonly limits: { data: number; stack: number; memlock: number } = {
    data: 64 << 20,
    stack: 2 << 20,
    memlock: 64 << 20,
  };
  readonly open: (MappableFile | MappableDeviceFile | Errno)[] = [];

  constructor(kit: Kit, space: Vmspace) {
    this.kit = kit;
    this.space = space;
  }

  mappable(fd: number): MappableFile | MappableDeviceFile | Errno {
    return this.open[fd] ?? EBADF;
  }

  /** Opens a file for reading and writing, or as told, and gives its descriptor. */
  fd(file: FakeFile, mode: Partial<MappableFile> = {}): number {
    const entry = { readable: true, writable: true, immutable: false, ...mode, vnode: file.vnode };
    return this.open.push(entry) - 1;
  }

  // Memory.

  /** One access, as a CPU in user mode makes it: translate, trap, fault, again. */
  *access(va: Va, rights: Prot): Sleeping<{ error: Errno; pa: Pa }> {
    const { uvm, md } = this.kit;
    for (let tries = 0; tries < 100; tries++) {
      this.kit.activate(this.space.pmap);
      const pa = md.mmus[0]!.translate(va, rights | ACCESS_USER);
      if (pa !== FAULT) return { error: 0, pa };
      const outcome = md.trap(0);
      if (outcome === TRAP_SETTLED) continue;
      if (outcome === TRAP_BAD_ADDRESS || md.fault.kernel) return { error: EFAULT, pa: -1 };
      const { va: at, type, access } = md.fault;
      let error = uvmFault(uvm, this.space.map, at, type, access);
      while (error === WAIT) {
        yield uvm.waitChannel;
        error = uvmRefault(uvm, this.space.map, at, type, access);
      }
      if (error !== 0) return { error, pa: -1 };
    }
    throw new Error(`access to 0x${va.toString(16)} never succeeds`);
  }

  /** 0, or the errno that an access ends in. */
  try(va: Va, rights: Prot): Errno {
    return this.kit.run(this.access(va, rights)).error;
  }

  load(va: Va, rights: Prot = R): number {
    const { error, pa } = this.kit.run(this.access(va, rights));
    if (error !== 0) throw new AccessError(error, va);
    return this.kit.memory.read8(pa);
  }

  store(va: Va, value: number): void {
    const { error, pa } = this.kit.run(this.access(va, W));
    if (error !== 0) throw new AccessError(error, va);
    this.kit.memory.write8(pa, value);
  }

  // System calls. They run to their end.

  mmap(call: {
    addr?: Va;
    length: number;
    prot?: Prot;
    flags?: number;
    fd?: number;
    pos?: number;
  }): AddressResult {
    const { addr = 0, length, prot = RW, fd = -1, pos = 0 } = call;
    const flags = call.flags ?? (fd === -1 ? MAP_ANON | MAP_PRIVATE : MAP_PRIVATE);
    return this.kit.run(sysMmap(this.kit.uvm, this, addr, length, prot, flags, fd, pos));
  }

  /** Likewise, and must succeed. */
  map(call: Parameters<Proc['mmap']>[0]): Va {
    const { error, value } = this.mmap(call);
    if (error !== 0) throw new Error(`mmap: ${errnoName(error)}`);
    return value;
  }

  munmap(addr: Va, length: number): Errno {
    return this.kit.run(sysMunmap(this.kit.uvm, this, addr, length));
  }

  mprotect(addr: Va, length: number, prot: Prot): Errno {
    return this.kit.run(sysMprotect(this.kit.uvm, this, addr, length, prot));
  }

  minherit(addr: Va, length: number, inherit: number): Errno {
    return this.kit.run(sysMinherit(this.kit.uvm, this, addr, length, inherit));
  }

  madvise(addr: Va, length: number, advice: number): Errno {
    return this.kit.run(sysMadvise(this.kit.uvm, this, addr, length, advice));
  }

  msync(addr: Va, length: number, flags: number): Errno {
    return this.kit.run(sysMsync(this.kit.uvm, this, addr, length, flags));
  }

  mlock(addr: Va, length: number): Errno {
    return this.kit.run(sysMlock(this.kit.uvm, this, addr, length));
  }

  munlock(addr: Va, length: number): Errno {
    return this.kit.run(sysMunlock(this.kit.uvm, this, addr, length));
  }

  mlockall(flags: number): Errno {
    return this.kit.run(sysMlockall(this.kit.uvm, this, flags));
  }

  munlockall(): Errno {
    return this.kit.run(sysMunlockall(this.kit.uvm, this));
  }

  brk(end: Va): Errno {
    return this.kit.run(sysBreak(this.kit.uvm, this, end));
  }

  fork(): Proc {
    const child = new Proc(this.kit, this.kit.run(spaceFork(this.kit.uvm, this.space)));
    child.open.push(...this.open);
    Object.assign(child.limits, this.limits);
    return child;
  }

  exit(): void {
    if (this.space.refs === 1) this.kit.leave(this.space.pmap);
    this.kit.run(spaceFree(this.kit.uvm, this.space));
  }

  // What a test looks at.

  /** The entry that covers an address; there must be one. */
  entry(va: Va): MapEntry {
    const entry = mapLookup(this.space.map, va);
    if (entry === null) throw new Error(`nothing is mapped at 0x${va.toString(16)}`);
    return entry;
  }

  /** The anon at an address, −1 if none. */
  anon(va: Va): number {
    const entry = this.entry(va);
    return entry.amap?.anon[entry.pageoff + this.kit.uvm.atop(va - entry.start)] ?? -1;
  }

  /** The page that the pmap maps at an address, −1 if none. */
  mapped(va: Va): number {
    const pa = this.kit.md.pmap.extract(this.space.pmap, va);
    return pa < 0 ? -1 : this.kit.uvm.pages.pageIndex(pa);
  }

  /** Start and end of every entry, in pages from `base`. */
  layout(base: Va): [number, number][] {
    const { uvm } = this.kit;
    return [...this.space.map.entries()].map((e) => [
      uvm.atop(e.start - base),
      uvm.atop(e.end - base),
    ]);
  }
}
