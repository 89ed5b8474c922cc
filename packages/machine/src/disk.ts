import type { Errno, EventStream, Pa, PhysicalMemory } from '@uvmkit/pmap';
import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

/** Bytes of a sector: what every transfer begins and ends on. */
export const SECTOR = 512;

/** A disk's size and speed. The defaults are a good disk of 2001. */
export interface DiskOptions {
  /** Bytes, a multiple of {@link SECTOR}; 1 GB if not given. Only what is written takes up the host's memory. */
  readonly size: number;
  /** ns that the arm takes to another place; 8 ms if not given. */
  readonly seek: number;
  /** ns of one revolution, of which a random part passes after a seek; 8 ms (7500 a minute) if not given. */
  readonly rotation: number;
  /** ns for each sector transferred; 12.8 µs (40 MB/s) if not given. */
  readonly transfer: number;
}

/** The disk of a machine that is told nothing else: what {@link DiskOptions} says of each option not given. */
export const DEFAULT_DISK: DiskOptions = {
  size: 2 ** 30,
  seek: 8_000_000,
  rotation: 8_000_000,
  transfer: 12_800,
};

/** One stretch of a transfer: consecutive bytes on disk from or to consecutive bytes of RAM. */
export interface Extent {
  /** Byte address on the disk, a multiple of {@link SECTOR}. */
  readonly at: number;
  readonly pa: Pa;
  /** Bytes; what a write ends on within a sector is filled up with what the disk has there. */
  readonly length: number;
}

/** Likewise, from or to a buffer of the kernel's. It may begin within a sector too. */
export interface BufferExtent {
  /** Byte address on the disk. */
  readonly at: number;
  readonly buffer: Uint8Array;
  /** Bytes: all of the buffer. */
  readonly length: number;
}

/** A transfer that waits for the arm. */
interface Request {
  readonly extents: readonly (Extent | BufferExtent)[];
  readonly write: boolean;
  readonly done: (error: Errno) => void;
}

/** Decides whether a transfer of [at, at + length) on the disk fails, and how: 0 for no. */
export type DiskFailure = (at: number, length: number, write: boolean) => Errno;

const CHUNK = 64 * 1024;

/**
 * A disk: real bytes, reached by one arm, in virtual time. Transfers are served in the order in which
 * they were asked for; each takes a seek and part of a revolution unless it goes on where the last ended, then the
 * time of its sectors. Bytes move when it is done, straight from and to RAM.
 */
export class Disk {
  readonly options: DiskOptions;
  /** Transfers done, and the sectors they moved. */
  readonly stats: { reads: number; writes: number; sectorsRead: number; sectorsWritten: number } = {
    reads: 0,
    writes: 0,
    sectorsRead: 0,
    sectorsWritten: 0,
  };
  /** Asked before each transfer's bytes would move; null if none is to fail. */
  failure: DiskFailure | null = null;
  /** Its number in `io.*` events. */
  readonly number: number;
  readonly #memory: PhysicalMemory;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #events: EventStream;
  readonly #chunks: Map<number, Uint8Array> = new Map();
  readonly #queue: Request[] = [];
  #busy = false;
  /** Where the arm is: the byte after the last one transferred. */
  #arm = 0;

  constructor(
    memory: PhysicalMemory,
    clock: Clock,
    random: Random,
    events: EventStream,
    options: Partial<DiskOptions> = {},
    number = 0,
  ) {
    this.number = number;
    this.options = { ...DEFAULT_DISK, ...options };
    const { size } = this.options;
    if (!Number.isSafeInteger(size) || size <= 0 || size % SECTOR !== 0)
      throw new RangeError(`disk size must be a positive multiple of ${SECTOR}, given ${size}`);
    this.#memory = memory;
    this.#clock = clock;
    this.#random = random;
    this.#events = events;
  }

