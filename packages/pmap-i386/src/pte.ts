import { hex, type Pa } from '@uvmkit/pmap';

/**
 * The format of page-directory and page-table entries, one layout for both levels
 * (NetBSD sys/arch/i386/include/pte.h 1.11; Intel SDM volume 3, "32-bit paging").
 *
 *      31                            12 11  9  8  7  6  5  4   3   2   1   0
 *     ┌────────────────────────────────┬─────┬──┬──┬──┬──┬───┬───┬───┬───┬───┐
 *     │ frame: physical address 31:12  │ AVL │G │PS│D │A │PCD│PWT│U/S│R/W│ P │
 *     └────────────────────────────────┴─────┴──┴──┴──┴──┴───┴───┴───┴───┴───┘
 *       4 MB page: 31:22, 21:13 zero     │
 *                                        └ 9 wired, 10 on a pv list, 11 unused
 *
 * Names are pte.h's, so two of them differ in case only: `PG_u` is U/S, `PG_U` is "used" (A).
 */

/** P: valid. Without it the hardware ignores the other 31 bits. */
export const PG_V = 0x001;
/** R/W clear: read-only. */
export const PG_RO = 0x000;
/** R/W: writes permitted. */
export const PG_RW = 0x002;
/** U/S: user mode permitted. */
export const PG_u = 0x004;
/** PWT: write-through caching. No effect on translation. */
export const PG_WT = 0x008;
/** PCD: no caching. No effect on translation. */
export const PG_CD = 0x010;
/** PWT and PCD together: non-cacheable, as NetBSD sets it. */
export const PG_N = 0x018;
/** A: used (accessed). Set by hardware in every entry of a walk, cleared by software only. */
export const PG_U = 0x020;
/** D: modified (dirty). Set by hardware in the leaf only, cleared by software only. */
export const PG_M = 0x040;
/** PS, in a PDE: it is the leaf of a 4 MB page, if CR4.PSE is set. */
export const PG_PS = 0x080;
/** G, in a leaf: kept by a CR3 load, if CR4.PGE is set. */
export const PG_G = 0x100;
/** AVL bit 9, PG_AVAIL1: the mapping is wired. */
export const PG_W = 0x200;
/** AVL bit 10, PG_AVAIL2: the mapping has a pv entry. */
export const PG_PVLIST = 0x400;
/** AVL bit 11, PG_AVAIL3: unused in 2001. */
export const PG_AVAIL3 = 0x800;
/** The frame of a page or of a page table. */
export const PG_FRAME = 0xfffff000;
/** The frame of a 4 MB page. */
export const PG_LGFRAME = 0xffc00000;
/** Must be zero in the PDE of a 4 MB page: bit 21, and 20:13, which PSE-36 would use. */
export const PG_LGRESERVED = 0x003fe000;
/** The protection bits. */
export const PG_PROT: number = PG_RW | PG_u;
/** Protection of the kernel's own: read-only. */
export const PG_KR = 0x000;
/** Protection of the kernel's own: writable. */
export const PG_KW = 0x002;

/** Bit of a page fault's error code: 0 no entry, 1 an entry that does not allow it. */
export const PGEX_P = 0x01;
/** Bit of a page fault's error code: the access was a write. */
export const PGEX_W = 0x02;
/** Bit of a page fault's error code: the CPU was in user mode. */
export const PGEX_U = 0x04;
/** Bit of a page fault's error code: an entry that is present has a bit set that must be 0 (from the Pentium on). */
export const PGEX_RSVD = 0x08;

/** An entry, field by field. */
export interface PteFields {
  readonly valid: boolean;
  readonly writable: boolean;
  readonly user: boolean;
  readonly writeThrough: boolean;
  readonly cacheDisable: boolean;
  readonly used: boolean;
  readonly modified: boolean;
  readonly large: boolean;
  readonly global: boolean;
  readonly wired: boolean;
  readonly pvList: boolean;
  readonly avail3: boolean;
  /** Bits 31:12 in place: a multiple of 4096. In a large PDE the bits 21:12 are not part of the address. */
  readonly frame: Pa;
}

type PteFlag = Exclude<keyof PteFields, 'frame'>;

const FLAGS: readonly (readonly [PteFlag, number, string])[] = [
  ['valid', PG_V, 'V'],
  ['writable', PG_RW, 'RW'],
  ['user', PG_u, 'u'],
  ['writeThrough', PG_WT, 'WT'],
  ['cacheDisable', PG_CD, 'CD'],
  ['used', PG_U, 'U'],
  ['modified', PG_M, 'M'],
  ['large', PG_PS, 'PS'],
  ['global', PG_G, 'G'],
  ['wired', PG_W, 'W'],
  ['pvList', PG_PVLIST, 'PVLIST'],
  ['avail3', PG_AVAIL3, 'AVAIL3'],
];

/** The fields of a word; every word has them. */
export function decodePte(word: number): PteFields {
  return {
    valid: (word & PG_V) !== 0,
    writable: (word & PG_RW) !== 0,
    user: (word & PG_u) !== 0,
    writeThrough: (word & PG_WT) !== 0,
    cacheDisable: (word & PG_CD) !== 0,
    used: (word & PG_U) !== 0,
    modified: (word & PG_M) !== 0,
    large: (word & PG_PS) !== 0,
    global: (word & PG_G) !== 0,
    wired: (word & PG_W) !== 0,
    pvList: (word & PG_PVLIST) !== 0,
    avail3: (word & PG_AVAIL3) !== 0,
    frame: pteFrame(word),
  };
}

/**
 * The word of the fields given, unsigned; those not given are 0.
 *
 * @throws RangeError if the frame is not a multiple of 4096 below 2^32
 */
export function encodePte(fields: Partial<PteFields>): number {
  const frame = fields.frame ?? 0;
  if ((frame & PG_FRAME) >>> 0 !== frame)
    throw new RangeError(`a frame must be a multiple of 4096 below 2^32, given ${frame}`);
  let word = frame;
  for (const [name, bit] of FLAGS) if (fields[name] === true) word |= bit;
  return word >>> 0;
}

/** The physical address of the page, or of the page table, that a word names. */
export function pteFrame(word: number): Pa {
  return (word & PG_FRAME) >>> 0;
}

/** A word for a person, by pte.h's names: `0x00345607 V RW u W PVLIST → 0x00345000`. */
export function formatPte(word: number): string {
  const names = FLAGS.filter(([, bit]) => (word & bit) !== 0).map(([, , name]) => name);
  const target = (word & PG_V) === 0 ? 'invalid' : `→ ${hex(pteFrame(word))}`;
  return [hex(word >>> 0), ...names, target].join(' ');
}
