import {
  ACCESS_USER,
  type FormatBits,
  type FormatBytes,
  type MmuFormat,
  PhysicalMemory,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { OeaMmu } from './mmu.ts';
import { MSR_DR, MSR_EE, MSR_IR } from './pte.ts';

const READ = VM_PROT_READ;
const WRITE = VM_PROT_WRITE;
const EXECUTE = VM_PROT_EXECUTE;
const USER = ACCESS_USER;

/** What key and PP grant to loads and stores: key 0, then key 1, by PP. */
const RIGHTS: readonly (readonly [string, string, string, string])[] = [
  ['rw', 'rw', 'rw', 'r'],
  ['', 'r', 'rw', 'r'],
];

/** SDR1, segment register 0, one BAT pair of either kind. The other segments are direct-store. */
function over(memory: PhysicalMemory, { sdr1, sr0, batu, batl }: FormatBits): OeaMmu {
  const mmu = new OeaMmu(memory);
  const segments = Array.from({ length: 16 }, (_, segment) => (segment === 0 ? sr0! : 0x80000000));
  for (const [segment, value] of segments.entries()) mmu.mtsr(segment, value);
  mmu.loadUserSegments(segments);
  mmu.mtsdr1(sdr1!);
  mmu.mtdbat(0, batu!, batl!);
  mmu.mtibat(0, batu!, batl!);
  mmu.mtmsr(MSR_EE | MSR_IR | MSR_DR);
  return mmu;
}

/*
 * VSID 0x12340 in a table of 64 KB at 0x100000: page index p is in the group at ((0x12340 ^ p) & 0x3ff) · 64, or of the
 * complement. Page 1 has hash 0x341, group 0x10d040; page 3 hash 0x343, secondary 0x0bc, group 0x102f00.
 */
const TABLE: FormatBytes = {
  0x10d040: '80 91 a0 00 00 20 00 02',
  0x10d080: '80 91 a0 00 00 20 10 03',
  0x102f28: '80 91 a0 40 00 20 20 02',
  0x10d100: '00 91 a0 00 00 20 30 02',
  0x10d158: '80 91 a0 00 00 20 41 02',
  0x10d1b8: '80 91 a0 00 00 20 51 82',
  0x10d1c8: '80 91 a0 3f 00 20 60 02',
  0x10d200: '80 91 a0 00 00 20 70 00',
  0x10d240: '80 91 a0 00 00 20 80 0a',
};
const registers: FormatBits = { sdr1: 0x00100000, sr0: 0x00012340, batu: 0, batl: 0 };

/** The operating environment architecture's MMU by the Programming Environments Manual, chapter 7. */
export const oeaFormat: MmuFormat = {
  bits: {
    v: [0, 1],
    h: [0, 1],
    pp: [0, 1, 2, 3],
    g: [0, 1],
    ks: [0, 1],
    kp: [0, 1],
    n: [0, 1],
  },
  va: 0x00001abc,
  pa: 0x00345abc,
  modes: [USER, 0],
  // VSID 0 and page 1: hash 1 and its complement 0x7fffe, of which a table of 64 KB takes ten bits: groups 0x1 and 0x3fe.
  mapped: ({ v, h, pp, g, ks, kp, n }) => {
    const memory = new PhysicalMemory(0x10000, 4096);
    const group = h === 0 ? 0x40 : 0xff80;
    memory.writeBe32(group + 56, ((v! << 31) | (h! << 6)) >>> 0);
    memory.writeBe32(group + 60, 0x00345000 | (g! << 3) | pp!);
    const sr0 = (ks! << 30) | (kp! << 29) | (n! << 28);
    return over(memory, { sdr1: 0, sr0, batu: 0, batl: 0 });
  },
  allows: ({ v, pp, g, ks, kp, n }, access) => {
    if (v === 0) return false;
    const rights = RIGHTS[(access & USER) === 0 ? ks! : kp!]![pp!]!;
    if ((access & WRITE) !== 0 && !rights.includes('w')) return false;
    if ((access & EXECUTE) !== 0 && (n === 1 || g === 1)) return false;
    return rights.includes('r');
  },
  over,
  walks: [
    {
      name: 'load by a user sets R, a store of one byte',
      registers,
      before: TABLE,
      va: 0x00001234,
      access: READ | USER,
      result: 0x00200234,
      after: { 0x10d046: '01' },
    },
    {
      name: 'store by a user sets R and C',
      registers,
      before: TABLE,
      va: 0x00001234,
      access: WRITE | USER,
      result: 0x00200234,
      after: { 0x10d046: '01 82' },
    },
    {
      name: 'store where R is set sets C',
      registers,
      before: TABLE,
      va: 0x00005ff0,
      access: WRITE | USER,
      result: 0x00204ff0,
      after: { 0x10d15f: '82' },
    },
    {
      name: 'store where both are set writes nothing',
      registers,
      before: TABLE,
      va: 0x00006000,
      access: WRITE | USER,
      result: 0x00205000,
      after: {},
    },
    {
      name: 'store to a read-only page faults and leaves R alone, for the supervisor too',
      registers,
      before: TABLE,
      va: 0x00002abc,
      access: WRITE,
      result: 'DSI DSISR 0A000000 DAR 00002ABC',
      after: {},
    },
    {
      name: 'an entry in the secondary group',
      registers,
      before: TABLE,
      va: 0x00003010,
      access: WRITE | USER,
      result: 0x00202010,
      after: { 0x102f2e: '21 82' },
    },
    {
      name: 'an entry without V is not found, in either group',
      registers,
      before: TABLE,
      va: 0x00004000,
      access: WRITE | USER,
      result: 'DSI DSISR 42000000 DAR 00004000',
      after: {},
    },
    {
      name: 'nor by a fetch',
      registers,
      before: TABLE,
      va: 0x00004000,
      access: EXECUTE | USER,
      result: 'ISI SRR1 4000C030 SRR0 00004000',
      after: {},
    },
    {
      name: 'the abbreviated page index decides between pages of one hash',
      registers,
      before: TABLE,
      va: 0x0fc07404,
      access: READ | USER,
      result: 0x00206404,
      after: { 0x10d1ce: '61' },
    },
    {
      name: 'PP 00 with key 1 grants nothing',
      registers: { ...registers, sr0: 0x20012340 },
      before: TABLE,
      va: 0x00008000,
      access: READ | USER,
      result: 'DSI DSISR 08000000 DAR 00008000',
      after: {},
    },
    {
      name: 'and all with key 0, which the supervisor has there',
      registers: { ...registers, sr0: 0x20012340 },
      before: TABLE,
      va: 0x00008000,
      access: WRITE,
      result: 0x00207000,
      after: { 0x10d206: '71 80' },
    },
    {
      name: 'a fetch from a guarded page',
      registers,
      before: TABLE,
      va: 0x00009000,
      access: EXECUTE | USER,
      result: 'ISI SRR1 1000C030 SRR0 00009000',
      after: {},
    },
    {
      name: 'a fetch from a segment with N, which reads no table',
      registers: { ...registers, sr0: 0x10012340 },
      before: TABLE,
      va: 0x00001000,
      access: EXECUTE | USER,
      result: 'ISI SRR1 1000C030 SRR0 00001000',
      after: {},
    },
    {
      name: 'a load from a direct-store segment',
      registers,
      before: TABLE,
      va: 0x30000000,
      access: READ | USER,
      result: 'DSI DSISR 80000000 DAR 30000000',
      after: {},
    },
    {
      name: "the supervisor's BAT comes before the table, which is not marked",
      registers: { ...registers, batu: 0x00001ffe, batl: 0x00000012 },
      before: TABLE,
      va: 0x00001234,
      access: WRITE,
      result: 0x00001234,
      after: {},
    },
    {
      name: "and is not the user's",
      registers: { ...registers, batu: 0x00001ffe, batl: 0x00000012 },
      before: TABLE,
      va: 0x00001234,
      access: WRITE | USER,
      result: 0x00200234,
      after: { 0x10d046: '01 82' },
    },
    {
      name: 'a BAT of 128 KB whose PP is 11 is not stored to',
      registers: { ...registers, batu: 0x40000003, batl: 0x50000003 },
      before: {},
      va: 0x4001fffc,
      access: WRITE | USER,
      result: 'DSI DSISR 0A000000 DAR 4001FFFC',
      after: {},
    },
    {
      name: 'but loaded from',
      registers: { ...registers, batu: 0x40000003, batl: 0x50000003 },
      before: {},
      va: 0x4001fffc,
      access: READ | USER,
      result: 0x5001fffc,
      after: {},
    },
  ],
};
