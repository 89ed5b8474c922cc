import { EINVAL, ENODEV, type Errno, ESPIPE, type Va } from '@uvmkit/pmap';
import type { MappableDeviceFile, MappableFile, Sleeping } from '@uvmkit/uvm-core';
import type { Context } from './context.ts';
import type { File } from './file.ts';
import { failed, type SyscallResult } from './result.ts';

/** open(2) flags (sys/fcntl.h). */
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_APPEND = 0x0008;
export const O_CREAT = 0x0200;
export const O_TRUNC = 0x0400;
export const O_EXCL = 0x0800;
export const O_ACCMODE = 3;

/** lseek(2) origins. */
export const SEEK_SET = 0;
export const SEEK_CUR = 1;
export const SEEK_END = 2;

/**
 * What one open(2), pipe(2) or socketpair(2) made (`struct file`): shared by the descriptors that dup and fork made of
 * it, with one offset. What can be done with it is its kind's to say (`struct fileops`).
 */
export abstract class OpenFile {
  readonly readable: boolean;
  readonly writable: boolean;
  readonly append: boolean;
  /** The regular file, or null. */
  readonly file: File | null = null;
  /** Where the next read or write begins, bytes. */
  offset = 0;
  /** Descriptors that refer to it. */
  refs = 1;

  constructor(flags: number) {
    const mode = flags & O_ACCMODE;
    this.readable = mode !== O_WRONLY;
    this.writable = mode !== O_RDONLY;
    this.append = (flags & O_APPEND) !== 0;
  }

  /**
   * Reads up to `length` bytes to `va`; the value is how many, 0 at the end.
   *
   * @param offset where, or null for the file's own offset, which then moves
   */
  abstract read(
    context: Context,
    va: Va,
    length: number,
    offset: number | null,
  ): Sleeping<SyscallResult>;

  /** Writes `length` bytes from `va`; the value is how many. */
  abstract write(
    context: Context,
    va: Va,
    length: number,
    offset: number | null,
  ): Sleeping<SyscallResult>;

  /** Whether it has offsets at all: pread and pwrite are refused otherwise. */
  readonly seekable: boolean = true;

  /** The last descriptor is gone. */
  protected abstract close(): void;

  /** What mmap(2) sees of it; ENODEV if it cannot be mapped. */
  mappable(): MappableFile | MappableDeviceFile | Errno {
    return ENODEV;
  }

  /** Moves the offset; the value is the new one. */
  seek(_offset: number, _whence: number): SyscallResult {
    return failed(ESPIPE);
  }

  /** Sets the size. */
  // oxlint-disable-next-line require-yield -- what has no size has nothing to wait for
  *truncate(_context: Context, _size: number): Sleeping<Errno> {
    return EINVAL;
  }

  /** Takes what is dirty to the disk. */
  // oxlint-disable-next-line require-yield -- likewise
  *sync(_context: Context): Sleeping<Errno> {
    return EINVAL;
  }

  /** One descriptor fewer; the last one lets what is behind it go. */
  release(): void {
    if (--this.refs === 0) this.close();
  }
}
