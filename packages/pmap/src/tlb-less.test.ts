import { expect, it } from 'vitest';
import { flat } from '../test/flat/port.ts';
import { bootBare } from './bare.ts';
import { FAULT } from './mmu.ts';
import { ACCESS_USER, VM_PROT_READ, VM_PROT_WRITE } from './prot.ts';
import { withoutTlb } from './tlb-less.ts';

const PAGE = 4096;
const RW = VM_PROT_READ | VM_PROT_WRITE;
const LOAD = VM_PROT_READ | ACCESS_USER;

/** A machine with one page mapped, and what four loads of it find. */
function loads(port: typeof flat): { readonly misses: number; readonly pas: readonly number[] } {
  const bare = bootBare(port);
  const { pmap, mmus } = bare.md;
  const [mmu] = mmus as [(typeof mmus)[0]];
  const map = pmap.create();
  pmap.activate(map);
  bare.md.currentCpu = 0;
  pmap.enter(map, 0x5000, bare.memory.size - PAGE, RW, RW);
  const before = mmu.stats.misses;
  const pas = [0, 1, 2, 3].map((at) => mmu.translate(0x5000 + at, LOAD));
  return { misses: mmu.stats.misses - before, pas };
}

it('a port without its TLB translates the same, and walks for every access', () => {
  const [usual, plain] = [loads(flat), loads(withoutTlb(flat))];
  expect(plain.pas).toEqual(usual.pas);
  expect([usual.misses, plain.misses]).toEqual([1, 4]);
});

it('it keeps what the first access behind a fault has found, for one that needs two pages', () => {
  const { md, memory } = bootBare(withoutTlb(flat));
  const map = md.pmap.create();
  md.pmap.activate(map);
  const [mmu] = md.mmus as [(typeof md.mmus)[0]];
  expect(mmu.translate(0x5000, LOAD)).toBe(FAULT);
  md.pmap.enter(map, 0x5000, memory.size - PAGE, RW, RW);
  const counted = [1, 2, 3].map(() => {
    const before = mmu.stats.misses;
    mmu.translate(0x5000, LOAD);
    return mmu.stats.misses - before;
  });
  expect(counted).toEqual([1, 0, 1]);
  expect(md.currentCpu).toBe(0);
});

it('an MMU that holds the translations themselves has none to do without', () => {
  const port = { ...flat, capabilities: { ...flat.capabilities, tables: 'mmu' as const } };
  expect(withoutTlb(port)).toBe(port);
});
