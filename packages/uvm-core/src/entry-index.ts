import type { Va } from '@uvmkit/pmap';
import type { MapEntry } from './entry.ts';

/** Entries in a chunk. */
const CAPACITY = 128;
/** Words of a chunk's bounds: a start and an end each. */
const BOUNDS = CAPACITY * 2;
/** The start of a place that is not in use: beyond every page, so that searches need not know how many are. */
const UNUSED = 0x7fffffff;

/**
 * The entries of a map by address, found in logarithmic time.
 *
 *     firsts:  [ 0x1 | 0x80 | 0x400 ]        first page of each chunk's first entry, in order
 *     order:   [  0  |  2   |   1   ]        which chunk that is
 *                 │     │       │
 *     bounds:  [ starts … │ ends … ][ starts … │ ends … ] …     a chunk: 128 starts, sorted, and 128 ends
 *     entries: [ entries …         ][ entries …         ] …
 *
 * Bounds are page numbers, 32 bits each: two binary searches touch few cache lines even with a million
 * entries, and a lookup does not touch the entry that it finds. An insertion moves at most one chunk.
 * NetBSD of 2001 walked a list from a hint; the list is still there (`prev`, `next`).
 */
export class EntryIndex {
  private readonly pageSize: number;
  /** 1 / pageSize: exact, since that is a power of two. */
  private readonly perByte: number;
  private chunks = 0;
  private firsts: Int32Array = new Int32Array(4);
  private order: Int32Array = new Int32Array(4);
  private bounds: Int32Array = new Int32Array(BOUNDS).fill(UNUSED);
  private readonly entries: (MapEntry | null)[] = [];
  /** By chunk: entries in it. */
  private readonly counts: number[] = [];
  /** By chunk: no gap behind one of its entries has more pages; negative if that must be measured anew. */
  private readonly widestGap: number[] = [];
  /** Chunks that are in no use. */
  private readonly spare: number[] = [];
  private readonly remembers: boolean;
  /** Pages of the entry that {@link find} found last, and its place in `entries`, while all is as it was. */
  private lastStart = 0;
  private lastEnd = 0;
  private lastPlace = -1;

  /**
   * @param pageSize bytes; bounds of entries are multiples of it
   * @param remembers whether {@link find} tries the entry that it found last first
   */
  constructor(pageSize: number, remembers = true) {
    this.pageSize = pageSize;
    this.remembers = remembers;
    this.perByte = 1 / pageSize;
  }

  /** The entry found last, unless an entry came, went or changed since; null if there is none. */
  get recent(): MapEntry | null {
    return this.lastPlace < 0 ? null : this.entries[this.lastPlace]!;
  }

  /** The entry that covers `va`, or null. */
  find(va: Va): MapEntry | null {
    const page = this.page(va);
    if (page < this.lastEnd && page >= this.lastStart) return this.entries[this.lastPlace]!;
    const at = upperBound(this.firsts, 0, this.chunks, page) - 1;
    if (at < 0) return null;
    const chunk = this.order[at]!;
    const base = chunk * BOUNDS;
    const place = upperBound(this.bounds, base, base + CAPACITY, page) - 1;
    const end = this.bounds[place + CAPACITY]!;
    if (page >= end) return null;
    const found = place - base + chunk * CAPACITY;
    if (!this.remembers) return this.entries[found]!;
    this.lastStart = this.bounds[place]!;
    this.lastEnd = end;
    this.lastPlace = found;
    return this.entries[found]!;
  }

  /** The last entry that starts at or below `va`, or null. */
  floor(va: Va): MapEntry | null {
    const page = this.page(va);
    const at = upperBound(this.firsts, 0, this.chunks, page) - 1;
    if (at < 0) return null;
    const chunk = this.order[at]!;
    return this.entries[chunk * CAPACITY + this.placeIn(chunk, page)]!;
  }

