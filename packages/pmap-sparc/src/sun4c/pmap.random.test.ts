import {
  ACCESS_USER,
  bootBare,
  ENOMEM,
  FAULT,
  NO_PA,
  PMAP_CANFAIL,
  PMAP_KERNEL,
  PMAP_WIRED,
  TRAP_SETTLED,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PMEG_LOCKED, PMEG_LRU } from './pmeg-pool.ts';
import { sun4c, Sun4cMachine } from './port.ts';
import { isValid } from './pte.ts';

// Random pmap calls, loads and stores against a plain model of what is mapped and what each page holds, on a machine
// with hardly any PMEGs and contexts: no byte may be stale, and every count must hold.

interface Mapping {
  readonly page: number;
  writable: boolean;
  wired: boolean;
}

// All but the last are congruent, so that pages are cached until one is mapped there.
const USER = [0x1000, 0x1_1000, 0xe000_1000, 0x4_1000, 0x7f_1000, 0x1fff_1000, 0xefff_1000, 0x2000];
const KERNEL = [
  0xf100_1000, 0xf101_1000, 0xf102_1000, 0xf103_1000, 0xf120_1000, 0xf121_1000, 0xf122_1000,
  0xf100_2000,
];
const step = fc.record({
  what: fc.constantFrom(
    ...([
      'enter',
      'enter',
      'enter',
      'enter',
      'enter',
      'enter',
      'enter',
      'remove',
      'protect',
      'page',
      'unwire',
      'load',
      'load',
      'load',
      'load',
      'load',
      'load',
      'store',
      'store',
      'store',
      'store',
    ] as const),
    ...(['clear', 'clear reference', 'forget', 'zero', 'zero', 'copy'] as const),
  ),
  // Mostly the same few, so that what one call leaves behind is met by the next.
  map: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 4),
  va: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7),
  span: fc.nat(3),
  page: fc.constantFrom(0, 0, 0, 0, 1, 2, 3),
  word: fc.nat(1),
  write: fc.constantFrom(true, true, false),
  wired: fc.boolean(),
});

