/**
 * Formats of the 32-bit operating environment architecture's MMU (601 aside): page table entries,
 * segment registers, SDR1, BATs, and the fault codes.
 *
 * Source: PowerPC Microprocessor Family: The Programming Environments for 32-Bit Microprocessors,
 * chapter 7; NetBSD sys/arch/powerpc/include/mpc6xx/pte.h 1.5.8.3 and bat.h 1.2.
 *
 * Words are taken signed or unsigned and answered unsigned. Masks are unsigned numbers; code that
 * packs words on an access path converts with `| 0`.
 */
import type { Pa, Va } from '@uvmkit/pmap';

/** Bytes of one PTE, and of a group of eight. */
export const PTE_BYTES = 8;
export const PTEG_BYTES = 64;
export const PTEG_SLOTS = 8;

/**
 *  PTE word 0    V │ VSID (24)                         │ H │ API (6)
 *                0   1                              24  25  26     31
 *  PTE word 1    RPN (20)          │ 000 │ R │ C │ W I M G │ 0 │ PP
 *                0               19       23  24  25    28      30 31
 */
export const PTE_VALID = 0x80000000;
export const PTE_VSID = 0x7fffff80;
export const PTE_VSID_SHIFT = 7;
export const PTE_HID = 0x40;
export const PTE_API = 0x3f;

/** Word 1: where the page is, what was done to it, how it is cached, who may. */
export const PTE_RPN = 0xfffff000;
export const PTE_REF = 0x100;
export const PTE_CHG = 0x80;
export const PTE_W = 0x40;
export const PTE_I = 0x20;
export const PTE_M = 0x10;
export const PTE_G = 0x8;
export const PTE_PP = 0x3;
/** PP 10 with key 0: loads and stores. */
export const PTE_BW = 2;
/** PP 11: loads only, whatever the key. */
export const PTE_BR = 3;
/** Not a PTE bit: "has been mapped executable", in the page attributes that the pmap keeps. */
export const PTE_EXEC = 0x200;

/** Offsets in a PTE of the bytes that hold R and C: the only bytes that hardware stores to. */
export const PTE_REF_BYTE = 6;
export const PTE_CHG_BYTE = 7;

/** Bits of an effective address. */
export const SEGMENT_SHIFT = 28;
export const SEGMENT_LENGTH = 0x10000000;
export const PAGE_INDEX_MASK = 0xffff;
export const HASH_MASK = 0x7ffff;

/** Segment register. */
export const SR_T = 0x80000000;
export const SR_KS = 0x40000000;
export const SR_KP = 0x20000000;
export const SR_N = 0x10000000;
export const SR_VSID = 0x00ffffff;

/** SDR1. */
export const SDR1_HTABORG = 0xffff0000;
export const SDR1_HTABMASK = 0x1ff;

/** MSR: external interrupts, problem state, instruction and data translation. */
export const MSR_EE = 0x8000;
export const MSR_PR = 0x4000;
export const MSR_IR = 0x20;
export const MSR_DR = 0x10;

/** Vectors of the two storage interrupts. */
export const EXC_DSI = 0x300;
export const EXC_ISI = 0x400;

/** DSISR. */
export const DSISR_DIRECT = 0x80000000;
export const DSISR_NOTFOUND = 0x40000000;
export const DSISR_PROTECT = 0x08000000;
export const DSISR_STORE = 0x02000000;

/** SRR1 of an ISI: the bits of MSR that it keeps, and the codes. */
export const SRR1_MSR = 0x87c0ffff;
export const SRR1_NOTFOUND = 0x40000000;
export const SRR1_NOEXEC = 0x10000000;
export const SRR1_PROTECT = 0x08000000;

/** BAT, upper word. */
export const BAT_BEPI = 0xfffe0000;
export const BAT_BL = 0x1ffc;
export const BAT_BL_128K = 0;
export const BAT_BL_256M = 0x1ffc;
export const BAT_VS = 2;
export const BAT_VP = 1;
/** BAT, lower word. */
export const BAT_BRPN = 0xfffe0000;
export const BAT_W = 0x40;
export const BAT_I = 0x20;
export const BAT_M = 0x10;
export const BAT_G = 0x08;
export const BAT_PP = 0x3;
export const BAT_PP_RW = 2;
export const BAT_PP_RO = 1;

/** `BL` moved to where it masks an effective address. */
export const BAT_BL_SHIFT = 15;

/**
 * The primary hash of a page, 19 bits. The secondary is its complement.
 *
 *     VSID, low 19 bits        vvv vvvv vvvv vvvv vvvv
 *     page index, EA 4–19      000 pppp pppp pppp pppp     xor
 */
export function primaryHash(vsid: number, ea: Va): number {
  return (vsid & HASH_MASK) ^ ((ea >>> 12) & PAGE_INDEX_MASK);
}

/** The complement: the hash of the second group to search. */
export function secondaryHash(hash: number): number {
  return ~hash & HASH_MASK;
}

/** The physical address of the PTE group that a 19-bit hash selects in the table that SDR1 names. */
export function ptegAddress(sdr1: number, hash: number): Pa {
  return (
    ((sdr1 & SDR1_HTABORG) |
      (((hash >>> 10) & sdr1 & SDR1_HTABMASK) << 16) |
      ((hash & 0x3ff) << 6)) >>>
    0
  );
}

