import { EINTR, EINVAL, EPIPE, ESRCH } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { MAP_ANON, MAP_PRIVATE } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { PORTS } from '../test/ports.ts';
import { Machine } from './machine.ts';
import { exitCode, stopSignal, terminationSignal, WNOHANG, WUNTRACED } from './process-calls.ts';
import {
  ProcessSignal,
  SEGV_ACCERR,
  SIGBUS,
  SIGCHLD,
  SIGCONT,
  SIGKILL,
  SIGSEGV,
  SIGSTOP,
  SIGTERM,
  SIGUSR1,
} from './signal.ts';
import { SIG_DFL, SIG_IGN } from './signal-calls.ts';

const boot = (): Machine => new Machine({ port: i386(), memory: 8 << 20 });

describe.each(PORTS)('a handler on %s', (_, port) => {
  it('mends what its access ran into, and the access is made again', () => {
    const machine = new Machine({ port: port(), memory: 16 << 20 });
    const process = machine.spawn();
    const { pageSize } = machine.md.port.layout;
    const va = process.sys.mmap(0, pageSize, 1, MAP_ANON | MAP_PRIVATE).value;
    const seen: unknown[] = [];
    process.sys.sigaction(SIGSEGV, function* (calls, signal) {
      seen.push([signal.signal, signal.code]);
      yield* calls.mprotect(va, pageSize, 3);
    });
    process.store32(va + 8, 7);
    expect(process.load32(va + 8)).toBe(7);
    process.sys.mprotect(va, pageSize, 1);
    machine.start(process, function* (t) {
      yield* t.store32(va + 8, 9);
    });
    machine.run();
    expect(process.load32(va + 8)).toBe(9);
    expect(seen).toEqual([
      [SIGSEGV, SEGV_ACCERR],
      [SIGSEGV, SEGV_ACCERR],
    ]);
  });
});

describe('a handler', () => {
  it('that mends nothing is called a hundred times, and then the signal kills', () => {
    const machine = boot();
    const parent = machine.spawn();
    let calls = 0;
    // oxlint-disable-next-line require-yield -- it does nothing but count
    parent.sys.sigaction(SIGSEGV, function* () {
      calls++;
    });
    expect(() => parent.load8(0)).toThrow(ProcessSignal);
    expect(calls).toBe(100);
    const { value: pid } = parent.sys.fork(function* (t) {
      yield* t.load8(0);
    });
    machine.run();
    expect(calls).toBe(200);
    expect(terminationSignal(parent.sys.wait4(pid).status)).toBe(SIGSEGV);
  });

  it('is not entered again by a fault of its own, and may leave by throwing', () => {
    const process = boot().spawn();
    process.sys.sigaction(SIGSEGV, function* (calls) {
      yield* calls.munmap(0, 0);
      process.load8(4);
    });
    expect(() => process.load8(0)).toThrow(/at 0x00000004/);
    // oxlint-disable-next-line require-yield -- it leaves at once
    process.sys.sigaction(SIGSEGV, function* () {
      throw new RangeError('longjmp');
    });
    expect(() => process.load8(0)).toThrow('longjmp');
  });

  it('passes to children, and not through exec; what is ignored stays ignored', () => {
    const machine = boot();
    const process = machine.spawn();
    let calls = 0;
    // oxlint-disable-next-line require-yield -- it does nothing but count
    process.sys.sigaction(SIGUSR1, function* () {
      calls++;
    });
    process.sys.sigaction(SIGTERM, SIG_IGN);
    const child = machine.processes.get(process.sys.fork().value)!;
    process.sys.kill(child.pid, SIGUSR1);
    child.sys.brk(child.space.dataAddress);
    expect(calls).toBe(1);
    child.sys.exec();
    process.sys.kill(child.pid, SIGTERM);
    machine.run();
    expect(child.state).toBe('running');
    process.sys.kill(child.pid, SIGUSR1);
    machine.run();
    expect(terminationSignal(process.sys.wait4(child.pid).status)).toBe(SIGUSR1);
    expect(calls).toBe(1);
  });

  it('interrupts a wait that may last for ever', () => {
    const machine = boot();
    const process = machine.spawn();
    process.sys.fork();
    const { value: fd } = process.sys.pipe();
    const va = process.sys.mmap(0, 4096, 3, MAP_ANON | MAP_PRIVATE).value;
    let handled = 0;
    // oxlint-disable-next-line require-yield -- it does nothing but count
    process.sys.sigaction(SIGUSR1, function* () {
      handled++;
    });
    const errors: number[] = [];
    machine.start(process, function* (t) {
      errors.push((yield* t.wait4()).error);
      errors.push((yield* t.read(fd, va, 1)).error);
      yield* t.sleep(1e12);
    });
    for (let i = 0; i < 3; i++) {
      machine.run();
      process.sys.kill(process.pid, SIGUSR1);
    }
    machine.run();
    expect(errors).toEqual([EINTR, EINTR]);
    expect(handled).toBeGreaterThan(1);
  });
});