  /** Adds an entry whose start no other entry has. */
  insert(entry: MapEntry): void {
    const page = this.page(entry.start);
    this.forget();
    if (this.chunks === 0) this.insertChunk(0, page);
    let at = Math.max(upperBound(this.firsts, 0, this.chunks, page) - 1, 0);
    if (this.counts[this.order[at]!] === CAPACITY) {
      this.split(at, page);
      at = upperBound(this.firsts, 0, this.chunks, page) - 1;
    }
    const chunk = this.order[at]!;
    const count = this.counts[chunk]!;
    const place = this.placeIn(chunk, page) + 1;
    this.shift(chunk, place, place + 1, count - place);
    this.put(chunk, place, entry);
    this.counts[chunk] = count + 1;
    this.widestGap[chunk] = -1;
    if (place === 0) this.firsts[at] = page;
  }

  /** Takes an entry away. The gap before it grows, so the chunk of its predecessor is measured anew. */
  remove(entry: MapEntry): void {
    this.forget();
    const at = this.chunkOf(entry.start);
    const chunk = this.order[at]!;
    const count = this.counts[chunk]! - 1;
    const place = this.placeIn(chunk, this.page(entry.start));
    this.shift(chunk, place + 1, place, count - place);
    this.bounds[chunk * BOUNDS + count] = UNUSED;
    this.entries[chunk * CAPACITY + count] = null;
    this.counts[chunk] = count;
    this.widestGap[chunk] = -1;
    if (place !== 0) return;
    if (at > 0) this.widestGap[this.order[at - 1]!] = -1;
    if (count === 0) this.removeChunk(at);
    else this.firsts[at] = this.bounds[chunk * BOUNDS]!;
  }

  /** Tells that an entry's bounds changed, but not its place in the order. `old` is where it started. */
  moved(old: Va, entry: MapEntry): void {
    this.forget();
    const at = this.chunkOf(old);
    const chunk = this.order[at]!;
    const place = this.placeIn(chunk, this.page(old));
    this.put(chunk, place, entry);
    this.widestGap[chunk] = -1;
    if (place === 0) this.firsts[at] = this.page(entry.start);
  }

  /**
   * The first entry, from `entry` on, with at least `length` free bytes behind it; null if there is
   * none. `limit` is where the map ends.
   */
  gapFrom(entry: MapEntry, length: number, limit: Va): MapEntry | null {
    const wanted = length / this.pageSize;
    const end = this.page(limit);
    let at = this.chunkOf(entry.start);
    let place = this.placeIn(this.order[at]!, this.page(entry.start));
    for (; at < this.chunks; at++, place = 0) {
      const chunk = this.order[at]!;
      if (this.widestGap[chunk]! < 0) this.measure(at, end);
      if (this.widestGap[chunk]! < wanted) continue;
      for (; place < this.counts[chunk]!; place++)
        if (this.gapBehind(at, place, end) >= wanted)
          return this.entries[chunk * CAPACITY + place]!;
    }
    return null;
  }

  /** Whether the entry is here with the bounds that it has: for the invariants. */
  holds(entry: MapEntry): boolean {
    const at = this.chunkOf(entry.start);
    if (at < 0) return false;
    const chunk = this.order[at]!;
    const place = this.placeIn(chunk, this.page(entry.start));
    const start = chunk * BOUNDS + place;
    return (
      this.entries[chunk * CAPACITY + place] === entry &&
      this.bounds[start] === this.page(entry.start) &&
      this.bounds[start + CAPACITY] === this.page(entry.end)
    );
  }

  private page(va: Va): number {
    return Math.floor(va * this.perByte);
  }

  /** Nothing is known to be as it was. */
  private forget(): void {
    this.lastStart = this.lastEnd = 0;
    this.lastPlace = -1;
  }

  /** Where in the order the chunk stands that holds the entry starting at `start`. */
  private chunkOf(start: Va): number {
    return upperBound(this.firsts, 0, this.chunks, this.page(start)) - 1;
  }

  /** Place within the chunk of the last entry that starts at or below `page`; −1 if none does. */
  private placeIn(chunk: number, page: number): number {
    const base = chunk * BOUNDS;
    return upperBound(this.bounds, base, base + CAPACITY, page) - 1 - base;
  }

