import type { Image } from './rig.ts';
import type { Vector } from './vector.ts';

// Written out from The RISC-V Instruction Set Manual, Volume II, 20211203, 4.3: entries are PPN << 10 | flags, with
// V 01, R 02, W 04, X 08, U 10, G 20, A 40, D 80. RAM ends at page number 0x1000.

export const IMAGE: Image = [
  // The root, at 0x10000: an entry for each 4 MB.
  [0x10000, 0x00004401], // table 0x11000
  [0x10004, 0x00100017], // 4 MB leaf, 0x400000, R W U
  [0x10008, 0x00100417], // 4 MB leaf at page 0x401: misaligned
  [0x1000c, 0x00000000],
  [0x10010, 0xfffffc01], // table at the last page of 34 bits: no RAM
  [0x10014, 0x00004405], // W without R
  [0x10018, 0x0000440d], // W and X without R
  [0x1001c, 0x00004441], // pointer with A
  [0x10020, 0x00004481], // pointer with D
  [0x10024, 0x00004411], // pointer with U
  [0x10028, 0x00004421], // pointer with G, table 0x11000
  [0x1002c, 0x0020004b], // 4 MB leaf, 0x800000, R X A, supervisor's
  [0x10030, 0x004000d7], // 4 MB leaf, 0x1000000: no RAM
  [0x10ffc, 0x00004401], // table 0x11000 again, for the highest addresses
  // The table at 0x11000.
  [0x11000, 0x00040017], // 0x100: R W U
  [0x11004, 0x00040457], // 0x101: R W U A
  [0x11008, 0x000408d7], // 0x102: R W U A D
  [0x1100c, 0x00040c53], // 0x103: R U A
  [0x11010, 0x00041059], // 0x104: X U A
  [0x11014, 0x0004145b], // 0x105: R X U A
  [0x11018, 0x000418c7], // 0x106: R W A D, supervisor's
  [0x1101c, 0x00041c4b], // 0x107: R X A, supervisor's
  [0x11020, 0x00000000],
  [0x11024, 0x00042401], // a pointer where there is no further level
  [0x11028, 0x00042805], // W without R
  [0x1102c, 0x00042c4d], // W and X without R
  [0x11030, 0x000430e7], // 0x10c: R W G A D
  [0x11034, 0xffc48cd7], // 0x3ff123: no RAM
  [0x11038, 0x000438d6], // all there but V
  [0x1103c, 0x00043fdf], // 0x10f: everything, RSW too
  [0x11040, 0x00044097], // 0x110: R W U D without A
  [0x11ffc, 0x0007fcc7], // 0x1ff: R W A D, supervisor's
];

