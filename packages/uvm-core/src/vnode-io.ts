import { type Errno, type Va } from '@uvmkit/pmap';
import type { KernelMove } from './io.ts';
import { kernelRead, kernelWrite } from './kernel-copy.ts';
import { PGO_FREE, type Sleeping } from './types.ts';
import type { Uvm } from './uvm.ts';
import type { Vnode } from './vnode.ts';

/** Bytes moved, and what ended the transfer before its end. */
export interface Moved {
  readonly done: number;
  readonly error: Errno;
}

/**
 * Moves bytes between a file and wherever `move` has them, through windows on the file's pages (what VOP_READ and VOP_WRITE do
 * with uiomove(9)). Whoever calls has the file to himself.
 *
 * @param offset file byte; a read stops at the end of the file, a write lengthens it
 * @param move called for each stretch with its kernel address. A write whose `move` fails leaves zeroes in pages that were to be
 * overwritten as a whole
 */
export function* fileMove(
  uvm: Uvm,
  vnode: Vnode,
  offset: number,
  length: number,
  write: boolean,
  move: KernelMove,
): Sleeping<Moved> {
  const { ubc } = uvm;
  const unit = Math.max(vnode.ops.blockSize, uvm.pageSize);
  const end = write ? offset + length : Math.min(offset + length, vnode.size);
  for (let at = offset; at < end;) {
    const { size } = vnode;
    // A write goes block by block, so that what fits on the disk is written.
    const most = write ? Math.min(end - at, unit - (at % unit)) : end - at;
    const window = yield* ubc.alloc(vnode, at, most, write ? size : null);
    const stop = at + window.length;
    // What is beyond the old end reads as zeroes until it is there.
    if (write) vnode.size = Math.max(size, stop);
    const moved = yield* move(window.va, at - offset, window.length);
    // The pager's word is better than the EFAULT that a copy makes of it.
    const error = ubc.release(window.va, write) || moved;
    if (moved !== 0) {
      if (write && stop > size) yield* vnodeSetSize(uvm, vnode, size);
      return { done: at - offset, error };
    }
    at = stop;
  }
  return { done: Math.max(0, end - offset), error: 0 };
}

/**
 * Reads from a file through its pages, so that what mappings have stored is seen.
 *
 * @param offset bytes; reading stops at the end of the file
 * @returns the bytes read, or the error if there were none
 */
export function* vnodeRead(
  uvm: Uvm,
  vnode: Vnode,
  offset: number,
  length: number,
): Sleeping<Uint8Array | Errno> {
  const bytes = new Uint8Array(Math.max(0, Math.min(length, vnode.size - offset)));
  const move: KernelMove = (va: Va, done, count) =>
    kernelRead(uvm, va, bytes.subarray(done, done + count));
  const { done, error } = yield* fileMove(uvm, vnode, offset, length, false, move);
  return error !== 0 && done === 0 ? error : bytes.subarray(0, done);
}

/**
 * Writes to a file through its pages, lengthening it as needed, so that mappings see it at once.
 *
 * @returns bytes written and the error that ended it, 0 if none did
 */
export function* vnodeWrite(
  uvm: Uvm,
  vnode: Vnode,
  offset: number,
  bytes: Uint8Array,
): Sleeping<{ written: number; error: Errno }> {
  const move: KernelMove = (va: Va, done, count) =>
    kernelWrite(uvm, va, bytes.subarray(done, done + count));
  const { done, error } = yield* fileMove(uvm, vnode, offset, bytes.length, true, move);
  return { written: done, error };
}

/**
 * Sets a file's size (`uvm_vnp_setsize`). Pages wholly beyond the end are discarded, mapped, wired or not; the rest of the last
 * page is zeroed (`uvm_vnp_zerorange`).
 */
export function* vnodeSetSize(uvm: Uvm, vnode: Vnode, size: number): Sleeping<Errno> {
  const old = vnode.size;
  vnode.size = size;
  if (size >= old) return 0;
  const rest = uvm.round(size) - size;
  uvm.ubc.flush(vnode, uvm.round(size), Number.POSITIVE_INFINITY);
  const error = yield* vnode.pgops.put(uvm, vnode, uvm.round(size), 0, PGO_FREE);
  return rest === 0 ? error : yield* zeroRest(uvm, vnode, size, rest);
}

/** Zeroes bytes behind the end of the file, in its last page, which stays what it is on the disk until then. */
function* zeroRest(uvm: Uvm, vnode: Vnode, offset: number, length: number): Sleeping<Errno> {
  const window = yield* uvm.ubc.alloc(vnode, offset, length, Number.POSITIVE_INFINITY);
  const error = yield* kernelWrite(uvm, window.va, new Uint8Array(window.length));
  return uvm.ubc.release(window.va, true) || error;
}
