import {
  ACCESS_USER,
  EventStream,
  FAULT,
  PhysicalMemory,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  FLUSH_CONTEXT,
  FLUSH_ENTIRE,
  FLUSH_PAGE,
  FLUSH_REGION,
  FLUSH_SEGMENT,
  SrmmuMmu,
  type FlushType,
  type SrmmuMmuOptions,
} from './mmu.ts';
import { makePte, makePtd, PCR_E, PCR_NF, PG_M, PG_R, SFSR_OW, SFSR_TO } from './pte.ts';

/** RAM that remembers which words were read. */
class WatchedMemory extends PhysicalMemory {
  reads: number[] = [];

  override readBe32(pa: number): number {
    this.reads.push(pa);
    return super.readBe32(pa);
  }
}

// The image and the accesses of the reference's section E.1, by physical address.
const IMAGE: readonly [number, number][] = [
  [0x10000, 0x00001101],
  [0x10004, 0x00001201],
  [0x10008, 0x00000000],
  [0x1000c, 0x00000003],
  [0x11000, 0x00001301],
  [0x11100, 0x0200008e],
  [0x11140, 0x00000003],
  [0x11180, 0x00000000],
  [0x111c0, 0xff000001],
  [0x113c0, 0x00001311],
  [0x12000, 0x00001321],
  [0x123c0, 0x00001311],
  [0x13000, 0x00001401],
  [0x13004, 0x00034096],
  [0x13008, 0x00000000],
  [0x1300c, 0x00001411],
  [0x13100, 0x00001421],
  [0x13200, 0x00001431],
  [0x14000, 0x00010082],
  [0x14004, 0x00010186],
  [0x14008, 0x0001028a],
  [0x1400c, 0x0001038e],
  [0x14010, 0x00010492],
  [0x14014, 0x00010596],
  [0x14018, 0x0001069a],
  [0x1401c, 0x0001079e],
  [0x14020, 0x00000000],
  [0x14024, 0x00001501],
  [0x14028, 0x00010a83],
  [0x1402c, 0x00010bae],
  [0x14030, 0x00010cee],
  [0x14034, 0xf123450e],
  [0x14210, 0x0000049e],
  [0x14214, 0x0000059a],
  [0x1430c, 0x0007778e],
];

const M = (reads: string): number[] => reads.split(' ').map((pa) => Number.parseInt(pa, 16));

