import { EIO, ENODEV, type Errno, type Va } from '@uvmkit/pmap';
import type { MappableFile, Sleeping } from '@uvmkit/uvm-core';
import type { Context } from './context.ts';
import { copyin, copyout } from './copy.ts';
import { OpenFile } from './open-file.ts';
import { failed, type SyscallResult, succeeded } from './result.ts';

/** A character device: what stands under a name in /dev (`struct cdevsw`). */
export interface Device {
  /** Reads up to `length` bytes at `offset`: the bytes, none at the end, or an error. */
  read?(offset: number, length: number): Sleeping<Uint8Array | Errno>;
  /** Writes bytes at `offset`: how many it took, or a negative error. */
  write?(offset: number, bytes: Uint8Array): Sleeping<number>;
  /** /dev/zero: mapped, it is anonymous memory. */
  readonly zeroes?: boolean;
}

const CHUNK = 64 * 1024;

/** An open character device. */
export class OpenDevice extends OpenFile {
  override readonly isZeroes: boolean;
  readonly device: Device;

  constructor(device: Device, flags: number) {
    super(flags);
    this.device = device;
    this.isZeroes = device.zeroes === true;
  }

  override mappable(): MappableFile | Errno {
    return ENODEV;
  }

  override *read(
    context: Context,
    va: Va,
    length: number,
    offset: number | null,
  ): Sleeping<SyscallResult> {
    const { device } = this;
    if (device.read === undefined) return failed(ENODEV);
    const start = offset ?? this.offset;
    let done = 0;
    while (done < length) {
      const bytes = yield* device.read(start + done, Math.min(CHUNK, length - done));
      const error = typeof bytes === 'number' ? bytes : yield* copyout(context, va + done, bytes);
      if (typeof bytes === 'number' || error !== 0)
        return done === 0 ? failed(error) : succeeded(done);
      if (bytes.length === 0) break;
      done += bytes.length;
    }
    if (offset === null) this.offset = start + done;
    return succeeded(done);
  }

  override *write(
    context: Context,
    va: Va,
    length: number,
    offset: number | null,
  ): Sleeping<SyscallResult> {
    const { device } = this;
    if (device.write === undefined) return failed(ENODEV);
    const start = offset ?? this.offset;
    let done = 0;
    while (done < length) {
      const bytes = yield* copyin(context, va + done, Math.min(CHUNK, length - done));
      if (typeof bytes === 'number') return done === 0 ? failed(bytes) : succeeded(done);
      const taken = yield* device.write(start + done, bytes);
      if (taken <= 0) return done === 0 ? failed(taken === 0 ? EIO : -taken) : succeeded(done);
      done += taken;
    }
    if (offset === null) this.offset = start + done;
    return succeeded(done);
  }

  protected override close(): void {
    // A device keeps nothing of an open.
  }
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
