import type { TreeFormat } from '@uvmkit/pmap';

/**
 * What tells one scheme of translation from the other. A virtual page number has an index for each level of tables:
 *
 *     Sv32          |  10  |  10  | offset 12 |      4-byte entries, 32-bit addresses
 *     Sv39   |  9   |  9   |  9   | offset 12 |      8-byte entries, 39-bit addresses, sign-extended
 *     level     2      1      0
 */
export interface Format extends TreeFormat {
  readonly name: 'sv32' | 'sv39';
  /** satp.MODE. */
  readonly mode: number;
  /** Bits of an ASID that satp has room for (ASIDMAX). */
  readonly asidBits: number;
}
