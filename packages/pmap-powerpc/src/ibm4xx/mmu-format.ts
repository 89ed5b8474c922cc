import {
  ACCESS_USER,
  type FormatBits,
  type MmuFormat,
  type PhysicalMemory,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { Ibm4xxMmu, TLBHI, TLBLO } from './mmu.ts';
import { MSR_DR, MSR_EE, MSR_IR } from './pte.ts';

const READ = VM_PROT_READ;
const WRITE = VM_PROT_WRITE;
const EXECUTE = VM_PROT_EXECUTE;
const USER = ACCESS_USER;

/** What ZPR's two bits make of EX and WR: the user's rights, and the supervisor's. */
const ZONES: readonly (readonly ['none' | 'bits' | 'all', 'bits' | 'all'])[] = [
  ['none', 'bits'],
  ['bits', 'bits'],
  ['bits', 'all'],
  ['all', 'all'],
];

/** The words of entries, and their TIDs. NetBSD's zones: 0 is the supervisor's, 1 by EX and WR, 2 and 3 all. */
const ENTRIES: readonly (readonly [hi: number, lo: number, tid: number])[] = [
  [0x000003c0, 0x00000300, 1],
  [0xef6000c0, 0xef600105, 1],
  [0x01800140, 0x00400210, 5],
  [0x01804140, 0x00404310, 5],
  [0x0180c140, 0x0040c300, 5],
  [0x7fff8140, 0x00410320, 5],
  [0x200002c0, 0x10000030, 5],
  [0x300001c0, 0x00500310, 0],
  [0x40000040, 0x00600710, 5],
  [0x40001080, 0x00601210, 5],
  [0x01800140, 0x00700310, 6],
];

/** The TLB is all the tables that there are: the entries above, which memory has no part in. */
function over(_memory: PhysicalMemory, { pid }: FormatBits): Ibm4xxMmu {
  return loaded(ENTRIES, 0x1b000000, pid!);
}

function loaded(entries: typeof ENTRIES, zpr: number, pid: number): Ibm4xxMmu {
  const mmu = new Ibm4xxMmu();
  mmu.mtzpr(zpr);
  for (const [entry, [hi, lo, tid]] of entries.entries()) {
    mmu.mtpid(tid);
    mmu.tlbwe(entry, TLBLO, lo);
    mmu.tlbwe(entry, TLBHI, hi);
  }
  mmu.mtpid(pid);
  mmu.loadUserPid(pid);
  mmu.mtmsr(MSR_EE | MSR_IR | MSR_DR);
  return mmu;
}

const registers: FormatBits = { pid: 5 };

/**
 * The MMU of the 403GCX and 405 by the PPC405 Core User's Manual, chapter 7. Software loads its TLB and nothing is marked,
 * so no walk changes memory.
 */
export const ibm4xxFormat: MmuFormat = {
  bits: {
    v: [0, 1],
    tid: [0, 5, 6],
    ex: [0, 1],
    wr: [0, 1],
    zone: [0, 1, 2, 3],
    g: [0, 1],
  },
  va: 0x01801abc,
  pa: 0x00401abc,
  modes: [USER, 0],
  // A page of 16 KB in zone 1, whose bits of ZPR are those from 28 up.
  mapped: ({ v, tid, ex, wr, zone, g }) => {
    const hi = 0x01800100 | (v! << 6);
    const lo = 0x00400010 | (ex! << 9) | (wr! << 8) | g!;
    return loaded([[hi, lo, tid!]], zone! << 28, 5);
  },
  allows: ({ v, tid, ex, wr, zone, g }, access) => {
    if (v === 0 || tid === 6) return false;
    const rule = ZONES[zone!]![(access & USER) === 0 ? 1 : 0];
    if (rule === 'none') return false;
    if ((access & EXECUTE) !== 0 && (g === 1 || (rule === 'bits' && ex === 0))) return false;
    return (access & WRITE) === 0 || rule === 'all' || wr === 1;
  },
  over,
  walks: [
    {
      name: 'load by a user from 16 KB',
      registers,
      before: {},
      va: 0x01800123,
      access: READ | USER,
      result: 0x00400123,
      after: {},
    },
    {
      name: 'store without WR',
      registers,
      before: {},
      va: 0x01800123,
      access: WRITE | USER,
      result: 'DSI 0x0300 DEAR 01800123 ESR 00800000',
      after: {},
    },
    {
      name: "another PID's page at the same address",
      registers: { pid: 6 },
      before: {},
      va: 0x01800123,
      access: WRITE | USER,
      result: 0x00700123,
      after: {},
    },
    {
      name: 'a load under a PID that has none is a miss',
      registers: { pid: 7 },
      before: {},
      va: 0x01800123,
      access: READ | USER,
      result: 'DTLB miss 0x1100 DEAR 01800123 ESR 00000000',
      after: {},
    },
    {
      name: 'so is a store, and says so',
      registers: { pid: 7 },
      before: {},
      va: 0x01800123,
      access: WRITE | USER,
      result: 'DTLB miss 0x1100 DEAR 01800123 ESR 00800000',
      after: {},
    },
    {
      name: 'so is a fetch',
      registers: { pid: 7 },
      before: {},
      va: 0x01800120,
      access: EXECUTE | USER,
      result: 'ITLB miss 0x1200 SRR0 01800120',
      after: {},
    },
    {
      name: 'the last word of 16 KB',
      registers,
      before: {},
      va: 0x01807ffc,
      access: WRITE | USER,
      result: 0x00407ffc,
      after: {},
    },
    {
      name: "a user's store in zone 0, which forbids it",
      registers,
      before: {},
      va: 0x0180c010,
      access: WRITE | USER,
      result: 'DSI 0x0300 DEAR 0180C010 ESR 00C00000',
      after: {},
    },
    {
      name: "a user's fetch there",
      registers,
      before: {},
      va: 0x0180c010,
      access: EXECUTE | USER,
      result: 'ISI 0x0400 SRR0 0180C010 ESR 00400000',
      after: {},
    },
    {
      name: "the supervisor's store there",
      registers,
      before: {},
      va: 0x0180c010,
      access: WRITE,
      result: 0x0040c010,
      after: {},
    },
    {
      name: 'a store to 1 MB in zone 3, whose entry has no WR',
      registers,
      before: {},
      va: 0x200fffff,
      access: WRITE | USER,
      result: 0x100fffff,
      after: {},
    },
    {
      name: 'an entry with TID 0 is for every PID',
      registers: { pid: 9 },
      before: {},
      va: 0x3000ffff,
      access: WRITE | USER,
      result: 0x0050ffff,
      after: {},
    },
    {
      name: 'the last byte of 1 KB',
      registers,
      before: {},
      va: 0x400003ff,
      access: READ | USER,
      result: 0x006007ff,
      after: {},
    },
    {
      name: 'and the next one',
      registers,
      before: {},
      va: 0x40000400,
      access: READ | USER,
      result: 'DTLB miss 0x1100 DEAR 40000400 ESR 00000000',
      after: {},
    },
    {
      name: 'an entry without V',
      registers,
      before: {},
      va: 0x40001000,
      access: EXECUTE | USER,
      result: 'ITLB miss 0x1200 SRR0 40001000',
      after: {},
    },
    {
      name: "the kernel's 16 MB",
      registers: { pid: 1 },
      before: {},
      va: 0x00345678,
      access: EXECUTE,
      result: 0x00345678,
      after: {},
    },
    {
      name: 'a fetch from guarded storage, by the supervisor',
      registers: { pid: 1 },
      before: {},
      va: 0xef600300,
      access: EXECUTE,
      result: 'ISI 0x0400 SRR0 EF600300 ESR 00000000',
      after: {},
    },
  ],
};
