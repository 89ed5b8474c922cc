import {
  ACCESS_USER,
  EventStream,
  FAULT,
  PhysicalMemory,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { describe, expect, it, test } from 'vitest';
import {
  AlphaMmu,
  MMCSR_ACCESS,
  MMCSR_FOE,
  MMCSR_FOR,
  MMCSR_FOW,
  MMCSR_INVALTRANS,
  PCB_ASN,
  PCB_PTBR,
  TBIAP,
  TBIS,
  TBISD,
  type AlphaMmuOptions,
} from './mmu.ts';
import { WALK_VECTORS } from '../test/walk.vectors.ts';

const ACCESSES = { r: VM_PROT_READ, w: VM_PROT_WRITE, x: VM_PROT_EXECUTE } as const;
const READ_USER = VM_PROT_READ | ACCESS_USER;
const WRITE_USER = VM_PROT_WRITE | ACCESS_USER;
const FETCH_USER = VM_PROT_EXECUTE | ACCESS_USER;
const VA = 0x1_2001_2344;
const L3 = 0x24048;

/** Memory that remembers which quadwords were read, in order. */
class WatchedMemory extends PhysicalMemory {
  readonly reads: number[] = [];

  override readLe32(pa: number): number {
    const quadword = pa - (pa % 8);
    if (this.reads.at(-1) !== quadword) this.reads.push(quadword);
    return super.readLe32(pa);
  }
}

function machine(options: Partial<AlphaMmuOptions> = {}): { memory: WatchedMemory; mmu: AlphaMmu } {
  const memory = new WatchedMemory(1 << 20, 8192);
  const mmu = new AlphaMmu(0, memory, new EventStream(), {
    maxAsn: 127,
    precedence: 'acv',
    virtualPageTable: false,
    tbSets: 64,
    tbWays: 2,
    ...options,
  });
  mmu.ptbr = 0x10;
  mmu.asn = 1;
  return { memory, mmu };
}

function poke(memory: PhysicalMemory, pa: number, hexBytes: string): void {
  memory.bytes.set(Buffer.from(hexBytes, 'hex'), pa);
}

describe.each(['acv', 'tnv'] as const)('walk vectors, %s first', (precedence) => {
  test.each(WALK_VECTORS)('$id: $note', ({ memory: words, va, access, mode, result, reads }) => {
    const { memory, mmu } = machine({ precedence });
    for (const [pa, bytes] of words) poke(memory, pa, bytes);
    const before = Buffer.from(memory.bytes).toString('hex');
    const address = Number(BigInt.asIntN(64, BigInt(`0x${va}`)));

    const pa = mmu.translate(address, ACCESSES[access] | (mode === 'u' ? ACCESS_USER : 0));

    if ('pa' in result) {
      expect(pa).toBe(result.pa);
    } else {
      expect(pa).toBe(FAULT);
      const a1 = precedence === 'tnv' ? (result.tnvFirst ?? result.a1) : result.a1;
      expect({ a0: mmu.a0, a1: mmu.a1, a2: mmu.a2 }).toEqual({ a0: address, a1, a2: result.a2 });
    }
    expect(memory.reads).toEqual(reads);
    expect(Buffer.from(memory.bytes).equals(Buffer.from(before, 'hex'))).toBe(true);
  });
});

describe('translation buffer', () => {
  const RW_345 = '0133020045030000';
  const RW_999 = '0133020099090000';
  const FOW_345 = '0533020045030000';

  function tables(options: Partial<AlphaMmuOptions> = {}): ReturnType<typeof machine> {
    const made = machine(options);
    poke(made.memory, 0x20000, '0111010011000000');
    poke(made.memory, 0x23200, '0111010012000000');
    made.mmu.asn = 5;
    return made;
  }

  it('S1: keeps using a page after its PTE changed, until TBIS', () => {
    const { memory, mmu } = tables();
    poke(memory, L3, RW_345);
    expect(mmu.translate(VA, READ_USER)).toBe(0x68a344);
    poke(memory, L3, RW_999);
    expect(mmu.translate(VA, READ_USER)).toBe(0x68a344);
    mmu.tbi(TBIS, VA);
    expect(mmu.translate(VA, READ_USER)).toBe(0x1332344);
  });

  it("S2: does not reach another address space's entry with TBIS", () => {
    const { memory, mmu } = tables();
    poke(memory, L3, RW_345);
    mmu.translate(VA, READ_USER);
    poke(memory, L3, RW_999);
    mmu.asn = 6;
    expect(mmu.translate(VA, READ_USER)).toBe(0x1332344);
    mmu.tbi(TBIS, VA);
    mmu.asn = 5;
    expect(mmu.translate(VA, READ_USER)).toBe(0x68a344);
  });

  it('forgets what a hit showed when the ASN, an entry for the same place or a fault-on bit says otherwise', () => {
    const { memory, mmu } = tables({ tbSets: 1, tbWays: 1 });
    const twice = (va: number, access: number) => [
      mmu.translate(va, access),
      mmu.translate(va, access),
      mmu.translate(va, access),
    ];
    poke(memory, L3, RW_345);
    expect(twice(VA, READ_USER)).toEqual([0x68a344, 0x68a344, 0x68a344]);
    poke(memory, L3, RW_999);
    mmu.asn = 6;
    expect(twice(VA, READ_USER)).toEqual([0x1332344, 0x1332344, 0x1332344]);
    // The only entry of the DTB goes to another page, and this one's has to be fetched again.
    poke(memory, L3, RW_345);
    poke(memory, L3 + 8, RW_999);
    expect(mmu.translate(VA + 8192, READ_USER)).toBe(0x1332344);
    expect(twice(VA, READ_USER)).toEqual([0x68a344, 0x68a344, 0x68a344]);
    poke(memory, L3, FOW_345);
    mmu.tbi(TBIS, VA);
    expect(twice(VA, READ_USER)).toEqual([0x68a344, 0x68a344, 0x68a344]);
    expect(mmu.translate(VA, READ_USER ^ VM_PROT_READ ^ VM_PROT_WRITE)).toBe(FAULT);
    poke(memory, L3, RW_999);
    expect(mmu.translate(VA, READ_USER)).toBe(0x1332344);
    expect(mmu.stats.lookups).toBe(15);
  });

  it('forgets what a hit showed when PALcode needs its place for a page of the virtual page table', () => {
    const { memory, mmu } = tables({ tbSets: 1, tbWays: 1, virtualPageTable: true });
    poke(memory, L3, RW_345);
    for (let time = 0; time < 3; time++) expect(mmu.translate(VA, READ_USER)).toBe(0x68a344);
    poke(memory, L3, RW_999);
    expect(mmu.translate(VA + 8192, VM_PROT_EXECUTE | ACCESS_USER)).toBe(FAULT);
    expect(mmu.translate(VA, READ_USER)).toBe(0x1332344);
  });

  it('S3: keeps an ASM entry for every ASN and through TBIAP', () => {
    const { memory, mmu } = tables();
    const va = -(2 ** 41) + 0x2010;
    poke(memory, 0x21800, '1111010021000000');
    poke(memory, 0x42000, '1111010022000000');
    poke(memory, 0x44008, '1111010077070000');
    expect(mmu.translate(va, VM_PROT_READ)).toBe(0xeee010);
    poke(memory, 0x44008, '1111010088080000');
    mmu.asn = 9;
    expect(mmu.translate(va, VM_PROT_READ)).toBe(0xeee010);
    mmu.tbi(TBIAP, 0);
    expect(mmu.translate(va, VM_PROT_READ)).toBe(0xeee010);
    mmu.tbi(TBIS, va);
    expect(mmu.translate(va, VM_PROT_READ)).toBe(0x1110010);
  });

  it('S4: leaves the ITB alone on TBISD', () => {
    const { memory, mmu } = tables();
    poke(memory, L3, RW_345);
    mmu.translate(VA, READ_USER);
    mmu.translate(VA, FETCH_USER);
    poke(memory, L3, RW_999);
    mmu.tbi(TBISD, VA);
    expect(mmu.translate(VA, READ_USER)).toBe(0x1332344);
    expect(mmu.translate(VA, FETCH_USER)).toBe(0x68a344);
  });

  it('S5: drops the entry that raised a fault-on fault, so that clearing the bit needs no flush', () => {
    const { memory, mmu } = tables();
    poke(memory, L3, FOW_345);
    expect(mmu.translate(VA, READ_USER)).toBe(0x68a344);
    expect(mmu.translate(VA, WRITE_USER)).toBe(FAULT);
    expect([mmu.a1, mmu.a2]).toEqual([MMCSR_FOW, 1]);
    poke(memory, L3, RW_345);
    expect(mmu.translate(VA, WRITE_USER)).toBe(0x68a344);
  });

  it('S6: raises one spurious fault from a stale entry', () => {
    const { memory, mmu } = tables();
    poke(memory, L3, FOW_345);
    mmu.translate(VA, READ_USER);
    poke(memory, L3, RW_345);
    expect(mmu.translate(VA, WRITE_USER)).toBe(FAULT);
    expect(mmu.a1).toBe(MMCSR_FOW);
    expect(mmu.translate(VA, WRITE_USER)).toBe(0x68a344);
  });

  it('S7: caches no invalid PTE', () => {
    const { memory, mmu } = tables();
    expect(mmu.translate(VA, READ_USER)).toBe(FAULT);
    poke(memory, L3, RW_345);
    expect(mmu.translate(VA, READ_USER)).toBe(0x68a344);
  });

  it('S8: misses a modification where software set FOW without a flush', () => {
    const { memory, mmu } = tables();
    poke(memory, L3, RW_345);
    mmu.translate(VA, WRITE_USER);
    poke(memory, L3, FOW_345);
    expect(mmu.translate(VA, WRITE_USER)).toBe(0x68a344);
    mmu.tbi(TBIS, VA);
    expect(mmu.translate(VA, WRITE_USER)).toBe(FAULT);
    expect(mmu.a1).toBe(MMCSR_FOW);
  });

  it.each([
    ['acv', MMCSR_ACCESS],
    ['tnv', MMCSR_INVALTRANS],
  ] as const)('S9: goes on under the same ASN after PTBR changed (%s first)', (precedence, a1) => {
    const { memory, mmu } = tables({ precedence });
    poke(memory, L3, RW_345);
    mmu.translate(VA, READ_USER);
    mmu.ptbr = 0x50;
    expect(mmu.translate(VA, READ_USER)).toBe(0x68a344);
    mmu.asn = 6;
    expect(mmu.translate(VA, READ_USER)).toBe(FAULT);
    expect(mmu.a1).toBe(a1);
  });

  it('loads PTBR and ASN from a process control block and flushes nothing', () => {
    const { memory, mmu } = tables();
    poke(memory, L3, RW_345);
    mmu.translate(VA, READ_USER);
    memory.writeLe32(0x30000 + PCB_PTBR, 0x50);
    memory.writeLe32(0x30000 + PCB_ASN, 5);
    mmu.swpctx(0x30000);
    expect([mmu.ptbr, mmu.asn, mmu.stats.fullFlushes]).toEqual([0x50, 5, 0]);
    expect(mmu.translate(VA, READ_USER)).toBe(0x68a344);
  });

  it('flushes process entries on swpctx where ASNs are not implemented', () => {
    const { memory, mmu } = tables({ maxAsn: 0 });
    poke(memory, L3, RW_345);
    mmu.translate(VA, READ_USER);
    poke(memory, L3, RW_999);
    memory.writeLe32(0x30000 + PCB_PTBR, 0x10);
    memory.writeLe32(0x30000 + PCB_ASN, 5);
    mmu.swpctx(0x30000);
    expect(mmu.translate(VA, READ_USER)).toBe(0x1332344);
    expect(mmu.imbs).toBe(1);
  });

  it('refuses an unknown tbi operation', () => {
    expect(() => machine().mmu.tbi(0, VA)).toThrow(RangeError);
  });

  it('names its registers and its last fault', () => {
    const { mmu } = machine();
    mmu.translate(-(2 ** 42), READ_USER);
    expect(mmu.registers()).toEqual({
      PTBR: 16,
      ASN: 1,
      VPTPTR: -(2 ** 34),
      A0: -(2 ** 42),
      A1: 1,
      A2: 0,
      PS: 8,
    });
    expect(mmu.describeFault()).toBe('entMM MMCSR 1 (ACV), user load, VA 0xfffffc0000000000');
  });
});

describe('virtual page table', () => {
  const RW_345 = '0133020045030000';

  function tables(): ReturnType<typeof machine> {
    const made = machine({ virtualPageTable: true });
    poke(made.memory, 0x20000, '0111010011000000');
    poke(made.memory, 0x21ff0, '0111000010000000');
    poke(made.memory, 0x23200, '0111010012000000');
    poke(made.memory, L3, RW_345);
    return made;
  }

  it('walks from PTBR on the first miss and reads one PTE on the next in the same table', () => {
    const { memory, mmu } = tables();
    expect(mmu.translate(VA, READ_USER)).toBe(0x68a344);
    expect(memory.reads).toEqual([0x20000, 0x23200, L3]);
    memory.reads.length = 0;
    poke(memory, L3 + 8, RW_345);
    expect(mmu.translate(VA + 8192, READ_USER)).toBe(0x68a344);
    expect(memory.reads).toEqual([L3 + 8]);
  });

  it('believes a stale VPT entry: pitfall F.5, until the VPT address itself is flushed', () => {
    const { memory, mmu } = tables();
    mmu.translate(VA, READ_USER);
    poke(memory, 0x23200, '0000000000000000');
    poke(memory, L3 + 8, RW_345);
    expect(mmu.translate(VA + 8192, READ_USER)).toBe(0x68a344);
    mmu.tbis(-(2 ** 34) + (VA / 8192 - (VA % 8192) / 8192) * 8);
    mmu.tbis(VA + 8192);
    expect(mmu.translate(VA + 8192, READ_USER)).toBe(FAULT);
  });

  it('serves fetches through the DTB', () => {
    const { memory, mmu } = tables();
    mmu.translate(VA, READ_USER);
    memory.reads.length = 0;
    expect(mmu.translate(VA, FETCH_USER)).toBe(0x68a344);
    expect(memory.reads).toEqual([L3]);
  });

  it('does not let an address space use the VPT pages of another', () => {
    const { memory, mmu } = tables();
    mmu.translate(VA, READ_USER);
    mmu.ptbr = 0x50;
    mmu.asn = 2;
    expect(mmu.translate(VA, READ_USER)).toBe(FAULT);
    expect(memory.reads.at(-1)).toBe(0x50 * 8192);
  });

  it('answers as the plain walk does for every vector', () => {
    for (const { memory: words, va, access, mode } of WALK_VECTORS) {
      const address = Number(BigInt.asIntN(64, BigInt(`0x${va}`)));
      const how = ACCESSES[access] | (mode === 'u' ? ACCESS_USER : 0);
      const answers = [false, true].map((virtualPageTable) => {
        const { memory, mmu } = machine({ virtualPageTable });
        for (const [pa, bytes] of words) poke(memory, pa, bytes);
        return [1, 2].map(() => [mmu.translate(address, how), mmu.a1, mmu.a2]);
      });
      expect(answers[1]).toEqual(answers[0]);
    }
  });
});

/**
 * The architecture's rules once more, as a table and not as the model computes them: mode and access
 * to the enable letter and the fault-on letter, with the trap each raises (reference, A.4).
 */
const RULES = [
  { user: true, access: VM_PROT_READ, enable: 'URE', faultOn: 'FOR', trap: MMCSR_FOR, a2: 0 },
  { user: true, access: VM_PROT_WRITE, enable: 'UWE', faultOn: 'FOW', trap: MMCSR_FOW, a2: 1 },
  { user: true, access: VM_PROT_EXECUTE, enable: 'URE', faultOn: 'FOE', trap: MMCSR_FOE, a2: -1 },
  { user: false, access: VM_PROT_READ, enable: 'KRE', faultOn: 'FOR', trap: MMCSR_FOR, a2: 0 },
  { user: false, access: VM_PROT_WRITE, enable: 'KWE', faultOn: 'FOW', trap: MMCSR_FOW, a2: 1 },
  { user: false, access: VM_PROT_EXECUTE, enable: 'KRE', faultOn: 'FOE', trap: MMCSR_FOE, a2: -1 },
] as const;
const LETTERS = { V: 0, FOR: 1, FOW: 2, FOE: 3, ASM: 4, KRE: 8, URE: 9, KWE: 12, UWE: 13 } as const;

describe.each(['acv', 'tnv'] as const)('permission product, %s first', (precedence) => {
  const { memory, mmu } = machine({ precedence });
  poke(memory, 0x20000, '0111010011000000');
  poke(memory, 0x23200, '0111010012000000');
  const names = Object.keys(LETTERS) as (keyof typeof LETTERS)[];

  function expected(has: (name: string) => boolean, rule: (typeof RULES)[number]): number {
    if (precedence === 'tnv' && !has('V')) return MMCSR_INVALTRANS;
    if (!has(rule.enable)) return MMCSR_ACCESS;
    if (!has('V')) return MMCSR_INVALTRANS;
    return has(rule.faultOn) ? rule.trap : -1;
  }

  it.each(RULES)('allows user=$user access=$access by $enable and stops it by $faultOn', (rule) => {
    for (let set = 0; set < 1 << names.length; set++) {
      const has = (name: string): boolean => (set & (1 << names.indexOf(name as 'V'))) !== 0;
      const low = names.reduce((word, name) => (has(name) ? word | (1 << LETTERS[name]) : word), 0);
      memory.writeLe32(L3, low);
      memory.writeLe32(L3 + 4, 0x345);
      mmu.tbia();
      const want = expected(has, rule);
      // The first access walks, the second hits what the first left in the buffer.
      for (let attempt = 0; attempt < 2; attempt++) {
        const pa = mmu.translate(VA, rule.access | (rule.user ? ACCESS_USER : 0));
        const got = pa === FAULT ? [mmu.a1, mmu.a2, mmu.userMode] : pa;
        const wanted = want < 0 ? 0x68a344 : [want, rule.a2, rule.user];
        if (JSON.stringify(got) !== JSON.stringify(wanted)) {
          expect({ low: low.toString(16), attempt, got }).toEqual({
            low: low.toString(16),
            attempt,
            got: wanted,
          });
        }
      }
    }
    expect(mmu.stats.lookups).toBeGreaterThan(1000);
  });

  it('asks the upper levels for V and KRE only', () => {
    memory.writeLe32(L3, 0x3301);
    for (const [level, pte] of [
      [1, 0x20000],
      [2, 0x23200],
    ] as const) {
      const before = memory.readLe32(pte);
      for (let low = 0; low < 0x4000; low++) {
        memory.writeLe32(pte, low);
        mmu.tbia();
        const [valid, usable] = [(low & 1) !== 0, (low & 0x100) !== 0];
        const pa = mmu.translate(VA, READ_USER);
        const got = pa === FAULT ? mmu.a1 : -1;
        const invalidFirst = precedence === 'tnv';
        const want =
          valid && usable ? -1 : (invalidFirst ? !valid : usable) ? MMCSR_INVALTRANS : MMCSR_ACCESS;
        if (got !== want) expect({ level, low, got }).toEqual({ level, low, got: want });
      }
      memory.writeLe32(pte, before);
    }
    expect(mmu.translate(VA, READ_USER)).toBe(0x68a344);
  });

  it('tries the load of a load-and-store first', () => {
    const both = VM_PROT_READ | VM_PROT_WRITE | ACCESS_USER;
    const outcomes = [0x0001, 0x0201, 0x2001, 0x2201, 0x2203, 0x2205, 0x2207].map((low) => {
      memory.writeLe32(L3, low);
      mmu.tbia();
      return mmu.translate(VA, both) === FAULT ? [mmu.a1, mmu.a2] : 'granted';
    });
    expect(outcomes).toEqual([
      [MMCSR_ACCESS, 0],
      [MMCSR_ACCESS, 1],
      [MMCSR_ACCESS, 0],
      'granted',
      [MMCSR_FOR, 0],
      [MMCSR_FOW, 1],
      [MMCSR_FOR, 0],
    ]);
  });
});

describe('addresses', () => {
  it('translates every byte of the lowest and highest pages of each segment', () => {
    const { memory, mmu } = machine();
    for (const va of [
      0,
      8191,
      2 ** 42 - 1,
      2 ** 42 - 8192,
      -(2 ** 41),
      -(2 ** 41) + 8191,
      -1,
      -8192,
      -8193,
    ]) {
      const bits = BigInt.asUintN(43, BigInt(va));
      const index = (shift: bigint): number => Number((bits >> shift) & 0x3ffn);
      memory.zero(0x20000, 0x6000);
      for (const [at, shift, pfn] of [
        [0x20000, 33n, 0x11],
        [0x22000, 23n, 0x12],
        [0x24000, 13n, 0x20],
      ] as const) {
        memory.writeLe32(at + index(shift) * 8, 0x1101);
        memory.writeLe32(at + index(shift) * 8 + 4, pfn);
      }
      mmu.tbia();
      expect(mmu.translate(va, VM_PROT_READ)).toBe(0x40000 + Number(bits & 8191n));
    }
  });

  it('faults without a walk where bits 63:43 do not repeat bit 42', () => {
    const { memory, mmu } = machine();
    for (const va of [2 ** 42, 2 ** 50, -(2 ** 42) - 1, -(2 ** 50)]) {
      expect(mmu.translate(va, VM_PROT_READ)).toBe(FAULT);
      expect([mmu.a0, mmu.a1]).toEqual([va, MMCSR_ACCESS]);
    }
    expect(memory.reads).toEqual([]);
  });
});
