import type { PhysicalMap } from '@uvmkit/pmap';
import { NO_CONTEXT } from '../context-pool.ts';
import { L1_TABLE_BYTES } from './pte.ts';

/** How many addresses wait for `pmap_update` before the whole context is flushed instead. */
const PENDING_ROOM = 32;

/** One physical map: `struct pmap` of the 4m. */
export class SrmmuMap implements PhysicalMap {
  readonly id: number;
  references = 1;
  /** The context that stands for the map, or NO_CONTEXT. */
  context: number = NO_CONTEXT;
  /** The level 1 table of each CPU. They differ only for the CPU's own page in the kernel's image. */
  readonly l1: Float64Array;
  /** CPUs whose TLB may hold entries of the map, one bit each (pm_cpuset). */
  cpuset = 0;
  /** Valid entries that `enter` made. */
  resident = 0;
  /** pm_stats.wired_count. */
  wired = 0;
  tableBytes: number;
  /** Pages whose flush waits for `update`; meaningless where {@link pendingCount} exceeds their room. */
  readonly pending: Float64Array = new Float64Array(PENDING_ROOM);
  pendingCount = 0;

  constructor(id: number, cpus: number) {
    this.id = id;
    this.l1 = new Float64Array(cpus);
    this.tableBytes = L1_TABLE_BYTES * cpus;
  }
}
