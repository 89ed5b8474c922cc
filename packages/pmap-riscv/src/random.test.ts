import {
  ACCESS_USER,
  FAULT,
  NO_PA,
  PMAP_CANFAIL,
  PMAP_WIRED,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boot } from '../test/boot.ts';
import type { Name } from '../test/rig.ts';
import type { RiscvOptions } from './options.ts';

// Random calls and accesses against a plain map of what must be there: mappings that are not wired may be missing where
// pages or pv entries are short, and nowhere else; whatever is there is right.

interface Mapping {
  readonly page: number;
  prot: number;
  wired: boolean;
}

const step = fc.record({
  what: fc.constantFrom(
    ...(['enter', 'enter', 'enter', 'remove', 'protect', 'page', 'unwire', 'clear'] as const),
    ...(['access', 'access', 'access', 'access', 'access', 'switch', 'collect', 'renew'] as const),
  ),
  map: fc.nat(2),
  va: fc.nat(5),
  page: fc.nat(4),
  prot: fc.constantFrom(1, 3, 3, 4, 5, 7),
  store: fc.boolean(),
  wired: fc.boolean(),
  cpu: fc.nat(1),
});

const CASES: readonly [Name, RiscvOptions, number][] = [
  ['sv32', {}, Infinity],
  ['sv39', {}, Infinity],
  ['sv32', { accessedDirty: 'software', asidBits: 1 }, Infinity],
  ['sv39', { accessedDirty: 'software', asidBits: 0, tlbEntries: 4 }, Infinity],
  ['sv32', { pvEntries: 4 }, 7],
  ['sv39', { pvEntries: 4, asidBits: 1 }, 12],
];

describe.each(CASES)('%s with %j and %d pages for tables', (name, options, tablePages) => {
  const short = Number.isFinite(tablePages);
  const span = name === 'sv32' ? 4 << 20 : 2 << 20;
  const VAS = [0x1000, 0x2000, span - 0x1000, span, 300 * span, name === 'sv32' ? 0x4000 : 2 ** 37];

  it('does what a plain map does, on two CPUs', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const { pmap, md, bare, access } = boot(name, options, {
          memory: 2 << 20,
          cpus: 2,
          tablePages,
        });
        const pages = Array.from({ length: 5 }, () => bare.takePage());
        const maps = [0, 1, 2].map(() => ({ id: pmap.create(), held: new Map<number, Mapping>() }));
        const dirty = new Set<number>();
        const running = [0, 0];
        for (const cpu of [1, 0]) {
          md.currentCpu = cpu;
          pmap.activate(maps[0]!.id);
        }
        /** Drops from the model what the pmap was free to take back. */
        const settle = (): void => {
          if (!short) return;
          for (const { id, held } of maps)
            for (const [va, { wired }] of held)
              if (!wired && pmap.extract(id, va) === NO_PA) held.delete(va);
        };
        for (const { what, map, va: which, page, prot, store, wired, cpu } of steps) {
          md.currentCpu = cpu;
          const { id, held } = maps[map]!;
          const va = VAS[which]!;
          const old = held.get(va);
          switch (what) {
            case 'enter': {
              const used = store && (prot & VM_PROT_WRITE) !== 0 ? VM_PROT_WRITE : 0;
              const flags = used | PMAP_CANFAIL | (wired ? PMAP_WIRED : 0);
              const error = pmap.enter(id, va, pages[page]!, prot, flags);
              if (error === 0) held.set(va, { page, prot, wired });
              if (error === 0 && used !== 0) dirty.add(page);
              expect(error === 0 || short).toBe(true);
              break;
            }
            case 'remove':
              pmap.remove(id, va, va + 0x1000);
              held.delete(va);
              break;
            case 'protect':
              pmap.protect(id, va, va + 0x1000, prot);
              if (old) old.prot &= prot;
              break;
            case 'page':
              pmap.pageProtect(pages[page]!, store ? VM_PROT_READ : 0);
              for (const { held: all } of maps)
                for (const [at, mapping] of all) {
                  if (mapping.page !== page) continue;
                  if (store) mapping.prot &= ~VM_PROT_WRITE;
                  else all.delete(at);
                }
              break;
            case 'unwire':
              if (old?.wired) pmap.unwire(id, va);
              if (old) old.wired = false;
              break;
            case 'clear':
              expect(pmap.clearModify(pages[page]!)).toBe(dirty.delete(page));
              pmap.clearReference(pages[page]!);
              break;
            case 'switch':
              pmap.activate(id);
              running[cpu] = map;
              break;
            case 'collect':
              pmap.collect(id);
              for (const [at, mapping] of held) if (!mapping.wired) held.delete(at);
              break;
            case 'renew': {
              if (running.includes(map) && !store) break;
              pmap.remove(id, 0, md.port.layout.userMax);
              pmap.destroy(id);
              const renewed = pmap.create();
              expect(renewed).toBeGreaterThan(0);
              maps[map] = { id: renewed, held: new Map() };
              for (const other of [0, 1])
                if (running[other] === map) {
                  md.currentCpu = other;
                  pmap.activate(renewed);
                }
              break;
            }
            default: {
              settle();
              const seen = maps[running[cpu]!]!.held.get(va);
              const right = store ? VM_PROT_WRITE : VM_PROT_READ;
              const granted = seen !== undefined && (seen.prot & right) !== 0;
              const got = access(va + 4, right | ACCESS_USER);
              expect(got).toBe(granted ? pages[seen.page]! + 4 : FAULT);
              if (granted && store) dirty.add(seen.page);
            }
          }
          settle();
          for (const other of maps) {
            const mappings = [...other.held];
            for (const [at, mapping] of mappings)
              expect(pmap.extract(other.id, at)).toBe(pages[mapping.page]);
            expect(pmap.residentCount(other.id)).toBe(mappings.length);
            expect(pmap.wiredCount(other.id)).toBe(mappings.filter(([, m]) => m.wired).length);
          }
          expect(pages.map((pa) => pmap.isModified(pa))).toEqual(pages.map((_, n) => dirty.has(n)));
          expect(bare.tablePagesOut * 4096).toBe(
            maps.reduce((sum, other) => sum + pmap.tableBytes(other.id), 0),
          );
        }
        for (const { id } of maps) {
          pmap.remove(id, 0, md.port.layout.userMax);
          pmap.destroy(id);
        }
        expect(bare.tablePagesOut).toBe(0);
      }),
      { numRuns: 40 },
    );
  });
});
