import {
  ENOMEM,
  FAULT,
  NO_PA,
  PMAP_CANFAIL,
  PMAP_KERNEL,
  PMAP_WIRED,
  STEAL_PMEG,
  TRAP_SETTLED,
  VM_PROT_NONE,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  R,
  RW,
  LOAD,
  bare,
  md,
  boot,
  watchSteals,
  counted,
  access,
  load,
  store,
  userMap,
  pteAt,
} from '../../test/sun4c-boot.ts';

beforeEach(() => {
  boot();
  counted.refills = 0;
});

describe('a PMEG that is taken', () => {
  // PMEG 0 is the kernel's image, the last is the invalid one: two are left.
  beforeEach(() => boot({ pmegs: 4 }));

  it('W1: comes back on the next touch, with U and M kept by the page and no fault for UVM', () => {
    boot({ pmegs: 3 });
    const steals = watchSteals();
    const a = userMap();
    const pa = bare.takePage();
    md.pmap.enter(a, 0x1000, pa, RW, PMAP_WIRED);
    store(0x1000, 5);
    expect(pteAt(0x1000) >>> 24).toBe(0xc3);
    const b = userMap();
    md.pmap.enter(b, 0x4_0000, bare.takePage(), RW, 0);
    load(0x4_0000);
    expect(steals).toEqual([[a, STEAL_PMEG]]);
    expect([md.pmap.isModified(pa), md.pmap.isReferenced(pa)]).toEqual([true, true]);
    md.pmap.activate(a);
    expect(pteAt(0x1000)).toBe(0);
    counted.refills = 0;
    store(0x1000, 6);
    expect(counted.refills).toBe(1);
    expect(pteAt(0x1000) >>> 24).toBe(0xc3);
    expect(md.pmap.wiredCount(a)).toBe(0);
  });

  it('is the one loaded longest ago, however much it was used since', () => {
    const steals = watchSteals();
    const pmap = userMap();
    for (const va of [0x1000, 0x4_1000, 0x8_1000]) md.pmap.enter(pmap, va, bare.takePage(), RW, 0);
    load(0x1000);
    load(0x4_1000);
    load(0x1000);
    load(0x8_1000);
    expect(steals).toEqual([[pmap, STEAL_PMEG]]);
    counted.refills = 0;
    load(0x4_1000);
    expect(counted.refills).toBe(0);
    load(0x1000);
    expect(counted.refills).toBe(1);
  });

  it('of a map without context is written back through context 0, which keeps no trace of it', () => {
    boot({ pmegs: 3, contexts: 2 });
    const a = userMap();
    const pa = bare.takePage();
    md.pmap.enter(a, 0x1000, pa, RW, 0);
    store(0x1000, 5);
    const b = userMap();
    md.pmap.enter(b, 0x1000, bare.takePage(), RW, 0);
    load(0x1000);
    expect(md.pmap.isModified(pa)).toBe(true);
    expect(md.pmap.extract(a, 0x1000)).toBe(pa);
    md.mmus[0].context = 0;
    expect(md.mmus[0].getSegmap(0)).toBe(2);
  });

  it('is never a kernel’s: with all of them locked a user’s refill panics, and kernel enters answer ENOMEM', () => {
    const pmap = userMap();
    md.pmap.enter(pmap, 0x1000, bare.takePage(), RW, 0);
    md.pmap.kenterPa(0xf100_0000, bare.takePage(), RW);
    load(0x1000);
    // The second kernel segment takes the user's PMEG.
    expect(md.pmap.enter(PMAP_KERNEL, 0xf200_0000, bare.takePage(), RW, 0)).toBe(0);
    expect(md.mmus[0].translate(0x1000, LOAD)).toBe(FAULT);
    expect(() => md.trap(0)).toThrow('me_alloc: all pmegs gone');
    const pa = bare.takePage();
    expect(md.pmap.enter(PMAP_KERNEL, 0xf300_0000, pa, RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect(md.pmap.residentCount(PMAP_KERNEL)).toBe(1);
    expect(() => md.pmap.enter(PMAP_KERNEL, 0xf300_0000, pa, RW, 0)).toThrow(
      'me_alloc: all pmegs gone',
    );
    expect(() => md.pmap.kenterPa(0xf300_0000, pa, RW)).toThrow('me_alloc: all pmegs gone');
    // One kernel segment less, and the user goes on.
    md.pmap.kremove(0xf100_0000, 4096);
    expect(md.mmus[0].translate(0x1000, LOAD)).toBe(FAULT);
    expect(md.trap(0)).toBe(TRAP_SETTLED);
  });

  it('W5: goes free with the last page of a kernel segment, from every context', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    md.pmap.enter(PMAP_KERNEL, 0xf100_0000, pa, RW, PMAP_WIRED);
    expect(access(0xf100_0000, VM_PROT_WRITE)).toBe(pa);
    md.pmap.remove(PMAP_KERNEL, 0xf100_0000, 0xf100_1000);
    for (const context of [0, 1, 2]) {
      md.mmus[0].context = context;
      expect(md.mmus[0].getSegmap(0xf100_0000)).toBe(3);
    }
    md.pmap.activate(pmap);
    expect(md.mmus[0].translate(0xf100_0000, R)).toBe(FAULT);
    expect(md.pmap.isModified(pa)).toBe(true);
    const steals = watchSteals();
    for (const va of [0x1000, 0x4_1000]) {
      md.pmap.enter(pmap, va, bare.takePage(), RW, 0);
      load(va);
    }
    expect(steals).toEqual([]);
    md.pmap.kenterPa(0xf100_0000, pa, RW);
    expect(steals).toEqual([[pmap, STEAL_PMEG]]);
  });

  it.each([
    ['removed', true],
    ['stolen', false],
  ])('shows the kernel none of the entries that a user had in it (%s)', (_, remove) => {
    boot({ pmegs: 3 });
    const pmap = userMap();
    for (let page = 0; page < 64; page++) md.pmap.enter(pmap, page * 4096, bare.takePage(), RW, 0);
    load(0);
    if (remove) md.pmap.remove(pmap, 0, 64 * 4096);
    md.pmap.kenterPa(0xf100_0000, bare.takePage(), RW);
    for (let page = 1; page < 64; page++)
      expect(md.mmus[0].translate(0xf100_0000 + page * 4096, R)).toBe(FAULT);
  });
});

describe('wiring in 2001', () => {
  const wired = PMAP_WIRED | RW;

  it('counts what enter was told, the first page of a segment excepted, and never down again', () => {
    const pmap = userMap();
    const [a, b] = [bare.takePage(), bare.takePage()];
    const counts: number[] = [];
    const note = (): number => counts.push(md.pmap.wiredCount(pmap));
    md.pmap.enter(pmap, 0x1000, a, RW, wired);
    note();
    md.pmap.enter(pmap, 0x2000, b, RW, wired);
    note();
    md.pmap.enter(pmap, 0x2000, b, RW, wired);
    note();
    md.pmap.unwire(pmap, 0x1000);
    md.pmap.unwire(pmap, 0x2000);
    note();
    md.pmap.enter(pmap, 0x2000, a, RW, wired);
    note();
    md.pmap.remove(pmap, 0x1000, 0x3000);
    note();
    md.pmap.enter(pmap, 0x2000, b, RW, 0);
    md.pmap.enter(pmap, 0x2000, b, RW, 0);
    note();
    expect(counts).toEqual([0, 1, 2, 2, 2, 2, 1]);
    expect(md.pmap.counters.uselessChangewire).toBe(2);
    md.pmap.enter(PMAP_KERNEL, 0xf100_0000, a, RW, wired);
    md.pmap.enter(PMAP_KERNEL, 0xf100_1000, b, RW, wired);
    expect(md.pmap.wiredCount(PMAP_KERNEL)).toBe(0);
  });

  it('W4: a wired page of a segment without a PMEG goes without the hardware being touched', () => {
    boot({ pmegs: 3 });
    const pmap = userMap();
    const [a, b] = [bare.takePage(), bare.takePage()];
    md.pmap.enter(pmap, 0x1000, a, RW, PMAP_WIRED);
    md.pmap.enter(pmap, 0x2000, b, RW, 0);
    store(0x1000, 1);
    md.pmap.kenterPa(0xf100_0000, bare.takePage(), RW);
    const flushes = md.mmus[0].stats.pageFlushes;
    md.pmap.pageProtect(a, VM_PROT_NONE);
    expect(md.mmus[0].stats.pageFlushes).toBe(flushes);
    expect(md.pmap.extract(pmap, 0x1000)).toBe(NO_PA);
    expect(md.pmap.extract(pmap, 0x2000)).toBe(b);
    expect([md.pmap.isModified(a), md.pmap.isReferenced(a)]).toEqual([true, true]);
    expect(md.pmap.residentCount(pmap)).toBe(1);
  });

  it('unwire of what is not wired, not there or in the hole only counts', () => {
    const pmap = userMap();
    for (const va of [0x1000, 0x3000_0000, 0xefff_f000]) md.pmap.unwire(pmap, va);
    expect([md.pmap.counters.uselessChangewire, bare.printed]).toEqual([3, []]);
  });
});

describe('late wiring', () => {
  beforeEach(() => boot({ wiring: 'late', pmegs: 4 }));

  it('counts exactly, the kernel’s too', () => {
    const pmap = userMap();
    const pages = [0, 1, 2].map(() => bare.takePage());
    const expectWired = (count: number): void => expect(md.pmap.wiredCount(pmap)).toBe(count);
    pages.forEach((pa, index) => md.pmap.enter(pmap, 0x1000 * (index + 1), pa, RW, PMAP_WIRED));
    expectWired(3);
    md.pmap.enter(pmap, 0x1000, pages[0]!, RW, 0);
    expectWired(2);
    md.pmap.enter(pmap, 0x2000, pages[0]!, RW, PMAP_WIRED);
    expectWired(2);
    md.pmap.unwire(pmap, 0x2000);
    md.pmap.unwire(pmap, 0x2000);
    md.pmap.unwire(pmap, 0x3000_0000);
    expectWired(1);
    expect(md.pmap.counters.uselessChangewire).toBe(2);
    md.pmap.pageProtect(pages[2]!, VM_PROT_NONE);
    expectWired(0);
    md.pmap.enter(PMAP_KERNEL, 0xf100_0000, pages[0]!, RW, PMAP_WIRED);
    expect(md.pmap.wiredCount(PMAP_KERNEL)).toBe(1);
    md.pmap.remove(PMAP_KERNEL, 0xf100_0000, 0xf100_1000);
    expect(md.pmap.wiredCount(PMAP_KERNEL)).toBe(0);
  });

  it.each([
    ['wired before its segment was loaded', true],
    ['wired after', false],
  ])('keeps the PMEG of a page %s, until the last is unwired', (_, before) => {
    const steals = watchSteals();
    const pmap = userMap();
    const pa = bare.takePage();
    if (!before) {
      md.pmap.enter(pmap, 0x1000, pa, RW, 0);
      load(0x1000);
    }
    md.pmap.enter(pmap, 0x1000, pa, RW, PMAP_WIRED);
    load(0x1000);
    for (const va of [0x4_0000, 0x8_0000, 0xc_0000]) {
      md.pmap.enter(pmap, va, bare.takePage(), RW, 0);
      load(va);
    }
    expect(steals).toHaveLength(2);
    counted.refills = 0;
    load(0x1000);
    expect(counted.refills).toBe(0);
    md.pmap.unwire(pmap, 0x1000);
    load(0x4_0000);
    load(0x8_0000);
    counted.refills = 0;
    load(0x1000);
    expect(counted.refills).toBe(1);
  });
});
