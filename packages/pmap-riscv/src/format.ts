import type { Va } from '@uvmkit/pmap';

/**
 * What tells one scheme of translation from the other. A virtual page number has an index for each level of tables:
 *
 *     Sv32          |  10  |  10  | offset 12 |      4-byte entries, 32-bit addresses
 *     Sv39   |  9   |  9   |  9   | offset 12 |      8-byte entries, 39-bit addresses, sign-extended
 *     level     2      1      0
 */
export interface Format {
  readonly name: 'sv32' | 'sv39';
  /** satp.MODE. */
  readonly mode: number;
  readonly levels: number;
  /** Bits of an index; a table has as many entries as it can tell apart, and is a page. */
  readonly indexBits: number;
  /** Bytes of an entry. */
  readonly entryBytes: number;
  /** Bits of an ASID that satp has room for (ASIDMAX). */
  readonly asidBits: number;
  /** The lowest virtual address, and the first beyond the highest. */
  readonly lowest: Va;
  readonly beyond: Va;
}