/** name, context, va, access, table reads, then [PA, entry after] or [SFSR]. */
const VECTORS: readonly [
  string,
  number,
  number,
  string,
  string,
  readonly [number, number] | readonly [number],
][] = [
  ['M01', 0, 0x00000123, 'rU', '10000 11000 13000 14000', [0x100123, 0x000100a2]],
  ['M02', 0, 0x00001004, 'rS', '10000 11000 13000 14004', [0x101004, 0x000101a6]],
  ['M03', 0, 0x00001ffc, 'wU', '10000 11000 13000 14004', [0x101ffc, 0x000101e6]],
  ['M04', 0, 0x00000008, 'wU', '10000 11000 13000 14000', [0x38a]],
  ['M05', 0, 0x00002000, 'xU', '10000 11000 13000 14008', [0x102000, 0x000102aa]],
  ['M06', 0, 0x00002004, 'wS', '10000 11000 13000 14008', [0x3aa]],
  ['M07', 0, 0x00003abc, 'wU', '10000 11000 13000 1400C', [0x103abc, 0x000103ee]],
  ['M08', 0, 0x00004000, 'rU', '10000 11000 13000 14010', [0x30a]],
  ['M09', 0, 0x00004000, 'xU', '10000 11000 13000 14010', [0x104000, 0x000104b2]],
  ['M10', 0, 0x00005010, 'wU', '10000 11000 13000 14014', [0x38a]],
  ['M11', 0, 0x00005010, 'wS', '10000 11000 13000 14014', [0x105010, 0x000105f6]],
  ['M12', 0, 0x00005010, 'xS', '10000 11000 13000 14014', [0x36a]],
  ['M13', 0, 0x00006000, 'rU', '10000 11000 13000 14018', [0x30e]],
  ['M14', 0, 0x00006000, 'wS', '10000 11000 13000 14018', [0x3aa]],
  ['M15', 0, 0x00007000, 'xU', '10000 11000 13000 1401C', [0x34e]],
  ['M16', 0, 0x00007ffc, 'wS', '10000 11000 13000 1401C', [0x107ffc, 0x000107fe]],
  ['M17', 0, 0x00008000, 'rU', '10000 11000 13000 14020', [0x306]],
  ['M18', 0, 0x00009000, 'rS', '10000 11000 13000 14024', [0x332]],
  ['M19', 0, 0x0000a000, 'wU', '10000 11000 13000 14028', [0x392]],
  ['M20', 0, 0x0000b100, 'wU', '10000 11000 13000 1402C', [0x10b100, 0x00010bee]],
  ['M21', 0, 0x0000c200, 'wS', '10000 11000 13000 14030', [0x10c200, 0x00010cee]],
  ['M22', 0, 0x0000d678, 'rU', '10000 11000 13000 14034', [0xf12345678, 0xf123452e]],
  ['M23', 0, 0x00045678, 'wS', '10000 11000 13004', [0x345678, 0x000340f6]],
  ['M24', 0, 0x00080000, 'rU', '10000 11000 13008', [0x206]],
  ['M25', 0, 0x40abcdec, 'xU', '10000 11100', [0x20abcdec, 0x020000ae]],
  ['M26', 0, 0x50000000, 'rS', '10000 11140', [0x132]],
  ['M27', 0, 0x60000000, 'wU', '10000 11180', [0x186]],
  ['M28', 0, 0x70000000, 'rS', '10000 111C0', [0x232]],
  ['M29', 1, 0x00003004, 'wU', '10004 12000 13200 1430C', [0x777004, 0x000777ee]],
  ['M30', 1, 0xf0004010, 'wS', '10004 123C0 13100 14210', [0x4010, 0x000004fe]],
  ['M31', 1, 0xf0004010, 'rU', '10004 123C0 13100 14210', [0x30e]],
  ['M32', 2, 0x00000000, 'rU', '10008', [0x006]],
  ['M33', 3, 0x00000000, 'wS', '1000C', [0x0b2]],
];

function accessOf(text: string): number {
  const right = text[0] === 'r' ? VM_PROT_READ : text[0] === 'w' ? VM_PROT_WRITE : VM_PROT_EXECUTE;
  return right | (text[1] === 'U' ? ACCESS_USER : 0);
}

const RU = accessOf('rU');
const WU = accessOf('wU');
const XU = accessOf('xU');
const RS = accessOf('rS');
const WS = accessOf('wS');
const XS = accessOf('xS');

let memory: WatchedMemory;
let mmu: SrmmuMmu;

function boot(options: SrmmuMmuOptions = {}): void {
  memory = new WatchedMemory(1 << 20, 4096);
  for (const [pa, word] of IMAGE) memory.writeBe32(pa, word);
  mmu = new SrmmuMmu(0, memory, new EventStream(), options);
  mmu.cxtptr = 0x1000;
  mmu.pcr = PCR_E;
}

const peek = (pa: number): number => new DataView(memory.bytes.buffer).getUint32(pa);

beforeEach(() => boot());

describe('the reference vectors', () => {
  it.each(VECTORS)('%s: context %i, %i, %s', (_, context, va, access, reads, result) => {
    const at = M(reads).at(-1)!;
    const before = peek(at);
    mmu.cxr = context;
    const pa = mmu.translate(va, accessOf(access));
    expect(memory.reads).toEqual(M(reads));
    if (result.length === 2) {
      expect([pa, peek(at), mmu.sfsr]).toEqual([result[0], result[1], 0]);
    } else {
      expect([pa, mmu.sfsr, mmu.sfar, peek(at)]).toEqual([FAULT, result[0], va, before]);
    }
  });
});

