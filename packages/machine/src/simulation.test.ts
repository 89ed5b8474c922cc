import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { checkUvm } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { PORTS } from '../test/ports.ts';
import { storm, type Wreckage } from '../test/storm.ts';
import { World } from '../test/world.ts';

/*
 * Seeded simulation: processes do what comes to the generator's mind, and a plain model (a byte a page and
 * process) says what each of them must read. Every port runs the same stories.
 */
describe.each(PORTS)('a simulated day on %s', (_, port) => {
  for (const seed of [1, 2, 3])
    it(`leaves every process reading what it should, and no page lost, with seed ${seed}`, () => {
      const world = new World(port(), seed);
      for (let step = 0; step < 400; step++) world.step();
      expect(world.checked).toBeGreaterThan(1000);
      expect(world.end()).toEqual({ free: 0, wired: 0, amaps: 0, anons: 0 });
    });
});

describe.each(PORTS)('a day with too little memory on %s', (_, port) => {
  it('leaves every process reading what it should, UVM sound after every step, and no page lost', () => {
    const world = new World(port(), 11, true);
    const { uvm } = world.machine;
    for (let step = 0; step < 60; step++) {
      world.step();
      expect(checkUvm(uvm)).toEqual([]);
    }
    expect(uvm.exp.pgswapout).toBeGreaterThan(100);
    expect(uvm.exp.pgswapin).toBeGreaterThan(100);
    expect(world.end()).toEqual({ free: 0, wired: 0, amaps: 0, anons: 0 });
    expect(uvm.exp.swpginuse).toBe(0);
  });
});

const NOTHING: Wreckage = {
  pages: 0,
  wired: 0,
  amaps: 0,
  anons: 0,
  vnodeRefs: 0,
  sleepers: 0,
  processes: 0,
};

describe.each(PORTS)('a storm of threads on %s', (_, port) => {
  for (const kind of ['locking', 'discarding'] as const)
    for (const seed of [1, 2])
      it(`neither panics nor hangs nor leaves anything behind, ${kind}, with seed ${seed}`, () => {
        expect(storm(port(), seed, 1, kind)).toEqual(NOTHING);
      });
});

describe('a storm of threads on two CPUs', () => {
  it('neither panics nor hangs nor leaves anything behind', () => {
    expect(storm(i386(), 3, 2, 'locking')).toEqual(NOTHING);
    expect(storm(alpha(), 3, 2, 'discarding')).toEqual(NOTHING);
  });
});
