import {
  EACCES,
  EBADF,
  EEXIST,
  EINVAL,
  ENOENT,
  type Errno,
  EPERM,
  ESPIPE,
  type Va,
} from '@uvmkit/pmap';
import type { Sleeping } from '@uvmkit/uvm-core';
import type { Context } from './context.ts';
import { OpenDevice } from './device-file.ts';
import type { File } from './file.ts';
import {
  O_ACCMODE,
  O_APPEND,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  type OpenFile,
} from './open-file.ts';
import { OpenProcessMemory } from './process-memory.ts';
import { makePipe } from './pipe.ts';
import { failed, resultOf, type SyscallResult, succeeded } from './result.ts';
import { OpenVnode } from './vnode-file.ts';

/* The system calls on descriptors: what is behind one is its open file's business. */

/** A call that makes two descriptors: `value` is the first. */
export interface PairResult extends SyscallResult {
  readonly second: number;
}

/**
 * open(2).
 *
 * @returns EINVAL for a bad access mode, ENOENT without O_CREAT, EEXIST with O_EXCL, EACCES if the mode forbids it, EPERM
 * for a file that must not be changed, EMFILE
 */
export function* open(
  context: Context,
  path: string,
  flags: number,
  mode: number,
): Sleeping<SyscallResult> {
  const { process } = context;
  const { machine } = process;
  if ((flags & O_ACCMODE) === O_ACCMODE) return failed(EINVAL);
  const device = machine.devices.get(path);
  const opened =
    device === undefined ? openFile(context, path, flags, mode) : new OpenDevice(device, flags);
  if (typeof opened === 'number') return failed(opened);
  if ((flags & O_TRUNC) !== 0 && opened.writable && opened.file !== null) {
    const error = yield* opened.truncate(context, 0);
    if (error !== 0) {
      opened.release();
      return failed(error);
    }
  }
  return install(context, opened);
}

/** Finds or makes a file and checks its mode. */
function openFile(
  { process }: Context,
  path: string,
  flags: number,
  mode: number,
): OpenFile | Errno {
  const { machine } = process;
  const memory = /^\/proc\/(\d+|curproc)\/mem$/.exec(path);
  if (memory !== null) {
    const target = memory[1] === 'curproc' ? process : machine.processes.get(Number(memory[1]));
    return target === undefined ? ENOENT : new OpenProcessMemory(target, flags);
  }
  const { fs, name } = machine.resolve(path);
  const file = machine.blockDevice(path) ?? fs.lookup(name);
  if (file === null) {
    if ((flags & O_CREAT) === 0) return ENOENT;
    // Whoever makes a file may use it as asked, whatever its mode says to those who come later.
    return new OpenVnode(fs.create(name, 0, mode), flags);
  }
  if ((flags & (O_CREAT | O_EXCL)) === (O_CREAT | O_EXCL)) return EEXIST;
  const error = accessError(file, flags, process.superuser);
  return error === 0 ? new OpenVnode(file, flags) : error;
}

/** Whether the file may be opened so (VOP_ACCESS and VOP_OPEN). */
function accessError(file: File, flags: number, superuser: boolean): Errno {
  const access = flags & O_ACCMODE;
  if (access !== O_RDONLY && file.immutable) return EPERM;
  if (access !== O_RDONLY && file.appendOnly && (flags & (O_APPEND | O_TRUNC)) !== O_APPEND)
    return EPERM;
  if (superuser) return 0;
  if (access !== O_WRONLY && (file.mode & 0o400) === 0) return EACCES;
  return access !== O_RDONLY && (file.mode & 0o200) === 0 ? EACCES : 0;
}

/** Gives an open file its descriptor, or lets it go. */
function install({ process }: Context, opened: OpenFile): SyscallResult {
  const fd = process.descriptors.add(opened, process.limits.files);
  if (fd >= 0) return succeeded(fd);
  opened.release();
  return failed(-fd);
}

/** pipe(2) and socketpair(2): two ends, each of which reads what is written to the other. */
export function pipe(context: Context, lends: boolean): PairResult {
  const { process } = context;
  const [first, second] = makePipe(process.machine, lends);
  const value = install(context, first);
  const other = value.error === 0 ? install(context, second) : value;
  if (other.error === 0) return { ...value, second: other.value };
  if (value.error === 0) process.descriptors.close(value.value);
  else second.release();
  return { ...other, second: -1 };
}

/** close(2). */
export function* close({ process }: Context, fd: number): Sleeping<SyscallResult> {
  const error = process.descriptors.close(fd);
  if (error !== 0) return failed(error);
  yield* process.machine.reclaim();
  return succeeded(0);
}

/** dup(2). */
export function dup({ process }: Context, fd: number): SyscallResult {
  const file = process.descriptors.get(fd);
  if (file === null) return failed(EBADF);
  const copy = process.descriptors.add(file, process.limits.files);
  if (copy < 0) return failed(-copy);
  file.refs++;
  return succeeded(copy);
}

/** unlink(2). */
export function* unlink({ process }: Context, path: string): Sleeping<SyscallResult> {
  const { machine } = process;
  const { fs, name } = machine.resolve(path);
  const file = fs.lookup(name);
  if (file === null) return failed(ENOENT);
  if (file.immutable || file.appendOnly) return failed(EPERM);
  fs.unlink(name);
  yield* machine.reclaim();
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
  const file = context.process.descriptors.get(fd);
  if (file === null || !file.readable) return failed(EBADF);
  const error = rangeError(file, length, offset);
  return error === 0 ? yield* file.read(context, va, length, offset) : failed(error);
}

/** write(2) and pwrite(2). The value is the number of bytes written. */
export function* write(
  context: Context,
  fd: number,
  va: Va,
  length: number,
  offset: number | null,
): Sleeping<SyscallResult> {
  const file = context.process.descriptors.get(fd);
  if (file === null || !file.writable) return failed(EBADF);
  const error = rangeError(file, length, offset);
  return error === 0 ? yield* file.write(context, va, length, offset) : failed(error);
}

function rangeError(file: OpenFile, length: number, offset: number | null): Errno {
  if (offset !== null && !file.seekable) return ESPIPE;
  return length < 0 || (offset !== null && offset < 0) ? EINVAL : 0;
}

/** lseek(2). The value is the new offset. */
export function lseek(
  { process }: Context,
  fd: number,
  offset: number,
  whence: number,
): SyscallResult {
  return process.descriptors.get(fd)?.seek(offset, whence) ?? failed(EBADF);
}

/** ftruncate(2). */
export function* ftruncate(context: Context, fd: number, size: number): Sleeping<SyscallResult> {
  const file = context.process.descriptors.get(fd);
  if (file === null) return failed(EBADF);
  return resultOf(yield* file.truncate(context, size));
}

/** fsync(2): every dirty page of the file is on the disk when it returns. */
export function* fsync(context: Context, fd: number): Sleeping<SyscallResult> {
  const file = context.process.descriptors.get(fd);
  if (file === null) return failed(EBADF);
  return resultOf(yield* file.sync(context));
}
