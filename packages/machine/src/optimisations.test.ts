import type { Port } from '@uvmkit/pmap';
import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { sv32 } from '@uvmkit/pmap-riscv';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import { MAP_ANON, MAP_PRIVATE } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { Crowd } from '../test/crowd.ts';
import { SCENARIOS } from '../test/failure-scenarios.ts';
import { play } from '../test/failure-stage.ts';
import { PLAIN, WHOLE } from '../test/plain.ts';
import { PORTS } from '../test/ports.ts';
import { Machine, type MachineOptions } from './machine.ts';
import type { Process } from './process.ts';

/** Scenarios of each MMU, each without one optimisation, unless all are tried. */
const PICKS = 2;

describe.each(PORTS)('on %s the same is read, answered and left behind', (arch, port) => {
  const number = PORTS.findIndex(([name]) => name === arch);
  const scenarios = SCENARIOS.filter(
    (_, i) => WHOLE || (i + number) % Math.ceil(SCENARIOS.length / PICKS) === 0,
  );

  it.each(scenarios.map((scenario, i) => [scenario.name, scenario, i] as const))(
    'when %s',
    { timeout: WHOLE ? 120_000 : 20_000 },
    (_, scenario, i) => {
      const usual = play(port(), scenario, 'page allocation', 0);
      expect(usual).toMatchObject({ outcomes: [], panic: null, lost: 0 });
      const picked = PLAIN.filter((_, n) => WHOLE || n === (i + number) % PLAIN.length);
      for (const [what, options] of picked)
        expect(play(port(), scenario, 'page allocation', 0, options), what).toEqual(usual);
    },
  );

  it(
    'when a crowd of threads runs in too little memory',
    { timeout: WHOLE ? 120_000 : 20_000 },
    () => {
      for (const [n, [what, machine]] of PLAIN.entries()) {
        if (!WHOLE && n !== number % PLAIN.length) continue;
        const crowd = new Crowd({
          port: port(),
          seed: 1 + n,
          steps: WHOLE ? 50 : 20,
          every: 25,
          machine,
        });
        expect(() => crowd.run(), what).not.toThrow();
        expect(Object.values(crowd.end()), what).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
      }
    },
  );
});

describe.each(PORTS)('a machine of %s', (_, port) => {
  const { pageSize } = port().layout;
  const boot = (options: Partial<MachineOptions> = {}): Machine =>
    new Machine({ port: port(), memory: 16 << 20, ...options });
  /** Has a file read, with a pause for its disk, and then some memory touched. */
  const run = (machine: Machine): Process => {
    machine.fs.create('f', new Uint8Array(pageSize).fill(7));
    const process = machine.spawn();
    const fd = process.sys.open('f', 2).value;
    const { value: va } = process.sys.mmap(0, 4 * pageSize, 3, MAP_ANON | MAP_PRIVATE);
    process.sys.pread(fd, va, pageSize, 0);
    for (let i = 0; i < 64; i++) process.load8(va + (i % 4) * pageSize);
    return process;
  };

  it('zeroes free pages while it waits for its disk, unless told not to', () => {
    const [usual, off] = [boot(), boot({ idleZeroing: false })];
    for (const machine of [usual, off]) run(machine);
    expect(usual.uvm.exp.pga_zerohit).toBeGreaterThan(0);
    expect([off.uvm.exp.zeropages, off.uvm.exp.pga_zerohit]).toEqual([0, 0]);
  });

  it('has no entry found last, and lengthens none, if told not to', () => {
    const entries = [boot(), boot({ merging: false })].map((machine) => {
      const { sys, space } = run(machine);
      expect(space.map.hint).not.toBe(space.map.header);
      const { value: va } = sys.mmap(0, pageSize, 3, MAP_ANON | MAP_PRIVATE);
      sys.mmap(va + pageSize, pageSize, 3, MAP_ANON | MAP_PRIVATE);
      return space.map.nentries;
    });
    expect(entries[1]! - entries[0]!).toBeGreaterThan(0);
    const { space, sys } = run(boot({ mapHints: false }));
    expect(space.map.hint).toBe(space.map.header);
    // Room is still found from the bottom up.
    const [a, b] = [1, 1].map(() => sys.mmap(0, pageSize, 1, MAP_ANON | MAP_PRIVATE).value);
    sys.munmap(a!, pageSize);
    expect(sys.mmap(0, pageSize, 1, MAP_ANON | MAP_PRIVATE).value).toBe(a);
    expect(b).toBeGreaterThan(a!);
  });

  it('walks for every access, if told that it has no TLB', () => {
    const misses = [boot(), boot({ tlb: false })].map((machine) => {
      const process = run(machine);
      const [{ stats }] = machine.md.mmus as [Machine['md']['mmus'][0]];
      const before = stats.misses;
      const va = process.space.map.header.next.start;
      for (let i = 0; i < 50; i++) process.load8(va);
      return stats.misses - before;
    });
    const none = port().capabilities.tables === 'mmu';
    expect(misses[0]).toBeLessThan(5);
    expect(misses[1]).toBeGreaterThanOrEqual(none ? 0 : 25);
  });
});

/** The smallest that hardware of each kind had, or smaller; where the MMU holds the translations themselves, fewer of these. */
const SMALL: readonly (readonly [string, () => Port])[] = [
  ['alpha with two buffers of one entry', () => alpha({ tbSets: 1, tbWays: 1, maxAsn: 0 })],
  ['i486 with one TLB of 32', () => i386({ processor: 'i486' })],
  ['603 with TLBs of 64', () => oea({ model: '603' })],
  ['srmmu with a TLB of 4', () => srmmu({ tlbEntries: 4, contexts: 8 })],
  ['sun4c with 40 PMEGs and 3 contexts', () => sun4c({ pmegs: 40, contexts: 3 })],
  ['405 with 4 PIDs', () => ibm4xx({ contexts: 4 })],
  ['sv32 with a TLB of 4', () => sv32({ tlbEntries: 4 })],
];

it.each(SMALL)(
  'a crowd in too little memory reads the same on %s',
  { timeout: 20_000 },
  (_, port) => {
    const crowd = new Crowd({ port: port(), seed: 5, steps: WHOLE ? 50 : 15, every: 25 });
    expect(() => crowd.run()).not.toThrow();
    expect(Object.values(crowd.end())).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  },
);
