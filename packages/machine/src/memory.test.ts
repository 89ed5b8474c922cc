import { EAGAIN, EFAULT, EINVAL, ENOMEM } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import {
  MADV_FREE,
  MAP_ANON,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MCL_CURRENT,
  MCL_FUTURE,
  MS_ASYNC,
  MS_INVALIDATE,
  MS_SYNC,
  wirePolicy,
} from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { lockedPages } from '../test/wired.ts';
import { Machine, type MachineOptions } from './machine.ts';
import type { Process } from './process.ts';
import { ProcessSignal } from './signal.ts';

const PAGE = 4096;

function boot(options: Partial<MachineOptions> = {}): Machine {
  return new Machine({ port: i386(), memory: 8 << 20, ...options });
}

function anon(process: Process, pages: number, flags = MAP_PRIVATE): number {
  const { error, value } = process.sys.mmap(0, pages * PAGE, 3, MAP_ANON | flags);
  expect(error).toBe(0);
  return value;
}

/** A process with a file of numbered pages mapped. */
function withFile(flags: number, pages = 8, options: Partial<MachineOptions> = {}) {
  const machine = boot(options);
  const bytes = Uint8Array.from({ length: pages * PAGE }, (_, i) => Math.floor(i / PAGE) + 1);
  const file = machine.fs.create('f', bytes);
  const process = machine.spawn();
  const { value: fd } = process.sys.open('f', 2);
  const { value: va } = process.sys.mmap(0, pages * PAGE, 3, flags, fd, 0);
  return { machine, file, process, fd, va };
}

describe('a mapped file', () => {
  it('is seen by everyone who has it mapped shared, and by read and write, at once', () => {
    const { machine, process, fd, va } = withFile(MAP_SHARED);
    const other = machine.spawn();
    const { value: otherFd } = other.sys.open('f', 2);
    const { value: at } = other.sys.mmap(0, 8 * PAGE, 3, MAP_SHARED, otherFd, 0);
    const buffer = anon(other, 1);
    process.store8(va + PAGE, 99);
    expect(other.load8(at + PAGE)).toBe(99);
    expect(other.sys.pread(otherFd, buffer, 2, PAGE).value).toBe(2);
    expect([...other.readBytes(buffer, 2)]).toEqual([99, 2]);
    other.store16(buffer, 0x5544);
    expect(other.sys.pwrite(otherFd, buffer, 2, 2 * PAGE).value).toBe(2);
    expect(process.load16(va + 2 * PAGE)).toBe(0x5544);
    expect(fd).toBe(0);
  });

  it('is private to a process that maps it so, page by page as it writes', () => {
    const { machine, process, fd, va } = withFile(MAP_PRIVATE);
    const buffer = anon(process, 1);
    expect(process.load8(va)).toBe(1);
    process.store8(buffer, 77);
    // Not yet copied: the file still shows through.
    process.sys.pwrite(fd, buffer, 1, 0);
    expect(process.load8(va)).toBe(77);
    process.store8(va + 1, 5);
    process.store8(buffer, 88);
    process.sys.pwrite(fd, buffer, 1, 0);
    expect([...process.readBytes(va, 3)]).toEqual([77, 5, 1]);
    expect(machine.uvm.exp.flt_prcopy).toBe(1);
  });

  it('reaches the disk by msync, fsync or not at all', () => {
    const { file, process, fd, va } = withFile(MAP_SHARED);
    process.store8(va, 50);
    expect(file.onDisk(0, 1)[0]).toBe(1);
    expect(process.sys.msync(va, PAGE, MS_SYNC).error).toBe(0);
    expect(file.onDisk(0, 1)[0]).toBe(50);
    process.store8(va, 51);
    expect(process.sys.fsync(fd).error).toBe(0);
    expect(file.onDisk(0, 1)[0]).toBe(51);
    process.store8(va, 52);
    expect(process.sys.msync(va, PAGE, MS_ASYNC).error).toBe(0);
    expect(file.onDisk(0, 1)[0]).toBe(51);
    process.machine.run();
    expect(file.onDisk(0, 1)[0]).toBe(52);
    // What is stored after the page was cleaned is dirty again.
    process.store8(va, 53);
    process.sys.msync(va, 8 * PAGE, MS_SYNC);
    expect(file.onDisk(0, 1)[0]).toBe(53);
  });

  it('is read again after msync with MS_INVALIDATE', () => {
    const { machine, file, process, va } = withFile(MAP_SHARED);
    process.store8(va, 50);
    const pageins = machine.uvm.exp.pageins;
    expect(process.sys.msync(va, 8 * PAGE, MS_SYNC | MS_INVALIDATE).error).toBe(0);
    expect(file.vnode.npages).toBe(0);
    file.fill(PAGE, new Uint8Array([66]));
    expect(process.load8(va)).toBe(50);
    expect(process.load8(va + PAGE)).toBe(66);
    expect(machine.uvm.exp.pageins).toBeGreaterThan(pageins);
  });

  it('loses the pages behind its end by ftruncate, and shows zeroes when it grows again', () => {
    const { machine, file, process, fd, va } = withFile(MAP_SHARED, 8, { blockSize: 512 });
    expect(process.load8(va + 7 * PAGE)).toBe(8);
    expect(process.sys.ftruncate(fd, PAGE + 100).error).toBe(0);
    expect(() => process.load8(va + 2 * PAGE)).toThrow(ProcessSignal);
    expect(process.load8(va + PAGE + 99)).toBe(2);
    expect(process.load8(va + PAGE + 100)).toBe(0);
    expect(file.allocated).toBe(PAGE + 512);
    expect(process.sys.ftruncate(fd, 8 * PAGE).error).toBe(0);
    expect(process.load8(va + 2 * PAGE)).toBe(0);
    expect(process.load8(va + PAGE + 100)).toBe(0);
    process.store8(va + 7 * PAGE, 9);
    process.sys.fsync(fd);
    expect(file.onDisk(7 * PAGE, 1)[0]).toBe(9);
    expect(machine.panic).toBeNull();
  });

  it('gets blocks under a hole by a store, and none by a load', () => {
    const machine = boot();
    const file = machine.fs.create('holes', 8 * PAGE);
    const process = machine.spawn();
    const { value: fd } = process.sys.open('holes', 2);
    const { value: va } = process.sys.mmap(0, 8 * PAGE, 3, MAP_SHARED, fd, 0);
    for (let i = 0; i < 8; i++) expect(process.load8(va + i * PAGE)).toBe(0);
    expect(file.allocated).toBe(0);
    process.store8(va + 3 * PAGE, 1);
    expect(file.allocated).toBe(8192);
    process.sys.msync(va, 8 * PAGE, MS_SYNC);
    expect(file.onDisk(3 * PAGE, 1)[0]).toBe(1);
    expect(process.load8(va + 3 * PAGE)).toBe(1);
  });
});

