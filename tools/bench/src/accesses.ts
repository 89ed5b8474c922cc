import { VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import type { Port } from '@uvmkit/pmap';
import { Machine, type Process } from '@uvmkit/machine';
import {
  MAP_ANON,
  MAP_FIXED,
  MAP_PRIVATE,
  type WiringPolicy,
  wiremaxPolicy,
} from '@uvmkit/uvm-core';
import { type Figure, measure } from './measure.ts';
import { HIT_BYTES, PASSES, shuffled } from './yardstick.ts';

const RW = VM_PROT_READ | VM_PROT_WRITE;
/** Pages that a round of faults touches. */
const PAGES = 4096;
/** Touched pages of the process that is forked. */
const FORKED = 10_000;

/** What faults and forks cost. */
export interface FaultFigures {
  readonly soft: Figure;
  readonly zeroFill: Figure;
  readonly copyOnWrite: Figure;
  readonly fork: Figure;
}

/** What a port's accesses and faults cost. */
export interface PortFigures extends FaultFigures {
  readonly arch: string;
  readonly hit: Figure;
  readonly miss: Figure;
}

/** One process with a range of anonymous memory, on a machine of its own. */
class Subject {
  readonly machine: Machine;
  readonly process: Process;
  readonly pageSize: number;
  readonly start: number;
  readonly length: number;

  constructor(
    port: Port,
    pages: number,
    faultAhead: boolean,
    wiring: WiringPolicy = wiremaxPolicy,
  ) {
    const { layout } = port;
    this.machine = new Machine({
      port,
      memory: Math.max(256 << 20, pages * layout.pageSize * 4),
      faultAhead,
      wiring,
    });
    this.process = this.machine.spawn({ limits: { data: 2 ** 30 } });
    this.pageSize = layout.pageSize;
    this.length = pages * layout.pageSize;
    // Away from page and segment zero, the heap and the stack.
    this.start = Math.ceil((layout.userMin + (64 << 20)) / (16 << 20)) * (16 << 20);
    this.map();
  }

  map(): void {
    const { error } = this.process.sys.mmap(
      this.start,
      this.length,
      RW,
      MAP_ANON | MAP_PRIVATE | MAP_FIXED,
      -1,
      0,
    );
    if (error !== 0) throw new Error(`mmap answered errno ${error}`);
  }

  unmap(): void {
    this.process.sys.munmap(this.start, this.length);
  }

  touchAll(process: Process = this.process): void {
    const end = this.start + this.length;
    for (let va = this.start; va < end; va += this.pageSize) process.store8(va, 1);
  }

  /** Makes the pmap forget the range, so that each page faults again although it is resident. */
  forget(): void {
    const { pmap } = this.machine.md;
    pmap.remove(this.process.space.pmap, this.start, this.start + this.length);
    pmap.update(this.process.space.pmap);
  }
}

/**
 * Loads that the TLB knows. Each yields the address of the next, over eight pages in random order, as
 * the yardstick's reads do: so neither is measured by how many of them the host can run at once.
 */
async function hit(port: Port): Promise<Figure> {
  const subject = new Subject(port, HIT_BYTES / port.layout.pageSize, true);
  const { process, start } = subject;
  const order = shuffled(HIT_BYTES >> 2);
  for (let i = 0; i < order.length; i++) process.store32(start + i * 4, start + order[i]! * 4);
  return measure(order.length * PASSES, () => {
    let at = start;
    for (let i = 0; i < order.length * PASSES; i++) at = process.load32(at);
    if (at !== start) throw new Error('the chain of loads does not close');
  });
}

/** Loads that the TLB does not know, but the tables do: one a page, over more pages than any TLB holds. */
async function miss(port: Port): Promise<Figure> {
  const subject = new Subject(port, 2048, true);
  const { process, start, length, pageSize } = subject;
  subject.touchAll();
  return measure(2048, () => {
    for (let va = start; va < start + length; va += pageSize) process.load8(va);
  });
}

/** Faults on pages that are resident and only not mapped. */
async function soft(port: Port, wiring: WiringPolicy): Promise<Figure> {
  const subject = new Subject(port, PAGES, false, wiring);
  const { process, start, length, pageSize } = subject;
  subject.touchAll();
  return measure(
    PAGES,
    () => {
      for (let va = start; va < start + length; va += pageSize) process.load8(va);
    },
    { beforeEach: () => subject.forget() },
  );
}

/** First stores to anonymous memory. */
async function zeroFill(port: Port, wiring: WiringPolicy): Promise<Figure> {
  const subject = new Subject(port, PAGES, true, wiring);
  return measure(PAGES, () => subject.touchAll(), {
    beforeEach: () => {
      subject.unmap();
      subject.map();
    },
  });
}

/** First stores of a child to memory that its parent has touched. */
async function copyOnWrite(port: Port, wiring: WiringPolicy): Promise<Figure> {
  const subject = new Subject(port, PAGES, true, wiring);
  subject.touchAll();
  let child: Process | null = null;
  return measure(PAGES, () => subject.touchAll(child!), {
    beforeEach: () => {
      child = forked(subject);
    },
    afterEach: () => reap(subject, child!),
  });
}

/** fork(2) of a process with 10,000 touched pages. */
async function fork(port: Port, wiring: WiringPolicy): Promise<Figure> {
  const subject = new Subject(port, FORKED, true, wiring);
  let child: Process | null = null;
  return measure(
    1,
    () => {
      child = forked(subject);
    },
    // The fork took the parent's write permission away; it has it back for the next one.
    { beforeEach: () => subject.touchAll(), afterEach: () => reap(subject, child!) },
  );
}

function forked(subject: Subject): Process {
  const { error, value } = subject.process.sys.fork();
  const child = subject.machine.processes.get(value);
  if (error !== 0 || child === undefined) throw new Error(`fork answered errno ${error}`);
  return child;
}

function reap(subject: Subject, child: Process): void {
  child.sys.exit(0);
  subject.process.sys.wait4(child.pid);
}

/** Measures everything that one port's accesses and faults cost. */
export async function measurePort(arch: string, make: () => Port): Promise<PortFigures> {
  return {
    arch,
    hit: await hit(make()),
    miss: await miss(make()),
    ...(await measureFaults(make, wiremaxPolicy)),
  };
}

/** Measures what faults and forks cost under a wiring policy. */
export async function measureFaults(make: () => Port, wiring: WiringPolicy): Promise<FaultFigures> {
  return {
    soft: await soft(make(), wiring),
    zeroFill: await zeroFill(make(), wiring),
    copyOnWrite: await copyOnWrite(make(), wiring),
    fork: await fork(make(), wiring),
  };
}
