import {
  ACCESS_USER,
  EventStream,
  type FormatBits,
  type MmuFormat,
  PhysicalMemory,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { Sun4cMmu } from './mmu.ts';

const READ = VM_PROT_READ;
const WRITE = VM_PROT_WRITE;
const EXECUTE = VM_PROT_EXECUTE;
const USER = ACCESS_USER;

/** What W and S (bits 1 and 0) of a valid entry grant: to the user, and to the supervisor. A fetch is a load here. */
const RIGHTS: readonly (readonly [string, string])[] = [
  ['r', 'r'],
  ['', 'r'],
  ['rw', 'rw'],
  ['', 'rw'],
];

/** The PMEG that holds nothing. */
const INVALID = 127;

/** Context, an address of one of its segments, the PMEG there. */
const SEGMENTS: readonly (readonly [number, number, number])[] = [
  [1, 0x00000000, 10],
  [1, 0x00040000, 12],
  [1, 0x1ffc0000, 15],
  [1, 0xe0000000, 13],
  [1, 0xf0000000, 1],
  [2, 0x00000000, 11],
];

/** Context, an address, the PTE there. */
const ENTRIES: readonly (readonly [number, number, number])[] = [
  [1, 0x00000000, 0x80000100],
  [1, 0x00001000, 0xc0000101],
  [1, 0x00002000, 0xa0000102],
  [1, 0x00003000, 0xe0000103],
  [1, 0x00004000, 0x00000104],
  [1, 0x0007f000, 0x80000300],
  [1, 0x1ffff000, 0xc000ffff],
  [1, 0xe0000000, 0xd4000f00],
  [1, 0xf0004000, 0xa0000004],
  [2, 0x00001000, 0xc0000201],
];

/** Segment map and PTEs are registers of the MMU: those above, which memory has no part in. */
function over(memory: PhysicalMemory, { context }: FormatBits): Sun4cMmu {
  const mmu = empty(memory);
  for (const [owner, va, pmeg] of SEGMENTS) {
    mmu.context = owner;
    mmu.setSegmap(va, pmeg);
  }
  for (const [owner, va, pte] of ENTRIES) {
    mmu.context = owner;
    mmu.setPte(va, pte);
  }
  mmu.context = context!;
  return mmu;
}

function empty(memory: PhysicalMemory): Sun4cMmu {
  const model = { contexts: 8, pmegs: 128, lineBytes: 16 } as const;
  const mmu = new Sun4cMmu(memory, new EventStream(), model);
  for (let context = 0; context < model.contexts; context++) {
    mmu.context = context;
    mmu.setSegmaps(new Uint8Array(4096).fill(INVALID));
  }
  return mmu;
}

const registers: FormatBits = { context: 1 };

/**
 * The sun4c's MMU: rights by V, W and S, whatever U, M and NC are; the way through context, segment map and PMEG; the
 * hole. Its tables are not in memory, so no walk changes any.
 */
export const sun4cFormat: MmuFormat = {
  bits: { v: [0, 1], w: [0, 1], s: [0, 1], nc: [0, 1], u: [0, 1], m: [0, 1] },
  va: 0x00045abc,
  pa: 0x00345abc,
  modes: [USER, 0],
  mapped: ({ v, w, s, nc, u, m }) => {
    const mmu = empty(new PhysicalMemory(4096, 4096));
    const flags = (v! << 7) | (w! << 6) | (s! << 5) | (nc! << 4) | (u! << 1) | m!;
    mmu.context = 3;
    mmu.setSegmap(0x00040000, 9);
    mmu.setPte(0x00045000, ((flags << 24) | 0x345) >>> 0);
    return mmu;
  },
  allows: ({ v, w, s }, access) => {
    if (v === 0) return false;
    const rights = RIGHTS[(w! << 1) | s!]![(access & USER) === 0 ? 1 : 0];
    return rights.includes((access & WRITE) === 0 ? 'r' : 'w');
  },
  over,
  walks: [
    {
      name: 'load by a user',
      registers,
      before: {},
      va: 0x00000123,
      access: READ | USER,
      result: 0x00100123,
      after: {},
    },
    {
      name: 'store to a page without W, by the supervisor',
      registers,
      before: {},
      va: 0x00000000,
      access: WRITE,
      result: 'SER 0x8040 (WRITE PROT), SVA 0x00000000',
      after: {},
    },
    {
      name: 'store by a user',
      registers,
      before: {},
      va: 0x00001010,
      access: WRITE | USER,
      result: 0x00101010,
      after: {},
    },
    {
      name: "load by a user of the supervisor's page",
      registers,
      before: {},
      va: 0x00002000,
      access: READ | USER,
      result: 'SER 0x0040 (PROT), SVA 0x00002000',
      after: {},
    },
    {
      name: 'store by the supervisor to its page',
      registers,
      before: {},
      va: 0x00003abc,
      access: WRITE,
      result: 0x00103abc,
      after: {},
    },
    {
      name: 'an entry without V',
      registers,
      before: {},
      va: 0x00004000,
      access: READ,
      result: 'SER 0x0080 (INVAL), SVA 0x00004000',
      after: {},
    },
    {
      name: 'a fetch, from the last page of a segment',
      registers,
      before: {},
      va: 0x0007f800,
      access: EXECUTE | USER,
      result: 0x00300800,
      after: {},
    },
    {
      name: 'a segment without a PMEG',
      registers,
      before: {},
      va: 0x00080000,
      access: WRITE | USER,
      result: 'SER 0x8080 (WRITE INVAL), SVA 0x00080000',
      after: {},
    },
    {
      name: "another context's page at the same address",
      registers: { context: 2 },
      before: {},
      va: 0x00001010,
      access: READ | USER,
      result: 0x00201010,
      after: {},
    },
    {
      name: 'a context with nothing',
      registers: { context: 0 },
      before: {},
      va: 0x00000000,
      access: READ,
      result: 'SER 0x0080 (INVAL)',
      after: {},
    },
    {
      name: 'the last address below the hole',
      registers,
      before: {},
      va: 0x1fffffff,
      access: WRITE | USER,
      result: 0x0fffffff,
      after: {},
    },
    {
      name: 'the first address of the hole',
      registers,
      before: {},
      va: 0x20000000,
      access: READ | USER,
      result: 'SER 0x0080 (INVAL), SVA 0x20000000',
      after: {},
    },
    {
      name: 'the last word of the hole',
      registers,
      before: {},
      va: 0xdffffffc,
      access: WRITE,
      result: 'SER 0x8080 (WRITE INVAL), SVA 0xdffffffc',
      after: {},
    },
    {
      name: 'a device, in the space that lies above RAM',
      registers,
      before: {},
      va: 0xe0000040,
      access: WRITE | USER,
      result: 2 ** 32 + 0x00f00040,
      after: {},
    },
    {
      name: "a fetch from the kernel's page",
      registers,
      before: {},
      va: 0xf0004010,
      access: EXECUTE,
      result: 0x00004010,
      after: {},
    },
  ],
};
