/** What pages come from: a file, or memory that several processes share. */
export interface TraceObject {
  /** Counted from 0, in the order in which the recording names them. */
  readonly id: number;
  readonly kind: 'file' | 'memory';
  /** The path as the recording has it; `(shared memory N)`. */
  readonly name: string;
}

/** What is mapped somewhere in a recorded address space. All numbers are recorded pages. */
export interface Region {
  readonly start: number;
  /** Not included. */
  readonly end: number;
  /** `VM_PROT_*` bits. */
  readonly prot: number;
  /** The page of the object at `start`; 0 without an object. */
  readonly offset: number;
  /** Null for memory that starts as zeroes. */
  readonly object: TraceObject | null;
  /** Whether stores are for everyone who maps the object, and survive a fork as such. */
  readonly shared: boolean;
  /** The heap is grown by brk, the stack by the kernel. */
  readonly what: 'map' | 'heap' | 'stack';
  /** Kept in memory by mlock or mlockall. */
  readonly locked: boolean;
}

/** The regions of one process: sorted, never overlapping. */
export class RegionMap {
  #regions: Region[] = [];
  #pages = 0;

  get regions(): readonly Region[] {
    return this.#regions;
  }

  /** Pages in all regions. */
  get pages(): number {
    return this.#pages;
  }

  /** The index of the first region that ends beyond `page`. */
  #search(page: number): number {
    let low = 0;
    let high = this.#regions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#regions[middle]!.end > page) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The region that holds a page, or null. */
  find(page: number): Region | null {
    const region = this.#regions[this.#search(page)];
    return region !== undefined && region.start <= page ? region : null;
  }

  /** The parts of regions that lie in [start, end), cut to it, in order. */
  within(start: number, end: number): Region[] {
    const parts: Region[] = [];
    for (let i = this.#search(start); i < this.#regions.length; i++) {
      const region = this.#regions[i]!;
      if (region.start >= end) break;
      parts.push(clip(region, start, end));
    }
    return parts;
  }

  /** Takes away whatever is in [start, end), and puts `regions` there, which lie in it. */
  replace(start: number, end: number, regions: readonly Region[]): void {
    const first = this.#search(start);
    let last = first;
    const pieces: Region[] = [];
    const after: Region[] = [];
    for (; last < this.#regions.length && this.#regions[last]!.start < end; last++) {
      const region = this.#regions[last]!;
      this.#pages -= Math.min(region.end, end) - Math.max(region.start, start);
      if (region.start < start) pieces.push(clip(region, region.start, start));
      if (region.end > end) after.push(clip(region, end, region.end));
    }
    for (const region of regions) this.#pages += region.end - region.start;
    this.#regions.splice(first, last - first, ...pieces, ...regions, ...after);
  }

  /** Changes the regions in [start, end), or all of them; not where they are. */
  update(change: (region: Region) => Region, start: number = 0, end: number = Infinity): void {
    const from = this.#regions[0]?.start ?? 0;
    const to = this.#regions.at(-1)?.end ?? 0;
    const first = Math.max(start, from);
    const last = Math.min(end, to);
    if (first < last) this.replace(first, last, this.within(first, last).map(change));
  }

  clear(): void {
    this.#regions = [];
    this.#pages = 0;
  }

  copy(): RegionMap {
    const copy = new RegionMap();
    copy.#regions = [...this.#regions];
    copy.#pages = this.#pages;
    return copy;
  }
}

/** The part of a region in [start, end). */
function clip(region: Region, start: number, end: number): Region {
  const from = Math.max(region.start, start);
  const to = Math.min(region.end, end);
  if (from === region.start && to === region.end) return region;
  const offset = region.object === null ? 0 : region.offset + from - region.start;
  return { ...region, start: from, end: to, offset };
}
