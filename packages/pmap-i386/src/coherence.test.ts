import fc from 'fast-check';
import { describe, it } from 'vitest';
import { Model, type Step } from '../test/model.ts';
import type { I386Options } from './options.ts';

const CONFIGURATIONS: readonly {
  name: string;
  options: I386Options;
  cpus: number;
  tablePages?: number;
}[] = [
  { name: 'up', options: { variant: 'up' }, cpus: 1 },
  { name: 'up on an 80386', options: { variant: 'up', processor: '80386' }, cpus: 1 },
  { name: 'up, deferred', options: { variant: 'up', deferred: true }, cpus: 1 },
  { name: 'up, short of pv entries', options: { variant: 'up', pvEntries: 4 }, cpus: 1 },
  { name: 'up, short of tables', options: { variant: 'up' }, cpus: 1, tablePages: 5 },
  { name: 'up, A set on success only', options: { accessedOnFault: false }, cpus: 1 },
  { name: 'q on one CPU', options: { variant: 'q' }, cpus: 1 },
  { name: 'q on three', options: {}, cpus: 3 },
  { name: 'q on two 80386s', options: { processor: '80386' }, cpus: 2 },
  { name: 'q, deferred', options: { deferred: true }, cpus: 3 },
  { name: 'q, short of everything', options: { pvEntries: 4 }, cpus: 2, tablePages: 5 },
];

describe('random pmap calls and accesses', () => {
  const number = fc.nat({ max: 255 });
  const step: fc.Arbitrary<Step> = fc.tuple(fc.nat({ max: 23 }), number, number, number, number);
  const steps = fc.array(step, { minLength: 40, maxLength: 120 });

  it.each(CONFIGURATIONS)('never let a TLB, a count or a list disagree: $name', (c) => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const model = new Model(c.options, c.cpus, c.tablePages ?? Number.POSITIVE_INFINITY);
        for (const one of sequence) model.step(one);
        model.check();
        model.checkLeaks();
      }),
      { seed: 20011231, numRuns: 25 },
    );
  });
});
