import { PMAP_KERNEL, SCOPE_ALL, SCOPE_NONGLOBAL, VM_PROT_EXECUTE } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { Alpha, KVA, PAGE, READ, RW, TEXT, WRITE } from '../test/harness.ts';
import { alpha, type AlphaOptions } from './index.ts';

/** Two CPUs that run one map, both with the page at TEXT in their buffers, ready for stores. */
function shared(options: AlphaOptions = {}): { a: Alpha; id: number; pa: number } {
  const a = new Alpha(options, { cpus: 2 });
  const id = a.process();
  a.on(1).pmap.activate(id);
  a.on(0);
  const pa = a.page();
  a.pmap.enter(id, TEXT, pa, RW, WRITE);
  for (const cpu of [0, 1]) expect(a.on(cpu).user(TEXT, WRITE)).toEqual({ pa, traps: 0 });
  a.on(0);
  return { a, id, pa };
}

describe('several CPUs', () => {
  it('all load the level-1 table that the first mapping makes, and leave it when it goes', () => {
    const { a, id } = shared();
    expect(a.mmus[1]!.ptbr).toBe(a.mmus[0]!.ptbr);
    const own = a.mmus[0]!.ptbr;
    a.pmap.remove(id, TEXT, TEXT + PAGE);
    expect(a.mmus.map((mmu) => [mmu.ptbr === own, mmu.asn])).toEqual([
      [false, 0],
      [false, 0],
    ]);
    expect(a.on(1).user(TEXT, READ)).toHaveProperty('trap');
    a.check();
  });

  it('have forgotten a mapping everywhere when the call returns', () => {
    const { a, id } = shared();
    a.pmap.protect(id, TEXT, TEXT + PAGE, READ);
    expect(a.on(1).user(TEXT, WRITE)).toHaveProperty('trap');
    a.on(0).pmap.remove(id, TEXT, TEXT + PAGE);
    expect(a.on(1).user(TEXT, READ)).toHaveProperty('trap');
  });

  it('notice the first store after clearModify on any of them', () => {
    const { a, pa } = shared();
    expect(a.pmap.clearModify(pa)).toBe(true);
    expect(a.pmap.isModified(pa)).toBe(false);
    expect(a.on(1).user(TEXT, WRITE)).toEqual({ pa, traps: 1 });
    expect(a.pmap.isModified(pa)).toBe(true);
    expect(a.on(0).user(TEXT, WRITE)).toEqual({ pa, traps: 0 });
  });

  it('take the ASN away where the map is inactive', () => {
    const { a, id, pa } = shared();
    a.on(1).pmap.deactivate(id);
    a.on(0).pmap.enter(id, TEXT, a.page(), RW, WRITE);
    a.on(1).pmap.activate(id);
    const seen = a.user(TEXT, WRITE);
    expect(seen).toMatchObject({ traps: 0 });
    expect(seen).not.toMatchObject({ pa });
  });

  it('answer a seventh job by a flush of all process entries, or of everything if the kernel’s is among them', () => {
    const { a, id } = shared();
    const flushes: number[] = [];
    for (let n = 0; n < 7; n++) a.pmap.enter(id, TEXT + n * PAGE, a.page(), RW, WRITE);
    const stop = a.machine.events.watch((name, cpu, scope) => {
      if (name === 'tlb.flush' && cpu === 1) flushes.push(scope);
    });
    a.pmap.protect(id, TEXT, TEXT + 6 * PAGE, READ);
    expect(flushes).toEqual([]);
    a.pmap.protect(id, TEXT, TEXT + 7 * PAGE, 0);
    expect(flushes).toEqual([SCOPE_NONGLOBAL]);
    for (let n = 0; n < 7; n++) a.pmap.kenterPa(KVA + n * PAGE, 0, READ);
    a.pmap.kremove(KVA, 7 * PAGE);
    expect(flushes).toEqual([SCOPE_NONGLOBAL, SCOPE_ALL]);
    stop();
  });

  it('tell each other by events', () => {
    const { a, id } = shared();
    const told: number[][] = [];
    a.machine.events.watch((name, from, to, va) => {
      if (name === 'tlb.shootdown') told.push([from, to, va]);
    });
    a.pmap.protect(id, TEXT, TEXT + PAGE, READ);
    expect(told).toEqual([[0, 1, TEXT]]);
  });

  it('see kernel mappings change', () => {
    const { a } = shared();
    const [pa, other] = [a.page(), a.page()];
    a.pmap.kenterPa(KVA, pa, RW);
    expect(a.on(1).access(KVA, READ)).toEqual({ pa, traps: 0 });
    a.on(0).pmap.kenterPa(KVA, other, RW);
    expect(a.on(1).access(KVA, READ)).toEqual({ pa: other, traps: 0 });
    a.on(0).pmap.kremove(KVA, PAGE);
    expect(a.on(1).access(KVA, READ)).toHaveProperty('trap');
  });
});

describe("shootdown: 'post'", () => {
  it('lets a CPU go on with a mapping until it takes its interrupt', () => {
    const { a, id, pa } = shared({ shootdown: 'post' });
    a.pmap.enter(id, TEXT, a.page(), RW, WRITE);
    expect(a.on(1).user(TEXT, WRITE)).toEqual({ pa, traps: 0 });
    a.pmap.interrupt(1);
    expect(a.user(TEXT, WRITE)).not.toMatchObject({ pa });
  });

  it('accepts the spurious fault of an entry that was loaded before FOW was cleared (F.9)', () => {
    const { a, pa } = shared({ shootdown: 'post' });
    a.pmap.clearModify(pa);
    a.pmap.interrupt(1);
    expect(a.on(1).user(TEXT, READ)).toEqual({ pa, traps: 0 });
    expect(a.on(0).user(TEXT, WRITE)).toEqual({ pa, traps: 1 });
    expect(a.on(1).user(TEXT, WRITE)).toEqual({ pa, traps: 1 });
    a.check();
  });
});

