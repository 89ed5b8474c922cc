import {
  KernelPanic,
  PMAP_CANFAIL,
  PMAP_KERNEL,
  PMAP_WIRED,
  type Pa,
  type PmapId,
} from '@uvmkit/pmap';
import { describe, expect, it, test } from 'vitest';
import { Alpha, KVA, PAGE, READ, RW, TEXT, WRITE } from '../test/harness.ts';
import type { AlphaOptions } from './index.ts';

interface Case {
  readonly a: Alpha;
  readonly id: PmapId;
  readonly pa: Pa;
  readonly other: Pa;
}

/** What is in the table at TEXT: nothing, a mapping, a wired mapping of another page, …. */
function state(a: Alpha, id: PmapId): string {
  const names = a.pmap.describe(id, TEXT).split(' ');
  return `${names.includes('V') ? 'V' : '-'}${names.includes('WIRED') ? 'W' : '-'}`;
}

function mapped(
  before: 'invalid' | 'unwired' | 'wired',
  options: AlphaOptions = {},
  diagnostic = true,
): Case {
  const a = new Alpha(options, { diagnostic });
  const id = a.process();
  const [pa, other] = [a.page(), a.page()];
  if (before !== 'invalid') {
    a.pmap.enter(id, TEXT, pa, RW, WRITE | (before === 'wired' ? PMAP_WIRED : 0));
  }
  return { a, id, pa, other };
}

/** Section C.1 of the reference: the call, the mapping before and after, the changes of the two counts. */
const TABLE: readonly (readonly [
  name: string,
  before: 'invalid' | 'unwired' | 'wired',
  call: (c: Case) => void,
  after: string,
  wired: number,
  resident: number,
])[] = [
  [
    'enter wired',
    'invalid',
    (c) => c.a.pmap.enter(c.id, TEXT, c.pa, RW, WRITE | PMAP_WIRED),
    'VW',
    1,
    1,
  ],
  [
    'enter not wired, same frame',
    'wired',
    (c) => c.a.pmap.enter(c.id, TEXT, c.pa, RW, WRITE),
    'V-',
    -1,
    0,
  ],
  [
    'enter wired, same frame',
    'unwired',
    (c) => c.a.pmap.enter(c.id, TEXT, c.pa, RW, PMAP_WIRED),
    'VW',
    1,
    0,
  ],
  [
    'enter wired, other frame',
    'wired',
    (c) => c.a.pmap.enter(c.id, TEXT, c.other, RW, PMAP_WIRED),
    'VW',
    0,
    0,
  ],
  [
    'enter not wired, other frame',
    'wired',
    (c) => c.a.pmap.enter(c.id, TEXT, c.other, RW, 0),
    'V-',
    -1,
    0,
  ],
  ['unwire', 'wired', (c) => c.a.pmap.unwire(c.id, TEXT), 'V-', -1, 0],
  ['remove', 'wired', (c) => c.a.pmap.remove(c.id, TEXT, TEXT + PAGE), '--', -1, -1],
  [
    'protect without READ',
    'wired',
    (c) => c.a.pmap.protect(c.id, TEXT, TEXT + PAGE, WRITE),
    '--',
    -1,
    -1,
  ],
  ['page_protect(NONE), wired', 'wired', (c) => c.a.pmap.pageProtect(c.pa, 0), 'VW', 0, 0],
  ['page_protect(NONE), not wired', 'unwired', (c) => c.a.pmap.pageProtect(c.pa, 0), '--', 0, -1],
  ['page_protect(READ)', 'wired', (c) => c.a.pmap.pageProtect(c.pa, READ), 'VW', 0, 0],
  ['protect(READ)', 'wired', (c) => c.a.pmap.protect(c.id, TEXT, TEXT + PAGE, READ), 'VW', 0, 0],
  ['clear_modify', 'wired', (c) => c.a.pmap.clearModify(c.pa), 'VW', 0, 0],
  ['clear_reference', 'wired', (c) => c.a.pmap.clearReference(c.pa), 'VW', 0, 0],
  ['collect, wired', 'wired', (c) => c.a.pmap.collect(c.id), 'VW', 0, 0],
  ['collect, not wired', 'unwired', (c) => c.a.pmap.collect(c.id), '--', 0, -1],
];

