/** Cells in a slab. */
const SLAB = 256;

/** The cell that is all zeroes and never written: what untouched memory reads as. */
export const ZERO_CELL = 0;

/**
 * The bytes that pages should hold, kept apart from the machine that is being checked: numbered cells, each as
 * large as what stands for a recorded page.
 *
 * A cell that belongs to private memory counts the processes that see it, as fork leaves it; one of a file or
 * of shared memory has no count and lives as long as the replay.
 */
export class Cells {
  /** Bytes in a cell. */
  readonly size: number;
  readonly #littleEndian: boolean;
  readonly #bytes: Uint8Array[] = [];
  readonly #views: DataView[] = [];
  #refs: Int32Array = new Int32Array(SLAB);
  readonly #free: number[] = [];
  #next = 0;

  constructor(size: number, littleEndian: boolean) {
    this.size = size;
    this.#littleEndian = littleEndian;
    this.#refs[this.alloc()] = 1;
  }

  /** Cells that hold something now. */
  get live(): number {
    return this.#next - this.#free.length;
  }

  /** A new cell of zeroes, with one reference. */
  alloc(): number {
    const free = this.#free.pop();
    if (free !== undefined) {
      this.bytes(free).fill(0);
      this.#refs[free] = 1;
      return free;
    }
    const cell = this.#next++;
    if (cell % SLAB === 0) {
      const slab = new Uint8Array(SLAB * this.size);
      this.#bytes.push(slab);
      this.#views.push(new DataView(slab.buffer));
      if (cell === this.#refs.length) {
        const refs = new Int32Array(cell * 2);
        refs.set(this.#refs);
        this.#refs = refs;
      }
    }
    this.#refs[cell] = 1;
    return cell;
  }

  /** A new cell with the bytes of another. */
  copy(from: number): number {
    const cell = this.alloc();
    this.bytes(cell).set(this.bytes(from));
    return cell;
  }

  refs(cell: number): number {
    return this.#refs[cell]!;
  }

  hold(cell: number): void {
    this.#refs[cell]!++;
  }

  /** One reference fewer; the last one frees the cell. */
  release(cell: number): void {
    if (--this.#refs[cell]! === 0) this.#free.push(cell);
  }

  /** All the bytes of a cell, to read or to write. */
  bytes(cell: number): Uint8Array {
    const at = (cell % SLAB) * this.size;
    return this.#bytes[Math.floor(cell / SLAB)]!.subarray(at, at + this.size);
  }

  /** 32 bits in the machine's byte order, as an unsigned number. */
  word(cell: number, offset: number): number {
    return this.#views[cell >>> 8]!.getUint32(
      (cell & 255) * this.size + offset,
      this.#littleEndian,
    );
  }

  setWord(cell: number, offset: number, value: number): void {
    this.#views[cell >>> 8]!.setUint32(
      (cell & 255) * this.size + offset,
      value,
      this.#littleEndian,
    );
  }
}
