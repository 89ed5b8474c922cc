import {
  ACCESS_USER,
  ACCESS_USERSPACE,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type Access,
  type Prot,
  type TreeFormat,
} from '@uvmkit/pmap';

/*
 * The low word of a page-table entry, the same in Sv32 and Sv39 (The RISC-V Instruction Set Manual, Volume II,
 * 20211203, 4.3.1 and 4.4.1):
 *
 *      31                      10 9  8  7   6   5   4   3   2   1   0
 *     |      PPN[21:0]           | RSW | D | A | G | U | X | W | R | V |
 *
 * R, W and X all clear make it a pointer to the next table. RSW is software's: the pmap has WIRED and PVLIST there.
 */

/** Valid. */
export const PTE_V = 0x001;
export const PTE_R = 0x002;
export const PTE_W = 0x004;
export const PTE_X = 0x008;
/** The user's page: the supervisor reaches it with SUM only, and never fetches from it. */
export const PTE_U = 0x010;
/** Global: in every address space. */
export const PTE_G = 0x020;
/** Accessed. */
export const PTE_A = 0x040;
/** Dirty. */
export const PTE_D = 0x080;
/** RSW bit 8: the pmap must not forget the mapping. */
export const PTE_WIRED = 0x100;
/** RSW bit 9: the mapping is on its page's pv list. */
export const PTE_PVLIST = 0x200;

/** Any of these makes an entry a leaf. W alone is a reserved encoding. */
export const PTE_LEAF: number = PTE_R | PTE_X;
/** The bits that a TLB keeps. */
export const PTE_FLAGS = 0xff;

/** Log2 of a page's bytes, which are the same at every level's foot. */
export const PAGE_SHIFT = 12;
export const PAGE_SIZE: number = 1 << PAGE_SHIFT;

/** sstatus.SPP: the trap came from supervisor mode. */
export const SSTATUS_SPP = 0x0000_0100;
/** sstatus.SUM: the supervisor may load from and store to the user's pages. */
export const SSTATUS_SUM = 0x0004_0000;
/** sstatus.MXR: what may be executed may be loaded. */
export const SSTATUS_MXR = 0x0008_0000;

/**
 * The rights of a mapping. The architecture reserves W without R, so what may be stored to may be loaded. An entry
 * without rights would be a pointer, so a user's mapping that grants nothing is a page of the supervisor's.
 */
function pteRights(prot: Prot, user: boolean): number {
  const read = (prot & (VM_PROT_READ | VM_PROT_WRITE)) === 0 ? 0 : PTE_R;
  const write = (prot & VM_PROT_WRITE) === 0 ? 0 : PTE_W;
  const rights = read | write | ((prot & VM_PROT_EXECUTE) === 0 ? 0 : PTE_X);
  if (rights === 0) return PTE_R;
  return user ? rights | PTE_U : rights;
}

/** The protection that {@link pteRights} made an entry of. */
function pteProt(low: number, user: boolean): Prot {
  if (user && (low & PTE_U) === 0) return 0;
  return (
    ((low & PTE_R) === 0 ? 0 : VM_PROT_READ) |
    ((low & PTE_W) === 0 ? 0 : VM_PROT_WRITE) |
    ((low & PTE_X) === 0 ? 0 : VM_PROT_EXECUTE)
  );
}

/**
 * Steps 5 and 7 of the translation process (4.3.2): whether a leaf lets an access through as it stands, A and D included.
 *
 * @param flags bits 7:0 of the leaf
 * @param access with `ACCESS_USERSPACE` SUM is in force, as a kernel sets it for the length of a copy
 */
export function permits(flags: number, access: Access, sum: boolean, mxr: boolean): boolean {
  const fetch = (access & VM_PROT_EXECUTE) !== 0;
  if ((access & ACCESS_USER) !== 0) {
    if ((flags & PTE_U) === 0) return false;
  } else if ((flags & PTE_U) !== 0 && (fetch || (!sum && (access & ACCESS_USERSPACE) === 0)))
    return false;
  const readable = mxr ? PTE_R | PTE_X : PTE_R;
  if ((access & VM_PROT_READ) !== 0 && (flags & readable) === 0) return false;
  if (fetch && (flags & PTE_X) === 0) return false;
  const store = (access & VM_PROT_WRITE) !== 0;
  const need = PTE_V | PTE_A | (store ? PTE_W | PTE_D : 0);
  return (flags & need) === need;
}

/**
 * What {@link permits} says, for each state of SUM and MXR: by bits 7:0 of a leaf, a word in which bit n is set if
 * the kind of access n (the five bits of rights, `ACCESS_USER` and `ACCESS_USERSPACE`) is permitted.
 */
const PERMITTED: readonly Int32Array[] = [0, 1, 2, 3].map((state) =>
  Int32Array.from({ length: PTE_FLAGS + 1 }, (_, flags) => {
    let word = 0;
    for (let access = 0; access < 32; access++)
      if (permits(flags, access, (state & 1) !== 0, (state & 2) !== 0)) word |= 1 << access;
    return word;
  }),
);

/** The kinds of access that each leaf permits while sstatus is so. */
export function permitted(sstatus: number): Int32Array {
  return PERMITTED[
    ((sstatus & SSTATUS_SUM) === 0 ? 0 : 1) | ((sstatus & SSTATUS_MXR) === 0 ? 0 : 2)
  ]!;
}

/** The bits from 0 up. */
const NAMES: readonly string[] = ['V', 'R', 'W', 'X', 'U', 'G', 'A', 'D', 'WIRED', 'PVLIST'];

/**
 * What the pmap has to know of an entry. PPNs have 20 bits, as memory ends below 4 GB, and the high word of an entry of
 * 8 bytes stays 0, as its page came.
 */
export const ENTRY: Omit<TreeFormat, 'levels' | 'indexBits' | 'entryBytes' | 'lowest' | 'beyond'> =
  {
    pageShift: PAGE_SHIFT,
    valid: PTE_V,
    wired: PTE_WIRED,
    listed: PTE_PVLIST,
    referenced: PTE_A,
    modified: PTE_D,
    global: PTE_G,
    rightsMask: PTE_R | PTE_W | PTE_X | PTE_U,
    load: (memory, at) => memory.readLe32(at) | 0,
    save: (memory, at, entry) => memory.writeLe32(at, entry),
    isLeaf: (entry) => (entry & PTE_LEAF) !== 0,
    target: (entry) => ((entry << 2) & -PAGE_SIZE) >>> 0,
    pointer: (table) => (table >>> 2) | PTE_V,
    page: (pa) => pa >>> 2,
    rights: pteRights,
    prot: pteProt,
    describe: (entry) => NAMES.filter((_, bit) => ((entry >>> bit) & 1) !== 0).join(' '),
  };
