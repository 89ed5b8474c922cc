import { EIO, EOPNOTSUPP, type Errno, ESTALE } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { Kit, PAGE, R } from '../test/kit.ts';
import { MAP_SHARED, MS_SYNC } from './mmap.ts';
import { NO_PAGE, PG_NEEDCOMMIT } from './page.ts';
import { PGO_ALLPAGES, PGO_CLEANIT, PGO_FREE, PGO_SYNCIO, PGO_WEAK } from './types.ts';
import { type ByteFile, compatOps, nullVnodePager } from './vnode-kinds.ts';
import { vnodeWrite } from './vnode-io.ts';
import { Vnode } from './vnode.ts';

describe('a file that can only be read and written', () => {
  function setup(size: number) {
    const kit = new Kit();
    const content = Uint8Array.from({ length: size }, (_, i) => i % 251);
    let error: Errno = 0;
    const later: (() => void)[] = [];
    const file: ByteFile = {
      size: () => vnode.size,
      read(offset, into, done) {
        into.set(content.subarray(offset, offset + into.length));
        later.push(() => done(error));
      },
      write(offset, bytes, done) {
        if (error === 0) content.set(bytes, offset);
        later.push(() => done(error));
      },
    };
    const vnode: Vnode = new Vnode(kit.uvm, compatOps(kit.uvm, file), size);
    kit.onStuck = () => {
      const next = later.shift();
      next?.();
      return next !== undefined;
    };
    const proc = kit.proc();
    const fd = proc.open.push({ vnode, readable: true, writable: true, immutable: false }) - 1;
    const va = proc.map({ length: 3 * PAGE, fd, flags: MAP_SHARED });
    return { kit, content, vnode, proc, va, fail: (with_: Errno) => (error = with_) };
  }

  it('is mapped all the same, and what is stored is written, as far as the file goes', () => {
    const s = setup(2 * PAGE + 10);
    expect([s.proc.load(s.va + PAGE + 1), s.proc.load(s.va + 2 * PAGE + 20)]).toEqual([
      (PAGE + 1) % 251,
      0,
    ]);
    s.proc.store(s.va + 2 * PAGE + 5, 77);
    s.proc.store(s.va + 2 * PAGE + 20, 78);
    expect(s.proc.msync(s.va, 3 * PAGE, MS_SYNC)).toBe(0);
    expect(s.content[2 * PAGE + 5]).toBe(77);
    s.kit.check();
  });

  it('passes errors on', () => {
    const s = setup(PAGE);
    s.fail(EIO);
    expect(s.proc.try(s.va, R)).toBe(EIO);
    s.fail(0);
    s.proc.store(s.va, 1);
    s.fail(EIO);
    expect(s.proc.msync(s.va, PAGE, MS_SYNC)).toBe(EIO);
    s.kit.check();
  });
});

describe('a vnode that never has pages', () => {
  it('has nothing to map and nothing to put', () => {
    const kit = new Kit();
    const vnode = new Vnode(kit.uvm, kit.file(1), PAGE, nullVnodePager);
    const proc = kit.proc();
    const fd = proc.open.push({ vnode, readable: true, writable: true, immutable: false }) - 1;
    expect(proc.try(proc.map({ length: PAGE, fd }), R)).toBe(EOPNOTSUPP);
    expect(kit.run(vnode.pgops.put(kit.uvm, vnode, 0, 0, PGO_CLEANIT | PGO_ALLPAGES))).toBe(0);
    kit.check();
  });
});

describe('a remote file', () => {
  function setup() {
    const kit = new Kit();
    const file = kit.file(4);
    const commits: [number, number][] = [];
    const lost: Errno[] = [];
    Object.assign(file, {
      commit(offset: number, length: number, done: (error: Errno) => void) {
        commits.push([offset / PAGE, length / PAGE]);
        const error = lost.shift() ?? 0;
        const finish = () => done(error);
        kit.disk.pending.push({ kind: 'write', file, offset, pages: 0, finish });
      },
    });
    const put = (flags: number) => {
      const error = kit.run(file.vnode.pgops.put(kit.uvm, file.vnode, 0, 0, flags | PGO_ALLPAGES));
      kit.settle();
      kit.check();
      return error;
    };
    const due = () => {
      const page = kit.uvm.pages.lookup(file.vnode, 0);
      return page !== NO_PAGE && (kit.uvm.pages.flags[page]! & PG_NEEDCOMMIT) !== 0;
    };
    kit.run(vnodeWrite(kit.uvm, file.vnode, 0, Uint8Array.of(9)));
    return { kit, file, commits, lost, put, due };
  }

  it('that is written in passing needs a commit, which who is weak leaves for later', () => {
    const s = setup();
    expect(s.put(PGO_CLEANIT)).toBe(0);
    expect([s.due(), s.commits, s.kit.disk.writes]).toEqual([true, [], 1]);
    s.put(PGO_CLEANIT | PGO_FREE | PGO_WEAK);
    expect([s.due(), s.commits]).toEqual([true, []]);
    expect(s.put(PGO_CLEANIT | PGO_SYNCIO)).toBe(0);
    expect([s.due(), s.commits, s.kit.disk.writes]).toEqual([false, [[0, 1]], 1]);
  });

  it('is written again if the server has lost it', () => {
    const s = setup();
    s.lost.push(ESTALE);
    expect(s.put(PGO_CLEANIT | PGO_SYNCIO)).toBe(0);
    expect([s.commits.length, s.kit.disk.writes, s.file.byte(0)]).toEqual([2, 2, 9]);
  });

  it('is dirty again if the server cannot commit it', () => {
    const s = setup();
    s.lost.push(EIO);
    expect(s.put(PGO_CLEANIT | PGO_SYNCIO)).toBe(EIO);
    expect([s.commits.length, s.kit.disk.writes]).toEqual([1, 1]);
    expect(s.put(PGO_CLEANIT | PGO_SYNCIO)).toBe(0);
    expect([s.commits.length, s.kit.disk.writes]).toEqual([2, 2]);
  });

  it('is committed before it is freed', () => {
    const s = setup();
    s.put(PGO_CLEANIT);
    s.put(PGO_CLEANIT | PGO_FREE);
    expect([s.commits, s.file.vnode.npages]).toEqual([[[0, 1]], 0]);
  });
});
