/**
 * The formats of the sun4c MMU: PTEs, the fault register, the address hole.
 *
 *       31  30  29  28  27 26  25  24  23   22   19 18                     0
 *      | V | W | S | NC | TYPE | U | M | IOC |  mbz  |  PFN (16 bits exist) |
 *
 * Source: NetBSD's sys/arch/sparc/include/pte.h (1.11), ctlreg.h (1.31), sparc/memreg.h (1.7).
 *
 * PTEs are unsigned numbers where they leave the MMU.
 */

/** Valid. */
export const PG_V = 0x8000_0000;
/** Writes allowed, to the user and to the supervisor. */
export const PG_W = 0x4000_0000;
/** The supervisor's alone. */
export const PG_S = 0x2000_0000;
/** Do not cache. */
export const PG_NC = 0x1000_0000;
/** The address space that PFN counts in. */
export const PG_TYPE = 0x0c00_0000;
export const PG_TYPE_SHIFT = 26;
/** RAM. */
export const PG_OBMEM = 0x0000_0000;
/** On-board devices and SBus. */
export const PG_OBIO = 0x0400_0000;
/** Used: set by the MMU, cleared by software. */
export const PG_U = 0x0200_0000;
/** Modified: set by the MMU, cleared by software. */
export const PG_M = 0x0100_0000;
/** Brings M and U down to bits 0 and 1. */
export const PG_M_SHIFT = 24;
/** I/O cacheable: sun4 only, without function here. */
export const PG_IOC = 0x0080_0000;
/** The page frame bits that exist on a sun4c. */
export const PG_PFNUM = 0x0000_ffff;

/** SER: the access was a store. */
export const SER_WRITE = 0x8000;
/** SER: the PTE was invalid, or the address in the hole. */
export const SER_INVAL = 0x80;
/** SER: the PTE was valid and forbade the access. */
export const SER_PROT = 0x40;
export const SER_TIMEOUT = 0x20;
export const SER_SBUSERR = 0x10;
export const SER_MEMERR = 0x08;
export const SER_SZERR = 0x02;
export const SER_WATCHDOG = 0x01;

/** Trap types of the processor: instruction and data access exception. */
export const T_TEXTFAULT = 0x01;
export const T_DATAFAULT = 0x09;

/** System enable register: the cache is on. */
export const SYSEN_CACHE = 0x10;

/** Pages in a segment. */
export const NPTESG = 64;
/** Bytes in a page and in a segment. */
export const NBPG = 0x1000;
export const NBPSG = 0x4_0000;
/** Segments that a context has. */
export const NSEGMAP = 4096;

/** The addresses that do not exist: bits 31 and 30 there differ from bit 29. */
export const MMU_HOLE_START = 0x2000_0000;
export const MMU_HOLE_END = 0xe000_0000;

/** Bytes in the cache, and the distance at which two addresses of a page share its lines. */
export const CACHE_ALIAS_DIST = 0x1_0000;
/** Address bits in which congruent addresses agree. */
const CACHE_ALIAS_BITS = 0xf000;

/** Whether the address is one that cannot exist. */
export function inHole(va: number): boolean {
  const top = va >>> 29;
  return top !== 0 && top !== 7;
}

/** The number of the segment of `va` within its context: bits 29:18. Says nothing in the hole. */
export function segmentOf(va: number): number {
  return (va >>> 18) & (NSEGMAP - 1);
}

/** The first address of a segment. */
export function segmentVa(segment: number): number {
  return segment * NBPSG + (segment < NSEGMAP / 2 ? 0 : MMU_HOLE_END - MMU_HOLE_START);
}

/** The number of the page of `va` within its segment. */
export function pageInSegment(va: number): number {
  return (va >>> 12) & (NPTESG - 1);
}

/** Whether two addresses of one page lie in different lines of the cache (`BADALIAS`). */
export function badAlias(a: number, b: number): boolean {
  return ((a ^ b) & CACHE_ALIAS_BITS) !== 0;
}

/** A PTE of a frame number and flags. */
export function makePte(pfn: number, flags: number): number {
  return (flags | pfn) >>> 0;
}

/** Whether the MMU translates by a PTE (V). */
export function isValid(pte: number): boolean {
  return (pte & PG_V) !== 0;
}

/** Whether two PTEs are of the same page: frame and space. */
export function samePage(a: number, b: number): boolean {
  return ((a ^ b) & (PG_TYPE | PG_PFNUM)) === 0;
}

/** Whether the PTE is of RAM. */
export function isMemory(pte: number): boolean {
  return (pte & PG_TYPE) === PG_OBMEM;
}

/**
 * The physical address of the page that a PTE maps. RAM is counted from 0; the other spaces are told apart above bit 31,
 * where no address of RAM lies: OBIO begins at 2^32.
 */
export function ptePa(pte: number): number {
  const type = (pte & PG_TYPE) >>> PG_TYPE_SHIFT;
  return (pte & PG_PFNUM) * NBPG + type * 2 ** 32;
}

const TYPE_NAMES: readonly string[] = ['obmem', 'obio', 'type 2', 'type 3'];

/** A PTE in words: `PTE 0xc3000106 V W U M → obmem 0x00106000`. */
export function describePte(pte: number): string {
  const word = `0x${(pte >>> 0).toString(16).padStart(8, '0')}`;
  if (!isValid(pte)) return `PTE ${word} invalid`;
  const flags = [
    'V',
    pte & PG_W ? 'W' : '',
    pte & PG_S ? 'S' : '',
    pte & PG_NC ? 'NC' : '',
    pte & PG_U ? 'U' : '',
    pte & PG_M ? 'M' : '',
  ];
  const page = ((pte & PG_PFNUM) * NBPG).toString(16).padStart(8, '0');
  const space = TYPE_NAMES[(pte & PG_TYPE) >>> PG_TYPE_SHIFT]!;
  return `PTE ${word} ${flags.filter(Boolean).join(' ')} → ${space} 0x${page}`;
}

const SER_NAMES: readonly (readonly [number, string])[] = [
  [SER_WRITE, 'WRITE'],
  [SER_INVAL, 'INVAL'],
  [SER_PROT, 'PROT'],
  [SER_TIMEOUT, 'TIMEOUT'],
  [SER_SBUSERR, 'SBUSERR'],
  [SER_MEMERR, 'MEMERR'],
  [SER_SZERR, 'SZERR'],
  [SER_WATCHDOG, 'WATCHDOG'],
];

/** The bits of a fault register by name: `INVAL WRITE`. */
export function describeSer(ser: number): string {
  return SER_NAMES.filter(([bit]) => ser & bit)
    .map(([, name]) => name)
    .join(' ');
}