describe('what each ACC code allows', () => {
  // Appendix H, access permissions: user, supervisor.
  const RIGHTS: readonly [string, string][] = [
    ['r--', 'r--'],
    ['rw-', 'rw-'],
    ['r-x', 'r-x'],
    ['rwx', 'rwx'],
    ['--x', '--x'],
    ['r--', 'rw-'],
    ['---', 'r-x'],
    ['---', 'rwx'],
  ];
  // What each kind of access asks for; a store into instruction space asks for both.
  const KINDS: readonly [string, number, number][] = [
    ['r', VM_PROT_READ, 0],
    ['x', VM_PROT_EXECUTE, 2],
    ['w', VM_PROT_WRITE, 4],
    ['rw', VM_PROT_READ | VM_PROT_WRITE, 4],
    ['wx', VM_PROT_WRITE | VM_PROT_EXECUTE, 6],
  ];
  const SIZE = [2 ** 32, 2 ** 24, 2 ** 18, 2 ** 12];

  /** One PTE at `level` for virtual address 0x0101_1000, whatever the level. */
  function lay(level: number, acc: number, bits: number): number {
    boot({ rootPte: true });
    const chain = [0x10000, 0x20004, 0x21000, 0x22044];
    const tables = [0x20000, 0x21000, 0x22000];
    for (let above = 0; above < level; above++)
      memory.writeBe32(chain[above]!, makePtd(tables[above]!));
    const pte = makePte(0, acc << 2, bits);
    memory.writeBe32(chain[level]!, pte);
    return chain[level]!;
  }

  it.each([0, 1, 2, 3])(
    'holds for every access and mode at level %i, from the walk and from the TLB',
    (level) => {
      const va = 0x0101_1abc;
      for (let acc = 0; acc < 8; acc++) {
        for (const [need, access, atBits] of KINDS) {
          for (const user of [true, false]) {
            for (const bits of [0, PG_R, PG_R | PG_M, PG_M]) {
              for (const cached of [false, true]) {
                const entry = lay(level, acc, bits);
                const mode = access | (user ? ACCESS_USER : 0);
                if (cached) {
                  // Brought into the TLB by whatever access the code allows the supervisor.
                  const warm = acc === 4 ? XS : RS;
                  expect(mmu.translate(va, warm)).not.toBe(FAULT);
                }
                const before = peek(entry);
                const rights = RIGHTS[acc]![user ? 0 : 1];
                const allowed = [...need].every((right) => rights.includes(right));
                const where = `ACC ${acc} ${need} ${user ? 'user' : 'supervisor'} R/M ${bits} ${cached ? 'TLB' : 'walk'}`;
                const pa = mmu.translate(va, mode);
                if (allowed) {
                  expect(pa, where).toBe(va % SIZE[level]!);
                  const set = access & VM_PROT_WRITE ? PG_R | PG_M : PG_R;
                  expect(peek(entry), where).toBe((before | set) >>> 0);
                } else {
                  const ft = rights === '---' ? 3 : 2;
                  const at = atBits | (user ? 0 : 1);
                  expect([pa, mmu.sfar], where).toEqual([FAULT, va]);
                  expect(mmu.sfsr, where).toBe((level << 8) | (at << 5) | (ft << 2) | 2);
                  expect(peek(entry), where).toBe(before);
                }
              }
            }
          }
        }
      }
    },
  );

  it('keeps a store into a 256 KB, 16 MB or 4 GB mapping to one entry for all its pages', () => {
    for (const level of [0, 1, 2]) {
      lay(level, 3, 0);
      mmu.translate(0x0101_0000, WU);
      memory.reads = [];
      expect(mmu.translate(0x0101_7004, WU)).toBe(0x0101_7004 % SIZE[level]!);
      expect(memory.reads).toEqual([]);
    }
  });

  it('takes the address bits below a large mapping from the address, not from its PTE', () => {
    lay(2, 3, 0);
    memory.writeBe32(0x21000, makePte(0x7_f000, 0x0c, 0));
    expect(mmu.translate(0x0100_1004, RU)).toBe(0x4_1004);
  });
});

