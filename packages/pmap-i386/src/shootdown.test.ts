import {
  ACCESS_USER,
  FAULT,
  PMAP_KERNEL,
  SCOPE_NONGLOBAL,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { checkPmap } from '../test/check.ts';
import { boot, eventsOf, type Rig } from '../test/rig.ts';
import { PMAP_TLB_MAXJOBS } from './shootdown.ts';
import { NBPD, NBPG } from './vmparam.ts';

const R = VM_PROT_READ;
const W = VM_PROT_WRITE;
const RW = VM_PROT_READ | VM_PROT_WRITE;
const USER = ACCESS_USER;
const PA = 0x345000;
const VA = 0x1000;
const KVA = 0xc0200000;

/** Three CPUs; one map active on CPUs 0 and 1, another on CPU 2; `pages` written through both CPUs. */
function three(pages: number, options: Parameters<typeof boot>[0] = {}): Rig & { id: number } {
  const rig = boot(options, { cpus: 3 });
  const id = rig.pmap.create();
  const other = rig.pmap.create();
  for (const [cpu, map] of [id, id, other].entries()) {
    rig.md.currentCpu = cpu;
    rig.pmap.activate(map);
  }
  rig.md.currentCpu = 0;
  for (let i = 0; i < pages; i++) {
    rig.pmap.enter(id, VA + i * NBPG, PA + i * NBPG, RW, 0);
    for (const cpu of [0, 1]) rig.md.mmus[cpu]!.translate(VA + i * NBPG, W | USER);
  }
  return { ...rig, id };
}

describe('shootdown', () => {
  it('reaches the CPUs on which the map is active, and no others', () => {
    const rig = three(1);
    const seen = eventsOf(rig, ['tlb.'], () => rig.pmap.protect(rig.id, 0, NBPD, R));
    expect(seen).toEqual([
      'tlb.shootdown 0 1 1000 0 0',
      'tlb.flushPage 0 1000 0 0 0',
      'tlb.flushPage 1 1000 0 0 0',
    ]);
    for (const cpu of [0, 1]) expect(rig.md.mmus[cpu]!.translate(VA, W | USER)).toBe(FAULT);
  });

  it('reaches every CPU for the kernel', () => {
    const rig = three(0);
    rig.pmap.kenterPa(KVA, PA, RW);
    for (const mmu of rig.md.mmus) mmu.translate(KVA, W);
    rig.pmap.kremove(KVA, NBPG);
    for (const mmu of rig.md.mmus) expect(mmu.translate(KVA, R)).toBe(FAULT);
  });

  it('reaches every CPU for the kernel where its pages are not global', () => {
    const rig = three(0, { processor: 'pentium' });
    rig.pmap.kenterPa(KVA, PA, RW);
    for (const mmu of rig.md.mmus) mmu.translate(KVA, W);
    rig.pmap.kremove(KVA, NBPG);
    for (const mmu of rig.md.mmus) expect(mmu.translate(KVA, R)).toBe(FAULT);
  });

  it('does not reach a CPU that has gone on to another map', () => {
    const rig = three(1);
    rig.md.currentCpu = 1;
    rig.pmap.activate(PMAP_KERNEL);
    rig.md.currentCpu = 0;
    const seen = eventsOf(rig, ['tlb.shootdown'], () => rig.pmap.protect(rig.id, 0, NBPD, R));
    expect(seen).toEqual([]);
  });

  it('spares pages that U and M say no TLB can hold', () => {
    const rig = three(0);
    rig.pmap.enter(rig.id, VA, PA, RW, 0);
    expect(eventsOf(rig, ['tlb.'], () => rig.pmap.protect(rig.id, 0, NBPD, R))).toEqual([]);
    rig.pmap.enter(rig.id, VA, PA, RW, 0);
    rig.md.mmus[1]!.translate(VA, R | USER);
    expect(eventsOf(rig, ['tlb.'], () => rig.pmap.protect(rig.id, 0, NBPD, R))).toEqual([]);
    expect(rig.md.mmus[1]!.translate(VA, W | USER)).toBe(FAULT);
  });

  it('flushes for a table that was emptied even if no page of it was used', () => {
    const rig = three(0);
    rig.pmap.enter(rig.id, VA, PA, RW, 0);
    const seen = eventsOf(rig, ['tlb.flushPage'], () => rig.pmap.remove(rig.id, 0, NBPD));
    expect(seen).toEqual(['tlb.flushPage 0 bfc00000 0 0 0', 'tlb.flushPage 1 bfc00000 0 0 0']);
  });

  it(`becomes a flush of everything that is not global after ${PMAP_TLB_MAXJOBS} pages`, () => {
    const rig = three(PMAP_TLB_MAXJOBS + 1);
    const seen = eventsOf(rig, ['tlb.flush'], () => rig.pmap.protect(rig.id, 0, NBPD, R));
    expect(seen).toEqual([
      `tlb.flush 0 ${SCOPE_NONGLOBAL} 0 0 0`,
      `tlb.flush 1 ${SCOPE_NONGLOBAL} 0 0 0`,
    ]);
    for (let i = 0; i <= PMAP_TLB_MAXJOBS; i++)
      expect(rig.md.mmus[1]!.translate(VA + i * NBPG, W | USER)).toBe(FAULT);
  });

  it('becomes a flush of everything if a global page is among them', () => {
    const rig = three(0);
    const pages = PMAP_TLB_MAXJOBS + 1;
    for (let i = 0; i < pages; i++) {
      rig.pmap.kenterPa(KVA + i * NBPG, PA, RW);
      for (const mmu of rig.md.mmus) mmu.translate(KVA + i * NBPG, R);
    }
    rig.pmap.kremove(KVA, pages * NBPG);
    for (const mmu of rig.md.mmus)
      for (let i = 0; i < pages; i++) expect(mmu.translate(KVA + i * NBPG, R)).toBe(FAULT);
  });

  it('adds a global page to a flush of all that is not global', () => {
    const rig = three(0);
    rig.pmap.enter(PMAP_KERNEL, KVA, PA, RW, 0);
    for (const mmu of rig.md.mmus) mmu.translate(KVA, W);
    for (let i = 0; i <= PMAP_TLB_MAXJOBS + 1; i++) {
      rig.pmap.enter(rig.id, VA + i * NBPG, PA, RW, 0);
      rig.md.mmus[1]!.translate(VA + i * NBPG, W | USER);
    }
    rig.pmap.pageProtect(PA, 0);
    expect(rig.md.mmus.map((mmu) => mmu.translate(KVA, R))).toEqual([FAULT, FAULT, FAULT]);
    expect(rig.md.mmus[1]!.translate(VA, R | USER)).toBe(FAULT);
  });

  it('is a load of CR3 on 80386s', () => {
    const rig = three(2, { processor: '80386' });
    const seen = eventsOf(rig, ['tlb.flush'], () => rig.pmap.remove(rig.id, 0, NBPD));
    expect(seen).toEqual([
      `tlb.flush 0 ${SCOPE_NONGLOBAL} 0 0 0`,
      `tlb.flush 1 ${SCOPE_NONGLOBAL} 0 0 0`,
    ]);
  });

  it('does not free a table before every CPU has flushed', () => {
    const rig = three(1);
    rig.md.mmus[1]!.translate(0xbfc00000, R);
    const order = eventsOf(rig, ['tlb.flushPage'], () => rig.pmap.remove(rig.id, 0, NBPD));
    expect(order.at(-1)).toBe('tlb.flushPage 1 bfc00000 0 0 0');
    expect(rig.md.mmus[1]!.translate(0xbfc00000, R)).toBe(FAULT);
  });

  it('clears modified on every CPU', () => {
    const rig = three(1);
    expect(rig.pmap.clearModify(PA)).toBe(true);
    expect(rig.pmap.isReferenced(PA)).toBe(true);
    rig.md.mmus[1]!.translate(VA, W | USER);
    expect(rig.pmap.isModified(PA)).toBe(true);
  });

  it('no longer reaches a CPU that left the map, which finds the truth when it comes back', () => {
    const rig = three(1);
    rig.md.currentCpu = 1;
    rig.pmap.deactivate(rig.id);
    rig.md.currentCpu = 0;
    const seen = eventsOf(rig, ['tlb.shootdown'], () => rig.pmap.protect(rig.id, 0, NBPD, R));
    expect(seen).toEqual([]);
    rig.md.currentCpu = 1;
    rig.pmap.activate(rig.id);
    expect(rig.md.mmus[1]!.translate(VA, W | USER)).toBe(FAULT);
  });

  it('is what several CPUs have by themselves, and the up pmap is refused there', () => {
    expect(() => boot({ variant: 'up' }, { cpus: 2 })).toThrow(
      new RangeError("the pmap variant 'up' is for one CPU, given 2: use 'q'"),
    );
    const rig = three(1);
    rig.pmap.pageProtect(PA, 0);
    checkPmap(rig.bare);
    expect(rig.pmap.wiredCount(PMAP_KERNEL)).toBe(5);
  });
});