describe('kill', () => {
  it('knows who is there and what is a signal', () => {
    const process = boot().spawn();
    expect(process.sys.kill(99, SIGTERM).error).toBe(ESRCH);
    expect(process.sys.kill(process.pid, 32).error).toBe(EINVAL);
    expect(process.sys.kill(process.pid, 0).error).toBe(0);
    expect(process.sys.sigaction(SIGKILL, SIG_IGN).error).toBe(EINVAL);
    expect(process.sys.sigaction(SIGSTOP, SIG_DFL).error).toBe(EINVAL);
    expect(process.sys.sigaction(0, SIG_DFL).error).toBe(EINVAL);
  });

  it('ends a process whatever its threads wait for', () => {
    const machine = boot();
    const parent = machine.spawn();
    const { value: pid } = parent.sys.fork();
    const child = machine.processes.get(pid)!;
    const { value: fd } = child.sys.pipe();
    for (let i = 0; i < 3; i++)
      machine.start(child, function* (t) {
        yield* t.read(fd, t.process.machine.md.port.layout.userStack - 8, 8);
      });
    machine.run();
    expect(child.threads.size).toBe(3);
    parent.sys.kill(pid, SIGKILL);
    expect(terminationSignal(parent.sys.wait4(pid).status)).toBe(SIGKILL);
    expect(child.state).toBe('dead');
  });

  it('stops a process and lets it go on, and its parent hears of it if it asks', () => {
    const machine = boot();
    const parent = machine.spawn();
    let steps = 0;
    const { value: pid } = parent.sys.fork(function* (t) {
      for (;;) {
        yield* t.sleep(1000);
        if (++steps === 20) yield* t.exit(3);
      }
    });
    parent.sys.kill(pid, SIGSTOP);
    machine.run();
    const before = steps;
    expect(parent.sys.wait4(pid, WNOHANG)).toMatchObject({ error: 0, value: 0 });
    expect(stopSignal(parent.sys.wait4(pid, WUNTRACED).status)).toBe(SIGSTOP);
    expect(parent.sys.wait4(pid, WUNTRACED | WNOHANG).value).toBe(0);
    machine.run();
    expect(steps).toBe(before);
    parent.sys.kill(pid, SIGCONT);
    const { status } = parent.sys.wait4(pid);
    expect([exitCode(status), terminationSignal(status), stopSignal(status)]).toEqual([3, 0, 0]);
    expect(steps).toBe(20);
  });

  it('tells a parent that has a handler of the end of its child', () => {
    const machine = boot();
    const parent = machine.spawn();
    const seen: number[] = [];
    // oxlint-disable-next-line require-yield -- it does nothing but note
    parent.sys.sigaction(SIGCHLD, function* (_, signal) {
      seen.push(signal.signal);
    });
    parent.sys.fork(function* (t) {
      yield* t.load8(0);
    });
    machine.run();
    expect(terminationSignal(parent.sys.wait4().status)).toBe(SIGSEGV);
    expect(seen).toEqual([SIGCHLD]);
    expect(SIGBUS).not.toBe(SIGSEGV);
  });
});

describe('a pipe', () => {
  it('carries bytes both ways, and ends when the other end is closed', () => {
    const machine = boot();
    const process = machine.spawn();
    const va = process.sys.mmap(0, 64 << 10, 3, MAP_ANON | MAP_PRIVATE).value;
    const { value: left, second: right } = process.sys.socketpair();
    process.writeBytes(va, Uint8Array.of(1, 2, 3));
    expect(process.sys.write(left, va, 3).value).toBe(3);
    expect(process.sys.write(right, va + 1, 2).value).toBe(2);
    expect(process.sys.read(right, va + 100, 2).value).toBe(2);
    expect(process.sys.read(right, va + 102, 9).value).toBe(1);
    expect([...process.readBytes(va + 100, 3)]).toEqual([1, 2, 3]);
    process.sys.close(right);
    expect(process.sys.read(left, va, 9).value).toBe(2);
    expect(process.sys.read(left, va, 9).value).toBe(0);
    process.sys.sigaction(13, SIG_IGN);
    expect(process.sys.write(left, va, 1).error).toBe(EPIPE);
  });

  it('holds 16 KB; who writes more waits for the reader', () => {
    const machine = boot();
    const process = machine.spawn();
    const va = process.sys.mmap(0, 128 << 10, 3, MAP_ANON | MAP_PRIVATE).value;
    const bytes = Uint8Array.from({ length: 64 << 10 }, (_, i) => i % 251);
    process.writeBytes(va, bytes);
    const { value: left, second: right } = process.sys.pipe();
    machine.start(process, function* (t) {
      expect((yield* t.write(left, va, bytes.length)).value).toBe(bytes.length);
    });
    machine.run();
    for (let done = 0; done < bytes.length;)
      done += process.sys.read(right, va + bytes.length + done, 5000).value;
    expect(process.readBytes(va + bytes.length, bytes.length)).toEqual(bytes);
  });
});

describe('vfork', () => {
  it('lends the child the space until it execs, and the parent sleeps meanwhile', () => {
    const machine = boot();
    const process = machine.spawn();
    const va = process.sys.mmap(0, 4096, 3, MAP_ANON | MAP_PRIVATE).value;
    const order: string[] = [];
    const { value: pid } = process.sys.vfork(function* (t) {
      yield* t.sleep(1_000_000);
      yield* t.store8(va, 5);
      order.push('child');
      yield* t.exec();
      yield* t.sleep(1_000_000);
      order.push('new image');
      yield* t.exit(4);
    });
    order.push('parent');
    expect(process.load8(va)).toBe(5);
    expect(machine.processes.get(pid)!.space).not.toBe(process.space);
    expect(exitCode(process.sys.wait4(pid).status)).toBe(4);
    expect(order).toEqual(['child', 'parent', 'new image']);
    expect(machine.uvm.exp).toMatchObject({ forks_ppwait: 1, forks_sharevm: 1 });
  });

  it('lets the parent go on when the child ends without exec', () => {
    const process = boot().spawn();
    const { value: pid } = process.sys.vfork(function* (t) {
      yield* t.load8(0);
    });
    expect(terminationSignal(process.sys.wait4(pid).status)).toBe(SIGSEGV);
    expect(process.space.refs).toBe(1);
  });
});
