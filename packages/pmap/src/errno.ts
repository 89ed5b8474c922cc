/**
 * An error number of NetBSD (sys/errno.h, December 2001), or 0 for success. Errors are returned,
 * never thrown.
 */
export type Errno = number;

/** The errors that UVM, the ports and the machine answer with, by NetBSD's numbers (sys/errno.h). */
export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const EIO = 5;
export const ENXIO = 6;
export const ENOEXEC = 8;
export const EBADF = 9;
export const ECHILD = 10;
export const ENOMEM = 12;
export const EACCES = 13;
export const EFAULT = 14;
export const ENOTBLK = 15;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const ENOTDIR = 20;
export const EISDIR = 21;
export const EINVAL = 22;
export const EMFILE = 24;
export const EFBIG = 27;
export const ENOSPC = 28;
export const ESPIPE = 29;
export const EROFS = 30;
export const EPIPE = 32;
export const EAGAIN = 35;
export const EOPNOTSUPP = 45;
/** A handle that means nothing any more. */
export const ESTALE = 70;
export const ENOSYS = 78;
export const EOVERFLOW = 84;
/** Kernel-internal: the operation must be started again from the top. Never seen by a process. */
export const ERESTART = -3;

const NAMES: ReadonlyMap<Errno, string> = new Map([
  [EPERM, 'EPERM'],
  [ENOENT, 'ENOENT'],
  [ESRCH, 'ESRCH'],
  [EINTR, 'EINTR'],
  [EIO, 'EIO'],
  [ENXIO, 'ENXIO'],
  [ENOEXEC, 'ENOEXEC'],
  [EBADF, 'EBADF'],
  [ECHILD, 'ECHILD'],
  [ENOMEM, 'ENOMEM'],
  [EACCES, 'EACCES'],
  [EFAULT, 'EFAULT'],
  [ENOTBLK, 'ENOTBLK'],
  [EBUSY, 'EBUSY'],
  [EEXIST, 'EEXIST'],
  [ENODEV, 'ENODEV'],
  [ENOTDIR, 'ENOTDIR'],
  [EISDIR, 'EISDIR'],
  [EINVAL, 'EINVAL'],
  [EMFILE, 'EMFILE'],
  [EFBIG, 'EFBIG'],
  [ENOSPC, 'ENOSPC'],
  [ESPIPE, 'ESPIPE'],
  [EROFS, 'EROFS'],
  [EPIPE, 'EPIPE'],
  [EAGAIN, 'EAGAIN'],
  [EOPNOTSUPP, 'EOPNOTSUPP'],
  [ESTALE, 'ESTALE'],
  [ENOSYS, 'ENOSYS'],
  [EOVERFLOW, 'EOVERFLOW'],
  [ERESTART, 'ERESTART'],
]);

/** The symbolic name of an error number, `0` for success, or `errno N` for one not listed here. */
export function errnoName(error: Errno): string {
  return error === 0 ? '0' : (NAMES.get(error) ?? `errno ${error}`);
}
