import { EBUSY, EINVAL, EIO, ENOENT, ENXIO, EPERM } from '@uvmkit/pmap';
import {
  MAP_ANON,
  MAP_PRIVATE,
  MAP_SHARED,
  SWAP_CTL,
  SWAP_NSWAP,
  SWAP_OFF,
  SWAP_ON,
  SWAP_STATS,
} from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { PORTS } from '../test/ports.ts';
import { lockedPages } from '../test/wired.ts';
import { checkMachine } from './check.ts';
import { Machine } from './machine.ts';
import { O_RDONLY, O_RDWR } from './open-file.ts';
import { Random } from './random.ts';
import { ProcessSignal, SIGKILL } from './signal.ts';

const MEGA = 1 << 20;
const FAST = { seek: 1000, rotation: 1000, transfer: 10 };

/** A machine with little memory, and a disk of 32 MB to swap to. */
function boot(port = PORTS[1]![1](), memory = 4 * MEGA) {
  const lines: string[] = [];
  const machine = new Machine({ port, memory, disk: FAST, print: (line) => lines.push(line) });
  const disk = machine.addDisk({ ...FAST, size: 64 * MEGA });
  machine.addPartition('/dev/sd1b', disk, 0, 32 * MEGA);
  const root = machine.spawn({ superuser: true });
  return { machine, disk, root, lines };
}

describe.each(PORTS)('with too little memory, %s', (_, port) => {
  it('keeps more than memory holds on swap, and brings it back byte for byte', () => {
    const { machine, root, disk } = boot(port());
    expect(root.sys.swapctl(SWAP_ON, '/dev/sd1b').error).toBe(0);
    const { pageSize } = machine.md.port.layout;
    const pages = Math.floor((8 * MEGA) / pageSize);
    const va = root.sys.mmap(0, pages * pageSize, 3, MAP_ANON | MAP_PRIVATE).value;
    for (let i = 0; i < pages; i++) root.store32(va + i * pageSize + 4, i * 7);
    for (let i = 0; i < pages; i++)
      if (root.load32(va + i * pageSize + 4) !== i * 7) throw new Error(`page ${i} is wrong`);
    expect(disk.stats.writes).toBeGreaterThan(10);
    expect(disk.stats.reads).toBeGreaterThan(10);
    machine.run();
    expect(checkMachine(machine)).toEqual([]);
    root.sys.munmap(va, pages * pageSize);
    expect(machine.uvm.exp.swpginuse).toBe(0);
  });

  it('does all that processes do, and every byte is right', () => {
    const { machine, root } = boot(port());
    expect(root.sys.swapctl(SWAP_ON, '/dev/sd1b').error).toBe(0);
    const { pageSize } = machine.md.port.layout;
    const random = new Random(5);
    const file = machine.fs.create('f', new Uint8Array(MEGA));
    const count = Math.floor((3 * MEGA) / pageSize);
    const fd = root.sys.open('f', O_RDWR).value;
    const shared = root.sys.mmap(0, MEGA, 3, MAP_SHARED, fd).value;
    const va = root.sys.mmap(0, count * pageSize, 3, MAP_ANON | MAP_PRIVATE).value;
    const child = machine.processes.get(root.sys.fork().value)!;
    const model = new Map<string, number>();
    for (let step = 0; step < 3000; step++) {
      const process = random.below(2) === 0 ? root : child;
      const own = random.below(3) > 0;
      const at = own
        ? va + random.below(count) * pageSize
        : shared + random.below(Math.floor(MEGA / pageSize)) * pageSize;
      const key = own ? `${process.pid} ${at}` : `${at}`;
      if (random.below(2) === 0) {
        process.store32(at, step);
        model.set(key, step);
      } else if (process.load32(at) !== (model.get(key) ?? 0))
        throw new Error(`step ${step}: process ${process.pid} is wrong at ${at}`);
      if (step % 250 === 0) expect(checkMachine(machine)).toEqual([]);
    }
    expect(root.sys.fsync(fd).error).toBe(0);
    const disk = new DataView(file.onDisk().buffer);
    const { littleEndian } = machine.md.port.layout;
    for (let at = 0; at < MEGA; at += pageSize)
      expect(disk.getUint32(at, littleEndian)).toBe(model.get(`${shared + at}`) ?? 0);
  });
});

