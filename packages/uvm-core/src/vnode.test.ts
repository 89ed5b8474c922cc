import { EBUSY, EINVAL, EIO, ENOSPC, type Errno } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { fileByte, Kit, type KitOptions, PAGE, R, RW, W } from '../test/kit.ts';
import { MAP_SHARED } from './mmap.ts';
import { NO_PAGE, PG_BUSY, PG_CLEAN, PG_RDONLY, PG_WANTED, PQ_INACTIVE } from './page.ts';
import {
  PAGE_NULL,
  PGO_ALLPAGES,
  PGO_CLEANIT,
  PGO_DEACTIVATE,
  PGO_DONTCARE,
  PGO_FREE,
  PGO_LOCKED,
  PGO_OVERWRITE,
  PGO_SYNCIO,
  WAIT,
} from './types.ts';
import { asVnode } from './vnode.ts';
import { vnodeRead, vnodeSetSize, vnodeWrite } from './vnode-io.ts';

function setup(file: Parameters<Kit['file']>[0] = 8, options: KitOptions = {}) {
  const kit = new Kit(options);
  const { uvm } = kit;
  const f = kit.file(file);
  const { vnode } = f;
  const get = (first: number, slots: number[], centre: number, access: number, flags: number) => {
    const pages = Int32Array.from(slots);
    const call = () =>
      vnode.pgops.get(uvm, vnode, first * PAGE, pages, pages.length, centre, access, 0, flags);
    let outcome = call();
    while (outcome === WAIT && kit.disk.deliver()) outcome = call();
    return { outcome, pages: [...pages] };
  };
  const put = (from: number, to: number, flags: number): Errno =>
    kit.run(vnode.pgops.put(uvm, vnode, from * PAGE, to * PAGE, flags));
  const at = (index: number) => uvm.pages.lookup(vnode, index);
  const read = (offset: number, length: number) => kit.run(vnodeRead(uvm, vnode, offset, length));
  const write = (offset: number, ...bytes: number[]) =>
    kit.run(vnodeWrite(uvm, vnode, offset, Uint8Array.from(bytes)));
  const proc = kit.proc();
  const va = proc.map({ length: 8 * PAGE, fd: proc.fd(f), flags: MAP_SHARED });
  return { kit, uvm, file: f, vnode, get, put, at, read, write, proc, va };
}

