import { i386 } from '@uvmkit/pmap-i386';
import { describe, expect, it } from 'vitest';
import { Simulation, type SimulationOptions } from '../test/simulation.ts';
import { Dice } from '../test/simulation-model.ts';
import { forgetfulPolicy } from './wiring/forgetful.ts';
import { targetedPolicy } from './wiring/targeted.ts';
import { wirePolicy } from './wiring/wire.ts';

/** More of the same: UVMKIT_SIMULATION=20 runs twenty times as many seeds. */
const FACTOR = Number(process.env['UVMKIT_SIMULATION'] ?? 1);
const FIRST = Number(process.env['UVMKIT_SEED'] ?? 1);

function simulate(options: Omit<SimulationOptions, 'seed'>, seeds: number, steps: number): void {
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
  }
}

/** A pmap that forgets and fails at random, seeded apart from what the processes do. */
function unreliable(): Pick<SimulationOptions, 'failEnter' | 'forget' | 'deferred'> {
  const dice = new Dice(4711);
  return {
    failEnter: () => dice.chance(16),
    forget: (unwired) => (dice.chance(4) ? dice.roll(unwired) : -1),
    deferred: true,
  };
}

describe(
  'random processes read what they must, and every invariant holds after every step',
  { timeout: 20_000 },
  () => {
    it('on a pmap that keeps everything, with memory locked', () => {
      expect(() => simulate({ wire: true, share: false }, 8, 300)).not.toThrow();
    });

    it('on a pmap that keeps everything, with inheritance changed and files truncated', () => {
      expect(() => simulate({ wire: false, share: true }, 8, 300)).not.toThrow();
    });

    it('on a pmap that forgets and fails, with memory locked', () => {
      expect(() => simulate({ wire: true, share: false, ...unreliable() }, 8, 300)).not.toThrow();
    });

    it('on a pmap that forgets and fails, with inheritance changed and files truncated', () => {
      expect(() => simulate({ wire: false, share: true, ...unreliable() }, 8, 300)).not.toThrow();
    });

    it('without looking at neighbours, with four page colours', () => {
      const options = { wire: true, share: true, faultAhead: false, colours: 4 };
      expect(() => simulate(options, 4, 300)).not.toThrow();
    });

    it('on the i386', () => {
      expect(() => simulate({ port: i386(), wire: true, share: false }, 3, 200)).not.toThrow();
      expect(() => simulate({ port: i386(), wire: false, share: true }, 3, 200)).not.toThrow();
    });
  },
);

describe.each([targetedPolicy, forgetfulPolicy])(
  'with memory locked under $name, whatever is done to it, inheritance and truncation included',
  { timeout: 20_000 },
  (wiring) => {
    const all = { wiring, wire: true, share: true };

    it('nothing is lost on a pmap that keeps everything', () => {
      expect(() => simulate(all, 6, 300)).not.toThrow();
    });

    it('nothing is lost on a pmap that forgets and fails', () => {
      expect(() => simulate({ ...all, ...unreliable() }, 6, 300)).not.toThrow();
    });

    it('nothing is lost on the i386', () => {
      expect(() => simulate({ ...all, port: i386() }, 2, 200)).not.toThrow();
    });
  },
);

describe('with memory locked as before the commit', { timeout: 20_000 }, () => {
  it('nothing is lost where the known hazards are kept out of the way', () => {
    const options = { wiring: wirePolicy, wire: true, share: false };
    expect(() => simulate(options, 4, 300)).not.toThrow();
  });
});
