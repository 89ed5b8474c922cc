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
import { AlphaMmu } from './mmu.ts';
import { resolveOptions } from './options.ts';

const READ = VM_PROT_READ;
const WRITE = VM_PROT_WRITE;
const EXECUTE = VM_PROT_EXECUTE;
const USER = ACCESS_USER;

function over(memory: PhysicalMemory, { ptbr, vpt }: FormatBits): AlphaMmu {
  const options = { ...resolveOptions({}), virtualPageTable: vpt === 1 };
  const mmu = new AlphaMmu(0, memory, new EventStream(), options);
  mmu.ptbr = ptbr!;
  mmu.asn = 1;
  return mmu;
}

/** The tables of 0x120012344, whose indices are 0, 0x240 and 9, and its level-3 entry. */
function tables(level3: string): FormatBytes {
  return {
    0x20000: '01 11 01 00 11 00 00 00',
    0x23200: '01 11 01 00 12 00 00 00',
    0x24048: level3,
  };
}

const va = 0x120012344;
const registers: FormatBits = { ptbr: 0x10, vpt: 0 };
const PAGE_FOR_USERS = '01 33 02 00 45 03 00 00';
const FAULTS_ON_ALL = '0f 33 02 00 45 03 00 00';

/** Alpha by the Alpha Architecture Handbook, OSF/1: the enable and fault-on bits, the walk, VPT and all. */
export const alphaFormat: MmuFormat = {
  bits: {
    v: [0, 1],
    for: [0, 1],
    fow: [0, 1],
    foe: [0, 1],
    kre: [0, 1],
    ure: [0, 1],
    kwe: [0, 1],
    uwe: [0, 1],
  },
  va,
  pa: 0x68a344,
  modes: [USER, 0],
  mapped: ({ v, for: onRead, fow, foe, kre, ure, kwe, uwe }) => {
    const memory = new PhysicalMemory(0x8000, 8192);
    const faultOn = (onRead! << 1) | (fow! << 2) | (foe! << 3);
    const enable = (kre! << 8) | (ure! << 9) | (kwe! << 12) | (uwe! << 13);
    for (const [at, low, pfn] of [
      [0x2000, 0x11101, 2],
      [0x5200, 0x11101, 3],
      [0x6048, v! | faultOn | enable, 0x345],
    ] as const) {
      memory.writeLe32(at, low);
      memory.writeLe32(at + 4, pfn);
    }
    return over(memory, { ptbr: 1, vpt: 0 });
  },
  allows: ({ v, for: onRead, fow, foe, kre, ure, kwe, uwe }, access) => {
    const [readable, writable] = (access & USER) === 0 ? [kre, kwe] : [ure, uwe];
    if (v === 0) return false;
    if ((access & READ) !== 0 && (readable === 0 || onRead === 1)) return false;
    if ((access & EXECUTE) !== 0 && (readable === 0 || foe === 1)) return false;
    return (access & WRITE) === 0 || (writable === 1 && fow === 0);
  },
  over,
  walks: [
    {
      name: 'load by a user, which marks nothing',
      registers,
      before: tables(PAGE_FOR_USERS),
      va,
      access: READ | USER,
      result: 0x68a344,
      after: {},
    },
    {
      name: 'store by the kernel, which marks nothing',
      registers,
      before: tables(PAGE_FOR_USERS),
      va,
      access: WRITE,
      result: 0x68a344,
      after: {},
    },
    {
      name: 'store without UWE is an access violation',
      registers,
      before: tables('01 03 02 00 45 03 00 00'),
      va,
      access: WRITE | USER,
      result: 'MMCSR 1 (ACV), user store, VA 0x0000000120012344',
      after: {},
    },
    {
      name: 'store without KWE is one for the kernel too',
      registers,
      before: tables('01 03 02 00 45 03 00 00'),
      va,
      access: WRITE,
      result: 'MMCSR 1 (ACV), kernel store',
      after: {},
    },
    {
      name: 'fault on read',
      registers,
      before: tables(FAULTS_ON_ALL),
      va,
      access: READ | USER,
      result: 'MMCSR 2 (FOR), user load',
      after: {},
    },
    {
      name: 'fault on execute',
      registers,
      before: tables(FAULTS_ON_ALL),
      va,
      access: EXECUTE | USER,
      result: 'MMCSR 3 (FOE), user fetch',
      after: {},
    },
    {
      name: 'fault on write',
      registers,
      before: tables(FAULTS_ON_ALL),
      va,
      access: WRITE | USER,
      result: 'MMCSR 4 (FOW), user store',
      after: {},
    },
    {
      name: 'an access violation comes before a fault on write',
      registers,
      before: tables('05 03 02 00 45 03 00 00'),
      va,
      access: WRITE | USER,
      result: 'MMCSR 1 (ACV)',
      after: {},
    },
    {
      name: 'an invalid entry that grants is a translation not valid',
      registers,
      before: tables('00 03 00 00 45 03 00 00'),
      va,
      access: READ | USER,
      result: 'MMCSR 0 (TNV)',
      after: {},
    },
    {
      name: 'a level-1 entry with KRE and without V is one too',
      registers,
      before: { 0x20000: '00 01 00 00 00 00 00 00' },
      va,
      access: READ | USER,
      result: 'MMCSR 0 (TNV)',
      after: {},
    },
    {
      name: 'a level-1 entry without KRE is an access violation',
      registers,
      before: { 0x20000: '01 00 00 00 11 00 00 00' },
      va,
      access: READ,
      result: 'MMCSR 1 (ACV)',
      after: {},
    },
    {
      name: 'bits 63:43 that do not repeat bit 42',
      registers,
      before: tables(PAGE_FOR_USERS),
      va: 2 ** 42,
      access: READ,
      result: 'MMCSR 1 (ACV), kernel load, VA 0x0000040000000000',
      after: {},
    },
    {
      name: 'K0SEG is physical memory to the kernel, without tables',
      registers,
      before: {},
      va: -(2 ** 42) + 0x6bc128,
      access: READ,
      result: 0x6bc128,
      after: {},
    },
    {
      name: 'and nothing to a user',
      registers,
      before: {},
      va: -(2 ** 42) + 0x6bc128,
      access: READ | USER,
      result: 'MMCSR 1 (ACV), user load, VA 0xfffffc00006bc128',
      after: {},
    },
    {
      name: 'a page of K1SEG, whose level-1 index is 0x300',
      registers,
      before: {
        0x21800: '11 11 01 00 21 00 00 00',
        0x42000: '11 11 01 00 22 00 00 00',
        0x44008: '11 11 01 00 77 07 00 00',
      },
      va: -(2 ** 41) + 0x2010,
      access: READ,
      result: 0xeee010,
      after: {},
    },
    {
      name: 'the page table is in the virtual page table',
      registers: { ptbr: 0x10, vpt: 1 },
      before: { ...tables(PAGE_FOR_USERS), 0x21ff0: '01 11 00 00 10 00 00 00' },
      va: -(2 ** 34) + 0x480048,
      access: READ,
      result: 0x24048,
      after: {},
    },
  ],
};
