import { ACCESS_USER, bootBare, PhysicalMemory, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { sv32, sv39 } from './index.ts';

it('the example of the README does what it says', () => {
  const machine = bootBare(sv39());
  const { pmap, mmus } = machine.md;
  const map = pmap.create();
  pmap.activate(map);
  const page = machine.takePage();
  pmap.enter(map, 0x1000, page, VM_PROT_READ | VM_PROT_WRITE, VM_PROT_READ);
  expect(mmus[0]!.translate(0x1234, VM_PROT_WRITE | ACCESS_USER)).toBe(page + 0x234);
  expect(pmap.describe(map, 0x1000)).toBe(
    'level 0 PTE 0x0000000000002ed7 V R W U A D PVLIST → 0x0000b000',
  );
});

describe.each([sv32, sv39])('%o', (make) => {
  it('says what it can do', () => {
    const bits = make === sv32 ? 9 : 16;
    expect(make().capabilities).toMatchObject({
      execute: 'page',
      referenced: 'hardware',
      modified: 'hardware',
      addressSpaceTags: 2 ** bits,
      scarceTables: false,
    });
    const told = make({ accessedDirty: 'software', asidBits: 0, pvEntries: 3 }).capabilities;
    expect(told).toMatchObject({
      referenced: 'software',
      modified: 'software',
      addressSpaceTags: 0,
      scarceTables: true,
    });
  });

  it('refuses memory that is not in pages of 4 KB', () => {
    const port = make();
    const memory = new PhysicalMemory(8 << 20, 8192);
    const { md: _md, ...bare } = bootBare(port);
    expect(() =>
      port.boot({
        memory,
        cpus: 1,
        events: bare.events,
        diagnostic: true,
        steal: () => 0,
        print: () => {},
      }),
    ).toThrow(`${port.name} has pages of 4096 bytes, the memory given has 8192`);
  });
});

it('a machine of Sv32 whose memory has no room beside the kernel has no direct map', () => {
  expect(bootBare(sv32(), { memory: 512 << 20 }).md.pmap.mapPoolPage).not.toBeNull();
  expect(bootBare(sv32(), { memory: (512 << 20) + 4096 }).md.pmap.mapPoolPage).toBeNull();
  expect(bootBare(sv39(), { memory: (512 << 20) + 4096 }).md.pmap.mapPoolPage).not.toBeNull();
});
