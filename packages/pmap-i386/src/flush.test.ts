import {
  ACCESS_USER,
  FAULT,
  PMAP_KERNEL,
  SCOPE_NONGLOBAL,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { pteOf } from '../test/check.ts';
import { boot, eventsOf, type Rig } from '../test/rig.ts';
import { PMAP_RR_MAX } from './flush.ts';
import { NBPD, NBPG } from './vmparam.ts';

const R = VM_PROT_READ;
const W = VM_PROT_WRITE;
const RW = VM_PROT_READ | VM_PROT_WRITE;
const USER = ACCESS_USER;
const PA = 0x345000;
const PA2 = 0x346000;
const VA = 0x1000;
const KVA = 0xc0200000;

/** A map active on the one CPU, with `pages` writable pages from VA, each written once. */
function active(
  pages: number,
  options: Parameters<typeof boot>[0] = { variant: 'up' },
): Rig & { id: number } {
  const rig = boot(options);
  const id = rig.pmap.create();
  rig.pmap.activate(id);
  for (let i = 0; i < pages; i++) {
    rig.pmap.enter(id, VA + i * NBPG, PA + i * NBPG, RW, 0);
    rig.md.mmus[0]!.translate(VA + i * NBPG, W | USER);
  }
  return { ...rig, id };
}

describe('the flushes of the up pmap', () => {
  it(`are page by page up to ${PMAP_RR_MAX} pages of a range`, () => {
    const rig = active(PMAP_RR_MAX);
    const seen = eventsOf(rig, ['tlb.'], () => rig.pmap.protect(rig.id, 0, NBPD, R));
    expect(seen).toHaveLength(PMAP_RR_MAX);
    expect(seen[0]).toBe('tlb.flushPage 0 1000 0 0 0');
  });

  it('are one load of CR3 beyond that', () => {
    const rig = active(PMAP_RR_MAX + 1);
    const seen = eventsOf(rig, ['tlb.'], () => rig.pmap.protect(rig.id, 0, NBPD, R));
    expect(seen).toEqual([`tlb.flush 0 ${SCOPE_NONGLOBAL} 0 0 0`]);
    expect(rig.md.mmus[0]!.translate(VA, W | USER)).toBe(FAULT);
  });

  it('take global pages singly, which a load of CR3 would keep', () => {
    const rig = active(0);
    const pages = PMAP_RR_MAX + 4;
    for (let i = 0; i < pages; i++) {
      rig.pmap.enter(PMAP_KERNEL, KVA + i * NBPG, PA + i * NBPG, RW, 0);
      rig.md.mmus[0]!.translate(KVA + i * NBPG, W);
    }
    const seen = eventsOf(rig, ['tlb.'], () =>
      rig.pmap.remove(PMAP_KERNEL, KVA, KVA + pages * NBPG),
    );
    expect(seen.filter((event) => event.startsWith('tlb.flushPage'))).toHaveLength(pages);
    expect(rig.md.mmus[0]!.translate(KVA, R)).toBe(FAULT);
  });

  it('are made for whatever changed, dirty or not', () => {
    const rig = active(0);
    rig.pmap.enter(rig.id, VA, PA, RW, 0);
    const seen = eventsOf(rig, ['tlb.'], () => rig.pmap.protect(rig.id, 0, NBPD, R));
    expect(seen).toEqual(['tlb.flushPage 0 1000 0 0 0']);
  });

  it('are none for a map that is not loaded', () => {
    const rig = active(0);
    const other = rig.pmap.create();
    rig.pmap.enter(other, VA, PA, RW, 0);
    expect(eventsOf(rig, ['tlb.'], () => rig.pmap.pageProtect(PA, R))).toEqual([]);
  });

  it('are none when a mapping begins to exist', () => {
    const rig = active(0);
    expect(eventsOf(rig, ['tlb.'], () => rig.pmap.enter(rig.id, VA, PA, RW, 0))).toEqual([]);
  });

  it('are none for unwire, whose bit is software', () => {
    const rig = active(0);
    rig.pmap.enter(rig.id, VA, PA, RW, 0x10);
    expect(eventsOf(rig, ['tlb.'], () => rig.pmap.unwire(rig.id, VA))).toEqual([]);
  });

  it('include the page of a freed table in the window of PTEs', () => {
    const rig = active(1);
    const seen = eventsOf(rig, ['tlb.'], () => rig.pmap.remove(rig.id, VA, VA + NBPG));
    expect(seen).toEqual(['tlb.flushPage 0 1000 0 0 0', 'tlb.flushPage 0 bfc00000 0 0 0']);
  });

  it('are a load of CR3 for anything on an 80386', () => {
    const rig = active(1, { variant: 'up', processor: '80386' });
    const seen = eventsOf(rig, ['tlb.'], () => rig.pmap.protect(rig.id, VA, VA + NBPG, R));
    expect(seen).toEqual([`tlb.flush 0 ${SCOPE_NONGLOBAL} 0 0 0`]);
    rig.pmap.kenterPa(KVA, PA, RW);
    expect(pteOf(rig.bare, 0, KVA)).toBe(0x00345003);
    rig.md.mmus[0]!.translate(KVA, R);
    rig.pmap.kremove(KVA, NBPG);
    expect(rig.md.mmus[0]!.translate(KVA, R)).toBe(FAULT);
  });
});

describe.each(['up', 'q'] as const)('pitfalls that the %s pmap avoids', (variant) => {
  it('entering an identical mapping does not lose later writes', () => {
    const { id, md, pmap } = active(1, { variant });
    pmap.enter(id, VA, PA, RW, 0);
    expect(pmap.isModified(PA)).toBe(true);
    pmap.clearModify(PA);
    md.mmus[0]!.translate(VA, W | USER);
    expect(pmap.isModified(PA)).toBe(true);
  });

  it('entering an identical mapping does not hide it from a later removal', () => {
    const { id, md, pmap } = active(0, { variant });
    pmap.enter(id, VA, PA, RW, 0);
    md.mmus[0]!.translate(VA, R | USER);
    pmap.enter(id, VA, PA, RW, 0);
    pmap.remove(id, VA, VA + NBPG);
    expect(md.mmus[0]!.translate(VA, R | USER)).toBe(FAULT);
  });

  it('entering a dirty page read-only keeps that it was modified, and takes write away at once', () => {
    const { id, md, pmap } = active(1, { variant });
    pmap.enter(id, VA, PA, R, 0);
    expect(pmap.isModified(PA)).toBe(true);
    expect(md.mmus[0]!.translate(VA, W | USER)).toBe(FAULT);
  });

  it('entering another page shows it at once, and saves what was known of the old one', () => {
    const { id, md, pmap } = active(1, { variant });
    pmap.enter(id, VA, PA2, RW, 0);
    expect(md.mmus[0]!.translate(VA, R | USER)).toBe(PA2);
    expect([pmap.isModified(PA), pmap.isModified(PA2)]).toEqual([true, false]);
  });

  it('a kernel page entered by kenter_pa over another shows at once', () => {
    const { md, pmap } = active(0, { variant });
    pmap.kenterPa(KVA, PA, RW);
    expect(md.mmus[0]!.translate(KVA, W)).toBe(PA);
    pmap.kenterPa(KVA, PA2, R);
    expect(md.mmus[0]!.translate(KVA, R)).toBe(PA2);
    expect(md.mmus[0]!.translate(KVA, W)).toBe(FAULT);
  });

  it('kernel pages are global from boot, and a load of CR3 keeps them', () => {
    const { bare, md, pmap } = active(0, { variant });
    expect(pteOf(bare, 0, 0xc0000000)).toBe(0x00000103);
    md.mmus[0]!.translate(0xc0000000, R);
    pmap.activate(PMAP_KERNEL);
    const { misses } = md.mmus[0]!.stats;
    md.mmus[0]!.translate(0xc0000000, R);
    expect(md.mmus[0]!.stats.misses).toBe(misses);
  });
});

describe.each(['up', 'q'] as const)('deferred flushes of the %s pmap', (variant) => {
  const options = { variant, deferred: true } as const;

  it('let a removed mapping be used until update', () => {
    const { bare, id, md, pmap } = active(1, options);
    const tables = bare.tablePagesOut;
    pmap.remove(id, 0, NBPD);
    expect(md.mmus[0]!.translate(VA, W | USER)).toBe(PA);
    expect(bare.tablePagesOut).toBe(tables);
    pmap.update(id);
    expect(md.mmus[0]!.translate(VA, W | USER)).toBe(FAULT);
    expect(bare.tablePagesOut).toBe(tables - 1);
  });

  it('let a global page be used until update, however many there are', () => {
    const { md, pmap } = active(0, options);
    for (let i = 0; i < 20; i++) {
      pmap.kenterPa(KVA + i * NBPG, PA, RW);
      md.mmus[0]!.translate(KVA + i * NBPG, R);
    }
    pmap.kremove(KVA, 20 * NBPG);
    expect(md.mmus[0]!.translate(KVA, R)).toBe(PA);
    pmap.update(PMAP_KERNEL);
    for (let i = 0; i < 20; i++) expect(md.mmus[0]!.translate(KVA + i * NBPG, R)).toBe(FAULT);
  });

  it('do not defer page_protect, clear_modify and clear_reference', () => {
    const { md, pmap } = active(1, options);
    pmap.clearModify(PA);
    md.mmus[0]!.translate(VA, W | USER);
    expect(pmap.isModified(PA)).toBe(true);
    pmap.pageProtect(PA, R);
    expect(md.mmus[0]!.translate(VA, W | USER)).toBe(FAULT);
    pmap.pageProtect(PA, VM_PROT_NONE);
    expect(md.mmus[0]!.translate(VA, R | USER)).toBe(FAULT);
  });

  it('do not make a shortage of tables that only wait for their flush', () => {
    const { bare, id, pmap } = active(1, options);
    bare.tablePageLimit = bare.tablePagesOut;
    pmap.remove(id, 0, NBPD);
    expect(pmap.enter(id, NBPD, PA, RW, 0)).toBe(0);
  });
});
