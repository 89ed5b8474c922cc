import {
  ACCESS_USER,
  EventStream,
  type FormatBits,
  type FormatBytes,
  type MmuFormat,
  PhysicalMemory,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { SrmmuMmu } from './mmu.ts';
import { PCR_E } from './pte.ts';

const READ = VM_PROT_READ;
const WRITE = VM_PROT_WRITE;
const EXECUTE = VM_PROT_EXECUTE;
const USER = ACCESS_USER;

/** What each ACC code grants: to the user, and to the supervisor. */
const RIGHTS: readonly (readonly [string, string])[] = [
  ['r', 'r'],
  ['rw', 'rw'],
  ['rx', 'rx'],
  ['rwx', 'rwx'],
  ['x', 'x'],
  ['r', 'rw'],
  ['', 'rx'],
  ['', 'rwx'],
];

function over(memory: PhysicalMemory, { cxtptr, cxr }: FormatBits): SrmmuMmu {
  const mmu = new SrmmuMmu(0, memory, new EventStream());
  mmu.cxtptr = cxtptr!;
  mmu.cxr = cxr!;
  mmu.pcr = PCR_E;
  return mmu;
}

/**
 * Context 1 with a table of each level, and an entry of each type and size.
 *
 *     10004 context 1 ─▶ 12000 L1 ─▶ 13000 L2 ─▶ 14000 L3
 *                             └ 16 MB     └ 256 KB   └ 4 KB
 */
const TABLES: FormatBytes = {
  0x10004: '00 00 12 01',
  0x12000: '00 00 13 01',
  0x12100: '00 00 00 9e',
  0x12140: '00 00 00 03',
  0x13000: '00 00 14 01',
  0x13004: '00 04 00 96',
  0x14000: '00 01 00 82',
  0x14004: '00 01 01 86',
  0x14008: '00 01 02 9a',
  0x1400c: '00 01 03 92',
  0x14010: '00 01 04 e6',
  0x14014: '00 00 15 01',
};
const registers: FormatBits = { cxtptr: 0x1000, cxr: 1 };

/** The SPARC Reference MMU by The SPARC Architecture Manual, Version 8, Appendix H. */
export const srmmuFormat: MmuFormat = {
  bits: { et1: [0, 1, 3], et2: [0, 1, 3], et3: [0, 1, 2, 3], acc: [0, 1, 2, 3, 4, 5, 6, 7] },
  va: 0x01045abc,
  pa: 0x00345abc,
  modes: [USER, 0],
  mapped: ({ et1, et2, et3, acc }) => {
    const memory = new PhysicalMemory(0x4000, 4096);
    memory.writeBe32(0x1004, 0x201);
    memory.writeBe32(0x2004, 0x240 | et1!);
    memory.writeBe32(0x2404, 0x280 | et2!);
    memory.writeBe32(0x2814, 0x34500 | (acc! << 2) | et3!);
    return over(memory, { cxtptr: 0x100, cxr: 1 });
  },
  allows: ({ et1, et2, et3, acc }, access) => {
    if (et1 !== 1 || et2 !== 1 || et3 !== 2) return false;
    const rights = RIGHTS[acc!]![(access & USER) === 0 ? 1 : 0];
    // What loads and stores at once, LDSTUB and SWAP, is a store to this MMU.
    if ((access & WRITE) !== 0) return rights.includes('w');
    return rights.includes((access & EXECUTE) === 0 ? 'r' : 'x');
  },
  over,
  walks: [
    {
      name: 'load by a user sets R',
      registers,
      before: TABLES,
      va: 0x00000123,
      access: READ | USER,
      result: 0x00100123,
      after: { 0x14000: '00 01 00 a2' },
    },
    {
      name: 'store by a user sets R and M',
      registers,
      before: TABLES,
      va: 0x00001ffc,
      access: WRITE | USER,
      result: 0x00101ffc,
      after: { 0x14004: '00 01 01 e6' },
    },
    {
      name: 'store to a page with both set writes nothing',
      registers,
      before: TABLES,
      va: 0x00004000,
      access: WRITE | USER,
      result: 0x00104000,
      after: {},
    },
    {
      name: 'store to a read-only page faults and leaves R alone',
      registers,
      before: TABLES,
      va: 0x00000008,
      access: WRITE | USER,
      result: 'SFSR 0x0000038a (protection, user store, level 3), SFAR 0x00000008',
      after: {},
    },
    {
      name: "load by a user of the supervisor's page is a privilege violation",
      registers,
      before: TABLES,
      va: 0x00002000,
      access: READ | USER,
      result: 'SFSR 0x0000030e',
      after: {},
    },
    {
      name: 'fetch by the supervisor from it sets R',
      registers,
      before: TABLES,
      va: 0x00002ff8,
      access: EXECUTE,
      result: 0x00102ff8,
      after: { 0x14008: '00 01 02 ba' },
    },
    {
      name: 'load from an execute-only page is a protection fault',
      registers,
      before: TABLES,
      va: 0x00003000,
      access: READ | USER,
      result: 'SFSR 0x0000030a',
      after: {},
    },
    {
      name: 'store to a 256 KB mapping by the supervisor, whose offset has 18 bits',
      registers,
      before: TABLES,
      va: 0x00045678,
      access: WRITE,
      result: 0x00405678,
      after: { 0x13004: '00 04 00 f6' },
    },
    {
      name: "the supervisor's 16 MB mapping, whose offset has 24 bits",
      registers,
      before: TABLES,
      va: 0x40abcdec,
      access: READ,
      result: 0x00abcdec,
      after: { 0x12100: '00 00 00 be' },
    },
    {
      name: 'an entry of 0 at level 3 is an invalid address',
      registers,
      before: TABLES,
      va: 0x00006000,
      access: READ | USER,
      result: 'SFSR 0x00000306',
      after: {},
    },
    {
      name: 'a pointer at level 3 is a translation error',
      registers,
      before: TABLES,
      va: 0x00005000,
      access: READ,
      result: 'SFSR 0x00000332',
      after: {},
    },
    {
      name: 'the reserved entry type at level 1 is a translation error',
      registers,
      before: TABLES,
      va: 0x50000000,
      access: READ,
      result: 'SFSR 0x00000132',
      after: {},
    },
    {
      name: 'a context without tables is an invalid address at level 0',
      registers: { cxtptr: 0x1000, cxr: 2 },
      before: TABLES,
      va: 0x00000000,
      access: READ | USER,
      result: 'SFSR 0x00000006',
      after: {},
    },
  ],
};
