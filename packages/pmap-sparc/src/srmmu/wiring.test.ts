import { PMAP_KERNEL, PMAP_WIRED, VM_PROT_NONE } from '@uvmkit/pmap';
import { beforeEach, describe, expect, it } from 'vitest';
import { RW, R, bare, md, boot, userMap } from '../../test/srmmu-boot.ts';

beforeEach(() => boot());

describe('wiring in 2001', () => {
  const wired = PMAP_WIRED | RW;

  it('W2: counts what enter was told, the first page of a segment excepted, and never down again', () => {
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
    md.pmap.remove(pmap, 0x1000, 0x3000);
    note();
    expect(counts).toEqual([0, 1, 2, 2, 2]);
    expect(md.pmap.counters.uselessChangewire).toBe(2);
  });

  it('W3: an unwired page entered unwired again counts −1', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0x1000, pa, RW, 0);
    md.pmap.enter(pmap, 0x1000, pa, RW, 0);
    expect(md.pmap.wiredCount(pmap)).toBe(-1);
  });

  it('does not count another page at the same address, nor the kernel', () => {
    const pmap = userMap();
    md.pmap.enter(pmap, 0x1000, bare.takePage(), RW, 0);
    md.pmap.enter(pmap, 0x1000, bare.takePage(), RW, wired);
    expect(md.pmap.wiredCount(pmap)).toBe(0);
    for (const va of [0xf100_0000, 0xf100_1000])
      md.pmap.enter(PMAP_KERNEL, va, bare.takePage(), RW, wired);
    expect(md.pmap.wiredCount(PMAP_KERNEL)).toBe(0);
  });

  it('unwire of what is not wired, or not there, only counts', () => {
    const pmap = userMap();
    md.pmap.unwire(pmap, 0x1000);
    md.pmap.unwire(pmap, 0xefff_f000);
    expect(md.pmap.counters.uselessChangewire).toBe(2);
    expect(bare.printed).toEqual([]);
  });
});

describe('late wiring', () => {
  beforeEach(() => boot({ wiring: 'late' }));

  it('counts exactly through enter, re-enter, replacement, unwire and every way of removal', () => {
    const pmap = userMap();
    const pages = [0, 1, 2, 3, 4].map(() => bare.takePage());
    const expectWired = (count: number): void => expect(md.pmap.wiredCount(pmap)).toBe(count);
    pages
      .slice(0, 4)
      .forEach((pa, index) => md.pmap.enter(pmap, 0x1000 * (index + 1), pa, RW, PMAP_WIRED));
    expectWired(4);
    md.pmap.enter(pmap, 0x1000, pages[0]!, R, PMAP_WIRED);
    expectWired(4);
    md.pmap.enter(pmap, 0x1000, pages[0]!, RW, 0);
    expectWired(3);
    md.pmap.enter(pmap, 0x1000, pages[4]!, RW, PMAP_WIRED);
    expectWired(4);
    md.pmap.protect(pmap, 0x1000, 0x2000, R);
    expectWired(4);
    md.pmap.unwire(pmap, 0x1000);
    md.pmap.unwire(pmap, 0x1000);
    expectWired(3);
    expect(md.pmap.counters.uselessChangewire).toBe(1);
    md.pmap.pageProtect(pages[1]!, VM_PROT_NONE);
    expectWired(2);
    md.pmap.remove(pmap, 0, 0x1_0000);
    expectWired(0);
    md.pmap.unwire(pmap, 0x2000);
    expect(md.pmap.counters.uselessChangewire).toBe(2);
  });

  it('counts the kernel’s', () => {
    md.pmap.enter(PMAP_KERNEL, 0xf100_0000, bare.takePage(), RW, PMAP_WIRED);
    expect(md.pmap.wiredCount(PMAP_KERNEL)).toBe(1);
    md.pmap.kenterPa(0xf100_1000, bare.takePage(), RW);
    expect(md.pmap.wiredCount(PMAP_KERNEL)).toBe(1);
    md.pmap.remove(PMAP_KERNEL, 0xf100_0000, 0xf100_1000);
    expect(md.pmap.wiredCount(PMAP_KERNEL)).toBe(0);
  });
});
