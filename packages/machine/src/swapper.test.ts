import { EIO, KernelPanic, PMAP_KERNEL } from '@uvmkit/pmap';
import {
  forgetfulPolicy,
  kernelRead,
  kernelWrite,
  MAP_ANON,
  MAP_PRIVATE,
  NO_OWNER,
  NO_PAGE,
  SWAP_ON,
  targetedPolicy,
  UVM_PGA_USERESERVE,
  vslock,
  vsunlock,
  wiremaxPolicy,
  wirePolicy,
  type WiringPolicy,
} from '@uvmkit/uvm-core';
import { describe, expect, it, vi } from 'vitest';
import { PORTS } from '../test/ports.ts';
import { checkMachine } from './check.ts';
import { Ddb } from './ddb/ddb.ts';
import { Machine } from './machine.ts';
import { type Process } from './process.ts';
import { SIGKILL } from './signal.ts';
import { MAXSLP } from './swapper.ts';

const MEGA = 1 << 20;
const FAST = { seek: 1000, rotation: 1000, transfer: 10 };
const I386 = PORTS.find(([name]) => name === 'i386')![1];

/** A machine with little memory and much swap, a process that uses it, and one that will have nothing to do. */
function setup(port = I386(), wiring: WiringPolicy = wiremaxPolicy) {
  const lines: string[] = [];
  const machine = new Machine({
    port,
    wiring,
    memory: 4 * MEGA,
    disk: FAST,
    print: (at) => lines.push(at),
  });
  const disk = machine.addDisk({ ...FAST, size: 64 * MEGA });
  machine.addPartition('/dev/sd1b', disk);
  const page = port.layout.pageSize;
  const hog = machine.spawn({ superuser: true });
  const idler = machine.spawn();
  const va = idler.sys.mmap(0, 4 * page, 3, MAP_ANON | MAP_PRIVATE).value;
  idler.store32(va, 1234);
  expect(hog.sys.swapctl(SWAP_ON, '/dev/sd1b').error).toBe(0);
  const pages = Math.floor((6 * MEGA) / page);
  const start = hog.sys.mmap(0, pages * page, 3, MAP_ANON | MAP_PRIVATE).value;
  const { exp } = machine.uvm;
  /** Uses all memory, and then some. */
  const press = () => {
    for (let i = 0; i < pages; i++) hog.store32(start + i * page, i);
    expect(checkMachine(machine)).toEqual([]);
  };
  return { machine, hog, idler, va, page, press, exp, disk, lines };
}

/** What is in the first bytes of a u-area, which are filled first if there is something to fill them with. */
function uareaBytes(machine: Machine, process: Process, fill: number[] | null = null): number[] {
  const { uvm } = machine;
  if (fill !== null) machine.drive(kernelWrite(uvm, process.uarea!.va, Uint8Array.from(fill)));
  const bytes = new Uint8Array(3);
  expect(machine.drive(kernelRead(uvm, process.uarea!.va, bytes))).toBe(0);
  return [...bytes];
}

describe.each(PORTS)('with memory short, %s', (_, port) => {
  it('swaps out who has been idle for 20 seconds, and brings it back as it was when it runs', () => {
    const { machine, hog, idler, va, press, exp } = setup(port());
    uareaBytes(machine, idler, [1, 2, 3]);
    press();
    expect([exp.swapouts, idler.swappedOut]).toEqual([0, false]);
    machine.clock.charge(MAXSLP);
    hog.sys.madvise(0, 0, 0);
    press();
    expect([exp.swapouts, exp.swapins]).toEqual([1, 0]);
    expect([hog.swappedOut, idler.swappedOut]).toEqual([false, true]);
    expect(new Ddb(machine).execute('ps').join('\n')).toMatch(/^2 +- +swapped /m);
    press();
    // Both pages of it have gone to swap.
    const { kernelMap, km, pages } = machine.uvm;
    const index = machine.uvm.atop(idler.uarea!.va - kernelMap.min);
    expect(pages.lookup(km.object, index)).toBe(NO_PAGE);
    expect(km.object.slot(index)).toBeGreaterThan(0);
    expect(idler.load32(va)).toBe(1234);
    expect([exp.swapins, idler.swappedOut]).toEqual([1, false]);
    expect(uareaBytes(machine, idler)).toEqual([1, 2, 3]);
    expect(machine.swapper.wiredPages).toBe(exp.wired);
    expect(checkMachine(machine)).toEqual([]);
  });

  it('lets the pmap of an idle map forget it all', () => {
    const { machine, hog, idler, va, page, press } = setup(port());
    const at = hog.sys.mmap(0, page, 3, MAP_ANON | MAP_PRIVATE).value;
    machine.clock.charge(MAXSLP);
    hog.store32(at, 1);
    const collect = vi.spyOn(machine.md.pmap, 'collect');
    press();
    expect([hog.space.map.idle, idler.space.map.idle]).toEqual([false, true]);
    const collected = new Set(collect.mock.calls.map(([pmap]) => pmap));
    expect([...collected]).toEqual([idler.space.pmap]);
    expect(idler.load32(va)).toBe(1234);
  });
});

/** One with tables and one with software refill. */
const TWO = PORTS.filter(([name]) => name === 'i386' || name === 'sun4c');