  /**
   * Queues one transfer.
   *
   * @param extents in the order in which the arm takes them; if there are none, it takes no time
   * @param done called once, later, with 0 or the error; after an error no byte has moved
   */
  transfer(
    extents: readonly (Extent | BufferExtent)[],
    write: boolean,
    done: (error: Errno) => void,
  ): void {
    const { size } = this.options;
    for (const extent of extents) {
      const { at, length } = extent;
      const aligned = 'buffer' in extent || at % SECTOR === 0;
      if (!aligned || at < 0 || length <= 0 || at + length > size)
        throw new RangeError(
          `a transfer must begin on a sector and lie on the disk of ${size} bytes, given ${length} bytes at ${at}`,
        );
    }
    if (extents.length === 0) {
      this.#clock.after(0, () => done(0));
      return;
    }
    this.#queue.push({ extents, write, done });
    if (!this.#busy) this.#start();
  }

  #start(): void {
    const request = this.#queue.shift();
    if (request === undefined) return;
    this.#busy = true;
    const { extents, write } = request;
    const first = extents[0]!;
    const bytes = extents.reduce((sum, extent) => sum + extent.length, 0);
    if (this.#events.watched)
      this.#events.emit('io.start', this.number, first.at / SECTOR, bytes, write ? 1 : 0);
    let time = 0;
    for (const extent of extents) time += this.#moveArm(extent);
    this.#clock.after(time, () => this.#finish(request, first.at, bytes));
  }

  /** ns until the extent has passed under the arm. */
  #moveArm(extent: Extent | BufferExtent): number {
    const { seek, rotation, transfer } = this.options;
    const first = Math.floor(extent.at / SECTOR) * SECTOR;
    const sectors = sectorsOf(extent);
    const there = first === this.#arm;
    this.#arm = first + sectors * SECTOR;
    return sectors * transfer + (there ? 0 : seek + this.#random.below(rotation + 1));
  }

  #finish(request: Request, at: number, bytes: number): void {
    const { extents, write, done } = request;
    let error: Errno = 0;
    for (const extent of extents)
      if (error === 0) error = this.failure?.(extent.at, extent.length, write) ?? 0;
    if (error === 0) {
      for (const extent of extents) this.#move(extent, write);
      this.stats[write ? 'writes' : 'reads']++;
    }
    this.#busy = false;
    if (this.#events.watched) this.#events.emit('io.done', this.number, at / SECTOR, bytes, error);
    this.#start();
    done(error);
  }

  #move(extent: Extent | BufferExtent, write: boolean): void {
    const { at, length } = extent;
    const sectors = sectorsOf(extent);
    const ram =
      'buffer' in extent
        ? extent.buffer
        : this.#memory.bytes.subarray(extent.pa, extent.pa + length);
    if (write) {
      this.stats.sectorsWritten += sectors;
      this.poke(at, ram);
    } else {
      this.stats.sectorsRead += sectors;
      this.peek(at, ram);
    }
  }

  /** Copies bytes off the disk at once, outside of time: for tests, and for whoever makes file systems. */
  peek(at: number, into: Uint8Array): void {
    this.#eachChunk(at, into.length, (index, from, offset, length) => {
      const chunk = this.#chunks.get(index);
      if (chunk === undefined) into.fill(0, offset, offset + length);
      else into.set(chunk.subarray(from, from + length), offset);
    });
  }

  /** Copies bytes to the disk at once, outside of time. */
  poke(at: number, bytes: Uint8Array): void {
    this.#eachChunk(at, bytes.length, (index, from, offset, length) => {
      let chunk = this.#chunks.get(index);
      if (chunk === undefined) this.#chunks.set(index, (chunk = new Uint8Array(CHUNK)));
      chunk.set(bytes.subarray(offset, offset + length), from);
    });
  }

  /** Fills [at, at + length) with zeroes at once, outside of time. */
  clear(at: number, length: number): void {
    this.#eachChunk(at, length, (index, from, _offset, count) => {
      if (count === CHUNK) this.#chunks.delete(index);
      else this.#chunks.get(index)?.fill(0, from, from + count);
    });
  }

  #eachChunk(
    at: number,
    length: number,
    visit: (index: number, from: number, offset: number, length: number) => void,
  ): void {
    for (let offset = 0; offset < length;) {
      const index = Math.floor((at + offset) / CHUNK);
      const from = (at + offset) % CHUNK;
      const count = Math.min(CHUNK - from, length - offset);
      visit(index, from, offset, count);
      offset += count;
    }
  }
}

/** Sectors that an extent touches. */
function sectorsOf({ at, length }: Extent | BufferExtent): number {
  return Math.ceil((at + length) / SECTOR) - Math.floor(at / SECTOR);
}