describe('getting pages', () => {
  it('locked gives what is resident and idle, and says EBUSY if the centre is not', () => {
    const { uvm, get, at, proc, va } = setup();
    proc.load(va);
    proc.load(va + 2 * PAGE);
    const [zero, two] = [at(0), at(2)];
    expect(get(0, [PAGE_NULL, PAGE_NULL, PGO_DONTCARE], 0, R, PGO_LOCKED)).toEqual({
      outcome: 0,
      pages: [zero, PAGE_NULL, PGO_DONTCARE],
    });
    expect(get(0, [PAGE_NULL, PAGE_NULL, PAGE_NULL], 0, R, PGO_LOCKED)).toEqual({
      outcome: EBUSY,
      pages: [PAGE_NULL, PAGE_NULL, two],
    });
    for (const page of [zero, two]) uvm.unbusy(page);
    expect(get(0, [PAGE_NULL, PAGE_NULL], 0, R, PGO_LOCKED | PGO_ALLPAGES).outcome).toBe(EBUSY);
  });

  it('gives the centre alone, or all of them, or none', () => {
    const { kit, uvm, get, at, vnode } = setup();
    const centre = get(0, [PAGE_NULL, PAGE_NULL], 1, R, PGO_SYNCIO);
    expect(centre).toEqual({ outcome: 0, pages: [PAGE_NULL, at(1)] });
    uvm.unbusy(at(1));
    const all = get(0, [PAGE_NULL, PGO_DONTCARE, PAGE_NULL], 0, R, PGO_SYNCIO | PGO_ALLPAGES);
    expect(all).toEqual({ outcome: 0, pages: [at(0), PGO_DONTCARE, at(2)] });
    for (const index of [0, 2]) uvm.unbusy(at(index));
    kit.check();
    const beyond = get(6, [PAGE_NULL, PAGE_NULL, PAGE_NULL], 0, R, PGO_SYNCIO | PGO_ALLPAGES);
    expect(beyond).toEqual({ outcome: EINVAL, pages: [PAGE_NULL, PAGE_NULL, PAGE_NULL] });
    expect(asVnode(vnode)).toBe(vnode);
    expect(asVnode(null)).toBeNull();
    kit.check();
  });

  it('reads a block at a time, and ahead at the end of 64 KB', () => {
    const big = setup(64);
    big.proc.load(big.va);
    expect(big.kit.disk.reads).toBe(1);
    big.kit.run(vnodeRead(big.uvm, big.vnode, 15 * PAGE, 1));
    expect(big.kit.disk.reads).toBe(4);
    big.kit.disk.deliverAll();
    expect([15, 16, 31, 32, 47, 48].map((index) => big.at(index) !== NO_PAGE)).toEqual([
      true,
      true,
      true,
      true,
      true,
      false,
    ]);
    big.kit.check();
    const blocks = setup({ size: 8 * PAGE, blockSize: 4 * PAGE });
    blocks.proc.load(blocks.va + 5 * PAGE);
    expect([3, 4, 5, 6, 7].map((index) => blocks.at(index) !== NO_PAGE)).toEqual([
      false,
      true,
      true,
      true,
      true,
    ]);
    expect(blocks.kit.disk.reads).toBe(1);
  });

  it('gives the pages of the last block, zeroed beyond the end', () => {
    const { kit, proc, va } = setup({ size: PAGE + 100, blockSize: 4 * PAGE });
    expect(proc.load(va + PAGE + 99)).toBe(fileByte(PAGE + 99));
    expect(proc.load(va + PAGE + 100)).toBe(0);
    expect(proc.load(va + 3 * PAGE)).toBe(0);
    expect(proc.try(va + 4 * PAGE, R)).toBe(EINVAL);
    kit.check();
  });

  it('over small blocks makes a page read-only until all of them are there', () => {
    const { kit, uvm, file, proc, va, at } = setup({
      size: PAGE,
      blockSize: 1024,
      holes: [1024],
    });
    expect([proc.load(va), proc.load(va + 1500)]).toEqual([fileByte(0), 0]);
    expect(uvm.pages.flags[at(0)]! & PG_RDONLY).toBe(PG_RDONLY);
    proc.store(va + 1500, 4);
    expect(file.isAllocated(1024)).toBe(true);
    proc.msync(va, PAGE, 4);
    expect([file.byte(0), file.byte(1500)]).toEqual([fileByte(0), 4]);
    kit.check();
  });

  it('splits a read around what is resident, holes and errors', () => {
    const { kit, file, proc, va, at } = setup({
      size: 8 * PAGE,
      blockSize: PAGE,
      holes: [2 * PAGE],
    });
    proc.load(va + 2 * PAGE);
    file.readError = EIO;
    expect(proc.try(va, R)).toBe(EIO);
    expect(at(0)).toBe(NO_PAGE);
    kit.check();
  });

  it('to be overwritten reads nothing, and forgets that a read had failed', () => {
    const { kit, uvm, file, get, at } = setup();
    file.readError = EIO;
    const started = Int32Array.of(PAGE_NULL);
    const { vnode } = file;
    vnode.pgops.get(uvm, vnode, 0, started, 1, 0, R, 0, PGO_SYNCIO);
    kit.disk.deliver();
    expect(vnode.readErrors.size).toBe(1);
    expect(get(0, [PAGE_NULL], 0, RW, PGO_SYNCIO | PGO_OVERWRITE).outcome).toBe(0);
    expect([vnode.readErrors.size, kit.disk.reads]).toEqual([0, 1]);
    uvm.pages.activate(at(0));
    uvm.unbusy(at(0));
  });
});