describe('what happens to a wired mapping', () => {
  test.each(TABLE)('%s (%s before)', (_name, before, call, after, wired, resident) => {
    const c = mapped(before);
    const counts = c.a.counts(c.id);
    call(c);
    expect(state(c.a, c.id)).toBe(after);
    expect(c.a.counts(c.id)).toEqual({
      resident: counts.resident + resident,
      wired: counts.wired + wired,
    });
    c.a.check();
  });

  it('stays usable after page_protect(NONE), and is the only one that stays', () => {
    const { a, id, pa } = mapped('wired');
    const other = a.pmap.create();
    a.pmap.enter(other, TEXT, pa, RW, WRITE);
    a.pmap.pageProtect(pa, 0);
    expect(a.user(TEXT, WRITE)).toEqual({ pa, traps: 0 });
    expect(a.counts(other)).toEqual({ resident: 0, wired: 0 });
    expect(a.counts(id)).toEqual({ resident: 1, wired: 1 });
    a.check();
  });

  it('goes with page_protect(NONE) as later revisions have it', () => {
    const { a, id, pa } = mapped('wired', { pageProtectWired: 'removes' });
    a.pmap.pageProtect(pa, 0);
    expect(a.counts(id)).toEqual({ resident: 0, wired: 0 });
    expect(a.machine.md.port.capabilities.pageProtectWired).toBe('removes');
    a.check();
  });

  it('goes with collect as revision 1.124 had it', () => {
    const { a, id } = mapped('wired', { collectWired: 'removes' });
    a.pmap.collect(id);
    expect(a.counts(id)).toEqual({ resident: 0, wired: 0 });
    a.check();
  });

  it('is the kernel’s too, where collect does nothing', () => {
    const { a, pa } = mapped('invalid');
    a.pmap.enter(PMAP_KERNEL, KVA, pa, RW, WRITE);
    a.pmap.collect(PMAP_KERNEL);
    expect(a.pmap.extract(PMAP_KERNEL, KVA)).toBe(pa);
    a.pmap.enter(PMAP_KERNEL, KVA, pa, RW, WRITE | PMAP_WIRED);
    a.pmap.pageProtect(pa, 0);
    expect(a.pmap.extract(PMAP_KERNEL, KVA)).toBe(pa);
    a.pmap.unwire(PMAP_KERNEL, KVA);
    a.pmap.pageProtect(pa, 0);
    expect(a.counts(PMAP_KERNEL)).toEqual({ resident: 0, wired: 0 });
    a.check();
  });

  it('keeps its level-3 table from being stolen, and only that one', () => {
    const { a, id, pa } = mapped('wired');
    const far = TEXT + (8 << 20);
    a.pmap.enter(id, far, a.page(), RW, WRITE);
    const thief = a.pmap.create();
    a.machine.tablePageLimit = a.machine.tablePagesOut + 2;
    expect(a.pmap.enter(thief, TEXT, a.page(), RW, WRITE)).toBe(0);
    expect(a.pmap.extract(id, far)).toBe(-1);
    expect(a.pmap.extract(id, TEXT)).toBe(pa);
    expect(a.pmap.enter(thief, 2 ** 33, a.page(), RW, PMAP_CANFAIL)).toBe(12);
    expect(a.counts(id)).toEqual({ resident: 1, wired: 1 });
    a.check();
  });
});

describe('unwire', () => {
  it('panics under DIAGNOSTIC where there is no table or no mapping', () => {
    const { a, id } = mapped('wired');
    expect(() => a.pmap.unwire(id, 2 ** 33)).toThrow(/pmap_unwire/);
    expect(() => a.pmap.unwire(id, TEXT + (8 << 20))).toThrow(/pmap_unwire/);
    expect(() => a.pmap.unwire(id, TEXT + PAGE)).toThrow(KernelPanic);
    expect(() => a.pmap.unwire(id, KVA)).toThrow(KernelPanic);
  });

  it('without it follows a NULL where there is no table, and does nothing where there is no mapping', () => {
    const { a, id } = mapped('wired', {}, false);
    expect(() => a.pmap.unwire(id, 2 ** 33)).toThrow(/trap/);
    a.pmap.unwire(id, TEXT + PAGE);
    a.pmap.unwire(id, TEXT);
    a.pmap.unwire(id, TEXT);
    expect(a.machine.printed).toEqual([]);
    expect(a.counts(id)).toEqual({ resident: 1, wired: 0 });
  });

  it('says so under DIAGNOSTIC where the mapping is not wired', () => {
    const { a, id } = mapped('unwired');
    a.pmap.unwire(id, TEXT);
    expect(a.machine.printed).toEqual([
      `pmap_unwire: wiring for pmap ${id} va 0x120000000 didn't change!`,
    ]);
    expect(a.counts(id)).toEqual({ resident: 1, wired: 0 });
  });

  it('flushes nothing', () => {
    const { a, id } = mapped('wired');
    const flushes = a.mmus[0]!.stats.pageFlushes;
    a.pmap.unwire(id, TEXT);
    expect(a.mmus[0]!.stats.pageFlushes).toBe(flushes);
  });
});
