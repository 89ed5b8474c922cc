/**
 * The formats of the SPARC Reference MMU: table entries, fault status, control register.
 *
 *              31                              8   7   6   5   4   2  1 0
 *      PTE    |        PPN = PA[35:12]        | C | M | R |  ACC  | 2 |
 *              31                                               2  1 0
 *      PTD    |        PTP = PA[35:6] of the next table         | 1 |
 *
 * Source: The SPARC Architecture Manual, Version 8, Appendix H; names as in NetBSD's
 * sys/arch/sparc/include/pte.h (1.11) and ctlreg.h (1.31).
 *
 * Words are unsigned numbers throughout.
 */

/** ET, bits 1:0 of every entry. */
export const ET_MASK = 0x3;
export const ET_INVALID = 0;
/** A pointer to the next table. */
export const ET_PTD = 1;
/** A mapping. */
export const ET_PTE = 2;
/** Reserved (a byte-reversed PTE on SuperSPARC II): a translation error here. */
export const ET_RESERVED = 3;

/** Cacheable. */
export const PG_C = 0x80;
/** Modified: set by the MMU, cleared by software. */
export const PG_M = 0x40;
/** Referenced: set by the MMU, cleared by software. */
export const PG_R = 0x20;
/** ACC, bits 4:2. */
export const PG_ACC = 0x1c;
export const PG_ACC_SHIFT = 2;
/** PPN[35:32], which NetBSD reads as the number of an I/O space; 0 is RAM. */
export const PG_TYPE = 0xf000_0000;

/** ACC codes in place, as NetBSD names them: rights of user and supervisor. */
export const PPROT_R_R = 0x00;
export const PPROT_RW_RW = 0x04;
export const PPROT_RX_RX = 0x08;
export const PPROT_RWX_RWX = 0x0c;
export const PPROT_X_X = 0x10;
export const PPROT_R_RW = 0x14;
export const PPROT_N_RX = 0x18;
export const PPROT_N_RWX = 0x1c;
/** ORed into RX_RX or N_RX it adds write, cleared from RWX_RWX or N_RWX it takes it away: no other code bears it. */
export const PPROT_WRITE = 0x04;
/** ORed into RX_RX or RWX_RWX it makes them the supervisor's alone: no other code bears it. */
export const PPROT_S = 0x18;
/** ACC codes from here on give the user nothing; their TLB entries match every context. */
export const ACC_SUPERVISOR = 6;

/** AT of the fault status: what kind of access. Bit 0 supervisor, bit 1 instruction space, bit 2 store. */
export const AT_SUPERVISOR = 1;
export const AT_TEXT = 2;
export const AT_STORE = 4;

/** FT of the fault status. */
export const FT_NONE = 0;
export const FT_INVALID = 1;
export const FT_PROTECTION = 2;
export const FT_PRIVILEGE = 3;
export const FT_TRANSLATION = 4;
export const FT_BUS = 5;
export const FT_INTERNAL = 6;

/** SFSR: the fault address register is valid. */
export const SFSR_FAV = 0x2;
/** SFSR: an earlier fault of the same class was overwritten. */
export const SFSR_OW = 0x1;
/** SFSR: external bus error, bits 17:10; the three that NetBSD names. */
export const SFSR_EBE = 0x3_fc00;
export const SFSR_UC = 0x1000;
export const SFSR_TO = 0x0800;
export const SFSR_BE = 0x0400;

/** PCR: enable. */
export const PCR_E = 0x1;
/** PCR: no fault. */
export const PCR_NF = 0x2;

/** Levels of the walk; level 0 is the context table. */
export type Level = 0 | 1 | 2 | 3;
/** Bytes that a PTE of each level maps, less one. */
export const OFFSET_MASK: readonly number[] = [0xffff_ffff, 0x00ff_ffff, 0x0003_ffff, 0x0000_0fff];
/** Bytes of a level 1 table, and its alignment. */
export const L1_TABLE_BYTES = 1024;
/** Bytes of a level 2 or level 3 table, and its alignment. */
export const L23_TABLE_BYTES = 256;
/** Bytes that one level 1, level 2 and level 3 entry cover: NBPRG, NBPSG, NBPG. */
export const NBPRG = 0x100_0000;
export const NBPSG = 0x4_0000;
export const NBPG = 0x1000;

/**
 * FT that an access meets, by AT (row) and ACC (column); 0 is allowed. Privilege (3) is said
 * where the user has no right at all, protection (2) where there are others.
 */
