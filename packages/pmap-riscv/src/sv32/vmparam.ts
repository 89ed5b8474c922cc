import type { Layout, Va } from '@uvmkit/pmap';
import { PAGE_SIZE } from '../bits.ts';

/*
 *     0x00000000 ┌──────────────────┐ slots 0 … 767
 *                │ user             │
 *     0xc0000000 ├──────────────────┤ slots 768 … 895
 *                │ kernel memory    │
 *     0xe0000000 ├──────────────────┤ slots 896 … 1023
 *                │ direct map       │ 4 MB leaves; of machines of up to 512 MB
 *                └──────────────────┘
 */

/** Where the direct map begins. */
export const DIRECT_BASE: Va = 0xe000_0000;

/** The address space under Sv32. */
export const SV32_LAYOUT: Layout = {
  pageSize: PAGE_SIZE,
  littleEndian: true,
  pointerSize: 4,
  userMin: 0,
  userMax: 0xc000_0000,
  userStack: 0xc000_0000,
  userHoles: [],
  kernelMin: 0xc000_0000,
  kernelMax: DIRECT_BASE,
  maxDataSize: 1 << 30,
  maxStackSize: 32 << 20,
};
