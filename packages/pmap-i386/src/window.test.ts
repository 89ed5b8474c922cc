import { ACCESS_USER, FAULT, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { boot, VARIANTS } from '../test/rig.ts';
import { APTE_BASE, NBPD, NBPG, PDP_BASE, vtopte } from './vmparam.ts';

const R = VM_PROT_READ;
const RW = VM_PROT_READ | VM_PROT_WRITE;
const USER = ACCESS_USER;
const PA = 0x345000;
const PA2 = 0x346000;
const VA = 0x1000;

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
