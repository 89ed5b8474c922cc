import {
  ACCESS_USER,
  bootBare,
  ENOMEM,
  FAULT,
  NO_PA,
  PMAP_CANFAIL,
  PMAP_KERNEL,
  PMAP_WIRED,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { srmmu, SrmmuMachine, type SrmmuOptions } from './port.ts';

// Random pmap calls and accesses against a plain model of what must be mapped, with every count checked.

interface Mapping {
  readonly pa: number;
  writable: boolean;
  wired: boolean;
}

const VAS = [0x1000, 0x2000, 0x4_0000, 0x7f_f000, 0x0100_0000, 0xefff_f000];
const step = fc.record({
  what: fc.constantFrom(
    'enter',
    'enter',
    'enter',
    'remove',
    'protect',
    'page',
    'unwire',
    'access',
    'access',
    'access',
    'access',
    'access',
    'access',
    'access',
    'access',
    'clear',
    'forget',
    'switch',
  ),
  // Mostly the same few, so that what one call leaves behind is met by the next.
  map: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, 2, 3),
  va: fc.constantFrom(0, 0, 0, 0, 0, 1, 2, 3, 4, 5),
  span: fc.nat(3),
  page: fc.nat(4),
  write: fc.boolean(),
  wired: fc.boolean(),
  cpu: fc.nat(1),
});

const VARIANTS: readonly [string, SrmmuOptions, number][] = [
  ['wiring of 2001', {}, 1],
  ['late wiring', { wiring: 'late' }, 1],
  ['two CPUs', {}, 2],
  ['two CPUs with flushes deferred to an update after each call', { deferred: true }, 2],
];

describe('after random calls', () => {
  it.each(VARIANTS)('tables, reverse map and counts agree (%s)', (_, options, cpus) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: 'max' }), fc.nat(8), (steps, spare) => {
        const port = srmmu({ contexts: cpus + 2, pvEntries: 12, ...options });
        const bare = bootBare(port, { memory: 2 << 20, cpus });
        if (!(bare.md instanceof SrmmuMachine)) throw new TypeError('not a sun4m');
        const { md } = bare;
        const { pmap, mmus } = md;
        const running: (number | null)[] = mmus.map(() => null);
        const run = (id: number): void => {
          const last = running[md.currentCpu]!;
          if (last === id) return;
          if (last !== null) pmap.deactivate(last);
          pmap.activate(id);
          running[md.currentCpu] = id;
        };
        const pages = [0, 1, 2, 3, 4].map(() => bare.takePage());
        const maps = [0, 1, 2, 3].map(() => pmap.create());
        bare.tablePageLimit = bare.tablePagesOut + spare;
        const model = maps.map(() => new Map<number, Mapping>());
        const modified = pages.map(() => false);
        for (const { what, map, va: first, span, page, write, wired, cpu } of steps) {
          md.currentCpu = cpu % cpus;
          const va = VAS[first]!;
          const end = VAS[Math.min(first + span, VAS.length - 1)]! + 4096;
          const id = maps[map]!;
          const mine = model[map]!;
          const pa = pages[page]!;
          const within = [...mine].filter(([at]) => at >= va && at < end);
          switch (what) {
            case 'enter': {
              const prot = VM_PROT_READ | (write ? VM_PROT_WRITE : 0);
              const flags = prot | PMAP_CANFAIL | (wired ? PMAP_WIRED : 0);
              const error = pmap.enter(id, va, pa, prot, flags);
              if (error === 0) mine.set(va, { pa, writable: write, wired });
              else expect(error).toBe(ENOMEM);
              break;
            }
            case 'remove':
              pmap.remove(id, va, end);
              for (const [at] of within) mine.delete(at);
              break;
            case 'protect':
              pmap.protect(id, va, end, VM_PROT_READ);
              for (const [, mapping] of within) mapping.writable = false;
              break;
            case 'page':
              pmap.pageProtect(pa, write ? VM_PROT_READ : VM_PROT_NONE);
              for (const each of model)
                for (const [at, mapping] of each)
                  if (mapping.pa === pa) {
                    if (write) mapping.writable = false;
                    else each.delete(at);
                  }
              break;
            case 'unwire':
              pmap.unwire(id, va);
              if (mine.has(va)) mine.get(va)!.wired = false;
              break;
            case 'access': {
              run(id);
              const mapping = mine.get(va);
              const access = (write ? VM_PROT_WRITE : VM_PROT_READ) | ACCESS_USER;
              const allowed = mapping !== undefined && (!write || mapping.writable);
              expect(mmus[md.currentCpu]!.translate(va + 8, access)).toBe(
                allowed ? mapping.pa + 8 : FAULT,
              );
              if (allowed && write) modified[pages.indexOf(mapping.pa)] = true;
              break;
            }
            case 'clear':
              expect(pmap.clearModify(pa)).toBe(modified[page]);
              modified[page] = false;
              break;
            case 'forget': {
              const due = within.filter(([, mapping]) => !mapping.wired);
              expect(pmap.forget(id, va, end)).toBe(due.length);
              for (const [at] of due) mine.delete(at);
              break;
            }
            case 'switch':
              run(id);
              break;
          }
          for (const id of maps) pmap.update(id);
          const found = maps.map((other) => VAS.map((at) => pmap.extract(other, at)));
          expect(found).toEqual(model.map((each) => VAS.map((at) => each.get(at)?.pa ?? NO_PA)));
          expect(maps.map((other) => pmap.residentCount(other))).toEqual(
            model.map((each) => each.size),
          );
          if (options.wiring === 'late')
            expect(maps.map((other) => pmap.wiredCount(other))).toEqual(
              model.map((each) => [...each.values()].filter((m) => m.wired).length),
            );
        }
        // Only now: asking collects the bits, and that flushes.
        for (const [index, pa] of pages.entries())
          expect(pmap.isModified(pa)).toBe(modified[index]);
        // The reverse map knew them all: nothing is left once every page is taken from everyone.
        for (const pa of pages) pmap.pageProtect(pa, VM_PROT_NONE);
        for (const id of [...maps, PMAP_KERNEL]) expect(pmap.residentCount(id)).toBe(0);
        for (const id of maps) pmap.destroy(id);
        expect(bare.tablePagesOut).toBe(0);
      }),
      { seed: 2001, numRuns: 60 },
    );
  });
});
