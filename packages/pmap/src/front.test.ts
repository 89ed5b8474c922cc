import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import type { Pa, Va } from './address.ts';
import { FRONT_MISS, TranslationFront, WideTranslationFront } from './front.ts';
import { ACCESS_USER, VM_PROT_READ, VM_PROT_WRITE, type Access } from './prot.ts';

interface Front {
  find(va: Va, access: Access): Pa;
  remember(va: Va, access: Access, pa: Pa): Pa;
  invalidate(): void;
  takeHits(): number;
}

const KINDS: readonly (readonly [string, () => Front, readonly Va[]])[] = [
  [
    'a front for 32-bit addresses',
    () => new TranslationFront(),
    [0, 0x1000, 0x7fff_f000, 0xffff_f000],
  ],
  [
    'a front for wider addresses',
    () => new WideTranslationFront(),
    [0, 0x1000, 0xffff_f000, 0x1_2000_0000, 2 ** 42 - 4096, -4096, -(2 ** 41), -(2 ** 42)],
  ],
];

describe.each(KINDS)('%s', (_, make, places) => {
  it.each(places)('answers every byte of the 4 KB around %d once it has seen one', (va) => {
    const front = make();
    expect(front.find(va, VM_PROT_READ)).toBe(FRONT_MISS);
    expect(front.remember(va + 0x123, VM_PROT_READ, 0x8765_4123)).toBe(0x8765_4123);
    for (const offset of [0, 1, 0x123, 0xfff])
      expect(front.find(va + offset, VM_PROT_READ)).toBe(0x8765_4000 + offset);
    for (const other of [va - 1, va + 0x1000, va + 2 ** 18, va + 2 ** 24])
      expect(front.find(other, VM_PROT_READ), String(other)).toBe(FRONT_MISS);
  });

  it('knows a kind of access by all five of its bits', () => {
    const front = make();
    front.remember(0x5000, VM_PROT_READ, 0x1000);
    for (let access = 0; access < 32; access++)
      expect(front.find(0x5000, access)).toBe(access === VM_PROT_READ ? 0x1000 : FRONT_MISS);
  });

  it('keeps the latest of two places that share a slot', () => {
    const front = make();
    const [first, second] = [0x4000, 0x4000 + 64 * 4096];
    front.remember(first, VM_PROT_WRITE, 0x1000);
    front.remember(second, VM_PROT_WRITE, 0x2000);
    expect(front.find(first, VM_PROT_WRITE)).toBe(FRONT_MISS);
    expect(front.find(second + 8, VM_PROT_WRITE)).toBe(0x2008);
  });

  it('forgets everything when told to, however often that was before', () => {
    const front = make();
    const found = new Set<Pa>();
    for (let round = 0; round < 10_000; round++) {
      front.remember(0x7000, VM_PROT_READ, 0x3000);
      front.invalidate();
      found.add(front.find(0x7000, VM_PROT_READ));
    }
    expect([...found]).toEqual([FRONT_MISS]);
  });

  it('never answers from before a wrap of its epochs', () => {
    const front = make();
    front.remember(0x7000, VM_PROT_READ, 0x3000);
    const found = new Set<Pa>();
    for (let round = 0; round < 10_000; round++) {
      front.invalidate();
      found.add(front.find(0x7000, VM_PROT_READ));
    }
    expect([...found]).toEqual([FRONT_MISS]);
  });

  it('counts its hits, each of them once', () => {
    const front = make();
    front.remember(0x9000, ACCESS_USER, 0x1000);
    front.find(0x9000, ACCESS_USER);
    front.find(0x9004, ACCESS_USER);
    front.find(0xa000, ACCESS_USER);
    expect([front.takeHits(), front.takeHits()]).toEqual([2, 0]);
    front.find(0x9008, ACCESS_USER);
    expect(front.takeHits()).toBe(1);
  });

  it('says nothing that it was not told since it was last emptied', () => {
    const address = fc
      .constantFrom(...places)
      .chain((at) => fc.nat(0xfff).map((more) => at + more));
    const step = fc.oneof(
      {
        arbitrary: fc.record({ va: address, access: fc.nat(31), page: fc.nat(0xf_ffff) }),
        weight: 8,
      },
      { arbitrary: fc.constant(null), weight: 1 },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const front = make();
        const told = new Map<string, number>();
        for (const one of steps) {
          if (one === null) {
            front.invalidate();
            told.clear();
            continue;
          }
          const key = `${Math.floor(one.va / 4096)} ${one.access}`;
          const found = front.find(one.va, one.access);
          const offset = one.va - Math.floor(one.va / 4096) * 4096;
          if (found !== FRONT_MISS) expect(found).toBe(told.get(key)! * 4096 + offset);
          told.set(key, one.page);
          front.remember(one.va, one.access, one.page * 4096 + offset);
          expect(front.find(one.va, one.access)).toBe(one.page * 4096 + offset);
        }
      }),
      { seed: 3, numRuns: 60 },
    );
  });
});

it('a physical address of more than 32 bits passes a wider front by', () => {
  const front = new WideTranslationFront();
  expect(front.remember(0x2000, VM_PROT_READ, 2 ** 40 + 4)).toBe(2 ** 40 + 4);
  expect(front.find(0x2000, VM_PROT_READ)).toBe(FRONT_MISS);
});
