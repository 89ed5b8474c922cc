import {
  EACCES,
  EINVAL,
  type Errno,
  type Prot,
  type Va,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import {
  deviceAttach,
  MAP_FIXED,
  MAP_INHERIT_SHARE,
  mapLock,
  type MappableDevice,
  type Sleeping,
  UVM_ADV_RANDOM,
  UVM_FLAG_FIXED,
  uvmMap,
  uvmUnmap,
} from '@uvmkit/uvm-core';
import type { Context } from './context.ts';
import type { Device } from './device.ts';
import type { OpenFile } from './open-file.ts';
import { failed, type SyscallResult, succeeded } from './result.ts';

/** What UVM knows each device by. */
const MAPPABLE: WeakMap<Device, MappableDevice> = new WeakMap();

function mappable(device: Device): MappableDevice {
  let known = MAPPABLE.get(device);
  if (known === undefined) {
    known = { name: 'device', mmap: (offset, prot) => device.mmap?.(offset, prot) ?? -1 };
    MAPPABLE.set(device, known);
  }
  return known;
}

/**
 * mmap(2) of a character device that has a d_mmap: always shared, whatever was asked for; what is mapped are the
 * device's own frames.
 *
 * @returns EACCES for a right that the descriptor does not have, EINVAL for pages that the device does not let map
 */
export function* mapDevice(
  { process }: Context,
  open: OpenFile,
  addr: Va,
  length: number,
  prot: Prot,
  flags: number,
  offset: number,
): Sleeping<SyscallResult> {
  const { uvm } = process.machine;
  const { userMin, userMax, maxDataSize } = uvm.md.port.layout;
  const { map, dataAddress } = process.space;
  const within = offset - uvm.trunc(offset);
  const size = uvm.round(length + within);
  const fixed = (flags & MAP_FIXED) !== 0;
  const error = rightsError(open, prot);
  if (error !== 0) return failed(error);
  if (size < 0) return failed(EINVAL);
  let start = fixed
    ? addr - within
    : Math.max(uvm.round(addr), uvm.round(dataAddress + maxDataSize));
  if (fixed && (start % uvm.pageSize !== 0 || start < userMin || start + size > userMax))
    return failed(EINVAL);
  if (size === 0) return succeeded(start + within);
  let maxProt = VM_PROT_EXECUTE;
  if (open.readable) maxProt |= VM_PROT_READ;
  if (open.writable) maxProt |= VM_PROT_WRITE;
  yield* mapLock(map);
  if (fixed) uvmUnmap(uvm, map, start, start + size);
  const object = deviceAttach(uvm, mappable(open.device!), maxProt, offset - within, size);
  if (object === null) return failed(EINVAL);
  const mapped = uvmMap(uvm, map, start, size, object, offset - within, 0, {
    prot,
    maxProt,
    inherit: MAP_INHERIT_SHARE,
    advice: UVM_ADV_RANDOM,
    flags: fixed ? UVM_FLAG_FIXED : 0,
  });
  if (mapped.error !== 0) {
    object.pgops.detach(uvm, object);
    return failed(mapped.error);
  }
  start = mapped.start;
  return succeeded(start + within);
}

function rightsError(open: OpenFile, prot: Prot): Errno {
  if ((prot & VM_PROT_READ) !== 0 && !open.readable) return EACCES;
  return (prot & VM_PROT_WRITE) !== 0 && !open.writable ? EACCES : 0;
}