describe('a PTE in the context table', () => {
  it('is a translation error by default', () => {
    memory.writeBe32(0x1000c, 0x8e);
    mmu.cxr = 3;
    expect(mmu.translate(0x1000, RU)).toBe(FAULT);
    expect(mmu.sfsr).toBe((4 << 2) | 2);
  });
});

describe('referenced and modified in memory', () => {
  it('Q1: stay as software left them while the TLB holds the page, and are set again after a flush', () => {
    mmu.translate(0x123, RU);
    memory.writeBe32(0x14000, 0x10082);
    mmu.translate(0x123, RU);
    expect(peek(0x14000)).toBe(0x10082);
    mmu.flush(FLUSH_PAGE, 0);
    mmu.translate(0x123, RU);
    expect(peek(0x14000)).toBe(0x100a2);
  });

  it('Q3: a store through an entry without M walks again and sets M', () => {
    mmu.translate(0xb100, RU);
    memory.reads = [];
    expect(mmu.translate(0xb100, WU)).toBe(0x10b100);
    expect(memory.reads).toEqual([0x10000, 0x11000, 0x13000, 0x1402c]);
    expect(peek(0x1402c)).toBe(0x10bee);
    memory.reads = [];
    mmu.translate(0xb104, WU);
    expect(memory.reads).toEqual([]);
  });

  it('a store through an entry without M faults if the PTE has been taken away meanwhile', () => {
    mmu.translate(0xb100, RU);
    memory.writeBe32(0x1402c, 0);
    expect(mmu.translate(0xb100, RU)).toBe(0x10b100);
    expect(mmu.translate(0xb100, WU)).toBe(FAULT);
    expect(mmu.sfsr).toBe(0x386);
  });
});

describe('a hit', () => {
  const often = (va: number, access: number) => [1, 2, 3].map(() => mmu.translate(va, access));

  it('is forgotten when the context, the control register, a flush or another entry says otherwise', () => {
    expect(often(0x1004, RS)).toEqual([0x101004, 0x101004, 0x101004]);
    mmu.cxr = 1;
    expect(often(0x1004, RS)).toEqual([FAULT, FAULT, FAULT]);
    mmu.cxr = 0;
    expect(often(0x1004, RS)).toEqual([0x101004, 0x101004, 0x101004]);
    mmu.pcr = 0;
    expect(often(0x1004, RS)).toEqual([0x1004, 0x1004, 0x1004]);
    mmu.pcr = PCR_E;
    memory.writeBe32(0x14004, 0x00020086);
    expect(often(0x1004, RS)).toEqual([0x101004, 0x101004, 0x101004]);
    mmu.flush(FLUSH_PAGE, 0x1000);
    expect(often(0x1004, RS)).toEqual([0x200004, 0x200004, 0x200004]);
    memory.writeBe32(0x14004, 0x00010186);
    mmu.flushAll();
    expect(often(0x1004, RS)).toEqual([0x101004, 0x101004, 0x101004]);
    expect(mmu.stats.lookups).toBe(21);
  });

  it('is forgotten when other pages take its place', () => {
    boot({ tlbEntries: 4 });
    often(0x1004, RS);
    for (const va of [0x2000, 0x3000, 0x7000, 0xb000]) mmu.translate(va, XS);
    memory.writeBe32(0x14004, 0);
    expect(often(0x1004, RS)).toEqual([FAULT, FAULT, FAULT]);
  });

  it('of loads lets no store pass: the first sets M', () => {
    often(0x1004, RU);
    expect(peek(0x14004) & PG_M).toBe(0);
    expect(mmu.translate(0x1004, WU)).toBe(0x101004);
    expect(peek(0x14004) & PG_M).toBe(PG_M);
  });

  it('answers 36 bits of physical address, and large mappings', () => {
    expect(often(0xd678, RU)).toEqual([0xf12345678, 0xf12345678, 0xf12345678]);
    expect(often(0x45678, RS)).toEqual([0x345678, 0x345678, 0x345678]);
    expect(often(0x46678, RS)).toEqual([0x346678, 0x346678, 0x346678]);
  });
});

