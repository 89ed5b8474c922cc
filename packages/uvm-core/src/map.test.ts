import { EACCES, EAGAIN, ENOMEM, KernelPanic } from '@uvmkit/pmap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Kit, PAGE, R, RW, RWX } from '../test/kit.ts';
import { EntryIndex } from './entry-index.ts';
import { MapEntry } from './entry.ts';
import {
  findSpace,
  mapBusy,
  mapFloor,
  mapLock,
  mapLookup,
  mapRelease,
  mapUnbusy,
  type MapAttributes,
  uvmMap,
  VmMap,
} from './map.ts';
import { uvmUnmap } from './map-unmap.ts';
import type { UvmObject } from './object.ts';
import {
  MAP_INHERIT_COPY,
  MAP_INHERIT_SHARE,
  UVM_ADV_NORMAL,
  UVM_ADV_RANDOM,
  UVM_ET_COPYONWRITE,
  UVM_ET_NEEDSCOPY,
  UVM_ET_SUBMAP,
  UVM_FLAG_AMAPPAD,
  UVM_FLAG_COPYONW,
  UVM_FLAG_FIXED,
  UVM_FLAG_NOMERGE,
  UVM_FLAG_OVERLAY,
  UVM_FLAG_TRYLOCK,
  UVM_UNKNOWN_OFFSET,
  VM_MAP_PAGEABLE,
  VM_MAP_WANTLOCK,
} from './types.ts';

const BASE = 0x100000;
const PLAIN: MapAttributes = {
  prot: RW,
  maxProt: RWX,
  inherit: MAP_INHERIT_COPY,
  advice: UVM_ADV_NORMAL,
  flags: UVM_FLAG_COPYONW,
};

/** A map of 64 pages, bare of everything. */
function bare(options: ConstructorParameters<typeof Kit>[0] = {}) {
  const kit = new Kit(options);
  const map = new VmMap(kit.uvm, kit.uvm.pmap.create(), BASE, BASE + 64 * PAGE, VM_MAP_PAGEABLE);
  kit.uvm.maps.add(map);
  const at = (page: number) => BASE + page * PAGE;
  const put = (
    page: number,
    pages: number,
    attributes: Partial<MapAttributes> = {},
    object: UvmObject | null = null,
    offset = 0,
  ) => {
    const wanted = { ...PLAIN, ...attributes };
    const flags = wanted.flags | UVM_FLAG_FIXED;
    const result = uvmMap(kit.uvm, map, at(page), pages * PAGE, object, offset, 0, {
      ...wanted,
      flags,
    });
    expect(result).toEqual({ error: 0, start: at(page) });
    return mapLookup(map, at(page))!;
  };
  const layout = () =>
    [...map.entries()].map((e) => [(e.start - BASE) / PAGE, (e.end - BASE) / PAGE]);
  return { kit, uvm: kit.uvm, map, at, put, layout };
}

