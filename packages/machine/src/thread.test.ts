import { ECHILD } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { MAP_ANON, MAP_PRIVATE, MAP_SHARED } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { lockedPages } from '../test/wired.ts';
import { O_APPEND, O_CREAT, O_RDWR } from './open-file.ts';
import { Machine, type MachineOptions } from './machine.ts';
import type { Process } from './process.ts';
import { exitCode, terminationSignal } from './process-calls.ts';
import { ProcessSignal, SIGKILL, SIGSEGV } from './signal.ts';

const PAGE = 4096;

function boot(options: Partial<MachineOptions> = {}): Machine {
  return new Machine({ port: i386(), memory: 8 << 20, ...options });
}

function shared(process: Process, pages = 1): number {
  return process.sys.mmap(0, pages * PAGE, 3, MAP_ANON | MAP_SHARED).value;
}

describe('a thread', () => {
  it('does everything that plain calls do', () => {
    const machine = boot();
    machine.fs.create('f', Uint8Array.from([1, 2, 3, 4]));
    const process = machine.spawn();
    let done = 0;
    const thread = machine.start(process, function* (t) {
      const { value: va } = yield* t.mmap(0, 2 * PAGE, 7, MAP_ANON | MAP_PRIVATE);
      yield* t.store64(va + PAGE - 4, 1, 2);
      const pair = new Uint32Array(2);
      yield* t.load64(va + PAGE - 4, pair);
      expect([...pair]).toEqual([1, 2]);
      yield* t.store16(va + PAGE - 1, 0xabcd);
      expect(yield* t.load16(va + PAGE - 1)).toBe(0xabcd);
      yield* t.store8(va, 0xc3);
      expect(yield* t.fetch8(va)).toBe(0xc3);
      yield* t.writeBytes(va + PAGE - 3, new Uint8Array([7, 8, 9, 10, 11]));
      expect([...(yield* t.readBytes(va + PAGE - 2, 3))]).toEqual([8, 9, 10]);
      const pa = yield* t.touch(va, 1);
      expect(machine.memory.read8(pa)).toBe(0xc3);
      const { value: fd } = yield* t.open('f', O_RDWR);
      expect((yield* t.read(fd, va, 4)).value).toBe(4);
      expect(yield* t.load32(va)).toBe(0x04030201);
      expect((yield* t.munmap(va, 2 * PAGE)).error).toBe(0);
      done = machine.now;
    });
    expect(thread.done).toBe(false);
    machine.run();
    expect(thread.done).toBe(true);
    expect(done).toBeGreaterThan(0);
    expect(process.state).toBe('running');
  });

  it('sleeps for a page while others run', () => {
    const machine = boot();
    machine.fs.create('other', new Uint8Array(PAGE));
    machine.fs.create('f', new Uint8Array(PAGE).fill(1));
    const process = machine.spawn();
    const order: string[] = [];
    const { value: fd } = process.sys.open('f', 0);
    const { value: file } = process.sys.mmap(0, PAGE, 1, MAP_SHARED, fd, 0);
    const memory = shared(process);
    machine.start(process, function* (t) {
      yield* t.load8(file);
      order.push('file');
    });
    machine.start(process, function* (t) {
      for (let i = 0; i < 50; i++) yield* t.store8(memory, i);
      order.push('memory');
    });
    machine.run();
    expect(order).toEqual(['memory', 'file']);
  });

  it('waits with all others for one read of a page that they all want', () => {
    const machine = boot({ cpus: 4 });
    machine.fs.create('f', new Uint8Array(PAGE).fill(9));
    const process = machine.spawn();
    const { value: fd } = process.sys.open('f', 0);
    const { value: va } = process.sys.mmap(0, PAGE, 1, MAP_SHARED, fd, 0);
    const seen: number[] = [];
    for (let i = 0; i < 5; i++)
      machine.start(process, function* (t) {
        seen.push(yield* t.load8(va + i));
      });
    machine.run();
    expect(seen).toEqual([9, 9, 9, 9, 9]);
    expect(machine.disk.stats.reads).toBe(1);
  });

  it('spins without stopping time', () => {
    const machine = boot();
    machine.fs.create('f', new Uint8Array(PAGE).fill(1));
    const process = machine.spawn();
    const flag = shared(process);
    const { value: fd } = process.sys.open('f', 0);
    let spins = 0;
    machine.start(process, function* (t) {
      while ((yield* t.load8(flag)) === 0) spins++;
    });
    machine.start(process, function* (t) {
      yield* t.read(fd, flag, 1);
    });
    machine.run();
    expect(spins).toBeGreaterThan(0);
    expect(process.load8(flag)).toBe(1);
  });

  it('is preempted between a load and a store, so that seeds find lost updates', () => {
    const sums = [1, 2, 3, 4, 5, 6].map((seed) => {
      const machine = boot({ seed });
      const process = machine.spawn();
      const va = shared(process);
      for (let n = 0; n < 2; n++)
        machine.start(process, function* (t) {
          for (let i = 0; i < 20; i++) yield* t.store32(va, (yield* t.load32(va)) + 1);
        });
      machine.run();
      return process.load32(va);
    });
    expect(new Set(sums).size).toBeGreaterThan(1);
    expect(Math.max(...sums)).toBeLessThanOrEqual(40);
  });

  it('sleeps and pauses on demand', () => {
    const machine = boot();
    const process = machine.spawn();
    const order: string[] = [];
    machine.start(process, function* (t) {
      yield* t.sleep(5_000_000);
      order.push(`late ${machine.now >= 5_000_000}`);
    });
    machine.start(process, function* (t) {
      yield* t.pause();
      order.push(`early ${machine.now < 5_000_000}`);
    });
    machine.run();
    expect(order).toEqual(['early true', 'late true']);
  });

  it('appends whole records, whoever else appends', () => {
    const machine = boot({ seed: 12, cpus: 2 });
    const process = machine.spawn();
    const { value: fd } = process.sys.open('log', O_RDWR | O_CREAT | O_APPEND);
    const va = process.sys.mmap(0, 8 * PAGE, 3, MAP_ANON | MAP_PRIVATE).value;
    for (let n = 0; n < 4; n++) {
      process.writeBytes(va + n * PAGE, new Uint8Array(100).fill(n + 1));
      machine.start(process, function* (t) {
        for (let i = 0; i < 10; i++)
          expect((yield* t.write(fd, va + n * PAGE, 100)).value).toBe(100);
      });
    }
    machine.run();
    process.sys.fsync(fd);
    const log = machine.fs.lookup('log')!.onDisk();
    expect(log).toHaveLength(4000);
    for (let record = 0; record < 40; record++) {
      const bytes = log.subarray(record * 100, record * 100 + 100);
      expect(bytes.every((byte) => byte === bytes[0])).toBe(true);
    }
  });

  it('passes on what its body throws', () => {
    const machine = boot();
    const process = machine.spawn();
    machine.start(process, function* (t) {
      yield* t.pause();
      throw new Error('a mistake of the test');
    });
    expect(() => machine.run()).toThrow('a mistake of the test');
    expect(machine.panic).toBeNull();
  });
});

