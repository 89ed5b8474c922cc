import {
  type ByteFile,
  compatOps,
  nullVnodePager,
  type PagerOps,
  vnodePager,
  type VnodeOps,
} from '@uvmkit/uvm-core';
import type { File, FileContext } from './file.ts';
import { FileBytes } from './file-bytes.ts';
import { RemoteOps } from './remote.ts';

/**
 * How a file system moves what is in its files:
 *
 *     blocks      pages ◀──▶ blocks of a disk, with holes      read(2) and write(2) through the pages     FFS
 *     compat      pages ◀── VOP_READ, VOP_WRITE ──▶ disk       read(2) and write(2) past the pages        smbfs
 *     pageless    no pages: what is mapped cannot be used      read(2) and write(2) likewise              procfs
 *     remote      pages ◀──▶ a server, which must commit       read(2) and write(2) through the pages     NFS
 *
 * In 2001 nothing keeps the pages of a compat file and what is written past them together: a mapping's stores are read(2) after
 * msync(2), and a page in memory does not see a write(2).
 */
export const FILE_SYSTEM_KINDS = ['blocks', 'compat', 'pageless', 'remote'] as const;
export type FileSystemKind = (typeof FILE_SYSTEM_KINDS)[number];

/** What a kind gives a file. */
export interface Backing {
  readonly ops: VnodeOps;
  readonly pager: PagerOps;
  /** What read(2) and write(2) use; null if they go through pages. */
  readonly bytes: ByteFile | null;
  /** Whether it tells where its blocks are, so that one can swap to them. */
  readonly swappable: boolean;
  /** What a clean page must hold, as far as given; null if nothing keeps it so. */
  image(offset: number, length: number): Uint8Array | null;
  /** Told when the file may have become shorter, in bytes. */
  trim?(size: number): void;
}

/** What a file of each kind is made of. */
export const FILE_KINDS: Readonly<
  Record<FileSystemKind, (file: File, context: FileContext) => Backing>
> = {
  blocks: (file) => ({
    ops: file,
    pager: vnodePager,
    bytes: null,
    swappable: true,
    image: (offset, length) => file.onDisk(offset, length),
  }),

  compat: (file, context) => byBytes(file, context, vnodePager),

  pageless: (file, context) => byBytes(file, context, nullVnodePager),

  remote(file, context) {
    const { server, disk, clock, memory } = context;
    const stored = new FileBytes(file, disk, clock);
    const ops = new RemoteOps(server, stored, file.blockSize, memory, clock, (offset, length) =>
      file.allocate(offset, length),
    );
    return {
      ops,
      pager: vnodePager,
      bytes: null,
      swappable: true,
      image: (offset, length) => ops.image(offset, file.onDisk(offset, length)),
      trim: (size) => ops.trim(size),
    };
  },
};

function byBytes(file: File, { uvm, disk, clock }: FileContext, pager: PagerOps): Backing {
  const bytes = new FileBytes(file, disk, clock);
  return { ops: compatOps(uvm, bytes), pager, bytes, swappable: false, image: () => null };
}
