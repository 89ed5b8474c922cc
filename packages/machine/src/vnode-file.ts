import { EINVAL, type Errno, EPERM, type Va } from '@uvmkit/pmap';
import {
  type MappableFile,
  nullVnodePager,
  PGO_ALLPAGES,
  PGO_CLEANIT,
  PGO_SYNCIO,
  type Sleeping,
  type Uvm,
  vnodeRead,
  vnodeSetSize,
  vnodeWrite,
} from '@uvmkit/uvm-core';
import { answer } from './answer.ts';
import type { Context } from './context.ts';
import { copyin, copyout } from './copy.ts';
import type { File } from './file.ts';
import { OpenFile, SEEK_CUR, SEEK_END, SEEK_SET } from './open-file.ts';
import { failed, type SyscallResult, succeeded } from './result.ts';

/** The most that goes through the buffer at once (MAXBSIZE). */
const BUFFER = 64 * 1024;

/**
 * An open regular file (`vnops`). Data goes through the pages that mappings see, and through a buffer of the
 * kernel's between those pages and the process, so that no page is held while the process' own pages fault in:
 *
 *     file's page ◀──(page BUSY)──▶ buffer ◀──(nothing held; may fault and sleep)──▶ process
 *
 * A file system that has only read and write does without the pages, and does not look whether there are any.
 */
export class OpenVnode extends OpenFile {
  override readonly file: File;

  constructor(file: File, flags: number) {
    super(flags);
    this.file = file;
    file.vnode.refs++;
  }

  protected override close(): void {
    this.file.vnode.refs--;
  }

  override mappable(): MappableFile {
    const { file, readable, writable } = this;
    return { vnode: file.vnode, readable, writable, immutable: file.immutable || file.appendOnly };
  }

  override *read(
    context: Context,
    va: Va,
    length: number,
    offset: number | null,
  ): Sleeping<SyscallResult> {
    const { file } = this;
    const { uvm } = context.process.machine;
    yield* file.lock();
    const start = offset ?? this.offset;
    let done = 0;
    let error: Errno = 0;
    while (done < length) {
      const count = Math.min(BUFFER, length - done);
      const bytes = yield* readFrom(uvm, file, start + done, count);
      if (typeof bytes === 'number') error = bytes;
      else if (bytes.length > 0) error = yield* copyout(context, va + done, bytes);
      if (typeof bytes === 'number' || error !== 0) break;
      done += bytes.length;
      if (bytes.length < count) break;
    }
    return this.#finish(offset, start, done, error);
  }

  override *write(
    context: Context,
    va: Va,
    length: number,
    offset: number | null,
  ): Sleeping<SyscallResult> {
    const { file } = this;
    const { uvm } = context.process.machine;
    yield* file.lock();
    const start = this.append ? file.size : (offset ?? this.offset);
    let done = 0;
    let error: Errno = 0;
    while (done < length && error === 0) {
      const bytes = yield* copyin(context, va + done, Math.min(BUFFER, length - done));
      if (typeof bytes === 'number') {
        error = bytes;
        break;
      }
      const outcome = yield* writeTo(uvm, file, start + done, bytes);
      done += outcome.written;
      error = outcome.error;
    }
    return this.#finish(offset, start, done, error);
  }

  /** Moves the offset if the call did not bring its own, and lets the file go. What was done counts more than the error. */
  #finish(given: number | null, start: number, done: number, error: Errno): SyscallResult {
    if (given === null) this.offset = start + done;
    this.file.unlock();
    return error !== 0 && done === 0 ? failed(error) : succeeded(done);
  }

  override seek(offset: number, whence: number): SyscallResult {
    if (whence !== SEEK_SET && whence !== SEEK_CUR && whence !== SEEK_END) return failed(EINVAL);
    const base = whence === SEEK_SET ? 0 : whence === SEEK_CUR ? this.offset : this.file.size;
    if (base + offset < 0) return failed(EINVAL);
    this.offset = base + offset;
    return succeeded(this.offset);
  }

  override *truncate({ process }: Context, size: number): Sleeping<Errno> {
    if (!this.writable || size < 0 || this.file.isDevice) return EINVAL;
    if (this.file.immutable || this.file.appendOnly) return EPERM;
    return yield* setSize(process.machine.uvm, this.file, size);
  }

  override *sync({ process }: Context): Sleeping<Errno> {
    const { vnode } = this.file;
    const { uvm } = process.machine;
    return yield* vnode.pgops.put(uvm, vnode, 0, 0, PGO_CLEANIT | PGO_SYNCIO | PGO_ALLPAGES);
  }
}

function* setSize(uvm: Uvm, file: File, size: number): Sleeping<Errno> {
  yield* file.lock();
  const { vnode, backing } = file;
  const error = backing.pager === nullVnodePager ? 0 : yield* vnodeSetSize(uvm, vnode, size);
  vnode.size = size;
  file.trim();
  file.unlock();
  return error;
}

/** VOP_READ. */
function* readFrom(
  uvm: Uvm,
  file: File,
  offset: number,
  length: number,
): Sleeping<Uint8Array | Errno> {
  const { bytes } = file.backing;
  if (bytes === null) return yield* vnodeRead(uvm, file.vnode, offset, length);
  const into = new Uint8Array(Math.max(0, Math.min(length, file.size - offset)));
  const error = yield* answer(uvm, (done) => bytes.read(offset, into, done));
  return error === 0 ? into : error;
}

/** VOP_WRITE: a block at a time, so that what fits on the disk is written. */
function* writeTo(
  uvm: Uvm,
  file: File,
  offset: number,
  from: Uint8Array,
): Sleeping<{ written: number; error: Errno }> {
  const { vnode, backing, blockSize } = file;
  const { bytes } = backing;
  if (bytes === null) return yield* vnodeWrite(uvm, vnode, offset, from);
  let written = 0;
  while (written < from.length) {
    const at = offset + written;
    const count = Math.min(from.length - written, blockSize - (at % blockSize));
    const part = from.subarray(written, written + count);
    const error = yield* answer(uvm, (done) => bytes.write(at, part, done));
    if (error !== 0) return { written, error };
    written += count;
    vnode.size = Math.max(vnode.size, at + count);
  }
  return { written, error: 0 };
}
