import {
  ACCESS_USER,
  bootBare,
  ENOMEM,
  FAULT,
  KernelPanic,
  NO_PA,
  NO_PMAP,
  PMAP_CANFAIL,
  PMAP_KERNEL,
  PMAP_WIRED,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type BareMachine,
  type BareOptions,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { checkPmap, machineOf, pteOf } from '../test/check.ts';
import { i386, type I386Machine } from './port.ts';
import type { I386Options, Variant } from './options.ts';
import {
  APDP_BASE,
  APTE_BASE,
  KERNBASE,
  NBPD,
  NBPG,
  PDP_BASE,
  VM_MAX_KERNEL_ADDRESS,
  VM_MAXUSER_ADDRESS,
  vtopte,
} from './vmparam.ts';

const R = VM_PROT_READ;
const RW = VM_PROT_READ | VM_PROT_WRITE;
const USER = ACCESS_USER;
const PA = 0x345000;
const PA2 = 0x346000;
const VA = 0x1000;
const KVA = 0xc0200000;

interface Rig {
  readonly bare: BareMachine;
  readonly md: I386Machine;
  readonly pmap: I386Machine['pmap'];
}

function boot(options: I386Options = {}, bareOptions: BareOptions = {}): Rig {
  const bare = bootBare(i386(options), bareOptions);
  const md = machineOf(bare);
  return { bare, md, pmap: md.pmap };
}

function counters({ pmap }: Rig, id: number, va = VA): number[] {
  return [pmap.wiredCount(id), pmap.residentCount(id), pmap.tableWireCount(id, va)];
}

const VARIANTS: readonly Variant[] = ['up', 'q'];

describe.each(VARIANTS)('the vectors of the %s pmap', (variant) => {
  /** A fresh user map with the page at PA entered wired and writable at VA: vector P1. */
  function p1(bareOptions: BareOptions = {}): Rig & { id: number } {
    const rig = boot({ variant }, bareOptions);
    const id = rig.pmap.create();
    expect(rig.pmap.enter(id, VA, PA, RW, PMAP_WIRED)).toBe(0);
    return { ...rig, id };
  }

  it('P1: enters a wired page', () => {
    const rig = p1();
    expect(pteOf(rig.bare, rig.id, VA)).toBe(0x00345607);
    expect(counters(rig, rig.id)).toEqual([1, 3, 2]);
  });

  it('P2: takes the wiring away when it is entered again without it', () => {
    const rig = p1();
    rig.pmap.enter(rig.id, VA, PA, RW, 0);
    expect(pteOf(rig.bare, rig.id, VA)).toBe(0x00345407);
    expect(counters(rig, rig.id)).toEqual([0, 3, 2]);
  });

  it('P3: unwires once, and prints at the second time', () => {
    const rig = p1();
    rig.pmap.unwire(rig.id, VA);
    expect(pteOf(rig.bare, rig.id, VA)).toBe(0x00345407);
    expect(rig.bare.printed).toEqual([]);
    rig.pmap.unwire(rig.id, VA);
    expect(pteOf(rig.bare, rig.id, VA)).toBe(0x00345407);
    expect(counters(rig, rig.id)).toEqual([0, 3, 2]);
    expect(rig.bare.printed).toEqual([
      `pmap_unwire: wiring for pmap ${rig.id} va 0x1000 didn't change!`,
    ]);
  });

  it('P4: collects what is not wired', () => {
    const rig = p1();
    rig.pmap.enter(rig.id, 0x2000, PA2, R, 0);
    rig.pmap.collect(rig.id);
    expect(pteOf(rig.bare, rig.id, VA)).toBe(0x00345607);
    expect(pteOf(rig.bare, rig.id, 0x2000)).toBe(0);
    expect(counters(rig, rig.id)).toEqual([1, 3, 2]);
  });

  it('P5: removes a wired mapping by page_protect(NONE), and frees its table', () => {
    const rig = p1();
    rig.pmap.pageProtect(PA, VM_PROT_NONE);
    expect(pteOf(rig.bare, rig.id, VA)).toBe(0);
    expect(rig.pmap.describe(rig.id, VA)).toBe('PDE 0x00000000 invalid');
    expect(counters(rig, rig.id)).toEqual([0, 1, 0]);
    expect(rig.bare.tablePagesOut).toBe(1);
  });

  it('P6: lowers a wired mapping by page_protect(READ), and leaves it wired', () => {
    const rig = p1();
    rig.pmap.pageProtect(PA, R);
    expect(pteOf(rig.bare, rig.id, VA)).toBe(0x00345605);
    expect(rig.pmap.wiredCount(rig.id)).toBe(1);
  });

  it('P7: enters a kernel page by kenter_pa, uncounted', () => {
    const rig = boot({ variant });
    const before = [rig.pmap.wiredCount(PMAP_KERNEL), rig.pmap.residentCount(PMAP_KERNEL)];
    rig.pmap.kenterPa(KVA, 0x700000, RW);
    expect(pteOf(rig.bare, PMAP_KERNEL, KVA)).toBe(0x00700103);
    expect([rig.pmap.wiredCount(PMAP_KERNEL), rig.pmap.residentCount(PMAP_KERNEL)]).toEqual(before);
  });

  it('P8: panics where it is to unwire what is not mapped', () => {
    const rig = p1();
    expect(() => rig.pmap.unwire(rig.id, 0x3000)).toThrow(
      new KernelPanic('pmap_unwire: invalid (unmapped) va 0x3000', { pmap: rig.id, va: 0x3000 }),
    );
    expect(() => rig.pmap.unwire(rig.id, 0x00800000)).toThrow(/pmap_unwire: invalid PDE/);
  });

  it('without DIAGNOSTIC, says nothing where it is to unwire what is not mapped or not wired', () => {
    const rig = p1({ diagnostic: false });
    rig.pmap.unwire(rig.id, 0x3000);
    rig.pmap.unwire(rig.id, 0x00800000);
    rig.pmap.unwire(rig.id, VA);
    rig.pmap.unwire(rig.id, VA);
    expect(counters(rig, rig.id)).toEqual([0, 3, 2]);
    expect(rig.bare.printed).toEqual([]);
  });
});

describe.each(VARIANTS)('wiring in the %s pmap', (variant) => {
  type Step = (rig: Rig, id: number) => void;
  const TRANSITIONS: readonly {
    call: string;
    before: 'invalid' | 'V' | 'VW';
    step: Step;
    after: 'invalid' | 'V' | 'VW';
    wired: number;
    resident: number;
  }[] = [
    {
      call: 'enter wired',
      before: 'invalid',
      step: (r, p) => r.pmap.enter(p, VA, PA, RW, PMAP_WIRED),
      after: 'VW',
      wired: 1,
      resident: 1,
    },
    {
      call: 'enter',
      before: 'invalid',
      step: (r, p) => r.pmap.enter(p, VA, PA, RW, 0),
      after: 'V',
      wired: 0,
      resident: 1,
    },
    {
      call: 'enter wired',
      before: 'V',
      step: (r, p) => r.pmap.enter(p, VA, PA, RW, PMAP_WIRED),
      after: 'VW',
      wired: 1,
      resident: 0,
    },
    {
      call: 'enter another page wired',
      before: 'V',
      step: (r, p) => r.pmap.enter(p, VA, PA2, RW, PMAP_WIRED),
      after: 'VW',
      wired: 1,
      resident: 0,
    },
    {
      call: 'enter wired',
      before: 'VW',
      step: (r, p) => r.pmap.enter(p, VA, PA, R, PMAP_WIRED),
      after: 'VW',
      wired: 0,
      resident: 0,
    },
    {
      call: 'enter another page wired',
      before: 'VW',
      step: (r, p) => r.pmap.enter(p, VA, PA2, R, PMAP_WIRED),
      after: 'VW',
      wired: 0,
      resident: 0,
    },
    {
      call: 'enter',
      before: 'VW',
      step: (r, p) => r.pmap.enter(p, VA, PA, RW, 0),
      after: 'V',
      wired: -1,
      resident: 0,
    },
    {
      call: 'enter another page',
      before: 'VW',
      step: (r, p) => r.pmap.enter(p, VA, PA2, RW, 0),
      after: 'V',
      wired: -1,
      resident: 0,
    },
    {
      call: 'unwire',
      before: 'VW',
      step: (r, p) => r.pmap.unwire(p, VA),
      after: 'V',
      wired: -1,
      resident: 0,
    },
    {
      call: 'unwire',
      before: 'V',
      step: (r, p) => r.pmap.unwire(p, VA),
      after: 'V',
      wired: 0,
      resident: 0,
    },
    {
      call: 'remove',
      before: 'VW',
      step: (r, p) => r.pmap.remove(p, VA, VA + NBPG),
      after: 'invalid',
      wired: -1,
      resident: -1,
    },
    {
      call: 'protect NONE',
      before: 'VW',
      step: (r, p) => r.pmap.protect(p, VA, VA + NBPG, 0),
      after: 'invalid',
      wired: -1,
      resident: -1,
    },
    {
      call: 'page_protect NONE',
      before: 'VW',
      step: (r) => r.pmap.pageProtect(PA, 0),
      after: 'invalid',
      wired: -1,
      resident: -1,
    },
    {
      call: 'collect',
      before: 'VW',
      step: (r, p) => r.pmap.collect(p),
      after: 'VW',
      wired: 0,
      resident: 0,
    },
    {
      call: 'protect READ',
      before: 'VW',
      step: (r, p) => r.pmap.protect(p, VA, VA + NBPG, R),
      after: 'VW',
      wired: 0,
      resident: 0,
    },
    {
      call: 'page_protect READ',
      before: 'VW',
      step: (r) => r.pmap.pageProtect(PA, R),
      after: 'VW',
      wired: 0,
      resident: 0,
    },
    {
      call: 'clear_modify',
      before: 'VW',
      step: (r) => r.pmap.clearModify(PA),
      after: 'VW',
      wired: 0,
      resident: 0,
    },
    {
      call: 'clear_reference',
      before: 'VW',
      step: (r) => r.pmap.clearReference(PA),
      after: 'VW',
      wired: 0,
      resident: 0,
    },
  ];

  it.each(TRANSITIONS)('$call: $before becomes $after', (t) => {
    const rig = boot({ variant });
    const id = rig.pmap.create();
    // A neighbour, so that the table stays and only the mapping is counted.
    rig.pmap.enter(id, 0x5000, 0x350000, RW, PMAP_WIRED);
    if (t.before !== 'invalid') rig.pmap.enter(id, VA, PA, RW, t.before === 'VW' ? PMAP_WIRED : 0);
    rig.pmap.activate(id);
    if (t.before !== 'invalid') rig.md.mmus[0]!.translate(VA, VM_PROT_WRITE | USER);
    const [wired, resident] = counters(rig, id);
    t.step(rig, id);
    const pte = pteOf(rig.bare, id, VA);
    const state = (pte & 1) === 0 ? 'invalid' : (pte & 0x200) === 0 ? 'V' : 'VW';
    expect(state).toBe(t.after);
    expect(counters(rig, id).slice(0, 2)).toEqual([wired! + t.wired, resident! + t.resident]);
    checkPmap(rig.bare);
  });

  it('kremove takes kenter mappings away uncounted, and panics at a managed one', () => {
    const rig = boot({ variant });
    rig.pmap.kenterPa(KVA, PA, RW);
    const before = [rig.pmap.wiredCount(0), rig.pmap.residentCount(0)];
    rig.pmap.kremove(KVA, NBPG);
    rig.pmap.kremove(KVA, NBPG);
    expect(pteOf(rig.bare, 0, KVA)).toBe(0);
    expect([rig.pmap.wiredCount(0), rig.pmap.residentCount(0)]).toEqual(before);
    rig.pmap.enter(0, KVA, PA, RW, PMAP_WIRED);
    expect(() => rig.pmap.kremove(KVA, NBPG)).toThrow(
      /pmap_kremove: PG_PVLIST mapping for 0xc0200000/,
    );
  });

  it("with collectWired 'removes', collect destroys wired mappings as revision 1.91 did", () => {
    const rig = boot({ variant, collectWired: 'removes' });
    const id = rig.pmap.create();
    rig.pmap.enter(id, VA, PA, RW, PMAP_WIRED);
    rig.pmap.collect(id);
    expect(counters(rig, id)).toEqual([0, 1, 0]);
  });
});

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

  it('the access named in enter succeeds next, in every order of protections', () => {
    const { md, pmap } = boot({ variant });
    const id = pmap.create();
    pmap.activate(id);
    const mmu = md.mmus[0]!;
    for (const flags of [0, PMAP_WIRED])
      for (const first of [R, RW, VM_PROT_ALL, VM_PROT_EXECUTE])
        for (const second of [R, RW, VM_PROT_ALL, VM_PROT_EXECUTE])
          for (const [i, prot] of [first, second].entries()) {
            pmap.enter(id, VA, PA, prot, flags | prot);
            for (const access of [1, 2, 4])
              if ((prot & access) !== 0)
                expect(mmu.translate(VA, access | USER), `${first} ${second} ${i}`).toBe(PA);
            if ((prot & VM_PROT_WRITE) === 0)
              expect(mmu.translate(VA, VM_PROT_WRITE | USER)).toBe(FAULT);
          }
  });

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

describe('the recursive window', () => {
  it('shows the PTEs of the current map, and its directory, to the kernel alone', () => {
    const { bare, md, pmap } = boot();
    const id = pmap.create();
    pmap.activate(id);
    pmap.enter(id, 0x08048000, PA, RW, 0);
    const mmu = md.mmus[0]!;
    const at = mmu.translate(vtopte(0x08048000), R);
    expect(bare.memory.readLe32(at)).toBe(0x00345407);
    expect(mmu.translate(vtopte(0x08048000), R | USER)).toBe(FAULT);
    expect(mmu.translate(PDP_BASE, R)).toBe(mmu.cr3);
  });

  it.each(VARIANTS)('has no page of a table that was freed, even from the TLB (%s)', (variant) => {
    const { md, pmap } = boot({ variant });
    const id = pmap.create();
    pmap.activate(id);
    pmap.enter(id, 0x08048000, PA, RW, 0);
    const mmu = md.mmus[0]!;
    mmu.translate(vtopte(0x08048000), R);
    pmap.remove(id, 0x08048000, 0x08049000);
    expect(mmu.translate(vtopte(0x08048000), R)).toBe(FAULT);
  });

  it('shows another map in slot 1023, left loaded by one CPU, flushed when replaced', () => {
    const { bare, md, pmap } = boot({ variant: 'up' });
    const [a, b, c] = [pmap.create(), pmap.create(), pmap.create()];
    const mmu = md.mmus[0]!;
    pmap.activate(a);
    pmap.enter(b, VA, PA, RW, 0);
    const flushes = mmu.stats.fullFlushes;
    const inWindow = APTE_BASE + 4 * (VA >>> 12);
    expect(bare.memory.readLe32(mmu.translate(inWindow, R))).toBe(0x00345407);
    pmap.enter(b, 0x2000, PA2, RW, 0);
    expect(mmu.stats.fullFlushes).toBe(flushes);
    pmap.enter(c, VA, PA2, R, 0);
    expect(mmu.stats.fullFlushes).toBe(flushes + 1);
    expect(bare.memory.readLe32(mmu.translate(inWindow, R))).toBe(0x00346405);
  });

  it('does not show a map that was destroyed', () => {
    const { md, pmap } = boot({ variant: 'up' });
    const [a, b] = [pmap.create(), pmap.create()];
    const mmu = md.mmus[0]!;
    pmap.activate(a);
    pmap.enter(b, VA, PA, RW, 0);
    pmap.enter(b, NBPD, PA2, RW, 0);
    const inWindow = APTE_BASE + 767 * NBPG;
    expect(mmu.translate(inWindow, R)).toBeGreaterThan(0);
    pmap.remove(b, 0, 2 * NBPD);
    pmap.destroy(b);
    expect(mmu.translate(inWindow, R)).toBe(FAULT);
  });

  it('is emptied after each use where there are several CPUs', () => {
    const { md, pmap } = boot({}, { cpus: 2 });
    const [a, b] = [pmap.create(), pmap.create()];
    pmap.activate(a);
    pmap.enter(b, VA, PA, RW, 0);
    expect(md.mmus[0]!.translate(APTE_BASE, R)).toBe(FAULT);
  });
});

describe('shortage', () => {
  it.each(VARIANTS)('of page tables is ENOMEM with CANFAIL, a panic without (%s)', (variant) => {
    const rig = boot({ variant }, { tablePages: 2 });
    const { bare, pmap } = rig;
    const id = pmap.create();
    pmap.enter(id, VA, PA, RW, PMAP_WIRED);
    expect(pmap.enter(id, NBPD, PA2, RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect(counters(rig, id)).toEqual([1, 3, 2]);
    expect(pmap.extract(id, NBPD)).toBe(NO_PA);
    expect(() => pmap.enter(id, NBPD, PA2, RW, 0)).toThrow(/pmap_enter: get ptp failed/);
    checkPmap(bare);
    bare.tablePageLimit = 3;
    expect(pmap.enter(id, NBPD, PA2, RW, 0)).toBe(0);
    checkPmap(bare);
  });

  it.each(VARIANTS)('of pv entries leaves the old mapping and every count (%s)', (variant) => {
    const rig = boot({ variant, pvEntries: 1 });
    const { bare, pmap } = rig;
    const id = pmap.create();
    pmap.enter(id, VA, PA, RW, PMAP_WIRED);
    pmap.enter(id, 0x2000, 0xe0000000, R, 0);
    const before = counters(rig, id);
    expect(pmap.enter(id, 0x3000, PA2, RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect(pmap.enter(id, 0x2000, PA2, RW, PMAP_CANFAIL | PMAP_WIRED)).toBe(ENOMEM);
    expect(pmap.enter(id, NBPD, PA2, RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect(counters(rig, id)).toEqual(before);
    expect(pmap.extract(id, 0x2000)).toBe(0xe0000000);
    expect(bare.tablePagesOut).toBe(2);
    expect(() => pmap.enter(id, 0x3000, PA2, RW, 0)).toThrow(/no pv entries available/);
    checkPmap(bare);
    // The entry of a mapping that is replaced serves the one that replaces it.
    expect(pmap.enter(id, VA, PA2, RW, PMAP_CANFAIL)).toBe(0);
    checkPmap(bare);
  });

  it('up: of pv entries is met by forgetting a mapping that is not wired, found on any page', () => {
    const { bare, md, pmap } = boot({ variant: 'up', pvEntries: 3 });
    const [a, b] = [pmap.create(), pmap.create()];
    const stolen: number[][] = [];
    bare.events.watch((name, ...fields) => {
      if (name === 'pmap.steal') stolen.push(fields.slice(0, 3));
    });
    pmap.enter(PMAP_KERNEL, KVA, 0x300000, RW, 0);
    pmap.enter(a, VA, PA, RW, PMAP_WIRED);
    pmap.activate(b);
    pmap.enter(b, 0x5000, PA2, RW, 0);
    md.mmus[0]!.translate(0x5000, VM_PROT_WRITE | USER);
    expect(pmap.enter(b, 0x6000, 0x347000, RW, PMAP_CANFAIL)).toBe(0);
    expect(stolen).toEqual([[b, 0x5000, 0]]);
    expect(md.mmus[0]!.translate(0x5000, R | USER)).toBe(FAULT);
    expect(pmap.isModified(PA2)).toBe(true);
    expect(pmap.extract(a, VA)).toBe(PA);
    checkPmap(bare);
  });

  it('up: of page tables is met by forgetting a table without wired mappings', () => {
    const { bare, pmap } = boot({ variant: 'up' }, { tablePages: 4 });
    const [a, b] = [pmap.create(), pmap.create()];
    const stolen: number[][] = [];
    bare.events.watch((name, ...fields) => {
      if (name === 'pmap.steal') stolen.push(fields.slice(0, 3));
    });
    pmap.enter(a, VA, PA, RW, PMAP_WIRED);
    pmap.enter(b, NBPD, PA2, RW, 0);
    expect(pmap.enter(a, 2 * NBPD, 0x347000, RW, PMAP_CANFAIL)).toBe(0);
    expect(stolen).toEqual([[b, NBPD, 1]]);
    expect(pmap.residentCount(b)).toBe(1);
    expect(pmap.enter(b, NBPD, PA2, RW, PMAP_WIRED)).toBe(0);
    expect(stolen).toHaveLength(2);
    expect(pmap.enter(a, 2 * NBPD, 0x347000, RW, PMAP_CANFAIL)).toBe(ENOMEM);
    checkPmap(bare);
  });
});
