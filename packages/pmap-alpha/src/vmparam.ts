import type { Layout, Pa, Va } from '@uvmkit/pmap';

/**
 * The address space of NetBSD/alpha (alpha/include/vmparam.h 1.21, alpha_cpu.h 1.36), bytes.
 *
 * Addresses are the 64-bit register's, of which 43 bits are implemented and the rest repeat bit 42: a
 * signed number.
 *
 *     −2^42 ……… −2^41 ……………… −2^34 … −2^33 … 0 ………………… 2^42
 *     │  K0SEG   │  K1SEG     │  VPT  │       │  USEG      │
 *     │ direct   │ kernel     │ window│       │ user       │
 */
export const PAGE_SIZE = 8192;
/** log2 of {@link PAGE_SIZE} (PGSHIFT). */
export const PAGE_SHIFT = 13;

/** The first address of K0SEG, the direct map of physical memory. */
export const K0SEG: Va = -(2 ** 42);
/** VM_MIN_KERNEL_ADDRESS: the first address of K1SEG, the kernel's mapped half. */
export const K1SEG: Va = -(2 ** 41);
/** VM_MAX_KERNEL_ADDRESS: the last page of K1SEG. */
export const KERNEL_MAX: Va = -PAGE_SIZE;
/** The first address beyond USEG, where bits 63:43 stop repeating bit 42. */
export const USEG_END: Va = 2 ** 42;
/** VPTBASE: where level-1 slot 0x3fe maps the tables themselves. The kernel maps nothing from here on. */
export const VPTBASE: Va = -(2 ** 34);

/** The K0SEG address of a physical address (ALPHA_PHYS_TO_K0SEG). */
export function k0seg(pa: Pa): Va {
  return K0SEG + pa;
}

/** The virtual page number of an address of USEG or K1SEG: signed, −2^28 … 2^29 − 1. */
export function pageNumber(va: Va): number {
  return Math.floor(va / PAGE_SIZE) | 0;
}

/** What `Layout` says of alpha; MAXDSIZ and MAXSSIZ are vmparam.h's. */
export const ALPHA_LAYOUT: Layout = {
  pageSize: PAGE_SIZE,
  littleEndian: true,
  pointerSize: 8,
  userMin: 0,
  userMax: USEG_END,
  userStack: 0x2_0000_0000,
  userHoles: [],
  kernelMin: K1SEG,
  kernelMax: KERNEL_MAX,
  maxDataSize: 1 << 30,
  maxStackSize: 1 << 25,
};
