/** Which slots of one swap device are in use, and where a run of free ones is (the extent map of swapdev). */
export class SlotMap {
  readonly #used: Uint8Array;
  /** Nothing below is free. */
  #lowest = 0;

  constructor(slots: number) {
    this.#used = new Uint8Array(slots);
  }

  /** Takes the first run of `count` free slots; −1 if there is none. */
  alloc(count: number): number {
    let start = this.#lowest;
    let length = 0;
    for (let slot = start; slot < this.#used.length; slot++) {
      if (this.#used[slot] === 1) {
        length = 0;
        start = slot + 1;
      } else if (++length === count) {
        this.#used.fill(1, start, start + count);
        if (start === this.#lowest) this.#lowest = start + count;
        return start;
      }
    }
    return -1;
  }

  free(start: number, count: number): void {
    for (let slot = start; slot < start + count; slot++)
      if (this.#used[slot] !== 1)
        throw new RangeError(`swap slot ${slot} is not in use, it cannot be freed`);
    this.#used.fill(0, start, start + count);
    this.#lowest = Math.min(this.#lowest, start);
  }

  isUsed(slot: number): boolean {
    return this.#used[slot] === 1;
  }
}
