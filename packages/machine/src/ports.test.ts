import { KernelPanic } from '@uvmkit/pmap';
import { MAP_ANON, MAP_PRIVATE, MAP_SHARED, MS_SYNC } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { PORTS } from '../test/ports.ts';
import { lockedPages } from '../test/wired.ts';
import { checkMachine } from './check.ts';
import { Machine } from './machine.ts';
import type { Process } from './process.ts';
import { ProcessSignal } from './signal.ts';

describe.each(PORTS)('a machine of %s', (_, port) => {
  const boot = (): Machine => new Machine({ port: port(), memory: 16 << 20 });
  const anon = (process: Process, length: number): number => {
    const { error, value } = process.sys.mmap(0, length, 3, MAP_ANON | MAP_PRIVATE);
    expect(error).toBe(0);
    return value;
  };

  it('keeps words of every size, aligned or not, in one page or two', () => {
    const machine = boot();
    const process = machine.spawn();
    const { pageSize, littleEndian } = machine.md.port.layout;
    const va = anon(process, 4 * pageSize);
    const pair = new Uint32Array(2);
    for (const at of [va, va + 1, va + 2, va + 3, va + pageSize - 1, va + 2 * pageSize - 5]) {
      process.store64(at, 0x01020304, 0xa5a6a7a8);
      process.load64(at, pair);
      expect([...pair]).toEqual([0x01020304, 0xa5a6a7a8]);
      const low = littleEndian ? at : at + 4;
      expect(process.load32(low)).toBe(0x01020304);
      expect(process.load16(low)).toBe(littleEndian ? 0x0304 : 0x0102);
      expect(process.load8(low)).toBe(littleEndian ? 4 : 1);
      process.store32(at, 0xfffefdfc);
      expect(process.load32(at)).toBe(0xfffefdfc);
      process.store16(at, 0x1234);
      expect(process.load16(at)).toBe(0x1234);
      process.store8(at, 0x99);
      expect(process.load8(at)).toBe(0x99);
    }
    expect(process.load8(va + 4 * pageSize - 1)).toBe(0);
  });

  it('takes words over a page boundary apart into the bytes of both pages, wherever those lie', () => {
    const machine = boot();
    const process = machine.spawn();
    const { pageSize, littleEndian } = machine.md.port.layout;
    const va = anon(process, 2 * pageSize);
    // The upper page is touched first, so that the two are not neighbours in memory.
    process.store8(va + pageSize, 0);
    anon(process, pageSize);
    process.store8(va, 0);
    const word = (bytes: Uint8Array): number =>
      (littleEndian ? bytes.toReversed() : bytes).reduce((sum, byte) => sum * 256 + byte, 0);
    for (let at = va + pageSize - 9; at <= va + pageSize + 1; at++) {
      for (let i = -1; i < 9; i++) process.store8(at + i, 0x31 + i);
      const bytes = Uint8Array.from({ length: 8 }, (_, i) => 0x31 + i);
      expect(process.load16(at)).toBe(word(bytes.subarray(0, 2)));
      expect(process.load32(at)).toBe(word(bytes.subarray(0, 4)));
      process.store32(at, word(Uint8Array.of(0xc1, 0xc2, 0xc3, 0xc4)));
      process.store16(at + 4, word(Uint8Array.of(0xd1, 0xd2)));
      const stored = Array.from({ length: 8 }, (_, i) => process.load8(at - 1 + i));
      expect(stored).toEqual([0x30, 0xc1, 0xc2, 0xc3, 0xc4, 0xd1, 0xd2, 0x37]);
    }
  });

  it('keeps parent and child apart after fork, and shares what is shared', () => {
    const machine = boot();
    const parent = machine.spawn();
    const { pageSize } = machine.md.port.layout;
    const va = anon(parent, 8 * pageSize);
    const shared = parent.sys.mmap(0, pageSize, 3, MAP_ANON | MAP_SHARED).value;
    for (let i = 0; i < 8; i++) parent.store32(va + i * pageSize, 100 + i);
    const child = machine.processes.get(parent.sys.fork().value)!;
    for (let i = 0; i < 8; i += 2) child.store32(va + i * pageSize, 200 + i);
    for (let i = 1; i < 8; i += 2) parent.store32(va + i * pageSize, 300 + i);
    child.store32(shared, 7);
    expect(parent.load32(shared)).toBe(7);
    for (let i = 0; i < 8; i++) {
      expect(parent.load32(va + i * pageSize)).toBe(i % 2 === 0 ? 100 + i : 300 + i);
      expect(child.load32(va + i * pageSize)).toBe(i % 2 === 0 ? 200 + i : 100 + i);
    }
  });

  it('takes what is stored into a shared file to the disk', () => {
    const machine = boot();
    const process = machine.spawn();
    const { pageSize } = machine.md.port.layout;
    const file = machine.fs.create('f', new Uint8Array(4 * pageSize).fill(0x11));
    const { value: fd } = process.sys.open('f', 2);
    const { value: va } = process.sys.mmap(0, 4 * pageSize, 3, MAP_SHARED, fd, 0);
    process.store32(va + pageSize, 0x22222222);
    expect(process.load32(va + 2 * pageSize)).toBe(0x11111111);
    expect(process.sys.pread(fd, va + 3 * pageSize, 8, pageSize - 4).value).toBe(8);
    expect([...process.readBytes(va + 3 * pageSize, 8)]).toEqual([
      0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x22, 0x22,
    ]);
    expect(process.sys.msync(va, 4 * pageSize, MS_SYNC).error).toBe(0);
    expect([...file.onDisk(pageSize - 1, 3)]).toEqual([0x11, 0x22, 0x22]);
    expect([...file.onDisk(3 * pageSize + 3, 2)]).toEqual([0x11, 0x22]);
  });

  it('refuses what mprotect has taken away', () => {
    const machine = boot();
    const process = machine.spawn();
    const { pageSize } = machine.md.port.layout;
    const va = anon(process, pageSize);
    process.store32(va, 1);
    process.sys.mprotect(va, pageSize, 1);
    expect(process.load32(va)).toBe(1);
    expect(() => process.store32(va, 2)).toThrow(ProcessSignal);
    process.sys.mprotect(va, pageSize, 0);
    expect(() => process.load32(va)).toThrow(ProcessSignal);
    process.sys.mprotect(va, pageSize, 3);
    process.store32(va, 3);
    expect(process.load32(va)).toBe(3);
  });

  it('has every page back once its processes have ended', () => {
    const machine = boot();
    const first = machine.spawn();
    first.sys.exit();
    const { free } = machine.uvm.exp;
    const process = machine.spawn();
    const { pageSize } = machine.md.port.layout;
    const va = anon(process, 64 * pageSize);
    for (let i = 0; i < 64; i++) process.store8(va + i * pageSize, i);
    process.sys.mlock(va, 8 * pageSize);
    const child = machine.processes.get(process.sys.fork().value)!;
    for (let i = 0; i < 64; i++) child.store8(va + i * pageSize, i);
    process.sys.exit();
    child.sys.exit();
    expect(machine.uvm.exp.free).toBe(free);
    expect(lockedPages(machine)).toBe(0);
    expect(machine.uvm.amaps.size).toBe(0);
    expect(machine.uvm.exp.nfreeanon).toBe(machine.uvm.exp.nanon);
  });

  it('runs threads on several CPUs over one space', () => {
    let machine: Machine;
    try {
      machine = new Machine({ port: port(), memory: 16 << 20, cpus: 2 });
    } catch (error) {
      // A port for one CPU says so.
      expect(error).toBeInstanceOf(RangeError);
      expect(error).not.toBeInstanceOf(KernelPanic);
      return;
    }
    const process = machine.spawn();
    const { pageSize } = machine.md.port.layout;
    const va = anon(process, 16 * pageSize);
    for (let thread = 0; thread < 4; thread++)
      machine.start(process, function* (t) {
        for (let round = 0; round < 8; round++)
          for (let i = 0; i < 16; i++) {
            const at = va + i * pageSize + 4 * thread;
            yield* t.store32(at, (yield* t.load32(at)) + 1);
          }
      });
    machine.run();
    for (let i = 0; i < 16; i++)
      for (let thread = 0; thread < 4; thread++)
        expect(process.load32(va + i * pageSize + 4 * thread)).toBe(8);
  });

  it('lends the pages of a write to a socket: the reader finds what they held then', () => {
    const machine = boot();
    const process = machine.spawn();
    const { pageSize } = machine.md.port.layout;
    const va = anon(process, 4 * pageSize);
    const { value: left, second: right } = process.sys.socketpair();
    process.writeBytes(va, new Uint8Array(pageSize).fill(1));
    expect(process.sys.write(left, va, pageSize).value).toBe(pageSize);
    expect(machine.uvm.lentPages.size).toBe(1);
    process.writeBytes(va, new Uint8Array(pageSize).fill(2));
    expect(process.sys.read(right, va + 2 * pageSize, 2 * pageSize).value).toBe(pageSize);
    expect(process.readBytes(va + 2 * pageSize, pageSize)).toEqual(
      new Uint8Array(pageSize).fill(1),
    );
    expect(process.load8(va)).toBe(2);
    expect(process.sys.write(left, va, pageSize).value).toBe(pageSize);
    process.sys.close(right);
    expect(machine.uvm.lentPages.size).toBe(0);
    expect(lockedPages(machine)).toBe(0);
    expect(checkMachine(machine)).toEqual([]);
  });
});