describe('swapctl', () => {
  it('takes block devices and files, by priority, and refuses the rest', () => {
    const { machine, root } = boot();
    const { sys } = root;
    machine.fs.create('swap', new Uint8Array(2 * MEGA));
    expect(machine.spawn().sys.swapctl(SWAP_ON, '/dev/sd1b').error).toBe(EPERM);
    expect(sys.swapctl(SWAP_ON, '/dev/none').error).toBe(ENOENT);
    expect(sys.swapctl(SWAP_ON, '/dev/rsd1b').error).toBe(EINVAL);
    expect(sys.swapctl(SWAP_ON, '/dev/sd1b', 3).error).toBe(0);
    expect(sys.swapctl(SWAP_ON, '/dev/sd1b').error).toBe(EBUSY);
    expect(sys.swapctl(SWAP_CTL, 'swap', 1).error).toBe(ENOENT);
    expect(sys.swapctl(SWAP_ON, 'swap', 2).error).toBe(0);
    expect(sys.swapctl(SWAP_NSWAP).value).toBe(2);
    expect(sys.swapctl(SWAP_STATS, '', 9).entries.map(({ path }) => path)).toEqual([
      'swap',
      '/dev/sd1b',
    ]);
    expect(sys.swapctl(SWAP_CTL, 'swap', 5).error).toBe(0);
    expect(sys.swapctl(SWAP_STATS, '', 1).entries).toMatchObject([{ path: '/dev/sd1b' }]);
    expect(sys.swapctl(SWAP_OFF, 'swap').error).toBe(0);
    expect(sys.swapctl(SWAP_OFF, 'swap').error).toBe(ENXIO);
  });

  it('brings everything back in before a device goes', () => {
    const { machine, root } = boot();
    machine.fs.create('swap', new Uint8Array(8 * MEGA));
    expect(root.sys.swapctl(SWAP_ON, 'swap').error).toBe(0);
    const va = root.sys.mmap(0, 5 * MEGA, 3, MAP_ANON | MAP_PRIVATE).value;
    for (let at = 0; at < 5 * MEGA; at += 4096) root.store32(va + at, at);
    expect(root.sys.swapctl(SWAP_ON, '/dev/sd1b', 1).error).toBe(0);
    root.sys.munmap(va, 3 * MEGA);
    expect(root.sys.swapctl(SWAP_OFF, 'swap').error).toBe(0);
    for (let at = 3 * MEGA; at < 5 * MEGA; at += 4096) expect(root.load32(va + at)).toBe(at);
    expect(checkMachine(machine)).toEqual([]);
  });
});

describe('a file that is swapped to', () => {
  it('is used until the machine swaps to it no more, and then its blocks are free', () => {
    const { machine, root } = boot();
    const { available } = machine.fs;
    const file = machine.fs.create('swap', new Uint8Array(2 * MEGA));
    expect(root.sys.swapctl(SWAP_ON, 'swap').error).toBe(0);
    expect(root.sys.swapctl(SWAP_ON, 'swap').error).toBe(EBUSY);
    expect(file.vnode.refs).toBe(1);
    expect(root.sys.unlink('swap').error).toBe(0);
    expect(machine.fs.available).toBeLessThan(available);
    expect(checkMachine(machine)).toEqual([]);
    expect(root.sys.swapctl(SWAP_OFF, 'swap').error).toBe(0);
    expect([file.vnode.refs, machine.fs.available]).toEqual([0, available]);
    expect(root.sys.swapctl(SWAP_OFF, 'swap').error).toBe(ENOENT);
  });

  it('is not used for having been refused', () => {
    const { machine, root } = boot();
    const file = machine.fs.create('swap', new Uint8Array(4096));
    expect(root.sys.swapctl(SWAP_ON, 'swap').error).toBe(EINVAL);
    expect(root.sys.swapctl(SWAP_CTL, 'swap', 1).error).toBe(ENOENT);
    expect(file.vnode.refs).toBe(0);
  });
});

