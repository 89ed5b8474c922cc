/** No page. */
export const NO_PAGE = -1;

/**
 * Doubly-linked queues over one set of pages (`TAILQ` of vm_page). A page is on at most one queue at a
 * time, so all of them share one pair of link arrays.
 */
export class PageQueues {
  readonly #next: Int32Array;
  readonly #prev: Int32Array;
  readonly #head: Int32Array;
  readonly #tail: Int32Array;

  constructor(pages: number, queues: number) {
    this.#next = new Int32Array(pages);
    this.#prev = new Int32Array(pages);
    this.#head = new Int32Array(queues).fill(NO_PAGE);
    this.#tail = new Int32Array(queues).fill(NO_PAGE);
  }

  /** The first page of a queue, or {@link NO_PAGE}. */
  first(queue: number): number {
    return this.#head[queue]!;
  }

  /** The page after `page` on its queue, or {@link NO_PAGE}. */
  after(page: number): number {
    return this.#next[page]!;
  }

  insertHead(queue: number, page: number): void {
    const head = this.#head[queue]!;
    this.#next[page] = head;
    this.#prev[page] = NO_PAGE;
    if (head === NO_PAGE) this.#tail[queue] = page;
    else this.#prev[head] = page;
    this.#head[queue] = page;
  }

  insertTail(queue: number, page: number): void {
    const tail = this.#tail[queue]!;
    this.#prev[page] = tail;
    this.#next[page] = NO_PAGE;
    if (tail === NO_PAGE) this.#head[queue] = page;
    else this.#next[tail] = page;
    this.#tail[queue] = page;
  }

  /** Takes `page` off `queue`; it must be on it. */
  remove(queue: number, page: number): void {
    const next = this.#next[page]!;
    const prev = this.#prev[page]!;
    if (prev === NO_PAGE) this.#head[queue] = next;
    else this.#next[prev] = next;
    if (next === NO_PAGE) this.#tail[queue] = prev;
    else this.#prev[next] = prev;
  }

  get bytes(): number {
    return this.#next.byteLength * 2 + this.#head.byteLength * 2;
  }
}