describe("shootdown: 'none'", () => {
  it('leaves other CPUs with what they have', () => {
    const { a, id, pa } = shared({ shootdown: 'none' });
    a.pmap.enter(id, TEXT + PAGE, a.page(), RW, WRITE);
    a.pmap.remove(id, TEXT, TEXT + PAGE);
    expect(a.user(TEXT, WRITE)).toHaveProperty('trap');
    expect(a.on(1).user(TEXT, WRITE)).toEqual({ pa, traps: 0 });
  });
});

describe('deferred flushes', () => {
  it('show what a missing pmap_update does, here and elsewhere', () => {
    const { a, id, pa } = shared({ deferred: true });
    expect(a.machine.md.port.capabilities.deferred).toBe(true);
    a.pmap.enter(id, TEXT + PAGE, a.page(), RW, WRITE);
    a.pmap.protect(id, TEXT, TEXT + PAGE, READ);
    for (const cpu of [0, 1]) expect(a.on(cpu).user(TEXT, WRITE)).toEqual({ pa, traps: 0 });
    a.pmap.remove(id, TEXT, TEXT + PAGE);
    for (const cpu of [0, 1]) expect(a.on(cpu).user(TEXT, WRITE)).toEqual({ pa, traps: 0 });
    a.pmap.update(id);
    for (const cpu of [0, 1]) expect(a.on(cpu).user(TEXT, WRITE)).toHaveProperty('trap');
  });

  it('let the access that enter names succeed without one', () => {
    const { a, id, pa } = shared({ deferred: true });
    a.pmap.protect(id, TEXT, TEXT + PAGE, READ);
    a.pmap.update(id);
    a.user(TEXT, READ);
    a.pmap.enter(id, TEXT, pa, RW, 0);
    expect(a.user(TEXT, WRITE)).toHaveProperty('trap');
    a.pmap.enter(id, TEXT, pa, RW, WRITE);
    expect(a.user(TEXT, WRITE)).toEqual({ pa, traps: 0 });
  });

  it('are never deferred where pmap(9) says at once', () => {
    const { a, id, pa } = shared({ deferred: true });
    a.pmap.clearModify(pa);
    for (const cpu of [1, 0]) expect(a.on(cpu).user(TEXT, WRITE)).toEqual({ pa, traps: cpu });
    a.pmap.pageProtect(pa, READ);
    for (const cpu of [0, 1]) expect(a.on(cpu).user(TEXT, WRITE)).toHaveProperty('trap');
    a.pmap.kenterPa(KVA, pa, RW);
    expect(a.access(KVA, WRITE)).toEqual({ pa, traps: 0 });
    a.pmap.pageProtect(pa, 0);
    expect(a.pmap.residentCount(id)).toBe(0);
  });

  it('cannot be had together with posted ones', () => {
    expect(() => alpha({ deferred: true, shootdown: 'post' })).toThrow(RangeError);
  });
});

describe('instruction stream', () => {
  const RX = READ | VM_PROT_EXECUTE;

  it('is synchronized at once on every CPU for the kernel', () => {
    const { a } = shared();
    a.pmap.kenterPa(KVA, a.page(), RX);
    expect(a.mmus.map((mmu) => mmu.imbs)).toEqual([1, 1]);
    a.pmap.kremove(KVA, PAGE);
    expect(a.mmus.map((mmu) => mmu.imbs)).toEqual([2, 2]);
    a.pmap.enter(PMAP_KERNEL, KVA, a.page(), RW, WRITE);
    expect(a.mmus.map((mmu) => mmu.imbs)).toEqual([2, 2]);
  });

  it('is synchronized for a user on other CPUs by interrupt, here before user mode goes on', () => {
    const { a, id } = shared();
    const pa = a.page();
    a.pmap.enter(id, TEXT + PAGE, pa, RX, VM_PROT_EXECUTE);
    expect(a.mmus.map((mmu) => mmu.imbs)).toEqual([0, 0]);
    a.pmap.enter(id, TEXT + PAGE, a.page(), RX, VM_PROT_EXECUTE);
    expect(a.mmus.map((mmu) => mmu.imbs)).toEqual([0, 1]);
    a.pmap.update(id);
    expect(a.mmus.map((mmu) => mmu.imbs)).toEqual([1, 1]);
    a.pmap.update(id);
    expect(a.mmus.map((mmu) => mmu.imbs)).toEqual([1, 1]);
  });

  it('is left until the map runs again on a CPU where it is inactive', () => {
    const { a, id } = shared();
    a.on(1).pmap.deactivate(id);
    a.on(0).pmap.procwr(id, TEXT, 8);
    expect(a.mmus.map((mmu) => mmu.imbs)).toEqual([1, 0]);
    a.on(1).pmap.activate(id);
    expect(a.mmus.map((mmu) => mmu.imbs)).toEqual([1, 1]);
  });

  it('is new with a new ASN', () => {
    const { a, id } = shared();
    a.on(1).pmap.deactivate(id);
    a.on(0).pmap.procwr(id, TEXT, 8);
    a.pmap.enter(id, TEXT, a.page(), RW, WRITE);
    a.on(1).pmap.activate(id);
    expect(a.mmus.map((mmu) => mmu.imbs)).toEqual([1, 0]);
  });
});
