import { EIO, ENOSPC, FAULT, KernelPanic } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { describe, expect, it } from 'vitest';
import { fileByte, Kit, type KitOptions, PAGE, R, W } from '../test/kit.ts';
import type { FileOptions } from '../test/disk.ts';
import { kernelRead, kernelWrite } from './kernel-copy.ts';
import { loan, unloan } from './loan.ts';
import { MAP_SHARED } from './mmap.ts';
import { NO_PAGE } from './page.ts';
import { PGO_CLEANIT, PGO_FREE, PGO_SYNCIO } from './types.ts';
import { fileMove, vnodeRead, vnodeSetSize, vnodeWrite } from './vnode-io.ts';

const WINDOW = 8192;

function setup(options: KitOptions & { file?: FileOptions | number } = {}) {
  const kit = new Kit(options);
  const { uvm } = kit;
  const file = kit.file(options.file ?? 8);
  const { vnode } = file;
  const proc = kit.proc();
  const va = proc.map({ length: 8 * PAGE, fd: proc.fd(file), flags: MAP_SHARED });
  const read = (offset: number, length: number) => {
    const bytes = kit.run(vnodeRead(uvm, vnode, offset, length));
    return typeof bytes === 'number' ? bytes : [...bytes];
  };
  const write = (offset: number, ...bytes: number[]) =>
    kit.run(vnodeWrite(uvm, vnode, offset, Uint8Array.from(bytes)));
  const window = (offset: number, length: number, eof: number | null = null) =>
    kit.run(uvm.ubc.alloc(vnode, offset, length, eof));
  return { kit, uvm, file, vnode, proc, va, read, write, window };
}

describe('windows on files', () => {
  it.each([
    ['the ideal pmap', {}],
    ['the i386', { port: i386() }],
  ])('show the pages that mappings see: %s', (_name, options: KitOptions) => {
    const s = setup(options);
    expect(s.read(PAGE - 1, 2)).toEqual([fileByte(PAGE - 1), fileByte(PAGE)]);
    s.proc.store(s.va + 5, 77);
    expect(s.read(5, 1)).toEqual([77]);
    s.write(6, 78, 79);
    expect([s.proc.load(s.va + 6), s.proc.load(s.va + 7)]).toEqual([78, 79]);
    s.kit.check();
    expect(s.kit.run(s.vnode.pgops.put(s.uvm, s.vnode, 0, 0, PGO_CLEANIT | PGO_SYNCIO))).toBe(0);
    expect([s.file.byte(5), s.file.byte(6), s.file.byte(7)]).toEqual([77, 78, 79]);
    s.kit.check();
  });

  it('end with the stretch that they show, and keep their mappings for the next use', () => {
    const s = setup();
    const first = s.window(PAGE, 3 * WINDOW);
    expect(first.length).toBe(WINDOW - PAGE);
    expect(s.kit.run(kernelRead(s.uvm, first.va, new Uint8Array(10)))).toBe(0);
    s.uvm.ubc.release(first.va, false);
    const { faults } = s.kit.exp;
    expect(s.window(PAGE, 1).va).toBe(first.va);
    expect(s.kit.run(kernelRead(s.uvm, first.va, new Uint8Array(10)))).toBe(0);
    expect(s.kit.exp.faults).toBe(faults);
  });

  it('are taken from what was used longest ago, and waited for if all are in use', () => {
    const s = setup({ memory: 4 << 20, file: 2 });
    const first = s.window(0, 1);
    s.kit.run(kernelRead(s.uvm, first.va, new Uint8Array(1)));
    for (let i = 1; i < 1024; i++) s.window(i * WINDOW, 1);
    const waiting = s.kit.start(s.uvm.ubc.alloc(s.vnode, 1024 * WINDOW, 1, null));
    s.kit.resume();
    expect(waiting.done).toBe(false);
    s.uvm.ubc.release(first.va, false);
    s.kit.resume();
    expect(waiting.value).toEqual({ va: first.va, length: 1 });
    // What the window showed before is not mapped there any more.
    expect(s.uvm.pmap.extract(s.uvm.kernelMap.pmap, first.va)).toBeLessThan(0);
    s.kit.check();
  });

  it('of a file that shows up while one waits are shared', () => {
    const s = setup({ memory: 4 << 20, file: 2 });
    const taken = Array.from({ length: 1024 }, (_, i) => s.window(i * WINDOW, 1));
    const waiting = [0, 1].map(() => s.kit.start(s.uvm.ubc.alloc(s.vnode, 2000 * WINDOW, 1, null)));
    s.uvm.ubc.release(taken[7]!.va, false);
    s.kit.resume();
    expect(waiting.map(({ value }) => value?.va)).toEqual([taken[7]!.va, taken[7]!.va]);
  });

  it('keep to the cache colour of their stretch', () => {
    const s = setup({ alias: 4 * WINDOW });
    for (const at of [0, 1, 3, 6, 9])
      expect(s.window(at * WINDOW, 1).va % (4 * WINDOW)).toBe((at % 4) * WINDOW);
  });

  it('are for one writer at a time', () => {
    const s = setup();
    s.window(0, 10, 8 * PAGE);
    expect(() => s.window(20, 10, 8 * PAGE)).toThrow(KernelPanic);
  });

  it('that nobody uses are no memory: a stray access faults for good', () => {
    const s = setup();
    const { va } = s.window(0, 1);
    s.uvm.ubc.release(va, false);
    expect(s.kit.run(kernelRead(s.uvm, va, new Uint8Array(1)))).toBe(EIO);
    expect(s.kit.run(kernelWrite(s.uvm, va, new Uint8Array(1)))).toBe(EIO);
  });

  it('are flushed when the file is cut short or recycled', () => {
    const s = setup();
    s.read(0, 8 * PAGE);
    const { kernelMap, pmap } = s.uvm;
    const mapped = () => pmap.residentCount(kernelMap.pmap);
    expect(mapped()).toBe(8);
    expect(s.kit.run(vnodeSetSize(s.uvm, s.vnode, 3 * PAGE))).toBe(0);
    expect(mapped()).toBe(3);
    s.uvm.ubc.flush(s.vnode, 0, Number.POSITIVE_INFINITY);
    expect(mapped()).toBe(0);
    s.kit.check();
  });
});

