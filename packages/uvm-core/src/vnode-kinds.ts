import { EOPNOTSUPP, type Errno, type Pa } from '@uvmkit/pmap';
import type { PagerOps } from './object.ts';
import type { Outcome, Sleeping } from './types.ts';
import type { Uvm } from './uvm.ts';
import { vnodePager, type VnodeOps } from './vnode.ts';

/** A file system that knows nothing of pages: whole bytes in, whole bytes out (VOP_READ, VOP_WRITE). */
export interface ByteFile {
  /** Bytes of the file now. */
  size(): number;
  /** Reads into `into`; `done` is called later, once. What is not there stays as it is. */
  read(offset: number, into: Uint8Array, done: (error: Errno) => void): void;
  write(offset: number, bytes: Uint8Array, done: (error: Errno) => void): void;
}

/**
 * Lets files be mapped that can only be read and written (genfs_compat_getpages, genfs_compat_gop_write): pages are filled by a read
 * and cleaned by a write, no further than the file goes. It has no holes that the pager could know of.
 */
export function compatOps(uvm: Uvm, file: ByteFile): VnodeOps {
  const { memory, pageSize } = uvm;
  return {
    blockSize: pageSize,
    isAllocated: (offset) => offset < file.size(),
    allocate: (): Errno => 0,

    read(offset: number, pas: readonly Pa[], done: (error: Errno) => void): void {
      const bytes = new Uint8Array(pas.length * pageSize);
      file.read(offset, bytes, (error) => {
        if (error === 0)
          pas.forEach((pa, i) =>
            memory.bytes.set(bytes.subarray(i * pageSize, (i + 1) * pageSize), pa),
          );
        done(error);
      });
    },

    write(offset: number, pas: readonly Pa[], done: (error: Errno) => void): void {
      const bytes = new Uint8Array(pas.length * pageSize);
      pas.forEach((pa, i) => bytes.set(memory.bytes.subarray(pa, pa + pageSize), i * pageSize));
      file.write(offset, bytes.subarray(0, Math.max(0, file.size() - offset)), done);
    },
  };
}

/** The pager of vnodes that never have pages (genfs_null_putpages): nothing can be got, and nothing is to be put. */
export const nullVnodePager: PagerOps = {
  ...vnodePager,
  name: 'null vnode',
  get: (): Outcome => EOPNOTSUPP,
  // oxlint-disable-next-line require-yield -- a put is a generator, and there is nothing to wait for
  *put(): Sleeping<Errno> {
    return 0;
  },
};
