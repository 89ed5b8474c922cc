import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { PV_NONE, PvTable } from './pv.ts';

/** What maps a page, latest first, as `pmap:va:aux`. */
function listed(pv: PvTable, page: number): string[] {
  const found = [];
  for (let entry = pv.head[page]!; entry !== PV_NONE; entry = pv.next[entry]!)
    found.push(`${pv.pmap[entry]}:${pv.va[entry]}:${pv.aux[entry]}`);
  return found;
}

describe('a reverse map', () => {
  it('lists the mappings of each page, latest first', () => {
    const pv = new PvTable(4);
    pv.insert(2, 1, 0x1000, 7);
    pv.insert(2, 1, -(2 ** 41), 8);
    pv.insert(3, 1, 0x1000, 9);
    expect([listed(pv, 2), listed(pv, 3), listed(pv, 0)]).toEqual([
      ['1:-2199023255552:8', '1:4096:7'],
      ['1:4096:9'],
      [],
    ]);
    expect(pv.count).toBe(3);
  });

  it('finds and takes away by map and address, from anywhere in the list', () => {
    const pv = new PvTable(1);
    for (const va of [1, 2, 3, 4]) pv.insert(0, 5, va * 4096, va);
    expect(pv.aux[pv.find(0, 5, 3 * 4096)]).toBe(3);
    expect([pv.find(0, 6, 3 * 4096), pv.find(0, 5, 0)]).toEqual([PV_NONE, PV_NONE]);
    for (const va of [3, 4, 1]) expect(pv.remove(0, 5, va * 4096)).toBe(true);
    expect(pv.remove(0, 5, 4096)).toBe(false);
    expect([listed(pv, 0), pv.count]).toEqual([['5:8192:2'], 1]);
  });

  it('pops the first, which can still be read', () => {
    const pv = new PvTable(1);
    pv.insert(0, 1, 4096, 3);
    pv.insert(0, 2, 8192, 4);
    const entry = pv.pop(0);
    expect([pv.pmap[entry], pv.va[entry], pv.aux[entry]]).toEqual([2, 8192, 4]);
    expect([pv.pop(0) === PV_NONE, pv.pop(0)]).toEqual([false, PV_NONE]);
    expect(pv.count).toBe(0);
  });

  it('refuses an entry beyond its limit, changes nothing, and has room again after a removal', () => {
    const pv = new PvTable(2, 3);
    for (const va of [1, 2, 3])
      expect([pv.available(), pv.insert(0, 1, va, 0)]).toEqual([true, true]);
    expect([pv.available(), pv.insert(1, 1, 9, 0)]).toEqual([false, false]);
    expect([listed(pv, 1), pv.count]).toEqual([[], 3]);
    pv.remove(0, 1, 2);
    expect(pv.insert(1, 1, 9, 0)).toBe(true);
  });

  it('grows as it fills and keeps what it had', () => {
    const pv = new PvTable(3);
    const before = pv.bytes;
    for (let n = 0; n < 1000; n++) pv.insert(n % 3, n, n * 4096, n);
    expect([pv.count, pv.bytes > before]).toEqual([1000, true]);
    expect(pv.aux[pv.find(1, 400, 400 * 4096)]).toBe(400);
  });

  it('does what a list a page would do', () => {
    const step = fc.record({ page: fc.nat(2), pmap: fc.nat(2), va: fc.nat(3), act: fc.nat(9) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pv = new PvTable(3, 8);
        const model: string[][] = [[], [], []];
        const total = () => model.reduce((sum, list) => sum + list.length, 0);
        for (const { page, pmap, va, act } of steps) {
          const list = model[page]!;
          const name = `${pmap}:${va}:0`;
          if (act === 0) {
            const popped = pv.pop(page) !== PV_NONE;
            expect(popped).toBe(list.shift() !== undefined);
          } else if (act < 4) {
            const at = list.indexOf(name);
            expect(pv.remove(page, pmap, va)).toBe(at >= 0);
            if (at >= 0) list.splice(at, 1);
          } else if (!list.includes(name)) {
            const room = total() < 8;
            expect([pv.available(), pv.insert(page, pmap, va, 0)]).toEqual([room, room]);
            if (room) list.unshift(name);
          }
          expect([0, 1, 2].map((index) => listed(pv, index))).toEqual(model);
          expect(pv.count).toBe(total());
        }
      }),
      { seed: 7, numRuns: 60 },
    );
  });
});
