import { ENTRY } from '../bits.ts';
import type { Format } from '../format.ts';

/**
 * Sv32 (The RISC-V Instruction Set Manual, Volume II, 20211203, 4.3): two levels, leaves of 4 MB and 4 KB, physical
 * addresses of 34 bits.
 */
export const SV32: Format = {
  ...ENTRY,
  name: 'sv32',
  mode: 1,
  levels: 2,
  indexBits: 10,
  entryBytes: 4,
  asidBits: 9,
  lowest: 0,
  beyond: 2 ** 32,
};