/** A PTE taken apart. */
export interface PteFields {
  readonly valid: boolean;
  readonly vsid: number;
  /** H: the entry sits in the group of the secondary hash. */
  readonly secondary: boolean;
  /** EA bits 4–9. */
  readonly api: number;
  /** Physical address of the page, bytes. */
  readonly pa: Pa;
  readonly referenced: boolean;
  readonly changed: boolean;
  /** W, I, M, G as bits 3…0. */
  readonly wimg: number;
  readonly pp: number;
}

/** Word 0 of the PTE for a page: 24-bit VSID, the page's effective address, V and H. */
export function pteHi(vsid: number, ea: Va, valid = true, secondary = false): number {
  return (
    ((valid ? PTE_VALID : 0) |
      ((vsid & SR_VSID) << PTE_VSID_SHIFT) |
      (secondary ? PTE_HID : 0) |
      ((ea >>> 22) & PTE_API)) >>>
    0
  );
}

/** Word 1: page-aligned physical address and the low twelve bits (R, C, WIMG, PP). */
export function pteLo(pa: Pa, bits: number): number {
  return ((pa & PTE_RPN) | (bits & 0xfff)) >>> 0;
}

/** Both words taken apart. */
export function decodePte(hi: number, lo: number): PteFields {
  return {
    valid: (hi & PTE_VALID) !== 0,
    vsid: (hi & PTE_VSID) >>> PTE_VSID_SHIFT,
    secondary: (hi & PTE_HID) !== 0,
    api: hi & PTE_API,
    pa: (lo & PTE_RPN) >>> 0,
    referenced: (lo & PTE_REF) !== 0,
    changed: (lo & PTE_CHG) !== 0,
    wimg: (lo >>> 3) & 0xf,
    pp: lo & PTE_PP,
  };
}

/** The inverse of {@link decodePte}: [word 0, word 1]. */
export function encodePte(fields: PteFields): [hi: number, lo: number] {
  const hi =
    (fields.valid ? PTE_VALID : 0) |
    (fields.vsid << PTE_VSID_SHIFT) |
    (fields.secondary ? PTE_HID : 0) |
    fields.api;
  const lo =
    (fields.pa & PTE_RPN) |
    (fields.referenced ? PTE_REF : 0) |
    (fields.changed ? PTE_CHG : 0) |
    (fields.wimg << 3) |
    fields.pp;
  return [hi >>> 0, lo >>> 0];
}

/**
 * A BAT pair.
 *
 * @param ea block-aligned effective address
 * @param pa block-aligned physical address
 * @param bl `BAT_BL_*` block length
 * @param valid `BAT_VS` and `BAT_VP`
 * @param bits WIMG and PP of the lower word
 */
export function batPair(
  ea: Va,
  pa: Pa,
  bl: number,
  valid: number,
  bits: number,
): [upper: number, lower: number] {
  return [((ea & BAT_BEPI) | (bl & BAT_BL) | valid) >>> 0, ((pa & BAT_BRPN) | bits) >>> 0];
}

/**
 * What key and PP allow, as `VM_PROT_READ | VM_PROT_WRITE` bits: two bits for each of the eight
 * combinations, key·4 + PP, lowest first.
 *
 *             PP 00  01  10  11
 *     key 0      rw  rw  rw  r
 *     key 1      –   r   rw  r
 */
const KEY_PP_RIGHTS = 0b01_11_01_00_01_11_11_11;

/** `VM_PROT_READ | VM_PROT_WRITE` as key (0 or 1) and PP grant them. */
export function keyPpRights(key: number, pp: number): number {
  return (KEY_PP_RIGHTS >>> (key * 8 + pp * 2)) & 3;
}

/** Likewise for a BAT, which no key governs: PP 00 nothing, 10 loads and stores, else loads. */
export function batRights(pp: number): number {
  if (pp === 0) return 0;
  return pp === BAT_PP_RW ? 3 : 1;
}

const WIMG = ['W', 'I', 'M', 'G'];

/** A PTE in the manual's words, for instance `PTE 8091A000 00200182 VSID 012340 API 00 → 0x00200000 R C rw`. */
export function formatPte(hi: number, lo: number): string {
  const pte = decodePte(hi, lo);
  const word = (value: number, digits: number) =>
    (value >>> 0).toString(16).toUpperCase().padStart(digits, '0');
  const wimg = WIMG.filter((_, bit) => (pte.wimg & (8 >> bit)) !== 0).join('');
  const flags = [
    pte.valid ? '' : 'invalid',
    pte.secondary ? 'H' : '',
    pte.referenced ? 'R' : '',
    pte.changed ? 'C' : '',
    wimg,
    `PP=${pte.pp.toString(2).padStart(2, '0')}`,
  ].filter((flag) => flag !== '');
  return `PTE ${word(hi, 8)} ${word(lo, 8)} VSID ${word(pte.vsid, 6)} API ${word(pte.api, 2)} → 0x${word(pte.pa, 8)} ${flags.join(' ')}`;
}
