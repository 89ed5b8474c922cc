/**
 * Formats of the IBM 403GCX/405 MMU (TLB entries, zones, fault codes) and of the table entries that
 * NetBSD keeps for its miss handler.
 *
 * Source: PPC405 Core User's Manual, chapter 7; NetBSD sys/arch/powerpc/include/ibm4xx/tlb.h
 * 1.6.6.1 and pte.h 1.1.
 *
 * Words are taken signed or unsigned and answered unsigned.
 */
import {
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type Pa,
  type Prot,
  type Va,
} from '@uvmkit/pmap';

/** Entries of the TLB. */
export const NTLB = 64;

/**
 *  TLBHI   EPN (22)                        │ SIZE │ V │ E │ U0 │
 *          0                             21  22    25  26   27
 *  TLBLO   RPN (22)                        │ EX │ WR │ ZSEL (4) │ W I M G
 *          0                             21  22   23  24         28      31
 */
export const TLB_EPN = 0xfffffc00;
export const TLB_SIZE = 0x380;
export const TLB_SIZE_SHIFT = 7;
export const TLB_VALID = 0x40;
export const TLB_ENDIAN = 0x20;
export const TLB_U0 = 0x10;

/** TLBLO: where the page is, who may, how it is cached. */
export const TLB_RPN = 0xfffffc00;
export const TLB_EX = 0x200;
export const TLB_WR = 0x100;
export const TLB_ZSEL = 0xf0;
export const TLB_ZSEL_SHIFT = 4;
export const TLB_W = 8;
export const TLB_I = 4;
export const TLB_M = 2;
export const TLB_G = 1;

/** SIZE codes: 1 KB · 4^code. */
export const TLB_SIZE_1K = 0;
export const TLB_SIZE_4K = 1;
export const TLB_SIZE_16K = 2;
export const TLB_SIZE_16M = 7;

/** Bytes of a page with this SIZE code. */
export function pageBytes(size: number): number {
  return 1024 << (2 * size);
}

/** The bits of an address that select the page, for a SIZE code: a signed mask. */
export function pageMask(size: number): number {
  return -pageBytes(size);
}

/**
 *  TTE     PA (18)               │ END │ SZ (3) │ EX │ WR │ ZSEL (4) │ W I M G       0: nothing
 *          0                   17   18   19      22   23   24          28     31
 */
export const TTE_PA = 0xffffc000;
export const TTE_ENDIAN = 0x2000;
export const TTE_SZ = 0x1c00;
export const TTE_SZ_SHIFT = 10;
export const TTE_SZ_16K: number = TLB_SIZE_16K << TTE_SZ_SHIFT;
export const TTE_SZ_16M: number = TLB_SIZE_16M << TTE_SZ_SHIFT;
export const TTE_EX = 0x200;
export const TTE_WR = 0x100;
export const TTE_ZSEL_SHIFT = 4;
export const TTE_W = 8;
export const TTE_I = 4;
export const TTE_G = 1;

/** Zones as NetBSD uses them, and the ZPR that gives them their meaning. */
export const ZONE_PRIV = 0;
export const ZONE_USER = 1;
export const NETBSD_ZPR = 0x1b000000;

/** PIDs: none, the kernel's, the first a process can have, and how many there are. */
export const NO_PID = 0;
export const KERNEL_PID = 1;
export const MINCTX = 2;
export const NUMCTX = 256;

/** MSR: external interrupts, problem state, instruction and data translation. */
export const MSR_EE = 0x8000;
export const MSR_PR = 0x4000;
export const MSR_IR = 0x20;
export const MSR_DR = 0x10;

/** Vectors. */
export const EXC_DSI = 0x300;
export const EXC_ISI = 0x400;
export const EXC_DTMISS = 0x1100;
export const EXC_ITMISS = 0x1200;

/** ESR: the access was a store; a zone forbade it. */
export const ESR_DST = 0x00800000;
export const ESR_DIZ = 0x00400000;

