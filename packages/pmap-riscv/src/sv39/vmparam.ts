import type { Layout, Va } from '@uvmkit/pmap';
import { PAGE_SIZE } from '../bits.ts';

/*
 * Addresses are the 64-bit register's, whose bits 63:39 must repeat bit 38: signed numbers.
 *
 *     −2^38 ………………… −2^38 + 2^36 …… −2^37 ……………… 0 ……………… 2^38
 *     │ kernel memory │              │ direct map │   │ user  │
 *     │ slots 256 …   │              │ 1 GB leaves│   │       │
 */

/** Where the direct map begins. */
export const DIRECT_BASE: Va = -(2 ** 37);

/** The address space under Sv39. */
export const SV39_LAYOUT: Layout = {
  pageSize: PAGE_SIZE,
  littleEndian: true,
  pointerSize: 8,
  userMin: 0,
  userMax: 2 ** 38,
  userStack: 2 ** 38,
  userHoles: [],
  kernelMin: -(2 ** 38),
  kernelMax: -(2 ** 38) + 2 ** 36,
  maxDataSize: 1 << 30,
  maxStackSize: 32 << 20,
};
