import { KernelPanic } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { CHANNEL_LBOLT, MAP_ANON, MAP_PRIVATE } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { O_RDONLY } from './open-file.ts';
import { Machine, type MachineOptions } from './machine.ts';
import { DeadlockError } from './scheduler.ts';

function boot(options: Partial<MachineOptions> = {}): Machine {
  return new Machine({ port: i386(), memory: 8 << 20, ...options });
}

describe('Machine', () => {
  it('boots with 1 GB in under a second, at 128 bytes of bookkeeping a page frame or less', () => {
    const size = 1 << 30;
    const before = process.memoryUsage();
    const start = performance.now();
    const machine = boot({ memory: size });
    const time = performance.now() - start;
    const after = process.memoryUsage();
    expect(time).toBeLessThan(1000);
    const buffers = after.arrayBuffers - before.arrayBuffers - size;
    const heap = Math.max(0, after.heapUsed - before.heapUsed);
    expect((buffers + heap) / (size / 4096)).toBeLessThanOrEqual(128);
    expect((machine.uvm.pages.bytes + machine.uvm.anons.bytes) / (size / 4096)).toBeLessThan(128);
    // The arena is the host's to commit lazily: nothing of it has been touched but the kernel's tables.
    expect(after.rss - before.rss).toBeLessThan(size / 4);
  });

  it('works at once with 1 GB, from the first page to the last', () => {
    const machine = boot({ memory: 1 << 30 });
    const process = machine.spawn();
    const { value } = process.sys.mmap(0, 1 << 20, 3, MAP_ANON | MAP_PRIVATE);
    process.store32(value + (1 << 20) - 4, 1);
    expect(process.load32(value + (1 << 20) - 4)).toBe(1);
  });

  it('says what it wants when it is given something else', () => {
    expect(() => boot({ cpus: 0 })).toThrow(/1 CPU or more, given 0/);
    expect(() => boot({ cpus: 1.5 })).toThrow(RangeError);
    expect(() => boot({ memory: 5000 })).toThrow(/multiple of 4096/);
    expect(() => boot({ memory: 4096 })).toThrow(RangeError);
    expect(() => boot({ colours: 3 })).toThrow(/power of two, given 3/);
    expect(() => boot().spawn({ stackSize: 1 << 30 })).toThrow(/cannot be laid out/);
  });

  it('keeps the panic that stopped it and throws it from every later call', () => {
    const lines: string[] = [];
    const machine = boot({
      memory: 1 << 20,
      pageDaemon: false,
      print: (line) => lines.push(line),
    });
    const process = machine.spawn();
    machine.fs.create('big', new Uint8Array(2 << 20).fill(1));
    const { value: fd } = process.sys.open('big', O_RDONLY);
    const { value: va } = process.sys.mmap(0, 4096, 3, MAP_ANON | MAP_PRIVATE);
    process.store32(va, 1);
    let panic: unknown;
    try {
      for (let at = 0; at < 2 << 20; at += 4096) process.sys.pread(fd, va, 16, at);
    } catch (error) {
      panic = error;
    }
    expect(panic).toBeInstanceOf(KernelPanic);
    expect((panic as KernelPanic).words).toBe(
      'uvm_wait: out of memory, and there is no page daemon to free any',
    );
    expect(machine.panic).toBe(panic);
    expect(lines.at(-1)).toContain('no page daemon');
    for (const call of [
      () => process.load32(va),
      () => process.store8(va, 1),
      () => process.touch(va, 1),
      () => process.readBytes(va, 4),
      () => process.sys.munmap(va, 4096),
      () => machine.spawn(),
      () => machine.run(),
      () => machine.start(process, function* () {}),
    ])
      expect(call).toThrow(panic as KernelPanic);
  });

  it('takes time for faults, system calls and the disk, and for nothing else', () => {
    const machine = boot({ disk: { seek: 5e6, rotation: 0 } });
    const process = machine.spawn();
    machine.fs.create('where the arm is', new Uint8Array(4096));
    machine.fs.create('f', new Uint8Array(4096));
    const { value: va } = process.sys.mmap(0, 4096, 3, MAP_ANON | MAP_PRIVATE);
    process.store32(va, 1);
    const start = machine.now;
    for (let i = 0; i < 100; i++) process.load32(va);
    expect(machine.now).toBe(start);
    const { value: fd } = process.sys.open('f', O_RDONLY);
    process.sys.read(fd, va, 4096);
    expect(machine.now - start).toBeGreaterThan(5e6);
    expect(machine.now - start).toBeLessThan(6e6);
  });

  it('tells a plain call that can never return so, and goes on', () => {
    const machine = boot();
    const process = machine.spawn();
    process.sys.fork();
    expect(() => process.sys.wait4()).toThrow(DeadlockError);
    const asleep = [...machine.scheduler.channels()].map(([channel]) => channel);
    expect(asleep).not.toContain(process.channel);
    const { error } = process.sys.mmap(0, 4096, 3, MAP_ANON | MAP_PRIVATE);
    expect(error).toBe(0);
  });

  it('wakes lbolt at every full second, while someone waits for it', () => {
    const machine = boot();
    machine.clock.charge(300_000_000);
    machine.sleep(CHANNEL_LBOLT);
    expect(machine.now).toBe(1_000_000_000);
    machine.sleep(CHANNEL_LBOLT);
    expect(machine.now).toBe(2_000_000_000);
    expect(machine.turn()).toBe(false);
  });

  it('panics with its state when an access faults again and again although it was resolved', () => {
    const port = i386();
    const machine = new Machine({ port, memory: 8 << 20 });
    const process = machine.spawn();
    const { value: va } = process.sys.mmap(0, 4096, 3, MAP_ANON | MAP_PRIVATE);
    // A pmap that enters nothing: uvm_fault believes that it has resolved the fault.
    machine.md.pmap.enter = () => 0;
    expect(() => process.store32(va, 1)).toThrow(/the access faults again and again/);
    expect(machine.panic?.state).toMatchObject({ va, access: 2, cpu: 0 });
  });
});

describe('a run', () => {
  /** Threads of two processes that share a file and memory; what happened, in order. */
  function story(seed: number, cpus: number): string {
    const machine = boot({ seed, cpus });
    const events: string[] = [];
    machine.fs.create('f', new Uint8Array(16 * 4096).fill(1));
    machine.events.watch((...event) => events.push(event.join(' ')));
    const parent = machine.spawn();
    const { value: shared } = parent.sys.mmap(0, 4096, 3, MAP_ANON | 1);
    const { value: fd } = parent.sys.open('f', 2);
    parent.sys.fork();
    for (const process of machine.processes.values())
      for (let n = 0; n < 3; n++)
        machine.start(process, function* (t) {
          const { value: va } = yield* t.mmap(0, 16 * 4096, 3, 1, fd, 0);
          for (let i = 0; i < 16; i++) {
            yield* t.store8(va + 4096 * i, n);
            yield* t.store32(shared + 4 * n, (yield* t.load32(shared + 4 * n)) + 1);
          }
          yield* t.msync(va, 16 * 4096, 4);
        });
    machine.run();
    return `${machine.now}\n${events.join('\n')}`;
  }

  it('is repeated to the last event by its seed, on one CPU and on several', () => {
    for (const cpus of [1, 3])
      for (const seed of [1, 99]) expect(story(seed, cpus)).toBe(story(seed, cpus));
  });

  it('differs between seeds', () => {
    expect(new Set([1, 2, 3, 4].map((seed) => story(seed, 2))).size).toBe(4);
  });
});
