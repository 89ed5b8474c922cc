import {
  ACCESS_USER,
  ENOMEM,
  FAULT,
  NO_PA,
  PMAP_CANFAIL,
  PMAP_KERNEL,
  PMAP_WIRED,
  STEAL_MAPPING,
  STEAL_TABLE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { checkPmap } from '../test/check.ts';
import { boot, counters, type Rig, VARIANTS } from '../test/rig.ts';
import { NBPD } from './vmparam.ts';

const R = VM_PROT_READ;
const RW = VM_PROT_READ | VM_PROT_WRITE;
const USER = ACCESS_USER;
const PA = 0x345000;
const PA2 = 0x346000;
const VA = 0x1000;
const KVA = 0xc0200000;

describe('shortage', () => {
  it.each(VARIANTS)('of page tables is ENOMEM with CANFAIL, a panic without (%s)', (variant) => {
    const rig = boot({ variant }, { tablePages: 2 });
    const { bare, pmap } = rig;
    const id = pmap.create();
    pmap.enter(id, VA, PA, RW, PMAP_WIRED);
    expect(pmap.enter(id, NBPD, PA2, RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect(counters(rig, id, VA)).toEqual([1, 3, 2]);
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
    const before = counters(rig, id, VA);
    expect(pmap.enter(id, 0x3000, PA2, RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect(pmap.enter(id, 0x2000, PA2, RW, PMAP_CANFAIL | PMAP_WIRED)).toBe(ENOMEM);
    expect(pmap.enter(id, NBPD, PA2, RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect(counters(rig, id, VA)).toEqual(before);
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
    const stolen = stealsOf(bare);
    pmap.enter(PMAP_KERNEL, KVA, 0x300000, RW, 0);
    pmap.enter(a, VA, PA, RW, PMAP_WIRED);
    pmap.activate(b);
    pmap.enter(b, 0x5000, PA2, RW, 0);
    md.mmus[0]!.translate(0x5000, VM_PROT_WRITE | USER);
    expect(pmap.enter(b, 0x6000, 0x347000, RW, PMAP_CANFAIL)).toBe(0);
    expect(stolen).toEqual([[b, 0x5000, STEAL_MAPPING]]);
    expect(md.mmus[0]!.translate(0x5000, R | USER)).toBe(FAULT);
    expect(pmap.isModified(PA2)).toBe(true);
    expect(pmap.extract(a, VA)).toBe(PA);
    checkPmap(bare);
  });

  it('up: of page tables is met by forgetting a table without wired mappings', () => {
    const { bare, pmap } = boot({ variant: 'up' }, { tablePages: 4 });
    const [a, b] = [pmap.create(), pmap.create()];
    const stolen = stealsOf(bare);
    pmap.enter(a, VA, PA, RW, PMAP_WIRED);
    pmap.enter(b, NBPD, PA2, RW, 0);
    expect(pmap.enter(a, 2 * NBPD, 0x347000, RW, PMAP_CANFAIL)).toBe(0);
    expect(stolen).toEqual([[b, NBPD, STEAL_TABLE]]);
    expect(pmap.residentCount(b)).toBe(1);
    expect(pmap.enter(b, NBPD, PA2, RW, PMAP_WIRED)).toBe(0);
    expect(stolen).toHaveLength(2);
    expect(pmap.enter(a, 2 * NBPD, 0x347000, RW, PMAP_CANFAIL)).toBe(ENOMEM);
    checkPmap(bare);
  });
});

/** The fields of every `pmap.steal` from now on: map, address, what. */
function stealsOf(bare: Rig['bare']): number[][] {
  const stolen: number[][] = [];
  bare.events.watch((name, ...fields) => {
    if (name === 'pmap.steal') stolen.push(fields.slice(0, 3));
  });
  return stolen;
}
