/**
 * A virtual address in bytes, always a safe integer.
 *
 * 32-bit architectures use 0 … 2^32 − 1. Alpha's sign-extended 64-bit addresses are *signed*
 * integers (K0SEG begins at −2^42), so that every byte of every architecture has one exact number.
 */
export type Va = number;

/** A physical address in bytes: a safe integer ≥ 0. Pages cross the interface as these. */
export type Pa = number;

/** The answer of a function that yields a {@link Pa} when there is none. */
export const NO_PA = -1;

/**
 * A handle for one physical map. 0 is the kernel's; others are given out by `Pmap.create` and may
 * be given out again after `Pmap.destroy`. A handle means nothing outside the port that made it.
 */
export type PmapId = number;

/** The kernel's physical map (`pmap_kernel()`), on every port. */
export const PMAP_KERNEL: PmapId = 0;

/** The answer of `Pmap.create` when memory for the new map's tables is short. */
export const NO_PMAP: PmapId = -1;

/**
 * The address for a person: `0x` and at least `digits` hexadecimal digits. Negative addresses are
 * printed as the 64-bit two's complement that the architecture's manual would print. This is the
 * only place where an address becomes a BigInt.
 */
export function hex(address: number, digits = 8): string {
  if (address >= 0) return `0x${address.toString(16).padStart(digits, '0')}`;
  return `0x${BigInt.asUintN(64, BigInt(address)).toString(16)}`;
}
