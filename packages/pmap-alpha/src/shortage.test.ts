import { ENOMEM, KernelPanic, NO_PA, PMAP_CANFAIL, PMAP_KERNEL, PMAP_WIRED } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { Alpha, KVA, PAGE, RW, TEXT, WRITE } from '../test/harness.ts';

describe('table pages run out', () => {
  it('answers ENOMEM with CANFAIL at each level, and leaves everything as it was', () => {
    for (const limit of [0, 1, 2]) {
      const a = new Alpha({}, { tablePages: limit });
      const id = a.process();
      expect(a.pmap.enter(id, TEXT, a.page(), RW, WRITE | PMAP_CANFAIL)).toBe(ENOMEM);
      expect([a.counts(id).resident, a.pmap.tableBytes(id), a.machine.tablePagesOut]).toEqual([
        0, 0, 0,
      ]);
      a.check();
      a.machine.tablePageLimit = 3;
      expect(a.pmap.enter(id, TEXT, a.page(), RW, WRITE | PMAP_CANFAIL)).toBe(0);
      a.check();
    }
  });

  it('panics without CANFAIL', () => {
    const a = new Alpha({}, { tablePages: 2 });
    const id = a.process();
    expect(() => a.pmap.enter(id, TEXT, a.page(), RW, WRITE)).toThrow(KernelPanic);
  });

  it('keeps the mappings and tables that a map has when another table is not to be had', () => {
    const a = new Alpha({}, { tablePages: 4 });
    const id = a.process();
    const pa = a.page();
    a.pmap.enter(id, TEXT, pa, RW, WRITE | PMAP_WIRED);
    expect(a.pmap.enter(id, 2 ** 33, a.page(), RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect(a.machine.tablePagesOut).toBe(3);
    expect(a.user(TEXT, WRITE)).toEqual({ pa, traps: 0 });
    a.check();
  });

  it('takes tables from the map that was used longest ago', () => {
    const a = new Alpha({}, { tablePages: 9 });
    const [old, recent, thief] = [a.process(), a.process(), a.process()];
    a.pmap.enter(old, TEXT, a.page(), RW, WRITE);
    a.pmap.enter(recent, TEXT, a.page(), RW, WRITE);
    a.pmap.enter(thief, TEXT, a.page(), RW, WRITE);
    expect(a.pmap.enter(thief, TEXT + (8 << 20), a.page(), RW, WRITE)).toBe(0);
    expect(a.counts(old).resident).toBe(0);
    expect(a.counts(recent).resident).toBe(1);
    expect(a.pmap.tableBytes(old)).toBe(0);
    a.check();
    a.pmap.activate(old);
    expect(a.user(TEXT, WRITE)).toHaveProperty('trap');
    expect(a.pmap.enter(old, TEXT, a.page(), RW, WRITE)).toBe(0);
    expect(a.counts(recent).resident).toBe(0);
    a.check();
  });

  it('never takes a kernel or VPT table (F.4)', () => {
    const a = new Alpha({}, { tablePages: 3 });
    a.pmap.enter(PMAP_KERNEL, KVA, a.page(), RW, WRITE);
    const [one, two] = [a.process(), a.process()];
    a.pmap.enter(one, TEXT, a.page(), RW, WRITE | PMAP_WIRED);
    expect(a.pmap.enter(two, TEXT, a.page(), RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect(a.pmap.extract(PMAP_KERNEL, KVA)).not.toBe(NO_PA);
    a.check();
  });

  it('lets PALcode read no PTE from a stolen table', () => {
    const a = new Alpha({ virtualPageTable: true });
    const [victim, thief] = [a.process(), a.process()];
    a.pmap.enter(victim, TEXT, a.page(), RW, WRITE);
    a.pmap.enter(victim, 2 ** 33, a.page(), RW, WRITE | PMAP_WIRED);
    a.pmap.enter(thief, TEXT + (8 << 20), a.page(), RW, WRITE);
    a.pmap.activate(victim);
    expect(a.user(TEXT, WRITE)).toHaveProperty('pa');
    a.machine.tablePageLimit = a.machine.tablePagesOut;
    const pa = a.page();
    a.pmap.enter(thief, TEXT + PAGE, pa, RW, WRITE);
    expect(a.counts(victim)).toEqual({ resident: 1, wired: 1 });
    expect(a.user(TEXT + PAGE, WRITE)).toHaveProperty('trap');
    a.pmap.activate(thief);
    expect(a.user(TEXT + PAGE, WRITE)).toEqual({ pa, traps: 0 });
    a.check();
  });

  it('lets PALcode read no PTE from a freed table that is another map’s by now (F.5)', () => {
    const a = new Alpha({ virtualPageTable: true });
    const [one, two] = [a.process(), a.process()];
    a.pmap.enter(one, TEXT, a.page(), RW, WRITE);
    a.pmap.enter(one, TEXT + (8 << 20), a.page(), RW, WRITE);
    a.pmap.enter(two, TEXT + (8 << 20), a.page(), RW, WRITE);
    a.pmap.activate(one);
    expect(a.user(TEXT, WRITE)).toHaveProperty('pa');
    a.pmap.remove(one, TEXT, TEXT + PAGE);
    a.pmap.enter(two, TEXT + PAGE, a.page(), RW, WRITE);
    expect(a.user(TEXT + PAGE, WRITE)).toHaveProperty('trap');
  });
});

describe('pv entries run out', () => {
  it('takes one from a mapping of another map that is not wired', () => {
    const a = new Alpha({ pvEntries: 2 });
    const [one, two] = [a.process(), a.process()];
    a.pmap.enter(one, TEXT, a.page(), RW, WRITE | PMAP_WIRED);
    a.pmap.enter(one, TEXT + PAGE, a.page(), RW, WRITE);
    const pa = a.page();
    expect(a.pmap.enter(two, TEXT, pa, RW, WRITE)).toBe(0);
    expect(a.user(TEXT, WRITE)).toEqual({ pa, traps: 0 });
    expect(a.counts(one)).toEqual({ resident: 1, wired: 1 });
    a.check();
  });

  it('takes one of the map’s own if others have none, and keeps the table in use', () => {
    const a = new Alpha({ pvEntries: 1 });
    const id = a.process();
    for (let n = 0; n < 5; n++) {
      const pa = a.page();
      expect(a.pmap.enter(id, TEXT + n * PAGE, pa, RW, WRITE)).toBe(0);
      expect(a.user(TEXT + n * PAGE, WRITE)).toEqual({ pa, traps: 0 });
      expect(a.counts(id).resident).toBe(1);
      a.check();
    }
  });

  it('answers ENOMEM with CANFAIL and panics without, if all are wired', () => {
    const a = new Alpha({ pvEntries: 1 });
    const id = a.process();
    a.pmap.enter(id, TEXT, a.page(), RW, WRITE | PMAP_WIRED);
    expect(a.pmap.enter(id, TEXT + PAGE, a.page(), RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect(a.pmap.enter(id, 2 ** 33, a.page(), RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect(a.counts(id)).toEqual({ resident: 1, wired: 1 });
    expect(a.machine.tablePagesOut).toBe(3);
    a.check();
    expect(() => a.pmap.enter(id, TEXT + PAGE, a.page(), RW, 0)).toThrow(/PV table/);
  });

  it('F.3: leaves the address unmapped and counts right if the old mapping had to go first', () => {
    const a = new Alpha({ pvEntries: 1 });
    const id = a.process();
    a.pmap.enter(id, TEXT, 0, RW, 0);
    a.pmap.enter(id, TEXT + PAGE, a.page(), RW, WRITE | PMAP_WIRED);
    expect(a.pmap.enter(id, TEXT, a.page(), RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect(a.pmap.extract(id, TEXT)).toBe(NO_PA);
    expect(a.counts(id)).toEqual({ resident: 1, wired: 1 });
    a.check();
    expect(a.machine.md.port.capabilities.scarceTables).toBe(true);
  });
});

describe('ASNs run out', () => {
  it('starts a new generation and drops what every process had cached', () => {
    const a = new Alpha({ maxAsn: 2 });
    const ids = [1, 2, 3].map(() => a.process());
    const pages = ids.map((id) => {
      const pa = a.page();
      a.pmap.activate(id);
      a.pmap.enter(id, TEXT, pa, RW, WRITE);
      expect(a.user(TEXT, WRITE)).toEqual({ pa, traps: 0 });
      return pa;
    });
    expect(a.mmus[0]!.stats.fullFlushes).toBe(1);
    expect(a.mmus[0]!.asn).toBe(1);
    for (let round = 0; round < 3; round++) {
      ids.forEach((id, n) => {
        a.pmap.activate(id);
        expect(a.user(TEXT, WRITE)).toEqual({ pa: pages[n], traps: 0 });
      });
    }
    a.check();
  });

  it('keeps an ASN, and what is cached under it, from one activation to the next', () => {
    const a = new Alpha();
    const [one, two] = [a.process(), a.process()];
    a.pmap.enter(one, TEXT, a.page(), RW, WRITE);
    a.pmap.enter(two, TEXT, a.page(), RW, WRITE);
    a.pmap.activate(one);
    a.user(TEXT, WRITE);
    const { asn } = a.mmus[0]!;
    a.pmap.activate(two);
    a.pmap.activate(one);
    expect(a.mmus[0]!.asn).toBe(asn);
    const { misses } = a.mmus[0]!.stats;
    a.user(TEXT, WRITE);
    expect(a.mmus[0]!.stats.misses).toBe(misses);
  });

  it('takes the ASN of an inactive map whose mapping changed (F.7)', () => {
    const a = new Alpha();
    const [one, two] = [a.process(), a.process()];
    const [pa, other] = [a.page(), a.page()];
    a.pmap.activate(one);
    a.pmap.enter(one, TEXT, pa, RW, WRITE);
    a.user(TEXT, WRITE);
    const { asn } = a.mmus[0]!;
    a.pmap.activate(two);
    const flushes = a.mmus[0]!.stats.pageFlushes;
    a.pmap.enter(one, TEXT, other, RW, WRITE);
    expect(a.mmus[0]!.stats.pageFlushes).toBe(flushes);
    a.pmap.activate(one);
    expect(a.mmus[0]!.asn).not.toBe(asn);
    expect(a.user(TEXT, WRITE)).toEqual({ pa: other, traps: 0 });
  });

  it('works where ASNs are not implemented, by a flush at every switch', () => {
    const a = new Alpha({ maxAsn: 0 });
    expect(a.machine.md.port.capabilities.addressSpaceTags).toBe(0);
    const [one, two] = [a.process(), a.process()];
    const [pa, other] = [a.page(), a.page()];
    a.pmap.enter(one, TEXT, pa, RW, WRITE);
    a.pmap.enter(two, TEXT, other, RW, WRITE);
    for (const [id, frame] of [
      [one, pa],
      [two, other],
      [one, pa],
    ] as const) {
      a.pmap.activate(id);
      expect(a.mmus[0]!.asn).toBe(0);
      expect(a.user(TEXT, WRITE)).toEqual({ pa: frame, traps: 0 });
    }
    a.pmap.remove(one, TEXT, TEXT + PAGE);
    expect(a.user(TEXT, WRITE)).toHaveProperty('trap');
    a.check();
  });

  it('gives a new map nothing of what was cached under the reserved ASN (F.6)', () => {
    const a = new Alpha({ virtualPageTable: true });
    const one = a.process();
    a.pmap.enter(one, TEXT, a.page(), RW, WRITE);
    a.user(TEXT, WRITE);
    a.process();
    expect(a.mmus[0]!.asn).toBe(0);
    expect(a.user(TEXT, WRITE)).toHaveProperty('trap');
    expect(a.user(TEXT + PAGE, WRITE)).toHaveProperty('trap');
  });
});
