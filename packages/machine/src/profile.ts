import { EAGAIN, EBUSY, EFAULT, EINVAL, ENOMEM, EOVERFLOW, EPERM, type Errno } from '@uvmkit/pmap';

/** Whose behaviour a machine shows where NetBSD of December 2001 and POSIX (IEEE Std 1003.1-2001) differ. */
export type ProfileName = 'netbsd-2001' | 'posix';

/**
 * Every difference, one a line. An errno of 0 means that the call goes on; null, that what UVM answered is told as it is.
 * `uvm-core` knows the left column only: the system calls make the right one of it.
 */
export interface Profile {
  readonly name: ProfileName;
  /** mmap of no bytes: maps nothing and succeeds, or fails. */
  readonly mmapNothing: Errno;
  /** mmap at an offset within a page: the mapping begins at the page before, or is refused. */
  readonly mmapOffset: Errno;
  /** mmap with neither MAP_SHARED nor MAP_PRIVATE: private (a device: shared), or refused. */
  readonly mmapNoKind: Errno;
  /** mmap beyond the largest offset of a file. */
  readonly mmapOverflow: Errno;
  /** mmap with MAP_FIXED at a page that is not, or not all, in user space. */
  readonly mmapOutside: Errno;
  /** Whether a file must be open for reading to be mapped, whatever the protection. */
  readonly mmapNeedsRead: boolean;
  /** Whether mmap looks everywhere if there is no room from the hint on upwards. */
  readonly mmapHintOptional: boolean;
  /** mmap under MCL_FUTURE of more than may be locked. */
  readonly mmapOverLock: Errno;
  /** munmap of no bytes. */
  readonly munmapNothing: Errno;
  /** munmap at an address within a page: its page goes too, or the call is refused. */
  readonly munmapUnaligned: Errno;
  /** munmap of a range with a hole; 0 unmaps what is there. */
  readonly munmapHole: Errno;
  /** mprotect of a range with a hole; 0 changes what is there. */
  readonly mprotectHole: Errno;
  /** msync at an address within a page. */
  readonly msyncUnaligned: Errno;
  /** msync of no bytes: the whole mapping around the address, or nothing at all. */
  readonly msyncNothing: 'mapping' | 'nothing';
  /** msync of a range with a hole. */
  readonly msyncHole: Errno;
  /** msync with MS_INVALIDATE of locked pages; 0 throws them away under the lock. */
  readonly msyncLocked: Errno;
  /** mlock and munlock of a range with a hole. */
  readonly mlockHole: Errno | null;
  /** mlock and munlock of a range that is not all in user space, but does not wrap either. */
  readonly mlockOutside: Errno | null;
  /** mlock by a process that may not lock anything (RLIMIT_MEMLOCK is 0). */
  readonly mlockForbidden: Errno | null;
  /** mlock of pages that cannot be had: no right to them, an I/O error. */
  readonly mlockRefused: Errno | null;
  /** munlock of mapped pages that are not locked. */
  readonly munlockUnlocked: Errno | null;
  /** Whether there is RLIMIT_AS. */
  readonly limitsAddressSpace: boolean;
  /** Whether an access past the end of a file, or one whose backing store fails, is SIGBUS. It was SIGSEGV on every port. */
  readonly sendsBusError: boolean;
}

/** What each profile decides. */
export const PROFILES: { readonly [name in ProfileName]: Profile } = {
  'netbsd-2001': {
    name: 'netbsd-2001',
    mmapNothing: 0,
    mmapOffset: 0,
    mmapNoKind: 0,
    mmapOverflow: EINVAL,
    mmapOutside: EINVAL,
    mmapNeedsRead: false,
    mmapHintOptional: false,
    mmapOverLock: ENOMEM,
    munmapNothing: 0,
    munmapUnaligned: 0,
    munmapHole: EINVAL,
    mprotectHole: 0,
    msyncUnaligned: 0,
    msyncNothing: 'mapping',
    msyncHole: EFAULT,
    msyncLocked: 0,
    mlockHole: null,
    mlockOutside: null,
    mlockForbidden: null,
    mlockRefused: null,
    munlockUnlocked: null,
    limitsAddressSpace: false,
    sendsBusError: false,
  },
  posix: {
    name: 'posix',
    mmapNothing: EINVAL,
    mmapOffset: EINVAL,
    mmapNoKind: EINVAL,
    mmapOverflow: EOVERFLOW,
    mmapOutside: ENOMEM,
    mmapNeedsRead: true,
    mmapHintOptional: true,
    mmapOverLock: EAGAIN,
    munmapNothing: EINVAL,
    munmapUnaligned: EINVAL,
    munmapHole: 0,
    mprotectHole: ENOMEM,
    msyncUnaligned: EINVAL,
    msyncNothing: 'nothing',
    msyncHole: ENOMEM,
    msyncLocked: EBUSY,
    mlockHole: ENOMEM,
    mlockOutside: ENOMEM,
    mlockForbidden: EPERM,
    mlockRefused: EAGAIN,
    munlockUnlocked: 0,
    limitsAddressSpace: true,
    sendsBusError: true,
  },
};
