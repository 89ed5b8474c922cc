import { ENOSPC, type Errno, type Pa, type PhysicalMemory } from '@uvmkit/pmap';
import { type Sleeping, type Uvm, Vnode, type VnodeOps, type WaitChannel } from '@uvmkit/uvm-core';
import { type Backing, FILE_KINDS, type FileSystemKind } from './file-kinds.ts';
import type { BlockMap } from './blocks.ts';
import type { Clock } from './clock.ts';
import type { Disk, Extent } from './disk.ts';
import type { Server } from './remote.ts';

/** In a file's list of blocks: no block on disk, the bytes read as zeroes. */
export const HOLE = -1;

/** What a file needs of the file system that it is in. */
export interface FileContext {
  readonly uvm: Uvm;
  readonly memory: PhysicalMemory;
  readonly disk: Disk;
  readonly blocks: BlockMap;
  readonly clock: Clock;
  /** Where the first block is on the disk, bytes. */
  readonly start: number;
  readonly kind: FileSystemKind;
  /** Who has the disk, if the file system is remote. */
  readonly server: Server;
}

/** The vnode of a file of a machine's. */
export class FileVnode extends Vnode {
  readonly file: File;

  constructor(uvm: Uvm, file: File, { ops, pager }: Backing, size: number) {
    super(uvm, ops, size, pager);
    this.file = file;
  }
}

/**
 * A regular file: its blocks on the disk, and the vnode through which UVM caches its pages. What is
 * written through a page reaches the disk when UVM cleans the page; until then the disk has the old bytes. By which way it
 * gets there is the file system's kind's business: see {@link FileSystemKind}.
 *
 *     file offset   0        blockSize    2·blockSize   size
 *                   ├────────────┼────────────┼─────────┤
 *     blocks            17           HOLE         18        (past the end of the list: holes)
 */
export class File implements VnodeOps {
  /** The name that it was made with. */
  readonly name: string;
  readonly blockSize: number;
  readonly vnode: FileVnode;
  /** How its pages and its bytes come and go. */
  readonly backing: Backing;
  /** Permission bits of the owner: 0o400 to read, 0o200 to write. */
  mode: number;
  /** Whether it is a block device: its size is fixed. */
  isDevice = false;
  /** Must not be changed at all, nor removed (SF_IMMUTABLE, chflags(2)). Who has it open for writing already may still write. */
  immutable = false;
  /** Can only be written to at its end (SF_APPEND). */
  appendOnly = false;
  /** When its bytes were last read from the disk or by read(2), ns since boot (`st_atime`). */
  accessed = 0;
  /** When they were last written, there or by write(2) (`st_mtime` and `st_ctime`). */
  modified = 0;
  /** Names that it has: 1, or 0 once it is unlinked. */
  links = 1;
  readonly #context: FileContext;
  #blocks: number[] = [];
  readonly #channel: WaitChannel;
  #locked = false;

  constructor(context: FileContext, name: string, size: number, mode: number) {
    if (!Number.isSafeInteger(size) || size < 0)
      throw new RangeError(`a file's size is 0 or more bytes, given ${size}`);
    this.#context = context;
    this.#channel = context.uvm.newChannel();
    this.name = name;
    this.mode = mode;
    this.blockSize = context.blocks.blockSize;
    this.backing = FILE_KINDS[context.kind](this, context);
    this.vnode = new FileVnode(context.uvm, this, this.backing, size);
  }

  /** A block device: all the blocks there are, in their order, with what is on them. */
  static ofDevice(context: FileContext, name: string): File {
    const { blockSize, count } = context.blocks;
    const file = new File(context, name, count * blockSize, 0o600);
    file.isDevice = true;
    file.#blocks = Array.from({ length: count }, () => context.blocks.alloc(HOLE));
    return file;
  }

  /** Bytes. */
  get size(): number {
    return this.vnode.size;
  }

  /** Bytes that the file takes up on the disk. */
  get allocated(): number {
    return this.#blocks.filter((block) => block !== HOLE).length * this.blockSize;
  }

  // The lock of the vnode: one thread at a time changes size or offset.