/** The two bits of ZPR for a zone: Z0 is the leftmost pair. */
export function zoneField(zpr: number, zone: number): number {
  return (zpr >>> (30 - 2 * zone)) & 3;
}

/**
 * What an entry allows, as `VM_PROT_*` bits.
 *
 *     Zn    user           supervisor
 *     00    nothing        by EX and WR
 *     01    by EX and WR   by EX and WR
 *     10    by EX and WR   everything
 *     11    everything     everything
 *
 * Guarded storage is never fetched from.
 */
export function entryRights(lo: number, zpr: number, user: boolean): Prot {
  const zone = zoneField(zpr, (lo & TLB_ZSEL) >>> TLB_ZSEL_SHIFT);
  let rights = VM_PROT_READ;
  if ((lo & TLB_WR) !== 0) rights |= VM_PROT_WRITE;
  if ((lo & TLB_EX) !== 0) rights |= VM_PROT_EXECUTE;
  if (zone === 3 || (zone === 2 && !user)) rights = VM_PROT_ALL;
  else if (zone === 0 && user) rights = 0;
  return (lo & TLB_G) === 0 ? rights : rights & ~VM_PROT_EXECUTE;
}

/** A TTE for one 16 KB page: physical address, zone, WR if stores are allowed, and WIMG. */
export function makeTte(pa: Pa, zone: number, write: boolean, wimg: number): number {
  return (
    ((pa & TTE_PA) |
      TTE_SZ_16K |
      TTE_EX |
      (write ? TTE_WR : 0) |
      (zone << TTE_ZSEL_SHIFT) |
      wimg) >>>
    0
  );
}

/** TLBHI as the miss handler loads it: the address, the TTE's size, valid. */
export function tlbHi(va: Va, tte: number): number {
  return (
    ((va & 0xfffff000) | (((tte & TTE_SZ) >>> TTE_SZ_SHIFT) << TLB_SIZE_SHIFT) | TLB_VALID) >>> 0
  );
}

/** TLBLO as the miss handler loads it: the TTE's address cut to its size, and its rights. */
export function tlbLo(tte: number): number {
  const size = (tte & TTE_SZ) >>> TTE_SZ_SHIFT;
  return ((tte & TTE_PA & pageMask(size)) | (tte & 0x3ff)) >>> 0;
}

/** A TTE taken apart. */
export interface TteFields {
  readonly pa: Pa;
  /** SIZE code. */
  readonly size: number;
  readonly execute: boolean;
  readonly write: boolean;
  readonly zone: number;
  /** W, I, M, G as bits 3…0. */
  readonly wimg: number;
}

/** The fields of a TTE. */
export function decodeTte(tte: number): TteFields {
  return {
    pa: (tte & TTE_PA) >>> 0,
    size: (tte & TTE_SZ) >>> TTE_SZ_SHIFT,
    execute: (tte & TTE_EX) !== 0,
    write: (tte & TTE_WR) !== 0,
    zone: (tte >>> TTE_ZSEL_SHIFT) & 0xf,
    wimg: tte & 0xf,
  };
}

/** A TTE in words, for instance `TTE 00400B10 EX WR zone 1 16K → 0x00400000`. */
export function formatTte(tte: number): string {
  if (tte === 0) return 'no TTE';
  const { pa, size, execute, write, zone, wimg } = decodeTte(tte);
  const upper = (value: number): string =>
    (value >>> 0).toString(16).toUpperCase().padStart(8, '0');
  const bits = ['W', 'I', 'M', 'G'].filter((_, bit) => (wimg & (8 >> bit)) !== 0).join('');
  const words = [
    `TTE ${upper(tte)}`,
    execute ? 'EX' : '',
    write ? 'WR' : '',
    `zone ${zone}`,
    bits,
    `${pageBytes(size) / 1024}K`,
    `→ 0x${upper(pa)}`,
  ];
  return words.filter((word) => word !== '').join(' ');
}
