import { i386 } from '@uvmkit/pmap-i386';
import { describe, expect, it } from 'vitest';
import { Simulation, type SimulationOptions } from '../test/simulation.ts';

/** More of the same: UVMKIT_SIMULATION=20 runs twenty times as many seeds. */
const FACTOR = Number(process.env['UVMKIT_SIMULATION'] ?? 1);
const FIRST = Number(process.env['UVMKIT_SEED'] ?? 1);

interface Totals {
  pageouts: number;
  pageins: number;
  swapoffs: number;
  refused: number;
}

function simulate(options: Omit<SimulationOptions, 'seed'>, seeds: number, steps: number): Totals {
  const totals: Totals = { pageouts: 0, pageins: 0, swapoffs: 0, refused: 0 };
  for (let seed = FIRST; seed < FIRST + seeds * FACTOR; seed++) {
    const simulation = new Simulation({ ...options, seed });
    let step = 0;
    try {
      for (; step < steps; step++) simulation.step();
      simulation.end();
    } catch (error) {
      const log = simulation.log.slice(-40).join('\n');
      throw new Error(`seed ${seed}, step ${step}:\n${log}\n${String(error)}`, { cause: error });
    }
    const { exp } = simulation.kit;
    totals.pageouts += exp.pgswapout;
    totals.pageins += exp.pgswapin;
    totals.swapoffs += simulation.swapoffs;
    totals.refused += simulation.outOfMemory;
  }
  return totals;
}

describe(
  'random processes in too little memory read what they must, and every invariant holds after every step',
  { timeout: 20_000 },
  () => {
    it('with files, shared segments and swap that comes and goes', () => {
      const options = { memory: 96 << 10, wire: false, share: false, pressure: { swap: 400 } };
      const totals = simulate(options, 4, 400);
      expect(totals.pageouts).toBeGreaterThan(200);
      expect(totals.pageins).toBeGreaterThan(200);
      expect(totals.swapoffs).toBeGreaterThan(0);
      expect(totals.refused).toBe(0);
    });

    it('with inheritance changed', () => {
      const options = { memory: 96 << 10, wire: false, share: true, pressure: { swap: 400 } };
      expect(simulate(options, 4, 400).pageouts).toBeGreaterThan(200);
    });

    it('with swap too small, too: some are refused memory, nobody sleeps for ever', () => {
      const options = { memory: 96 << 10, wire: false, share: false, pressure: { swap: 12 } };
      expect(simulate(options, 4, 400).refused).toBeGreaterThan(0);
    });

    it('on the i386', () => {
      const options = {
        port: i386(),
        memory: 192 << 10,
        wire: false,
        share: false,
        pressure: { swap: 400 },
      };
      expect(simulate(options, 2, 300).pageouts).toBeGreaterThan(50);
    });
  },
);
