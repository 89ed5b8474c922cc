import {
  ACCESS_USER,
  bootBare,
  PMAP_WIRED,
  TRAP_SETTLED,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { sun4c, srmmu } from './index.ts';

describe('the example of the README', () => {
  it('does what it says', () => {
    const machine = bootBare(sun4c());
    const { md } = machine;
    const map = md.pmap.create();
    md.pmap.activate(map);
    md.pmap.enter(map, 0x1000, machine.takePage(), VM_PROT_READ | VM_PROT_WRITE, VM_PROT_WRITE);
    expect(md.mmus[0]!.translate(0x1004, VM_PROT_WRITE | ACCESS_USER)).toBe(-1);
    expect(md.trap(0)).toBe(TRAP_SETTLED);
    expect(md.mmus[0]!.translate(0x1004, VM_PROT_WRITE | ACCESS_USER)).toBe(0x40004);
    expect(md.pmap.describe(map, 0x1000)).toBe(
      'segment 0x00000000 PMEG 1: PTE 0xc3000040 V W U M → obmem 0x00040000',
    );
  });
});

describe.each([sun4c(), srmmu()])('$name', (port) => {
  it('is a big-endian port of 4 KB pages whose kernel space lies above its users’', () => {
    const { layout, capabilities } = port;
    expect([layout.littleEndian, layout.pageSize, layout.pointerSize]).toEqual([false, 4096, 4]);
    expect(layout.userMax).toBe(layout.kernelMin);
    expect(capabilities.strictAlignment).toBe(true);
    const { start, end } = bootBare(port).md.pmap.virtualSpace();
    expect(start).toBeGreaterThan(layout.kernelMin);
    expect(end).toBe(layout.kernelMax);
  });

  it('counts no mapping of kenterPa, and keeps wired mappings when referenced is cleared, as it says', () => {
    const machine = bootBare(port);
    const { md } = machine;
    const { kenterCounted, clearReferenceWired } = port.capabilities;
    expect([kenterCounted, clearReferenceWired]).toEqual([false, 'keeps']);
    const before = [md.pmap.residentCount(0), md.pmap.wiredCount(0)];
    md.pmap.kenterPa(md.pmap.virtualSpace().start, machine.takePage(), VM_PROT_READ);
    expect([md.pmap.residentCount(0), md.pmap.wiredCount(0)]).toEqual(before);
    const [map, pa] = [md.pmap.create(), machine.takePage()];
    md.pmap.enter(map, 0x1000, pa, VM_PROT_READ, VM_PROT_READ | PMAP_WIRED);
    md.pmap.clearReference(pa);
    expect(md.pmap.extract(map, 0x1000)).toBe(pa);
  });

  it('counts nothing for what was not done', () => {
    const { md } = bootBare(port);
    expect(md.mmus[0]!.stats).toMatchObject({ lookups: 0, misses: 0, faults: 0 });
    expect(Object.keys(md.mmus[0]!.registers()).length).toBeGreaterThan(3);
  });
});