describe('copy on write', () => {
  it('copies a page once for each writer, and not for the last', () => {
    const machine = boot();
    const parent = machine.spawn();
    const va = anon(parent, 4);
    for (let i = 0; i < 4; i++) parent.store8(va + i * PAGE, i);
    const child = machine.processes.get(parent.sys.fork().value)!;
    const { exp } = machine.uvm;
    const copies = exp.flt_acow;
    parent.store8(va, 10);
    expect(exp.flt_acow).toBe(copies + 1);
    child.store8(va, 20);
    expect(exp.flt_acow).toBe(copies + 1);
    child.store8(va, 21);
    child.load8(va + PAGE);
    expect(exp.flt_acow).toBe(copies + 1);
    expect([parent.load8(va), child.load8(va)]).toEqual([10, 21]);
  });
});

describe('locked memory', () => {
  it('never faults, whatever is forgotten', () => {
    const machine = boot();
    const process = machine.spawn();
    const va = anon(process, 8);
    expect(process.sys.mlock(va, 8 * PAGE).error).toBe(0);
    const { faults } = machine.uvm.exp;
    machine.md.pmap.collect(process.space.pmap);
    for (let i = 0; i < 8; i++) process.store8(va + i * PAGE, i);
    expect(machine.uvm.exp.faults).toBe(faults);
    expect(lockedPages(machine)).toBe(8);
    expect(process.sys.munlock(va + 2 * PAGE, 2 * PAGE).error).toBe(0);
    expect(lockedPages(machine)).toBe(6);
    expect(process.sys.munmap(va, 8 * PAGE).error).toBe(0);
    expect(lockedPages(machine)).toBe(0);
  });

  it('does not nest, and is limited', () => {
    const machine = boot();
    const process = machine.spawn({ limits: { memlock: 4 * PAGE } });
    const va = anon(process, 8);
    expect(process.sys.mlock(va, 2 * PAGE).error).toBe(0);
    expect(process.sys.mlock(va, 2 * PAGE).error).toBe(0);
    expect(process.sys.mlock(va + 2 * PAGE, 3 * PAGE).error).toBe(EAGAIN);
    expect(process.sys.munlock(va, 2 * PAGE).error).toBe(0);
    expect(lockedPages(machine)).toBe(0);
  });

  it('panics when its file is truncated under it and it is unlocked, as it did in 2001', () => {
    const { machine, process, fd, va } = withFile(MAP_SHARED);
    expect(process.sys.mlock(va, 8 * PAGE).error).toBe(0);
    expect(process.sys.ftruncate(fd, PAGE).error).toBe(0);
    expect(() => process.sys.munlock(va, 8 * PAGE)).toThrow(
      'uvm_fault_unwire_locked: unwiring non-wired memory',
    );
    expect(machine.panic?.state).toMatchObject({ va: va + PAGE });
  });

  it('of a private file mapping is the file’s own page under the policy before the commit', () => {
    const { machine, process, va } = withFile(MAP_PRIVATE, 8, { wiring: wirePolicy });
    process.sys.mprotect(va, PAGE, 1);
    const before = machine.uvm.exp.anonpages;
    expect(process.sys.mlock(va, PAGE).error).toBe(0);
    expect(machine.uvm.exp.anonpages).toBe(before);
    expect(process.sys.munlock(va, PAGE).error).toBe(0);
  });

  it('of a private file mapping is the process’ own page since the commit of December 2001', () => {
    const { machine, process, va } = withFile(MAP_PRIVATE);
    process.sys.mprotect(va, PAGE, 1);
    expect(process.sys.mlock(va, PAGE).error).toBe(0);
    expect(machine.uvm.exp.flt_prcopy).toBe(1);
    const child = machine.processes.get(process.sys.fork().value)!;
    child.sys.mprotect(va, PAGE, 3);
    child.store8(va, 9);
    const { faults } = machine.uvm.exp;
    expect(process.load8(va)).toBe(1);
    expect(machine.uvm.exp.faults).toBe(faults);
  });

  it('is all of it by mlockall, and what comes later by MCL_FUTURE', () => {
    const machine = boot();
    const process = machine.spawn({ stackSize: 4 * PAGE });
    const va = anon(process, 4);
    const vec = anon(process, 1);
    expect(process.sys.mincore(va, 4 * PAGE, vec).error).toBe(0);
    expect(process.load32(vec)).toBe(0);
    expect(process.sys.mlockall(MCL_CURRENT | MCL_FUTURE).error).toBe(0);
    process.sys.mincore(va, 4 * PAGE, vec);
    expect(process.load32(vec)).toBe(0x01010101);
    const later = anon(process, 4);
    process.sys.mincore(later, 4 * PAGE, vec);
    expect(process.load32(vec)).toBe(0x01010101);
    expect(process.sys.munlockall().error).toBe(0);
    expect(lockedPages(machine)).toBe(0);
    expect(process.sys.madvise(later, 4 * PAGE, MADV_FREE).error).toBe(0);
    process.sys.mincore(later, 4 * PAGE, vec);
    expect(process.load32(vec)).toBe(0);
  });
});

