import type { Errno, Prot } from '@uvmkit/pmap';
import type { Sleeping } from '@uvmkit/uvm-core';
import type { Partition } from './partition.ts';

/** A character device: what stands under a name in /dev (`struct cdevsw`). What is missing it cannot do. */
export interface Device {
  /** Reads up to `length` bytes at `offset`: the bytes, none at the end, or an error. */
  read?(offset: number, length: number): Sleeping<Uint8Array | Errno>;
  /** Writes bytes at `offset`: how many it took, or a negative error. */
  write?(offset: number, bytes: Uint8Array): Sleeping<number>;
  /** The page at byte `offset`, as the cookie that `Pmap.physAddress` understands; −1 if it may not be mapped so (d_mmap). */
  mmap?(offset: number, prot: Prot): number;
  /** The part of a disk that is read and written straight from and to the caller's memory (physio). */
  readonly partition?: Partition;
  /** /dev/zero: mapped, it is anonymous memory. */
  readonly zeroes?: boolean;
}

/** /dev/zero. */
export const ZERO: Device = {
  zeroes: true,
  // oxlint-disable-next-line require-yield -- zeroes are there at once
  *read(_offset, length) {
    return new Uint8Array(length);
  },
  // oxlint-disable-next-line require-yield -- and go at once
  *write(_offset, bytes) {
    return bytes.length;
  },
};

/** /dev/null. */
export const NULL: Device = {
  // oxlint-disable-next-line require-yield -- it is at its end at once
  *read() {
    return new Uint8Array(0);
  },
  // oxlint-disable-next-line require-yield -- likewise
  *write(_offset, bytes) {
    return bytes.length;
  },
};
