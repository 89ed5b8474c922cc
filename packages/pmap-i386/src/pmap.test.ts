import {
  ACCESS_USER,
  EventStream,
  FAULT,
  NO_PA,
  NO_PMAP,
  PMAP_KERNEL,
  PMAP_WIRED,
  PhysicalMemory,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { checkPmap, pteOf } from '../test/check.ts';
import { boot, VARIANTS } from '../test/rig.ts';
import { i386 } from './port.ts';
import {
  APDP_BASE,
  KERNBASE,
  NBPD,
  NBPG,
  PDP_BASE,
  VM_MAX_KERNEL_ADDRESS,
  VM_MAXUSER_ADDRESS,
} from './vmparam.ts';

const R = VM_PROT_READ;
const RW = VM_PROT_READ | VM_PROT_WRITE;
const USER = ACCESS_USER;
const PA = 0x345000;
const PA2 = 0x346000;
const VA = 0x1000;
const KVA = 0xc0200000;

describe.each(VARIANTS)('entry points of the %s pmap', (variant) => {
  it('enter refuses with the panics of a DIAGNOSTIC kernel', () => {
    const { pmap } = boot({ variant });
    const id = pmap.create();
    expect(() => pmap.enter(id, PDP_BASE, PA, RW, 0)).toThrow(/trying to map over PDP\/APDP/);
    expect(() => pmap.enter(0, APDP_BASE, PA, RW, 0)).toThrow(/trying to map over PDP\/APDP/);
    expect(() => pmap.enter(0, VM_MAX_KERNEL_ADDRESS, PA, RW, 0)).toThrow(/pmap_enter: too big/);
    expect(() => pmap.enter(0, 0xc1000000, PA, RW, 0)).toThrow(/pmap_enter: missing kernel PTP/);
  });

  it('refuses what no caller may ask', () => {
    const { pmap } = boot({ variant });
    const id = pmap.create();
    expect(() => pmap.enter(id, VM_MAXUSER_ADDRESS, PA, RW, 0)).toThrow(RangeError);
    expect(() => pmap.enter(0, VA, PA, RW, 0)).toThrow(RangeError);
    expect(() => pmap.enter(id, VA, PA + 1, RW, 0)).toThrow(RangeError);
    expect(() => pmap.enter(99, VA, PA, RW, 0)).toThrow(new RangeError('there is no pmap 99'));
    expect(() => pmap.destroy(PMAP_KERNEL)).toThrow(RangeError);
    expect(() => pmap.kenterPa(VA, PA, RW)).toThrow(RangeError);
    expect(() => pmap.growKernel(VM_MAX_KERNEL_ADDRESS + 1)).toThrow(RangeError);
  });

  it('a page entered with NONE is out of the reach of the process', () => {
    const { md, pmap } = boot({ variant });
    const id = pmap.create();
    pmap.enter(id, VA, PA, R, 0);
    pmap.activate(id);
    expect(md.mmus[0]!.translate(VA, R | USER)).toBe(PA);
    pmap.enter(id, VA, PA, VM_PROT_NONE, 0);
    expect(md.mmus[0]!.translate(VA, R | USER)).toBe(FAULT);
    pmap.enter(id, VA, PA, VM_PROT_EXECUTE, 0);
    expect(md.mmus[0]!.translate(VA, VM_PROT_EXECUTE | USER)).toBe(PA);
  });

  const PROTS = [R, RW, VM_PROT_ALL, VM_PROT_EXECUTE];
  const orders = PROTS.flatMap((first) =>
    PROTS.flatMap((second) => [0, PMAP_WIRED].map((wired) => ({ first, second, wired }))),
  );

  it.each(orders)(
    'the access named in enter succeeds next: $first then $second, wired $wired',
    (o) => {
      const { md, pmap } = boot({ variant });
      const id = pmap.create();
      pmap.activate(id);
      const mmu = md.mmus[0]!;
      for (const prot of [o.first, o.second]) {
        pmap.enter(id, VA, PA, prot, o.wired | prot);
        const write = mmu.translate(VA, VM_PROT_WRITE | USER);
        expect(write).toBe((prot & VM_PROT_WRITE) === 0 ? FAULT : PA);
        const others = [VM_PROT_READ, VM_PROT_EXECUTE].filter((access) => (prot & access) !== 0);
        expect(others.every((access) => mmu.translate(VA, access | USER) === PA)).toBe(true);
      }
    },
  );

  it('extract answers for every valid mapping, byte by byte, and for nothing else', () => {
    const { pmap } = boot({ variant });
    const id = pmap.create();
    pmap.enter(id, VA, PA, R, 0);
    pmap.kenterPa(KVA, 0x700000, R);
    expect(pmap.extract(id, VA + 0x123)).toBe(PA + 0x123);
    expect(pmap.extract(id, KVA)).toBe(0x700000);
    expect(pmap.extract(PMAP_KERNEL, KVA + 1)).toBe(0x700001);
    expect(pmap.extract(PMAP_KERNEL, KERNBASE)).toBe(0);
    expect(pmap.extract(id, 0x3000)).toBe(NO_PA);
    expect(pmap.extract(id, 0x00800000)).toBe(NO_PA);
  });

  it("with extract 'pde', it answers for an unmapped page of a table, which unwire then panics at", () => {
    const { pmap } = boot({ variant, extract: 'pde' });
    const id = pmap.create();
    pmap.enter(id, VA, PA, R, 0);
    expect(pmap.extract(id, 0x3000)).not.toBe(NO_PA);
    expect(() => pmap.unwire(id, 0x3000)).toThrow(/invalid \(unmapped\)/);
    expect(pmap.extract(id, 0x00800000)).toBe(NO_PA);
  });

  it('referenced and modified outlive the mappings, and are cleared once', () => {
    const { bare, md, pmap } = boot({ variant });
    const id = pmap.create();
    pmap.activate(id);
    pmap.enter(id, VA, PA, RW, 0);
    pmap.enter(id, 0x7000, PA, RW, 0);
    expect([pmap.isReferenced(PA), pmap.isModified(PA)]).toEqual([false, false]);
    md.mmus[0]!.translate(0x7000, R | USER);
    expect([pmap.isReferenced(PA), pmap.isModified(PA)]).toEqual([true, false]);
    md.mmus[0]!.translate(VA, VM_PROT_WRITE | USER);
    pmap.remove(id, 0, 0x10000);
    expect([pmap.isReferenced(PA), pmap.isModified(PA)]).toEqual([true, true]);
    expect([pmap.clearModify(PA), pmap.clearModify(PA)]).toEqual([true, false]);
    expect([pmap.isReferenced(PA), pmap.isModified(PA)]).toEqual([true, false]);
    expect([pmap.clearReference(PA), pmap.clearReference(PA)]).toEqual([true, false]);
    checkPmap(bare);
  });

  it.each(['clearModify', 'clearReference'] as const)(
    '%s leaves the other attribute, and the next access sets it again whatever a TLB holds',
    (clear) => {
      const { md, pmap } = boot({ variant });
      const id = pmap.create();
      pmap.activate(id);
      pmap.enter(id, VA, PA, RW, PMAP_WIRED);
      const mmu = md.mmus[0]!;
      mmu.translate(VA, VM_PROT_WRITE | USER);
      expect(pmap[clear](PA)).toBe(true);
      expect([pmap.isReferenced(PA), pmap.isModified(PA)]).toEqual([
        clear !== 'clearReference',
        clear !== 'clearModify',
      ]);
      mmu.translate(VA, VM_PROT_WRITE | USER);
      expect([pmap.isReferenced(PA), pmap.isModified(PA)]).toEqual([true, true]);
    },
  );

  it('protect with WRITE does nothing, with READ or EXECUTE takes write away, else removes', () => {
    const { bare, md, pmap } = boot({ variant });
    const id = pmap.create();
    pmap.activate(id);
    pmap.enter(id, VA, PA, RW, 0);
    md.mmus[0]!.translate(VA, VM_PROT_WRITE | USER);
    const before = pteOf(bare, id, VA);
    pmap.protect(id, 0, NBPD, RW);
    expect(pteOf(bare, id, VA)).toBe(before);
    pmap.protect(id, 0, NBPD, VM_PROT_EXECUTE);
    expect(pteOf(bare, id, VA)).toBe(before & ~2);
    expect(md.mmus[0]!.translate(VA, VM_PROT_WRITE | USER)).toBe(FAULT);
    expect(md.mmus[0]!.translate(VA, R | USER)).toBe(PA);
    pmap.protect(id, 0, NBPD, VM_PROT_NONE);
    expect(md.mmus[0]!.translate(VA, R | USER)).toBe(FAULT);
    checkPmap(bare);
  });

  it('collect and remove over a whole map leave the directory itself alone', () => {
    const { bare, pmap } = boot({ variant });
    const id = pmap.create();
    const recursive = pteOf(bare, id, PDP_BASE);
    pmap.enter(id, VM_MAXUSER_ADDRESS - NBPG, PA, RW, 0);
    pmap.collect(id);
    pmap.remove(id, 0, VM_MAX_KERNEL_ADDRESS - NBPD * 255);
    expect(pteOf(bare, id, PDP_BASE)).toBe(recursive);
    pmap.collect(PMAP_KERNEL);
    checkPmap(bare);
  });

  it('growkernel gives every map the new tables, those created before and after', () => {
    const { bare, md, pmap } = boot({ variant });
    const before = pmap.create();
    expect(pmap.growKernel(0xc0500000)).toBe(0xc1000000);
    expect(pmap.growKernel(0xc1000001)).toBe(0xc1400000);
    const after = pmap.create();
    pmap.kenterPa(0xc1234000, PA, RW);
    for (const id of [PMAP_KERNEL, before, after]) {
      pmap.activate(id);
      expect(md.mmus[0]!.translate(0xc1234567, VM_PROT_WRITE)).toBe(PA + 0x567);
      expect(md.mmus[0]!.translate(0xc1234567, R | USER)).toBe(FAULT);
    }
    checkPmap(bare);
  });

  it('growkernel panics when there is no page for a table', () => {
    const { pmap } = boot({ variant }, { tablePages: 0 });
    expect(() => pmap.growKernel(0xc1000001)).toThrow(/pmap_growkernel: alloc ptp failed/);
  });

  it('growkernel panics before init, when there are no pages for tables', () => {
    let stolen = 0;
    const { pmap } = i386({ variant }).boot({
      memory: new PhysicalMemory(8 << 20, NBPG),
      cpus: 1,
      events: new EventStream(),
      diagnostic: true,
      steal: (bytes) => (stolen += bytes) - bytes,
      print: () => {},
    });
    expect(() => pmap.growKernel(0xc1000001)).toThrow(/pmap_growkernel: alloc ptp failed/);
  });

  it('create answers that memory is short, and nothing has changed', () => {
    const { bare, pmap } = boot({ variant }, { tablePages: 0 });
    expect(pmap.create()).toBe(NO_PMAP);
    bare.tablePageLimit = 1;
    expect(pmap.create()).toBe(1);
  });

  it('destroy gives the directory back with the last reference, and the handle may be used again', () => {
    const { bare, md, pmap } = boot({ variant });
    const id = pmap.create();
    pmap.reference(id);
    pmap.activate(id);
    pmap.enter(id, VA, PA, RW, 0);
    pmap.destroy(id);
    expect(pmap.residentCount(id)).toBe(3);
    pmap.remove(id, 0, NBPD);
    pmap.deactivate(id);
    pmap.destroy(id);
    expect(bare.tablePagesOut).toBe(0);
    expect(md.mmus[0]!.cr3).toBe(0);
    expect(() => pmap.residentCount(id)).toThrow(RangeError);
    expect(pmap.create()).toBe(id);
  });

  it('lists every mapping of a page, in several maps and more than once in one', () => {
    const { bare, pmap } = boot({ variant });
    const maps = [pmap.create(), pmap.create()];
    for (const id of maps) for (const va of [VA, 0x9000, 0x08048000]) pmap.enter(id, va, PA, RW, 0);
    pmap.enter(PMAP_KERNEL, KVA, PA, RW, PMAP_WIRED);
    checkPmap(bare);
    pmap.pageProtect(PA, RW);
    pmap.pageProtect(PA, VM_PROT_EXECUTE);
    for (const id of maps) expect(pteOf(bare, id, VA) & 2).toBe(0);
    expect(pteOf(bare, 0, KVA) & 2).toBe(0);
    pmap.pageProtect(PA, VM_PROT_NONE);
    for (const id of maps) expect(pmap.residentCount(id)).toBe(1);
    expect(pmap.extract(0, KVA)).toBe(NO_PA);
    checkPmap(bare);
  });

  it('leaves unmanaged pages to themselves, with a message', () => {
    const { bare, pmap } = boot({ variant });
    const id = pmap.create();
    pmap.enter(id, VA, 0xe0000000, RW, 0);
    expect(pteOf(bare, id, VA)).toBe(0xe0000007);
    expect(pmap.extract(id, VA)).toBe(0xe0000000);
    pmap.pageProtect(0xe0000000, VM_PROT_NONE);
    expect(pmap.isModified(0xe0000000)).toBe(false);
    expect(bare.printed).toEqual([
      'pmap_page_protect: unmanaged page?',
      'pmap_test_attrs: unmanaged page?',
    ]);
    pmap.enter(id, VA, PA, RW, 0);
    pmap.enter(id, VA, 0xe0000000, RW, 0);
    checkPmap(bare);
  });

  it('zeroes and copies whole pages and marks neither', () => {
    const { bare, pmap } = boot({ variant });
    bare.memory.writeLe32(PA + 4092, 0x12345678);
    pmap.copyPage(PA, PA2);
    pmap.zeroPage(PA);
    expect([bare.memory.readLe32(PA + 4092), bare.memory.readLe32(PA2 + 4092)]).toEqual([
      0, 0x12345678,
    ]);
    expect([pmap.isReferenced(PA), pmap.isModified(PA2)]).toEqual([false, false]);
  });

  it('says what it is told by its names', () => {
    const { pmap } = boot({ variant });
    expect(pmap.virtualSpace()).toEqual({ start: 0xc0005000, end: 0xffc00000 });
    expect(pmap.physAddress(0xe0000)).toBe(0xe0000000);
    const id = pmap.create();
    pmap.enter(id, VA, PA, RW, PMAP_WIRED);
    expect(pmap.describe(id, VA)).toBe('PTE 0x00345607 V RW u W PVLIST → 0x00345000');
    expect(pmap.tableBytes(id)).toBe(8192);
    expect(pmap.tableBytes(PMAP_KERNEL)).toBe(5 * 4096);
    pmap.copy(id, PMAP_KERNEL, VA, NBPG, KVA);
    expect(pmap.wiredCount(id)).toBe(1);
  });
});
