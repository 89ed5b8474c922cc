import { EACCES, EEXIST, EINVAL, ENOENT } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { PORTS } from '../test/ports.ts';
import { checkMachine } from './check.ts';
import { Machine } from './machine.ts';
import {
  IPC_CREAT,
  IPC_EXCL,
  IPC_PRIVATE,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  SHM_RDONLY,
} from './shm.ts';
import { ProcessSignal } from './signal.ts';

describe.each(PORTS)('shared memory on %s', (_, port) => {
  const boot = (): Machine => new Machine({ port: port(), memory: 16 << 20 });

  it('is one memory to everyone who attaches it, wherever', () => {
    const machine = boot();
    const { pageSize } = machine.md.port.layout;
    const [first, second] = [machine.spawn(), machine.spawn()];
    const { value: id } = first.sys.shmget(7, 4 * pageSize, IPC_CREAT | 0o600);
    expect(second.sys.shmget(7, pageSize, 0o600).value).toBe(id);
    const a = first.sys.shmat(id).value;
    const b = second.sys.shmat(id).value;
    first.store32(a + pageSize, 77);
    expect(second.load32(b + pageSize)).toBe(77);
    const child = machine.processes.get(first.sys.fork().value)!;
    child.store32(a, 88);
    expect(second.load32(b)).toBe(88);
    expect(first.sys.shmctl(id, IPC_STAT).status).toMatchObject({ attached: 3, key: 7 });
    expect(checkMachine(machine)).toEqual([]);
  });

  it('goes with its last attachment once it is removed, and not before', () => {
    const machine = boot();
    const { pageSize } = machine.md.port.layout;
    const process = machine.spawn();
    const { free } = machine.uvm.exp;
    const { value: id } = process.sys.shmget(IPC_PRIVATE, 8 * pageSize, 0o600);
    const va = process.sys.shmat(id).value;
    for (let i = 0; i < 8; i++) process.store8(va + i * pageSize, i + 1);
    expect(process.sys.shmctl(id, IPC_RMID).error).toBe(0);
    expect(process.load8(va + 7 * pageSize)).toBe(8);
    expect(process.sys.shmat(id).error).toBe(EINVAL);
    expect(process.sys.shmdt(va).error).toBe(0);
    expect(() => process.load8(va)).toThrow(ProcessSignal);
    expect(process.sys.shmdt(va).error).toBe(EINVAL);
    expect(machine.shm.count).toBe(0);
    expect(machine.uvm.exp.free).toBeGreaterThanOrEqual(free - 2);
    expect(machine.uvm.aobjs.size).toBeLessThanOrEqual(1);
  });
});

describe('shared memory', () => {
  const boot = (): Machine => new Machine({ port: PORTS[1]![1](), memory: 8 << 20 });

  it('is found, made or refused as flags, size and mode say', () => {
    const machine = boot();
    const process = machine.spawn();
    expect(process.sys.shmget(1, 4096, 0).error).toBe(ENOENT);
    expect(process.sys.shmget(1, 0, IPC_CREAT).error).toBe(EINVAL);
    expect(process.sys.shmget(1, 2 ** 30, IPC_CREAT).error).toBe(EINVAL);
    const { value: id } = process.sys.shmget(1, 5000, IPC_CREAT | 0o400);
    expect(process.sys.shmget(1, 4096, IPC_CREAT | IPC_EXCL).error).toBe(EEXIST);
    expect(process.sys.shmget(1, 9000, 0).error).toBe(EINVAL);
    expect(process.sys.shmat(id).error).toBe(EACCES);
    const va = process.sys.shmat(id, 0, SHM_RDONLY).value;
    expect(process.load8(va + 8191)).toBe(0);
    expect(() => process.store8(va, 1)).toThrow(ProcessSignal);
    expect(process.sys.shmctl(id, IPC_SET, 0o600).error).toBe(0);
    const at = process.sys.shmat(id, va + (1 << 20)).value;
    expect(at).toBe(va + (1 << 20));
    process.store8(at, 9);
    expect(process.load8(va)).toBe(9);
    expect(process.sys.shmat(id, 17).error).toBe(EINVAL);
    expect(process.sys.shmat(99).error).toBe(EINVAL);
    expect(process.sys.shmctl(99, IPC_STAT).error).toBe(EINVAL);
    expect(process.sys.shmctl(id, 77).error).toBe(EINVAL);
  });

  it('is left behind by exec and by exit', () => {
    const machine = boot();
    const process = machine.spawn();
    const { value: id } = process.sys.shmget(1, 4096, IPC_CREAT | 0o600);
    const va = process.sys.shmat(id).value;
    process.store8(va, 3);
    const child = machine.processes.get(process.sys.fork().value)!;
    child.sys.exec();
    const status = () => process.sys.shmctl(id, IPC_STAT).status!.attached;
    expect(status()).toBe(1);
    child.sys.exit();
    process.sys.exec();
    expect(status()).toBe(0);
    expect(process.load8(process.sys.shmat(id).value)).toBe(3);
  });
});
