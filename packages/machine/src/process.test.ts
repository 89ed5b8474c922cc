import { ECHILD, EBADF, ENOMEM } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import {
  MAP_ANON,
  MAP_INHERIT_COPY,
  MAP_INHERIT_NONE,
  MAP_INHERIT_SHARE,
  MAP_PRIVATE,
  MAP_SHARED,
  MCL_FUTURE,
} from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { lockedPages } from '../test/wired.ts';
import { Machine, type MachineOptions } from './machine.ts';
import type { Process } from './process.ts';
import { exitCode, exitStatus, terminationSignal } from './process-calls.ts';
import { ProcessSignal, SIGKILL } from './signal.ts';

const PAGE = 4096;

function boot(options: Partial<MachineOptions> = {}): Machine {
  return new Machine({ port: i386(), memory: 8 << 20, ...options });
}

function forkOf(parent: Process): Process {
  const { error, value } = parent.sys.fork();
  expect(error).toBe(0);
  return parent.machine.processes.get(value)!;
}

describe('fork', () => {
  const KINDS = [
    ['private anonymous', MAP_ANON | MAP_PRIVATE],
    ['shared anonymous', MAP_ANON | MAP_SHARED],
    ['private file', MAP_PRIVATE],
    ['shared file', MAP_SHARED],
  ] as const;
  const INHERITANCES = [
    ['share', MAP_INHERIT_SHARE],
    ['copy', MAP_INHERIT_COPY],
    ['none', MAP_INHERIT_NONE],
  ] as const;

  for (const [kind, flags] of KINDS)
    for (const [name, inheritance] of INHERITANCES)
      for (const touched of [true, false])
        it(`passes ${touched ? 'touched' : 'untouched'} ${kind} memory on as its inheritance, ${name}, says`, () => {
          const machine = boot();
          machine.fs.create('f', new Uint8Array(PAGE).fill(1));
          const parent = machine.spawn();
          const fd = (flags & MAP_ANON) !== 0 ? -1 : parent.sys.open('f', 2).value;
          const before = fd === -1 ? 0 : 1;
          const { value: va } = parent.sys.mmap(0, PAGE, 3, flags, fd, 0);
          if (touched) parent.store8(va + 1, 42);
          expect(parent.sys.minherit(va, PAGE, inheritance).error).toBe(0);
          const child = forkOf(parent);
          if (inheritance === MAP_INHERIT_NONE) {
            expect(() => child.load8(va)).toThrow(ProcessSignal);
            return;
          }
          expect(child.load8(va + 1)).toBe(touched ? 42 : before);
          child.store8(va, 2);
          expect(parent.load8(va)).toBe(inheritance === MAP_INHERIT_SHARE ? 2 : before);
          // What the parent writes where the child has written is the child's only if they share.
          parent.store8(va, 3);
          expect(child.load8(va)).toBe(inheritance === MAP_INHERIT_SHARE ? 3 : 2);
          expect(child.load8(va + 1)).toBe(touched ? 42 : before);
        });

  it('keeps three generations apart', () => {
    const machine = boot();
    const parent = machine.spawn();
    const { value: va } = parent.sys.mmap(0, 2 * PAGE, 3, MAP_ANON | MAP_PRIVATE);
    parent.store32(va, 1);
    const child = forkOf(parent);
    const grandchild = forkOf(child);
    child.store32(va, 2);
    grandchild.store32(va + PAGE, 3);
    expect([parent, child, grandchild].map((p) => [p.load32(va), p.load32(va + PAGE)])).toEqual([
      [1, 0],
      [2, 0],
      [1, 3],
    ]);
  });

  it('gives the child of a locked parent copies at once, and no locks', () => {
    const machine = boot();
    const parent = machine.spawn();
    const { value: va } = parent.sys.mmap(0, 2 * PAGE, 3, MAP_ANON | MAP_PRIVATE);
    parent.store32(va, 1);
    expect(parent.sys.mlock(va, 2 * PAGE).error).toBe(0);
    const child = forkOf(parent);
    const { faults } = machine.uvm.exp;
    parent.store32(va, 2);
    parent.store32(va + PAGE, 2);
    expect(machine.uvm.exp.faults).toBe(faults);
    expect(child.load32(va)).toBe(1);
    expect(machine.md.pmap.wiredCount(child.space.pmap)).toBe(0);
    expect(lockedPages(machine)).toBe(2);
  });

  it('shares descriptors, and the offset of each, with the child', () => {
    const machine = boot();
    machine.fs.create('f', Uint8Array.from([10, 11, 12, 13]));
    const parent = machine.spawn();
    const { value: va } = parent.sys.mmap(0, PAGE, 3, MAP_ANON | MAP_PRIVATE);
    const { value: fd } = parent.sys.open('f', 0);
    const child = forkOf(parent);
    parent.sys.read(fd, va, 1);
    child.sys.read(fd, va, 1);
    expect([parent.load8(va), child.load8(va)]).toEqual([10, 11]);
    parent.sys.close(fd);
    expect(child.sys.read(fd, va, 1).value).toBe(1);
    expect(child.load8(va)).toBe(12);
    expect(parent.sys.read(fd, va, 1)).toEqual({ error: EBADF, value: -1 });
  });

  it('can let both use one space, until one of them execs or ends', () => {
    const machine = boot();
    const parent = machine.spawn();
    const { value: va } = parent.sys.mmap(0, PAGE, 3, MAP_ANON | MAP_PRIVATE);
    const first = machine.processes.get(parent.sys.fork(null, true).value)!;
    const second = machine.processes.get(parent.sys.fork(null, true).value)!;
    expect(first.space).toBe(parent.space);
    first.store32(va, 5);
    expect(parent.load32(va)).toBe(5);
    first.sys.exec();
    expect(() => first.load32(va)).toThrow(ProcessSignal);
    second.sys.exit();
    expect(parent.load32(va)).toBe(5);
    expect(parent.space.refs).toBe(1);
  });

  it('panics without a page daemon when the copies of locked pages do not fit', () => {
    const machine = boot({ memory: 1 << 20, pageDaemon: false });
    const parent = machine.spawn({ limits: { memlock: 1 << 20 } });
    const length = Math.floor(machine.uvm.exp.wiredmax * 0.9) * PAGE;
    const { value: va } = parent.sys.mmap(0, length, 3, MAP_ANON | MAP_PRIVATE);
    expect(parent.sys.mlock(va, length).error).toBe(0);
    forkOf(parent);
    forkOf(parent);
    expect(() => parent.sys.fork()).toThrow(/out of memory|no page daemon/);
    expect(machine.panic).not.toBeNull();
  });
});

