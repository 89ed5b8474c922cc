import { ENOSPC, type Errno, type Pa, type PhysicalMemory } from '@uvmkit/pmap';
import type { SwapBackend } from '../src/swap.ts';
import type { Uvm } from '../src/uvm.ts';
import { Vnode, type VnodeOps } from '../src/vnode.ts';

/** One transfer that was started and has not been delivered yet. */
export interface Transfer {
  readonly kind: 'read' | 'write';
  readonly file: FakeFile | FakeSwap;
  readonly offset: number;
  readonly pages: number;
  /** Ends it, with this error, or the file's own if it has one set. */
  readonly finish: (error?: Errno) => void;
}

/** A disk whose completions are delivered by hand. */
export class FakeDisk {
  readonly pending: Transfer[] = [];
  reads = 0;
  writes = 0;
  readonly memory: PhysicalMemory;

  constructor(memory: PhysicalMemory) {
    this.memory = memory;
  }

  /** Ends one transfer, the oldest if not told which. False if there is none. */
  deliver(index = 0, error?: Errno): boolean {
    const [transfer] = this.pending.splice(index, 1);
    if (transfer === undefined) return false;
    transfer.finish(error);
    return true;
  }

  /** Ends all of them, and those that are started meanwhile. */
  deliverAll(): void {
    while (this.deliver());
  }
}

/** What {@link FakeFile} may be told. */
export interface FileOptions {
  /** Bytes of a block; 4096 if not given. */
  blockSize?: number;
  /** Bytes of the file; what `content` has if not given. */
  size?: number;
  content?: Uint8Array;
  /** Offsets of blocks that are holes. */
  holes?: readonly number[];
  /** Blocks that may still be allocated. */
  space?: number;
}

/** A file on a {@link FakeDisk}: blocks of real bytes, and holes. */
export class FakeFile implements VnodeOps {
  readonly blockSize: number;
  readonly blocks: Map<number, Uint8Array> = new Map();
  readonly vnode: Vnode;
  space: number;
  /** What reads (or writes) answer from now on. */
  readError: Errno = 0;
  writeError: Errno = 0;
  readonly #disk: FakeDisk;
  readonly #pageSize: number;

  constructor(uvm: Uvm, disk: FakeDisk, options: FileOptions = {}) {
    this.blockSize = options.blockSize ?? 4096;
    this.space = options.space ?? 1e9;
    this.#disk = disk;
    this.#pageSize = uvm.pageSize;
    const content = options.content ?? new Uint8Array(0);
    const size = options.size ?? content.length;
    for (let at = 0; at < size; at += this.blockSize) {
      if (options.holes?.includes(at) === true) continue;
      const block = new Uint8Array(this.blockSize);
      block.set(content.subarray(at, Math.min(at + this.blockSize, size)));
      this.blocks.set(at, block);
    }
    this.vnode = new Vnode(uvm, this, size);
  }

  isAllocated(offset: number): boolean {
    return this.blocks.has(Math.floor(offset / this.blockSize) * this.blockSize);
  }

  allocate(offset: number, length: number): Errno {
    const wanted: number[] = [];
    const first = Math.floor(offset / this.blockSize) * this.blockSize;
    for (let at = first; at < offset + length; at += this.blockSize)
      if (!this.blocks.has(at)) wanted.push(at);
    if (wanted.length > this.space) return ENOSPC;
    this.space -= wanted.length;
    for (const at of wanted) this.blocks.set(at, new Uint8Array(this.blockSize));
    return 0;
  }

  read(offset: number, pas: readonly Pa[], done: (error: Errno) => void): void {
    this.#disk.reads++;
    this.#start('read', offset, pas, () => this.readError, done);
  }

  write(offset: number, pas: readonly Pa[], done: (error: Errno) => void): void {
    this.#disk.writes++;
    this.#start('write', offset, pas, () => this.writeError, done);
  }

