import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { Tlb, TLB_MISS } from './tlb.ts';

const GLOBAL = 0x100;

describe('a TLB', () => {
  it('answers a page in the context that it was entered for', () => {
    const tlb = new Tlb(4, 2, GLOBAL);
    const entry = tlb.insert(5, 1, 77, 3);
    expect(tlb.lookup(5, 1)).toBe(entry);
    expect([tlb.frame[entry], tlb.bits[entry], tlb.isValid(entry)]).toEqual([77, 3, true]);
    expect([tlb.lookup(5, 2), tlb.lookup(6, 1), tlb.lookup(9, 1)]).toEqual([-1, -1, -1]);
  });

  it('answers a global page in every context', () => {
    const tlb = new Tlb(4, 2, GLOBAL);
    const entry = tlb.insert(5, 1, 77, GLOBAL);
    expect([tlb.lookup(5, 2), tlb.lookup(5, 1)]).toEqual([entry, entry]);
  });

  it('enters a page over itself, without a place of another', () => {
    const tlb = new Tlb(1, 2);
    tlb.insert(1, 0, 10, 0);
    tlb.insert(2, 0, 20, 0);
    tlb.insert(2, 0, 21, 1);
    expect(tlb.frame[tlb.lookup(1, 0)]).toBe(10);
    expect(tlb.frame[tlb.lookup(2, 0)]).toBe(21);
  });

  it('replaces in turn within a set, whatever was looked up', () => {
    const tlb = new Tlb(2, 2);
    for (const vpn of [0, 2]) tlb.insert(vpn, 0, vpn, 0);
    tlb.insert(1, 0, 1, 0);
    for (let hit = 0; hit < 5; hit++) tlb.lookup(0, 0);
    tlb.insert(4, 0, 4, 0);
    expect([0, 2, 4, 1].map((vpn) => tlb.lookup(vpn, 0) !== TLB_MISS)).toEqual([
      false,
      true,
      true,
      true,
    ]);
  });

  it('never answers an entry that was dropped, although it was the last one found', () => {
    const tlb = new Tlb(1, 4);
    tlb.drop(tlb.insert(3, 0, 9, 0));
    expect(tlb.lookup(3, 0)).toBe(TLB_MISS);
    expect(new Tlb(4, 4).lookup(0, 0)).toBe(TLB_MISS);
  });

  const flushes: readonly (readonly [string, (tlb: Tlb) => void, string])[] = [
    ['flushAll', (tlb) => tlb.flushAll(), ''],
    ['flushNonGlobal', (tlb) => tlb.flushNonGlobal(), 'g1 g2'],
    ['flushContext', (tlb) => tlb.flushContext(1), 'b2 g1 g2'],
    ['flushPage of a context', (tlb) => tlb.flushPage(4, 1), 'b2 g2'],
    ['flushPage of every context', (tlb) => tlb.flushPage(4, -1), 'g2'],
  ];
  it.each(flushes)('%s leaves what it should', (_, flush, left) => {
    const tlb = new Tlb(4, 8, GLOBAL);
    const entries = {
      a1: tlb.insert(4, 1, 0, 0),
      b2: tlb.insert(4, 2, 0, 0),
      g1: tlb.insert(4, 3, 0, GLOBAL),
      g2: tlb.insert(5, 1, 0, GLOBAL),
    };
    flush(tlb);
    const valid = Object.entries(entries).filter(([, entry]) => tlb.isValid(entry));
    expect(valid.map(([name]) => name).join(' ')).toBe(left);
  });

  it.each([
    [0, 1],
    [3, 1],
    [4, 0],
    [4, 256],
    [4, 1.5],
  ])('cannot have %d sets of %d ways', (sets, ways) => {
    expect(() => new Tlb(sets, ways)).toThrow(RangeError);
  });

  it('holds nothing but what was entered and not dropped since', () => {
    const page = fc.record({ vpn: fc.nat(11), context: fc.nat(2) });
    const step = fc.oneof(
      {
        arbitrary: fc.record({
          op: fc.constant('insert' as const),
          at: page,
          global: fc.boolean(),
        }),
        weight: 4,
      },
      { arbitrary: fc.record({ op: fc.constant('page' as const), at: page }), weight: 1 },
      { arbitrary: fc.record({ op: fc.constant('context' as const), at: page }), weight: 1 },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const tlb = new Tlb(2, 2, GLOBAL);
        let entered: { vpn: number; context: number; global: boolean; frame: number }[] = [];
        const matches = (one: (typeof entered)[number], vpn: number, context: number): boolean =>
          one.vpn === vpn && (one.global || one.context === context);
        for (const [frame, { at, ...how }] of steps.entries()) {
          if (how.op === 'page') {
            tlb.flushPage(at.vpn, at.context);
            entered = entered.filter((one) => !matches(one, at.vpn, at.context));
          } else if (how.op === 'context') {
            tlb.flushContext(at.context);
            entered = entered.filter((one) => one.global || one.context !== at.context);
          } else {
            tlb.insert(at.vpn, at.context, frame, how.global ? GLOBAL : 0);
            entered.push({ ...at, global: how.global, frame });
          }
          for (let vpn = 0; vpn < 12; vpn++)
            for (let context = 0; context < 3; context++) {
              const entry = tlb.lookup(vpn, context);
              if (entry === TLB_MISS) continue;
              const known = entered
                .filter((one) => matches(one, vpn, context))
                .map((one) => one.frame);
              expect(known).toContain(tlb.frame[entry]);
            }
        }
      }),
      { seed: 5, numRuns: 60 },
    );
  });
});
