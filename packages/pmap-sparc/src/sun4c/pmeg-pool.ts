/** No PMEG, no owner. */
export const NO_PMEG = -1;

/** The lists a PMEG can be on: `segm_freelist`, `segm_lru`, `segm_locked`. */
export const PMEG_FREE = 0;
export const PMEG_LRU = 1;
export const PMEG_LOCKED = 2;
/** One of the three. */
export type PmegList = 0 | 1 | 2;

/**
 * Who has which PMEG (`struct mmuentry`): three lists, oldest first, and an owner and segment each.
 *
 *     free ── taken from the head, else ──▶ lru: its head loses its PMEG      locked: never taken
 *
 * LRU is a name only: nothing moves on use, so the order is that of loading.
 */
export class PmegPool {
  /** The map that has each PMEG (me_pmap); {@link NO_PMEG} where it is free. */
  readonly owner: Int32Array;
  /** The segment of that map (me_vreg, me_vseg). */
  readonly segment: Int32Array;
  private readonly list: Uint8Array;
  private readonly next: Int32Array;
  private readonly prev: Int32Array;
  private readonly head: Int32Array = new Int32Array(3).fill(NO_PMEG);
  private readonly tail: Int32Array = new Int32Array(3).fill(NO_PMEG);

  /** @param count PMEGs to hand out, from 0; all free at first */
  constructor(count: number) {
    this.owner = new Int32Array(count).fill(NO_PMEG);
    this.segment = new Int32Array(count);
    this.list = new Uint8Array(count);
    this.next = new Int32Array(count);
    this.prev = new Int32Array(count);
    for (let pmeg = 0; pmeg < count; pmeg++) this.append(pmeg, PMEG_FREE);
  }

  /** The oldest PMEG of a list, or {@link NO_PMEG}. */
  first(list: PmegList): number {
    return this.head[list]!;
  }

  /** The list that a PMEG is on. */
  listOf(pmeg: number): number {
    return this.list[pmeg]!;
  }

  /** Moves a PMEG to the end of a list. */
  move(pmeg: number, list: PmegList): void {
    const from = this.list[pmeg]!;
    const next = this.next[pmeg]!;
    const prev = this.prev[pmeg]!;
    if (prev === NO_PMEG) this.head[from] = next;
    else this.next[prev] = next;
    if (next === NO_PMEG) this.tail[from] = prev;
    else this.prev[next] = prev;
    this.append(pmeg, list);
  }

  private append(pmeg: number, list: PmegList): void {
    const last = this.tail[list]!;
    this.list[pmeg] = list;
    this.next[pmeg] = NO_PMEG;
    this.prev[pmeg] = last;
    if (last === NO_PMEG) this.head[list] = pmeg;
    else this.next[last] = pmeg;
    this.tail[list] = pmeg;
  }
}