  /** What a read of one page gives: holes, and what is past the end, are zeroes. */
  page(index: number): Uint8Array {
    const bytes = new Uint8Array(this.#pageSize);
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.byte(index * this.#pageSize + i);
    return bytes;
  }

  /** Lets the blocks go that lie beyond the file's end, as a file system does when it truncates. */
  trim(): void {
    for (const [start, block] of this.blocks) {
      const left = this.vnode.size - start;
      if (left <= 0) this.blocks.delete(start);
      else if (left < this.blockSize) block.fill(0, left);
    }
  }

  /** One byte on the disk. */
  byte(at: number): number {
    if (at >= this.vnode.size) return 0;
    const start = Math.floor(at / this.blockSize) * this.blockSize;
    return this.blocks.get(start)?.[at - start] ?? 0;
  }

  #start(
    kind: 'read' | 'write',
    offset: number,
    pas: readonly Pa[],
    ownError: () => Errno,
    done: (error: Errno) => void,
  ): void {
    const finish = (given?: Errno): void => {
      const error = given ?? ownError();
      if (error === 0)
        pas.forEach((pa, i) => {
          if (kind === 'read') this.#fill(pa, offset + i * this.#pageSize);
          else this.#store(pa, offset + i * this.#pageSize);
        });
      done(error);
    };
    this.#disk.pending.push({ kind, file: this, offset, pages: pas.length, finish });
  }

  #fill(pa: Pa, offset: number): void {
    this.#disk.memory.bytes.set(this.page(offset / this.#pageSize), pa);
  }

  #store(pa: Pa, offset: number): void {
    for (let i = 0; i < this.#pageSize && offset + i < this.vnode.size; i++) {
      const start = Math.floor((offset + i) / this.blockSize) * this.blockSize;
      const block = this.blocks.get(start);
      if (block !== undefined) block[offset + i - start] = this.#disk.memory.bytes[pa + i]!;
    }
  }
}

/** A swap device on a {@link FakeDisk}, with pages of real bytes. */
export class FakeSwap implements SwapBackend {
  readonly name: string;
  readonly pages: number;
  /** What has been written, by page. */
  readonly content: Map<number, Uint8Array> = new Map();
  /** What reads (or writes) answer from now on. */
  readError: Errno = 0;
  writeError: Errno = 0;
  readonly #disk: FakeDisk;
  readonly #pageSize: number;

  constructor(disk: FakeDisk, pageSize: number, name: string, pages: number) {
    this.#disk = disk;
    this.#pageSize = pageSize;
    this.name = name;
    this.pages = pages;
  }

  read(index: number, pas: readonly Pa[], done: (error: Errno) => void): void {
    this.#disk.reads++;
    this.#start('read', index, pas, done);
  }

  write(index: number, pas: readonly Pa[], done: (error: Errno) => void): void {
    this.#disk.writes++;
    this.#start('write', index, pas, done);
  }

  #start(
    kind: 'read' | 'write',
    index: number,
    pas: readonly Pa[],
    done: (error: Errno) => void,
  ): void {
    if (index < 1 || index + pas.length > this.pages)
      throw new RangeError(
        `${this.name} has ${this.pages} pages, given ${index} and ${pas.length}`,
      );
    const { bytes } = this.#disk.memory;
    const finish = (given?: Errno): void => {
      const error = given ?? (kind === 'read' ? this.readError : this.writeError);
      pas.forEach((pa, i) => {
        if (error !== 0) return;
        if (kind === 'write') this.content.set(index + i, bytes.slice(pa, pa + this.#pageSize));
        else {
          const page = this.content.get(index + i);
          if (page === undefined)
            throw new Error(`${this.name}: page ${index + i} was never written`);
          bytes.set(page, pa);
        }
      });
      done(error);
    };
    const offset = index * this.#pageSize;
    this.#disk.pending.push({ kind, file: this, offset, pages: pas.length, finish });
  }
}
