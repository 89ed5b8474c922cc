import { type Errno, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { PG_CLEAN } from './page.ts';
import {
  PAGE_NULL,
  PGO_FREE,
  PGO_OVERWRITE,
  PGO_PASTEOF,
  PGO_SYNCIO,
  type Sleeping,
  UVM_ADV_NORMAL,
  WAIT,
} from './types.ts';
import type { Uvm } from './uvm.ts';
import type { Vnode } from './vnode.ts';

/** One page of a file, BUSY for the caller; or the error. */
function* holdPage(
  uvm: Uvm,
  vnode: Vnode,
  index: number,
  access: number,
  flags: number,
): Sleeping<{ page: number; error: Errno }> {
  const slot = new Int32Array(1);
  for (;;) {
    slot[0] = PAGE_NULL;
    const outcome = vnode.pgops.get(
      uvm,
      vnode,
      index * uvm.pageSize,
      slot,
      1,
      0,
      access,
      UVM_ADV_NORMAL,
      flags | PGO_SYNCIO,
    );
    if (outcome !== WAIT) return { page: slot[0]!, error: outcome };
    yield uvm.waitChannel;
  }
}

/**
 * Reads from a file through its pages, so that what mappings have stored is seen.
 *
 * @param offset bytes; reading stops at the end of the file
 * @returns the bytes read, or the error if there were none
 */
export function* vnodeRead(
  uvm: Uvm,
  vnode: Vnode,
  offset: number,
  length: number,
): Sleeping<Uint8Array | Errno> {
  const end = Math.min(offset + length, vnode.size);
  if (offset >= end) return new Uint8Array(0);
  const bytes = new Uint8Array(end - offset);
  for (let at = offset; at < end;) {
    const start = uvm.trunc(at);
    const stop = Math.min(start + uvm.pageSize, end);
    const { page, error } = yield* holdPage(uvm, vnode, start / uvm.pageSize, VM_PROT_READ, 0);
    if (error !== 0) return at === offset ? error : bytes.subarray(0, at - offset);
    const pa = uvm.pages.pageAddress(page);
    uvm.syncForDevice(pa);
    bytes.set(uvm.memory.bytes.subarray(pa + (at - start), pa + (stop - start)), at - offset);
    uvm.pages.activate(page);
    uvm.unbusy(page);
    at = stop;
  }
  return bytes;
}

/**
 * Writes to a file through its pages, lengthening it as needed, so that mappings see it at once.
 *
 * @returns bytes written and the error that ended it, 0 if none did
 */
export function* vnodeWrite(
  uvm: Uvm,
  vnode: Vnode,
  offset: number,
  bytes: Uint8Array,
): Sleeping<{ written: number; error: Errno }> {
  const end = offset + bytes.length;
  for (let at = offset; at < end;) {
    const start = uvm.trunc(at);
    const stop = Math.min(start + uvm.pageSize, end);
    const whole = at === start && (stop === start + uvm.pageSize || stop >= vnode.size);
    const { page, error } = yield* holdPage(
      uvm,
      vnode,
      start / uvm.pageSize,
      VM_PROT_READ | VM_PROT_WRITE,
      PGO_PASTEOF | (whole ? PGO_OVERWRITE : 0),
    );
    if (error !== 0) return { written: at - offset, error };
    const pa = uvm.pages.pageAddress(page);
    uvm.syncForDevice(pa);
    uvm.memory.bytes.set(bytes.subarray(at - offset, stop - offset), pa + (at - start));
    uvm.pages.flags[page]! &= ~PG_CLEAN;
    vnode.size = Math.max(vnode.size, stop);
    uvm.pages.activate(page);
    uvm.unbusy(page);
    at = stop;
  }
  return { written: bytes.length, error: 0 };
}

/**
 * Sets a file's size (`uvm_vnp_setsize`). Pages wholly beyond the end are discarded, mapped, wired or not; the rest of the last page is zeroed.
 */
export function* vnodeSetSize(uvm: Uvm, vnode: Vnode, size: number): Sleeping<Errno> {
  const old = vnode.size;
  vnode.size = size;
  if (size >= old) return 0;
  const error = yield* vnode.pgops.put(uvm, vnode, uvm.round(size), 0, PGO_FREE);
  const tail = size % uvm.pageSize;
  if (tail === 0) return error;
  const index = Math.floor(size / uvm.pageSize);
  const held = yield* holdPage(uvm, vnode, index, VM_PROT_READ, 0);
  if (held.error !== 0) return held.error;
  const pa = uvm.pages.pageAddress(held.page);
  uvm.syncForDevice(pa);
  uvm.memory.zero(pa + tail, uvm.pageSize - tail);
  uvm.pages.flags[held.page]! &= ~PG_CLEAN;
  uvm.pages.activate(held.page);
  uvm.unbusy(held.page);
  return 0;
}
