import {
  CHANNEL_MEMORY,
  MAP_ANON,
  MAP_PRIVATE,
  MAP_SHARED,
  MCL_CURRENT,
  MCL_FUTURE,
  NO_PAGE,
  PG_BUSY,
  PG_CLEAN,
  SWAP_ON,
  violationText,
  Vmspace,
} from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { PORTS } from '../test/ports.ts';
import { checkMachine, MACHINE_INVARIANTS } from './check.ts';
import { RLIMIT_MEMLOCK } from './limits.ts';
import { Machine } from './machine.ts';
import { O_RDWR } from './open-file.ts';

const MEGA = 1 << 20;
const FAST = { seek: 1000, rotation: 1000, transfer: 10 };
const I386 = PORTS.find(([name]) => name === 'i386')![1];

/** A machine that has been short of memory: two processes, a file and swap; every invariant holds. */
function setup(port = I386()) {
  const machine = new Machine({ port, memory: 4 * MEGA, disk: FAST });
  const disk = machine.addDisk({ ...FAST, size: 32 * MEGA });
  machine.addPartition('/dev/sd1b', disk);
  const page = port.layout.pageSize;
  machine.fs.create('f', new Uint8Array(4 * page + 100).fill(7));
  const process = machine.spawn({ superuser: true });
  expect(process.sys.swapctl(SWAP_ON, '/dev/sd1b').error).toBe(0);
  const fd = process.sys.open('f', O_RDWR).value;
  const shared = process.sys.mmap(0, 5 * page, 3, MAP_SHARED, fd).value;
  const va = process.sys.mmap(0, 6 * MEGA, 3, MAP_ANON | MAP_PRIVATE).value;
  for (let at = 0; at < 6 * MEGA; at += page) process.store32(va + at, at);
  // From swap, so that memory and swap hold the same.
  for (let i = 0; i < 8; i++) process.load32(va + i * page);
  const child = machine.processes.get(process.sys.fork().value)!;
  child.sys.mlock(shared, page);
  process.load8(shared);
  process.load8(shared + 4 * page);
  machine.run();
  const { uvm } = machine;
  const { pages } = uvm;
  const file = machine.fs.lookup('f')!;
  const filePage = (index: number) => pages.pageAddress(pages.lookup(file.vnode, index));
  return { machine, uvm, pages, process, child, page, va, shared, fd, file, filePage };
}

type World = ReturnType<typeof setup>;

/** Violations by text. */
function named(machine: Machine): string[] {
  return checkMachine(machine).map(violationText);
}

/** A page that is on swap as it is in memory. */
function cleanPage({ uvm, pages }: World): number {
  const anon = uvm.anons.page.findIndex(
    (page, index) =>
      page !== NO_PAGE &&
      uvm.anons.swslot[index]! > 0 &&
      (pages.flags[page]! & (PG_CLEAN | PG_BUSY)) === PG_CLEAN &&
      !uvm.pmap.isModified(pages.pageAddress(page)),
  );
  return uvm.anons.page[anon]!;
}

describe.each(PORTS)('a machine of %s', (_, port) => {
  it('that has been short of memory keeps every invariant, until its last process has gone', () => {
    const { machine, process, child } = setup(port());
    expect(named(machine)).toEqual([]);
    child.sys.exit();
    expect(named(machine)).toEqual([]);
    process.sys.exit();
    machine.run();
    expect(named(machine)).toEqual([]);
  });
});