describe('a write through a window', () => {
  it('that covers a page does not read it, and one that does not reads it', () => {
    const s = setup();
    s.write(0, ...new Uint8Array(PAGE).fill(1));
    expect(s.kit.disk.reads).toBe(0);
    s.write(PAGE, 1);
    expect(s.kit.disk.reads).toBe(1);
    expect(s.read(PAGE, 2)).toEqual([1, fileByte(PAGE + 1)]);
    s.kit.check();
  });

  it('to a hole allocates, to a page that a reader saw as a hole, too', () => {
    const s = setup({ file: { size: 4 * PAGE, holes: [0, PAGE] } });
    expect(s.read(0, 1)).toEqual([0]);
    expect(s.write(0, 5)).toEqual({ written: 1, error: 0 });
    expect(s.file.isAllocated(0)).toBe(true);
    s.file.space = 0;
    expect(s.write(PAGE, 5)).toEqual({ written: 0, error: ENOSPC });
    expect([s.proc.load(s.va), s.proc.load(s.va + PAGE)]).toEqual([5, 0]);
    s.kit.check();
  });

  it('does not touch what is on loan: the borrower keeps the old bytes', () => {
    const s = setup();
    const lent = s.kit.run(loan(s.uvm, s.proc.space.map, s.va, PAGE, 'page'));
    if (typeof lent === 'number') throw new Error(`loan: ${lent}`);
    s.kit.check();
    s.write(0, 99);
    expect(s.proc.load(s.va)).toBe(99);
    expect(s.kit.memory.read8(s.uvm.pages.pageAddress(lent[0]!))).toBe(fileByte(0));
    s.kit.check();
    unloan(s.uvm, lent, 'page');
    s.kit.check();
  });

  it('that was interrupted by the page daemon finds what it wrote', () => {
    const s = setup();
    let steps = 0;
    const fill = new Uint8Array(100).fill(9);
    // The copy sleeps half way, and the page that it had blank goes to the disk meanwhile.
    const move = function* (va: number) {
      yield* kernelWrite(s.uvm, va, fill);
      yield* s.vnode.pgops.put(s.uvm, s.vnode, 0, PAGE, PGO_CLEANIT | PGO_FREE | PGO_SYNCIO);
      expect(s.uvm.pages.lookup(s.vnode, 0)).toBe(NO_PAGE);
      steps++;
      return yield* kernelWrite(s.uvm, va + 100, new Uint8Array(PAGE - 100).fill(8));
    };
    expect(s.kit.run(fileMove(s.uvm, s.vnode, 0, PAGE, true, move))).toEqual({
      done: PAGE,
      error: 0,
    });
    expect(steps).toBe(1);
    expect(s.read(99, 2)).toEqual([9, 8]);
    s.kit.check();
  });

  it('that fails leaves the file as long as it was', () => {
    const s = setup({ file: { size: PAGE + 5 } });
    const move = function* () {
      return yield* kernelRead(s.uvm, s.uvm.kernelMap.max - PAGE, new Uint8Array(1));
    };
    expect(s.kit.run(fileMove(s.uvm, s.vnode, PAGE + 5, 50, true, move))).toMatchObject({
      done: 0,
    });
    expect(s.vnode.size).toBe(PAGE + 5);
    s.kit.check();
  });

  it('waits for memory, for the pmap and for the disk', () => {
    let fail = 0;
    const s = setup({ failEnter: () => fail-- > 0 });
    s.uvm.daemon = { wake: () => s.kit.uvm.wakeup(-2), signalled: true };
    s.kit.onStuck = (channel) => {
      s.uvm.wakeup(channel);
      return true;
    };
    fail = 2;
    expect(s.write(3, 1)).toEqual({ written: 1, error: 0 });
    expect(s.read(3, 1)).toEqual([1]);
    s.kit.check();
  });
});

describe('the kernel’s own accesses', () => {
  it('fault in the kernel’s map and end in its errno', () => {
    const { kit, uvm } = setup();
    const va = kit.run(uvm.km.valloc(uvm.kernelMap, 2 * PAGE))!;
    expect(uvm.md.mmus[0]!.translate(va, R)).toBe(FAULT);
    expect(kit.run(kernelWrite(uvm, va + PAGE - 2, Uint8Array.of(1, 2, 3, 4)))).toBe(0);
    const into = new Uint8Array(4);
    expect(kit.run(kernelRead(uvm, va + PAGE - 2, into))).toBe(0);
    expect([...into]).toEqual([1, 2, 3, 4]);
    expect(uvm.md.mmus[0]!.translate(va, W)).not.toBe(FAULT);
    expect(kit.run(kernelRead(uvm, uvm.kernelMap.max - PAGE, into))).not.toBe(0);
    kit.check();
  });
});
