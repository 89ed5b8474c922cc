import {
  EFAULT,
  EINVAL,
  EIO,
  ENOMEM,
  KernelPanic,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type Va,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { fileByte, Kit, type KitOptions, PAGE, R, RW, RX } from '../test/kit.ts';
import {
  mapExtract,
  mapReplace,
  mapReserve,
  UVM_EXTRACT_CONTIG,
  UVM_EXTRACT_FIXPROT,
  UVM_EXTRACT_QREF,
  UVM_EXTRACT_REMOVE,
} from './extract.ts';
import { uvmIo, vslock, vsunlock } from './io.ts';
import { kernelRead, kernelWrite } from './kernel-copy.ts';
import { mapBusy, mapUnbusy } from './map.ts';
import { uvmUnmap } from './map-unmap.ts';
import { MAP_ANON, MAP_FIXED, MAP_PRIVATE, MAP_SHARED } from './mmap.ts';
import { AMAP_SHARED, UVM_UNKNOWN_OFFSET } from './types.ts';

function setup(options: KitOptions = {}) {
  const kit = new Kit(options);
  const { uvm } = kit;
  const proc = kit.proc();
  const file = kit.file(4);
  const va = proc.map({ length: 6 * PAGE });
  const fd = proc.fd(file);
  const text = proc.map({ addr: va + 64 * PAGE, length: 4 * PAGE, prot: RX, fd });
  const other = kit.proc();
  for (let i = 0; i < 6; i++) proc.store(va + i * PAGE, i + 1);
  const extract = (start: Va, pages: number, flags: number, to = other.space.map) =>
    kit.run(mapExtract(uvm, proc.space.map, start, pages * PAGE, to, flags));
  const io = (at: Va, length: number, bytes: Uint8Array | null) => {
    const into = new Uint8Array(Math.max(0, length));
    const outcome = kit.run(
      uvmIo(uvm, proc.space.map, at, length, (kva, done, count) =>
        bytes === null
          ? kernelRead(uvm, kva, into.subarray(done, done + count))
          : kernelWrite(uvm, kva, bytes.subarray(done, done + count)),
      ),
    );
    kit.check();
    return { ...outcome, bytes: [...into] };
  };
  return { kit, uvm, proc, other, file, va, text, fd, extract, io };
}

describe('a reservation', () => {
  it('is replaced by entries within it, or by nothing', () => {
    const s = setup();
    const { map } = s.other.space;
    const { start } = mapReserve(s.uvm, map, 4 * PAGE, map.min, UVM_UNKNOWN_OFFSET);
    expect(mapReplace(map, start + PAGE, start + 4 * PAGE, [])).toBe(false);
    expect(mapReplace(map, start, start + 3 * PAGE, [])).toBe(false);
    const { entry } = { entry: s.proc.entry(s.va).clone() };
    expect(mapReplace(map, start, start + 4 * PAGE, [entry])).toBe(false);
    expect(mapReplace(map, start, start + 4 * PAGE, [])).toBe(true);
    expect([map.nentries, map.size]).toEqual([0, 0]);
    s.kit.check();
  });
});

describe('an extract', () => {
  it('shares anonymous memory and marks it so', () => {
    const s = setup();
    const { error, start } = s.extract(s.va + PAGE, 2, UVM_EXTRACT_CONTIG);
    expect(error).toBe(0);
    expect(s.other.load(start)).toBe(2);
    s.other.store(start + PAGE, 99);
    expect(s.proc.load(s.va + 2 * PAGE)).toBe(99);
    expect(s.proc.entry(s.va + PAGE).amap!.flags & AMAP_SHARED).toBe(AMAP_SHARED);
    expect(s.proc.layout(s.va).slice(0, 3)).toEqual([
      [0, 1],
      [1, 3],
      [3, 6],
    ]);
    s.kit.check();
    s.proc.exit();
    expect(s.other.load(start)).toBe(2);
    s.other.exit();
    s.kit.check({ idle: true });
  });

  it('resolves needs-copy in the source first', () => {
    const s = setup();
    const child = s.proc.fork();
    const { start } = s.extract(s.va, 6, 0);
    s.other.store(start, 50);
    expect([s.proc.load(s.va), child.load(s.va)]).toEqual([50, 1]);
    s.kit.check();
  });

  it('with quick references does not cut the source', () => {
    const s = setup();
    const before = s.proc.space.map.nentries;
    const { start } = s.extract(s.va + PAGE, 2, UVM_EXTRACT_QREF | UVM_EXTRACT_CONTIG);
    expect(s.proc.space.map.nentries).toBe(before);
    expect(s.other.load(start + PAGE)).toBe(3);
    // The reference is to all of the amap, which the invariants know.
    s.kit.check();
  });

  it('with the maximum protection may be written where the source may not', () => {
    const s = setup();
    const plain = s.extract(s.text, 1, 0);
    expect(s.other.try(plain.start, VM_PROT_WRITE)).not.toBe(0);
    const fixed = s.extract(s.text, 1, UVM_EXTRACT_FIXPROT);
    s.other.store(fixed.start, 1);
    expect(s.proc.load(s.text)).toBe(1);
    expect(s.file.byte(0)).toBe(fileByte(0));
    s.kit.check();
  });

  it('that must have no hole is refused with one, at its start, inside and at its end', () => {
    const s = setup();
    s.proc.munmap(s.va + 2 * PAGE, PAGE);
    for (const [at, pages] of [
      [0, 4],
      [2, 2],
      [4, 3],
    ] as const)
      expect(s.extract(s.va + at * PAGE, pages, UVM_EXTRACT_CONTIG).error).toBe(EINVAL);
    expect(s.other.space.map.nentries).toBe(0);
    s.kit.check();
    const { error, start } = s.extract(s.va, 4, 0);
    expect(error).toBe(0);
    expect([
      s.other.load(start),
      s.other.try(start + 2 * PAGE, R),
      s.other.load(start + 3 * PAGE),
    ]).toEqual([1, EFAULT, 4]);
    s.kit.check();
  });

  it('that removes moves the memory, wired or not', () => {
    const s = setup();
    s.proc.mlock(s.va, PAGE);
    const { start } = s.extract(s.va, 2, UVM_EXTRACT_REMOVE);
    expect([s.proc.try(s.va, R), s.other.load(start), s.other.load(start + PAGE)]).toEqual([
      EFAULT,
      1,
      2,
    ]);
    expect(s.kit.exp.wired).toBe(0);
    s.kit.check();
  });

  it('that removed forgot the size of the source in 2001, and panicked over wired memory', () => {
    const s = setup({ quirks: { extractForgetsSource: true } });
    const { size } = s.proc.space.map;
    s.extract(s.va, 2, UVM_EXTRACT_REMOVE);
    expect(s.proc.space.map.size).toBe(size);
    s.proc.mlock(s.va + 3 * PAGE, PAGE);
    expect(() => s.extract(s.va + 2 * PAGE, 3, UVM_EXTRACT_REMOVE)).toThrow(KernelPanic);
  });

  it('needs room, and pages', () => {
    const s = setup();
    const { map } = s.other.space;
    while (mapReserve(s.uvm, map, 32 << 20, map.min, UVM_UNKNOWN_OFFSET).error === 0);
    const big = s.proc.map({
      length: 60 << 20,
      prot: R,
      flags: MAP_ANON | MAP_PRIVATE | MAP_FIXED,
      addr: 256 << 20,
    });
    expect(s.extract(big, (60 << 20) / PAGE, 0).error).toBe(ENOMEM);
    expect(() => s.extract(s.va + 1, 1, 0)).toThrow(RangeError);
    expect(() => s.extract(s.va, 1, UVM_EXTRACT_REMOVE | UVM_EXTRACT_CONTIG)).toThrow(RangeError);
  });

  it('waits for both maps, and fails if its reservation goes meanwhile', () => {
    const s = setup();
    const from = s.proc.space.map;
    const to = s.other.space.map;
    mapBusy(from);
    const under = s.kit.start(mapExtract(s.uvm, from, s.va, PAGE, to, 0));
    expect([under.done, to.nentries]).toEqual([false, 1]);
    uvmUnmap(s.uvm, to, to.min, to.max);
    mapUnbusy(s.uvm, from);
    s.kit.settle();
    expect(under.value).toEqual({ error: EIO, start: 0 });
    s.kit.check();
  });
});

describe('another process’ memory', () => {
  it('is read and written across pages and mappings', () => {
    const s = setup();
    expect(s.io(s.va + PAGE - 1, 3, null)).toMatchObject({ error: 0, done: 3, bytes: [0, 2, 0] });
    expect(s.io(s.va + PAGE - 1, 2, Uint8Array.of(70, 71))).toMatchObject({ error: 0, done: 2 });
    expect([s.proc.load(s.va + PAGE - 1), s.proc.load(s.va + PAGE)]).toEqual([70, 71]);
    expect(s.uvm.kernelMap.nentries).toBe(0);
  });

  it('may be written where the process may only read, and the file keeps what it had', () => {
    const s = setup();
    expect(s.io(s.text + 5, 1, Uint8Array.of(0xcc)).error).toBe(0);
    expect([s.proc.load(s.text + 5), s.file.byte(5)]).toEqual([0xcc, fileByte(5)]);
  });

  it('that is a read-only file shared is not written', () => {
    const s = setup();
    const fd = s.proc.fd(s.file, { writable: false });
    const shared = s.proc.map({ length: PAGE, fd, prot: R, flags: MAP_SHARED });
    expect(s.io(shared, 1, Uint8Array.of(1)).error).not.toBe(0);
    expect(s.io(shared, 1, null)).toMatchObject({ error: 0, bytes: [fileByte(0)] });
  });

  it('ends at a hole, at the end of user space, and at an error', () => {
    const s = setup();
    const { userMax } = s.kit.md.port.layout;
    expect(s.io(s.va + 5 * PAGE, 2 * PAGE, null)).toMatchObject({ error: EINVAL, done: 0 });
    expect(s.io(s.va, 0, null)).toMatchObject({ error: 0, done: 0 });
    expect(s.io(userMax, 5, null)).toMatchObject({ error: 0, done: 0 });
    expect(s.io(s.va, -1, null)).toMatchObject({ error: EIO, done: 0 });
    s.file.readError = EIO;
    expect(s.io(s.text, 1, null)).toMatchObject({ error: EIO, done: 0 });
  });

  it('longer than 64 KB goes in pieces, smaller ones if the kernel’s map is crowded', () => {
    const s = setup();
    const big = s.proc.map({ length: 40 * PAGE });
    s.proc.store(big + 39 * PAGE, 3);
    const all = s.io(big, 40 * PAGE, null);
    expect([all.error, all.done, all.bytes[39 * PAGE]]).toEqual([0, 40 * PAGE, 3]);
    const { kernelMap } = s.uvm;
    while (mapReserve(s.uvm, kernelMap, 16 * PAGE, kernelMap.min, UVM_UNKNOWN_OFFSET).error === 0);
    uvmUnmap(s.uvm, kernelMap, kernelMap.min, kernelMap.min + 5 * PAGE);
    expect(s.io(big, 40 * PAGE, null)).toMatchObject({ error: 0, done: 40 * PAGE });
    uvmUnmap(s.uvm, kernelMap, kernelMap.min, kernelMap.min + 16 * PAGE);
    mapReserve(s.uvm, kernelMap, 16 * PAGE, kernelMap.min, UVM_UNKNOWN_OFFSET);
    expect(s.io(big, 1, null)).toMatchObject({ error: ENOMEM, done: 0 });
  });
});

describe('a buffer that is locked for a transfer', () => {
  it('is wired at the access’ protection, page by page, and unlocked by its range', () => {
    const s = setup();
    const { map } = s.proc.space;
    expect(s.kit.run(vslock(s.uvm, map, s.va + 10, PAGE, VM_PROT_READ | VM_PROT_WRITE))).toBe(0);
    expect([s.kit.exp.wired, s.proc.entry(s.va).wiredCount]).toEqual([2, 0]);
    s.kit.check();
    expect(() => vsunlock(s.uvm, map, s.va, PAGE)).toThrow('is not locked');
    vsunlock(s.uvm, map, s.va + 10, PAGE);
    expect(s.kit.exp.wired).toBe(0);
    s.kit.check();
    expect(s.kit.run(vslock(s.uvm, map, s.text, PAGE, RW))).not.toBe(0);
    s.kit.check();
  });
});
