import { EFAULT, EINVAL, ENOMEM, type Errno, type Va, VM_PROT_WRITE } from '@uvmkit/pmap';
import { faultUnwire, faultWire, type Sleeping, sysMincore, VM_FAULT_WIRE } from '@uvmkit/uvm-core';
import type { Context } from './context.ts';
import { copyout } from './copy.ts';

/** In the answer of mincore: not looked at. */
const UNKNOWN = 0xff;

/**
 * mincore(2). The process' vector is wired meanwhile (uvm_vslock), so that storing into it cannot fault
 * with the map locked.
 *
 * @param vec where the bytes go, one a page
 * @returns EINVAL for an unaligned or empty range, EFAULT if `vec` cannot be written, ENOMEM at a hole: the
 * bytes of the pages before it have been stored
 */
export function* mincore(context: Context, addr: Va, length: number, vec: Va): Sleeping<Errno> {
  const { process } = context;
  const { uvm } = process.machine;
  const { space } = process;
  const { userMin, userMax } = uvm.md.port.layout;
  const size = uvm.round(length);
  if (addr % uvm.pageSize !== 0 || size <= 0) return EINVAL;
  if (addr < userMin || addr + size > userMax) return ENOMEM;
  const count = uvm.atop(size);
  if (vec < userMin || vec + count > userMax) return EFAULT;
  const start = uvm.trunc(vec);
  const end = uvm.round(vec + count);
  const locked = yield* faultWire(uvm, space.map, start, end, VM_FAULT_WIRE, VM_PROT_WRITE);
  if (locked !== 0) return EFAULT;
  const bytes = new Uint8Array(count).fill(UNKNOWN);
  const error = sysMincore(uvm, process, addr, length, bytes);
  const stored = bytes.indexOf(UNKNOWN);
  const copied = yield* copyout(context, vec, stored < 0 ? bytes : bytes.subarray(0, stored));
  faultUnwire(uvm, space.map, start, end);
  return error !== 0 ? error : copied;
}