/** What is broken, under the number of the invariant that must be named. */
const CORRUPTIONS: [number, string, (w: World) => void][] = [
  [22, 'a file that somebody uses without leave', (w) => w.file.vnode.refs++],
  [
    44,
    'a file whose disk changed behind its back',
    (w) => w.machine.disk.poke(0, Uint8Array.of(9)),
  ],
  [44, 'the tail of a file', (w) => w.machine.memory.write8(w.filePage(4) + 99, 1)],
  [
    44,
    'a clean page that swap holds differently',
    (w) => w.machine.memory.write8(w.pages.pageAddress(cleanPage(w)) + 8, 77),
  ],
  [45, 'a page left busy', (w) => (w.pages.flags[w.pages.lookup(w.file.vnode, 0)]! |= PG_BUSY)],
  [45, 'a map left locked', (w) => (w.process.space.map.exclusive = true)],
  [46, 'more locked than was ever allowed', (w) => (w.child.mostLocked = w.page - 1)],
  [
    50,
    'a thread that sleeps though memory is free',
    (w) => w.machine.scheduler.sleep(CHANNEL_MEMORY, { awaken: () => undefined }),
  ],
  [
    51,
    'a CPU with a space of nobody’s',
    (w) => (w.machine.cpus[0]!.space = new Vmspace(w.uvm.kernelMap)),
  ],
  [
    51,
    'a CPU with the space of a process that is swapped out',
    (w) => {
      w.process.load8(w.shared);
      w.process.swappedOut = true;
    },
  ],
  [52, 'a reference to a space', (w) => w.child.space.refs++],
  [52, 'a map that is not known', (w) => w.uvm.maps.delete(w.child.space.map)],
  [52, 'a map without a process', (w) => w.machine.forgetProcess(w.child)],
  [53, 'a u-area that is lost', (w) => (w.child.uarea = null)],
  [53, 'a u-area that is wired', (w) => (w.child.swappedOut = true)],
  [53, 'a u-area that is not wired', (w) => w.child.uarea!.swapOut()],
  [53, 'a zombie with a u-area', (w) => (w.child.state = 'zombie')],
];

describe('the checker of machines', () => {
  it.each(CORRUPTIONS)('names %i for %s', (number, _what, corrupt) => {
    const world = setup();
    expect(named(world.machine)).toEqual([]);
    corrupt(world);
    const found = named(world.machine);
    expect(found.some((text) => text.startsWith(`invariant ${number} (`))).toBe(true);
  });

  it('names 48 for what is left when the last process has gone', () => {
    const { machine, process, child, file, pages } = setup();
    process.sys.exit();
    child.sys.exit();
    machine.run();
    pages.wire(pages.lookup(file.vnode, 0));
    const found = named(machine);
    expect(found.some((text) => /^invariant 48 .*1 wired pages/.test(text))).toBe(true);
  });

  it('does not take a segment that outlives its processes for a leak', () => {
    const { machine, process, child } = setup();
    process.sys.shmget(0, 4096, 0o600);
    process.sys.exit();
    child.sys.exit();
    machine.run();
    expect(named(machine)).toEqual([]);
  });

  it('names 49 for memory that is not what an oracle says, and 8 for a map that grew younger', () => {
    const { machine, process, va } = setup();
    process.load8(va);
    const timestamps = new Map<number, number>();
    const oracle = (map: unknown, at: number) => (map === process.space.map && at === va ? 0 : -1);
    expect(checkMachine(machine, { timestamps })).toEqual([]);
    expect(checkMachine(machine, { oracle }).map(({ invariant }) => invariant)).toEqual([49]);
    process.space.map.timestamp--;
    expect(checkMachine(machine, { timestamps }).map(({ invariant }) => invariant)).toEqual([8]);
  });

  it('remembers what a process was allowed to lock when its limit is lowered', () => {
    const { machine, child } = setup();
    const { hard } = child.sys.getrlimit(RLIMIT_MEMLOCK);
    expect(child.sys.setrlimit(RLIMIT_MEMLOCK, { soft: 0, hard }).error).toBe(0);
    expect(named(machine)).toEqual([]);
    expect(child.sys.mlockall(MCL_CURRENT | MCL_FUTURE).error).not.toBe(0);
    expect(named(machine)).toEqual([]);
  });

  it('lets threads hold what they hold while they sleep', () => {
    const { machine, child, shared, page, fd } = setup();
    machine.start(child, function* (t) {
      yield* t.pread(fd, shared, 2 * page, page);
      yield* t.mlock(shared, 3 * page);
      yield* t.fsync(fd);
    });
    let turns = 0;
    do {
      turns++;
      expect(named(machine)).toEqual([]);
    } while (machine.turn());
    expect(turns).toBeGreaterThan(5);
  });

  it('has been seen to fail for every invariant that UVM’s own checker does not know', () => {
    const seen = [48, 49, ...CORRUPTIONS.map(([number]) => number)];
    const own = Object.keys(MACHINE_INVARIANTS)
      .map(Number)
      .filter((number) => number > 44 && number !== 47);
    expect(seen).toEqual(expect.arrayContaining(own));
  });
});
