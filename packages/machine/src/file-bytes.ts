import type { Errno } from '@uvmkit/pmap';
import type { ByteFile } from '@uvmkit/uvm-core';
import type { Clock } from './clock.ts';
import type { BufferExtent, Disk } from './disk.ts';

/** What {@link FileBytes} needs of a file. */
interface Stored {
  readonly size: number;
  accessed: number;
  modified: number;
  allocate(offset: number, length: number): Errno;
  eachPart(
    offset: number,
    length: number,
    visit: (at: number, from: number, length: number) => void,
  ): void;
}

/**
 * A file's bytes, past all pages (VOP_READ and VOP_WRITE of a file system without getpages): between its blocks on the disk and
 * a buffer of the kernel's.
 */
export class FileBytes implements ByteFile {
  readonly #file: Stored;
  readonly #disk: Disk;
  readonly #clock: Clock;

  constructor(file: Stored, disk: Disk, clock: Clock) {
    this.#file = file;
    this.#disk = disk;
    this.#clock = clock;
  }

  size(): number {
    return this.#file.size;
  }

  read(offset: number, into: Uint8Array, done: (error: Errno) => void): void {
    this.#file.accessed = this.#clock.now;
    const length = Math.max(0, Math.min(into.length, this.#file.size - offset));
    this.#disk.transfer(this.#extents(offset, into.subarray(0, length)), false, done);
  }

  /** Holes get their blocks first: ENOSPC if there are none, and nothing is written. */
  write(offset: number, bytes: Uint8Array, done: (error: Errno) => void): void {
    this.#file.modified = this.#clock.now;
    const error = bytes.length === 0 ? 0 : this.#file.allocate(offset, bytes.length);
    if (error !== 0) this.#clock.after(0, () => done(error));
    else this.#disk.transfer(this.#extents(offset, bytes), true, done);
  }

  #extents(offset: number, buffer: Uint8Array): BufferExtent[] {
    const extents: BufferExtent[] = [];
    this.#file.eachPart(offset, buffer.length, (at, from, length) =>
      extents.push({ at, length, buffer: buffer.subarray(from, from + length) }),
    );
    return extents;
  }
}
