import { EACCES, EBADF, EEXIST, EINVAL, EMFILE, ENOENT, type Errno } from '@uvmkit/pmap';
import type { File } from './file.ts';
import type { FileSystem } from './fs.ts';

/** open(2) flags (sys/fcntl.h). */
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_APPEND = 0x0008;
export const O_CREAT = 0x0200;
export const O_TRUNC = 0x0400;
export const O_EXCL = 0x0800;
const O_ACCMODE = 3;

/** lseek(2) origins. */
export const SEEK_SET = 0;
export const SEEK_CUR = 1;
export const SEEK_END = 2;

/** The most descriptors that a process may have. */
export const OPEN_MAX = 1024;

/** What one open(2) made (`struct file`): shared by the descriptors that dup and fork made of it, with one offset. */
export class OpenFile {
  readonly file: File;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly append: boolean;
  /** Where the next read or write begins, bytes. */
  offset = 0;
  /** Descriptors that refer to it. */
  refs = 1;

  constructor(file: File, flags: number) {
    const mode = flags & O_ACCMODE;
    this.file = file;
    this.readable = mode !== O_WRONLY;
    this.writable = mode !== O_RDONLY;
    this.append = (flags & O_APPEND) !== 0;
    file.vnode.refs++;
  }

  /** One descriptor fewer; the last one lets the vnode go. */
  release(): void {
    if (--this.refs === 0) this.file.vnode.refs--;
  }
}

/**
 * open(2) up to the descriptor: finds or makes the file and checks its mode.
 *
 * @returns EINVAL for a bad access mode, ENOENT without O_CREAT, EEXIST with O_EXCL, EACCES if the mode forbids it
 */
export function openFile(
  fs: FileSystem,
  name: string,
  flags: number,
  mode: number,
  superuser: boolean,
): OpenFile | Errno {
  const access = flags & O_ACCMODE;
  if (access === O_ACCMODE) return EINVAL;
  let file = fs.lookup(name);
  const exclusive = (flags & (O_CREAT | O_EXCL)) === (O_CREAT | O_EXCL);
  if (file !== null && exclusive) return EEXIST;
  if (file === null) {
    if ((flags & O_CREAT) === 0) return ENOENT;
    file = fs.create(name, 0, mode);
    // Whoever makes a file may use it as asked, whatever its mode says to those who come later.
    return new OpenFile(file, flags);
  }
  if (!superuser && access !== O_WRONLY && (file.mode & 0o400) === 0) return EACCES;
  if (!superuser && access !== O_RDONLY && (file.mode & 0o200) === 0) return EACCES;
  return new OpenFile(file, flags);
}

/** A process' descriptors (`struct filedesc`). */
export class Descriptors {
  readonly #open: (OpenFile | null)[] = [];

  /** Gives the lowest free descriptor to an open file; EMFILE (negative: −EMFILE) if there is none. */
  add(open: OpenFile): number {
    let fd = this.#open.indexOf(null);
    if (fd < 0) fd = this.#open.length;
    if (fd >= OPEN_MAX) return -EMFILE;
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