describe('exec', () => {
  it('replaces everything but descriptors, and forgets MCL_FUTURE', () => {
    const machine = boot();
    machine.fs.create('f', new Uint8Array(PAGE).fill(7));
    const process = machine.spawn();
    const { value: va } = process.sys.mmap(0, 4 * PAGE, 3, MAP_ANON | MAP_PRIVATE);
    process.sys.mlock(va, PAGE);
    process.sys.mlockall(MCL_FUTURE);
    const { value: fd } = process.sys.open('f', 0);
    expect(process.sys.exec({ stackSize: 4 * PAGE }).error).toBe(0);
    expect(() => process.load8(va)).toThrow(ProcessSignal);
    expect(lockedPages(machine)).toBe(0);
    const { value: next } = process.sys.mmap(0, PAGE, 3, MAP_ANON | MAP_PRIVATE);
    expect(lockedPages(machine)).toBe(0);
    expect(process.sys.read(fd, next, 4).value).toBe(4);
    expect(process.load32(next)).toBe(0x07070707);
  });

  it('lays out text, data and bss, all private and changeable', () => {
    const machine = boot();
    const file = machine.fs.create('prog', new Uint8Array(3 * PAGE).fill(0xcc));
    const process = machine.spawn();
    const text = 0x8048000;
    const { error } = process.sys.exec({
      dataStart: text + 4 * PAGE,
      segments: [
        { va: text, length: 2 * PAGE, prot: 5, file },
        { va: text + 2 * PAGE, length: PAGE, prot: 3, file, offset: 2 * PAGE },
        { va: text + 3 * PAGE, length: 10, prot: 3 },
      ],
    });
    expect(error).toBe(0);
    expect(process.fetch8(text + PAGE)).toBe(0xcc);
    expect(() => process.store8(text, 0)).toThrow(ProcessSignal);
    process.store8(text + 2 * PAGE, 1);
    process.store8(text + 3 * PAGE, 2);
    expect(process.load8(text + 2 * PAGE + 1)).toBe(0xcc);
    expect(process.load8(text + 3 * PAGE + 1)).toBe(0);
    expect(process.sys.mprotect(text, PAGE, 7).error).toBe(0);
    process.store8(text, 0x90);
    expect(process.fetch8(text)).toBe(0x90);
    expect([...file.onDisk(0, 1)]).toEqual([0xcc]);
    expect(process.space.textAddress).toBe(text);
    expect(machine.uvm.exp.execpages).toBeGreaterThan(0);
    expect(process.sys.brk(text + 6 * PAGE).error).toBe(0);
    process.store8(text + 6 * PAGE - 1, 1);
  });

  it('kills a process whose image cannot be laid out', () => {
    const machine = boot();
    const { free } = machine.uvm.exp;
    const process = machine.spawn();
    const segment = { va: 0x10000, length: PAGE, prot: 3 };
    expect(process.sys.exec({ segments: [segment, segment] }).error).toBe(ENOMEM);
    expect(process.state).toBe('dead');
    expect(terminationSignal(process.status)).toBe(SIGKILL);
    expect(machine.uvm.exp.free).toBe(free);
  });
});

