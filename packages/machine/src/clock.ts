/** Something that will happen. */
interface Event {
  /** When, in ns since boot. */
  readonly at: number;
  /** Events of one time happen in the order in which they were made. */
  readonly order: number;
  readonly happen: () => void;
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/**
 * Virtual time, in ns since boot, and what is going to happen in it: a binary heap of events, the
 * next one on top. Time passes by {@link charge}, for what CPUs do, and by {@link skip}, for waiting.
 */
export class Clock {
  #now = 0;
  #order = 0;
  readonly #heap: Event[] = [];

  /** ns since boot. */
  get now(): number {
    return this.#now;
  }

  /** Events that have not happened yet. */
  get pending(): number {
    return this.#heap.length;
  }

  /** When the next event is, in ns since boot; infinity if none is pending. */
  get next(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** True if something is to happen now or should have happened already. */
  get due(): boolean {
    return this.next <= this.#now;
  }

  /** Has `happen` called once, `delay` ns from now; never before this call has returned. */
  after(delay: number, happen: () => void): void {
    if (!(delay >= 0)) throw new RangeError(`a delay is 0 or more ns, given ${delay}`);
    const heap = this.#heap;
    const event: Event = { at: this.#now + delay, order: this.#order++, happen };
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  /** Lets time pass, for work done. What falls due meanwhile happens at the next {@link runDue}. */
  charge(ns: number): void {
    this.#now += ns;
  }

  /** Lets everything happen that is due. */
  runDue(): void {
    while (this.due) this.#pop().happen();
  }

  /**
   * Lets time pass until the next event, and that event happen.
   *
   * @returns false if nothing is pending
   */
  skip(): boolean {
    if (this.#heap.length === 0) return false;
    const event = this.#pop();
    this.#now = Math.max(this.#now, event.at);
    event.happen();
    return true;
  }

  #pop(): Event {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    const count = heap.length;
    if (count === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      if (child + 1 < count && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
