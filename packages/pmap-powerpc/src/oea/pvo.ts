/** No PVO. */
export const PVO_NONE = -1;

/*
 * Flags in the low bits of pvo_vaddr (mpc6xx/pmap.c 1.28.4.7). PVO_WIRED has the value of
 * PMAP_WIRED. The slot is meaningful only with PTEGIDX_VALID.
 */
export const PVO_SLOT = 0x007;
export const PVO_PTEGIDX_VALID = 0x008;
export const PVO_WIRED = 0x010;
export const PVO_MANAGED = 0x020;
export const PVO_EXECUTABLE = 0x040;

/** Bytes of `struct pvo_entry`, and PVOs in a page of them. */
export const PVO_BYTES = 32;
export const PVOS_PER_PAGE: number = 4096 / PVO_BYTES;

/** Lists of PVOs by physical page: two for what has no vm_page, then one a managed page. */
export const LIST_UNMANAGED = 0;
export const LIST_KUNMANAGED = 1;
export const LIST_PAGES = 2;

/** Where PVOs come from: pmap_upvo_pool and pmap_mpvo_pool. */
export const POOL_UNMANAGED = 0;
export const POOL_MANAGED = 1;

/**
 * The PVOs (`struct pvo_entry`): what the pmap knows of every mapping, whether the hash table has room
 * for it or not. Each is on two lists, by physical page and by *primary* PTE group:
 *
 *     pageHead[list] ──▶ pvo ──vnext──▶ pvo ──▶ PVO_NONE     who maps this page?
 *     ptegHead[group] ─▶ pvo ──onext──▶ pvo ──▶ PVO_NONE     what might be found here?
 *                        vaddr  address │ flags
 *                        hi lo  the PTE: V in hi exactly while it is in the table, R and C harvested into lo
 *
 * Fields are parallel arrays, a PVO is an index. Two pools hand them out, each grown by whole pages
 * that are never given back.
 */
export class PvoStore {
  vaddr: Int32Array = new Int32Array(0);
  hi: Int32Array = new Int32Array(0);
  lo: Int32Array = new Int32Array(0);
  pmap: Int32Array = new Int32Array(0);
  /** The page list that each PVO is on. */
  list: Int32Array = new Int32Array(0);
  vnext: Int32Array = new Int32Array(0);
  onext: Int32Array = new Int32Array(0);
  pageHead: Int32Array = new Int32Array(LIST_PAGES).fill(PVO_NONE);
  readonly ptegHead: Int32Array;
  /** PVOs in use. */
  count = 0;
  private vprev: Int32Array = new Int32Array(0);
  private oprev: Int32Array = new Int32Array(0);
  private made = 0;
  private readonly free: Int32Array = new Int32Array(2).fill(PVO_NONE);
  private readonly limit: number;

  /**
   * @param groups PTE groups in the hash table
   * @param limit the most PVOs that may be in use at once
   */
  constructor(groups: number, limit: number) {
    this.ptegHead = new Int32Array(groups).fill(PVO_NONE);
    this.limit = limit;
  }

  /** Makes room for the lists of `pages` managed pages; what was mapped before stays where it is. */
  manage(pages: number): void {
    const heads = new Int32Array(LIST_PAGES + pages).fill(PVO_NONE);
    heads.set(this.pageHead.subarray(0, LIST_PAGES));
    this.pageHead = heads;
  }

  /** Puts a page's worth of PVOs into a pool. */
  addPage(pool: number): void {
    const first = this.made;
    this.made += PVOS_PER_PAGE;
    if (this.made > this.vaddr.length) this.grow(Math.max(this.made, this.vaddr.length * 2));
    for (let pvo = this.made - 1; pvo >= first; pvo--) this.release(pvo, pool);
  }

  /** Whether a PVO could be taken if its pool had one. */
  get withinLimit(): boolean {
    return this.count < this.limit;
  }

  /** Whether the pool has one at hand. */
  has(pool: number): boolean {
    return this.free[pool] !== PVO_NONE;
  }

  /** Takes a PVO from a pool that {@link has} one and puts it at the head of its two lists. */
  take(pool: number, group: number, list: number): number {
    const pvo = this.free[pool]!;
    this.free[pool] = this.onext[pvo]!;
    this.count++;
    this.list[pvo] = list;

    const byPage = this.pageHead[list]!;
    this.vnext[pvo] = byPage;
    this.vprev[pvo] = PVO_NONE;
    if (byPage !== PVO_NONE) this.vprev[byPage] = pvo;
    this.pageHead[list] = pvo;

    const byGroup = this.ptegHead[group]!;
    this.onext[pvo] = byGroup;
    this.oprev[pvo] = PVO_NONE;
    if (byGroup !== PVO_NONE) this.oprev[byGroup] = pvo;
    this.ptegHead[group] = pvo;
    return pvo;
  }

  /** Takes a PVO off its lists and gives it back to the pool it came from. */
  put(pvo: number, group: number): void {
    const list = this.list[pvo]!;
    const vnext = this.vnext[pvo]!;
    const vprev = this.vprev[pvo]!;
    if (vprev === PVO_NONE) this.pageHead[list] = vnext;
    else this.vnext[vprev] = vnext;
    if (vnext !== PVO_NONE) this.vprev[vnext] = vprev;

    const onext = this.onext[pvo]!;
    const oprev = this.oprev[pvo]!;
    if (oprev === PVO_NONE) this.ptegHead[group] = onext;
    else this.onext[oprev] = onext;
    if (onext !== PVO_NONE) this.oprev[onext] = oprev;

    this.count--;
    this.release(pvo, poolOf(list));
  }

  private release(pvo: number, pool: number): void {
    this.onext[pvo] = this.free[pool]!;
    this.free[pool] = pvo;
  }

  private grow(room: number): void {
    const larger = (old: Int32Array): Int32Array => {
      const array = new Int32Array(room);
      array.set(old);
      return array;
    };
    this.vaddr = larger(this.vaddr);
    this.hi = larger(this.hi);
    this.lo = larger(this.lo);
    this.pmap = larger(this.pmap);
    this.list = larger(this.list);
    this.vnext = larger(this.vnext);
    this.onext = larger(this.onext);
    this.vprev = larger(this.vprev);
    this.oprev = larger(this.oprev);
  }
}

/** The pool that serves a page list. */
export function poolOf(list: number): number {
  return list < LIST_PAGES ? POOL_UNMANAGED : POOL_MANAGED;
}
