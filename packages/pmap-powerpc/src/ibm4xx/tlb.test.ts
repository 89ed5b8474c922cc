import { describe, expect, it } from 'vitest';
import { FAULT, VM_PROT_READ } from '@uvmkit/pmap';
import { Ibm4xxMmu } from './mmu.ts';
import { KERNEL_PID, NTLB, makeTte } from './pte.ts';
import { TLB_NRESERVED, TlbInfo } from './tlb.ts';

const PAGE = 16384;
const ROOM = NTLB - TLB_NRESERVED;

function loaded(count: number): [Ibm4xxMmu, TlbInfo] {
  const mmu = new Ibm4xxMmu();
  mmu.mtmsr(0x8030);
  mmu.mtpid(5);
  const tlb = new TlbInfo(mmu);
  tlb.lock(0, 0x000003c0, 0x00000300);
  for (let page = 0; page < count; page++) load(tlb, page);
  return [mmu, tlb];
}

function load(tlb: TlbInfo, page: number): void {
  tlb.enter(5, page * PAGE, makeTte(page * PAGE, 0, false, 0));
}

/** Pages below `count` that the TLB does not translate. */
function missing(mmu: Ibm4xxMmu, count: number): number[] {
  const pages = Array.from({ length: count }, (_, page) => page);
  return pages.filter((page) => mmu.translate(page * PAGE, VM_PROT_READ) === FAULT);
}

describe('the software’s view of the TLB', () => {
  it('fills every entry that is not reserved before it replaces one', () => {
    const [mmu, tlb] = loaded(ROOM);
    expect(missing(mmu, ROOM)).toEqual([]);
    load(tlb, ROOM);
    expect(missing(mmu, ROOM + 1)).toHaveLength(1);
  });

  it('gives entries in use a second chance, and takes an unused one first', () => {
    const [mmu, tlb] = loaded(ROOM);
    tlb.flush(30 * PAGE, 5);
    expect(missing(mmu, ROOM)).toEqual([30]);
    load(tlb, ROOM);
    expect(missing(mmu, ROOM + 1)).toEqual([30]);
  });

  it('leaves locked entries alone, whoever flushes', () => {
    const [mmu, tlb] = loaded(3);
    tlb.flush(0x1000, KERNEL_PID);
    expect(tlb.flushContext(KERNEL_PID)).toBe(false);
    tlb.flushUnlocked(KERNEL_PID);
    mmu.mtpid(KERNEL_PID);
    expect(mmu.translate(0x1000, VM_PROT_READ)).toBe(0x1000);
  });

  it('flushes a context’s entries and no other’s, and keeps the PID', () => {
    const [mmu, tlb] = loaded(3);
    tlb.enter(6, 3 * PAGE, makeTte(0, 0, false, 0));
    expect(tlb.flushContext(5)).toBe(true);
    expect(mmu.mfpid()).toBe(5);
    expect(missing(mmu, 3)).toEqual([0, 1, 2]);
    mmu.mtpid(6);
    expect(mmu.translate(3 * PAGE, VM_PROT_READ)).toBe(0);
  });
});