describe('mincore', () => {
  it('answers what is wrong with its arguments', () => {
    const process = boot().spawn();
    const va = anon(process, 4);
    const vec = anon(process, 1);
    expect(process.sys.mincore(va, 0, vec).error).toBe(EINVAL);
    expect(process.sys.mincore(va + 1, PAGE, vec).error).toBe(EINVAL);
    expect(process.sys.mincore(va, PAGE, 0xbfff0000).error).toBe(EFAULT);
    expect(process.sys.mincore(va, PAGE, 0).error).toBe(EFAULT);
    expect(process.sys.mincore(0, PAGE, vec).error).toBe(ENOMEM);
  });

  it('stores what it found before a hole, into a vector that may cross pages', () => {
    const machine = boot();
    const process = machine.spawn();
    const va = anon(process, 4);
    const vec = anon(process, 2) + PAGE - 1;
    process.store8(va, 1);
    process.store8(va + PAGE, 1);
    process.sys.munmap(va + 2 * PAGE, PAGE);
    process.writeBytes(vec, new Uint8Array(4).fill(0x55));
    expect(process.sys.mincore(va, 4 * PAGE, vec).error).toBe(ENOMEM);
    expect([...process.readBytes(vec, 4)]).toEqual([1, 1, 0x55, 0x55]);
    expect(lockedPages(machine)).toBe(0);
  });
});

describe('the address space', () => {
  it('grows and shrinks the heap by brk', () => {
    const process = boot().spawn({ dataStart: 0x100000 });
    expect(process.sys.brk(0x100000 + 3 * PAGE).error).toBe(0);
    process.store8(0x100000 + 3 * PAGE - 1, 1);
    expect(() => process.load8(0x100000 + 3 * PAGE)).toThrow(ProcessSignal);
    expect(process.sys.brk(0x100000 + PAGE).error).toBe(0);
    expect(() => process.load8(0x100000 + PAGE)).toThrow(ProcessSignal);
    expect(process.sys.brk(0x100000 + (200 << 20)).error).toBe(ENOMEM);
  });

  it('is replaced where MAP_FIXED says so', () => {
    const process = boot().spawn();
    const va = anon(process, 3);
    for (let i = 0; i < 3; i++) process.store8(va + i * PAGE, 7);
    const flags = MAP_ANON | MAP_PRIVATE | MAP_FIXED;
    expect(process.sys.mmap(va + PAGE, PAGE, 3, flags)).toEqual({ error: 0, value: va + PAGE });
    expect([0, 1, 2].map((i) => process.load8(va + i * PAGE))).toEqual([7, 0, 7]);
  });
});
