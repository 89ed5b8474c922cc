import type { Row } from '../row.ts';
import { absent } from './nb-absent.ts';
import { mincoreRows } from './nb-mincore.ts';
import { minheritRows } from './nb-minherit.ts';
import { mlockRows } from './nb-mlock.ts';
import { mmapRows } from './nb-mmap.ts';
import { mprotectRows } from './nb-mprotect.ts';
import { msyncRows } from './nb-msync.ts';
import { wiremaxRows } from './nb-wiremax.ts';
import { posixLockRows } from './op-mlock.ts';
import { posixLockAllRows } from './op-mlockall.ts';
import { posixMmapRows } from './op-mmap.ts';
import { posixMmapErrorRows } from './op-mmap-errors.ts';
import { posixMmapRangeRows } from './op-mmap-range.ts';
import { posixMunmapRows } from './op-munmap.ts';

/** Every row, in the order of the suites. */
export const rows: readonly Row[] = [
  ...mmapRows,
  ...mlockRows,
  ...mprotectRows,
  ...mincoreRows,
  ...minheritRows,
  ...msyncRows,
  ...wiremaxRows,
  ...absent,
  ...posixMmapRows,
  ...posixMmapRangeRows,
  ...posixMmapErrorRows,
  ...posixMunmapRows,
  ...posixLockRows,
  ...posixLockAllRows,
];
