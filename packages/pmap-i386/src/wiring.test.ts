import {
  ACCESS_USER,
  KernelPanic,
  PMAP_KERNEL,
  PMAP_WIRED,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type BareOptions,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { checkPmap, pteOf } from '../test/check.ts';
import { boot, counters, type Rig, VARIANTS } from '../test/rig.ts';
import { NBPG } from './vmparam.ts';

const R = VM_PROT_READ;
const RW = VM_PROT_READ | VM_PROT_WRITE;
const USER = ACCESS_USER;
const PA = 0x345000;
const PA2 = 0x346000;
const VA = 0x1000;
const KVA = 0xc0200000;

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
    expect(counters(rig, rig.id, VA)).toEqual([1, 3, 2]);
  });

  it('P2: takes the wiring away when it is entered again without it', () => {
    const rig = p1();
    rig.pmap.enter(rig.id, VA, PA, RW, 0);
    expect(pteOf(rig.bare, rig.id, VA)).toBe(0x00345407);
    expect(counters(rig, rig.id, VA)).toEqual([0, 3, 2]);
  });

  it('P3: unwires once, and prints at the second time', () => {
    const rig = p1();
    rig.pmap.unwire(rig.id, VA);
    expect(pteOf(rig.bare, rig.id, VA)).toBe(0x00345407);
    expect(rig.bare.printed).toEqual([]);
    rig.pmap.unwire(rig.id, VA);
    expect(pteOf(rig.bare, rig.id, VA)).toBe(0x00345407);
    expect(counters(rig, rig.id, VA)).toEqual([0, 3, 2]);
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
    expect(counters(rig, rig.id, VA)).toEqual([1, 3, 2]);
  });

  it('P5: removes a wired mapping by page_protect(NONE), and frees its table', () => {
    const rig = p1();
    rig.pmap.pageProtect(PA, VM_PROT_NONE);
    expect(pteOf(rig.bare, rig.id, VA)).toBe(0);
    expect(rig.pmap.describe(rig.id, VA)).toBe('PDE 0x00000000 invalid');
    expect(counters(rig, rig.id, VA)).toEqual([0, 1, 0]);
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
    expect(counters(rig, rig.id, VA)).toEqual([0, 3, 2]);
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
    const [wired, resident] = counters(rig, id, VA);
    t.step(rig, id);
    const pte = pteOf(rig.bare, id, VA);
    const state = (pte & 1) === 0 ? 'invalid' : (pte & 0x200) === 0 ? 'V' : 'VW';
    expect(state).toBe(t.after);
    expect(counters(rig, id, VA).slice(0, 2)).toEqual([wired! + t.wired, resident! + t.resident]);
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
    expect(counters(rig, id, VA)).toEqual([0, 1, 0]);
  });
});