describe('the end of a process', () => {
  it('makes a zombie that its parent buries', () => {
    const machine = boot();
    const parent = machine.spawn();
    const child = forkOf(parent);
    child.sys.exit(300);
    expect(child.state).toBe('zombie');
    expect(machine.processes.has(child.pid)).toBe(true);
    const { error, value, status } = parent.sys.wait4(child.pid);
    expect([error, value, exitCode(status), terminationSignal(status)]).toEqual([
      0,
      child.pid,
      44,
      0,
    ]);
    expect(child.state).toBe('dead');
    expect(machine.processes.has(child.pid)).toBe(false);
    expect(parent.sys.wait4().error).toBe(ECHILD);
    expect(exitStatus(300)).toBe(44 << 8);
  });

  it('buries the zombies of a parent that did not wait, and orphans its other children', () => {
    const machine = boot();
    const parent = machine.spawn();
    const zombie = forkOf(parent);
    const orphan = forkOf(parent);
    zombie.sys.exit();
    parent.sys.exit();
    expect(zombie.state).toBe('dead');
    expect(orphan.parent).toBeNull();
    expect(orphan.state).toBe('running');
    orphan.sys.exit();
    expect(machine.processes.size).toBe(0);
  });

  it('is final', () => {
    const machine = boot();
    const process = machine.spawn();
    const va = machine.md.port.layout.userStack - 4;
    process.store32(va, 1);
    process.sys.exit();
    for (const call of [
      () => process.load32(va),
      () => process.store8(va, 1),
      () => process.touch(va, 1),
      () => process.fetch8(va),
      () => process.copyin(va, 4),
      () => process.sys.mmap(0, PAGE, 3, MAP_ANON),
      () => process.sys.exit(),
      () => machine.start(process, function* () {}),
    ])
      expect(call).toThrow(/process 1 has ended/);
    expect(machine.panic).toBeNull();
  });

  it('gives back everything: pages, anons, amaps, maps, table pages', () => {
    const machine = boot();
    machine.fs.create('f', new Uint8Array(8 * PAGE).fill(1));
    const { free, nfreeanon } = machine.uvm.exp;
    const maps = machine.uvm.maps.size;
    for (let round = 0; round < 3; round++) {
      const parent = machine.spawn();
      const { value: anon } = parent.sys.mmap(0, 32 * PAGE, 3, MAP_ANON | MAP_PRIVATE);
      const { value: shared } = parent.sys.mmap(0, 32 * PAGE, 3, MAP_ANON | MAP_SHARED);
      const { value: fd } = parent.sys.open('f', 2);
      const { value: file } = parent.sys.mmap(0, 8 * PAGE, 3, MAP_PRIVATE, fd, 0);
      parent.sys.brk(parent.space.dataAddress + 10 * PAGE);
      for (let i = 0; i < 8; i++)
        for (const va of [anon, shared, file, parent.space.dataAddress])
          parent.store8(va + i * PAGE, i);
      parent.sys.mlock(anon, 16 * PAGE);
      parent.sys.mprotect(anon + 3 * PAGE, PAGE, 1);
      parent.sys.munmap(shared + 2 * PAGE, 4 * PAGE);
      const child = forkOf(parent);
      for (let i = 0; i < 8; i++) child.store8(file + i * PAGE, i);
      forkOf(child).sys.exit();
      parent.sys.exit();
      child.sys.exit();
      const cached = machine.fs.lookup('f')!.vnode.npages;
      expect(machine.uvm.exp.free + cached).toBe(free);
    }
    expect(machine.uvm.exp.nfreeanon).toBe(nfreeanon);
    expect(lockedPages(machine)).toBe(0);
    expect(machine.uvm.amaps.size).toBe(0);
    expect(machine.uvm.maps.size).toBe(maps);
    expect(machine.fs.lookup('f')!.vnode.refs).toBe(0);
  });
});