const PERMISSION_FAULT: Uint8Array = Uint8Array.of(
  ...[0, 0, 0, 0, 2, 0, 3, 3], // AT 0: load, user
  ...[0, 0, 0, 0, 2, 0, 0, 0], // AT 1: load, supervisor
  ...[2, 2, 0, 0, 0, 2, 3, 3], // AT 2: fetch, user
  ...[2, 2, 0, 0, 0, 2, 0, 0], // AT 3: fetch, supervisor
  ...[2, 0, 2, 0, 2, 2, 3, 3], // AT 4: store, user
  ...[2, 0, 2, 0, 2, 0, 2, 0], // AT 5: store, supervisor
  ...[2, 2, 2, 0, 2, 2, 3, 3], // AT 6: store to user instruction space
  ...[2, 2, 2, 0, 2, 2, 2, 0], // AT 7: store to supervisor instruction space
);

/** The fault type that ACC code `acc` (0 … 7) gives an access of type `at` (0 … 7), or FT_NONE. */
export function permissionFault(at: number, acc: number): number {
  return PERMISSION_FAULT[(at << 3) | acc]!;
}

/** A PTE; `pa` up to 2^36, `acc` an ACC code in place (`PPROT_*`), `flags` of `PG_C`, `PG_M`, `PG_R`. */
export function makePte(pa: number, acc: number, flags: number): number {
  return Math.floor(pa / NBPG) * 256 + (acc | flags | ET_PTE);
}

/** A pointer to the table at `pa` (aligned on 64 bytes at least). */
export function makePtd(pa: number): number {
  return pa / 16 + ET_PTD;
}

/** The physical address of the table that a PTD points to. */
export function ptdTable(ptd: number): number {
  return (ptd >>> 2) * 64;
}

/** The physical page number of a PTE, PA[35:12]. */
export function ptePpn(pte: number): number {
  return pte >>> 8;
}

/** The physical address of the page that a PTE maps. */
export function ptePa(pte: number): number {
  return (pte >>> 8) * NBPG;
}

/** Whether an entry of a table maps memory: its type is PTE. */
export function isPte(entry: number): boolean {
  return (entry & ET_MASK) === ET_PTE;
}

/** Whether an entry of a table leads to another table: its type is PTD. */
export function isPtd(entry: number): boolean {
  return (entry & ET_MASK) === ET_PTD;
}

/** A fault status without EBE and OW: the fault address is valid. */
export function makeSfsr(level: number, at: number, ft: number): number {
  return (level << 8) | (at << 5) | (ft << 2) | SFSR_FAV;
}

/** The level at which the walk of a fault ended (L): 0 the context table, to 3. */
export function sfsrLevel(sfsr: number): number {
  return (sfsr >>> 8) & 3;
}

/** The access of a fault (AT): what was tried, and by whom. */
export function sfsrAt(sfsr: number): number {
  return (sfsr >>> 5) & 7;
}

/** The type of a fault (FT); 0 is none. */
export function sfsrFt(sfsr: number): number {
  return (sfsr >>> 2) & 7;
}

const ACC_NAMES: readonly string[] = [
  'R_R',
  'RW_RW',
  'RX_RX',
  'RWX_RWX',
  'X_X',
  'R_RW',
  'N_RX',
  'N_RWX',
];
const FT_NAMES: readonly string[] = [
  'none',
  'invalid address',
  'protection',
  'privilege',
  'translation',
  'access bus error',
  'internal',
  'reserved',
];
const AT_NAMES: readonly string[] = [
  'user load',
  'supervisor load',
  'user fetch',
  'supervisor fetch',
  'user store',
  'supervisor store',
  'store to user text',
  'store to supervisor text',
];

/** A table entry in words: `PTE 0x0001238e C RWX_RWX → 0x00123000`. */
export function describeEntry(entry: number): string {
  const word = `0x${entry.toString(16).padStart(8, '0')}`;
  switch (entry & ET_MASK) {
    case ET_PTD:
      return `PTD ${word} → table 0x${ptdTable(entry).toString(16).padStart(8, '0')}`;
    case ET_PTE: {
      const bits =
        (entry & PG_C ? 'C ' : '') + (entry & PG_M ? 'M ' : '') + (entry & PG_R ? 'R ' : '');
      const acc = ACC_NAMES[(entry & PG_ACC) >>> PG_ACC_SHIFT]!;
      return `PTE ${word} ${bits}${acc} → 0x${ptePa(entry).toString(16).padStart(8, '0')}`;
    }
    case ET_INVALID:
      return `invalid ${word}`;
    default:
      return `reserved ${word}`;
  }
}

/** A fault status in words: `protection, user store, level 3, overwrote`. */
export function describeSfsr(sfsr: number): string {
  const parts = [FT_NAMES[sfsrFt(sfsr)]!, AT_NAMES[sfsrAt(sfsr)]!, `level ${sfsrLevel(sfsr)}`];
  if (sfsr & SFSR_UC) parts.push('uncorrectable');
  if (sfsr & SFSR_TO) parts.push('timeout');
  if (sfsr & SFSR_BE) parts.push('bus error');
  if (sfsr & SFSR_OW) parts.push('overwrote');
  return parts.join(', ');
}
