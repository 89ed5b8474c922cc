/**
 * References that have been read but not yet been given to a process, merged.
 *
 * With `size` 0 a record is a run of references of one kind to one page, with nothing between them. With a larger size
 * the references are cut into windows of at most so many different pages; in a window, whatever one kind of reference does
 * to one page is one record, which stands where the first of them stood.
 */
export class ReferenceWindow {
  readonly #size: number;
  #kinds = new Uint8Array(1 << 12);
  #pages = new Float64Array(1 << 12);
  #counts = new Float64Array(1 << 12);
  #length = 0;
  /** Records before this one belong to closed windows. */
  #open = 0;
  /** With a size: where in the open window a (kind, page) pair has its record, and the pages in it. */
  readonly #where: Map<number, number> = new Map();
  readonly #distinct: Set<number> = new Set();

  constructor(size: number) {
    this.#size = size;
  }

  /** Records held. */
  get length(): number {
    return this.#length;
  }

  kind(record: number): number {
    return this.#kinds[record]!;
  }

  page(record: number): number {
    return this.#pages[record]!;
  }

  count(record: number): number {
    return this.#counts[record]!;
  }

  /** Takes in one reference. */
  note(kind: number, page: number): void {
    const last = this.#length - 1;
    if (last >= this.#open && this.#pages[last] === page && this.#kinds[last] === kind) {
      this.#counts[last]!++;
      return;
    }
    if (this.#size > 0) {
      const at = this.#where.get(page * 8 + kind);
      if (at !== undefined) {
        this.#counts[at]!++;
        return;
      }
      if (!this.#distinct.has(page)) {
        if (this.#distinct.size === this.#size) this.close();
        this.#distinct.add(page);
      }
      this.#where.set(page * 8 + kind, this.#length);
    }
    this.#append(kind, page);
  }

  /** Nothing after this is merged with anything before it. */
  close(): void {
    this.#open = this.#length;
    this.#where.clear();
    this.#distinct.clear();
  }

  /** Forgets everything. */
  clear(): void {
    this.#length = 0;
    this.close();
  }

  #append(kind: number, page: number): void {
    if (this.#length === this.#kinds.length) {
      const kinds = new Uint8Array(this.#length * 2);
      const pages = new Float64Array(this.#length * 2);
      const counts = new Float64Array(this.#length * 2);
      kinds.set(this.#kinds);
      pages.set(this.#pages);
      counts.set(this.#counts);
      this.#kinds = kinds;
      this.#pages = pages;
      this.#counts = counts;
    }
    this.#kinds[this.#length] = kind;
    this.#pages[this.#length] = page;
    this.#counts[this.#length++] = 1;
  }
}
