import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import {
  ACCESS_USER,
  ACCESS_USERSPACE,
  FAULT,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { Ibm4xxMmu, TLBHI, TLBLO } from './mmu.ts';
import { decodeTte, formatTte, makeTte, pageBytes, tlbHi, tlbLo } from './pte.ts';

function processor(): Ibm4xxMmu {
  const mmu = new Ibm4xxMmu();
  mmu.mtmsr(0x8030);
  return mmu;
}

function write(mmu: Ibm4xxMmu, index: number, hi: number, lo: number, tid: number): void {
  mmu.mtpid(tid);
  mmu.tlbwe(index, TLBLO, lo);
  mmu.tlbwe(index, TLBHI, hi);
}

const bit = [0, 1] as const;
const ACCESSES = [
  ['r', VM_PROT_READ],
  ['w', VM_PROT_WRITE],
  ['rw', VM_PROT_READ | VM_PROT_WRITE],
  ['x', VM_PROT_EXECUTE],
] as const;

/** PPC405 Core User's Manual, zone protection: what decides, by field of ZPR and privilege. */
const ZONE = {
  user: ['nothing', 'entry', 'entry', 'all'],
  supervisor: ['entry', 'entry', 'all', 'all'],
} as const;

/** The manual's answer: `ok`, or the interrupt and ESR. */
function oracle(
  zone: number,
  ex: number,
  wr: number,
  g: number,
  user: boolean,
  access: string,
): string {
  const rule = ZONE[user ? 'user' : 'supervisor'][zone]!;
  const dst = access.includes('w') ? 0x00800000 : 0;
  const diz = rule === 'nothing' ? 0x00400000 : 0;
  const refused = `${access === 'x' ? 'ISI' : 'DSI'} ${(dst | diz).toString(16)}`;
  if (access === 'x' && g === 1) return refused;
  if (rule === 'nothing') return refused;
  if (rule === 'all') return 'ok';
  if (access.includes('w')) return wr === 1 ? 'ok' : refused;
  if (access === 'x') return ex === 1 ? 'ok' : refused;
  return 'ok';
}

describe('the search of the 40x', () => {
  const often = (mmu: Ibm4xxMmu, va: number, access = VM_PROT_READ) =>
    [1, 2, 3].map(() => mmu.translate(va, access));

  it('forgets what a hit showed when an entry, a PID, ZPR or the MSR says otherwise', () => {
    const mmu = processor();
    mmu.mtzpr(0x55555555);
    write(mmu, 8, 0x01800140, 0x00400100, 5);
    write(mmu, 9, 0x01800140, 0x00500100, 6);
    mmu.mtpid(6);
    mmu.loadUserPid(5);
    const va = 0x01800004;
    /** The kernel's and the user's answer, each given twice. */
    const both = () => {
      const kernel = often(mmu, va);
      const user = often(mmu, va, VM_PROT_READ | ACCESS_USER);
      expect([new Set(kernel).size, new Set(user).size]).toEqual([1, 1]);
      return [kernel[0], user[0]];
    };
    expect(both()).toEqual([0x500004, 0x400004]);
    mmu.loadUserPid(6);
    expect(both()).toEqual([0x500004, 0x500004]);
    mmu.mtpid(5);
    expect(both()).toEqual([0x400004, 0x500004]);
    mmu.tlbre(9, TLBHI);
    expect(both()).toEqual([0x500004, 0x500004]);
    mmu.mtzpr(0);
    expect(both()).toEqual([0x500004, FAULT]);
    mmu.mtmsr(0);
    expect(both()).toEqual([va, va]);
    mmu.mtmsr(0x8030);
    expect(both()).toEqual([0x500004, FAULT]);
    mmu.invalidate(9);
    expect(both()).toEqual([FAULT, FAULT]);
    expect(mmu.stats.lookups).toBe(8 * 6);
  });

  it('tells pages of 1 KB apart within 4 KB, also after hits', () => {
    const mmu = processor();
    mmu.mtzpr(0x55555555);
    write(mmu, 8, 0x00002040, 0x00400100, 5);
    write(mmu, 9, 0x00002440, 0x00500100, 5);
    expect(often(mmu, 0x2004)).toEqual([0x400004, 0x400004, 0x400004]);
    expect(often(mmu, 0x2404)).toEqual([0x500004, 0x500004, 0x500004]);
    expect(often(mmu, 0x2804)).toEqual([FAULT, FAULT, FAULT]);
    mmu.invalidate(8);
    mmu.invalidate(9);
    write(mmu, 9, 0x000020c0, 0x00600100, 5);
    expect(often(mmu, 0x2404)).toEqual([0x600404, 0x600404, 0x600404]);
  });
});

describe('protection on the 40x', () => {
  it('is the manual’s for every zone, field, EX, WR, G, access and mode', () => {
    const wrong: string[] = [];
    let cases = 0;
    for (let zsel = 0; zsel < 16; zsel++)
      for (let field = 0; field < 4; field++)
        for (const ex of bit)
          for (const wr of bit)
            for (const g of bit) {
              const mmu = processor();
              // Every other zone has the opposite field, so that a wrong pair shows.
              const others = (field ^ 3) * 0x55555555;
              const shift = 30 - 2 * zsel;
              mmu.mtzpr((others & ~(3 << shift)) | (field << shift));
              write(mmu, 8, 0x01800140, 0x00400000 | (ex << 9) | (wr << 8) | (zsel << 4) | g, 5);
              mmu.loadUserPid(5);
              for (const user of [false, true])
                for (const [name, need] of ACCESSES) {
                  const pa = mmu.translate(0x01800004, need | (user ? ACCESS_USER : 0));
                  const kind = mmu.vector === 0x400 ? 'ISI' : 'DSI';
                  const got = pa === 0x00400004 ? 'ok' : `${kind} ${mmu.esr.toString(16)}`;
                  const want = oracle(field, ex, wr, g, user, name);
                  cases++;
                  if (got !== want)
                    wrong.push(
                      `zone ${zsel}=${field} EX${ex} WR${wr} G${g} ${user} ${name}: ${got}, wanted ${want}`,
                    );
                }
            }
    expect(wrong).toEqual([]);
    expect(cases).toBe(16 * 4 * 2 * 2 * 2 * 2 * 4);
  });

  it('changes at once when ZPR is written', () => {
    const mmu = processor();
    write(mmu, 0, 0x00000140, 0x00400000, 0);
    expect(mmu.translate(0, VM_PROT_READ | ACCESS_USER)).toBe(FAULT);
    mmu.mtzpr(0x40000000);
    expect(mmu.translate(0, VM_PROT_READ | ACCESS_USER)).toBe(0x00400000);
  });

  it('lets a fetch and a load in one through only if both may', () => {
    const mmu = processor();
    const both = VM_PROT_READ | VM_PROT_EXECUTE;
    write(mmu, 0, 0x00000140, 0x00400200, 0);
    expect(mmu.translate(4, both)).toBe(0x00400004);
    write(mmu, 0, 0x00000140, 0x00400000, 0);
    expect(mmu.translate(4, both)).toBe(FAULT);
    expect(mmu.vector).toBe(0x400);
    expect(mmu.translate(0x10000, both)).toBe(FAULT);
    expect(mmu.vector).toBe(0x1200);
  });
});

describe('the 40x’s search', () => {
  /** The manual's search: every index in order. */
  function plain(entries: readonly Entry[], ea: number, pid: number): number {
    return entries.findIndex(
      ({ valid, epn, size, tid }) =>
        valid &&
        Math.floor(ea / pageBytes(size)) === Math.floor(epn / pageBytes(size)) &&
        (tid === 0 || tid === pid),
    );
  }
  interface Entry {
    valid: boolean;
    epn: number;
    size: number;
    tid: number;
  }

  it('finds what a search of all 64 entries finds, whatever is written in what order', () => {
    const address = fc
      .tuple(fc.nat(40), fc.constantFrom(0, 0x400, 0x4000, 0x200000, 0x1000000, 0x80000000))
      .map(([n, unit]) => (n * 0x400 + n * unit) % 0x100000000);
    const op = fc.record({
      index: fc.nat(63),
      valid: fc.boolean(),
      epn: address,
      size: fc.nat(7),
      tid: fc.nat(3),
      probe: address,
      pid: fc.integer({ min: 1, max: 3 }),
    });
    const property = fc.property(fc.array(op, { minLength: 10, maxLength: 150 }), (ops) => {
      const mmu = processor();
      const entries: Entry[] = Array.from({ length: 64 }, () => ({
        valid: false,
        epn: 0,
        size: 0,
        tid: 0,
      }));
      for (const { index, valid, epn, size, tid, probe, pid } of ops) {
        write(mmu, index, (epn & 0xfffffc00) | (size << 7) | (valid ? 0x40 : 0), index << 24, tid);
        entries[index] = { valid, epn: epn - (epn % 1024), size, tid };
        mmu.mtpid(pid);
        for (const ea of [probe, epn]) {
          const want = plain(entries, ea, pid);
          expect(mmu.tlbsx(ea)).toBe(want);
          const pa = mmu.translate(ea, VM_PROT_READ);
          const rpn = (want << 24) >>> 0;
          const bytes = pageBytes(entries[want]?.size ?? 0);
          expect(pa).toBe(want < 0 ? FAULT : rpn - (rpn % bytes) + (ea % bytes));
        }
      }
    });
    fc.assert(property, { seed: 405, numRuns: 60 });
  });

  it('forgets everything on tlbia', () => {
    const mmu = processor();
    write(mmu, 0, 0x000003c0, 0x00000300, 1);
    expect(mmu.translate(0x1234, VM_PROT_READ)).toBe(0x1234);
    mmu.flushAll();
    expect(mmu.translate(0x1234, VM_PROT_READ)).toBe(FAULT);
    expect(mmu.tlbre(0, TLBHI)).toBe(0x380);
  });
});

describe('accesses to user space', () => {
  it('use the user’s PID and the supervisor’s rights', () => {
    const mmu = processor();
    mmu.mtzpr(0x1b000000);
    write(mmu, 8, 0x01800140, 0x00400000, 5);
    mmu.mtpid(1);
    mmu.loadUserPid(5);
    expect(mmu.translate(0x01800010, VM_PROT_READ)).toBe(FAULT);
    expect(mmu.faultPid).toBe(1);
    expect(mmu.translate(0x01800010, VM_PROT_READ | ACCESS_USERSPACE)).toBe(0x00400010);
    expect(mmu.translate(0x01800010, VM_PROT_READ | ACCESS_USER)).toBe(FAULT);
    expect(mmu.faultPid).toBe(5);
  });
});

describe('formats', () => {
  it('make the words of the reference’s scenario', () => {
    const tte = makeTte(0x00400000, 1, true, 0);
    expect(tte).toBe(0x00400b10);
    expect(tlbHi(0x01800000, tte)).toBe(0x01800140);
    expect(tlbLo(tte)).toBe(0x00400310);
    expect(formatTte(tte)).toBe('TTE 00400B10 EX WR zone 1 16K → 0x00400000');
    expect(decodeTte(makeTte(0x80004000, 0, false, 5))).toEqual({
      pa: 0x80004000,
      size: 2,
      execute: true,
      write: false,
      zone: 0,
      wimg: 5,
    });
    expect(formatTte(0)).toBe('no TTE');
  });

  it('show registers and valid entries by name', () => {
    const mmu = processor();
    write(mmu, 3, 0x01800140, 0x00400310, 5);
    expect(mmu.registers()).toMatchObject({
      PID: 5,
      'TLB3.HI': 0x01800140,
      'TLB3.LO': 0x00400310,
      'TLB3.TID': 5,
    });
    expect(mmu.describeFault()).toBe('no fault');
  });
});
