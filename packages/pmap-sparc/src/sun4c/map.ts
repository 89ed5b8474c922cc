import { NO_PA, type PhysicalMap } from '@uvmkit/pmap';
import { NO_CONTEXT } from '../context-pool.ts';
import { WireMap } from '../wire-map.ts';
import { NSEGMAP } from './pte.ts';

/**
 * One physical map: `struct pmap` of the 4c, its segments by their 12-bit numbers.
 *
 * A user's segment has the software copy of its PTEs in memory, in the hardware's format, for as long as it maps
 * anything. While a PMEG is loaded the truth is there, and the copy waits to be written back.
 */
export class Sun4cMap implements PhysicalMap {
  readonly id: number;
  references = 1;
  /** The context that stands for the map, or NO_CONTEXT. */
  context: number = NO_CONTEXT;
  /** Where each segment's copy is (sg_pte), or `NO_PA`. The kernel has none. */
  readonly copy: Int32Array = new Int32Array(NSEGMAP).fill(NO_PA);
  /** The PMEG of each segment (sg_pmeg), the invalid one if none is loaded. */
  readonly pmeg: Uint8Array;
  /** Valid PTEs of each segment (sg_npte). */
  readonly valid: Uint8Array = new Uint8Array(NSEGMAP);
  /** Valid PTEs that `enter` made. */
  resident = 0;
  /** pm_stats.wired_count. */
  wired = 0;
  /** Wired pages of each segment. */
  readonly wires: WireMap = new WireMap(NSEGMAP);

  constructor(id: number, invalid: number) {
    this.id = id;
    this.pmeg = new Uint8Array(NSEGMAP).fill(invalid);
  }
}
