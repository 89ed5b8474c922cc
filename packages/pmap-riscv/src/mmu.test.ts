import { FAULT, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { attempt, MAKE, type Name, rig, type Rig, ROOT } from '../test/rig.ts';
import * as sv32 from '../test/sv32.vectors.ts';
import * as sv39 from '../test/sv39.vectors.ts';

const IMAGES = { sv32: sv32.IMAGE, sv39: sv39.IMAGE };
const NAMES: Name[] = ['sv32', 'sv39'];
/** Where the images' last tables are. */
const LEAVES = { sv32: 0x11000, sv39: 0x12000 };

function boot(name: Name): Rig & { leaf: number; bytes: number; asid: (asid: number) => void } {
  const made = rig(name, IMAGES[name]);
  const { mode, bytes } = MAKE[name];
  const asid = (number: number): void => made.mmu.writeSatp(mode, number, ROOT);
  return { ...made, leaf: LEAVES[name], bytes, asid };
}

/** Which of the addresses are still answered from the TLB after every entry has been made to say something else. */
function stale(
  made: ReturnType<typeof boot>,
  probes: readonly (readonly [number, number])[],
): boolean[] {
  return probes.map(([asid, va]) => {
    made.asid(asid);
    const before = made.mmu.stats.misses;
    attempt(made, va, 'rS sum');
    return made.mmu.stats.misses === before;
  });
}

describe.each(NAMES)('%s', (name) => {
  const { mode } = MAKE[name];
  const far = name === 'sv32' ? 2 ** 32 : 2 ** 38;

  /** A page in three address spaces, another beside it, a global page and a megapage. */
  const PROBES = [
    [1, 0x2000],
    [2, 0x2000],
    [1, 0x3000],
    [1, 0xc000],
    [1, name === 'sv32' ? 0x40_0000 : 0x20_0000],
  ] as const;

  function filled(): ReturnType<typeof boot> {
    const made = boot(name);
    stale(made, PROBES);
    expect(stale(made, PROBES)).toEqual([true, true, true, true, true]);
    return made;
  }

  describe('SFENCE.VMA', () => {
    it.each([
      ['of everything drops everything', null, null, [false, false, false, false, false]],
      [
        'of an address space spares others, and global pages',
        null,
        1,
        [false, true, false, true, false],
      ],
      [
        'of an address drops it in every address space',
        0x2abc,
        null,
        [false, false, true, true, true],
      ],
      ['of a global address drops that', 0xc123, null, [true, true, true, false, true]],
      ['of both drops one page of one', 0x2abc, 1, [false, true, true, true, true]],
      ['of both spares global pages', 0xc123, 1, [true, true, true, true, true]],
      [
        'of any address in a megapage drops it',
        PROBES[4]![1] + 0x12345,
        null,
        [true, true, true, true, false],
      ],
      ['of what is no address does nothing', far, null, [true, true, true, true, true]],
      [
        'of what is no address does nothing, for one space',
        -far - 1,
        1,
        [true, true, true, true, true],
      ],
    ] as const)('%s', (_, va, asid, expected) => {
      const made = filled();
      made.mmu.sfenceVma(va, asid);
      expect(stale(made, PROBES)).toEqual(expected);
    });

    it('of an address does not reach pointers to tables; of a space does, and of everything', () => {
      for (const [va, asid, known] of [
        [0x4000, null, true],
        [0x4000, 0, true],
        [null, 1, true],
        [null, 0, false],
        [null, null, false],
      ] as const) {
        const made = boot(name);
        attempt(made, 0x2000, 'rU');
        made.memory.writeLe32(0x10000, 0);
        made.mmu.sfenceVma(va, asid);
        expect(attempt(made, 0x3000, 'rU'), `${va} ${asid}`).toEqual(
          known ? 0x103000 : [13, 0x3000],
        );
      }
    });

    it('tells whoever watches what it dropped', () => {
      const made = boot(name);
      const seen: (string | number)[][] = [];
      made.events.watch((event, cpu, what) => seen.push([event, cpu, what]));
      made.mmu.sfenceVma(0x1234, 7);
      made.mmu.sfenceVma(null, 7);
      made.mmu.flushAll();
      expect(seen).toEqual([
        ['tlb.flushPage', 0, 0x1234],
        ['tlb.flush', 0, 2],
        ['tlb.flush', 0, 4],
      ]);
      expect(made.mmu.stats).toMatchObject({ pageFlushes: 1, fullFlushes: 2 });
    });
  });

  it('uses what it has cached until it is told not to', () => {
    const made = boot(name);
    attempt(made, 0x2000, 'wU');
    made.memory.writeLe32(made.leaf + 2 * made.bytes, 0);
    expect(attempt(made, 0x2000, 'wU')).toBe(0x102000);
    made.mmu.sfenceVma(0x2000, 0);
    expect(attempt(made, 0x2000, 'wU')).toEqual([15, 0x2000]);
  });

  it('denies from what it has cached too, so that rights that are granted need a fence', () => {
    const made = boot(name);
    attempt(made, 0x3000, 'rU');
    made.memory.writeLe32(made.leaf + 3 * made.bytes, 0x00040cd7);
    expect(attempt(made, 0x3000, 'wU')).toEqual([15, 0x3000]);
    made.mmu.sfenceVma(0x3000, 0);
    expect(attempt(made, 0x3000, 'wU')).toBe(0x103000);
  });

  it('asks the tables for A and D that it has not cached as set', () => {
    const made = boot(name);
    const at = made.leaf + 1 * made.bytes;
    expect(attempt(made, 0x1000, 'rU')).toBe(0x101000);
    expect(made.memory.readLe32(at)).toBe(0x00040457);
    expect(attempt(made, 0x1000, 'wU')).toBe(0x101000);
    expect(made.memory.readLe32(at)).toBe(0x000404d7);
    made.memory.writeLe32(at, 0x00040457);
    attempt(made, 0x1000, 'wU');
    expect(made.memory.readLe32(at)).toBe(0x00040457);
  });

  it('does not cache what is not valid', () => {
    const made = boot(name);
    expect(attempt(made, 0x8000, 'rU')).toEqual([13, 0x8000]);
    made.memory.writeLe32(made.leaf + 8 * made.bytes, 0x00042057);
    expect(attempt(made, 0x8000, 'rU')).toBe(0x108000);
  });

  it('changes address spaces by satp alone, and flushes nothing by it', () => {
    const made = boot(name);
    made.asid(1);
    attempt(made, 0x2000, 'rU');
    made.memory.writeLe32(made.leaf + 2 * made.bytes, 0x000448d7);
    made.asid(2);
    expect(attempt(made, 0x2000, 'rU')).toBe(0x112000);
    made.asid(1);
    expect(attempt(made, 0x2000, 'rU')).toBe(0x102000);
  });

  it('translates nothing in Bare mode, and ignores a write of a mode that it lacks', () => {
    const made = boot(name);
    made.mmu.writeSatp(0, 0, 0);
    expect(attempt(made, 0x8000, 'wU')).toBe(0x8000);
    expect(attempt(made, 2 ** 24, 'wS')).toEqual([7, 2 ** 24]);
    expect(attempt(made, 2 ** 24, 'xS')).toEqual([1, 2 ** 24]);
    expect(attempt(made, 2 ** 24, 'rS')).toEqual([5, 2 ** 24]);
    made.mmu.writeSatp(mode + 1, 3, ROOT);
    expect(made.mmu.registers()).toMatchObject({ 'satp.MODE': 0, 'satp.ASID': 0, 'satp.PPN': 0 });
    made.mmu.writeSatp(mode, 3, ROOT);
    expect(made.mmu.registers()).toMatchObject({
      'satp.MODE': mode,
      'satp.ASID': 3,
      'satp.PPN': ROOT,
    });
  });

  it('drops the bits of an ASID that are not implemented', () => {
    const most = name === 'sv32' ? 9 : 16;
    for (const asidBits of [0, 3, most]) {
      const { mmu } = rig(name, [], { asidBits });
      mmu.writeSatp(mode, 0xf_ffff, 0);
      expect(mmu.registers()['satp.ASID']).toBe(2 ** asidBits - 1);
    }
    expect(() => rig(name, [], { asidBits: most + 1 })).toThrow(
      `${name} has ASIDs of 0 to ${most} bits, given ${most + 1}`,
    );
    expect(() => rig(name, [], { asidBits: 0.5 })).toThrow(RangeError);
    expect(() => rig(name, [], { tlbEntries: 2 })).toThrow(/power of two from 4, given 2/);
    expect(() => rig(name, [], { tlbEntries: 24 })).toThrow(RangeError);
  });

  it('keeps the record of a fault: cause, address, mode', () => {
    const made = boot(name);
    const digits = name === 'sv32' ? '00003004' : '0000000000003004';
    attempt(made, 0x3004, 'wU');
    expect(made.mmu.describeFault()).toBe(
      `scause 15 (store/AMO page fault), user, stval 0x${digits}`,
    );
    attempt(made, 0x3004, 'xS');
    expect(made.mmu.describeFault()).toBe(
      `scause 12 (instruction page fault), supervisor, stval 0x${digits}`,
    );
    expect(made.mmu.registers()).toMatchObject({ scause: 12, stval: 0x3004, sstatus: 0x100 });
    expect(boot(name).mmu.describeFault()).toContain('scause 0 (none)');
  });

  it('keeps of sstatus what concerns it', () => {
    const { mmu } = boot(name);
    mmu.sstatus = -1;
    expect(mmu.sstatus).toBe(0x000c_0100);
  });

  it('counts lookups, misses and faults, from the front of the TLB too', () => {
    const made = boot(name);
    for (let i = 0; i < 5; i++) made.mmu.translate(0x2000, VM_PROT_READ | 8);
    expect(made.mmu.translate(0x3000, VM_PROT_WRITE | 8)).toBe(FAULT);
    expect(made.mmu.stats).toMatchObject({ lookups: 6, misses: 2, faults: 1 });
  });

  it('forgets the eldest of a set that is full', () => {
    const made = rig(name, IMAGES[name], { tlbEntries: 4 });
    const misses = (page: number): number => {
      const before = made.mmu.stats.misses;
      expect(attempt(made, page * 0x1000, 'rU mxr')).toBe(0x100000 + page * 0x1000);
      return made.mmu.stats.misses - before;
    };
    expect([0, 1, 2, 3, 0, 4, 1, 0, 1].map(misses)).toEqual([1, 1, 1, 1, 0, 1, 0, 1, 1]);
  });
});

it('a negative address is found by the shortcut in front as it is by the walk', () => {
  const made = boot('sv39');
  for (let i = 0; i < 3; i++) expect(attempt(made, -1, 'wS')).toBe(0x1fffff);
  const K = -(2 ** 38);
  for (let i = 0; i < 3; i++) expect(attempt(made, K + 0x6004, 'wS')).toBe(0x106004);
});

it('a gigapage is one entry for all of its pages', () => {
  const made = boot('sv39');
  for (const offset of [0x1000, 0x20_0000, 0xff_f000])
    expect(attempt(made, 2 ** 30 + offset, 'wU')).toBe(offset);
  expect(made.mmu.stats.misses).toBe(1);
  made.mmu.sfenceVma(2 ** 31 - 1, null);
  attempt(made, 2 ** 30, 'wU');
  expect(made.mmu.stats.misses).toBe(2);
  expect(attempt(made, 2 ** 30 + 2 ** 24, 'wU')).toEqual([7, 2 ** 30 + 2 ** 24]);
  expect(made.mmu.stats.misses).toBe(2);
});

it('a page below a global pointer is global', () => {
  const made = boot('sv32');
  made.asid(1);
  expect(attempt(made, 0x0280_2000, 'wU')).toBe(0x102000);
  made.mmu.sfenceVma(null, 1);
  made.mmu.sfenceVma(0x0280_2000, 1);
  made.memory.writeLe32(0x11008, 0);
  made.asid(2);
  expect(attempt(made, 0x0280_2000, 'wU')).toBe(0x102000);
  made.mmu.sfenceVma(0x0280_2000, null);
  expect(attempt(made, 0x0280_2000, 'wU')).toEqual([15, 0x0280_2000]);
});
