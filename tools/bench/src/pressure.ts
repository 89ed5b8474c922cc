import { Machine, type Process } from '@uvmkit/machine';
import { type Port, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { MAP_ANON, MAP_PRIVATE, NO_OWNER } from '@uvmkit/uvm-core';
import { type Figure, measure } from './measure.ts';

const RW = VM_PROT_READ | VM_PROT_WRITE;
/** Pages that go out and come in. */
const MOVED = 2048;
/** Touched pages of the process that is forked. */
const FORKED = 10_000;
/** Pages that are locked at a time. */
const LOCKED = 256;
/** Bytes of a read(2). */
const READ = 64 * 1024;
/** Bytes of a cluster of pages on their way out. */
const CLUSTER = 64 * 1024;
const MEGA = 2 ** 20;
/** The most RAM that a machine may have: with large pages, and on the sun4c, these are fewer than a million. */
const MOST_MEMORY = 2 ** 32 - MEGA;
const MOST_SUN4C = 256 * MEGA;
/** A disk whose time is not the matter. */
const DISK = { seek: 0, rotation: 0, transfer: 1 };

/** What memory that runs out, is locked or is read through windows costs on a port. */
export interface PressureFigures {
  readonly pageout: Figure;
  readonly pagein: Figure;
  /** Copying a page, a cluster at a time: what both contain. */
  readonly copyPage: Figure;
  /** Allocating, queueing, requeueing and freeing a page, among four thousand and a million. */
  readonly queue4e3: Figure;
  readonly queue1e6: Figure;
  readonly lockResident: Figure;
  readonly lockUntouched: Figure;
  readonly read: Figure;
  readonly copyRead: Figure;
  readonly forkResident: Figure;
  readonly forkSwapped: Figure;
}

/** A process with memory of its own on a machine that can swap. */
class Subject {
  readonly machine: Machine;
  readonly process: Process;
  readonly pageSize: number;
  readonly pages: number;
  readonly start: number;

  constructor(port: Port, pages: number) {
    this.pageSize = port.layout.pageSize;
    this.pages = pages;
    const bytes = pages * this.pageSize;
    this.machine = new Machine({ port, memory: Math.max(32 << 20, 4 * bytes), disk: DISK });
    const disk = this.machine.addDisk({ ...DISK, size: 2 * bytes });
    const backend = this.machine.addPartition('/dev/sd1b', disk).swapBackend(this.pageSize);
    this.machine.uvm.swap.on(backend, 0);
    // The sparc's count of what is locked goes up and never down, as in 2001: no limit that it could reach.
    const limits = { data: 2 ** 30, memlock: 2 ** 50 };
    this.process = this.machine.spawn({ limits, superuser: true });
    this.start = this.map();
  }

  map(): number {
    return ok(this.process.sys.mmap(0, this.pages * this.pageSize, RW, MAP_ANON | MAP_PRIVATE));
  }

  unmap(): void {
    ok(this.process.sys.munmap(this.start, this.pages * this.pageSize));
  }

  store(): void {
    for (let i = 0; i < this.pages; i++) this.process.store8(this.start + i * this.pageSize, i);
  }

  load(): void {
    for (let i = 0; i < this.pages; i++) this.process.load8(this.start + i * this.pageSize);
  }

  /** Has the page daemon write everything out that it can. */
  evict(): void {
    const { uvm } = this.machine;
    const { exp } = uvm;
    const { freetarg, anonmin } = exp;
    exp.freetarg = exp.npages;
    exp.anonmin = 0;
    for (let turns = 0; exp.swpgonly < this.pages; turns++) {
      if (turns === 16) throw new Error(`${exp.swpgonly} of ${this.pages} pages went to swap`);
      uvm.daemon!.wake();
      this.machine.run();
    }
    exp.freetarg = freetarg;
    exp.anonmin = anonmin;
  }
}

function ok({ error, value }: { readonly error: number; readonly value: number }): number {
  if (error !== 0) throw new Error(`a call of a bench answered errno ${error}`);
  return value;
}

async function pageout(port: Port): Promise<Figure> {
  const subject = new Subject(port, MOVED);
  // The first round has no hook before it.
  subject.store();
  return measure(MOVED, () => subject.evict(), { beforeEach: () => subject.store() });
}

async function pagein(port: Port): Promise<Figure> {
  const subject = new Subject(port, MOVED);
  subject.store();
  return measure(MOVED, () => subject.load(), { beforeEach: () => subject.evict() });
}

/** Copying as many bytes as so many pages have, in pieces, from memory to memory. */
async function copies(bytes: number, piece: number, operations: number): Promise<Figure> {
  const from = new Uint8Array(bytes).fill(1);
  const to = new Uint8Array(bytes).fill(2);
  return measure(operations, () => {
    for (let at = 0; at < bytes; at += piece) to.set(from.subarray(at, at + piece), at);
  });
}

/** What is done to every page: taken, put on the active queue, on the inactive one, and given back. */
async function queues(port: Port, wanted: number): Promise<Figure> {
  const { pageSize } = port.layout;
  const most = port.name === 'sun4c' ? MOST_SUN4C : MOST_MEMORY;
  const memory = Math.min(Math.ceil((wanted * 1.02 * pageSize) / MEGA) * MEGA, most);
  const pages = Math.min(wanted, Math.floor(memory / 1.02 / pageSize));
  const { uvm } = new Machine({ port, memory, pageDaemon: false });
  const all = uvm.pages;
  const operations = Math.min(pages, 1 << 16) >> 1;
  const taken: number[] = [];
  // All but some are in use, and queued.
  for (let i = 0; i < pages - 2 * operations; i++) all.activate(all.alloc(null, 0, NO_OWNER, 0));
  return measure(operations, () => {
    for (let i = 0; i < operations; i++) {
      const page = all.alloc(null, 0, NO_OWNER, 0);
      all.activate(page);
      taken.push(page);
    }
    for (const page of taken) all.deactivate(page);
    for (const page of taken) all.free(page);
    taken.length = 0;
  });
}

async function lock(port: Port, resident: boolean): Promise<Figure> {
  const subject = new Subject(port, LOCKED);
  const { process, start } = subject;
  const length = LOCKED * subject.pageSize;
  if (resident) subject.store();
  return measure(1, () => void ok(process.sys.mlock(start, length)), {
    afterEach() {
      ok(process.sys.munlock(start, length));
      if (resident) return;
      subject.unmap();
      if (subject.map() !== start) throw new Error('memory was mapped somewhere else');
    },
  });
}

async function read(port: Port): Promise<Figure> {
  const subject = new Subject(port, READ / port.layout.pageSize);
  const { machine, process, start } = subject;
  subject.store();
  const requests = 16;
  machine.fs.create('f', new Uint8Array(requests * READ).fill(1));
  const fd = ok(process.sys.open('f', 2));
  return measure(requests, () => {
    for (let i = 0; i < requests; i++) ok(process.sys.pread(fd, start, READ, i * READ));
  });
}

/** fork(2) of a process, and the child's exit(2). */
async function fork(port: Port, swapped: boolean): Promise<Figure> {
  const subject = new Subject(port, FORKED);
  const { machine, process } = subject;
  subject.store();
  return measure(
    1,
    () => {
      const pid = ok(process.sys.fork());
      machine.processes.get(pid)!.sys.exit(0);
      process.sys.wait4(pid);
    },
    { beforeEach: () => (swapped ? subject.evict() : subject.store()) },
  );
}

/** Measures what a port's memory costs when there is too little of it, and what is done to keep it. */
export async function measurePressure(make: () => Port): Promise<PressureFigures> {
  const { pageSize } = make().layout;
  return {
    pageout: await pageout(make()),
    pagein: await pagein(make()),
    copyPage: await copies(MOVED * pageSize, CLUSTER, MOVED),
    queue4e3: await queues(make(), 4e3),
    queue1e6: await queues(make(), 1e6),
    lockResident: await lock(make(), true),
    lockUntouched: await lock(make(), false),
    read: await read(make()),
    copyRead: await copies(16 * READ, READ, 16),
    forkResident: await fork(make(), false),
    forkSwapped: await fork(make(), true),
  };
}