describe('putting pages', () => {
  it('writes what is dirty with its dirty neighbours, and only that', () => {
    const { kit, file, put, proc, va, at, uvm } = setup();
    for (const page of [1, 2, 3, 6]) proc.store(va + page * PAGE, 100 + page);
    proc.load(va + 4 * PAGE);
    expect(put(2, 3, PGO_CLEANIT | PGO_SYNCIO)).toBe(0);
    expect(kit.disk.writes).toBe(1);
    expect([1, 2, 3, 6].map((page) => file.byte(page * PAGE))).toEqual([
      101,
      102,
      103,
      fileByte(6 * PAGE),
    ]);
    expect(uvm.pages.flags[at(1)]! & PG_CLEAN).toBe(PG_CLEAN);
    expect(put(0, 0, PGO_CLEANIT | PGO_SYNCIO)).toBe(0);
    expect(kit.disk.writes).toBe(2);
    expect(put(0, 0, PGO_CLEANIT | PGO_SYNCIO | PGO_ALLPAGES)).toBe(0);
    expect(kit.disk.writes).toBe(2);
    kit.check();
  });

  it('writes at most 64 KB at once, to both sides', () => {
    const { kit, file, uvm, vnode } = setup(64);
    const all = new Uint8Array(40 * PAGE).fill(9);
    kit.run(vnodeWrite(uvm, vnode, 0, all));
    expect(kit.run(vnode.pgops.put(uvm, vnode, 20 * PAGE, 21 * PAGE, PGO_CLEANIT))).toBe(0);
    expect(kit.disk.pending).toMatchObject([{ offset: 20 * PAGE, pages: 16 }]);
    expect(kit.run(vnode.pgops.put(uvm, vnode, 19 * PAGE, 20 * PAGE, PGO_CLEANIT))).toBe(0);
    expect(kit.disk.pending[1]).toMatchObject({ offset: 4 * PAGE, pages: 16 });
    expect(kit.run(vnode.pgops.put(uvm, vnode, 0, 0, PGO_CLEANIT | PGO_SYNCIO))).toBe(0);
    for (let page = 0; page < 40; page++) expect(file.byte(page * PAGE)).toBe(9);
    kit.check();
  });

  it('frees in the range only; neighbours that are written along stay mapped', () => {
    const { kit, file, put, proc, va, at } = setup();
    for (const page of [1, 2, 3]) proc.store(va + page * PAGE, 100 + page);
    proc.load(va + 4 * PAGE);
    expect(put(2, 3, PGO_CLEANIT | PGO_FREE | PGO_SYNCIO)).toBe(0);
    expect([1, 2, 3, 4].map((page) => at(page) !== NO_PAGE)).toEqual([true, false, true, true]);
    expect([1, 2, 3, 4].map((page) => proc.mapped(va + page * PAGE) !== -1)).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(file.byte(PAGE)).toBe(101);
    proc.store(va + PAGE, 55);
    expect(put(0, 0, PGO_CLEANIT | PGO_FREE)).toBe(0);
    kit.disk.deliverAll();
    expect([file.byte(PAGE), file.vnode.npages]).toEqual([55, 0]);
    kit.check();
  });

  it('discards without CLEANIT, deactivates with DEACTIVATE, clean or dirty', () => {
    const { kit, uvm, file, put, proc, va, at } = setup();
    proc.store(va, 1);
    proc.store(va + PAGE, 2);
    proc.load(va + 2 * PAGE);
    expect(put(0, 1, PGO_FREE)).toBe(0);
    expect(proc.load(va)).toBe(fileByte(0));
    expect(put(1, 3, PGO_CLEANIT | PGO_DEACTIVATE | PGO_SYNCIO)).toBe(0);
    expect([1, 2].map((page) => uvm.pages.pqflags[at(page)]! & PQ_INACTIVE)).toEqual([2, 2]);
    expect(file.byte(PAGE)).toBe(2);
    kit.check();
  });

  it('waits for pages that someone holds, and looks again', () => {
    const { kit, uvm, vnode, proc, va, at } = setup();
    proc.store(va, 1);
    const page = at(0);
    uvm.pages.flags[page]! |= PG_BUSY;
    const sync = kit.start(vnode.pgops.put(uvm, vnode, 0, 0, PGO_CLEANIT | PGO_SYNCIO));
    expect([sync.asleep, uvm.pages.flags[page]! & PG_WANTED]).toEqual([page, PG_WANTED]);
    uvm.unbusy(page);
    kit.settle();
    expect(sync.value).toBe(0);
    kit.check();
  });

  it('keeps what could not be written, dirty, and tells who waits', () => {
    const { kit, uvm, file, put, proc, va, at } = setup();
    proc.store(va, 1);
    proc.store(va + 5 * PAGE, 2);
    file.writeError = EIO;
    expect(put(0, 0, PGO_CLEANIT | PGO_FREE | PGO_SYNCIO)).toBe(EIO);
    expect([0, 5].map((page) => uvm.pages.flags[at(page)]! & (PG_BUSY | PG_CLEAN))).toEqual([0, 0]);
    file.writeError = 0;
    expect(put(0, 0, PGO_CLEANIT | PGO_SYNCIO)).toBe(0);
    expect([file.byte(0), file.byte(5 * PAGE)]).toEqual([1, 2]);
    kit.check();
  });

  it('looks the pages up one by one where that is less than the file has', () => {
    const { kit, put, proc, va, file } = setup(64);
    kit.run(vnodeRead(kit.uvm, file.vnode, 0, 60 * PAGE));
    proc.store(va + 3 * PAGE, 1);
    expect(put(3, 5, PGO_CLEANIT | PGO_SYNCIO)).toBe(0);
    expect(file.byte(3 * PAGE)).toBe(1);
    expect(put(70, 71, PGO_CLEANIT | PGO_SYNCIO)).toBe(0);
    kit.check();
  });
});

