import {
  EACCES,
  EBADF,
  EEXIST,
  EFAULT,
  EINVAL,
  EMFILE,
  ENODEV,
  ENOENT,
  ENOSPC,
  EPERM,
  ESPIPE,
} from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { MAP_ANON, MAP_PRIVATE, MAP_SHARED, MS_SYNC } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import {
  O_APPEND,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  SEEK_CUR,
  SEEK_END,
  SEEK_SET,
} from './open-file.ts';
import { FILE_SYSTEM_KINDS } from './file-kinds.ts';
import { OPEN_MAX } from './descriptors.ts';
import { Machine, type MachineOptions } from './machine.ts';
import type { Process } from './process.ts';

const PAGE = 4096;

function setup(options: Partial<MachineOptions> = {}, superuser = false) {
  const machine = new Machine({ port: i386(), memory: 8 << 20, ...options });
  const process = machine.spawn({ superuser });
  const va = process.sys.mmap(0, 64 * PAGE, 3, MAP_ANON | MAP_PRIVATE).value;
  return { machine, process, va };
}

const failure = (error: number) => ({ error, value: -1 });
const success = (value: number) => ({ error: 0, value });

function put(process: Process, va: number, text: string): number {
  const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
  process.writeBytes(va, bytes);
  return bytes.length;
}

function text(process: Process, va: number, length: number): string {
  return String.fromCharCode(...process.readBytes(va, length));
}

