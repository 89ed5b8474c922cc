import { describe, expect, it } from 'vitest';
import {
  ACCESS_USER,
  FAULT,
  PhysicalMemory,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { OeaMmu } from './mmu.ts';

/** Counts reads of PTE word 0 and keeps every byte store, as a bus analyser would. */
class WatchedMemory extends PhysicalMemory {
  word0Reads = 0;
  stores: string[] = [];

  override readBe32(pa: number): number {
    if (pa % 8 === 0) this.word0Reads++;
    return super.readBe32(pa);
  }

  override write8(pa: number, value: number): void {
    this.stores.push(`[${upper(pa, 6)}]=${upper(value, 2)}`);
    super.write8(pa, value);
  }
}

function upper(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}

const TABLES: readonly (readonly [pa: number, word0: number, word1: number])[] = [
  [0x10d040, 0x8091a000, 0x00200002], // P0 rw user page
  [0x10d080, 0x8091a000, 0x00201003], // P1 ro user page
  [0x102f28, 0x8091a040, 0x00202002], // P2 in the secondary group
  [0x10d100, 0x0091a000, 0x00203002], // P3 invalid
  [0x10d158, 0x8091a000, 0x00204102], // P4 R set, C clear
  [0x10d1b8, 0x8091a000, 0x00205182], // P5 R and C set
  [0x10d1c8, 0x8091a03f, 0x00206002], // P6 high API
  [0x10d200, 0x8091a000, 0x00207000], // P7 PP 00
  [0x10d240, 0x8091a000, 0x00208001], // P8 PP 01
  [0x10d048, 0x8091a080, 0x8000002a], // P9 guarded, inhibited
  [0x10fe50, 0xfffffe80, 0x00300002], // K0 kernel page
  [0x10ffc0, 0xffffff00, 0x00301003], // K1 kernel read-only
  [0x10d280, 0x8091a040, 0x00209002], // X0 H=1 in a primary group
  [0x433120, 0x822b3c02, 0x0030a002], // B0 256 KB table
  [0x40ceb0, 0x822b3c42, 0x0030b002], // B1 256 KB table, secondary
];

const SR0: Readonly<Record<string, number>> = {
  A: 0x00012340,
  B: 0x20012340,
  C: 0x40012340,
  D: 0x10012340,
  E: 0x00045678,
};

const BATS: Readonly<Record<string, readonly (readonly [upper: number, lower: number])[]>> = {
  '-': [],
  K: [
    [0x00001ffe, 0x00000012],
    [0xfe0001fe, 0xfe00002a],
  ],
  U: [
    [0x40000003, 0x50000003],
    [0x41f0001f, 0x12300000],
    [0x60001ffd, 0x70000002],
    [0x42fe001f, 0x12300002],
  ],
};

const ACCESS: Readonly<Record<string, number>> = {
  r: VM_PROT_READ,
  w: VM_PROT_WRITE,
  x: VM_PROT_EXECUTE,
};

/**
 * name, segment registers, BATs, MSR, EA, access, reads of word 0, result, the PTE's word 1 after, byte stores.
 */
const VECTORS: readonly (readonly [
  string,
  string,
  string,
  number,
  number,
  string,
  number,
  string,
  string,
  string,
])[] = [
  ['O01', 'A', '-', 0xc030, 0x00001234, 'r', 1, 'PA 00200234', '10D040:00200102', '[10D046]=01'],
  [
    'O02',
    'A',
    '-',
    0xc030,
    0x00001234,
    'w',
    1,
    'PA 00200234',
    '10D040:00200182',
    '[10D046]=01 [10D047]=82',
  ],
  ['O03', 'A', '-', 0xc030, 0x00001000, 'x', 1, 'PA 00200000', '10D040:00200102', '[10D046]=01'],
  ['O04', 'A', '-', 0x8030, 0x00002abc, 'r', 1, 'PA 00201ABC', '10D080:00201103', '[10D086]=11'],
  ['O05', 'A', '-', 0x8030, 0x00002abc, 'w', 1, 'DSI DSISR 0A000000 DAR 00002ABC', '-', ''],
  [
    'O06',
    'A',
    '-',
    0xc030,
    0x00003010,
    'w',
    14,
    'PA 00202010',
    '102F28:00202182',
    '[102F2E]=21 [102F2F]=82',
  ],
  ['O07', 'A', '-', 0xc030, 0x00004000, 'r', 16, 'DSI DSISR 40000000 DAR 00004000', '-', ''],
  ['O08', 'A', '-', 0xc030, 0x00004000, 'w', 16, 'DSI DSISR 42000000 DAR 00004000', '-', ''],
  ['O09', 'A', '-', 0xc030, 0x00004000, 'x', 16, 'ISI SRR1 4000C030 SRR0 00004000', '-', ''],
  ['O10', 'A', '-', 0xc030, 0x00005ff0, 'r', 4, 'PA 00204FF0', '10D158:00204102', ''],
  ['O11', 'A', '-', 0xc030, 0x00005ff0, 'w', 4, 'PA 00204FF0', '10D158:00204182', '[10D15F]=82'],
  ['O12', 'A', '-', 0xc030, 0x00006000, 'w', 8, 'PA 00205000', '10D1B8:00205182', ''],
  ['O13', 'A', '-', 0xc030, 0x0fc07404, 'r', 2, 'PA 00206404', '10D1C8:00206102', '[10D1CE]=61'],
  [
    'O14',
    'A',
    '-',
    0xc030,
    0x00008000,
    'w',
    1,
    'PA 00207000',
    '10D200:00207180',
    '[10D206]=71 [10D207]=80',
  ],
  ['O15', 'B', '-', 0xc030, 0x00008000, 'r', 1, 'DSI DSISR 08000000 DAR 00008000', '-', ''],
  [
    'O16',
    'B',
    '-',
    0x8030,
    0x00008000,
    'w',
    1,
    'PA 00207000',
    '10D200:00207180',
    '[10D206]=71 [10D207]=80',
  ],
  ['O17', 'B', '-', 0xc030, 0x00009000, 'r', 1, 'PA 00208000', '10D240:00208101', '[10D246]=81'],
  ['O18', 'B', '-', 0xc030, 0x00009000, 'w', 1, 'DSI DSISR 0A000000 DAR 00009000', '-', ''],
  ['O19', 'C', '-', 0x8030, 0x00009000, 'w', 1, 'DSI DSISR 0A000000 DAR 00009000', '-', ''],
  [
    'O20',
    'C',
    '-',
    0x8030,
    0x00001000,
    'w',
    1,
    'PA 00200000',
    '10D040:00200182',
    '[10D046]=01 [10D047]=82',
  ],
  ['O21', 'D', '-', 0xc030, 0x00001000, 'x', 0, 'ISI SRR1 1000C030 SRR0 00001000', '-', ''],
  ['O22', 'D', '-', 0xc030, 0x00001000, 'r', 1, 'PA 00200000', '10D040:00200102', '[10D046]=01'],
  ['O23', 'A', '-', 0xc030, 0x10000020, 'x', 2, 'ISI SRR1 1000C030 SRR0 10000020', '-', ''],
  [
    'O24',
    'A',
    '-',
    0x8030,
    0x10000020,
    'w',
    2,
    'PA 80000020',
    '10D048:800001AA',
    '[10D04E]=01 [10D04F]=AA',
  ],
  ['O25', 'A', '-', 0xc030, 0x0000a000, 'r', 16, 'DSI DSISR 40000000 DAR 0000A000', '-', ''],
  [
    'O26',
    'A',
    '-',
    0x8030,
    0xd0004ffc,
    'w',
    3,
    'PA 00300FFC',
    '10FE50:00300182',
    '[10FE56]=01 [10FE57]=82',
  ],
  ['O27', 'A', '-', 0x8030, 0xe0001000, 'w', 1, 'DSI DSISR 0A000000 DAR E0001000', '-', ''],
  ['O28', 'A', '-', 0xc030, 0x30000000, 'x', 0, 'ISI SRR1 1000C030 SRR0 30000000', '-', ''],
  ['O29', 'A', 'K', 0x8030, 0x00001234, 'w', 0, 'PA 00001234', '-', ''],
  [
    'O30',
    'A',
    'K',
    0xc030,
    0x00001234,
    'w',
    1,
    'PA 00200234',
    '10D040:00200182',
    '[10D046]=01 [10D047]=82',
  ],
  ['O31', 'A', 'K', 0x8030, 0xfe123456, 'r', 0, 'PA FE123456', '-', ''],
  ['O32', 'A', 'U', 0xc030, 0x4001ffff, 'r', 0, 'PA 5001FFFF', '-', ''],
  ['O33', 'A', 'U', 0xc030, 0x40000000, 'w', 0, 'DSI DSISR 0A000000 DAR 40000000', '-', ''],
  ['O34', 'A', 'U', 0x8030, 0x41fe0000, 'x', 0, 'ISI SRR1 08008030 SRR0 41FE0000', '-', ''],
  ['O35', 'A', 'U', 0x8030, 0x41fe0000, 'r', 0, 'DSI DSISR 08000000 DAR 41FE0000', '-', ''],
  ['O36', 'A', 'U', 0x8030, 0x42fe0000, 'r', 16, 'DSI DSISR 40000000 DAR 42FE0000', '-', ''],
  ['O37', 'A', 'U', 0xc030, 0x6abcdef0, 'w', 0, 'PA 7ABCDEF0', '-', ''],
  ['O38', 'A', 'U', 0x8030, 0x6abcdef0, 'w', 16, 'DSI DSISR 42000000 DAR 6ABCDEF0', '-', ''],
  ['O39', 'E', '-', 0xc030, 0x00abc123, 'r', 5, 'PA 0030A123', '433120:0030A102', '[433126]=A1'],
  [
    'O40',
    'E',
    '-',
    0xc030,
    0x00abd000,
    'w',
    15,
    'PA 0030B000',
    '40CEB0:0030B182',
    '[40CEB6]=B1 [40CEB7]=82',
  ],
  ['O41', 'A', '-', 0x8000, 0x00001234, 'w', 0, 'PA 00001234', '-', ''],
];

function processor(segments: string, bats: string, msr: number): [OeaMmu, WatchedMemory] {
  const memory = new WatchedMemory(8 << 20, 4096);
  for (const [pa, word0, word1] of TABLES) {
    memory.writeBe32(pa, word0);
    memory.writeBe32(pa + 4, word1);
  }
  const mmu = new OeaMmu(memory);
  const sr = Array.from({ length: 16 }, () => 0x00fffff0);
  sr[0] = SR0[segments]!;
  sr[1] = 0x00012341;
  sr[3] = 0x80000123;
  sr[13] = 0x00fffffd;
  sr[14] = 0x00fffffe;
  for (const [segment, value] of sr.entries()) mmu.mtsr(segment, value);
  mmu.loadUserSegments(sr);
  mmu.mtsdr1(segments === 'E' ? 0x00400003 : 0x00100000);
  for (const [pair, [up, low]] of BATS[bats]!.entries()) {
    mmu.mtdbat(pair, up, low);
    mmu.mtibat(pair, up, low);
  }
  mmu.mtmsr(msr);
  return [mmu, memory];
}

function access(mmu: OeaMmu, msr: number, ea: number, kind: string): string {
  const pa = mmu.translate(ea, ACCESS[kind]! | ((msr & 0x4000) === 0 ? 0 : ACCESS_USER));
  return pa === FAULT ? mmu.describeFault() : `PA ${upper(pa, 8)}`;
}

describe('the OEA vectors', () => {
  it.each(VECTORS)(
    '%s: SRs %s, BATs %s, MSR %i, EA %i, %s',
    (_name, segments, bats, msr, ea, kind, reads, result, after, stores) => {
      const [mmu, memory] = processor(segments, bats, msr);
      expect(access(mmu, msr, ea, kind)).toBe(result);
      expect(memory.word0Reads).toBe(reads);
      expect(memory.stores.join(' ')).toBe(stores);
      if (after !== '-') {
        const [pa, word1] = after.split(':') as [string, string];
        expect(upper(memory.readBe32(Number.parseInt(pa, 16) + 4), 8)).toBe(word1);
      }
    },
  );

  it('R1: a store that hits an entry with C clear goes back for the C byte alone', () => {
    const [mmu, memory] = processor('A', '-', 0xc030);
    access(mmu, 0xc030, 0x1234, 'r');
    expect(memory.stores).toEqual(['[10D046]=01']);
    memory.stores = [];
    expect(access(mmu, 0xc030, 0x1234, 'w')).toBe('PA 00200234');
    expect(memory.stores).toEqual(['[10D047]=82']);
    memory.word0Reads = 0;
    expect(access(mmu, 0xc030, 0x1234, 'w')).toBe('PA 00200234');
    expect(memory.word0Reads).toBe(0);
  });

  it('R2: tlbie drops the whole congruence class and nothing else', () => {
    const [mmu, memory] = processor('A', '-', 0xc030);
    access(mmu, 0xc030, 0x1234, 'w');
    // Another page of the class, EA bits 14–19 equal, and one of another class.
    memory.writeBe32(0x10d000 ^ 0x1040, 0x8091a000);
    memory.writeBe32((0x10d000 ^ 0x1040) + 4, 0x00240002);
    expect(access(mmu, 0xc030, 0x41000, 'r')).toBe('PA 00240000');
    access(mmu, 0xc030, 0x2000, 'r');
    memory.word0Reads = 0;
    mmu.tlbie(0x1000);
    access(mmu, 0xc030, 0x2000, 'r');
    expect(memory.word0Reads).toBe(0);
    access(mmu, 0xc030, 0x41000, 'r');
    expect(memory.word0Reads).toBe(1);
    access(mmu, 0xc030, 0x1000, 'r');
    expect(memory.word0Reads).toBe(2);
  });

  it('R3: another VSID in the segment register finds no stale entry', () => {
    const [mmu] = processor('A', '-', 0xc030);
    expect(access(mmu, 0xc030, 0x1234, 'r')).toBe('PA 00200234');
    const sr = Array.from({ length: 16 }, () => 0x00012350);
    mmu.loadUserSegments(sr);
    expect(access(mmu, 0xc030, 0x1234, 'r')).toBe('DSI DSISR 40000000 DAR 00001234');
  });

  it('R4: a BAT wins over a page table entry, which is neither read nor marked', () => {
    const [mmu, memory] = processor('A', 'K', 0x8030);
    expect(access(mmu, 0x8030, 0x1234, 'w')).toBe('PA 00001234');
    expect(memory.word0Reads).toBe(0);
    expect(memory.stores).toEqual([]);
  });
});
