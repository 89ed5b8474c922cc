import { EACCES, EFAULT, EINVAL, EIO, ENOMEM, ENOSPC } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { MAP_ANON, MAP_PRIVATE, MAP_SHARED } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { O_RDONLY, O_RDWR } from './open-file.ts';
import { Machine, type MachineOptions } from './machine.ts';
import { terminationSignal } from './process-calls.ts';
import {
  BUS_ADRERR,
  BUS_OBJERR,
  ProcessSignal,
  SEGV_ACCERR,
  SEGV_MAPERR,
  SIGBUS,
  SIGKILL,
  SIGSEGV,
} from './signal.ts';

function boot(options: Partial<MachineOptions> = {}): Machine {
  return new Machine({ port: i386(), memory: 8 << 20, ...options });
}

function signalOf(call: () => unknown): ProcessSignal {
  try {
    call();
  } catch (error) {
    if (error instanceof ProcessSignal) return error;
    throw error;
  }
  throw new Error('the access got no signal');
}

describe.each([
  ['netbsd-2001', SIGSEGV, SEGV_MAPERR, SEGV_MAPERR],
  ['posix', SIGBUS, BUS_ADRERR, BUS_OBJERR],
] as const)('the profile %s', (profile, signal, pastEnd, failed) => {
  it('sends SIGSEGV for what is not mapped or not allowed', () => {
    const process = boot({ profile }).spawn();
    const { value: va } = process.sys.mmap(0, 4096, 1, MAP_ANON | MAP_PRIVATE);
    expect(signalOf(() => process.load8(0))).toMatchObject({
      signal: SIGSEGV,
      code: SEGV_MAPERR,
      errno: EFAULT,
    });
    expect(signalOf(() => process.store8(va + 3, 1))).toMatchObject({
      pid: process.pid,
      signal: SIGSEGV,
      code: SEGV_ACCERR,
      va: va + 3,
      access: 2,
      errno: EACCES,
    });
  });

  it('has its own signal for a page behind the end of a file', () => {
    const machine = boot({ profile, blockSize: 512 });
    machine.fs.create('f', new Uint8Array(100).fill(1));
    const process = machine.spawn();
    const { value: fd } = process.sys.open('f', O_RDONLY);
    const { value: va } = process.sys.mmap(0, 8192, 1, MAP_SHARED, fd, 0);
    expect(process.load8(va + 99)).toBe(1);
    expect(process.load8(va + 4095)).toBe(0);
    expect(signalOf(() => process.load8(va + 4096))).toMatchObject({
      signal,
      code: pastEnd,
      errno: EINVAL,
    });
  });

  it('has its own signal for a page whose read failed', () => {
    const machine = boot({ profile });
    machine.fs.create('f', new Uint8Array(4096));
    machine.disk.failure = () => EIO;
    const process = machine.spawn();
    const { value: fd } = process.sys.open('f', O_RDONLY);
    const { value: va } = process.sys.mmap(0, 4096, 1, MAP_SHARED, fd, 0);
    expect(signalOf(() => process.load8(va))).toMatchObject({ signal, code: failed, errno: EIO });
    machine.disk.failure = null;
    expect(process.load8(va)).toBe(0);
  });

  it('has its own signal for a store over a hole of a full disk', () => {
    const machine = boot({ profile, disk: { size: 8192 } });
    machine.fs.create('full', new Uint8Array(8192));
    machine.fs.create('f', 4096);
    const process = machine.spawn();
    const { value: fd } = process.sys.open('f', O_RDWR);
    const { value: va } = process.sys.mmap(0, 4096, 3, MAP_SHARED, fd, 0);
    expect(process.load8(va)).toBe(0);
    expect(signalOf(() => process.store8(va, 1))).toMatchObject({
      signal,
      code: failed,
      errno: ENOSPC,
    });
    expect(process.load8(va)).toBe(0);
  });
});

describe('a signal', () => {
  it('says in one line who, what and where', () => {
    const process = boot().spawn();
    expect(signalOf(() => process.store8(0x1234, 1)).message).toBe(
      'process 1 got SIGSEGV (code 1) for -w- at 0x00001234: EFAULT',
    );
  });

  it('leaves a process that plain calls drive as it was', () => {
    const process = boot().spawn();
    expect(() => process.load8(0)).toThrow(ProcessSignal);
    expect(process.state).toBe('running');
    const { value: va } = process.sys.mmap(0, 4096, 3, MAP_ANON | MAP_PRIVATE);
    process.store8(va, 1);
    expect(process.load8(va)).toBe(1);
  });

  it('is reported as an event', () => {
    const machine = boot();
    const process = machine.spawn();
    const seen: unknown[] = [];
    machine.events.watch((name, ...fields) => {
      if (name === 'proc.signal') seen.push(fields.slice(0, 4));
    });
    expect(() => process.load8(0x5000)).toThrow(ProcessSignal);
    expect(seen).toEqual([[process.pid, SIGSEGV, SEGV_MAPERR, 0x5000]]);
  });

  it('is SIGKILL when memory and swap are used up, and the memory is free again', () => {
    const lines: string[] = [];
    const machine = boot({ memory: 4 << 20, print: (line) => lines.push(line) });
    const { free } = machine.uvm.exp;
    const process = machine.spawn();
    const { value: va } = process.sys.mmap(0, 8 << 20, 3, MAP_ANON | MAP_PRIVATE);
    const signal = signalOf(() => {
      for (let at = 0; at < 8 << 20; at += 4096) process.store8(va + at, 1);
    });
    expect(signal).toMatchObject({ signal: SIGKILL, errno: ENOMEM });
    expect(lines).toEqual(['UVM: pid 1 killed: out of swap']);
    expect(process.state).toBe('dead');
    expect(terminationSignal(process.status)).toBe(SIGKILL);
    expect(machine.uvm.exp.free).toBe(free);
    expect(() => process.load8(va)).toThrow(/process 1 has ended/);
    expect(machine.panic).toBeNull();
    const next = machine.spawn();
    const again = next.sys.mmap(0, 4096, 3, MAP_ANON | MAP_PRIVATE);
    next.store8(again.value, 1);
    expect(next.load8(again.value)).toBe(1);
  });
});