describe('open', () => {
  it('finds, makes, refuses and empties files as its flags say', () => {
    const { machine, process } = setup();
    expect(process.sys.open('f', O_RDONLY)).toEqual(failure(ENOENT));
    expect(process.sys.open('f', O_RDWR | O_CREAT)).toEqual(success(0));
    expect(process.sys.open('f', O_RDWR | O_CREAT | O_EXCL)).toEqual(failure(EEXIST));
    expect(process.sys.open('f', 3)).toEqual(failure(EINVAL));
    machine.fs.lookup('f')!.fill(0, new Uint8Array(100).fill(1));
    expect(process.sys.open('f', O_RDONLY | O_TRUNC).error).toBe(0);
    expect(machine.fs.lookup('f')!.size).toBe(100);
    expect(process.sys.open('f', O_WRONLY | O_TRUNC).error).toBe(0);
    expect(machine.fs.lookup('f')!.size).toBe(0);
    expect(machine.fs.lookup('f')!.allocated).toBe(0);
  });

  it('obeys a file’s mode, but for the superuser and for whoever makes it', () => {
    const { machine, process } = setup();
    machine.fs.create('r', 10, 0o400);
    machine.fs.create('w', 10, 0o200);
    expect(process.sys.open('r', O_RDONLY).error).toBe(0);
    expect(process.sys.open('r', O_RDWR).error).toBe(EACCES);
    expect(process.sys.open('w', O_WRONLY).error).toBe(0);
    expect(process.sys.open('w', O_RDONLY).error).toBe(EACCES);
    expect(process.sys.open('new', O_RDWR | O_CREAT, 0o400).error).toBe(0);
    expect(process.sys.open('new', O_RDWR).error).toBe(EACCES);
    const root = setup({}, true);
    root.machine.fs.create('none', 10, 0);
    expect(root.process.sys.open('none', O_RDWR).error).toBe(0);
  });

  it('gives out the lowest descriptor that is free, and only so many', () => {
    const { process } = setup();
    process.machine.fs.create('f', 1);
    for (let fd = 0; fd < 4; fd++) expect(process.sys.open('f', O_RDONLY)).toEqual(success(fd));
    expect(process.sys.close(1).error).toBe(0);
    expect(process.sys.close(1)).toEqual(failure(EBADF));
    expect(process.sys.dup(3)).toEqual(success(1));
    for (let fd = 4; fd < OPEN_MAX; fd++) process.sys.open('f', O_RDONLY);
    expect(process.sys.open('f', O_RDONLY)).toEqual(failure(EMFILE));
    expect(process.sys.dup(0)).toEqual(failure(EMFILE));
    process.sys.exit();
    expect(process.machine.fs.lookup('f')!.vnode.refs).toBe(0);
  });

  it('decides what mmap may do', () => {
    const { machine, process } = setup();
    machine.fs.create('f', PAGE);
    const r = process.sys.open('f', O_RDONLY).value;
    const w = process.sys.open('f', O_WRONLY).value;
    const map = (fd: number, prot: number, flags: number): number =>
      process.sys.mmap(0, PAGE, prot, flags, fd, 0).error;
    expect(map(r, 3, MAP_SHARED)).toBe(EACCES);
    expect(map(r, 3, MAP_PRIVATE)).toBe(0);
    expect(map(r, 1, MAP_SHARED)).toBe(0);
    expect(map(w, 1, MAP_SHARED)).toBe(EACCES);
    expect(map(99, 1, MAP_SHARED)).toBe(EBADF);
    const { value: shared } = process.sys.mmap(0, PAGE, 1, MAP_SHARED, r, 0);
    expect(process.sys.mprotect(shared, PAGE, 3).error).toBe(EACCES);
    const rw = process.sys.open('f', O_RDWR).value;
    machine.fs.lookup('f')!.immutable = true;
    expect(map(rw, 3, MAP_SHARED)).toBe(EPERM);
    expect(map(rw, 1, MAP_SHARED)).toBe(0);
  });

  it('refuses to change what is immutable, and all but the end of what is append-only', () => {
    const { machine, process, va } = setup();
    const file = machine.fs.create('f', 10);
    const fd = process.sys.open('f', O_RDWR).value;
    file.immutable = true;
    expect(process.sys.open('f', O_RDWR).error).toBe(EPERM);
    expect(process.sys.open('f', O_RDONLY).error).toBe(0);
    expect(process.sys.ftruncate(fd, 0).error).toBe(EPERM);
    expect(process.sys.unlink('f').error).toBe(EPERM);
    file.immutable = false;
    file.appendOnly = true;
    expect(process.sys.open('f', O_WRONLY).error).toBe(EPERM);
    expect(process.sys.open('f', O_WRONLY | O_APPEND | O_TRUNC).error).toBe(EPERM);
    const { value: end } = process.sys.open('f', O_WRONLY | O_APPEND);
    expect(process.sys.write(end, va, 5)).toEqual(success(5));
    expect(file.size).toBe(15);
    expect(process.sys.mmap(0, 10, 3, MAP_SHARED, fd).error).toBe(EPERM);
  });

  it('finds files on whatever is mounted, each file system with blocks of its own', () => {
    const { machine, process, va } = setup();
    const disk = machine.addDisk({ size: 1 << 20, seek: 0 });
    const large = machine.mount('/mnt', disk, { blockSize: 16384 });
    expect(() => machine.mount('/mnt', disk)).toThrow(RangeError);
    const seen = new Set<number>();
    machine.events.watch((name, number) => {
      if (name === 'io.done') seen.add(number);
    });
    for (const name of ['f', '/mnt/f']) {
      const { value: fd } = process.sys.open(name, O_RDWR | O_CREAT);
      process.writeBytes(va, new Uint8Array(5000).fill(name.length));
      expect(process.sys.write(fd, va, 5000)).toEqual(success(5000));
      const at = process.sys.mmap(0, 5000, 1, MAP_SHARED, fd).value;
      expect(process.load8(at + 4999)).toBe(name.length);
      expect(process.sys.fsync(fd).error).toBe(0);
    }
    expect(machine.fs.lookup('f')!.allocated).toBe(8192);
    expect(large.lookup('f')!.allocated).toBe(16384);
    expect([...seen]).toEqual([0, 1]);
    expect(disk.stats.writes).toBeGreaterThan(0);
    expect(process.sys.unlink('/mnt/f').error).toBe(0);
    expect(large.lookup('f')).toBeNull();
    expect(machine.fs.lookup('f')).not.toBeNull();
  });

  it('notes when a file was last read from its disk and written to it', () => {
    const { machine, process } = setup();
    const file = machine.fs.create('f', new Uint8Array(PAGE).fill(1));
    const { value: fd } = process.sys.open('f', O_RDWR);
    const { value: va } = process.sys.mmap(0, PAGE, 3, MAP_SHARED, fd);
    expect([file.accessed, file.modified]).toEqual([0, 0]);
    process.load8(va);
    expect(file.accessed).toBeGreaterThan(0);
    process.store8(va, 2);
    expect(process.sys.msync(va, PAGE, MS_SYNC).error).toBe(0);
    expect(file.modified).toBeGreaterThan(file.accessed);
  });
});

