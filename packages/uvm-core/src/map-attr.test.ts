import { EACCES, EINVAL, type Va } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { fileByte, Kit, type KitOptions, PAGE, R, RW, RWX, RX, W } from '../test/kit.ts';
import { mapAdvice, mapCheckProt, mapInherit, mapProtect } from './map-attr.ts';
import { clipEnd, clipStart } from './map-clip.ts';
import { uvmUnmap } from './map-unmap.ts';
import { MAP_SHARED } from './mmap.ts';
import {
  MAP_INHERIT_NONE,
  MAP_INHERIT_SHARE,
  UVM_ADV_RANDOM,
  UVM_ADV_SEQUENTIAL,
  UVM_ET_SUBMAP,
} from './types.ts';

/** Eight private pages of a file, the first four touched for writing. */
function mapped(options: KitOptions = {}) {
  const kit = new Kit(options);
  const proc = kit.proc();
  const file = kit.file(8);
  const va = proc.map({ length: 8 * PAGE, fd: proc.fd(file) });
  for (let page = 0; page < 4; page++) proc.store(va + page * PAGE, page + 1);
  const { map } = proc.space;
  const at = (page: number): Va => va + page * PAGE;
  return { kit, uvm: kit.uvm, proc, file, map, va, at, layout: () => proc.layout(va) };
}

describe('clipping', () => {
  it('splits an entry at its start and its end, with offsets, slots and references of its own', () => {
    const { kit, uvm, proc, file, map, va, at, layout } = mapped();
    const entry = proc.entry(va);
    clipStart(uvm, map, entry, at(2));
    clipEnd(uvm, map, entry, at(5));
    expect(layout()).toEqual([
      [0, 2],
      [2, 5],
      [5, 8],
    ]);
    expect([...map.entries()].map((e) => [e.offset / PAGE, e.pageoff])).toEqual([
      [0, 0],
      [2, 2],
      [5, 5],
    ]);
    expect(entry.amap!.ref).toBe(3);
    expect(file.vnode.refs).toBe(3);
    expect(map.size).toBe(8 * PAGE);
    kit.check();
    for (let page = 0; page < 4; page++) expect(proc.load(at(page))).toBe(page + 1);
  });

  it('keeps the first gap where it is', () => {
    const { kit, proc, map } = mapped();
    proc.map({ addr: map.min, length: 4 * PAGE, flags: 0x1012 });
    const end = map.firstFree.end;
    expect(end).toBe(map.min + 4 * PAGE);
    proc.mprotect(map.min + PAGE, PAGE, R);
    expect(map.firstFree.end).toBe(end);
    expect(proc.layout(map.min).slice(0, 3)).toEqual([
      [0, 1],
      [1, 2],
      [2, 4],
    ]);
    kit.check();
  });

  it('does nothing at a boundary that exists', () => {
    const { uvm, proc, map, va, at, layout } = mapped();
    const entry = proc.entry(va);
    clipStart(uvm, map, entry, va);
    clipEnd(uvm, map, entry, at(8));
    expect(layout()).toEqual([[0, 8]]);
  });
});

describe('unmapping', () => {
  it('takes the middle of an entry out: its mappings, its anons, its references', () => {
    const { kit, uvm, proc, file, map, at, layout } = mapped();
    const anons = kit.exp.nfreeanon;
    uvmUnmap(uvm, map, at(1), at(6));
    expect(layout()).toEqual([
      [0, 1],
      [6, 8],
    ]);
    expect(kit.exp.nfreeanon).toBe(anons + 3);
    expect(file.vnode.refs).toBe(2);
    expect(proc.mapped(at(2))).toBe(-1);
    expect(proc.load(at(0))).toBe(1);
    kit.check();
  });

  it('skips holes, clamps to the map, and does nothing for an empty range', () => {
    const { kit, uvm, map, at, layout } = mapped();
    uvmUnmap(uvm, map, at(2), at(3));
    uvmUnmap(uvm, map, at(5), at(5));
    expect(layout()).toEqual([
      [0, 2],
      [3, 8],
    ]);
    uvmUnmap(uvm, map, map.max + PAGE, map.max + 2 * PAGE);
    uvmUnmap(uvm, map, -PAGE, map.max + PAGE);
    expect(layout()).toEqual([]);
    expect([map.nentries, map.size, map.hint, map.firstFree]).toEqual([
      0,
      0,
      map.header,
      map.header,
    ]);
    kit.check();
  });

  it('lets space below the first gap be found again', () => {
    const { kit, uvm, proc, map } = mapped();
    const low = map.min;
    for (const page of [0, 1, 2])
      proc.map({ addr: low + page * PAGE, length: PAGE, flags: 0x1012 });
    expect(map.firstFree.end).toBe(low + 3 * PAGE);
    uvmUnmap(uvm, map, low + PAGE, low + 2 * PAGE);
    expect(map.firstFree.end).toBe(low + PAGE);
    kit.check();
  });
});

