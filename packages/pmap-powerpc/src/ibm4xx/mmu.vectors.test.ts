import { describe, expect, it } from 'vitest';
import { ACCESS_USER, FAULT, VM_PROT_EXECUTE, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { Ibm4xxMmu, TLBHI, TLBLO } from './mmu.ts';

const ENTRIES: readonly (readonly [index: number, hi: number, lo: number, tid: number])[] = [
  [0, 0x000003c0, 0x00000300, 1],
  [1, 0xef6000c0, 0xef600105, 1],
  [8, 0x01800140, 0x00400210, 5],
  [9, 0x01804140, 0x00404310, 5],
  [10, 0x01808140, 0x00408010, 5],
  [11, 0x0180c140, 0x0040c300, 5],
  [12, 0x7fff8140, 0x00410320, 5],
  [13, 0x200002c0, 0x10000030, 5],
  [14, 0x300001c0, 0x00500310, 0],
  [15, 0x40000040, 0x00600710, 5],
  [16, 0x40001080, 0x00601210, 5],
  [17, 0x01800140, 0x00700310, 6],
  [18, 0x80000140, 0x00800300, 1],
  [19, 0x80004140, 0x00804200, 1],
];

const ACCESS: Readonly<Record<string, number>> = {
  r: VM_PROT_READ,
  w: VM_PROT_WRITE,
  x: VM_PROT_EXECUTE,
};

/** name, PID, MSR, EA, access, index that matches (−1: none), result. */
const VECTORS: readonly (readonly [string, number, number, number, string, number, string])[] = [
  ['F01', 5, 0xc030, 0x01800123, 'r', 8, 'PA 00400123'],
  ['F02', 5, 0xc030, 0x01800120, 'x', 8, 'PA 00400120'],
  ['F03', 5, 0xc030, 0x01800123, 'w', 8, 'DSI 0x0300 DEAR 01800123 ESR 00800000'],
  ['F04', 6, 0xc030, 0x01800123, 'w', 17, 'PA 00700123'],
  ['F05', 7, 0xc030, 0x01800123, 'r', -1, 'DTLB miss 0x1100 DEAR 01800123 ESR 00000000'],
  ['F06', 7, 0xc030, 0x01800123, 'w', -1, 'DTLB miss 0x1100 DEAR 01800123 ESR 00800000'],
  ['F07', 7, 0xc030, 0x01800120, 'x', -1, 'ITLB miss 0x1200 SRR0 01800120'],
  ['F08', 5, 0xc030, 0x01807ffc, 'w', 9, 'PA 00407FFC'],
  ['F09', 5, 0xc030, 0x0180b000, 'r', 10, 'PA 0040B000'],
  ['F10', 5, 0xc030, 0x0180b000, 'x', 10, 'ISI 0x0400 SRR0 0180B000 ESR 00000000'],
  ['F11', 5, 0xc030, 0x0180b000, 'w', 10, 'DSI 0x0300 DEAR 0180B000 ESR 00800000'],
  ['F12', 5, 0xc030, 0x0180c010, 'r', 11, 'DSI 0x0300 DEAR 0180C010 ESR 00400000'],
  ['F13', 5, 0xc030, 0x0180c010, 'w', 11, 'DSI 0x0300 DEAR 0180C010 ESR 00C00000'],
  ['F14', 5, 0xc030, 0x0180c010, 'x', 11, 'ISI 0x0400 SRR0 0180C010 ESR 00400000'],
  ['F15', 5, 0x8030, 0x0180c010, 'w', 11, 'PA 0040C010'],
  ['F16', 5, 0xc030, 0x7fff9abc, 'w', 12, 'PA 00411ABC'],
  ['F17', 5, 0x8030, 0x7fff9abc, 'x', 12, 'PA 00411ABC'],
  ['F18', 5, 0xc030, 0x200fffff, 'w', 13, 'PA 100FFFFF'],
  ['F19', 5, 0xc030, 0x200ffffc, 'x', 13, 'PA 100FFFFC'],
  ['F20', 5, 0xc030, 0x3000ffff, 'w', 14, 'PA 0050FFFF'],
  ['F21', 9, 0xc030, 0x30000000, 'r', 14, 'PA 00500000'],
  ['F22', 5, 0xc030, 0x400003fc, 'r', 15, 'PA 006007FC'],
  ['F23', 5, 0xc030, 0x40000400, 'r', -1, 'DTLB miss 0x1100 DEAR 40000400 ESR 00000000'],
  ['F24', 5, 0xc030, 0x40001000, 'x', -1, 'ITLB miss 0x1200 SRR0 40001000'],
  ['F25', 1, 0x8030, 0x00345678, 'x', 0, 'PA 00345678'],
  ['F26', 1, 0x8030, 0x00345678, 'w', 0, 'PA 00345678'],
  ['F27', 1, 0x8030, 0xef600300, 'w', 1, 'PA EF600300'],
  ['F28', 1, 0x8030, 0xef600300, 'x', 1, 'ISI 0x0400 SRR0 EF600300 ESR 00000000'],
  ['F29', 1, 0x8030, 0x80003ff0, 'w', 18, 'PA 00803FF0'],
  ['F30', 1, 0x8030, 0x80004000, 'w', 19, 'DSI 0x0300 DEAR 80004000 ESR 00800000'],
  ['F31', 1, 0x8030, 0x80008000, 'r', -1, 'DTLB miss 0x1100 DEAR 80008000 ESR 00000000'],
  ['F32', 1, 0xc030, 0x80000000, 'r', 18, 'DSI 0x0300 DEAR 80000000 ESR 00400000'],
  ['F33', 5, 0x8030, 0x00345678, 'r', -1, 'DTLB miss 0x1100 DEAR 00345678 ESR 00000000'],
  ['F34', 5, 0x8000, 0x01800123, 'w', -1, 'PA 01800123'],
];

function processor(pid: number, msr: number): Ibm4xxMmu {
  const mmu = new Ibm4xxMmu();
  mmu.mtzpr(0x1b000000);
  for (const [index, hi, lo, tid] of ENTRIES) {
    mmu.mtpid(tid);
    mmu.tlbwe(index, TLBLO, lo);
    mmu.tlbwe(index, TLBHI, hi);
  }
  mmu.mtpid(pid);
  mmu.loadUserPid(pid);
  mmu.mtmsr(msr);
  return mmu;
}

function access(mmu: Ibm4xxMmu, msr: number, ea: number, kind: string): string {
  const pa = mmu.translate(ea, ACCESS[kind]! | ((msr & 0x4000) === 0 ? 0 : ACCESS_USER));
  if (pa === FAULT) return mmu.describeFault();
  return `PA ${pa.toString(16).toUpperCase().padStart(8, '0')}`;
}

describe('the 40x vectors', () => {
  it.each(VECTORS)('%s: PID %i, MSR %i, EA %i, %s', (_name, pid, msr, ea, kind, hit, result) => {
    const mmu = processor(pid, msr);
    expect(access(mmu, msr, ea, kind)).toBe(result);
    // The answer does not depend on what was asked before.
    expect(access(mmu, msr, ea, kind)).toBe(result);
    if ((msr & 0x10) !== 0) expect(mmu.tlbsx(ea)).toBe(hit);
  });

  it('R5: tlbwe of TLBHI takes the PID into the entry, tlbre gives it back', () => {
    const mmu = processor(6, 0xc030);
    mmu.tlbwe(20, TLBLO, 0x00900310);
    mmu.tlbwe(20, TLBHI, 0x05000140);
    mmu.mtpid(5);
    mmu.loadUserPid(5);
    expect(access(mmu, 0xc030, 0x05000000, 'r')).toBe(
      'DTLB miss 0x1100 DEAR 05000000 ESR 00000000',
    );
    expect(mmu.tlbre(20, TLBHI)).toBe(0x05000140);
    expect(mmu.mfpid()).toBe(6);
    expect(mmu.tlbre(20, TLBLO)).toBe(0x00900310);
    mmu.loadUserPid(6);
    expect(access(mmu, 0xc030, 0x05000000, 'r')).toBe('PA 00900000');
  });

  it('R6: a page is flushed by tlbsx and tlbwe', () => {
    const mmu = processor(5, 0xc030);
    expect(access(mmu, 0xc030, 0x01800123, 'r')).toBe('PA 00400123');
    expect(mmu.tlbsx(0x01800000)).toBe(8);
    mmu.tlbwe(8, TLBHI, 0);
    expect(access(mmu, 0xc030, 0x01800123, 'r')).toBe(
      'DTLB miss 0x1100 DEAR 01800123 ESR 00000000',
    );
    expect(mmu.tlbsx(0x01800000)).toBe(-1);
  });
});
