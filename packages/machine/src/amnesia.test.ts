import { MAP_ANON, MAP_PRIVATE } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { PORTS } from '../test/ports.ts';
import { World } from '../test/world.ts';
import { Machine } from './machine.ts';

describe.each(PORTS)('a machine of %s that forgets every mapping at every step', (_, port) => {
  const { pageSize, littleEndian } = port().layout;
  const boot = (): Machine =>
    new Machine({ port: port(), memory: 16 << 20, amnesia: 1, faultAhead: false });

  it('makes accesses that need two pages at once', () => {
    const machine = boot();
    const process = machine.spawn();
    const va = process.sys.mmap(0, 4 * pageSize, 3, MAP_ANON | MAP_PRIVATE).value;
    const pair = new Uint32Array(2);
    for (const at of [va + pageSize - 3, va + 2 * pageSize - 5, va + 3 * pageSize - 1]) {
      process.store64(at, 0x01020304, 0xa5a6a7a8);
      process.load64(at, pair);
      expect([...pair]).toEqual([0x01020304, 0xa5a6a7a8]);
      process.store32(at, 0xfffefdfc);
      expect(process.load32(at)).toBe(0xfffefdfc);
      process.store16(at, 0x1234);
      expect(process.load8(at)).toBe(littleEndian ? 0x34 : 0x12);
    }
    // Two pages, each store and each load: three faults at most for each of the pairs of pages.
    expect(machine.uvm.exp.faults).toBeLessThan(120);
    // Every access is a step; of the calls in its faults one in sixteen.
    expect(machine.amnesia!.strikes).toBeGreaterThan(80);
  });

  it('runs programs from pages that it fetches, loads and stores by turns, in threads and after a fork', () => {
    const machine = boot();
    const parent = machine.spawn();
    const va = parent.sys.mmap(0, 3 * pageSize, 7, MAP_ANON | MAP_PRIVATE).value;
    for (let n = 0; n < 3; n++) parent.store8(va + n * pageSize, 10 + n);
    const child = machine.processes.get(parent.sys.fork().value)!;
    const seen: number[] = [];
    for (const [n, process] of [parent, child].entries())
      machine.start(process, function* (t) {
        yield* t.store8(va + pageSize, 20 + n);
        seen.push(yield* t.fetch8(va), yield* t.load8(va + pageSize));
        yield* t.store8(va + 2 * pageSize, yield* t.load8(va + pageSize));
      });
    machine.run();
    expect(seen.toSorted((a, b) => a - b)).toEqual([10, 10, 20, 21]);
    expect([parent.load8(va + 2 * pageSize), child.load8(va + 2 * pageSize)]).toEqual([20, 21]);
    child.sys.exit(0);
  });

  it('copies between the kernel and processes, and between processes', () => {
    const machine = boot();
    const process = machine.spawn();
    const va = process.sys.mmap(0, 2 * pageSize, 3, MAP_ANON | MAP_PRIVATE).value;
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff);
    expect(process.copyout(va + pageSize - 100, bytes)).toBe(0);
    expect(process.copyin(va + pageSize - 100, 300)).toEqual(bytes);
    machine.fs.create('f', new Uint8Array(3 * pageSize).fill(7));
    const fd = process.sys.open('f', 2).value;
    expect(process.sys.pwrite(fd, va + pageSize - 100, 300, pageSize - 10).value).toBe(300);
    expect(process.sys.pread(fd, va, 300, pageSize - 10).value).toBe(300);
    expect(process.readBytes(va, 300)).toEqual(bytes);
  });
});

describe.each(PORTS)('a simulated day of forgetting on %s', (_, port) => {
  it('leaves every process reading what it should, and no page lost', () => {
    const world = new World(port(), 4, false, 0.1);
    for (let step = 0; step < 80; step++) world.step();
    expect(world.checked).toBeGreaterThan(200);
    expect(world.machine.amnesia!.forgotten).toBeGreaterThan(300);
    expect(world.end()).toEqual({ free: 0, wired: 0, amaps: 0, anons: 0 });
  });
});

it('draws what a machine that does not forget draws', () => {
  const [, port] = PORTS[0]!;
  const drawn = [0, 0.3].map((amnesia) => {
    const machine = new Machine({ port: port(), memory: 16 << 20, seed: 9, amnesia });
    const process = machine.spawn();
    process.store8(process.sys.mmap(0, 8192, 3, MAP_ANON | MAP_PRIVATE).value, 1);
    return machine.random.next();
  });
  expect(drawn[0]).toBe(drawn[1]);
});

it.each([-1, 2, Number.NaN])('cannot forget with a probability of %d', (amnesia) => {
  const [, port] = PORTS[0]!;
  expect(() => new Machine({ port: port(), amnesia })).toThrow(/from 0 to 1, given/);
});