describe('a device', () => {
  it('of zeroes reads so, and is anonymous memory when it is mapped', () => {
    const { machine, process, va } = setup();
    const { value: fd } = process.sys.open('/dev/zero', O_RDWR);
    process.store8(va, 1);
    expect(process.sys.read(fd, va, 100)).toEqual(success(100));
    expect(process.load8(va)).toBe(0);
    expect(process.sys.write(fd, va, 100)).toEqual(success(100));
    const own = process.sys.mmap(0, PAGE, 3, MAP_PRIVATE, fd).value;
    const shared = process.sys.mmap(0, PAGE, 3, MAP_SHARED, fd).value;
    process.store8(own, 3);
    process.store8(shared, 4);
    const child = machine.processes.get(process.sys.fork().value)!;
    child.store8(own, 5);
    child.store8(shared, 6);
    expect([process.load8(own), process.load8(shared)]).toEqual([3, 6]);
  });

  it('may be any, and refuses what it cannot do', () => {
    const { machine, process, va } = setup();
    machine.devices.set('/dev/count', {
      // oxlint-disable-next-line require-yield -- it counts at once
      *read(offset, length) {
        return Uint8Array.from({ length: Math.min(length, 8 - offset) }, (_, i) => offset + i);
      },
    });
    const { value: fd } = process.sys.open('/dev/count', O_RDWR);
    expect(process.sys.read(fd, va, 5)).toEqual(success(5));
    expect(process.sys.read(fd, va, 5)).toEqual(success(3));
    expect([...process.readBytes(va, 3)]).toEqual([5, 6, 7]);
    expect(process.sys.write(fd, va, 5).error).toBe(ENODEV);
    expect(process.sys.mmap(0, PAGE, 1, MAP_SHARED, fd).error).toBe(ENODEV);
    expect(process.sys.lseek(fd, 0, SEEK_SET).error).toBe(ESPIPE);
    expect(process.sys.ftruncate(fd, 0).error).toBe(EINVAL);
    expect(process.sys.fsync(fd).error).toBe(EINVAL);
    const { value: pipe } = process.sys.pipe();
    expect(process.sys.pread(pipe, va, 1, 0).error).toBe(ESPIPE);
    const { value: hole } = process.sys.open('/dev/null', O_RDWR);
    expect(process.sys.write(hole, va, 7)).toEqual(success(7));
    expect(process.sys.read(hole, va, 7)).toEqual(success(0));
  });
});
describe.each(FILE_SYSTEM_KINDS)('read and write on %s', (fileSystem) => {
  it('move the offset, lengthen the file and stop at its end', () => {
    const { machine, process, va } = setup({ fileSystem });
    const { value: fd } = process.sys.open('f', O_RDWR | O_CREAT);
    expect(process.sys.write(fd, va, put(process, va, 'hello '))).toEqual(success(6));
    expect(process.sys.write(fd, va, put(process, va, 'world'))).toEqual(success(5));
    expect(machine.fs.lookup('f')!.size).toBe(11);
    expect(process.sys.read(fd, va, 10)).toEqual(success(0));
    expect(process.sys.lseek(fd, -5, SEEK_END)).toEqual(success(6));
    expect(process.sys.read(fd, va, 100)).toEqual(success(5));
    expect(text(process, va, 5)).toBe('world');
    expect(process.sys.lseek(fd, 1, SEEK_SET)).toEqual(success(1));
    expect(process.sys.lseek(fd, 2, SEEK_CUR)).toEqual(success(3));
    expect(process.sys.pread(fd, va, 4, 0)).toEqual(success(4));
    expect(text(process, va, 4)).toBe('hell');
    expect(process.sys.lseek(fd, 0, SEEK_CUR)).toEqual(success(3));
    expect(process.sys.lseek(fd, -4, SEEK_SET)).toEqual(failure(EINVAL));
    expect(process.sys.lseek(fd, 0, 9)).toEqual(failure(EINVAL));
  });

  it('cross pages, blocks and the kernel’s buffer', () => {
    for (const blockSize of [512, 4096, 32_768]) {
      const { machine, process, va } = setup({ blockSize, fileSystem });
      const bytes = Uint8Array.from({ length: 150_001 }, (_, i) => (i * 7) % 253);
      process.writeBytes(va + 5, bytes);
      const { value: fd } = process.sys.open('f', O_RDWR | O_CREAT);
      expect(process.sys.pwrite(fd, va + 5, bytes.length, 777)).toEqual(success(bytes.length));
      process.writeBytes(va, new Uint8Array(200_000));
      expect(process.sys.pread(fd, va + 1, bytes.length, 777)).toEqual(success(bytes.length));
      expect(Buffer.compare(process.readBytes(va + 1, bytes.length), bytes)).toBe(0);
      expect(process.sys.pread(fd, va, 777, 0)).toEqual(success(777));
      expect(process.readBytes(va, 777)).toEqual(new Uint8Array(777));
      expect(process.sys.fsync(fd).error).toBe(0);
      expect(Buffer.compare(machine.fs.lookup('f')!.onDisk(777), bytes)).toBe(0);
    }
  });

  it('leave a hole between the old end and a write behind it', () => {
    const { machine, process, va } = setup({ fileSystem });
    const { value: fd } = process.sys.open('f', O_RDWR | O_CREAT);
    process.sys.pwrite(fd, va, put(process, va, 'x'), 100_000);
    expect(machine.fs.lookup('f')!.size).toBe(100_001);
    expect(process.sys.fsync(fd).error).toBe(0);
    expect(machine.fs.lookup('f')!.allocated).toBe(8192);
    expect(process.sys.pread(fd, va, 10, 50_000)).toEqual(success(10));
    expect(process.readBytes(va, 10)).toEqual(new Uint8Array(10));
  });

  it('append at the end, wherever the offset is', () => {
    const { process, va } = setup({ fileSystem });
    const { value: a } = process.sys.open('f', O_WRONLY | O_CREAT | O_APPEND);
    const { value: b } = process.sys.open('f', O_RDWR | O_APPEND);
    process.sys.write(a, va, put(process, va, 'aa'));
    process.sys.write(b, va, put(process, va, 'bb'));
    process.sys.write(a, va, put(process, va, 'cc'));
    process.sys.pread(b, va, 10, 0);
    expect(text(process, va, 6)).toBe('aabbcc');
  });

  it('answer for bad descriptors, modes, lengths and addresses', () => {
    const { machine, process, va } = setup({ fileSystem });
    machine.fs.create('f', new Uint8Array(3 * PAGE).fill(1));
    const r = process.sys.open('f', O_RDONLY).value;
    const w = process.sys.open('f', O_WRONLY).value;
    expect(process.sys.read(w, va, 1)).toEqual(failure(EBADF));
    expect(process.sys.write(r, va, 1)).toEqual(failure(EBADF));
    expect(process.sys.read(9, va, 1)).toEqual(failure(EBADF));
    expect(process.sys.read(r, va, -1)).toEqual(failure(EINVAL));
    expect(process.sys.pread(r, va, 1, -1)).toEqual(failure(EINVAL));
    expect(process.sys.ftruncate(r, 0)).toEqual(failure(EINVAL));
    expect(process.sys.ftruncate(9, 0)).toEqual(failure(EBADF));
    expect(process.sys.fsync(9)).toEqual(failure(EBADF));
    expect(process.sys.lseek(9, 0, 0)).toEqual(failure(EBADF));
    expect(process.sys.unlink('g')).toEqual(failure(ENOENT));
    expect(process.sys.read(r, 0, 10)).toEqual(failure(EFAULT));
    expect(process.sys.write(w, 0, 10)).toEqual(failure(EFAULT));
    expect(process.sys.lseek(r, 0, SEEK_CUR)).toEqual(success(0));
    // The file is not left locked by any of them.
    expect(process.sys.read(r, va, 10)).toEqual(success(10));
  });
});

