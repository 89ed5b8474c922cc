import { EBUSY, EFAULT, EINVAL, ENOENT, EPERM, ESRCH } from '@uvmkit/pmap';
import { MAP_ANON, MAP_PRIVATE, MAP_SHARED } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { PORTS } from '../test/ports.ts';
import { checkMachine } from './check.ts';
import { Machine } from './machine.ts';
import { O_RDONLY, O_RDWR } from './open-file.ts';
import { exitCode, stopSignal, terminationSignal } from './process-calls.ts';
import {
  PIOD_READ_D,
  PIOD_WRITE_D,
  PT_ATTACH,
  PT_CONTINUE,
  PT_DETACH,
  PT_KILL,
  PT_READ_D,
  PT_TRACE_ME,
  PT_WRITE_D,
} from './ptrace.ts';
import { SIGKILL, SIGSEGV, SIGSTOP } from './signal.ts';

function setup(port = PORTS[1]![1]()) {
  const machine = new Machine({ port, memory: 16 << 20 });
  const { pageSize } = port.layout;
  machine.fs.create('lib', new Uint8Array(2 * pageSize).fill(0x11));
  const tracer = machine.spawn();
  const target = machine.spawn();
  const fd = target.sys.open('lib', O_RDONLY).value;
  const text = target.sys.mmap(0, 2 * pageSize, 5, MAP_PRIVATE, fd).value;
  const data = target.sys.mmap(0, 4 * pageSize, 3, MAP_ANON | MAP_PRIVATE).value;
  const buffer = tracer.sys.mmap(0, 16 * pageSize, 3, MAP_ANON | MAP_PRIVATE).value;
  return { machine, pageSize, tracer, target, fd, text, data, buffer };
}

describe.each(PORTS)('a tracer on %s', (_, port) => {
  it('reads and writes words and blocks, read-only private text too, and the file stays', () => {
    const { machine, pageSize, tracer, target, text, data, buffer } = setup(port());
    const { pid } = target;
    target.store32(data + pageSize, 0x12345678);
    expect(tracer.sys.ptrace(PT_READ_D, pid, data).error).toBe(EPERM);
    expect(tracer.sys.ptrace(PT_ATTACH, pid).error).toBe(0);
    expect(stopSignal(tracer.sys.wait4(pid).status)).toBe(SIGSTOP);
    expect(tracer.sys.ptrace(PT_READ_D, pid, data + pageSize).value).toBe(0x12345678);
    expect(tracer.sys.ptrace(PT_WRITE_D, pid, text + pageSize - 2, 0xcafebabe).error).toBe(0);
    tracer.writeBytes(buffer, new Uint8Array(3 * pageSize).fill(0x5a));
    const length = 3 * pageSize;
    const write = { op: PIOD_WRITE_D, offset: data + 100, addr: buffer, length };
    expect(tracer.sys.ptraceIo(pid, write).value).toBe(length);
    const read = { op: PIOD_READ_D, offset: data, addr: buffer + 8 * pageSize, length };
    expect(tracer.sys.ptraceIo(pid, read).value).toBe(length);
    expect(tracer.load8(buffer + 8 * pageSize + 99)).toBe(0);
    expect(tracer.load8(buffer + 8 * pageSize + 100)).toBe(0x5a);
    expect(tracer.sys.ptrace(PT_DETACH, pid).error).toBe(0);
    expect(target.load32(text + pageSize - 2)).toBe(0xcafebabe);
    expect(target.load8(data + 3 * pageSize)).toBe(0x5a);
    expect([...machine.fs.lookup('lib')!.onDisk(pageSize - 2, 4)]).toEqual([17, 17, 17, 17]);
    expect(checkMachine(machine)).toEqual([]);
  });
});

