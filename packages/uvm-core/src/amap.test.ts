import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Kit, PAGE, R, RW } from '../test/kit.ts';
import { amapCopy } from './amap-copy.ts';
import {
  type Amap,
  amapAdd,
  amapAlloc,
  amapExtend,
  amapLookup,
  amapRef,
  amapShareProtect,
  amapSplitref,
  amapUnadd,
  amapUnref,
} from './amap.ts';
import { NO_ANON } from './anon.ts';
import { MapEntry } from './entry.ts';
import { NO_PAGE, PG_BUSY, PG_FAKE, PG_RELEASED } from './page.ts';
import { AMAP_REFALL, AMAP_SHARED, UVM_ET_NEEDSCOPY } from './types.ts';

function setup(slots = 8, padding = 0) {
  const kit = new Kit();
  const { uvm } = kit;
  const amap = amapAlloc(uvm, slots, padding);
  const entry = entryOf(amap, 0, slots);
  /** An anon with a page, in a slot of the entry. */
  const add = (slot: number) => {
    const anon = uvm.anons.alloc();
    const page = uvm.pages.alloc(null, 0, anon, 0);
    uvm.pages.flags[page]! &= ~(PG_BUSY | PG_FAKE);
    uvm.pages.activate(page);
    amapAdd(uvm, entry, slot, anon, false);
    return anon;
  };
  return { kit, uvm, amap, entry, add };
}

function entryOf(amap: Amap, pageoff: number, slots: number): MapEntry {
  const entry = new MapEntry(0x100000 + pageoff * PAGE, 0x100000 + (pageoff + slots) * PAGE);
  entry.amap = amap;
  entry.pageoff = pageoff;
  return entry;
}

const used = (amap: Amap) => [...amap.slots.subarray(0, amap.nused)].sort((a, b) => a - b);
const counts = (amap: Amap) => [...amap.ppref!.subarray(0, amap.nslot)];

describe('the slots of an amap', () => {
  it('hold and let go, in any order, with back pointers that agree', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(15), { maxLength: 60 }), (slots) => {
        const { uvm, amap, entry } = setup(16);
        const held = new Set<number>();
        for (const slot of slots) {
          if (held.has(slot)) amapUnadd(amap, slot);
          else amapAdd(uvm, entry, slot, slot, false);
          if (!held.delete(slot)) held.add(slot);
        }
        expect(used(amap)).toEqual([...held].sort((a, b) => a - b));
        for (let slot = 0; slot < 16; slot++) {
          expect(amapLookup(entry, slot)).toBe(held.has(slot) ? slot : NO_ANON);
          if (held.has(slot)) expect(amap.slots[amap.bckptr[slot]!]).toBe(slot);
        }
      }),
      { numRuns: 30, seed: 3 },
    );
  });

  it('are checked: in range, empty to add, full to replace and to empty', () => {
    const { uvm, amap, entry, add } = setup(4);
    add(1);
    expect(() => amapLookup(entry, 4)).toThrow('amap_lookup: offset out of range');
    expect(() => amapLookup(entry, -1)).toThrow('amap_lookup');
    expect(() => amapAdd(uvm, entry, 4, 0, false)).toThrow('amap_add: offset out of range');
    expect(() => amapAdd(uvm, entry, 1, 0, false)).toThrow('amap_add: slot in use');
    expect(() => amapAdd(uvm, entry, 2, 0, true)).toThrow('amap_add: replacing null anon');
    expect(() => amapUnadd(amap, 2)).toThrow('amap_unadd');
  });
});

describe('references to an amap', () => {
  it('are counted by slot once they cover it in part; the last to cover a slot frees its anon', () => {
    const { uvm, amap, add } = setup(8);
    for (let slot = 0; slot < 8; slot++) add(slot);
    const free = uvm.exp.nfreeanon;
    amapRef(amap, 0, 8, 0);
    expect([amap.ref, amap.ppref]).toEqual([2, null]);
    amapRef(amap, 2, 3, AMAP_SHARED);
    expect(counts(amap)).toEqual([2, 2, 3, 3, 3, 2, 2, 2]);
    expect(amap.flags).toBe(AMAP_SHARED);
    amapUnref(uvm, amap, 0, 8, 0);
    amapUnref(uvm, amap, 0, 8, 0);
    expect(counts(amap)).toEqual([0, 0, 1, 1, 1, 0, 0, 0]);
    expect([used(amap), uvm.exp.nfreeanon - free, amap.flags]).toEqual([[2, 3, 4], 5, 0]);
    amapUnref(uvm, amap, 2, 3, 0);
    expect([uvm.exp.nfreeanon - free, uvm.amaps.has(amap)]).toEqual([8, false]);
  });

  it('with REFALL cover every slot, wherever they came from', () => {
    const { uvm, amap } = setup(4);
    amapRef(amap, 1, 1, AMAP_REFALL);
    expect([amap.ref, amap.ppref]).toEqual([2, null]);
    amapRef(amap, 1, 1, 0);
    amapRef(amap, 0, 2, AMAP_REFALL);
    expect(counts(amap)).toEqual([3, 4, 3, 3]);
    amapUnref(uvm, amap, 0, 2, AMAP_REFALL);
    expect(counts(amap)).toEqual([2, 3, 2, 2]);
  });

  it('that are dropped in part count by slot from then on', () => {
    const { uvm, amap, add } = setup(4);
    add(0);
    add(3);
    amapRef(amap, 0, 4, 0);
    amapUnref(uvm, amap, 2, 2, 0);
    expect(counts(amap)).toEqual([2, 2, 1, 1]);
    expect(used(amap)).toEqual([0, 3]);
  });

  it('are split between two entries without a change of what is covered', () => {
    const { amap, entry } = setup(8);
    const back = entry.clone();
    amapSplitref(entry, back, 5);
    expect([amap.ref, back.pageoff, back.amap]).toEqual([2, 5, amap]);
    expect(counts(amap)).toEqual(Array.from({ length: 8 }, () => 1));
  });
});