describe('reading and writing a file', () => {
  it('is coherent with its mappings, both ways', () => {
    const { kit, read, write, proc, va } = setup();
    proc.store(va + 5, 77);
    expect(read(4, 3)).toEqual(Uint8Array.of(fileByte(4), 77, fileByte(6)));
    expect(write(PAGE - 1, 1, 2, 3)).toEqual({ written: 3, error: 0 });
    expect([proc.load(va + PAGE - 1), proc.load(va + PAGE), proc.load(va + PAGE + 1)]).toEqual([
      1, 2, 3,
    ]);
    const priv = proc.map({ length: PAGE, fd: 0 });
    expect(proc.load(priv + 5)).toBe(77);
    kit.check();
  });

  it('ends at the end of the file, or makes it longer', () => {
    const { kit, file, read, write, proc, va } = setup({ size: PAGE + 10 });
    expect(read(PAGE + 8, 100)).toEqual(Uint8Array.of(fileByte(PAGE + 8), fileByte(PAGE + 9)));
    expect(read(PAGE + 10, 1)).toHaveLength(0);
    expect(write(3 * PAGE + 1, 5)).toEqual({ written: 1, error: 0 });
    expect(file.vnode.size).toBe(3 * PAGE + 2);
    expect([proc.load(va + 2 * PAGE), proc.load(va + 3 * PAGE + 1)]).toEqual([0, 5]);
    kit.run(file.vnode.pgops.put(kit.uvm, file.vnode, 0, 0, PGO_CLEANIT | PGO_SYNCIO));
    expect([file.byte(3 * PAGE), file.byte(3 * PAGE + 1)]).toEqual([0, 5]);
    kit.check();
  });

  it('reads nothing for a page that is overwritten whole', () => {
    const { kit, write } = setup();
    expect(write(PAGE, ...new Uint8Array(PAGE).fill(3))).toEqual({ written: PAGE, error: 0 });
    expect(kit.disk.reads).toBe(0);
    write(2 * PAGE, 1);
    expect(kit.disk.reads).toBe(1);
    kit.check();
  });

  it('tells how far it came', () => {
    const { kit, file, read, write } = setup({ size: 3 * PAGE });
    file.readError = EIO;
    expect(read(0, PAGE)).toBe(EIO);
    expect(write(1, 1)).toEqual({ written: 0, error: EIO });
    file.readError = 0;
    read(0, 2 * PAGE);
    file.readError = EIO;
    // A window's worth is there or is not.
    expect(read(0, 3 * PAGE)).toHaveLength(2 * PAGE);
    expect(read(PAGE, 3 * PAGE)).toHaveLength(PAGE);
    file.readError = 0;
    file.space = 1;
    const free = kit.exp.free;
    expect(write(3 * PAGE, ...new Uint8Array(2 * PAGE).fill(1))).toEqual({
      written: PAGE,
      error: ENOSPC,
    });
    expect([file.vnode.size, kit.exp.free]).toEqual([4 * PAGE, free - 1]);
    kit.check();
  });
});

describe('setting a file’s size', () => {
  const resize = (s: ReturnType<typeof setup>, size: number): Errno => {
    const error = s.kit.run(vnodeSetSize(s.uvm, s.vnode, size));
    s.file.trim();
    return error;
  };

  it('takes pages beyond the end away, mapped, dirty or not, and zeroes the rest of the last', () => {
    const s = setup();
    for (let page = 0; page < 8; page++) s.proc.store(s.va + page * PAGE + 50, 100 + page);
    expect(resize(s, 2 * PAGE + 20)).toBe(0);
    expect(s.vnode.npages).toBe(3);
    expect(s.proc.try(s.va + 3 * PAGE, R)).toBe(EINVAL);
    expect([s.proc.load(s.va + 2 * PAGE + 19), s.proc.load(s.va + 2 * PAGE + 50)]).toEqual([
      fileByte(2 * PAGE + 19),
      0,
    ]);
    s.kit.check();
    expect(resize(s, 4 * PAGE)).toBe(0);
    expect([s.proc.load(s.va + 2 * PAGE + 50), s.proc.load(s.va + 3 * PAGE + 50)]).toEqual([0, 0]);
    expect(resize(s, PAGE)).toBe(0);
    expect(s.vnode.npages).toBe(1);
    s.kit.check();
  });

  it('takes the pages of a large last block away, too', () => {
    const s = setup({ size: 5 * PAGE, blockSize: 4 * PAGE });
    for (let page = 0; page < 8; page++) expect(s.proc.try(s.va + page * PAGE, W)).toBe(0);
    expect(resize(s, PAGE)).toBe(0);
    expect(s.vnode.npages).toBe(1);
    s.kit.check();
  });

  it('takes locked pages away, and munlock panics (H2)', () => {
    const s = setup();
    s.proc.mlock(s.va, 2 * PAGE);
    expect(resize(s, 0)).toBe(0);
    expect(s.kit.exp.wired).toBe(0);
    expect(s.kit.violations().join()).toContain('invariant 41');
    expect(() => s.proc.munlock(s.va, 2 * PAGE)).toThrow('unwiring non-wired memory');
  });

  it('hands on the error of the last page’s read', () => {
    const s = setup();
    s.file.readError = EIO;
    expect(resize(s, 100)).toBe(EIO);
    s.kit.check();
  });
});
