import { EACCES, EINVAL } from '@uvmkit/pmap';
import { MAP_PRIVATE, MAP_SHARED } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { PORTS } from '../test/ports.ts';
import { checkMachine } from './check.ts';
import { Machine } from './machine.ts';
import { O_RDONLY, O_RDWR } from './open-file.ts';

describe.each(PORTS)('a mapped device on %s', (_, port) => {
  it('shows its own frames to everyone, whatever kind of mapping they asked for', () => {
    const { pageSize } = port().layout;
    const size = 4 * pageSize;
    const machine = new Machine({ port: port(), memory: 16 << 20, deviceMemory: size });
    const { deviceMemory, memory, md } = machine;
    const unit = md.pmap.physAddress(1);
    machine.devices.set('/dev/fb', {
      mmap: (offset) => (offset < size ? (deviceMemory + offset) / unit : -1),
    });
    const [first, second] = [machine.spawn(), machine.spawn()];
    const fd = first.sys.open('/dev/fb', O_RDWR).value;
    const a = first.sys.mmap(0, size, 3, MAP_PRIVATE, fd).value;
    const b = second.sys.mmap(
      0,
      pageSize,
      1,
      0,
      second.sys.open('/dev/fb', O_RDONLY).value,
      pageSize,
    );
    first.store32(a + pageSize + 4, 0x01020304);
    expect(second.load32(b.value + 4)).toBe(0x01020304);
    expect(first.touch(a + 2 * pageSize, 1)).toBe(deviceMemory + 2 * pageSize);
    md.syncForDevice?.(deviceMemory + pageSize, pageSize);
    expect(memory.bytes[deviceMemory + pageSize + (port().layout.littleEndian ? 4 : 7)]).toBe(4);
    const child = machine.processes.get(first.sys.fork().value)!;
    child.store8(a, 9);
    expect(first.load8(a)).toBe(9);
    expect(checkMachine(machine)).toEqual([]);
    for (const process of [child, first, second]) process.sys.exit();
    expect(machine.uvm.devices.size).toBe(0);
  });

  it('refuses rights and pages that it does not give', () => {
    const machine = new Machine({ port: port(), memory: 16 << 20 });
    const { pageSize } = machine.md.port.layout;
    machine.devices.set('/dev/none', { mmap: () => -1 });
    const process = machine.spawn();
    const fd = process.sys.open('/dev/none', O_RDONLY).value;
    expect(process.sys.mmap(0, pageSize, 3, MAP_SHARED, fd).error).toBe(EACCES);
    expect(process.sys.mmap(0, pageSize, 1, MAP_SHARED, fd).error).toBe(EINVAL);
    expect(process.sys.mmap(0, 0, 1, MAP_SHARED, fd).error).toBe(0);
    expect(() => new Machine({ port: port(), deviceMemory: 5 })).toThrow(RangeError);
  });
});