describe('looking an address up', () => {
  it('finds the entry that covers it, or the one before it, as a plain array would', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ page: fc.nat(63), pages: fc.integer({ min: 1, max: 6 }), add: fc.boolean() }),
          {
            maxLength: 40,
          },
        ),
        fc.array(fc.nat(64 * PAGE), { minLength: 1, maxLength: 30 }),
        (changes, probes) => {
          const { uvm, kit, map, at, layout } = bare();
          const owner: number[] = Array.from({ length: 64 }, () => 0);
          let serial = 0;
          for (const { page, pages, add } of changes) {
            const beyond = Math.min(64, page + pages);
            uvmUnmap(uvm, map, at(page), at(beyond));
            owner.fill(0, page, beyond);
            if (!add) continue;
            serial++;
            uvmMap(uvm, map, at(page), (beyond - page) * PAGE, null, 0, 0, {
              ...PLAIN,
              flags: UVM_FLAG_FIXED | UVM_FLAG_NOMERGE,
            });
            owner.fill(serial, page, beyond);
          }
          kit.check();
          const covered = layout().flatMap(([from, to]) =>
            Array.from({ length: to! - from! }, (_, i) => from! + i),
          );
          expect(covered).toEqual([...owner.keys()].filter((page) => owner[page] !== 0));
          for (const probe of probes) {
            const page = Math.floor(probe / PAGE);
            const entries = [...map.entries()];
            const model = entries.find((e) => BASE + probe >= e.start && BASE + probe < e.end);
            expect(mapLookup(map, BASE + probe)).toBe(model ?? null);
            expect(model !== undefined).toBe((owner[page] ?? 0) !== 0);
            const before = entries.filter((e) => e.start <= BASE + probe).at(-1);
            expect(mapFloor(map, BASE + probe)).toBe(before ?? map.header);
          }
        },
      ),
      { numRuns: 60, seed: 1 },
    );
  });

  it('remembers the entry found last, and forgets one that goes', () => {
    const { uvm, map, at, put } = bare();
    put(1, 1);
    const second = put(4, 2);
    expect(mapLookup(map, at(5))).toBe(second);
    expect(map.hint).toBe(second);
    uvmUnmap(uvm, map, at(4), at(6));
    expect(map.hint).not.toBe(second);
    expect(mapLookup(map, at(0))).toBeNull();
    expect(map.hint).toBe(map.header);
    expect(mapLookup(map, BASE - 1)).toBeNull();
    expect(mapLookup(map, map.max)).toBeNull();
  });

  it('works among a million entries', () => {
    const index = new EntryIndex(4096);
    const count = 1_000_000;
    for (let i = 0; i < count; i++) index.insert(new MapEntry(i * 8192, i * 8192 + 4096));
    for (let i = 0; i < count; i += 9973) {
      expect(index.floor(i * 8192 + 5000)!.start).toBe(i * 8192);
      expect(index.floor(i * 8192)!.start).toBe(i * 8192);
    }
    const first = index.floor(0)!;
    expect(index.gapFrom(first, 4096, count * 8192)).toBe(first);
    expect(index.gapFrom(first, 4097, count * 8192)).toBeNull();
    index.remove(index.floor(500_000 * 8192)!);
    expect(index.gapFrom(first, 4097, count * 8192)!.start).toBe(499_999 * 8192);
    for (let i = 0; i < count; i += 2) if (i !== 500_000) index.remove(index.floor(i * 8192)!);
    expect(index.floor(4 * 8192)!.start).toBe(3 * 8192);
  });

  it('sees the gap that opens where one chunk of the index meets the next', () => {
    // Far more entries than a chunk holds, without a gap; every gap is measured before each removal.
    const count = 1000;
    for (let gone = 1; gone < count - 1; gone++) {
      const index = new EntryIndex(4096);
      for (let i = 0; i < count; i++) index.insert(new MapEntry(i * 4096, (i + 1) * 4096));
      const first = index.floor(0)!;
      expect(index.gapFrom(first, 4096, count * 4096)).toBeNull();
      index.remove(index.floor(gone * 4096)!);
      expect(index.gapFrom(first, 4096, count * 4096)!.end).toBe(gone * 4096);
    }
  });

  it('knows the index through insertion in any order, removal and the widest gap, as a sorted array does', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(4000), { maxLength: 1200 }),
        fc.infiniteStream(fc.nat(3)),
        (starts, dice) => {
          const index = new EntryIndex(1);
          const model: MapEntry[] = [];
          for (const start of starts) {
            const entry = new MapEntry(start * 16, start * 16 + 16);
            index.insert(entry);
            model.push(entry);
            if (dice.next().value !== 0) continue;
            index.remove(model.splice(model.length >> 1, 1)[0]!);
          }
          model.sort((a, b) => a.start - b.start);
          for (let probe = 0; probe < 64_100; probe += 997)
            expect(index.floor(probe)).toBe(model.findLast((e) => e.start <= probe) ?? null);
          if (model.length === 0) return;
          for (const length of [16, 160, 1600]) {
            const wide = model.find((e, i) => (model[i + 1]?.start ?? 64_100) - e.end >= length);
            expect(index.gapFrom(model[0]!, length, 64_100)).toBe(wide ?? null);
          }
        },
      ),
      { numRuns: 20, seed: 2 },
    );
  });
});

