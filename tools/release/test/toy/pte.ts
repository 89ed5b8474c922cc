import type { Pa } from '@uvmkit/pmap';

// The toy: a page is 16 KB, and one page of 4,096 little-endian words is the only table of a space of 64 MB, which begins at
// zero or, for the kernel's, at KERNEL.
//
//      31           14 13        5   4   3   2   1   0
//     | frame         | 0         | W | M | R | w | V |

export const SHIFT = 14;
export const PAGE: number = 1 << SHIFT;
export const SPAN: number = (PAGE / 4) * PAGE;
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