describe('after random calls', () => {
  it.each(['2001', 'late'] as const)(
    'no byte is stale and all counts agree (%s wiring)',
    (wiring) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
          // One PMEG for the kernel's image, two for its segments here, one for all users; but late wiring locks theirs.
          const port = sun4c({
            contexts: 3,
            pmegs: wiring === 'late' ? 36 : 5,
            wiring,
            pvEntries: 14,
          });
          const bare = bootBare(port, { memory: 2 << 20 });
          if (!(bare.md instanceof Sun4cMachine)) throw new TypeError('not a sun4c');
          const { md } = bare;
          const { pmap } = md;
          const [mmu] = md.mmus;
          const pages = [0, 1, 2, 3].map(() => bare.takePage());
          const maps = [pmap.create(), pmap.create(), pmap.create(), pmap.create(), PMAP_KERNEL];
          const model = maps.map(() => new Map<number, Mapping>());
          const modified = pages.map(() => false);
          const contents = pages.map(() => new Map<number, number>());
          let value = 0;

          const reach = (va: number, access: number): number => {
            for (;;) {
              const pa = mmu.translate(va, access);
              if (pa !== FAULT || md.trap(0) !== TRAP_SETTLED) return pa;
            }
          };

          const lookThrough = (index: number, word: number): void => {
            if (index < 4 && model[index]!.size > 0) pmap.activate(maps[index]!);
            for (const [va, { page }] of model[index]!) {
              const at = va + word * 4;
              const found = reach(at, VM_PROT_READ | (index < 4 ? ACCESS_USER : 0));
              expect(found).toBe(pages[page]! + word * 4);
              expect(mmu.dataCache.load(at, found, 4)).toBe(contents[page]!.get(word) ?? 0);
            }
          };

          for (const { what, map, va: first, span, page, word, write, wired } of steps) {
            const vas = map === 4 ? KERNEL : USER;
            const va = vas[first]!;
            const end = Math.max(va, vas[Math.min(first + span, vas.length - 1)]!) + 4096;
            const id = maps[map]!;
            const mine = model[map]!;
            const pa = pages[page]!;
            const mode = map === 4 ? 0 : ACCESS_USER;
            const within = [...mine].filter(([at]) => at >= va && at < end);
            const at = va + word * 4;
            switch (what) {
              case 'enter': {
                const prot = VM_PROT_READ | (write ? VM_PROT_WRITE : 0);
                const error = pmap.enter(
                  id,
                  va,
                  pa,
                  prot,
                  prot | PMAP_CANFAIL | (wired ? PMAP_WIRED : 0),
                );
                if (error === 0) mine.set(va, { page, writable: write, wired });
                else expect(error).toBe(ENOMEM);
                break;
              }
              case 'remove':
                pmap.remove(id, va, end);
                for (const [gone] of within) mine.delete(gone);
                break;
              case 'protect':
                pmap.protect(id, va, end, VM_PROT_READ);
                for (const [, mapping] of within) mapping.writable = false;
                break;
              case 'page':
                pmap.pageProtect(pa, write ? VM_PROT_READ : VM_PROT_NONE);
                for (const each of model)
                  for (const [where, mapping] of each)
                    if (mapping.page === page) {
                      if (write) mapping.writable = false;
                      else each.delete(where);
                    }
                break;
              case 'unwire':
                pmap.unwire(id, va);
                if (mine.has(va)) mine.get(va)!.wired = false;
                break;
              case 'load': {
                pmap.activate(map === 4 ? maps[first % 4]! : id);
                expect(mine.has(va) || reach(at, VM_PROT_READ | mode) === FAULT).toBe(true);
                // Every mapping must show its page, first those of this map.
                for (const offset of maps.keys()) lookThrough((map + offset) % maps.length, word);
                break;
              }
              case 'store': {
                pmap.activate(map === 4 ? maps[first % 4]! : id);
                const mapping = mine.get(va);
                const found = reach(at, VM_PROT_WRITE | mode);
                if (mapping === undefined || !mapping.writable) {
                  expect(found).toBe(FAULT);
                } else {
                  expect(found).toBe(pages[mapping.page]! + word * 4);
                  mmu.dataCache.store(at, found, 4, ++value);
                  contents[mapping.page]!.set(word, value);
                  modified[mapping.page] = true;
                }
                break;
              }
              case 'clear':
                expect(pmap.clearModify(pa)).toBe(modified[page]);
                modified[page] = false;
                break;
              case 'forget': {
                const due = within.filter(([, mapping]) => !mapping.wired);
                expect(pmap.forget(id, va, end)).toBe(due.length);
                for (const [gone] of due) mine.delete(gone);
                break;
              }
              case 'clear reference':
                pmap.clearReference(pa);
                expect(pmap.isReferenced(pa)).toBe(false);
                break;
              case 'zero':
                pmap.zeroPage(pa);
                contents[page]!.clear();
                break;
              case 'copy': {
                const to = (page + 1) % pages.length;
                pmap.copyPage(pa, pages[to]!);
                contents[to] = new Map(contents[page]);
                break;
              }
            }
            for (const [index, each] of model.entries()) {
              const other = pmap.segments.get(maps[index]!);
              const vasHere = index === 4 ? KERNEL : USER;
              expect(vasHere.map((where) => pmap.extract(other.id, where))).toEqual(
                vasHere.map((where) => pages[each.get(where)?.page ?? -1] ?? NO_PA),
              );
              expect(other.resident).toBe(each.size);
              if (wiring === 'late')
                expect(other.wired).toBe([...each.values()].filter((m) => m.wired).length);
            }
            checkPmegs(md);
          }
          // Only now: asking collects the bits, and that flushes.
          for (const [index, pa] of pages.entries())
            expect(pmap.isModified(pa)).toBe(modified[index]);
          for (const pa of pages) pmap.pageProtect(pa, VM_PROT_NONE);
          for (const id of maps) expect(pmap.residentCount(id)).toBe(0);
          for (const id of maps.slice(0, 4)) pmap.destroy(id);
          expect(bare.tablePagesOut).toBe(0);
        }),
        { seed: 1997, numRuns: 50 },
      );
    },
  );
});

/** Owners, segments and lists of PMEGs agree, and each segment's count of valid PTEs is what is there. */
function checkPmegs(md: Sun4cMachine): void {
  const { segments } = md.pmap;
  const { pool } = segments;
  for (let pmeg = 0; pmeg < segments.invalid; pmeg++) {
    const owner = pool.owner[pmeg]!;
    if (owner < 0) continue;
    const map = segments.get(owner);
    const segment = pool.segment[pmeg]!;
    expect(map.pmeg[segment]).toBe(pmeg);
    const locked = owner === PMAP_KERNEL || (segments.late && map.wires.count[segment]! > 0);
    expect(pool.listOf(pmeg)).toBe(locked ? PMEG_LOCKED : PMEG_LRU);
    let valid = 0;
    const start = segment * 0x4_0000 + (segment < 0x800 ? 0 : 0xc000_0000);
    for (let page = 0; page < 64; page++)
      if (isValid(segments.readPte(map, start + page * 4096))) valid++;
    expect(map.valid[segment]).toBe(valid);
  }
}
