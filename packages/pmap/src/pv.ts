import type { PmapId, Va } from './address.ts';

/** No further pv entry. */
export const PV_NONE = -1;

/**
 * The reverse map: for each managed page, the (pmap, va) pairs that map it (`pv_entry` lists).
 *
 * Entries live in parallel arrays and are named by their index; `next` links those of one page, in
 * most-recent-first order, ending in {@link PV_NONE}. The arrays double as they fill, up to `limit`
 * entries, so that a port's shortage of pv entries can be provoked.
 *
 *     head[page] ──▶ entry ──next──▶ entry ──next──▶ PV_NONE
 *                    pmap, va, aux   pmap, va, aux
 */
export class PvTable {
  /** First entry of each managed page, by page index. */
  readonly head: Int32Array;
  /** The entry after each entry. */
  next: Int32Array;
  /** The pmap that maps the page. */
  pmap: Int32Array;
  /** The page-aligned address at which it does. */
  va: Float64Array;
  /** A word for the port: the physical page number of the page-table page, a slot, … */
  aux: Int32Array;
  /** Entries in use. */
  count = 0;
  readonly limit: number;
  private free: number = PV_NONE;
  private used = 0;

  /**
   * @param pages managed pages: valid page indices are 0 … pages − 1
   * @param limit the most entries that may be in use at once
   */
  constructor(pages: number, limit: number = Number.POSITIVE_INFINITY) {
    this.head = new Int32Array(pages).fill(PV_NONE);
    this.limit = limit;
    const room = Math.min(Math.max(64, pages >> 2), limit);
    this.next = new Int32Array(room);
    this.pmap = new Int32Array(room);
    this.va = new Float64Array(room);
    this.aux = new Int32Array(room);
  }

  /** Puts an entry at the front of the page's list. False, and nothing changed, if none is left. */
  insert(page: number, pmap: PmapId, va: Va, aux: number): boolean {
    let entry = this.free;
    if (entry !== PV_NONE) this.free = this.next[entry]!;
    else if (this.used < this.next.length || this.grow()) entry = this.used++;
    else return false;
    this.pmap[entry] = pmap;
    this.va[entry] = va;
    this.aux[entry] = aux;
    this.next[entry] = this.head[page]!;
    this.head[page] = entry;
    this.count++;
    return true;
  }

  /** The page's entry for (pmap, va), or {@link PV_NONE}. */
  find(page: number, pmap: PmapId, va: Va): number {
    let entry = this.head[page]!;
    while (entry !== PV_NONE && (this.va[entry] !== va || this.pmap[entry] !== pmap))
      entry = this.next[entry]!;
    return entry;
  }

  /** Takes the page's entry for (pmap, va) away. False if there is none. */
  remove(page: number, pmap: PmapId, va: Va): boolean {
    let before: number = PV_NONE;
    let entry = this.head[page]!;
    while (entry !== PV_NONE && (this.va[entry] !== va || this.pmap[entry] !== pmap)) {
      before = entry;
      entry = this.next[entry]!;
    }
    if (entry === PV_NONE) return false;
    const after = this.next[entry]!;
    if (before === PV_NONE) this.head[page] = after;
    else this.next[before] = after;
    this.release(entry);
    return true;
  }

  /** Takes the first entry of the page's list away; its fields stay readable until the next insert. */
  pop(page: number): number {
    const entry = this.head[page]!;
    if (entry === PV_NONE) return PV_NONE;
    this.head[page] = this.next[entry]!;
    this.release(entry);
    return entry;
  }

  /** True if an entry could be inserted now. */
  available(): boolean {
    return this.count < this.limit;
  }

  /** Bytes of the arrays. */
  get bytes(): number {
    return (
      this.head.byteLength +
      this.next.byteLength +
      this.pmap.byteLength +
      this.va.byteLength +
      this.aux.byteLength
    );
  }

  private release(entry: number): void {
    this.next[entry] = this.free;
    this.free = entry;
    this.count--;
  }

  private grow(): boolean {
    const room = Math.min(this.next.length * 2, this.limit);
    if (room <= this.next.length) return false;
    const next = new Int32Array(room);
    const pmap = new Int32Array(room);
    const va = new Float64Array(room);
    const aux = new Int32Array(room);
    next.set(this.next);
    pmap.set(this.pmap);
    va.set(this.va);
    aux.set(this.aux);
    this.next = next;
    this.pmap = pmap;
    this.va = va;
    this.aux = aux;
    return true;
  }
}