describe('changing protection', () => {
  it('stops stores at once, and lets them again by a fault', () => {
    const { kit, proc, at } = mapped();
    expect(proc.mprotect(at(0), 2 * PAGE, R)).toBe(0);
    expect(proc.try(at(0), W)).toBe(EACCES);
    expect(proc.load(at(0))).toBe(1);
    expect(proc.mprotect(at(0), 2 * PAGE, RW)).toBe(0);
    proc.store(at(0), 9);
    expect(proc.load(at(0))).toBe(9);
    kit.check();
  });

  it('never lets a store through to a page that must be copied', () => {
    const { kit, proc, file, at } = mapped();
    expect(proc.load(at(5))).toBe(fileByte(5 * PAGE));
    proc.mprotect(at(0), 8 * PAGE, R);
    proc.mprotect(at(0), 8 * PAGE, RWX);
    proc.store(at(5), 77);
    kit.check();
    kit.run(file.vnode.pgops.put(kit.uvm, file.vnode, 0, 0, 3));
    expect(file.byte(5 * PAGE)).toBe(fileByte(5 * PAGE));
  });

  it('removes the mappings for VM_PROT_NONE', () => {
    const { proc, at } = mapped();
    proc.mprotect(at(0), PAGE, 0);
    expect(proc.mapped(at(0))).toBe(-1);
    expect(proc.try(at(0), R)).toBe(EACCES);
  });

  it('ignores holes, and changes nothing beyond a maximum', () => {
    const { kit, uvm, proc, map, at } = mapped();
    uvmUnmap(uvm, map, at(1), at(2));
    expect(proc.mprotect(at(0), 8 * PAGE, RX)).toBe(0);
    expect(kit.run(mapProtect(uvm, map, at(4), at(5), R, true))).toBe(0);
    expect(proc.entry(at(4)).maxProtection).toBe(R);
    expect(proc.entry(at(4)).protection).toBe(R);
    expect(proc.mprotect(at(0), 8 * PAGE, RW)).toBe(EACCES);
    expect(proc.entry(at(0)).protection).toBe(RX);
    kit.check();
  });

  it('answers EINVAL for a submap, and 0 for nothing at all', () => {
    const { kit, uvm, proc, map, at } = mapped();
    proc.entry(at(0)).etype |= UVM_ET_SUBMAP;
    expect(proc.mprotect(at(0), PAGE, R)).toBe(EINVAL);
    expect(kit.run(mapProtect(uvm, map, map.max, map.max + PAGE, R, false))).toBe(0);
  });

  it('counts a file that is made executable as text', () => {
    const { kit, proc, at } = mapped();
    expect(kit.exp.execpages).toBe(0);
    const pages = kit.exp.filepages;
    proc.mprotect(at(0), PAGE, RX);
    expect([kit.exp.filepages, kit.exp.execpages]).toEqual([0, pages]);
    proc.mprotect(at(1), PAGE, RX);
    kit.check();
  });

  it('with its quirk asks the first entry of the range for the rest', () => {
    for (const quirk of [false, true]) {
      const kit = new Kit({ quirks: { protectAsksFirstEntry: quirk } });
      const proc = kit.proc();
      const file = kit.file(2);
      const shared = proc.map({ length: PAGE, fd: proc.fd(file), flags: MAP_SHARED });
      const priv = proc.map({ addr: shared + PAGE, length: PAGE, fd: proc.fd(file), pos: PAGE });
      expect(priv).toBe(shared + PAGE);
      proc.store(priv, 5);
      proc.mprotect(shared, 2 * PAGE, R);
      proc.load(priv);
      proc.mprotect(shared, 2 * PAGE, RW);
      proc.store(priv, 6);
      // A private page that is mapped for writing keeps WRITE if the first entry is not copy-on-write.
      proc.mprotect(shared, 2 * PAGE, RWX);
      const [mapping] = [...kit.ideal.mappings(proc.space.pmap)].filter(({ va }) => va === priv);
      expect((mapping!.prot & W) !== 0).toBe(quirk);
    }
  });
});

describe('inheritance, advice and checks', () => {
  it('clip the range and leave the rest alone', () => {
    const { kit, uvm, proc, map, at, layout } = mapped();
    expect(kit.run(mapInherit(uvm, map, at(1), at(3), MAP_INHERIT_NONE))).toBe(0);
    expect(kit.run(mapAdvice(uvm, map, at(2), at(5), UVM_ADV_RANDOM))).toBe(0);
    expect(layout()).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 5],
      [5, 8],
    ]);
    expect([...map.entries()].map((e) => [e.inheritance, e.advice])).toEqual([
      [1, 0],
      [2, 0],
      [2, 1],
      [1, 1],
      [1, 0],
    ]);
    expect(proc.load(at(2))).toBe(3);
    kit.check();
  });

  it('refuse values that there are not', () => {
    const { kit, uvm, map, at } = mapped();
    expect(kit.run(mapInherit(uvm, map, at(0), at(1), 3))).toBe(EINVAL);
    expect(kit.run(mapAdvice(uvm, map, at(0), at(1), 3))).toBe(EINVAL);
    expect(kit.run(mapInherit(uvm, map, map.max, map.max + PAGE, MAP_INHERIT_SHARE))).toBe(0);
    expect(kit.run(mapAdvice(uvm, map, at(4), at(4), UVM_ADV_SEQUENTIAL))).toBe(0);
  });

  it('checkprot wants the whole range mapped, with the rights asked for', () => {
    const { uvm, proc, map, at } = mapped();
    proc.mprotect(at(2), PAGE, R);
    expect(mapCheckProt(map, at(0), at(8), R)).toBe(true);
    expect(mapCheckProt(map, at(0), at(8), RW)).toBe(false);
    expect(mapCheckProt(map, at(0), at(2), RW)).toBe(true);
    uvmUnmap(uvm, map, at(5), at(6));
    expect(mapCheckProt(map, at(0), at(8), 0)).toBe(false);
    expect(mapCheckProt(map, at(0), at(5), 0)).toBe(true);
    expect(mapCheckProt(map, at(5), at(6), 0)).toBe(false);
    expect(mapCheckProt(map, at(6), at(9), 0)).toBe(false);
  });
});
