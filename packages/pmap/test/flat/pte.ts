import type { Pa } from '../../src/index.ts';

// The "flat": a machine that never was, whose MMU is as small as one can be. A space is 4 MB and one table of 1024
// little-endian words, which is one page; the kernel's begins at KERNEL.
//
//      31           12 11        5   4   3   2   1   0
//     | frame         | 0         | W | M | R | w | V |

export const PAGE = 4096;
export const ENTRIES = 1024;
export const SPAN: number = ENTRIES * PAGE;
export const KERNEL = 0xc000_0000;

/** Valid. */
export const PTE_V = 1;
/** Stores are allowed. */
export const PTE_WRITE = 2;
/** Referenced and modified: the hardware sets them. */
export const PTE_REF = 4;
export const PTE_MOD = 8;
/** Wired: software's own. */
export const PTE_WIRED = 16;

/** The physical address of the page. */
export function ptePage(pte: number): Pa {
  return (pte & -PAGE) >>> 0;
}

/** For a person. */
export function formatPte(pte: number): string {
  if ((pte & PTE_V) === 0) return 'nothing';
  const flags = ['V', 'w', 'R', 'M', 'W'].filter((_, bit) => (pte & (1 << bit)) !== 0);
  return `${flags.join(' ')} → 0x${ptePage(pte).toString(16)}`;
}