describe.each([wirePolicy, wiremaxPolicy, targetedPolicy, forgetfulPolicy])(
  'where $name is the wiring policy',
  (wiring) => {
    it.each(TWO)('a u-area goes and comes on %s', (_, port) => {
      const { machine, hog, idler, va, press, exp } = setup(port(), wiring);
      uareaBytes(machine, idler, [4, 5, 6]);
      machine.clock.charge(MAXSLP);
      press();
      press();
      expect(idler.swappedOut).toBe(true);
      expect(idler.load32(va)).toBe(1234);
      expect(uareaBytes(machine, idler)).toEqual([4, 5, 6]);
      // What the pmap forgets must not be the kernel's stack.
      machine.md.pmap.collect(PMAP_KERNEL);
      const { faults } = exp;
      uareaBytes(machine, idler, [7, 8, 9]);
      expect(exp.faults).toBe(faults);
      expect(checkMachine(machine)).toEqual([]);
      idler.sys.exit();
      hog.sys.exit();
      machine.run();
      expect(checkMachine(machine)).toEqual([]);
    });
  },
);

describe('a process', () => {
  it('that is swapped out is brought in before a thread of it goes on', () => {
    const { machine, idler, va, press, exp } = setup();
    let woke = 0;
    machine.start(idler, function* (thread) {
      yield* thread.store32(va, 5);
      yield* thread.sleep(3 * MAXSLP);
      woke = exp.swapins;
      expect(yield* thread.load32(va)).toBe(5);
    });
    while (machine.scheduler.runnable > 0) machine.turn();
    machine.clock.charge(MAXSLP);
    press();
    expect([exp.swapouts, exp.swapins]).toEqual([1, 0]);
    machine.run();
    expect([woke, exp.swapins]).toEqual([1, 1]);
  });

  it('whose space another one runs in keeps its mappings', () => {
    const { machine, hog, idler, press } = setup();
    const sharer = machine.processes.get(hog.sys.fork(null, true).value)!;
    machine.clock.charge(MAXSLP);
    press();
    expect([idler.swappedOut, sharer.swappedOut, hog.swappedOut]).toEqual([true, true, false]);
    expect([idler.space.map.idle, sharer.space.map.idle]).toEqual([true, false]);
  });

  it('whose memory a transfer uses stays', () => {
    const { machine, idler, va, page, press } = setup();
    const { uvm } = machine;
    expect(machine.drive(vslock(uvm, idler.space.map, va, page, 3))).toBe(0);
    machine.clock.charge(MAXSLP);
    press();
    expect(idler.swappedOut).toBe(false);
    vsunlock(uvm, idler.space.map, va, page);
    press();
    expect(idler.swappedOut).toBe(true);
  });

  it('goes, idle or not, if it ran longest ago and not even a u-area would fit', () => {
    const { machine, hog, idler, exp } = setup();
    machine.clock.charge(10);
    hog.sys.madvise(0, 0, 0);
    machine.uvm.collectIdle();
    expect(exp.swapouts).toBe(0);
    exp.free = 2;
    machine.uvm.collectIdle();
    expect([hog.swappedOut, idler.swappedOut]).toEqual([false, true]);
  });

  it('ends as well swapped out as not, and leaves nothing', () => {
    const { machine, hog, idler, press } = setup();
    machine.clock.charge(MAXSLP);
    press();
    press();
    expect(idler.swappedOut).toBe(true);
    machine.terminate(idler, SIGKILL);
    machine.run();
    expect(idler.uarea).toBe(null);
    hog.sys.exit();
    machine.run();
    expect(machine.uvm.exp.swpginuse).toBe(0);
    expect(machine.uvm.km.object.npages).toBe(0);
    expect(checkMachine(machine)).toEqual([]);
  });

  it.each(['plain access', 'plain call', 'thread'])(
    'is killed if there is no memory to bring it in for its %s',
    (how) => {
      const { machine, idler, va, press, exp, lines } = setup();
      let thread = null;
      if (how === 'thread')
        thread = machine.start(idler, function* (t) {
          yield* t.sleep(3 * MAXSLP);
        });
      while (machine.scheduler.runnable > 0) machine.turn();
      machine.clock.charge(MAXSLP);
      press();
      press();
      // The kernel takes whatever is free, and whatever becomes free.
      const { pages } = machine.uvm;
      for (let taken = -1; taken !== pages.kernelPages;) {
        taken = pages.kernelPages;
        while (exp.free > exp.reserve_pagedaemon) {
          pages.flags[pages.alloc(null, 0, NO_OWNER, UVM_PGA_USERESERVE)] = 0;
          pages.kernelPages++;
        }
        machine.uvm.daemon!.wake();
        while (machine.scheduler.runnable > 0 || exp.paging > 0) machine.turn();
      }
      if (how === 'plain access') expect(() => idler.load32(va)).toThrow(/SIGKILL/);
      else if (how === 'plain call') expect(() => idler.sys.madvise(0, 0, 0)).not.toThrow();
      machine.run();
      expect(thread?.done ?? true).toBe(true);
      expect(lines).toEqual([`UVM: pid ${idler.pid} killed: out of swap`]);
      expect([idler.state, idler.uarea]).toEqual(['dead', null]);
    },
  );

  it('is lost with the machine if its u-area cannot be read from swap', () => {
    const { machine, idler, va, press, disk } = setup();
    machine.clock.charge(MAXSLP);
    press();
    press();
    disk.failure = (_at, _length, write) => (write ? 0 : EIO);
    expect(() => idler.load32(va)).toThrow(KernelPanic);
    expect(machine.panic?.message).toMatch(/uvm_swapin/);
  });
});
