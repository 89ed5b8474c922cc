import type { Image } from './rig.ts';
import type { Vector } from './vector.ts';

// Written out from The RISC-V Instruction Set Manual, Volume II, 20211203, 4.4: entries are PPN << 10 | flags in 64 bits, low
// word and high word, with V 01, R 02, W 04, X 08, U 10, G 20, A 40, D 80. RAM ends at page number 0x1000.

export const IMAGE: Image = [
  // The root, at 0x10000: an entry for each 1 GB.
  [0x10000, 0x00004401, 0], // table 0x11000
  [0x10008, 0x000000df, 0], // 1 GB leaf, 0: R W X U A D
  [0x10010, 0x000800df, 0], // 1 GB leaf at page 0x200: misaligned
  [0x10018, 0x00004401, 0x00400000], // bit 54
  [0x10020, 0x00004401, 0x80000000], // N
  [0x10028, 0x00004401, 0x20000000], // PBMT 1
  [0x10030, 0x00004401, 0x00000001], // table at page 0x400011: no RAM
  [0x10038, 0x000000df, 0x00000001], // 1 GB leaf at page 0x400000: no RAM
  [0x10040, 0x0000000f, 0], // 1 GB leaf, 0: R W X, supervisor's
  [0x10800, 0x00004421, 0], // slot 256, pointer with G: table 0x11000
  [0x10ff8, 0x00004401, 0], // slot 511: table 0x11000
  // The table at 0x11000: an entry for each 2 MB.
  [0x11000, 0x00004801, 0], // table 0x12000
  [0x11008, 0x00100057, 0], // 2 MB leaf, 0x400000: R W U A
  [0x11010, 0x00100457, 0], // 2 MB leaf at page 0x401: misaligned
  [0x11018, 0x00000000, 0],
  [0x11020, 0x00004841, 0], // pointer with A
  [0x11028, 0x00004881, 0], // pointer with D
  [0x11030, 0x00004811, 0], // pointer with U
  [0x11038, 0x00004805, 0], // W without R
  [0x11040, 0x0018004b, 0], // 2 MB leaf, 0x600000: R X A, supervisor's
  [0x11048, 0x0010a057, 0x00000010], // 2 MB leaf misaligned and far away
  [0x11050, 0x00004801, 0x10000000], // bit 60
  [0x11ff8, 0x00004801, 0], // table 0x12000
  // The table at 0x12000.
  [0x12000, 0x00040017, 0], // 0x100: R W U
  [0x12008, 0x00040457, 0], // 0x101: R W U A
  [0x12010, 0x000408d7, 0], // 0x102: R W U A D
  [0x12018, 0x00040c53, 0], // 0x103: R U A
  [0x12020, 0x00041059, 0], // 0x104: X U A
  [0x12028, 0x0004145b, 0], // 0x105: R X U A
  [0x12030, 0x000418c7, 0], // 0x106: R W A D, supervisor's
  [0x12038, 0x00041c4b, 0], // 0x107: R X A, supervisor's
  [0x12040, 0x00000000, 0],
  [0x12048, 0x00042401, 0], // a pointer where there is no further level
  [0x12050, 0x00042805, 0], // W without R
  [0x12058, 0x00042c4d, 0], // W and X without R
  [0x12060, 0x000430e7, 0], // 0x10c: R W G A D
  [0x12068, 0x000434d7, 0x00000001], // 0x40010d: no RAM
  [0x12070, 0x000438d6, 0], // all there but V
  [0x12078, 0x00043fdf, 0], // 0x10f: everything, RSW too
  [0x12080, 0x000440d7, 0x00400000], // bit 54
  [0x12088, 0x000444d7, 0x20000000], // PBMT 1
  [0x12090, 0x000448d7, 0x80000000], // N
  [0x12098, 0xfffffcd7, 0x003fffff], // the last page of 56 bits: no RAM
  [0x120a0, 0x00045097, 0], // 0x114: R W U D without A
  [0x12ff8, 0x0007fcc7, 0], // 0x1ff: R W A D, supervisor's
];

const GB = 2 ** 30;
const MB = 2 ** 20;
const K = -(2 ** 38);

