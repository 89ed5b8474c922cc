import { EBADF, EINVAL, ENOENT, type Errno, type Va } from '@uvmkit/pmap';
import {
  PGO_ALLPAGES,
  PGO_CLEANIT,
  PGO_SYNCIO,
  type Sleeping,
  type Uvm,
  vnodeRead,
  vnodeSetSize,
  vnodeWrite,
} from '@uvmkit/uvm-core';
import { copyin, copyout } from './copy.ts';
import type { Context } from './context.ts';
import { O_TRUNC, type OpenFile, openFile, SEEK_CUR, SEEK_END, SEEK_SET } from './descriptors.ts';
import type { File } from './file.ts';
import { failed, resultOf, type SyscallResult, succeeded } from './result.ts';

/*
 * The system calls on files. Data goes through the pages that mappings see, and through a buffer of the
 * kernel's between those pages and the process, so that no page is held while the process' own pages fault in:
 *
 *     file's page ◀──(page BUSY)──▶ buffer ◀──(nothing held; may fault and sleep)──▶ process
 */

/** The most that goes through the buffer at once (MAXBSIZE). */
const BUFFER = 64 * 1024;

/** open(2). */
export function* open(
  { process }: Context,
  name: string,
  flags: number,
  mode: number,
): Sleeping<SyscallResult> {
  const { fs } = process.machine;
  const opened = openFile(fs, name, flags, mode, process.superuser);
  if (typeof opened === 'number') return failed(opened);
  if ((flags & O_TRUNC) !== 0 && opened.writable) {
    const error = yield* setSize(process.machine.uvm, opened.file, 0);
    if (error !== 0) {
      opened.release();
      return failed(error);
    }
  }
  const fd = process.descriptors.add(opened);
  if (fd >= 0) return succeeded(fd);
  opened.release();
  return failed(-fd);
}

/** close(2). */
export function* close({ process }: Context, fd: number): Sleeping<SyscallResult> {
  const error = process.descriptors.close(fd);
  if (error !== 0) return failed(error);
  yield* process.machine.fs.reclaim();
  return succeeded(0);
}

/** dup(2). */
export function dup({ process }: Context, fd: number): SyscallResult {
  const file = process.descriptors.get(fd);
  if (file === null) return failed(EBADF);
  const copy = process.descriptors.add(file);
  if (copy < 0) return failed(-copy);
  file.refs++;
  return succeeded(copy);
}

/** unlink(2). */
export function* unlink({ process }: Context, name: string): Sleeping<SyscallResult> {
  const { fs } = process.machine;
  if (!fs.unlink(name)) return failed(ENOENT);
  yield* fs.reclaim();
  return succeeded(0);
}

/** read(2) and, with an offset, pread(2). The value is the number of bytes read; 0 at the end of the file. */
export function* read(
  context: Context,
  fd: number,
  va: Va,
  length: number,
  offset: number | null,
): Sleeping<SyscallResult> {
  const { process } = context;
  const open = process.descriptors.get(fd);
  if (open === null || !open.readable) return failed(EBADF);
  if (length < 0 || (offset !== null && offset < 0)) return failed(EINVAL);
  const { file } = open;
  const { uvm } = process.machine;
  yield* file.lock();
  const start = offset ?? open.offset;
  let done = 0;
  let error: Errno = 0;
  while (done < length) {
    const count = Math.min(BUFFER, length - done);
    const bytes = yield* vnodeRead(uvm, file.vnode, start + done, count);
    if (typeof bytes === 'number') error = bytes;
    else if (bytes.length > 0) error = yield* copyout(context, va + done, bytes);
    if (typeof bytes === 'number' || error !== 0) break;
    done += bytes.length;
    if (bytes.length < count) break;
  }
  return finish(open, offset, start, done, error);
}

/** write(2) and pwrite(2). The value is the number of bytes written. */
export function* write(
  context: Context,
  fd: number,
  va: Va,
  length: number,
  offset: number | null,
): Sleeping<SyscallResult> {
  const { process } = context;
  const open = process.descriptors.get(fd);
  if (open === null || !open.writable) return failed(EBADF);
  if (length < 0 || (offset !== null && offset < 0)) return failed(EINVAL);
  const { file } = open;
  const { uvm } = process.machine;
  yield* file.lock();
  let start = offset ?? open.offset;
  if (open.append) start = file.size;
  let done = 0;
  let error: Errno = 0;
  while (done < length && error === 0) {
    const bytes = yield* copyin(context, va + done, Math.min(BUFFER, length - done));
    if (typeof bytes === 'number') {
      error = bytes;
      break;
    }
    const outcome = yield* vnodeWrite(uvm, file.vnode, start + done, bytes);
    done += outcome.written;
    error = outcome.error;
  }
  return finish(open, offset, start, done, error);
}

/** Moves the offset if the call did not bring its own, and lets the file go. What was done counts more than the error. */
function finish(
  open: OpenFile,
  given: number | null,
  start: number,
  done: number,
  error: Errno,
): SyscallResult {
  if (given === null) open.offset = start + done;
  open.file.unlock();
  return error !== 0 && done === 0 ? failed(error) : succeeded(done);
}

/** lseek(2). The value is the new offset. */
export function lseek(
  { process }: Context,
  fd: number,
  offset: number,
  whence: number,
): SyscallResult {
  const open = process.descriptors.get(fd);
  if (open === null) return failed(EBADF);
  if (whence !== SEEK_SET && whence !== SEEK_CUR && whence !== SEEK_END) return failed(EINVAL);
  const base = whence === SEEK_SET ? 0 : whence === SEEK_CUR ? open.offset : open.file.size;
  if (base + offset < 0) return failed(EINVAL);
  open.offset = base + offset;
  return succeeded(open.offset);
}

/** ftruncate(2). */
export function* ftruncate(
  { process }: Context,
  fd: number,
  size: number,
): Sleeping<SyscallResult> {
  const open = process.descriptors.get(fd);
  if (open === null) return failed(EBADF);
  if (!open.writable || size < 0) return failed(EINVAL);
  return resultOf(yield* setSize(process.machine.uvm, open.file, size));
}

function* setSize(uvm: Uvm, file: File, size: number): Sleeping<Errno> {
  yield* file.lock();
  const error = yield* vnodeSetSize(uvm, file.vnode, size);
  file.trim();
  file.unlock();
  return error;
}

/** fsync(2): every dirty page of the file is on the disk when it returns. */
export function* fsync({ process }: Context, fd: number): Sleeping<SyscallResult> {
  const open = process.descriptors.get(fd);
  if (open === null) return failed(EBADF);
  const { vnode } = open.file;
  const error = yield* vnode.pgops.put(
    process.machine.uvm,
    vnode,
    0,
    0,
    PGO_CLEANIT | PGO_SYNCIO | PGO_ALLPAGES,
  );
  return resultOf(error);
}
