import { EIO, ENODEV, type Errno, type Va } from '@uvmkit/pmap';
import type { MappableDevice, MappableDeviceFile, Sleeping } from '@uvmkit/uvm-core';
import type { Context } from './context.ts';
import { copyin, copyout } from './copy.ts';
import type { Device } from './device.ts';
import { OpenFile } from './open-file.ts';
import { physio } from './partition.ts';
import { failed, type SyscallResult, succeeded } from './result.ts';

const CHUNK = 64 * 1024;

/** What UVM knows each device by, however often it is opened. */
const MAPPABLE: WeakMap<Device, MappableDevice> = new WeakMap();

/** The device as UVM maps it; null if it has no d_mmap. */
function mappableDevice(device: Device): MappableDevice | null {
  if (device.mmap === undefined) return null;
  let known = MAPPABLE.get(device);
  if (known === undefined) {
    known = { name: 'device', mmap: (offset, prot) => device.mmap?.(offset, prot) ?? -1 };
    MAPPABLE.set(device, known);
  }
  return known;
}

/** An open character device. */
export class OpenDevice extends OpenFile {
  readonly device: Device;

  constructor(device: Device, flags: number) {
    super(flags);
    this.device = device;
  }

  override mappable(): MappableDeviceFile | Errno {
    const device = this.device.zeroes === true ? 'zero' : mappableDevice(this.device);
    if (device === null) return ENODEV;
    return { device, readable: this.readable, writable: this.writable, immutable: false };
  }

  override *read(
    context: Context,
    va: Va,
    length: number,
    offset: number | null,
  ): Sleeping<SyscallResult> {
    const { device } = this;
    const start = offset ?? this.offset;
    if (device.partition !== undefined) {
      const moved = yield* physio(context, device.partition, va, length, start, false);
      if (offset === null) this.offset = start + Math.max(0, moved.value);
      return moved;
    }
    if (device.read === undefined) return failed(ENODEV);
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
    const start = offset ?? this.offset;
    if (device.partition !== undefined) {
      const moved = yield* physio(context, device.partition, va, length, start, true);
      if (offset === null) this.offset = start + Math.max(0, moved.value);
      return moved;
    }
    if (device.write === undefined) return failed(ENODEV);
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
