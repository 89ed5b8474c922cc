import type { Va } from '@uvmkit/pmap';
import type { MapEntry } from './entry.ts';

const CAPACITY = 256;

/** A run of neighbouring entries with their start addresses, and the widest gap behind any of them. */
class Chunk {
  readonly starts = new Float64Array(CAPACITY);
  readonly entries: MapEntry[] = [];
  /** No gap behind an entry of this chunk is wider; recomputed when an entry came or went. */
  widestGap = Number.POSITIVE_INFINITY;
  gapsChanged = true;
}

/**
 * The entries of a map by address, found in logarithmic time.
 *
 *     firsts:  [ 0x1000 | 0x80000 | 0x400000 ]        one start per chunk
 *                  │         │          │
 *     chunks:  [ ≤ 256 ] [ ≤ 256 ] [ ≤ 256 ]          starts beside entries, both sorted
 *
 * Two binary searches over packed numbers touch few cache lines even with a million entries, and an
 * insertion moves at most one chunk. NetBSD of 2001 walked a list from a hint; the list is still there (`prev`, `next`).
 */
export class EntryIndex {
  #chunks: Chunk[] = [];
  #firsts = new Float64Array(8);

  /** The last entry that starts at or below `va`, or null. */
  floor(va: Va): MapEntry | null {
    const at = this.#chunkOf(va);
    if (at < 0) return null;
    const chunk = this.#chunks[at]!;
    return chunk.entries[upperBound(chunk.starts, chunk.entries.length, va) - 1]!;
  }

  /** Adds an entry whose start no other entry has. */
  insert(entry: MapEntry): void {
    if (this.#chunks.length === 0) this.#insertChunk(0, new Chunk(), entry.start);
    let at = Math.max(this.#chunkOf(entry.start), 0);
    let chunk = this.#chunks[at]!;
    if (chunk.entries.length === CAPACITY) {
      this.#split(at);
      at = Math.max(this.#chunkOf(entry.start), 0);
      chunk = this.#chunks[at]!;
    }
    const position = upperBound(chunk.starts, chunk.entries.length, entry.start);
    chunk.starts.copyWithin(position + 1, position, chunk.entries.length);
    chunk.starts[position] = entry.start;
    chunk.entries.splice(position, 0, entry);
    chunk.gapsChanged = true;
    if (position === 0) this.#firsts[at] = entry.start;
  }

  /** Takes an entry away. The gap before it grows, so the chunk of its predecessor is looked at anew. */
  remove(entry: MapEntry): void {
    const at = this.#chunkOf(entry.start);
    const chunk = this.#chunks[at]!;
    const position = upperBound(chunk.starts, chunk.entries.length, entry.start) - 1;
    chunk.starts.copyWithin(position, position + 1, chunk.entries.length);
    chunk.entries.splice(position, 1);
    chunk.gapsChanged = true;
    if (position === 0 && at > 0) this.#chunks[at - 1]!.gapsChanged = true;
    if (chunk.entries.length === 0) this.#removeChunk(at);
    else if (position === 0) this.#firsts[at] = chunk.starts[0]!;
  }

  /** Tells that an entry's start moved from `old` without changing its place in the order. */
  moved(old: Va, entry: MapEntry): void {
    const at = this.#chunkOf(old);
    const chunk = this.#chunks[at]!;
    const position = upperBound(chunk.starts, chunk.entries.length, old) - 1;
    chunk.starts[position] = entry.start;
    if (position === 0) this.#firsts[at] = entry.start;
  }

  /**
   * The first entry, from `entry` on, with at least `length` free bytes behind it; null if there is none. `limit` is
   * where the map ends.
   */
  gapFrom(entry: MapEntry, length: number, limit: Va): MapEntry | null {
    let at = this.#chunkOf(entry.start);
    let position =
      upperBound(this.#chunks[at]!.starts, this.#chunks[at]!.entries.length, entry.start) - 1;
    for (; at < this.#chunks.length; at++, position = 0) {
      const chunk = this.#chunks[at]!;
      if (chunk.gapsChanged) this.#measure(at, limit);
      if (chunk.widestGap < length) continue;
      for (; position < chunk.entries.length; position++) {
        const candidate = chunk.entries[position]!;
        if (this.#gapBehind(at, position, limit) >= length) return candidate;
      }
    }
    return null;
  }

  #gapBehind(at: number, position: number, limit: Va): number {
    const chunk = this.#chunks[at]!;
    const following =
      position + 1 < chunk.entries.length
        ? chunk.starts[position + 1]!
        : at + 1 < this.#chunks.length
          ? this.#firsts[at + 1]!
          : limit;
    return following - chunk.entries[position]!.end;
  }

  #measure(at: number, limit: Va): void {
    const chunk = this.#chunks[at]!;
    let widest = 0;
    for (let position = 0; position < chunk.entries.length; position++)
      widest = Math.max(widest, this.#gapBehind(at, position, limit));
    chunk.widestGap = widest;
    chunk.gapsChanged = false;
  }

  /** The chunk whose first entry starts at or below `va`; −1 if `va` lies below them all. */
  #chunkOf(va: Va): number {
    return upperBound(this.#firsts, this.#chunks.length, va) - 1;
  }

  #split(at: number): void {
    const full = this.#chunks[at]!;
    const half = CAPACITY >> 1;
    const upper = new Chunk();
    upper.entries.push(...full.entries.splice(half));
    upper.starts.set(full.starts.subarray(half));
    full.gapsChanged = true;
    this.#insertChunk(at + 1, upper, upper.starts[0]!);
  }

  #insertChunk(at: number, chunk: Chunk, first: Va): void {
    if (this.#chunks.length === this.#firsts.length) {
      const firsts = new Float64Array(this.#firsts.length * 2);
      firsts.set(this.#firsts);
      this.#firsts = firsts;
    }
    this.#firsts.copyWithin(at + 1, at, this.#chunks.length);
    this.#firsts[at] = first;
    this.#chunks.splice(at, 0, chunk);
  }

  #removeChunk(at: number): void {
    this.#firsts.copyWithin(at, at + 1, this.#chunks.length);
    this.#chunks.splice(at, 1);
  }
}

/** How many of the first `count` sorted numbers are at most `va`. */
function upperBound(sorted: Float64Array, count: number, va: Va): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= va) low = middle + 1;
    else high = middle;
  }
  return low;
}
