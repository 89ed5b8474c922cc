import { EINVAL, EMFILE, ENOMEM, EPERM } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { MAP_ANON, MAP_PRIVATE } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { RLIM_INFINITY, RLIMIT_AS, RLIMIT_DATA, RLIMIT_NOFILE, RLIMIT_STACK } from './limits.ts';
import { Machine, type MachineOptions, type SpawnOptions } from './machine.ts';
import { ProcessSignal } from './signal.ts';

const PAGE = 4096;

function spawn(options: SpawnOptions = {}, machine: Partial<MachineOptions> = {}) {
  return new Machine({ port: i386(), memory: 8 << 20, ...machine }).spawn(options);
}

describe('a limit', () => {
  it('is told, and changed within its hard limit', () => {
    const process = spawn({ limits: { data: 1 << 20 } });
    const { hard } = process.sys.getrlimit(RLIMIT_DATA);
    expect(process.sys.getrlimit(RLIMIT_DATA)).toEqual({ error: 0, value: 0, soft: 1 << 20, hard });
    expect(process.sys.setrlimit(RLIMIT_DATA, { soft: 4 * PAGE, hard: 8 * PAGE }).error).toBe(0);
    expect(process.sys.setrlimit(RLIMIT_DATA, { soft: 8 * PAGE, hard: 8 * PAGE }).error).toBe(0);
    expect(process.sys.setrlimit(RLIMIT_DATA, { soft: PAGE, hard: 9 * PAGE }).error).toBe(EPERM);
    expect(process.sys.setrlimit(RLIMIT_DATA, { soft: 9 * PAGE, hard: 8 * PAGE }).error).toBe(
      EINVAL,
    );
    expect(process.sys.setrlimit(99, { soft: 1, hard: 1 }).error).toBe(EINVAL);
    expect(process.sys.getrlimit(99).error).toBe(EINVAL);
  });

  it('may be raised by the superuser, but not beyond what the port has room for', () => {
    const process = spawn({ superuser: true });
    const lots = { soft: RLIM_INFINITY, hard: RLIM_INFINITY };
    expect(process.sys.setrlimit(RLIMIT_DATA, lots).error).toBe(0);
    expect(process.sys.getrlimit(RLIMIT_DATA).soft).toBe(i386().layout.maxDataSize);
  });

  it('of data holds for the heap and for private memory', () => {
    const process = spawn({ limits: { data: 16 * PAGE } });
    expect(process.sys.mmap(0, 17 * PAGE, 3, MAP_ANON | MAP_PRIVATE).error).toBe(ENOMEM);
    expect(process.sys.mmap(0, 16 * PAGE, 3, MAP_ANON | MAP_PRIVATE).error).toBe(0);
    const { dataAddress } = process.space;
    expect(process.sys.brk(dataAddress + 17 * PAGE).error).toBe(ENOMEM);
    expect(process.sys.brk(dataAddress + 16 * PAGE).error).toBe(0);
  });

  it('of the stack opens and closes a part of it at once', () => {
    const process = spawn({ limits: { stack: 4 * PAGE } });
    const { userStack } = i386().layout;
    const deep = userStack - 6 * PAGE;
    process.store8(userStack - 4 * PAGE, 1);
    expect(() => process.store8(deep, 1)).toThrow(ProcessSignal);
    const { hard } = process.sys.getrlimit(RLIMIT_STACK);
    expect(process.sys.setrlimit(RLIMIT_STACK, { soft: 8 * PAGE, hard }).error).toBe(0);
    process.store8(deep, 2);
    expect(process.sys.setrlimit(RLIMIT_STACK, { soft: 5 * PAGE, hard }).error).toBe(0);
    expect(() => process.load8(deep)).toThrow(ProcessSignal);
    expect(process.load8(userStack - 4 * PAGE)).toBe(1);
    expect(process.sys.setrlimit(RLIMIT_STACK, { soft: 8 * PAGE, hard }).error).toBe(0);
    expect(process.load8(deep)).toBe(2);
  });

  it('of descriptors holds for every call that makes one', () => {
    const process = spawn({ limits: { files: 3 } });
    expect(process.sys.pipe()).toEqual({ error: 0, value: 0, second: 1 });
    expect(process.sys.pipe()).toEqual({ error: EMFILE, value: -1, second: -1 });
    expect(process.sys.dup(0).value).toBe(2);
    expect(process.sys.dup(0).error).toBe(EMFILE);
    expect(process.sys.open('/dev/null', 0).error).toBe(EMFILE);
    expect(process.sys.setrlimit(RLIMIT_NOFILE, { soft: 4, hard: 4 }).error).toBe(0);
    expect(process.sys.open('/dev/null', 0).value).toBe(3);
  });

  it('of the address space was unknown in 2001, and is posix', () => {
    expect(spawn().sys.getrlimit(RLIMIT_AS).error).toBe(EINVAL);
    const process = spawn({}, { profile: 'posix' });
    const now = process.space.map.size;
    const soft = now + 4 * PAGE;
    expect(process.sys.setrlimit(RLIMIT_AS, { soft, hard: RLIM_INFINITY }).error).toBe(0);
    expect(process.sys.mmap(0, 5 * PAGE, 3, MAP_ANON | MAP_PRIVATE).error).toBe(ENOMEM);
    expect(process.sys.mmap(0, 4 * PAGE, 3, MAP_ANON | MAP_PRIVATE).error).toBe(0);
  });

  it('passes to children', () => {
    const process = spawn({ limits: { memlock: 5 * PAGE } });
    const child = process.machine.processes.get(process.sys.fork().value)!;
    expect(child.limits).toEqual(process.limits);
    expect(child.hardLimits).toEqual(process.hardLimits);
  });
});
