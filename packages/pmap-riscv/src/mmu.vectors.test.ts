import { describe, expect, it } from 'vitest';
import { accessOf, attempt, rig, type Image, type Name } from '../test/rig.ts';
import * as sv32 from '../test/sv32.vectors.ts';
import * as sv39 from '../test/sv39.vectors.ts';
import type { Outcome, Vector } from '../test/vector.ts';

const SETS: readonly [Name, Image, readonly Vector[]][] = [
  ['sv32', sv32.IMAGE, sv32.VECTORS],
  ['sv39', sv39.IMAGE, sv39.VECTORS],
];

describe.each(SETS)('%s', (name, image, vectors) => {
  const words = (memory: { readLe32(pa: number): number }): number[] =>
    image.map(([at]) => memory.readLe32(at));

  function expectOutcome(accessedDirty: 'hardware' | 'software', vector: Vector): void {
    const [, va, access] = vector;
    const outcome: Outcome = (accessedDirty === 'software' ? vector[4] : undefined) ?? vector[3];
    const made = rig(name, image, { accessedDirty });
    const before = words(made.memory);
    const got = attempt(made, va, access);
    const [first, at, after] = outcome;
    if (first < 0x10) {
      expect(got).toEqual([first, va]);
      expect(made.mmu.stats.faults).toBe(1);
    } else {
      expect(got).toBe(first);
      // What the walk found is what the TLB says.
      expect(attempt(made, va, access)).toBe(first);
      expect(made.mmu.stats.misses).toBe(1);
    }
    const expected = image.map(([address], i) => (address === at ? after : before[i]));
    if (at !== undefined || first < 0x10) expect(words(made.memory)).toEqual(expected);
  }

  it.each(vectors)('%s', (...vector) => expectOutcome('hardware', vector as Vector));

  it.each(vectors)('%s (Svade)', (...vector) => expectOutcome('software', vector as Vector));

  it('has a vector for each cause, and more than 40', () => {
    const causes = vectors.map(([, , , [first]]) => first).filter((first) => first < 0x10);
    expect(new Set(causes)).toEqual(new Set([1, 5, 7, 12, 13, 15]));
    expect(vectors.length).toBeGreaterThan(40);
    expect(accessOf('rwxU copy').access).toBe(31);
  });
});

it('an access where RAM has ended sets A before it faults', () => {
  const made = rig('sv39', [[0x10000, 0x00000017, 0]]);
  expect(attempt(made, 2 ** 24, 'wU')).toEqual([7, 2 ** 24]);
  expect(made.memory.readLe32(0x10000)).toBe(0x000000d7);
});

it.each([
  ['sv32', sv32.IMAGE, [0x10000, 0x11008], [0x1100c]],
  ['sv39', sv39.IMAGE, [0x10000, 0x10004, 0x11000, 0x11004, 0x12010, 0x12014], [0x12018, 0x1201c]],
] as const)(
  'a walk of %s reads one entry a level, and one in all where it knows the last table',
  (name, image, first, second) => {
    const made = rig(name, image);
    made.memory.reads = [];
    attempt(made, 0x2000, 'rU');
    expect(made.memory.reads).toEqual(first);
    made.memory.reads = [];
    attempt(made, 0x3000, 'rU');
    expect(made.memory.reads).toEqual(second);
  },
);
