import { hex, type Prot } from '@uvmkit/pmap';

/**
 * The page-table entry of Alpha under OSF/1 PALcode (Alpha Architecture Handbook, OSF/1 part; NetBSD
 * alpha/include/pte.h 1.26): eight bytes, the same layout at all three levels, handled as two 32-bit
 * words.
 *
 *     high word (bytes 4–7)            low word (bytes 0–3)
 *     ┌──────────────────────────────┐┌───────────┬─────────┬──┬─┬──┬──┬─┬──┬───┬───┬───┬───┬─┐
 *     │ 63            PFN         32 ││  software │ 13   12 │··│9│ 8│··│6│ 5│ 4 │ 3 │ 2 │ 1 │0│
 *     │                              ││  31…16    │UWE  KWE │  │U│K │  │GH  │ASM│FOE│FOW│FOR│V│
 *     └──────────────────────────────┘└───────────┴─────────┴──┴RE┴RE┴──┴────┴───┴───┴───┴───┴─┘
 *
 * Hardware never writes one: there are no accessed or dirty bits.
 */

/** PG_V: the frame number is valid. The other bits of the low half mean something even without it. */
export const PG_V = 0x0001;
/** Fault on read. */
export const PG_FOR = 0x0002;
/** Fault on write. */
export const PG_FOW = 0x0004;
/** Fault on execute: on an instruction fetch. */
export const PG_FOE = 0x0008;
/** All three fault-on bits. */
export const PG_FO = 0x000e;
/** Address space match: the entry is good under every ASN. */
export const PG_ASM = 0x0010;
/** Granularity hint: a block of 8^GH pages. NetBSD leaves it 0 and the model ignores it. */
export const PG_GH = 0x0060;
/** Kernel read enable, for loads and fetches; at levels 1 and 2: the table below may be used. */
export const PG_KRE = 0x0100;
/** User read enable, for loads and fetches. */
export const PG_URE = 0x0200;
/** Kernel write enable. */
export const PG_KWE = 0x1000;
/** User write enable. */
export const PG_UWE = 0x2000;
/** The byte pair of all enable bits, those of the modes that OSF/1 does not use included. */
export const PG_PROT = 0xff00;
/** Software: a wired mapping. */
export const PG_WIRED = 0x1_0000;
/** Software: the mapping has a pv entry. */
export const PG_PVLIST = 0x2_0000;
/** Software: the mapping was entered with execute permission. */
export const PG_EXEC = 0x4_0000;
/** What is not software's (PG_PALCODE): only a change here matters to a translation buffer. */
export const PG_PALCODE = 0x0000_ffff;
/** An entry of the upper levels as NetBSD writes it, without ASM. */
export const PG_TABLE: number = PG_V | PG_KRE | PG_KWE | PG_WIRED;

/** Index of an entry's protection bits by VM_PROT_*: codes 0–7 are the kernel map's, 8–15 the users'. */
const CODES: Int32Array = Int32Array.from({ length: 16 }, (_, i) => {
  const [read, write, execute] = [(i & 5) !== 0, (i & 2) !== 0, (i & 4) !== 0];
  const [readable, writable, always] =
    i < 8 ? [PG_KRE, PG_KWE, PG_ASM] : [PG_URE | PG_KRE, PG_UWE | PG_KWE, 0];
  return always | (read ? readable : 0) | (write ? writable : 0) | (execute ? PG_EXEC : 0);
});

/**
 * The bits that NetBSD puts into a PTE for a protection (alpha_protection_codes): read and execute
 * are one enable bit, write does not imply read, kernel entries match every address space.
 *
 * @param prot VM_PROT_* bits
 * @param kernel whether the mapping is the kernel map's
 */
export function protectionCode(prot: Prot, kernel: boolean): number {
  return CODES[(prot & 7) | (kernel ? 0 : 8)]!;
}