describe('flushes', () => {
  it('Q2: supervisor entries serve every context and outlive a context flush', () => {
    mmu.cxr = 1;
    mmu.translate(0xf0004010, WS);
    mmu.cxr = 0;
    memory.reads = [];
    expect(mmu.translate(0xf0004010, RS)).toBe(0x4010);
    mmu.flush(FLUSH_CONTEXT, 0);
    expect(mmu.translate(0xf0004010, RS)).toBe(0x4010);
    expect(memory.reads).toEqual([]);
    mmu.flush(FLUSH_PAGE, 0xf0004000);
    mmu.translate(0xf0004010, RS);
    expect(memory.reads).toHaveLength(4);
  });

  // Five translations, one of each size and one more of a supervisor page and of another context.
  const PLACES: readonly [string, number, number, number][] = [
    ['page', 0, 0x00003abc, RU],
    ['neighbour', 0, 0x0000b100, RU],
    ['segment', 0, 0x00045678, RS],
    ['region', 0, 0x40abcdec, XU],
    ['kernel', 0, 0xf0004010, RS],
    ['other', 1, 0x00003004, RU],
  ];

  it.each<[string, FlushType, number, number, string[]]>([
    ['page', FLUSH_PAGE, 0, 0x00003000, ['page']],
    ['page inside a segment mapping', FLUSH_PAGE, 0, 0x00045000, []],
    ['page of a region mapping', FLUSH_PAGE, 0, 0x40000000, []],
    ['supervisor page from another context', FLUSH_PAGE, 1, 0xf0004000, ['kernel']],
    ['segment of pages', FLUSH_SEGMENT, 0, 0x00000000, ['page', 'neighbour']],
    ['segment of supervisor pages from another context', FLUSH_SEGMENT, 1, 0xf0000000, ['kernel']],
    ['region of supervisor pages from another context', FLUSH_REGION, 1, 0xf0000000, ['kernel']],
    ['segment mapped whole', FLUSH_SEGMENT, 0, 0x00040000, ['segment']],
    ['segment of a region mapping', FLUSH_SEGMENT, 0, 0x40a80000, []],
    ['region', FLUSH_REGION, 0, 0x00000000, ['page', 'neighbour', 'segment']],
    ['region mapped whole', FLUSH_REGION, 0, 0x40000000, ['region']],
    ['context', FLUSH_CONTEXT, 0, 0, ['page', 'neighbour', 'segment', 'region']],
    ['other context', FLUSH_CONTEXT, 1, 0, ['other']],
    ['entire', FLUSH_ENTIRE, 2, 0, ['page', 'neighbour', 'segment', 'region', 'kernel', 'other']],
  ])('of a %s drop exactly what the manual says', (_, type, context, va, dropped) => {
    for (const [, at, where, access] of PLACES) {
      mmu.cxr = at;
      expect(mmu.translate(where, access)).not.toBe(FAULT);
    }
    mmu.cxr = context;
    mmu.flush(type, va);
    const gone = PLACES.filter(([, at, where, access]) => {
      mmu.cxr = at;
      memory.reads = [];
      mmu.translate(where, access);
      return memory.reads.length > 0;
    });
    expect(gone.map(([name]) => name)).toEqual(dropped);
  });
});

