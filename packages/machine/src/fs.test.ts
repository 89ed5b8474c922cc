import { EIO, ENOSPC } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { describe, expect, it } from 'vitest';
import { BlockMap } from './blocks.ts';
import { checkMachine } from './check.ts';
import { Machine, type MachineOptions } from './machine.ts';
import { O_CREAT, O_RDONLY, O_RDWR } from './open-file.ts';

function boot(options: Partial<MachineOptions> = {}): Machine {
  return new Machine({ port: i386(), memory: 8 << 20, ...options });
}

/** One page of the file through its pager's read, as the disk has it. */
function readPage(machine: Machine, name: string, offset: number): Uint8Array {
  const { memory, clock, fs } = machine;
  const pa = memory.size - 4096;
  memory.bytes.fill(0xee, pa);
  let error = -1;
  fs.lookup(name)!.read(offset, [pa], (e) => (error = e));
  while (clock.skip());
  expect(error).toBe(0);
  return memory.bytes.slice(pa, pa + 4096);
}

const numbered = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff);

describe('files that have gone', () => {
  it('leave nothing behind, though ten thousand of them were read and written', () => {
    const machine = boot({ disk: { seek: 1000, rotation: 1000, transfer: 10 } });
    const process = machine.spawn();
    const { userStack } = machine.md.port.layout;
    process.store8(userStack - 1, 1);
    const { objects } = machine.uvm;
    for (let i = 0; i < 10_000; i++) {
      const { value: fd } = process.sys.open(`f${i}`, O_RDWR | O_CREAT);
      if (i % 10 === 0) process.sys.write(fd, userStack - 1, 1);
      process.sys.unlink(`f${i}`);
      process.sys.close(fd);
    }
    // The windows of read(2) and write(2) stay.
    expect(machine.uvm.objects.length).toBe(objects.length + 1);
    expect(checkMachine(machine)).toEqual([]);
  });
});