describe('ptrace', () => {
  it('refuses what is not the caller’s to trace, not stopped or not there', () => {
    const { machine, tracer, target, data } = setup();
    const { pid } = target;
    const other = machine.spawn();
    expect(tracer.sys.ptrace(PT_ATTACH, 99).error).toBe(ESRCH);
    expect(tracer.sys.ptrace(PT_ATTACH, tracer.pid).error).toBe(EINVAL);
    expect(tracer.sys.ptrace(PT_ATTACH, machine.spawn({ superuser: true }).pid).error).toBe(EPERM);
    expect(tracer.sys.ptrace(PT_ATTACH, pid).error).toBe(0);
    expect(other.sys.ptrace(PT_ATTACH, pid).error).toBe(EBUSY);
    expect(other.sys.ptrace(PT_READ_D, pid, data).error).toBe(EBUSY);
    expect(tracer.sys.ptrace(PT_READ_D, pid, 8).error).toBe(EINVAL);
    expect(tracer.sys.ptrace(77, pid).error).toBe(EINVAL);
    expect(tracer.sys.ptrace(PT_CONTINUE, pid, 0, 99).error).toBe(EINVAL);
    expect(tracer.sys.ptrace(PT_CONTINUE, pid).error).toBe(0);
    expect(tracer.sys.ptrace(PT_READ_D, pid, data).error).toBe(EBUSY);
    expect(tracer.sys.ptrace(PT_KILL, pid).error).toBe(0);
    expect(terminationSignal(tracer.sys.wait4(pid).status)).toBe(SIGKILL);
  });

  it('cannot write to a shared mapping of a file that was open for reading only', () => {
    const { pageSize, tracer, target, fd } = setup();
    const { value: va } = target.sys.mmap(0, pageSize, 1, MAP_SHARED, fd);
    tracer.sys.ptrace(PT_ATTACH, target.pid);
    expect(tracer.sys.ptrace(PT_WRITE_D, target.pid, va, 1).error).toBe(EFAULT);
    expect(tracer.sys.ptrace(PT_READ_D, target.pid, va).value).toBe(0x11111111);
  });

  it('stops a child at its own signals, and the tracer mends or kills it', () => {
    const { pageSize, tracer } = setup();
    const va = tracer.sys.mmap(0, pageSize, 3, MAP_ANON | MAP_PRIVATE).value;
    const { value: pid } = tracer.sys.fork(function* (t) {
      yield* t.ptrace(PT_TRACE_ME, 0);
      yield* t.mprotect(va, pageSize, 1);
      yield* t.store8(va, 4);
      yield* t.exit(yield* t.load8(va));
    });
    expect(stopSignal(tracer.sys.wait4(pid).status)).toBe(SIGSEGV);
    expect(tracer.sys.ptrace(PT_WRITE_D, pid, va, 0).error).toBe(0);
    expect(tracer.sys.ptrace(PT_CONTINUE, pid).error).toBe(0);
    expect(stopSignal(tracer.sys.wait4(pid).status)).toBe(SIGSEGV);
    expect(tracer.sys.ptrace(PT_CONTINUE, pid, 0, SIGSEGV).error).toBe(0);
    const { status } = tracer.sys.wait4(pid);
    expect([terminationSignal(status), exitCode(status)]).toEqual([SIGSEGV, 0]);
  });

  it('kills what is traced when the tracer ends, and its parent buries it', () => {
    const { machine, tracer, target } = setup();
    const { value: pid } = target.sys.fork();
    expect(tracer.sys.ptrace(PT_ATTACH, pid).error).toBe(0);
    tracer.sys.exit();
    machine.run();
    expect(terminationSignal(target.sys.wait4(pid).status)).toBe(SIGKILL);
  });
});

describe('/proc', () => {
  it('has every process’ memory as a file', () => {
    const { pageSize, tracer, target, text, data, buffer } = setup();
    expect(tracer.sys.open('/proc/99/mem', O_RDONLY).error).toBe(ENOENT);
    const { value: fd } = tracer.sys.open(`/proc/${target.pid}/mem`, O_RDWR);
    tracer.writeBytes(buffer, Uint8Array.of(1, 2, 3, 4));
    expect(tracer.sys.pwrite(fd, buffer, 4, text + 10).value).toBe(4);
    expect([...target.readBytes(text + 9, 6)]).toEqual([17, 1, 2, 3, 4, 17]);
    expect(tracer.sys.lseek(fd, data + 4 * pageSize - 2, 0).error).toBe(0);
    expect(tracer.sys.read(fd, buffer, 2).value).toBe(2);
    expect(tracer.sys.read(fd, buffer, 2).error).toBe(EINVAL);
  });
});