/** What Svade makes different is the last column. */
export const VECTORS: readonly Vector[] = [
  ['a load sets A', 0x00000123, 'rU', [0x100123, 0x11000, 0x00040057], [13]],
  ['a store sets A and D', 0x00000ffc, 'wU', [0x100ffc, 0x11000, 0x000400d7], [15]],
  ['an AMO sets A and D', 0x00000004, 'rwU', [0x100004, 0x11000, 0x000400d7], [15]],
  ['where A is set a load writes nothing', 0x00001008, 'rU', [0x101008, 0x11004, 0x00040457]],
  ['a store sets D alone', 0x00001008, 'wU', [0x101008, 0x11004, 0x000404d7], [15]],
  ['where both are set a store writes nothing', 0x00002ffe, 'wU', [0x102ffe, 0x11008, 0x000408d7]],
  ['D without A is set up for a load', 0x00010000, 'rU', [0x110000, 0x11040, 0x000440d7], [13]],
  ['a read-only page is loaded from', 0x00003000, 'rU', [0x103000, 0x1100c, 0x00040c53]],
  ['a read-only page is not stored to', 0x00003000, 'wU', [15]],
  ['an AMO on a read-only page faults as a store', 0x00003004, 'rwU', [15]],
  ['a page without X is not fetched from', 0x00003008, 'xU', [12]],
  ['an execute-only page is fetched from', 0x00004000, 'xU', [0x104000, 0x11010, 0x00041059]],
  ['an execute-only page is not loaded from', 0x00004000, 'rU', [13]],
  ['an execute-only page is loaded from with MXR', 0x00004000, 'rU mxr', [0x104000]],
  ['MXR does not let a store through', 0x00004000, 'wU mxr', [15]],
  [
    'an instruction that loads from its own page',
    0x00005000,
    'rxU',
    [0x105000, 0x11014, 0x0004145b],
  ],
  ['the fetch is tried first', 0x00003000, 'wxU', [12]],
  ['then what the instruction does', 0x00004000, 'rxU', [13]],
  ["the user has no supervisor's page", 0x00006000, 'rU', [13]],
  ['nor stores to one', 0x00006000, 'wU', [15]],
  ['nor fetches from one', 0x00007000, 'xU', [12]],
  ['the supervisor has', 0x00006abc, 'wS', [0x106abc, 0x11018, 0x000418c7]],
  ['and fetches', 0x00007abc, 'xS', [0x107abc, 0x1101c, 0x00041c4b]],
  ["the supervisor has no user's page", 0x00002000, 'rS', [13]],
  ['nor stores to one', 0x00002000, 'wS', [15]],
  ['but with SUM loads', 0x00002000, 'rS sum', [0x102000, 0x11008, 0x000408d7]],
  ['and stores', 0x00002000, 'wS sum', [0x102000, 0x11008, 0x000408d7]],
  ['and copies out', 0x00002000, 'wS copy', [0x102000, 0x11008, 0x000408d7]],
  ['and never fetches', 0x00005000, 'xS sum', [12]],
  ['SUM does not change what the user may', 0x00006000, 'rU sum', [13]],
  ['an entry of 0', 0x00008000, 'rU', [13]],
  ['an entry without V', 0x0000e000, 'wU', [15]],
  ['a pointer at the last level', 0x00009000, 'rU', [13]],
  ['W without R is reserved', 0x0000a000, 'wS', [15]],
  ['W and X without R is reserved', 0x0000b000, 'xS', [12]],
  ['a global page', 0x0000c00c, 'rS', [0x10c00c, 0x11030, 0x000430e7]],
  ['a load where no RAM is', 0x0000d000, 'rU', [5]],
  ['a store there', 0x0000d000, 'wU', [7]],
  ['an AMO there', 0x0000d000, 'rwU', [7]],
  ['the bits of software mean nothing', 0x0000f000, 'xU', [0x10f000, 0x1103c, 0x00043fdf]],
  ['a megapage', 0x00423456, 'wU', [0x423456, 0x10004, 0x001000d7], [15]],
  ['a megapage, to its last byte', 0x007fffff, 'rU', [0x7fffff, 0x10004, 0x00100057], [13]],
  ["the supervisor's megapage", 0x02c01000, 'xS', [0x801000, 0x1002c, 0x0020004b]],
  ['a misaligned megapage', 0x00800000, 'rU', [13]],
  ['a misaligned megapage, for a store', 0x00801000, 'wU', [15]],
  ['a misaligned megapage, for a fetch', 0x00801000, 'xS', [12]],
  ['a root entry of 0', 0x00c00000, 'xU', [12]],
  ['a table where no RAM is, for a load', 0x01000000, 'rS', [5]],
  ['a table where no RAM is, for a store', 0x01000000, 'wS', [7]],
  ['a table where no RAM is, for a fetch', 0x01000000, 'xS', [1]],
  ['W without R in the root', 0x01400000, 'rS', [13]],
  ['W and X without R in the root', 0x01800000, 'rS', [13]],
  ['A in a pointer is reserved', 0x01c00000, 'rS', [13]],
  ['D in a pointer is reserved', 0x02000000, 'wS', [15]],
  ['U in a pointer is reserved', 0x02400000, 'xS', [12]],
  ['G in a pointer is not', 0x02802000, 'wU', [0x102000, 0x11008, 0x000408d7]],
  ['a megapage where no RAM is', 0x03000000, 'wU', [7]],
  ['the highest page', 0xfffff123, 'wS', [0x1ff123, 0x11ffc, 0x0007fcc7]],
];