describe('probes', () => {
  it.each<[string, FlushType, number, number]>([
    ['the level 3 entry', FLUSH_PAGE, 0x3000, 0x0001038e],
    ['0 where the path to level 3 ends at a larger PTE', FLUSH_PAGE, 0x45000, 0],
    ['the level 2 entry', FLUSH_SEGMENT, 0x3000, 0x1401],
    ['a level 2 PTE', FLUSH_SEGMENT, 0x45000, 0x34096],
    ['the level 1 entry', FLUSH_REGION, 0x3000, 0x1301],
    ['the context table entry', FLUSH_CONTEXT, 0x3000, 0x1101],
    ['the final PTE', FLUSH_ENTIRE, 0x3000, 0x0001038e],
    ['the final PTE of level 1', FLUSH_ENTIRE, 0x40abc000, 0x0200008e],
    ['0 where the walk ends at no PTE', FLUSH_ENTIRE, 0x8000, 0],
    ['0 where it ends at a PTD on level 3', FLUSH_ENTIRE, 0x9000, 0],
    ['0 where a table is beyond memory', FLUSH_SEGMENT, 0x70000000, 0],
  ])('answer %s', (_, type, va, entry) => {
    expect(mmu.probe(type, va)).toBe(entry);
    expect([mmu.sfsr, mmu.stats.faults]).toEqual([0, 0]);
  });
});

describe('the fault status', () => {
  const fault = (va: number, access: number): number => {
    expect(mmu.translate(va, access)).toBe(FAULT);
    return mmu.sfsr;
  };
  const data = [0x8000, RU] as const;
  const text = [0x8000, XU] as const;
  const translation = [0x9000, RS] as const;

  it('is cleared by reading it', () => {
    fault(...data);
    expect(mmu.readSfsr()).toBe(0x306);
    expect(mmu.sfsr).toBe(0);
  });

  it.each<
    [
      string,
      readonly [number, number],
      readonly [number, number],
      'replaced' | 'overwritten' | 'kept',
    ]
  >([
    ['data after data', data, [0x7000, WU], 'overwritten'],
    ['text after text', text, [0x7000, XU], 'overwritten'],
    ['translation after translation', translation, [0xa000, WU], 'overwritten'],
    ['data after text', text, data, 'replaced'],
    ['translation after data', data, translation, 'replaced'],
    ['translation after text', text, translation, 'replaced'],
    ['text after data', data, text, 'kept'],
    ['data after translation', translation, data, 'kept'],
    ['text after translation', translation, text, 'kept'],
  ])('%s', (_, first, second, outcome) => {
    fault(...second);
    const alone = mmu.readSfsr();
    const before = fault(...first);
    const after = fault(...second);
    expect(after).toBe(
      outcome === 'kept' ? before : outcome === 'overwritten' ? alone | SFSR_OW : alone,
    );
    expect(mmu.sfar).toBe(outcome === 'kept' ? first[0] : second[0]);
  });

  it('says that the bus did not answer', () => {
    mmu.busError(0xd678, RU, SFSR_TO);
    expect([mmu.sfsr, mmu.sfar]).toEqual([0x0816, 0xd678]);
    expect(mmu.describeFault()).toBe(
      'SFSR 0x00000816 (access bus error, user load, level 0, timeout), SFAR 0x0000d678',
    );
  });

  it('is written with no-fault on, but only a supervisor fetch traps', () => {
    mmu.pcr = PCR_E | PCR_NF;
    fault(...data);
    expect([mmu.sfsr, mmu.trapping]).toEqual([0x306, false]);
    fault(0x8000, XS);
    expect(mmu.trapping).toBe(true);
  });
});

it('passes addresses through while translation is off', () => {
  mmu.pcr = 0;
  expect(mmu.translate(0xf0004010, WU)).toBe(0xf0004010);
  expect(memory.reads).toEqual([]);
});
