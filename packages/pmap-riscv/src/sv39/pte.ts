import { ENTRY } from '../bits.ts';
import type { Format } from '../format.ts';

/**
 * Sv39 (The RISC-V Instruction Set Manual, Volume II, 20211203, 4.4): three levels, leaves of 1 GB, 2 MB and 4 KB,
 * physical addresses of 56 bits. The low word of an entry is as in Sv32; the high one goes on with the PPN:
 *
 *      63   62  61  60        54 53                         32
 *     | N |  PBMT  | reserved   |         PPN[43:22]          |
 *
 * N and PBMT are of extensions that are not here, so they are reserved too.
 */
export const SV39: Format = {
  ...ENTRY,
  name: 'sv39',
  mode: 8,
  levels: 3,
  indexBits: 9,
  entryBytes: 8,
  asidBits: 16,
  lowest: -(2 ** 38),
  beyond: 2 ** 38,
};