  /** Waits until nobody has the file locked, and locks it. */
  *lock(): Sleeping<void> {
    while (this.#locked) yield this.#channel;
    this.#locked = true;
  }

  unlock(): void {
    this.#locked = false;
    this.#context.uvm.wakeup(this.#channel);
  }

  // What UVM asks of a file.

  isAllocated(offset: number): boolean {
    return this.#blockAt(offset) !== HOLE;
  }

  allocate(offset: number, length: number): Errno {
    const { blocks, disk } = this.#context;
    const first = Math.floor(offset / this.blockSize);
    const beyond = Math.ceil((offset + length) / this.blockSize);
    const added: number[] = [];
    for (let index = first; index < beyond; index++) {
      if ((this.#blocks[index] ?? HOLE) !== HOLE) continue;
      const block = blocks.alloc(this.#blocks[index - 1] ?? HOLE);
      if (block === HOLE) {
        for (const undo of added) this.#release(undo);
        return ENOSPC;
      }
      disk.clear(this.#addressOf(block), this.blockSize);
      while (this.#blocks.length < index) this.#blocks.push(HOLE);
      this.#blocks[index] = block;
      added.push(index);
    }
    return 0;
  }

  read(offset: number, pas: readonly Pa[], done: (error: Errno) => void): void {
    const { memory, clock } = this.#context;
    this.accessed = clock.now;
    const beyond = (error: Errno): void => {
      // The disk may hold anything behind the end of the file.
      pas.forEach((pa, i) => {
        const keep = Math.max(0, this.size - (offset + i * memory.pageSize));
        if (keep < memory.pageSize) memory.zero(pa + keep, memory.pageSize - keep);
      });
      done(error);
    };
    this.#transfer(offset, pas, false, beyond);
  }

  write(offset: number, pas: readonly Pa[], done: (error: Errno) => void): void {
    this.modified = this.#context.clock.now;
    this.#transfer(offset, pas, true, done);
  }

  /** One transfer of whole pages; over holes a read zeroes and a write drops. */
  #transfer(
    offset: number,
    pas: readonly Pa[],
    write: boolean,
    done: (error: Errno) => void,
  ): void {
    const { memory, disk } = this.#context;
    const { pageSize } = memory;
    const extents: Extent[] = [];
    const step = Math.min(this.blockSize, pageSize);
    pas.forEach((page, i) => {
      for (let part = 0; part < pageSize; part += step) {
        const at = offset + i * pageSize + part;
        const block = this.#blockAt(at);
        const length = Math.min(step, write ? this.size - at : step);
        if (block === HOLE) {
          if (!write) memory.zero(page + part, step);
        } else if (length > 0)
          extents.push({
            at: this.#addressOf(block) + (at % this.blockSize),
            pa: page + part,
            length,
          });
      }
    });
    disk.transfer(extents, write, done);
  }

  /** Where a block is on the disk, bytes. */
  #addressOf(block: number): number {
    return this.#context.start + block * this.blockSize;
  }

  #blockAt(offset: number): number {
    return this.#blocks[Math.floor(offset / this.blockSize)] ?? HOLE;
  }

  #release(index: number): void {
    const block = this.#blocks[index]!;
    if (block !== HOLE) this.#context.blocks.free(block);
    this.#blocks[index] = HOLE;
  }

  /** Gives back the blocks wholly behind the file's end, and clears the rest of the last one. */
  trim(): void {
    this.backing.trim?.(this.size);
    const { disk } = this.#context;
    const keep = Math.ceil(this.size / this.blockSize);
    for (let index = keep; index < this.#blocks.length; index++) this.#release(index);
    this.#blocks.length = Math.min(this.#blocks.length, keep);
    const tail = this.size % this.blockSize;
    const last = this.#blockAt(this.size);
    if (tail !== 0 && last !== HOLE)
      disk.clear(this.#addressOf(last) + tail, this.blockSize - tail);
  }

  // At once, outside of time: for whoever prepares a disk, and for tests.

  /**
   * Puts bytes on the disk. Pages that are in memory already do not learn of it.
   *
   * @throws RangeError if the disk is full
   */
  fill(offset: number, bytes: Uint8Array): void {
    if (this.allocate(offset, bytes.length) !== 0)
      throw new RangeError(
        `the disk has no room for ${bytes.length} bytes at ${offset} of ${this.name}`,
      );
    this.eachPart(offset, bytes.length, (at, from, length) =>
      this.#context.disk.poke(at, bytes.subarray(from, from + length)),
    );
    this.vnode.size = Math.max(this.size, offset + bytes.length);
  }

  /** What the disk holds of the file, whatever pages in memory say. */
  onDisk(offset = 0, length: number = this.size - offset): Uint8Array {
    const bytes = new Uint8Array(length);
    this.eachPart(offset, length, (at, from, count) =>
      this.#context.disk.peek(at, bytes.subarray(from, from + count)),
    );
    return bytes;
  }

  /** Visits the parts of a range that have blocks: where on the disk, from which byte of the range, how many bytes. */
  eachPart(
    offset: number,
    length: number,
    visit: (at: number, from: number, length: number) => void,
  ): void {
    for (let from = 0; from < length;) {
      const within = (offset + from) % this.blockSize;
      const count = Math.min(this.blockSize - within, length - from);
      const block = this.#blockAt(offset + from);
      if (block !== HOLE) visit(this.#addressOf(block) + within, from, count);
      from += count;
    }
  }
}
