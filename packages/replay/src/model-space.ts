import { type Cells, ZERO_CELL } from './cells.ts';

/** In a page's flags, beside the `VM_PROT_*` bits in the low three. */
export const PAGE_MAPPED = 8;
export const PAGE_SHARED = 16;
/** The process has its own copy, which no file or shared memory changes. */
export const PAGE_OWN = 32;
/** The page has been looked at: its cell is known. Until then it is what its region says. */
export const PAGE_KNOWN = 64;

/** log2 of the slots in a chunk. */
const CHUNK_SHIFT = 10;
const CHUNK = 1 << CHUNK_SHIFT;

/** A thousand slots of a page table. */
interface Chunk {
  readonly cells: Int32Array;
  readonly flags: Uint8Array;
}

/**
 * What one process should see: for every slot (recorded page of the layout) its rights and the cell with
 * its bytes. Private pages are copied when they are stored to, however many processes a fork has left with them.
 */
export class ModelSpace {
  readonly #cells: Cells;
  #chunks: (Chunk | undefined)[] = [];

  constructor(cells: Cells) {
    this.#cells = cells;
  }

  /** The flags of a slot; 0 if nothing is mapped there. */
  flags(slot: number): number {
    const chunk = this.#chunks[slot >>> CHUNK_SHIFT];
    return chunk === undefined ? 0 : chunk.flags[slot & (CHUNK - 1)]!;
  }

  /** The cell of a slot that is known. */
  cell(slot: number): number {
    return this.#chunks[slot >>> CHUNK_SHIFT]!.cells[slot & (CHUNK - 1)]!;
  }

  /** The cell of a slot that is known, to store to: the process' own, made now if need be, or the shared one. */
  writable(slot: number): number {
    const chunk = this.#chunks[slot >>> CHUNK_SHIFT]!;
    const at = slot & (CHUNK - 1);
    const flags = chunk.flags[at]!;
    const cell = chunk.cells[at]!;
    if ((flags & PAGE_SHARED) !== 0) return cell;
    const own = (flags & PAGE_OWN) !== 0;
    if (own && this.#cells.refs(cell) === 1) return cell;
    const copy = this.#cells.copy(cell);
    if (own) this.#cells.release(cell);
    chunk.flags[at] = flags | PAGE_OWN;
    chunk.cells[at] = copy;
    return copy;
  }

  /** The page of a slot turns out to be this cell of an object. */
  know(slot: number, cell: number): void {
    const chunk = this.#chunks[slot >>> CHUNK_SHIFT]!;
    chunk.cells[slot & (CHUNK - 1)] = cell;
    chunk.flags[slot & (CHUNK - 1)]! |= PAGE_KNOWN;
  }

  /** New mappings from `slot` on, each of which is what its region says; `known`: they are zeroes. */
  map(slot: number, count: number, flags: number, known: boolean): void {
    for (let at = slot; at < slot + count; at++) {
      const chunk = (this.#chunks[at >>> CHUNK_SHIFT] ??= {
        cells: new Int32Array(CHUNK),
        flags: new Uint8Array(CHUNK),
      });
      this.#drop(chunk, at & (CHUNK - 1));
      chunk.cells[at & (CHUNK - 1)] = ZERO_CELL;
      chunk.flags[at & (CHUNK - 1)] = flags | PAGE_MAPPED | (known ? PAGE_KNOWN : 0);
    }
  }

  unmap(slot: number, count: number): void {
    this.#each(slot, count, (chunk, at) => {
      this.#drop(chunk, at);
      chunk.flags[at] = 0;
    });
  }

  protect(slot: number, count: number, prot: number): void {
    this.#each(slot, count, (chunk, at) => {
      if (chunk.flags[at] !== 0) chunk.flags[at] = (chunk.flags[at]! & ~7) | prot;
    });
  }

  /** Takes the page of `from`, as it is, to `slot`; what was there goes, `from` keeps nothing. */
  move(from: number, slot: number): void {
    const chunk = this.#chunks[from >>> CHUNK_SHIFT]!;
    const at = from & (CHUNK - 1);
    const flags = chunk.flags[at]!;
    const cell = chunk.cells[at]!;
    chunk.flags[at] = 0;
    this.map(slot, 1, 0, false);
    const target = this.#chunks[slot >>> CHUNK_SHIFT]!;
    target.flags[slot & (CHUNK - 1)] = flags;
    target.cells[slot & (CHUNK - 1)] = cell;
  }

  /** A child's. */
  fork(): ModelSpace {
    const child = new ModelSpace(this.#cells);
    child.#chunks = this.#chunks.map((chunk) => {
      if (chunk === undefined) return undefined;
      for (let at = 0; at < CHUNK; at++)
        if ((chunk.flags[at]! & PAGE_OWN) !== 0) this.#cells.hold(chunk.cells[at]!);
      return { cells: chunk.cells.slice(), flags: chunk.flags.slice() };
    });
    return child;
  }

  /** Unmaps everything. */
  clear(): void {
    for (const chunk of this.#chunks)
      if (chunk !== undefined) for (let at = 0; at < CHUNK; at++) this.#drop(chunk, at);
    this.#chunks = [];
  }

  #drop(chunk: Chunk, at: number): void {
    if ((chunk.flags[at]! & PAGE_OWN) !== 0) this.#cells.release(chunk.cells[at]!);
  }

  #each(slot: number, count: number, visit: (chunk: Chunk, at: number) => void): void {
    for (let at = slot; at < slot + count; at++) {
      const chunk = this.#chunks[at >>> CHUNK_SHIFT];
      if (chunk !== undefined) visit(chunk, at & (CHUNK - 1));
    }
  }
}
