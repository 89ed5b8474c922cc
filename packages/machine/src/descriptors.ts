import { EBADF, EMFILE, type Errno } from '@uvmkit/pmap';
import type { OpenFile } from './open-file.ts';

/** The most descriptors that a process may have, whatever its limit. */
export const OPEN_MAX = 1024;

/** A process' descriptors (`struct filedesc`). */
export class Descriptors {
  readonly #open: (OpenFile | null)[] = [];

  /**
   * Gives the lowest free descriptor to an open file; EMFILE (negative: −EMFILE) if there is none.
   *
   * @param limit RLIMIT_NOFILE
   */
  add(open: OpenFile, limit: number): number {
    let fd = this.#open.indexOf(null);
    if (fd < 0) fd = this.#open.length;
    if (fd >= Math.min(limit, OPEN_MAX)) return -EMFILE;
    this.#open[fd] = open;
    return fd;
  }

  /** What a descriptor refers to, or null. */
  get(fd: number): OpenFile | null {
    return this.#open[fd] ?? null;
  }

  /** EBADF if it is not open. */
  close(fd: number): Errno {
    const open = this.get(fd);
    if (open === null) return EBADF;
    this.#open[fd] = null;
    open.release();
    return 0;
  }

  /** What the descriptors refer to, once for each. */
  *openFiles(): Generator<OpenFile, void, void> {
    for (const open of this.#open) if (open !== null) yield open;
  }

  closeAll(): void {
    for (let fd = 0; fd < this.#open.length; fd++) this.close(fd);
  }

  /** A child's: the same open files under the same numbers. */
  copy(): Descriptors {
    const copy = new Descriptors();
    for (const open of this.#open) {
      if (open !== null) open.refs++;
      copy.#open.push(open);
    }
    return copy;
  }
}
