import {
  ACCESS_USER,
  type FormatBits,
  type MmuFormat,
  PhysicalMemory,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { CR0_PE, CR0_PG, CR0_WP, I386Mmu } from './mmu.ts';

const DIRECTORY = 0x1000;
const PDE = 0x1080;
const PTE = 0x2120;
const READ = VM_PROT_READ;
const WRITE = VM_PROT_WRITE;

function over(memory: PhysicalMemory, { wp }: FormatBits): I386Mmu {
  const mmu = new I386Mmu(memory);
  mmu.writeCr3(DIRECTORY);
  mmu.writeCr0(CR0_PE | CR0_PG | (wp === 1 ? CR0_WP : 0));
  return mmu;
}

/** The bits of an entry: present, writable, user. */
const entry = (p: number, rw: number, us: number): number => p | (rw << 1) | (us << 2);

/** The i386 by the Intel SDM, volume 3: combined page-directory and page-table protection, effect of CR0.WP. */
export const i386Format: MmuFormat = {
  bits: {
    wp: [0, 1],
    pdeP: [0, 1],
    pdeRw: [0, 1],
    pdeUs: [0, 1],
    pteP: [0, 1],
    pteRw: [0, 1],
    pteUs: [0, 1],
  },
  va: 0x08048abc,
  pa: 0x00345abc,
  modes: [ACCESS_USER, 0],
  mapped: (bits) => {
    const { pdeP, pdeRw, pdeUs, pteP, pteRw, pteUs } = bits;
    const memory = new PhysicalMemory(16384, 4096);
    memory.writeLe32(PDE, 0x2000 | entry(pdeP!, pdeRw!, pdeUs!));
    memory.writeLe32(PTE, 0x345000 | entry(pteP!, pteRw!, pteUs!));
    return over(memory, bits);
  },
  allows: ({ wp, pdeP, pdeRw, pdeUs, pteP, pteRw, pteUs }, access) => {
    if (pdeP === 0 || pteP === 0) return false;
    const user = (access & ACCESS_USER) !== 0;
    if (user && (pdeUs === 0 || pteUs === 0)) return false;
    const store = (access & WRITE) !== 0;
    return !store || (!user && wp === 0) || (pdeRw === 1 && pteRw === 1);
  },
  over,
  walks: [
    {
      name: 'load by a user sets A in both entries',
      registers: { wp: 0 },
      before: { 0x1080: '07 20 00 00', 0x2120: '05 50 34 00' },
      va: 0x08048abc,
      access: READ | ACCESS_USER,
      result: 0x00345abc,
      after: { 0x1080: '27 20 00 00', 0x2120: '25 50 34 00' },
    },
    {
      name: 'store by a user sets D in the PTE only',
      registers: { wp: 0 },
      before: { 0x1080: '07 20 00 00', 0x2120: '07 50 34 00' },
      va: 0x08048abc,
      access: WRITE | ACCESS_USER,
      result: 0x00345abc,
      after: { 0x1080: '27 20 00 00', 0x2120: '67 50 34 00' },
    },
    {
      name: 'store by a user to a read-only page faults with P, W and U, and leaves the PTE alone',
      registers: { wp: 0 },
      before: { 0x1080: '07 20 00 00', 0x2120: '05 50 34 00' },
      va: 0x08048abc,
      access: WRITE | ACCESS_USER,
      result: 'error code 7',
      after: { 0x1080: '27 20 00 00' },
    },
    {
      name: 'store by the supervisor to a read-only page, WP off',
      registers: { wp: 0 },
      before: { 0x1080: '07 20 00 00', 0x2120: '05 50 34 00' },
      va: 0x08048abc,
      access: WRITE,
      result: 0x00345abc,
      after: { 0x1080: '27 20 00 00', 0x2120: '65 50 34 00' },
    },
  ],
};