  private put(chunk: number, place: number, entry: MapEntry): void {
    this.bounds[chunk * BOUNDS + place] = this.page(entry.start);
    this.bounds[chunk * BOUNDS + CAPACITY + place] = this.page(entry.end);
    this.entries[chunk * CAPACITY + place] = entry;
  }

  /** Moves `count` entries of a chunk from one place to another. */
  private shift(chunk: number, from: number, to: number, count: number): void {
    const starts = chunk * BOUNDS;
    const ends = starts + CAPACITY;
    const entries = chunk * CAPACITY;
    this.bounds.copyWithin(starts + to, starts + from, starts + from + count);
    this.bounds.copyWithin(ends + to, ends + from, ends + from + count);
    this.entries.copyWithin(entries + to, entries + from, entries + from + count);
  }

  /** Free pages behind the entry at a place of the chunk that is at `at` in the order. */
  private gapBehind(at: number, place: number, limit: number): number {
    const chunk = this.order[at]!;
    const start = chunk * BOUNDS + place;
    let following = limit;
    if (place + 1 < this.counts[chunk]!) following = this.bounds[start + 1]!;
    else if (at + 1 < this.chunks) following = this.firsts[at + 1]!;
    return following - this.bounds[start + CAPACITY]!;
  }

  private measure(at: number, limit: number): void {
    const chunk = this.order[at]!;
    let widest = 0;
    for (let place = 0; place < this.counts[chunk]!; place++)
      widest = Math.max(widest, this.gapBehind(at, place, limit));
    this.widestGap[chunk] = widest;
  }

  /** Makes room in a full chunk for an entry at `page`. A map that grows upwards keeps its chunks full. */
  private split(at: number, page: number): void {
    const full = this.order[at]!;
    const from = full * BOUNDS;
    const append = at === this.chunks - 1 && page > this.bounds[from + CAPACITY - 1]!;
    const keep = append ? CAPACITY : CAPACITY >> 1;
    const upper = this.insertChunk(at + 1, append ? page : this.bounds[from + keep]!);
    const to = upper * BOUNDS;
    this.bounds.copyWithin(to, from + keep, from + CAPACITY);
    this.bounds.copyWithin(to + CAPACITY, from + CAPACITY + keep, from + BOUNDS);
    this.bounds.fill(UNUSED, from + keep, from + CAPACITY);
    const entries = full * CAPACITY;
    this.entries.copyWithin(upper * CAPACITY, entries + keep, entries + CAPACITY);
    this.entries.fill(null, entries + keep, entries + CAPACITY);
    this.counts[upper] = CAPACITY - keep;
    this.counts[full] = keep;
    this.widestGap[full] = -1;
  }

  /** Puts an empty chunk at `at` in the order; returns which. */
  private insertChunk(at: number, first: number): number {
    const chunk = this.spare.pop() ?? this.counts.length;
    if (chunk === this.counts.length) {
      for (let place = 0; place < CAPACITY; place++) this.entries.push(null);
      if (this.bounds.length < (chunk + 1) * BOUNDS) this.bounds = widen(this.bounds);
    }
    this.counts[chunk] = 0;
    this.widestGap[chunk] = -1;
    if (this.chunks === this.firsts.length) {
      this.firsts = widen(this.firsts);
      this.order = widen(this.order);
    }
    this.firsts.copyWithin(at + 1, at, this.chunks);
    this.order.copyWithin(at + 1, at, this.chunks);
    this.firsts[at] = first;
    this.order[at] = chunk;
    this.chunks++;
    return chunk;
  }

  private removeChunk(at: number): void {
    this.spare.push(this.order[at]!);
    this.firsts.copyWithin(at, at + 1, this.chunks);
    this.order.copyWithin(at, at + 1, this.chunks);
    this.chunks--;
  }
}

/** The place behind the last of the sorted numbers in [low, high) that is at most `page`. */
function upperBound(sorted: Int32Array, low: number, high: number, page: number): number {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= page) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A copy with twice the room. */
function widen(array: Int32Array): Int32Array {
  const wider = new Int32Array(array.length * 2).fill(UNUSED);
  wider.set(array);
  return wider;
}
