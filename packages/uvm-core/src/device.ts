import { EIO, type Errno, type Pa, type Prot, PMAP_CANFAIL, VM_PROT_NONE } from '@uvmkit/pmap';
import type { FaultInfo } from './fault.ts';
import { type PagerOps, UvmObject } from './object.ts';
import { NO_PAGE } from './page.ts';
import {
  type Outcome,
  PAGE_NULL,
  PGO_ALLPAGES,
  type PagerFlags,
  type Sleeping,
  UVM_ET_COPYONWRITE,
} from './types.ts';
import type { Uvm } from './uvm.ts';

/** A device that can be mapped (`d_mmap`). */
export interface MappableDevice {
  readonly name: string;
  /** The page at byte `offset`, as the cookie that `Pmap.physAddress` understands; −1 if it may not be mapped so. */
  mmap(offset: number, prot: Prot): number;
}

/** A device's object (`uvm_device`): no pages, no memory; what is mapped are the device's own frames. */
export class DeviceObject extends UvmObject {
  readonly device: MappableDevice;

  constructor(uvm: Uvm, device: MappableDevice) {
    super(uvm, devicePager);
    this.device = device;
  }
}

/**
 * A reference to the device's object, made when there is none (`udv_attach`).
 *
 * @returns null if any page of [offset, offset + size) cannot be mapped with `prot`
 */
export function deviceAttach(
  uvm: Uvm,
  device: MappableDevice,
  prot: Prot,
  offset: number,
  size: number,
): DeviceObject | null {
  if (offset < 0) return null;
  for (let at = offset; at < offset + size; at += uvm.pageSize)
    if (device.mmap(at, prot) < 0) return null;
  const known = uvm.devices.get(device);
  if (known !== undefined) {
    known.refs++;
    return known;
  }
  const object = new DeviceObject(uvm, device);
  uvm.devices.set(device, object);
  return object;
}

/** The device pager (`uvm_deviceops`). */
export const devicePager: PagerOps = {
  name: 'device',
  census: 'none',

  reference(_uvm, object) {
    object.refs++;
  },

  detach(uvm, object) {
    if (--object.refs > 0) return;
    uvm.devices.delete((object as DeviceObject).device);
    uvm.disownObject(object);
  },

  get: (): Outcome => EIO,

  // oxlint-disable-next-line require-yield -- a put is a generator, and a device has nothing to put
  *put(): Sleeping<Errno> {
    return 0;
  },

  deactivate: () => undefined,
  pageAt(uvm, object, index) {
    const cookie = (object as DeviceObject).device.mmap(index * uvm.pageSize, VM_PROT_NONE);
    return cookie < 0 ? NO_PAGE : uvm.pages.pageIndex(uvm.pmap.physAddress(cookie));
  },
  isText: () => false,
  markText: () => undefined,

  fault: deviceFault,
};

/**
 * Maps the device's frames (`udv_fault`). In 2001 the mapping was never wired, not even by a wire fault: unwiring it later finds an unwired mapping
 * (hazard H9).
 */
function deviceFault(uvm: Uvm, ufi: FaultInfo, into: Int32Array, flags: PagerFlags): Outcome {
  const { entry, map } = ufi;
  if ((entry.etype & UVM_ET_COPYONWRITE) !== 0) return EIO;
  const { device } = entry.object as DeviceObject;
  const wiredFlag = ufi.wired ? uvm.wiring.deviceFlags : 0;
  const enterFlags = PMAP_CANFAIL | entry.protection | wiredFlag;
  for (let i = 0; i < ufi.npages; i++) {
    if (into[i] !== PAGE_NULL || (i !== ufi.centre && (flags & PGO_ALLPAGES) === 0)) continue;
    const va = ufi.startVa + i * uvm.pageSize;
    const cookie = device.mmap(entry.offset + (va - entry.start), ufi.access);
    if (cookie < 0) return EIO;
    const pa: Pa = uvm.pmap.physAddress(cookie);
    if (uvm.pmap.enter(map.pmap, va, pa, entry.protection, enterFlags) !== 0) {
      uvm.pmap.update(map.pmap);
      return uvm.waitForMemory('udv_fault');
    }
  }
  uvm.pmap.update(map.pmap);
  return 0;
}