/** A PTE in fields. */
export interface PteFields {
  readonly valid: boolean;
  readonly faultOnRead: boolean;
  readonly faultOnWrite: boolean;
  readonly faultOnExecute: boolean;
  readonly addressSpaceMatch: boolean;
  /** 0 … 3: a block of 8^n pages. */
  readonly granularityHint: number;
  readonly kernelRead: boolean;
  readonly userRead: boolean;
  readonly kernelWrite: boolean;
  readonly userWrite: boolean;
  readonly wired: boolean;
  readonly pvList: boolean;
  readonly exec: boolean;
  /** Page frame number: 0 … 2^32 − 1. */
  readonly pfn: number;
}

/** The low word of a PTE with these fields, as an unsigned number; the high word is `pfn` itself. */
export function encodePte(fields: PteFields): number {
  return (
    (fields.valid ? PG_V : 0) |
    (fields.faultOnRead ? PG_FOR : 0) |
    (fields.faultOnWrite ? PG_FOW : 0) |
    (fields.faultOnExecute ? PG_FOE : 0) |
    (fields.addressSpaceMatch ? PG_ASM : 0) |
    ((fields.granularityHint & 3) << 5) |
    (fields.kernelRead ? PG_KRE : 0) |
    (fields.userRead ? PG_URE : 0) |
    (fields.kernelWrite ? PG_KWE : 0) |
    (fields.userWrite ? PG_UWE : 0) |
    (fields.wired ? PG_WIRED : 0) |
    (fields.pvList ? PG_PVLIST : 0) |
    (fields.exec ? PG_EXEC : 0)
  );
}

/** The fields of a PTE. Reserved and unused software bits are left out. */
export function decodePte(low: number, high: number): PteFields {
  return {
    valid: (low & PG_V) !== 0,
    faultOnRead: (low & PG_FOR) !== 0,
    faultOnWrite: (low & PG_FOW) !== 0,
    faultOnExecute: (low & PG_FOE) !== 0,
    addressSpaceMatch: (low & PG_ASM) !== 0,
    granularityHint: (low & PG_GH) >> 5,
    kernelRead: (low & PG_KRE) !== 0,
    userRead: (low & PG_URE) !== 0,
    kernelWrite: (low & PG_KWE) !== 0,
    userWrite: (low & PG_UWE) !== 0,
    wired: (low & PG_WIRED) !== 0,
    pvList: (low & PG_PVLIST) !== 0,
    exec: (low & PG_EXEC) !== 0,
    pfn: high >>> 0,
  };
}

/**
 * The PTE as one number, for events. Exact while the frame lies below 2^34 bytes, which every
 * `PhysicalMemory` does.
 */
export function pteNumber(low: number, high: number): number {
  return (high >>> 0) * 2 ** 32 + (low >>> 0);
}

const NAMES: readonly (readonly [number, string])[] = [
  [PG_V, 'V'],
  [PG_FOR, 'FOR'],
  [PG_FOW, 'FOW'],
  [PG_FOE, 'FOE'],
  [PG_ASM, 'ASM'],
  [PG_KRE, 'KRE'],
  [PG_URE, 'URE'],
  [PG_KWE, 'KWE'],
  [PG_UWE, 'UWE'],
  [PG_WIRED, 'WIRED'],
  [PG_PVLIST, 'PVLIST'],
  [PG_EXEC, 'EXEC'],
];

/** The PTE for a person: `PTE 0x0000034500023305 V FOW KRE URE KWE UWE PVLIST → 0x0068a000`. */
export function formatPte(low: number, high: number): string {
  const word =
    (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0');
  const hint = (low & PG_GH) >> 5;
  const names = NAMES.filter(([bit]) => (low & bit) !== 0).map(([, name]) => name);
  if (hint !== 0) names.push(`GH=${hint}`);
  const frame = (low & PG_V) !== 0 ? ` → ${hex((high >>> 0) * 8192)}` : '';
  return [`PTE 0x${word}`, ...names].join(' ') + frame;
}