describe('growing an amap', () => {
  it('uses slots that it has, then room that it has, then doubles', () => {
    const { amap, entry, add } = setup(4, 4);
    add(3);
    amapExtend(entry, 4, 2);
    expect([amap.nslot, amap.maxslot]).toEqual([6, 8]);
    amapExtend(entry, 6, 3);
    expect([amap.nslot, amap.maxslot]).toEqual([9, 16]);
    expect([amapLookup(entry, 3), amapLookup(entry, 8), used(amap)]).toEqual([0, NO_ANON, [3]]);
    amapExtend(entry, 9, 40);
    expect([amap.nslot, amap.maxslot]).toEqual([49, 49]);
    expect(amap.bytes).toBe(49 * 12);
  });

  it('counts the new slots', () => {
    const { uvm, amap, entry } = setup(4);
    const back = entry.clone();
    amapSplitref(entry, back, 2);
    amapUnref(uvm, amap, 2, 2, 0);
    expect(counts(amap)).toEqual([1, 1, 0, 0]);
    amapExtend(entry, 2, 4);
    expect(counts(amap)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(amap.bytes).toBe(amap.maxslot * 16);
  });
});

describe('copying an amap', () => {
  it('takes it over if nobody else refers to it', () => {
    const { uvm, amap, entry } = setup(4);
    entry.etype |= UVM_ET_NEEDSCOPY;
    amapCopy(uvm, uvm.kernelMap, entry, true, 0, 0);
    expect([entry.amap, entry.etype & UVM_ET_NEEDSCOPY]).toEqual([amap, 0]);
  });

  it('refers to the same anons from a new one, and lets go of those that only it had', () => {
    const { uvm, amap, entry, add } = setup(8);
    const shared = add(1);
    const mine = add(5);
    const front = entryOf(amap, 0, 4);
    entry.pageoff = 4;
    entry.start += 4 * PAGE;
    amap.ref = 2;
    amap.ppref = Int32Array.of(1, 1, 1, 1, 1, 1, 1, 1);
    entry.etype |= UVM_ET_NEEDSCOPY;
    amapCopy(uvm, uvm.kernelMap, entry, true, 0, 0);
    expect([entry.pageoff, entry.amap!.nslot, amapLookup(entry, 1)]).toEqual([0, 4, mine]);
    expect([uvm.anons.ref[mine], uvm.anons.ref[shared]]).toEqual([1, 1]);
    expect([amap.ref, used(amap), amapLookup(front, 1)]).toEqual([1, [1], shared]);
  });
});

describe('protecting what an amap shares', () => {
  it('lowers the pages that others have slots for, however full the amap is', () => {
    for (const slots of [2, 40]) {
      const kit = new Kit();
      const proc = kit.proc();
      const va = proc.map({ length: slots * PAGE });
      proc.store(va, 1);
      proc.store(va + PAGE, 1);
      kit.uvm.anons.ref[proc.anon(va)] = 2;
      amapShareProtect(kit.uvm, proc.entry(va), R);
      const rights = [...kit.ideal.mappings(proc.space.pmap)].map(({ prot }) => prot);
      expect(rights).toEqual([R, RW]);
    }
  });
});

describe('anons', () => {
  it('come with one reference until there are none', () => {
    const { uvm } = setup();
    const { anons, exp } = uvm;
    expect(exp.nfreeanon).toBe(anons.count);
    const anon = anons.alloc();
    expect([anons.ref[anon], anons.page[anon], anons.swslot[anon]]).toEqual([1, NO_PAGE, 0]);
    while (anons.alloc() !== NO_ANON);
    expect([exp.nfreeanon, anons.freeCount()]).toEqual([0, 0]);
    anons.add(5);
    expect([exp.nfreeanon, anons.freeCount(), exp.nanon]).toEqual([5, 5, anons.count]);
    expect(anons.bytes).toBe(anons.count * 12);
  });

  it('are freed with their page and slot, and only without references', () => {
    const { kit, uvm, amap, add } = setup();
    const { anons, exp, pages, pmap, swap } = uvm;
    swap.on(kit.swap(5), 0);
    const anon = add(0);
    expect(() => anons.free(anon, pages, pmap)).toThrow('uvm_anfree');
    anons.swslot[anon] = swap.alloc(1, false)!.slot;
    const { free } = exp;
    amapUnref(uvm, amap, 0, 8, 0);
    expect([exp.free, exp.swpgonly, anons.swslot[anon]]).toEqual([free + 1, 0, 0]);
    const swapped = anons.alloc();
    anons.swslot[swapped] = swap.alloc(1, false)!.slot;
    exp.swpgonly = 1;
    anons.ref[swapped] = 0;
    anons.free(swapped, pages, pmap);
    expect([exp.swpgonly, exp.swpginuse]).toEqual([0, 0]);
  });

  it('whose page is busy are freed by whoever holds it', () => {
    const { kit, uvm, amap, add } = setup();
    const { anons, exp, pages } = uvm;
    const anon = add(0);
    const page = anons.page[anon]!;
    pages.flags[page]! |= PG_BUSY;
    const { free, nfreeanon } = exp;
    amapUnref(uvm, amap, 0, 8, 0);
    expect(pages.flags[page]! & PG_RELEASED).toBe(PG_RELEASED);
    expect([exp.free, exp.nfreeanon]).toEqual([free, nfreeanon]);
    kit.check();
    uvm.unbusy(page);
    expect([exp.free, exp.nfreeanon]).toEqual([free + 1, nfreeanon + 1]);
    kit.check();
  });
});