describe('out of memory and swap', () => {
  it('kills the process that asked last, and the rest goes on', () => {
    const { machine, root, lines } = boot();
    root.sys.swapctl(SWAP_ON, '/dev/sd1b');
    const victim = machine.spawn({ limits: { data: 60 * MEGA } });
    const va = victim.sys.mmap(0, 48 * MEGA, 3, MAP_ANON | MAP_PRIVATE).value;
    let signal: unknown;
    try {
      for (let at = 0; at < 48 * MEGA; at += 4096) victim.store8(va + at, 1);
    } catch (error) {
      signal = error;
    }
    expect(signal).toBeInstanceOf(ProcessSignal);
    expect(signal).toMatchObject({ signal: SIGKILL });
    expect(lines).toEqual([`UVM: pid ${victim.pid} killed: out of swap`]);
    const more = root.sys.mmap(0, 2 * MEGA, 3, MAP_ANON | MAP_PRIVATE).value;
    for (let at = 0; at < 2 * MEGA; at += 4096) root.store8(more + at, 1);
    expect(machine.uvm.exp.swpginuse).toBeLessThan(100);
  });
});

describe('a raw device', () => {
  it('moves bytes straight between the disk and locked memory', () => {
    const { machine, root, disk } = boot();
    const { value: fd } = root.sys.open('/dev/rsd1b', O_RDWR);
    const va = root.sys.mmap(0, MEGA, 3, MAP_ANON | MAP_PRIVATE).value;
    const bytes = Uint8Array.from({ length: 200 << 10 }, (_, i) => i % 253);
    root.writeBytes(va + 512, bytes);
    expect(root.sys.pwrite(fd, va + 512, bytes.length, 1024).value).toBe(bytes.length);
    const found = new Uint8Array(bytes.length);
    disk.peek(1024, found);
    expect(found).toEqual(bytes);
    expect(root.sys.pread(fd, va + (512 << 10), bytes.length, 1024).value).toBe(bytes.length);
    expect(root.readBytes(va + (512 << 10), bytes.length)).toEqual(bytes);
    expect(root.sys.read(fd, va + 1, 512).error).toBe(EINVAL);
    expect(root.sys.pread(fd, va, 4096, 32 * MEGA - 512).value).toBe(512);
    expect(root.sys.pread(fd, 0, 512, 0).error).not.toBe(0);
    disk.failure = () => EIO;
    expect(root.sys.pread(fd, va, 512, 0).error).toBe(EIO);
    expect(lockedPages(machine)).toBe(0);
    expect(checkMachine(machine)).toEqual([]);
  });

  it('has a block device beside it, which is cached and mapped like a file and outlives its close', () => {
    const { root, disk } = boot();
    disk.poke(8192, Uint8Array.of(1, 2, 3));
    const { value: fd } = root.sys.open('/dev/sd1b', O_RDWR);
    const va = root.sys.mmap(0, MEGA, 3, MAP_SHARED, fd).value;
    expect(root.load8(va + 8194)).toBe(3);
    root.sys.close(fd);
    root.store8(va + 8193, 9);
    expect(root.load8(va + 8193)).toBe(9);
    expect(root.sys.msync(va, MEGA, 4).error).toBe(0);
    const found = new Uint8Array(3);
    disk.peek(8192, found);
    expect([...found]).toEqual([1, 9, 3]);
    expect(root.sys.ftruncate(root.sys.open('/dev/sd1b', O_RDWR).value, 0).error).toBe(EINVAL);
    expect(root.sys.open('/dev/sd1b', O_RDONLY).error).toBe(0);
  });
});
