import { PGO_ALLPAGES, PGO_FREE, type Sleeping, type Uvm } from '@uvmkit/uvm-core';
import type { PhysicalMemory } from '@uvmkit/pmap';
import { BlockMap } from './blocks.ts';
import type { Clock } from './clock.ts';
import { type Disk, SECTOR } from './disk.ts';
import { File, type FileContext } from './file.ts';
import { FILE_SYSTEM_KINDS, type FileSystemKind } from './file-kinds.ts';
import { Server } from './remote.ts';

/** What a file system may be told when it is made. */
export interface FileSystemOptions {
  /** Bytes of a block, a power of two of at least a sector; {@link DEFAULT_BLOCK_SIZE} if not given. */
  readonly blockSize?: number;
  /** `blocks` if not given. */
  readonly kind?: FileSystemKind;
}

/** Bytes of a block if nothing else is asked for: what newfs(8) chose. */
export const DEFAULT_BLOCK_SIZE = 8192;

/**
 * A small file system: one directory of regular files, whose bytes are in blocks on a disk. What it knows
 * of itself (names, block lists, the map of free blocks) it keeps in mind, not on the disk.
 */
export class FileSystem {
  readonly disk: Disk;
  readonly blockSize: number;
  readonly kind: FileSystemKind;
  /** Who has the disk, and answers, if the file system is remote. */
  readonly server: Server = new Server();
  readonly #context: FileContext;
  readonly #names: Map<string, File> = new Map();
  /** Files without a name that someone still uses. */
  readonly #unlinked: Set<File> = new Set();

  /** @throws RangeError for a block size that is none */
  constructor(
    uvm: Uvm,
    memory: PhysicalMemory,
    disk: Disk,
    clock: Clock,
    { blockSize = DEFAULT_BLOCK_SIZE, kind = 'blocks' }: FileSystemOptions = {},
  ) {
    if (!Number.isInteger(blockSize) || blockSize < SECTOR || (blockSize & (blockSize - 1)) !== 0)
      throw new RangeError(
        `block size must be a power of two of at least ${SECTOR} bytes, given ${blockSize}`,
      );
    this.disk = disk;
    if (!FILE_SYSTEM_KINDS.includes(kind))
      throw new RangeError(
        `a file system is one of ${FILE_SYSTEM_KINDS.join(', ')}, given ${kind as string}`,
      );
    this.blockSize = blockSize;
    this.kind = kind;
    const blocks = new BlockMap(blockSize, Math.floor(disk.options.size / blockSize));
    const { server } = this;
    this.#context = { uvm, memory, disk, blocks, clock, start: 0, kind, server };
  }

  /** Bytes that are not allocated to any file. */
  get available(): number {
    return this.#context.blocks.available * this.blockSize;
  }

  /** Every file with a name, in the order of their making. */
  get files(): Iterable<File> {
    return this.#names.values();
  }

  /**
   * Makes a file, outside of time.
   *
   * @param contents its bytes, put on the disk at once; or its size, all of it a hole
   * @param mode permission bits, see {@link File.mode}
   * @throws RangeError if the name is taken or the disk is full
   */
  create(name: string, contents: Uint8Array | number = 0, mode = 0o600): File {
    if (this.#names.has(name)) throw new RangeError(`there is a file ${name} already`);
    const size = typeof contents === 'number' ? contents : 0;
    const file = new File(this.#context, name, size, mode);
    if (typeof contents !== 'number' && contents.length > 0) file.fill(0, contents);
    this.#names.set(name, file);
    return file;
  }

  /** The file of that name, or null. */
  lookup(name: string): File | null {
    return this.#names.get(name) ?? null;
  }

  /** Takes the name away. The file stays for whoever has it open or mapped. False if there is none. */
  unlink(name: string): boolean {
    const file = this.#names.get(name);
    if (file === undefined) return false;
    this.#names.delete(name);
    file.links = 0;
    this.#unlinked.add(file);
    return true;
  }

  /** Gives back pages and blocks of files that have neither a name nor a user. */
  *reclaim(): Sleeping<void> {
    if (this.#unlinked.size === 0) return;
    for (const file of [...this.#unlinked]) {
      if (file.vnode.refs > 0 || !this.#unlinked.delete(file)) continue;
      const { vnode } = file;
      yield* vnode.pgops.put(this.#context.uvm, vnode, 0, 0, PGO_FREE | PGO_ALLPAGES);
      vnode.size = 0;
      file.trim();
      this.#context.uvm.disownVnode(vnode);
    }
  }
}
