import { PMAP_KERNEL } from '@uvmkit/pmap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAGE, READ } from '../test/harness.ts';
import { CPUS, KVAS, MAPS, Model, PAGES, PROTS, VAS } from '../test/model.ts';
import type { AlphaOptions } from './index.ts';

const map = fc.nat({ max: MAPS - 1 });
const page = fc.nat({ max: PAGES - 1 });
const va = fc.constantFrom(...VAS);
const range = fc
  .tuple(va, fc.constantFrom(PAGE, 8 << 20, 2 ** 33))
  .map(([start, length]) => [start, Math.min(start + length, 2 ** 42)] as const);
const access = fc.constantFrom(1, 2, 4);

/** One call of the pmap, or a round of accesses. */
const step: fc.Arbitrary<(m: Model) => void> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(map, va, page, fc.constantFrom(...PROTS), fc.nat({ max: 7 }), fc.boolean())
      .map(
        ([n, at, p, prot, used, wired]) =>
          (m: Model) =>
            m.enter(n, at, p, prot, used, wired),
      ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(map, range).map(
      ([n, [s, e]]) =>
        (m: Model) =>
          m.remove(n, s, e),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(map, range, fc.constantFrom(READ, READ | 4)).map(
      ([n, [s, e], prot]) =>
        (m: Model) =>
          m.protect(n, s, e, prot),
    ),
  },
  fc.tuple(map, va).map(
    ([n, at]) =>
      (m: Model) =>
        m.unwire(n, at),
  ),
  fc.tuple(page, fc.constantFrom(0, READ)).map(
    ([p, prot]) =>
      (m: Model) =>
        m.pageProtect(p, prot),
  ),
  fc.tuple(page, fc.boolean()).map(
    ([p, mod]) =>
      (m: Model) =>
        m.clear(p, mod),
  ),
  map.map((n) => (m: Model) => m.collect(n)),
  fc.tuple(map, range).map(
    ([n, [s, e]]) =>
      (m: Model) =>
        m.forget(n, s, e),
  ),
  map.map((n) => (m: Model) => m.replace(n)),
  fc.tuple(fc.constantFrom(...KVAS), page, fc.boolean()).map(
    ([at, p, enter]) =>
      (m: Model) =>
        m.kernelMapping(at, p, enter),
  ),
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat({ max: CPUS - 1 }), map).map(
      ([cpu, n]) =>
        (m: Model) =>
          m.run(cpu, n),
    ),
  },
  { weight: 4, arbitrary: access.map((how) => (m: Model) => m.checkAccesses(how)) },
);

const CONFIGURATIONS: readonly (readonly [string, AlphaOptions, boolean])[] = [
  ['as NetBSD has it', {}, false],
  ['with the virtual page table', { virtualPageTable: true }, false],
  ['with two ASNs and the virtual page table', { maxAsn: 2, virtualPageTable: true }, false],
  ['without ASNs', { maxAsn: 0, virtualPageTable: true }, false],
  ['with deferred flushes, updated after each call', { deferred: true }, false],
  ['with a translation buffer of one entry', { tbSets: 1, tbWays: 1 }, false],
  ['short of table pages and pv entries', { pvEntries: 4, virtualPageTable: true }, true],
];

describe('after any sequence of calls', () => {
  it.each(CONFIGURATIONS)('every access is as the model says, %s', (_name, options, lossy) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), (steps) => {
        const model = new Model(options, lossy);
        for (const call of steps) {
          call(model);
          if (options.deferred === true) model.a.pmap.update(PMAP_KERNEL);
          model.checkState();
        }
        model.checkAccesses(READ);
        model.maps.forEach((_, n) => model.remove(n, 0, 2 ** 42));
        model.checkState();
        expect(model.a.machine.tablePagesOut).toBe(0);
      }),
      { seed: 20011231, numRuns: 40 },
    );
  });
});