/** What Svade makes different is the last column. */
export const VECTORS: readonly Vector[] = [
  ['a load sets A', 0x123, 'rU', [0x100123, 0x12000, 0x00040057], [13]],
  ['a store sets A and D', 0xffc, 'wU', [0x100ffc, 0x12000, 0x000400d7], [15]],
  ['where A is set a load writes nothing', 0x1008, 'rU', [0x101008, 0x12008, 0x00040457]],
  ['a store sets D alone', 0x1008, 'wU', [0x101008, 0x12008, 0x000404d7], [15]],
  ['an AMO sets D', 0x1008, 'rwU', [0x101008, 0x12008, 0x000404d7], [15]],
  ['where both are set a store writes nothing', 0x2ffe, 'wU', [0x102ffe, 0x12010, 0x000408d7]],
  ['D without A is set up for a load', 0x14000, 'rU', [0x114000, 0x120a0, 0x000450d7], [13]],
  ['a read-only page is not stored to', 0x3000, 'wU', [15]],
  ['an AMO on a read-only page faults as a store', 0x3004, 'rwU', [15]],
  ['a page without X is not fetched from', 0x3008, 'xU', [12]],
  ['an execute-only page is fetched from', 0x4000, 'xU', [0x104000, 0x12020, 0x00041059]],
  ['an execute-only page is not loaded from', 0x4000, 'rU', [13]],
  ['an execute-only page is loaded from with MXR', 0x4000, 'rU mxr', [0x104000]],
  ["the user has no supervisor's page", 0x6000, 'rU', [13]],
  ['nor fetches from one', 0x7000, 'xU', [12]],
  ['the supervisor has', 0x6abc, 'wS', [0x106abc, 0x12030, 0x000418c7]],
  ["the supervisor has no user's page", 0x2000, 'wS', [15]],
  ['but with SUM stores', 0x2000, 'wS sum', [0x102000, 0x12010, 0x000408d7]],
  ['and copies in', 0x2000, 'rS copy', [0x102000, 0x12010, 0x000408d7]],
  ['and never fetches', 0x5000, 'xS sum', [12]],
  ['an entry of 0', 0x8000, 'rU', [13]],
  ['a pointer at the last level', 0x9000, 'rU', [13]],
  ['W without R is reserved', 0xa000, 'wS', [15]],
  ['W and X without R is reserved', 0xb000, 'xS', [12]],
  ['a global page', 0xc00c, 'rS', [0x10c00c, 0x12060, 0x000430e7]],
  ['a load where no RAM is', 0xd000, 'rU', [5]],
  ['a store where no RAM is', 0xd000, 'wU', [7]],
  ['an entry without V', 0xe000, 'wU', [15]],
  ['the bits of software mean nothing', 0xf000, 'xU', [0x10f000, 0x12078, 0x00043fdf]],
  ['bit 54 of a leaf is reserved', 0x10000, 'rU', [13]],
  ['PBMT is reserved', 0x11000, 'wU', [15]],
  ['N is reserved', 0x12000, 'rU', [13]],
  ['the last page of 56 bits has no RAM', 0x13000, 'rU', [5]],
  ['a megapage', 2 * MB + 0x23456, 'wU', [0x423456, 0x11008, 0x001000d7], [15]],
  ['a megapage, to its last byte', 4 * MB - 1, 'rU', [0x5fffff, 0x11008, 0x00100057]],
  ["the supervisor's megapage", 16 * MB + 0x1000, 'xS', [0x601000, 0x11040, 0x0018004b]],
  ['a misaligned megapage', 4 * MB, 'rU', [13]],
  ['a misaligned megapage far away is a page fault too', 18 * MB, 'wU', [15]],
  ['an entry of 0 at level 1', 6 * MB, 'xU', [12]],
  ['A in a pointer is reserved', 8 * MB, 'rS', [13]],
  ['D in a pointer is reserved', 10 * MB, 'wS', [15]],
  ['U in a pointer is reserved', 12 * MB, 'xS', [12]],
  ['W without R at level 1', 14 * MB, 'rS', [13]],
  ['bit 60 of a pointer is reserved', 20 * MB, 'rS', [13]],
  ['a gigapage', GB + 0x654321, 'wU', [0x654321, 0x10008, 0x000000df]],
  ['a gigapage, where RAM has ended', GB + 0x1000000, 'rU', [5]],
  ['a gigapage of the supervisor', 8 * GB + 0x1234, 'wS', [0x1234, 0x10040, 0x000000cf], [15]],
  ['a misaligned gigapage', 2 * GB, 'rU', [13]],
  ['bit 54 of a pointer is reserved', 3 * GB, 'rS', [13]],
  ['N in a pointer is reserved', 4 * GB, 'rS', [13]],
  ['PBMT in a pointer is reserved', 5 * GB, 'wS', [15]],
  ['a table where no RAM is, for a load', 6 * GB, 'rS', [5]],
  ['a table where no RAM is, for a store', 6 * GB, 'wS', [7]],
  ['a table where no RAM is, for a fetch', 6 * GB, 'xS', [1]],
  ['a gigapage where no RAM is', 7 * GB, 'xU', [1]],
  ['a root entry of 0', 9 * GB, 'rU', [13]],
  ["the kernel's first page", K + 0x2008, 'rS sum', [0x102008, 0x12010, 0x000408d7]],
  ['the highest page', -1, 'rS', [0x1fffff, 0x12ff8, 0x0007fcc7]],
  ['the last address of the lower half', 2 ** 38 - 1, 'rU', [13]],
  ['bit 38 without bits 63:39', 2 ** 38, 'rU', [13]],
  ['bit 39 without bit 38', 2 ** 39, 'wS', [15]],
  ['bits 63:39 without bit 38', K - 1, 'xS', [12]],
  ['an address of 52 bits whose low ones are mapped', 2 ** 51 + 0x2000, 'rU', [13]],
];