describe.each(['blocks', 'compat', 'pageless'] as const)('a full disk, on %s', (fileSystem) => {
  it('takes what fits, and is ENOSPC', () => {
    const { machine, process, va } = setup({ disk: { size: 4 * 8192 }, fileSystem });
    const { value: fd } = process.sys.open('f', O_RDWR | O_CREAT);
    const { error, value } = process.sys.write(fd, va, 6 * 8192);
    expect([error, value]).toEqual([0, 4 * 8192]);
    expect(process.sys.write(fd, va, 1)).toEqual(failure(ENOSPC));
    expect(machine.fs.lookup('f')!.size).toBe(4 * 8192);
    expect(process.sys.ftruncate(fd, 8192).error).toBe(0);
    expect(machine.fs.available).toBe(3 * 8192);
    expect(process.sys.pwrite(fd, va, 10, 8192)).toEqual(success(10));
  });
});

describe.each(['blocks', 'remote'] as const)('read and write on %s', (fileSystem) => {
  it('go to and from the mapping of the very page that they use', () => {
    const { machine, process } = setup({ fileSystem });
    machine.fs.create(
      'f',
      Uint8Array.from({ length: 2 * PAGE }, (_, i) => i & 0xff),
    );
    const { value: fd } = process.sys.open('f', O_RDWR);
    const { value: va } = process.sys.mmap(0, 2 * PAGE, 3, MAP_SHARED, fd, 0);
    // Neither page is in memory: the copy faults on a page of the file that is being written.
    expect(process.sys.pwrite(fd, va, 100, 50)).toEqual(success(100));
    expect([process.load8(va + 49), process.load8(va + 50), process.load8(va + 149)]).toEqual([
      49, 0, 99,
    ]);
    expect(process.sys.pread(fd, va + PAGE, 10, PAGE + 100)).toEqual(success(10));
    expect([...process.readBytes(va + PAGE, 3)]).toEqual([100, 101, 102]);
  });
});
