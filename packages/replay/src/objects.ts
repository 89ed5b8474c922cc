import type { Cells } from './cells.ts';
import { TRACE_PAGE } from './records.ts';
import type { TraceObject } from './regions.ts';

/** The made-up word at a word's place in a file: different for every file and every place, the same on every run. */
function fileWord(file: number, index: number): number {
  let word = Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(file + 1, 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d);
  return (word ^ (word >>> 12)) >>> 0;
}

/** Fills `bytes` with what file number `file` holds from `offset` on (a multiple of 4). */
export function fillFile(file: number, offset: number, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = bytes.length >>> 2;
  const first = offset / 4;
  for (let i = 0; i < words; i++) view.setUint32(i * 4, fileWord(file, first + i), true);
  for (let i = words * 4; i < bytes.length; i++)
    bytes[i] = fileWord(file, first + words) >>> (8 * (i % 4));
}

/** What the replay knows of one file or shared memory. */
class ObjectContents {
  /** By page: its cell, once it has been looked at. */
  readonly cells: Map<number, number> = new Map();
  /** Bytes of the made-up file that are still in it, on the machine's scale. */
  original: number;
  /** Bytes in the file, on the machine's scale. */
  size: number;

  constructor(original: number) {
    this.original = original;
    this.size = original;
  }
}

/**
 * The bytes that files and shared memory should hold.
 *
 * Offsets are the machine's: where the layout is spread, page n of a recorded file begins at n times the
 * machine's page ({@link scale}).
 */
export class Objects {
  readonly #cells: Cells;
  readonly #contents: ObjectContents[] = [];
  readonly #sizeOf: (object: TraceObject) => number;

  /** @param sizeOf recorded bytes that a file has before the recording begins */
  constructor(cells: Cells, sizeOf: (object: TraceObject) => number) {
    this.#cells = cells;
    this.#sizeOf = sizeOf;
  }

  /** The machine's offset of a recorded one. */
  scale(offset: number): number {
    return Math.floor(offset / TRACE_PAGE) * this.#cells.size + (offset % TRACE_PAGE);
  }

  /** Bytes, on the machine's scale, that a file has before the recording begins. */
  sizeOf(object: TraceObject): number {
    return object.kind === 'file' ? this.scale(this.#sizeOf(object)) : 0;
  }

  /** The cell of a page of an object, made when it is first asked for. */
  cell(object: TraceObject, page: number): number {
    const contents = this.#of(object);
    let cell = contents.cells.get(page);
    if (cell === undefined) {
      cell = this.#cells.alloc();
      contents.cells.set(page, cell);
      const { size } = this.#cells;
      const bytes = Math.min(size, contents.original - page * size);
      if (bytes > 0) fillFile(object.id, page * size, this.#cells.bytes(cell).subarray(0, bytes));
    }
    return cell;
  }

  /** Calls `visit` for each page that [offset, offset + length) of recorded bytes touches. */
  each(
    object: TraceObject,
    offset: number,
    length: number,
    visit: (cell: number, within: number, done: number, count: number) => void,
  ): void {
    for (let done = 0; done < length;) {
      const at = offset + done;
      const within = at % TRACE_PAGE;
      const count = Math.min(TRACE_PAGE - within, length - done);
      visit(this.cell(object, Math.floor(at / TRACE_PAGE)), within, done, count);
      done += count;
    }
  }

  /** The file ends at `size` recorded bytes now: what was behind reads as zeroes. */
  truncate(object: TraceObject, size: number): void {
    const contents = this.#of(object);
    const end = this.scale(size);
    contents.original = Math.min(contents.original, end);
    contents.size = end;
    for (const [page, cell] of contents.cells) {
      const keep = Math.max(0, Math.min(this.#cells.size, end - page * this.#cells.size));
      this.#cells.bytes(cell).fill(0, keep);
    }
  }

  /** Whether the file has bytes up to a recorded offset, as far as the recording tells. */
  reaches(object: TraceObject, end: number): boolean {
    return this.scale(end - 1) < this.#of(object).size;
  }

  /** The file was written up to a recorded offset. */
  extend(object: TraceObject, end: number): void {
    const contents = this.#of(object);
    contents.size = Math.max(contents.size, this.scale(end - 1) + 1);
  }

  #of(object: TraceObject): ObjectContents {
    return (this.#contents[object.id] ??= new ObjectContents(this.sizeOf(object)));
  }
}
