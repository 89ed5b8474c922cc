import type { Errno } from '@uvmkit/pmap';

/** What a system call answers: an error, or 0 and a value. */
export interface SyscallResult {
  readonly error: Errno;
  /** What the call returns; −1 after an error, 0 where it returns nothing. */
  readonly value: number;
}

export function succeeded(value: number): SyscallResult {
  return { error: 0, value };
}

export function failed(error: Errno): SyscallResult {
  return { error, value: -1 };
}

/** The result of a call that returns nothing but an errno. */
export function resultOf(error: Errno): SyscallResult {
  return error === 0 ? succeeded(0) : failed(error);
}
