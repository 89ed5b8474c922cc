import { EIO, ENOSPC, EOPNOTSUPP } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import {
  MAP_ANON,
  MAP_PRIVATE,
  MAP_SHARED,
  MS_ASYNC,
  MS_INVALIDATE,
  MS_SYNC,
  SWAP_ON,
} from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '../test/failure-scenarios.ts';
import { play } from '../test/failure-stage.ts';
import { PORTS } from '../test/ports.ts';
import { checkMachine } from './check.ts';
import { FILE_SYSTEM_KINDS, type FileSystemKind } from './file-kinds.ts';
import { Machine } from './machine.ts';
import { O_RDWR } from './open-file.ts';
import { type ProcessSignal, SIGSEGV } from './signal.ts';

const PAGE = 4096;
const BYTES = Uint8Array.from({ length: 5 * PAGE + 100 }, (_, i) => (i * 7) % 251);

/** A machine with a file system of the kind on /mnt, a file there, and a process that has it open and mapped. */
function setup(kind: FileSystemKind, blockSize = 8192) {
  const machine = new Machine({ port: i386(), memory: 8 << 20 });
  const disk = machine.addDisk({ size: 4 << 20, seek: 1000, rotation: 1000 });
  const fs = machine.mount('/mnt', disk, { kind, blockSize });
  const file = fs.create('f', BYTES);
  const process = machine.spawn({ superuser: true });
  const { sys } = process;
  const fd = sys.open('/mnt/f', O_RDWR).value;
  const buffer = sys.mmap(0, 16 * PAGE, 3, MAP_ANON | MAP_PRIVATE).value;
  const map = (flags = MAP_SHARED) => sys.mmap(0, 6 * PAGE, 3, flags, fd, 0);
  const read = (offset: number, length = 1): number[] => {
    const { value } = sys.pread(fd, buffer, length, offset);
    return [...process.readBytes(buffer, Math.max(0, value))];
  };
  const write = (offset: number, ...bytes: number[]): number => {
    process.writeBytes(buffer, Uint8Array.from(bytes));
    return sys.pwrite(fd, buffer, bytes.length, offset).error;
  };
  const sound = (): void => expect(checkMachine(machine)).toEqual([]);
  return { machine, disk, fs, file, process, sys, fd, map, read, write, sound };
}

describe('mount', () => {
  it('knows four kinds of file system, and refuses others', () => {
    for (const kind of FILE_SYSTEM_KINDS) expect(setup(kind).fs.kind).toBe(kind);
    expect(() => setup('tape' as FileSystemKind)).toThrow(
      'a file system is one of blocks, compat, pageless, remote, given tape',
    );
  });
});

describe.each(['blocks', 'compat', 'remote'] as const)('a file on %s', (kind) => {
  it('is mapped, and what is stored is on the disk after msync', () => {
    for (const blockSize of [512, 8192]) {
      const s = setup(kind, blockSize);
      const va = s.map().value;
      expect(s.process.load8(va + 3 * PAGE + 5)).toBe(BYTES[3 * PAGE + 5]);
      expect(s.process.load8(va + 5 * PAGE + 200)).toBe(0);
      s.process.store8(va + 3 * PAGE + 5, 99);
      s.process.store8(va + 5 * PAGE + 99, 98);
      s.sound();
      expect(s.sys.msync(va, 6 * PAGE, MS_SYNC).error).toBe(0);
      expect([s.file.onDisk()[3 * PAGE + 5], s.file.onDisk()[5 * PAGE + 99]]).toEqual([99, 98]);
      expect(s.read(3 * PAGE + 5)).toEqual([99]);
      s.sound();
    }
  });

  it('keeps a private mapping to itself', () => {
    const s = setup(kind);
    const va = s.map(MAP_PRIVATE).value;
    s.process.store8(va, 99);
    expect(s.sys.fsync(s.fd).error).toBe(0);
    expect([s.file.onDisk()[0], s.read(0)[0]]).toEqual([BYTES[0], BYTES[0]]);
    s.sound();
  });

  it('reads as zeroes where it was cut off and has grown again', () => {
    const s = setup(kind);
    const va = s.map().value;
    s.process.store8(va + PAGE + 50, 99);
    s.process.store8(va + 2 * PAGE, 98);
    expect(s.sys.ftruncate(s.fd, PAGE + 10).error).toBe(0);
    expect(s.sys.ftruncate(s.fd, 4 * PAGE).error).toBe(0);
    expect([PAGE + 9, PAGE + 50, 2 * PAGE].map((at) => s.process.load8(va + at))).toEqual([
      BYTES[PAGE + 9],
      0,
      0,
    ]);
    expect(s.sys.fsync(s.fd).error).toBe(0);
    expect(s.read(PAGE + 9, 42).slice(1)).toEqual(Array.from({ length: 41 }, () => 0));
    s.sound();
  });

  it('tells msync of a disk that fails, and writes it the next time', () => {
    const s = setup(kind);
    const va = s.map().value;
    s.process.store8(va, 99);
    s.disk.failure = () => EIO;
    expect(s.sys.msync(va, PAGE, MS_SYNC).error).toBe(EIO);
    s.disk.failure = null;
    expect(s.sys.msync(va, PAGE, MS_SYNC).error).toBe(0);
    expect(s.file.onDisk()[0]).toBe(99);
    s.sound();
  });
});