describe('FileSystem', () => {
  for (const blockSize of [512, 1024, 4096, 8192, 65_536])
    it(`gives back the bytes of a file in blocks of ${blockSize}`, () => {
      const machine = boot({ blockSize });
      const bytes = numbered(20_000);
      machine.fs.create('f', bytes);
      for (let offset = 0; offset < bytes.length; offset += 4096) {
        const page = new Uint8Array(4096);
        page.set(bytes.subarray(offset, offset + 4096));
        expect(readPage(machine, 'f', offset)).toEqual(page);
      }
    });

  it('reads zeroes from holes and behind the end, and allocates nothing for them', () => {
    const machine = boot();
    const file = machine.fs.create('f', 100_000);
    expect(file.allocated).toBe(0);
    expect(readPage(machine, 'f', 8192)).toEqual(new Uint8Array(4096));
    file.fill(50_000, new Uint8Array(1).fill(1));
    expect(file.allocated).toBe(8192);
    expect(file.isAllocated(49_152)).toBe(true);
    expect(file.isAllocated(49_151)).toBe(false);
    expect(file.size).toBe(100_000);
    expect(readPage(machine, 'f', 49_152)[848]).toBe(1);
  });

  it('drops what a write has behind the end of the file and over holes', () => {
    const machine = boot({ blockSize: 512 });
    const { memory, clock } = machine;
    const file = machine.fs.create('f', numbered(1000));
    file.vnode.size = 5000;
    const pa = memory.size - 4096;
    memory.bytes.fill(7, pa);
    file.write(0, [pa], () => {});
    while (clock.skip());
    expect(file.allocated).toBe(1024);
    expect(file.onDisk(1000, 26)).toEqual(
      Uint8Array.from({ length: 26 }, (_, i) => (i < 24 ? 7 : 0)),
    );
    file.vnode.size = 700;
    memory.bytes.fill(8, pa);
    file.write(0, [pa], () => {});
    while (clock.skip());
    expect([...file.onDisk(698, 4)]).toEqual([8, 8, 7, 7]);
  });

  it('answers ENOSPC and leaves what was there when the disk is full', () => {
    const machine = boot({ disk: { size: 10 * 8192 } });
    const file = machine.fs.create('f', new Uint8Array(7 * 8192));
    expect(file.allocate(7 * 8192, 4 * 8192)).toBe(ENOSPC);
    expect(machine.fs.available).toBe(3 * 8192);
    expect(file.allocate(7 * 8192, 3 * 8192)).toBe(0);
    expect(machine.fs.available).toBe(0);
    expect(() => machine.fs.create('g', new Uint8Array(1))).toThrow(/no room for 1 bytes/);
  });

  it('clears a block that another file had before', () => {
    const machine = boot({ disk: { size: 4 * 8192 } });
    const first = machine.fs.create('first', new Uint8Array(4 * 8192).fill(1));
    first.vnode.size = 0;
    first.trim();
    expect(machine.fs.available).toBe(4 * 8192);
    machine.fs.create('second', 8192).allocate(0, 8192);
    expect(readPage(machine, 'second', 0)).toEqual(new Uint8Array(4096));
  });

  it('lays files out in one piece where it can', () => {
    const blocks = new BlockMap(512, 8);
    const first = blocks.alloc(-1);
    const other = blocks.alloc(-1);
    expect(blocks.alloc(other)).toBe(other + 1);
    expect(blocks.alloc(first)).toBe(3);
    expect(() => blocks.free(7)).toThrow(RangeError);
  });

  it('keeps an unlinked file until its last user goes, then gives its pages and blocks back', () => {
    const machine = boot();
    const pages = machine.uvm.exp.free;
    const room = machine.fs.available;
    machine.fs.create('f', new Uint8Array(16_384).fill(5));
    const process = machine.spawn();
    const { value: fd } = process.sys.open('f', O_RDONLY);
    const { value: va } = process.sys.mmap(0, 16_384, 1, 1, fd, 0);
    expect(process.load8(va)).toBe(5);
    process.sys.close(fd);
    expect(process.sys.unlink('f').error).toBe(0);
    expect(machine.fs.lookup('f')).toBeNull();
    expect(process.load8(va + 9000)).toBe(5);
    expect(machine.fs.available).toBe(room - 16_384);
    process.sys.munmap(va, 16_384);
    expect(machine.fs.available).toBe(room);
    process.sys.exit();
    expect(machine.uvm.exp.free).toBe(pages);
  });

  it('takes a name again once it is free', () => {
    const machine = boot();
    const process = machine.spawn();
    machine.fs.create('f', new Uint8Array([1]));
    const { value: fd } = process.sys.open('f', O_RDONLY);
    process.sys.unlink('f');
    const again = process.sys.open('f', O_RDWR | O_CREAT);
    expect(again.error).toBe(0);
    expect(machine.fs.lookup('f')!.size).toBe(0);
    expect(process.sys.lseek(fd, 0, 2).value).toBe(1);
  });

  it('refuses names that are taken and blocks that are none', () => {
    const machine = boot();
    machine.fs.create('f');
    expect(() => machine.fs.create('f')).toThrow(/there is a file f already/);
    expect(() => boot({ blockSize: 3000 })).toThrow(
      /power of two of at least 512 bytes, given 3000/,
    );
    expect(() => machine.fs.create('g', -1)).toThrow(/given -1/);
  });

  it('tells a process of a failed read, and reads again for the next one', () => {
    const machine = boot();
    machine.fs.create('f', new Uint8Array(4096).fill(3));
    const process = machine.spawn();
    const { value: fd } = process.sys.open('f', O_RDONLY);
    const { value: va } = process.sys.mmap(0, 4096, 3, 0x1002);
    machine.disk.failure = () => EIO;
    expect(process.sys.read(fd, va, 4096)).toEqual({ error: EIO, value: -1 });
    machine.disk.failure = null;
    expect(process.sys.read(fd, va, 4096)).toEqual({ error: 0, value: 4096 });
    expect(process.load8(va)).toBe(3);
  });
});
