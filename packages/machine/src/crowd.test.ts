import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { describe, expect, it } from 'vitest';
import { Crowd, type CrowdOptions } from '../test/crowd.ts';
import { PORTS } from '../test/ports.ts';

/** More of the same: UVMKIT_SIMULATION=20 runs twenty times as many seeds. */
const FACTOR = Number(process.env['UVMKIT_SIMULATION'] ?? 1);
const FIRST = Number(process.env['UVMKIT_SEED'] ?? 1);

function run(options: Omit<CrowdOptions, 'seed' | 'steps' | 'every'>, seeds: number): void {
  for (let seed = FIRST; seed < FIRST + seeds * FACTOR; seed++) {
    const crowd = new Crowd({ ...options, seed, steps: 50, every: 25 });
    const where = `seed ${seed}`;
    try {
      crowd.run();
    } catch (error) {
      throw new Error(`${where}: ${String(error)}`, { cause: error });
    }
    const { exp } = crowd.machine.uvm;
    expect(crowd.checked, where).toBeGreaterThan(500);
    expect(exp.pgswapout, where).toBeGreaterThan(50);
    expect(exp.pgswapin, where).toBeGreaterThan(50);
    expect(crowd.end(), where).toEqual({
      pages: 0,
      wired: 0,
      amaps: 0,
      anons: 0,
      slots: 0,
      lent: 0,
      processes: 0,
      sleepers: 0,
    });
  }
}

describe.each(PORTS)('a crowd of threads in too little memory on %s', (_, port) => {
  it(
    'reads what it should, leaves UVM sound all the while and nothing behind',
    { timeout: 20_000 * FACTOR },
    () => {
      expect(() => run({ port: port() }, 1)).not.toThrow();
    },
  );
});

describe('a crowd of threads in too little memory on two CPUs', () => {
  it(
    'reads what it should, leaves UVM sound all the while and nothing behind',
    { timeout: 20_000 * FACTOR },
    () => {
      expect(() => run({ port: i386(), cpus: 2 }, 1)).not.toThrow();
      expect(() => run({ port: alpha(), cpus: 2 }, 1)).not.toThrow();
    },
  );
});