describe('a process of threads', () => {
  it('forks a child that runs, and waits for it', () => {
    const machine = boot();
    const process = machine.spawn();
    const va = shared(process);
    let status = -1;
    machine.start(process, function* (t) {
      const { value: pid } = yield* t.fork(function* (c) {
        yield* c.store32(va, 77);
        yield* c.exit(5);
      });
      const waited = yield* t.wait4(pid);
      expect(waited.value).toBe(pid);
      ({ status } = waited);
      expect((yield* t.wait4()).error).toBe(ECHILD);
    });
    machine.run();
    expect(exitCode(status)).toBe(5);
    expect(process.load32(va)).toBe(77);
  });

  it('dies of a signal that no thread catches, and takes its threads along', () => {
    const machine = boot({ cpus: 2 });
    machine.fs.create('f', new Uint8Array(64 * PAGE));
    const { free } = machine.uvm.exp;
    const parent = machine.spawn();
    const child = machine.processes.get(parent.sys.fork().value)!;
    const { value: fd } = child.sys.open('f', 2);
    const { value: va } = child.sys.mmap(0, 64 * PAGE, 3, MAP_SHARED, fd, 0);
    let reached = 0;
    for (let n = 0; n < 3; n++)
      machine.start(child, function* (t) {
        for (let i = 0; ; i = (i + 1) % 64) {
          yield* t.store8(va + i * PAGE, 1);
          yield* t.mlock(va, 8 * PAGE);
          yield* t.munlock(va, 8 * PAGE);
          reached++;
        }
      });
    machine.start(child, function* (t) {
      yield* t.sleep(30_000_000);
      yield* t.load8(0);
    });
    machine.start(child, function* (t) {
      yield* t.fork();
      yield* t.wait4();
    });
    const { status } = parent.sys.wait4();
    expect(terminationSignal(status)).toBe(SIGSEGV);
    expect(reached).toBeGreaterThan(0);
    expect(child.threads.size).toBe(0);
    machine.run();
    for (const process of machine.processes.values()) process.sys.exit();
    expect(lockedPages(machine)).toBe(0);
    expect(machine.uvm.exp.free + machine.fs.lookup('f')!.vnode.npages).toBe(free);
  });

  it('may handle SIGSEGV in a thread, as a program with a handler does', () => {
    const machine = boot();
    const process = machine.spawn();
    let caught: unknown;
    let after = 0;
    machine.start(process, function* (t) {
      try {
        yield* t.load8(0);
      } catch (error) {
        caught = error;
      }
      const { value } = yield* t.mmap(0, PAGE, 3, MAP_ANON | MAP_PRIVATE);
      yield* t.store8(value, 4);
      after = yield* t.load8(value);
    });
    machine.run();
    expect(caught).toBeInstanceOf(ProcessSignal);
    expect(after).toBe(4);
    expect(process.state).toBe('running');
  });

  it('cannot handle SIGKILL', () => {
    const machine = boot({ memory: 2 << 20 });
    const parent = machine.spawn();
    const child = machine.processes.get(parent.sys.fork().value)!;
    let survived = false;
    machine.start(child, function* (t) {
      const { value } = yield* t.mmap(0, 4 << 20, 3, MAP_ANON | MAP_PRIVATE);
      try {
        for (let at = 0; at < 4 << 20; at += PAGE) yield* t.store8(value + at, 1);
      } finally {
        survived = child.state === 'running';
      }
    });
    const { status } = parent.sys.wait4();
    expect(terminationSignal(status)).toBe(SIGKILL);
    expect(survived).toBe(false);
  });

  it('ends when one of its threads exits, whatever the others do', () => {
    const machine = boot();
    machine.fs.create('f', new Uint8Array(PAGE));
    const process = machine.spawn();
    const { value: fd } = process.sys.open('f', 0);
    const memory = shared(process);
    let back = false;
    const threads = [
      machine.start(process, function* (t) {
        for (;;) yield* t.pause();
      }),
      machine.start(process, function* (t) {
        yield* t.read(fd, memory, PAGE);
        back = true;
      }),
      machine.start(process, function* (t) {
        yield* t.exit(2);
        back = true;
      }),
    ];
    machine.run();
    expect(threads.map((thread) => thread.done)).toEqual([true, true, true]);
    expect(back).toBe(false);
    expect(process.state).toBe('dead');
    expect(exitCode(process.status)).toBe(2);
  });

  it('is left with the thread that calls exec', () => {
    const machine = boot();
    const process = machine.spawn();
    const va = shared(process);
    let alive = false;
    const other = machine.start(process, function* (t) {
      for (;;) yield* t.load8(va);
    });
    machine.start(process, function* (t) {
      expect((yield* t.exec()).error).toBe(0);
      const { value } = yield* t.mmap(0, PAGE, 3, MAP_ANON | MAP_PRIVATE);
      yield* t.store8(value, 1);
      alive = true;
    });
    machine.run();
    expect(other.done).toBe(true);
    expect(alive).toBe(true);
    expect(process.threads.size).toBe(0);
    expect(process.state).toBe('running');
  });

  it('may be driven by plain calls between its threads’ turns', () => {
    const machine = boot({ cpus: 2 });
    machine.fs.create('f', new Uint8Array(8 * PAGE).fill(3));
    const process = machine.spawn();
    const va = shared(process);
    machine.start(process, function* (t) {
      for (let i = 1; i <= 100; i++) yield* t.store32(va, i);
    });
    const { value: fd } = process.sys.open('f', 0);
    const { value: file } = process.sys.mmap(0, 8 * PAGE, 1, MAP_SHARED, fd, 0);
    // This fault waits for the disk, and the thread runs meanwhile.
    expect(process.load8(file)).toBe(3);
    expect(process.load32(va)).toBe(100);
  });
});
