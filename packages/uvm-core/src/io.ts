import { EIO, ENOMEM, type Errno, type Pa, type Va } from '@uvmkit/pmap';
import {
  mapExtract,
  UVM_EXTRACT_CONTIG,
  UVM_EXTRACT_FIXPROT,
  UVM_EXTRACT_QREF,
} from './extract.ts';
import { mapLock, type VmMap } from './map.ts';
import { unmapDetach, unmapRemove } from './map-unmap.ts';
import { AMAP_REFALL, type Sleeping } from './types.ts';
import type { Uvm } from './uvm.ts';

/** The most that is mapped at a time (MAXBSIZE). */
const CHUNK = 64 * 1024;

/** Moves bytes at a kernel address: what uiomove does. Its faults are the kernel map's. Answers an errno (EFAULT if a fault failed). */
export type KernelMove = (kernelVa: Va, done: number, length: number) => Sleeping<Errno>;

/**
 * Reads or writes another process' memory (`uvm_io`): ptrace(2) and procfs. The range is mapped into the kernel at the maximum
 * protection, so that a tracer can write to read-only private text.
 *
 * @param va byte address in `map`; the range is cut off at the end of user space
 * @param move called for each stretch with its kernel address, the bytes done before, and its length
 * @returns EIO for a wrapped range, EINVAL if a stretch of 64 KB (or what is left) has a hole, ENOMEM if it cannot be mapped, or what
 * `move` answered; bytes done before in `done`
 */
export function* uvmIo(
  uvm: Uvm,
  map: VmMap,
  va: Va,
  length: number,
  move: KernelMove,
): Sleeping<{ readonly error: Errno; readonly done: number }> {
  if (length === 0) return { error: 0, done: 0 };
  if (length < 0 || !Number.isSafeInteger(va + length)) return { error: EIO, done: 0 };
  const max = uvm.md.port.layout.userMax;
  if (va >= max) return { error: 0, done: 0 };
  const total = Math.min(length, max - va);
  let done = 0;
  let most = CHUNK;
  while (done < total) {
    const at = va + done;
    const start = uvm.trunc(at);
    const size = Math.min(uvm.round(at + (total - done)) - start, most);
    const mapped = yield* mapExtract(
      uvm,
      map,
      start,
      size,
      uvm.kernelMap,
      UVM_EXTRACT_QREF | UVM_EXTRACT_CONTIG | UVM_EXTRACT_FIXPROT,
    );
    if (mapped.error === ENOMEM && size > uvm.pageSize) {
      most = uvm.round(size / 2);
      continue;
    }
    if (mapped.error !== 0) return { error: mapped.error, done };
    const bytes = Math.min(size - (at - start), total - done);
    const error = yield* move(mapped.start + (at - start), done, bytes);
    yield* mapLock(uvm.kernelMap);
    unmapDetach(
      uvm,
      unmapRemove(uvm, uvm.kernelMap, mapped.start, mapped.start + size),
      AMAP_REFALL,
    );
    if (error !== 0) return { error, done };
    done += bytes;
  }
  return { error: 0, done };
}

/**
 * Keeps a user buffer in memory during a transfer (`uvm_vslock`): wired at the protection that the access needs, and not at the
 * maximum (hazard H5). No entry knows of it.
 */
export function vslock(
  uvm: Uvm,
  map: VmMap,
  va: Va,
  length: number,
  access: number,
): Sleeping<Errno> {
  return uvm.wiring.hold(uvm, map, uvm.trunc(va), uvm.round(va + length), access);
}

/** Ends {@link vslock}. */
export function vsunlock(uvm: Uvm, map: VmMap, va: Va, length: number): void {
  const start = uvm.trunc(va);
  const end = uvm.round(va + length);
  const at = map.vslocks.findIndex((lock) => lock.start === start && lock.end === end);
  if (at < 0)
    throw new RangeError(
      `vsunlock: [0x${start.toString(16)}, 0x${end.toString(16)}) is not locked`,
    );
  const [lock] = map.vslocks.splice(at, 1);
  uvm.wiring.release(uvm, map, lock!);
}

/**
 * Where a byte of a user buffer lies in memory, while {@link vslock} keeps it there: what a device is told. NO_PA if there is no
 * telling.
 */
export function vslockedPa(uvm: Uvm, map: VmMap, va: Va): Pa {
  const page = uvm.trunc(va);
  const lock = map.vslocks.findLast(({ start, end }) => page >= start && page < end);
  const frame = lock?.frames?.get(page);
  return frame === undefined
    ? uvm.pmap.extract(map.pmap, va)
    : uvm.pages.pageAddress(frame) + (va - page);
}
