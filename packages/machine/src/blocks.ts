/** Which blocks of the disk are in use: one byte a block. */
export class BlockMap {
  /** Bytes of a block. */
  readonly blockSize: number;
  /** Blocks that are free. */
  available: number;
  readonly #used: Uint8Array;
  #rotor = 0;

  constructor(blockSize: number, count: number) {
    this.blockSize = blockSize;
    this.available = count;
    this.#used = new Uint8Array(count);
  }

  /** Blocks there are. */
  get count(): number {
    return this.#used.length;
  }

  /**
   * Takes a free block: the one behind `previous` if it is free, so that files lie in one piece; else the next
   * free one from where the last search ended.
   *
   * @param previous a block, or −1
   * @returns −1 if none is free
   */
  alloc(previous: number): number {
    if (this.available === 0) return -1;
    const wanted = previous + 1;
    let block = previous >= 0 && wanted < this.count ? wanted : this.#rotor;
    while (this.#used[block] === 1) block = block + 1 === this.count ? 0 : block + 1;
    this.#used[block] = 1;
    this.#rotor = block + 1 === this.count ? 0 : block + 1;
    this.available--;
    return block;
  }

  free(block: number): void {
    if (this.#used[block] !== 1) throw new RangeError(`block ${block} is not in use`);
    this.#used[block] = 0;
    this.available++;
  }
}