describe('uvm_map', () => {
  it('refuses a protection beyond the maximum with EACCES', () => {
    const { uvm, map, at } = bare();
    const result = uvmMap(uvm, map, at(0), PAGE, null, 0, 0, { ...PLAIN, maxProt: R });
    expect(result.error).toBe(EACCES);
    expect(map.nentries).toBe(0);
  });

  it('takes only page-aligned addresses and positive sizes', () => {
    const { uvm, map, at } = bare();
    expect(() => uvmMap(uvm, map, at(0) + 1, PAGE, null, 0, 0, PLAIN)).toThrow(RangeError);
    expect(() => uvmMap(uvm, map, at(0), 0, null, 0, 0, PLAIN)).toThrow(RangeError);
    expect(() => uvmMap(uvm, map, at(0), 100, null, 0, 0, PLAIN)).toThrow(RangeError);
  });

  it('answers EAGAIN for a held map if told to try, and panics if not: its caller has the lock', () => {
    const { uvm, map, at } = bare();
    mapBusy(map);
    const attributes = { ...PLAIN, flags: UVM_FLAG_TRYLOCK };
    expect(uvmMap(uvm, map, at(0), PAGE, null, 0, 0, attributes).error).toBe(EAGAIN);
    expect(() => uvmMap(uvm, map, at(0), PAGE, null, 0, 0, PLAIN)).toThrow(KernelPanic);
  });

  it('sets the entry up from its flags', () => {
    const { put } = bare();
    const deferred = put(0, 2);
    expect(deferred.etype).toBe(UVM_ET_COPYONWRITE | UVM_ET_NEEDSCOPY);
    expect(deferred.amap).toBeNull();
    const now = put(4, 2, { flags: UVM_FLAG_COPYONW | UVM_FLAG_OVERLAY });
    expect(now.etype).toBe(UVM_ET_COPYONWRITE);
    expect([now.amap!.nslot, now.amap!.maxslot, now.pageoff]).toEqual([2, 2, 0]);
    const heap = put(8, 2, { flags: UVM_FLAG_OVERLAY | UVM_FLAG_AMAPPAD });
    expect(heap.etype).toBe(0);
    expect([heap.amap!.nslot, heap.amap!.maxslot]).toEqual([2, 18]);
  });

  it('grows the kernel page tables for kernel addresses beyond them', () => {
    const { uvm } = bare({ growBy: 4 << 20 });
    const { kernelMap } = uvm;
    expect(uvm.maxKernelVa).toBe(kernelMap.min);
    uvmMap(uvm, kernelMap, kernelMap.min, 5 << 20, null, 0, 0, PLAIN);
    expect(uvm.maxKernelVa).toBe(kernelMap.min + (8 << 20));
  });

  it('gives a kernel object the offset of its address, if it is given none', () => {
    const { uvm, kit } = bare();
    const { kernelMap } = uvm;
    const { vnode } = kit.file(4);
    const { start } = uvmMap(
      uvm,
      kernelMap,
      kernelMap.min + 3 * PAGE,
      PAGE,
      vnode,
      UVM_UNKNOWN_OFFSET,
      0,
      PLAIN,
    );
    expect(mapLookup(kernelMap, start)!.offset).toBe(3 * PAGE);
  });
});

describe('merging with the entry before', () => {
  it('lengthens it, its amap and the map, and drops the reference that came with the object', () => {
    const { kit, map, put, layout } = bare();
    const { vnode } = kit.file(8);
    vnode.refs = 1;
    put(0, 2, {}, vnode, 0);
    vnode.refs++;
    put(2, 1, {}, vnode, 2 * PAGE);
    expect(layout()).toEqual([[0, 3]]);
    expect(vnode.refs).toBe(1);
    expect(map.size).toBe(3 * PAGE);
    kit.check();
  });

  it.each<[string, Partial<MapAttributes>, Partial<MapAttributes>]>([
    ['NOMERGE is given', {}, { flags: UVM_FLAG_COPYONW | UVM_FLAG_NOMERGE }],
    ['the protection differs', {}, { prot: R }],
    ['the maximum protection differs', {}, { maxProt: RW }],
    ['the inheritance differs', {}, { inherit: MAP_INHERIT_SHARE }],
    ['the advice differs', {}, { advice: UVM_ADV_RANDOM }],
    ['only one of them is copy-on-write', { flags: 0 }, {}],
  ])('is not done if %s', (_why, first, second) => {
    const { kit, put, layout } = bare();
    put(0, 2, first);
    put(2, 1, second);
    expect(layout()).toEqual([
      [0, 2],
      [2, 3],
    ]);
    kit.check();
  });

  it('is not done across a gap, over other objects or offsets, a submap, a wired entry or an amap with users', () => {
    const { kit, uvm, map, at, put, layout } = bare();
    const { vnode } = kit.file(8);
    vnode.refs = 9;
    put(0, 1);
    put(2, 1);
    put(3, 1, {}, vnode, 0);
    put(4, 1, {}, vnode, 3 * PAGE);
    put(5, 1).etype |= UVM_ET_SUBMAP;
    put(6, 1).wiredCount = 1;
    put(7, 1, { flags: UVM_FLAG_COPYONW | UVM_FLAG_OVERLAY }).amap!.ref = 2;
    put(8, 1);
    expect(layout()).toHaveLength(8);
    mapLookup(map, at(5))!.etype = 0;
    mapLookup(map, at(6))!.wiredCount = 0;
    mapLookup(map, at(7))!.amap!.ref = 1;
    expect(uvm.maps.has(map)).toBe(true);
  });

  it('ignores needs-copy, and with the quirk copy-on-write too', () => {
    const plain = bare();
    plain.put(0, 2, { flags: UVM_FLAG_COPYONW | UVM_FLAG_OVERLAY });
    plain.put(2, 2);
    expect(plain.layout()).toEqual([[0, 4]]);
    expect(mapLookup(plain.map, plain.at(0))!.amap!.nslot).toBe(4);
    plain.kit.check();
    const quirky = bare({ quirks: { mergeIgnoresEtype: true } });
    quirky.put(0, 2, { flags: UVM_FLAG_OVERLAY });
    quirky.put(2, 2);
    expect(quirky.layout()).toEqual([[0, 4]]);
  });

  it('is never done with the entry behind', () => {
    const { put, layout } = bare();
    put(2, 1);
    put(1, 1);
    expect(layout()).toEqual([
      [1, 2],
      [2, 3],
    ]);
  });
});