describe('a file on compat', () => {
  it('does not keep its pages and what is written past them together, but by msync', () => {
    const s = setup('compat');
    const va = s.map().value;
    s.process.store8(va, 99);
    expect(s.read(0)).toEqual([BYTES[0]]);
    expect(s.sys.msync(va, PAGE, MS_SYNC).error).toBe(0);
    expect(s.read(0)).toEqual([99]);
    expect(s.write(1, 77)).toBe(0);
    expect([s.process.load8(va + 1), s.read(1)[0]]).toEqual([BYTES[1], 77]);
    expect(s.sys.msync(va, PAGE, MS_SYNC | MS_INVALIDATE).error).toBe(0);
    expect(s.process.load8(va + 1)).toBe(77);
    s.sound();
  });
});

describe('a file on pageless', () => {
  it('is read and written, and on the disk at once', () => {
    const s = setup('pageless');
    expect(s.write(5 * PAGE, 1, 2, 3)).toBe(0);
    expect([...s.file.onDisk(5 * PAGE, 3)]).toEqual([1, 2, 3]);
    expect(s.sys.fsync(s.fd).error).toBe(0);
    expect(s.sys.ftruncate(s.fd, 10).error).toBe(0);
    expect(s.sys.ftruncate(s.fd, 30).error).toBe(0);
    expect(s.read(8, 4)).toEqual([BYTES[8], BYTES[9], 0, 0]);
    expect(s.file.vnode.npages).toBe(0);
    s.sound();
  });

  it('can be mapped, as everything can in 2001, but not used so', () => {
    const s = setup('pageless');
    const { error, value: va } = s.map();
    expect(error).toBe(0);
    try {
      s.process.load8(va);
      expect.fail('the load has succeeded');
    } catch (signal) {
      expect((signal as ProcessSignal).signal).toBe(SIGSEGV);
    }
    expect(s.sys.mlock(va, PAGE).error).toBe(EOPNOTSUPP);
    expect(s.sys.msync(va, 6 * PAGE, MS_SYNC).error).toBe(0);
    expect(s.sys.munmap(va, 6 * PAGE).error).toBe(0);
    s.sound();
  });
});

describe('a file on remote', () => {
  it('is in the memory of the server until that commits', () => {
    const s = setup('remote');
    const va = s.map().value;
    s.process.store8(va, 99);
    expect(s.sys.msync(va, PAGE, MS_ASYNC).error).toBe(0);
    s.machine.run();
    expect(s.file.onDisk()[0]).toBe(BYTES[0]);
    s.sound();
    expect(s.sys.fsync(s.fd).error).toBe(0);
    expect(s.file.onDisk()[0]).toBe(99);
  });

  it('is written again if the server has started again before it committed', () => {
    const s = setup('remote');
    const va = s.map().value;
    s.process.store8(va, 99);
    s.sys.msync(va, PAGE, MS_ASYNC);
    s.machine.run();
    s.fs.server.restart();
    expect(s.sys.fsync(s.fd).error).toBe(0);
    expect(s.file.onDisk()[0]).toBe(99);
    s.sound();
  });

  it('is lost to a server that is down, and all there when it is up again', () => {
    const s = setup('remote');
    const va = s.map().value;
    s.process.store8(va, 99);
    s.fs.server.up = false;
    expect(s.sys.fsync(s.fd).error).toBe(EIO);
    s.fs.server.up = true;
    expect(s.sys.fsync(s.fd).error).toBe(0);
    expect(s.file.onDisk()[0]).toBe(99);
    s.sound();
  });

  it('takes time on the wire', () => {
    const time = (kind: FileSystemKind): number => {
      const s = setup(kind);
      const va = s.map().value;
      const before = s.machine.now;
      s.process.load8(va);
      return s.machine.now - before;
    };
    expect(time('remote')).toBeGreaterThan(time('blocks') + 300_000);
  });

  it('learns of a full disk when it is written back', () => {
    const s = setup('remote');
    expect(s.sys.ftruncate(s.fd, 5 << 20).error).toBe(0);
    for (let at = 0; at < 5 << 20; at += 8192) expect(s.write(at, 1)).toBe(0);
    expect(s.sys.fsync(s.fd).error).toBe(ENOSPC);
    expect(s.sys.ftruncate(s.fd, 8192).error).toBe(0);
    s.sys.fsync(s.fd);
    expect(s.sys.fsync(s.fd).error).toBe(0);
  });
});

describe('swap', () => {
  it.each(['blocks', 'remote'] as const)('goes to a file on %s', (kind) => {
    const s = setup(kind);
    s.fs.create('swap', new Uint8Array(500 * PAGE));
    expect(s.sys.swapctl(SWAP_ON, '/mnt/swap').error).toBe(0);
    const pages = s.machine.uvm.exp.free + 100;
    const va = s.sys.mmap(0, pages * PAGE, 3, MAP_ANON | MAP_PRIVATE).value;
    for (let i = 0; i < pages; i++) s.process.store8(va + i * PAGE, i & 0xff);
    expect(s.machine.uvm.exp.swpginuse).toBeGreaterThan(50);
    for (let i = 0; i < pages; i++) expect(s.process.load8(va + i * PAGE)).toBe(i & 0xff);
    s.sound();
  });
});

describe.each(PORTS)('a remote file on %s', (_, port) => {
  const OF_FILES = SCENARIOS.filter(({ name }) => /file/.test(name));
  it.each(OF_FILES)('survives one failure of its server’s disk when $name', (scenario) => {
    const unharmed = play(port(), scenario, 'file write', 0, { fileSystem: 'remote' });
    expect(unharmed).toMatchObject({ failed: false, outcomes: [], panic: null, lost: 0 });
    for (const failure of ['file read', 'file write'] as const) {
      const fate = play(port(), scenario, failure, 1, { fileSystem: 'remote' });
      expect(fate.panic).toBeNull();
      if (fate.failed) expect(fate.left).toEqual(unharmed.left);
      for (const outcome of fate.outcomes)
        expect(['EIO', 'EFAULT', 'signal 11']).toContain(outcome);
    }
  });
});
