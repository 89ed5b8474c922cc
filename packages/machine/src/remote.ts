import { EIO, type Errno, ESTALE, type Pa, type PhysicalMemory } from '@uvmkit/pmap';
import type { ByteFile, VnodeOps } from '@uvmkit/uvm-core';
import type { Clock } from './clock.ts';

/** Virtual ns that a question and its answer are on the wire: a quiet Ethernet of 2001. */
const ROUND_TRIP = 300_000;
/** And ns for each byte that goes with them, at 100 Mb/s. */
const BYTE_TIME = 80;

/** A write that the server has answered, and has not on its disk yet. */
interface Unstable {
  readonly offset: number;
  bytes: Uint8Array;
}

/**
 * The server of a remote file system (NFS version 3). What is written to it is in its memory until it is asked to commit: one
 * that restarts in between has lost it, and tells by its verifier.
 *
 *     write  ──▶ memory ──▶ "unstable, verifier v"
 *     commit ──▶ memory ──▶ disk ──▶ "verifier w"        v ≠ w: what was written before is lost
 */
export class Server {
  /** Changes whenever the server starts (`writeverf3`). */
  verifier = 1;
  /** Whether it answers; if not, whoever asks gets EIO (a soft mount whose time is over). */
  up = true;

  /** Goes down and comes up again at once: what is not committed is lost. */
  restart(): void {
    this.verifier++;
  }
}

/** What a remote file's client and server know of one file between them. */
export class RemoteOps implements VnodeOps {
  readonly blockSize: number;
  readonly #server: Server;
  readonly #stored: ByteFile;
  readonly #memory: PhysicalMemory;
  readonly #clock: Clock;
  readonly #reserve: (offset: number, length: number) => Errno;
  /** The server's memory, oldest first. */
  #unstable: Unstable[] = [];
  /** The verifier under which the server took {@link #unstable}. */
  #heldBy = 0;
  /** What the client was told when it wrote, by page offset, until the page is committed. */
  readonly #promised: Map<number, number> = new Map();

  /**
   * @param stored the file on the server's disk
   * @param reserve gives a range its blocks there
   */
  constructor(
    server: Server,
    stored: ByteFile,
    blockSize: number,
    memory: PhysicalMemory,
    clock: Clock,
    reserve: (offset: number, length: number) => Errno,
  ) {
    this.#server = server;
    this.#stored = stored;
    this.blockSize = blockSize;
    this.#memory = memory;
    this.#clock = clock;
    this.#reserve = reserve;
  }

  /** A client cannot tell holes from zeroes. */
  isAllocated(): boolean {
    return true;
  }

  /** Nor does it know of the disk's blocks: the server says ENOSPC when it is written to. */
  allocate(): Errno {
    return 0;
  }

  read(offset: number, pas: readonly Pa[], done: (error: Errno) => void): void {
    const { pageSize } = this.#memory;
    const bytes = new Uint8Array(pas.length * pageSize);
    this.#ask(bytes.length, done, () =>
      this.#stored.read(offset, bytes, (error) => {
        this.#overlay(offset, bytes);
        if (error === 0)
          pas.forEach((pa, i) =>
            this.#memory.bytes.set(bytes.subarray(i * pageSize, (i + 1) * pageSize), pa),
          );
        done(error);
      }),
    );
  }

  write(offset: number, pas: readonly Pa[], done: (error: Errno) => void): void {
    const { pageSize } = this.#memory;
    const bytes = new Uint8Array(pas.length * pageSize);
    pas.forEach((pa, i) => bytes.set(this.#memory.bytes.subarray(pa, pa + pageSize), i * pageSize));
    const length = Math.max(0, Math.min(bytes.length, this.#stored.size() - offset));
    this.#ask(length, done, () => {
      const error = length === 0 ? 0 : this.#reserve(offset, length);
      if (error === 0) {
        this.#held().push({ offset, bytes: bytes.subarray(0, length) });
        for (let at = 0; at < bytes.length; at += pageSize)
          this.#promised.set(offset + at, this.#server.verifier);
      }
      done(error);
    });
  }

  /** ESTALE if the server has started again since it was written to. */
  commit(offset: number, length: number, done: (error: Errno) => void): void {
    this.#ask(0, done, () => {
      const { verifier } = this.#server;
      const pages = [...this.#promised.keys()].filter((at) => at >= offset && at < offset + length);
      if (pages.some((at) => this.#promised.get(at) !== verifier)) done(ESTALE);
      else
        this.#store(offset, offset + length, (error) => {
          // It may have started again while the disk turned.
          const outcome = verifier === this.#server.verifier ? error : ESTALE;
          if (outcome === 0) for (const at of pages) this.#promised.delete(at);
          done(outcome);
        });
    });
  }

  /** Lets go of what is behind the end of a file that has become shorter. */
  trim(size: number): void {
    for (const write of this.#unstable)
      write.bytes = write.bytes.subarray(0, Math.max(0, size - write.offset));
    for (const at of [...this.#promised.keys()]) if (at >= size) this.#promised.delete(at);
  }

  /** What a client would read now, given what the server's disk holds. */
  image(offset: number, onDisk: Uint8Array): Uint8Array {
    this.#overlay(offset, onDisk);
    return onDisk;
  }

  /** Has the server do something, unless it is down; whoever asked waits for the wire first. */
  #ask(length: number, done: (error: Errno) => void, serve: () => void): void {
    this.#clock.after(ROUND_TRIP + length * BYTE_TIME, () => {
      if (this.#server.up) serve();
      else done(EIO);
    });
  }

  /** What the server has in its memory, nothing of it from before its last start. */
  #held(): Unstable[] {
    if (this.#heldBy !== this.#server.verifier) this.#unstable = [];
    this.#heldBy = this.#server.verifier;
    return this.#unstable;
  }

  /** Puts what of the server's memory lies in a range on its disk, write by write. */
  #store(start: number, stop: number, done: (error: Errno) => void): void {
    const held = this.#held();
    const write = held.find(({ offset, bytes }) => offset < stop && offset + bytes.length > start);
    if (write === undefined) {
      done(0);
      return;
    }
    this.#stored.write(write.offset, write.bytes, (error) => {
      // It stays in memory when the disk would not take it.
      if (error !== 0) {
        done(error);
        return;
      }
      const at = this.#unstable.indexOf(write);
      if (at >= 0) this.#unstable.splice(at, 1);
      this.#store(start, stop, done);
    });
  }

  #overlay(offset: number, into: Uint8Array): void {
    for (const write of this.#held()) {
      const from = Math.max(offset, write.offset);
      const to = Math.min(offset + into.length, write.offset + write.bytes.length);
      if (from < to)
        into.set(write.bytes.subarray(from - write.offset, to - write.offset), from - offset);
    }
  }
}