describe('finding space', () => {
  const find = (
    b: ReturnType<typeof bare>,
    page: number,
    pages: number,
    { offset = UVM_UNKNOWN_OFFSET, align = 0, fixed = false } = {},
  ) => {
    const space = findSpace(b.uvm, b.map, BASE + page * PAGE, pages * PAGE, offset, align, fixed);
    return space === null ? null : (space.start - BASE) / PAGE;
  };

  it('takes the first gap at or above the hint that is wide enough', () => {
    const b = bare();
    b.put(0, 2);
    b.put(3, 2);
    b.put(9, 1, { prot: R });
    expect(find(b, 0, 1)).toBe(2);
    expect(find(b, 0, 3)).toBe(5);
    expect(find(b, 0, 5)).toBe(10);
    expect(find(b, 4, 1)).toBe(5);
    expect(find(b, 6, 3)).toBe(6);
    expect(find(b, 6, 4)).toBe(10);
    expect(find(b, 0, 54)).toBe(10);
    expect(find(b, 0, 55)).toBeNull();
    expect(find(b, -3, 1)).toBe(2);
    expect(find(b, 65, 1)).toBeNull();
  });

  it('takes exactly the fixed place or none', () => {
    const b = bare();
    b.put(3, 2);
    expect(find(b, 0, 3, { fixed: true })).toBe(0);
    expect(find(b, 0, 4, { fixed: true })).toBeNull();
    expect(find(b, 4, 1, { fixed: true })).toBeNull();
    expect(find(b, 5, 1, { fixed: true })).toBe(5);
    expect(find(b, 63, 2, { fixed: true })).toBeNull();
    expect(find(b, -1, 1, { fixed: true })).toBeNull();
  });

  it('aligns if it can, and does without if it cannot', () => {
    const b = bare();
    b.put(0, 1);
    expect(find(b, 0, 1, { align: 16 * PAGE })).toBe(16);
    b.put(4, 60);
    expect(find(b, 0, 2, { align: 16 * PAGE })).toBe(1);
    expect(find(b, 0, 4, { align: 16 * PAGE })).toBeNull();
    const tail = bare();
    tail.put(0, 50);
    expect(find(tail, 0, 8, { align: 32 * PAGE })).toBe(50);
  });

  it('raises the address to one that the cache can take, for a known offset only', () => {
    const b = bare({ alias: 4 * PAGE });
    b.put(0, 1);
    expect(find(b, 0, 1, { offset: 2 * PAGE })).toBe(2);
    expect(find(b, 0, 1, { offset: 9 * PAGE })).toBe(1);
    expect(find(b, 0, 1)).toBe(1);
    expect(find(b, 3, 1, { offset: 9 * PAGE, fixed: true })).toBe(3);
  });

  it('answers ENOMEM through uvm_map when there is none', () => {
    const b = bare();
    b.put(0, 64);
    expect(uvmMap(b.uvm, b.map, BASE, PAGE, null, 0, 0, PLAIN).error).toBe(ENOMEM);
  });
});

describe('holding a map', () => {
  it('lets writers wait until it is let go, and wakes them', () => {
    const { kit, uvm, map } = bare();
    const before = map.timestamp;
    mapBusy(map);
    const writer = kit.start(mapLock(map));
    expect(writer.asleep).toBe(map.channel);
    expect(map.flags & VM_MAP_WANTLOCK).not.toBe(0);
    mapUnbusy(uvm, map);
    kit.settle();
    expect(map.timestamp).toBe(before + 1);
    map.exclusive = true;
    const second = kit.start(mapLock(map));
    kit.resume();
    expect(second.done).toBe(false);
    mapRelease(uvm, map);
    kit.settle();
    expect(second.done).toBe(true);
    kit.check();
  });

  it('says no word when nobody waits', () => {
    const { uvm, map } = bare();
    mapBusy(map);
    mapUnbusy(uvm, map);
    expect(map.flags).toBe(VM_MAP_PAGEABLE);
  });

  it('changes the bounds of an empty map only', () => {
    const { map, put } = bare();
    map.setBounds(BASE, BASE + 32 * PAGE);
    put(0, 1);
    expect(() => map.setBounds(0, 1)).toThrow('uvmspace_exec');
  });
});
