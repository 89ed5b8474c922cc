import {
  EACCES,
  EINVAL,
  ENOMEM,
  type Errno,
  EPERM,
  type Prot,
  type Va,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { deviceAttach, type MappableDevice } from './device.ts';
import { mapAdvice, mapCheckProt, mapInherit, mapProtect } from './map-attr.ts';
import { mapClean } from './map-clean.ts';
import { type MapAttributes, mapLock, mapLookup, uvmMap } from './map.ts';
import { uvmUnmap } from './map-unmap.ts';
import { mapWire } from './map-pageable.ts';
import type { UvmObject } from './object.ts';
import type { Vmspace } from './space.ts';
import {
  type Inherit,
  MAP_INHERIT_COPY,
  MAP_INHERIT_SHARE,
  PGO_CLEANIT,
  PGO_DEACTIVATE,
  PGO_FREE,
  PGO_SYNCIO,
  type Sleeping,
  UVM_ADV_NORMAL,
  UVM_ADV_RANDOM,
  UVM_ADV_SEQUENTIAL,
  UVM_FLAG_AMAPPAD,
  UVM_FLAG_COPYONW,
  UVM_FLAG_FIXED,
  UVM_FLAG_OVERLAY,
  UVM_UNKNOWN_OFFSET,
  VM_MAP_WIREFUTURE,
} from './types.ts';
import type { Uvm } from './uvm.ts';
import type { Vnode } from './vnode.ts';

/** mmap(2) flags (sys/mman.h). */
export const MAP_SHARED = 0x0001;
export const MAP_PRIVATE = 0x0002;
/** Old name of MAP_PRIVATE's meaning. */
export const MAP_COPY = 0x0004;
export const MAP_FIXED = 0x0010;
export const MAP_ANON = 0x1000;

/** madvise(2) advice (sys/mman.h). */
export const MADV_NORMAL = 0;
export const MADV_RANDOM = 1;
export const MADV_SEQUENTIAL = 2;
export const MADV_WILLNEED = 3;
export const MADV_DONTNEED = 4;
export const MADV_FREE = 6;

/** msync(2) flags. */
export const MS_ASYNC = 1;
export const MS_INVALIDATE = 2;
export const MS_SYNC = 4;

/** What an open file lets mmap(2) do. */
export interface MappableFile {
  readonly vnode: Vnode;
  readonly readable: boolean;
  readonly writable: boolean;
  /** Immutable or append-only. */
  readonly immutable: boolean;
}

/** What an open device lets mmap(2) do: /dev/zero is anonymous memory. */
export interface MappableDeviceFile {
  readonly device: MappableDevice | 'zero';
  readonly readable: boolean;
  readonly writable: boolean;
  readonly immutable: boolean;
}

/** Who makes a system call: an address space, limits in bytes, and a table of descriptors. */
export interface Caller {
  readonly space: Vmspace;
  readonly limits: { readonly data: number; readonly stack: number; readonly memlock: number };
  readonly superuser: boolean;
  /** What a descriptor refers to: EBADF if nothing, ENODEV if it cannot be mapped. */
  mappable(fd: number): MappableFile | MappableDeviceFile | Errno;
}

/** The outcome of a system call that returns an address. */
export interface AddressResult {
  readonly error: Errno;
  readonly value: Va;
}

const failed = (error: Errno): AddressResult => ({ error, value: -1 });

/** A range of user addresses, made of whole pages. */
interface Range {
  readonly start: Va;
  readonly end: Va;
}

/**
 * The pages that [addr, addr + length) touches; none only if `addr` is page-aligned and `length` 0. EINVAL if the length is
 * negative or the range wraps. A length is signed: with 32-bit addresses 2 GB and more are negative.
 */
function pageAlign(uvm: Uvm, addr: Va, length: number): Range | Errno {
  const start = uvm.trunc(addr);
  const end = uvm.round(addr + length);
  const wraps = uvm.md.port.layout.pointerSize === 4 && end > 2 ** 32;
  return isNegative(uvm, length) || isNegative(uvm, end - start) || wraps ? EINVAL : { start, end };
}

/** Whether a length is negative as the architecture's ssize_t. */
function isNegative(uvm: Uvm, length: number): boolean {
  const { pointerSize } = uvm.md.port.layout;
  return length < 0 || !Number.isSafeInteger(length) || (pointerSize === 4 && length >= 2 ** 31);
}

/** Likewise, and within user space. */
export function userRange(uvm: Uvm, addr: Va, length: number): Range | Errno {
  const range = pageAlign(uvm, addr, length);
  const { userMin, userMax } = uvm.md.port.layout;
  if (typeof range === 'number') return range;
  return range.start < userMin || range.end > userMax ? EINVAL : range;
}

/**
 * mmap(2), as sys_mmap and uvm_mmap of December 2001 did it.
 *
 * @param addr hint, or with MAP_FIXED the address; bytes
 * @param length bytes; 0 succeeds and maps nothing
 * @param flags MAP_*; neither SHARED nor PRIVATE means PRIVATE
 * @param fd a descriptor; −1 with MAP_ANON
 * @param pos byte offset in the file; need not be page-aligned
 */
export function* sysMmap(
  uvm: Uvm,
  caller: Caller,
  addr: Va,
  length: number,
  prot: Prot,
  flags: number,
  fd: number,
  pos: number,
): Sleeping<AddressResult> {
  const { userMin, userMax, maxDataSize } = uvm.md.port.layout;
  const { space } = caller;
  prot &= VM_PROT_ALL;
  if ((flags & MAP_COPY) !== 0) flags = (flags & ~MAP_COPY) | MAP_PRIVATE;
  if ((flags & MAP_SHARED) !== 0 && (flags & MAP_PRIVATE) !== 0) return failed(EINVAL);
  const pageoff = pos - uvm.trunc(pos);
  pos -= pageoff;
  const size = uvm.round(length + pageoff);
  if (length < 0 || isNegative(uvm, size)) return failed(EINVAL);
  const fixed = (flags & MAP_FIXED) !== 0;
  if (fixed) {
    addr -= pageoff;
    if (addr % uvm.pageSize !== 0 || addr < userMin || addr + size > userMax) return failed(EINVAL);
  } else addr = roundHint(uvm, Math.max(addr, uvm.round(space.dataAddress + maxDataSize)));

  let maxProt = VM_PROT_ALL;
  let vnode: Vnode | null = null;
  let device: MappableDevice | null = null;
  const file = (flags & MAP_ANON) === 0 ? caller.mappable(fd) : null;
  if (typeof file === 'number') return failed(file);
  if (file === null && fd !== -1) return failed(EINVAL);
  if (file === null || ('device' in file && file.device === 'zero')) {
    flags |= MAP_ANON;
    pos = 0;
  } else {
    if ('device' in file) {
      // Of a device there is no copy.
      flags = (flags & ~MAP_PRIVATE) | MAP_SHARED;
      if (file.device !== 'zero') device = file.device;
    } else {
      if (pos < 0 || !Number.isSafeInteger(pos + size)) return failed(EINVAL);
      if ((flags & (MAP_SHARED | MAP_PRIVATE)) === 0) flags |= MAP_PRIVATE;
      vnode = file.vnode;
    }
    const rights = fileRights(file, prot, flags);
    if (rights.error !== 0) return failed(rights.error);
    maxProt = rights.maxProt;
  }
  const shared = (flags & MAP_SHARED) !== 0;
  if (
    ((flags & MAP_ANON) !== 0 || (!shared && (prot & VM_PROT_WRITE) !== 0)) &&
    size > caller.limits.data - space.dataPages * uvm.pageSize
  )
    return failed(ENOMEM);
  if (size === 0) return { error: 0, value: addr + pageoff };

  yield* mapLock(space.map);
  // Destructive even if nothing can be mapped afterwards.
  if (fixed) uvmUnmap(uvm, space.map, addr, addr + size);
  let object: UvmObject | null = vnode;
  if (device !== null) {
    object = deviceAttach(uvm, device, maxProt, pos, size);
    if (object === null) return failed(EINVAL);
  } else if (vnode !== null) vnode.pgops.reference(uvm, vnode);
  const attributes: MapAttributes = {
    prot,
    maxProt,
    inherit: shared ? MAP_INHERIT_SHARE : MAP_INHERIT_COPY,
    advice: device === null ? UVM_ADV_NORMAL : UVM_ADV_RANDOM,
    flags:
      (fixed ? UVM_FLAG_FIXED : 0) |
      (shared ? (object === null ? UVM_FLAG_OVERLAY : 0) : UVM_FLAG_COPYONW),
  };
  const offset = object === null ? UVM_UNKNOWN_OFFSET : pos;
  const mapped = uvmMap(uvm, space.map, addr, size, object, offset, 0, attributes);
  if (mapped.error !== 0) {
    if (object !== null) object.pgops.detach(uvm, object);
    return failed(mapped.error);
  }
  if (vnode !== null && (prot & VM_PROT_EXECUTE) !== 0) vnode.pgops.markText(uvm, vnode);
  if (prot !== VM_PROT_NONE && (space.map.flags & VM_MAP_WIREFUTURE) !== 0) {
    const error = yield* wireNew(uvm, caller, mapped.start, size);
    if (error !== 0) return failed(error);
  }
  return { error: 0, value: mapped.start + pageoff };
}

/** round_page of a hint, as wide as the architecture's addresses: from their last page it wraps around to 0. */
function roundHint(uvm: Uvm, addr: Va): Va {
  const rounded = uvm.round(addr);
  const narrow = uvm.md.port.layout.pointerSize === 4;
  return (narrow ? rounded < 2 ** 32 : Number.isSafeInteger(rounded)) ? rounded : 0;
}

/** What an open file's mode makes of a mapping's rights. */
function fileRights(
  file: MappableFile | MappableDeviceFile,
  prot: Prot,
  flags: number,
): { error: Errno; maxProt: Prot } {
  let maxProt = VM_PROT_EXECUTE;
  if (file.readable) maxProt |= VM_PROT_READ;
  else if ((prot & VM_PROT_READ) !== 0) return { error: EACCES, maxProt };
  if ((flags & MAP_SHARED) === 0) return { error: 0, maxProt: maxProt | VM_PROT_WRITE };
  if (!file.writable) return { error: (prot & VM_PROT_WRITE) !== 0 ? EACCES : 0, maxProt };
  if (!file.immutable) return { error: 0, maxProt: maxProt | VM_PROT_WRITE };
  return { error: (prot & VM_PROT_WRITE) !== 0 ? EPERM : 0, maxProt };
}

/** MCL_FUTURE: what has just been mapped is wired, or unmapped again. */
function* wireNew(uvm: Uvm, caller: Caller, start: Va, size: number): Sleeping<Errno> {
  const { map } = caller.space;
  const wired = uvm.wiring.lockedPages(uvm, map) * uvm.pageSize;
  const { memlock } = caller.limits;
  let error: Errno = 0;
  if (
    uvm.atop(size) + uvm.exp.wired > uvm.exp.wiredmax ||
    (memlock !== 0 && size + wired > memlock)
  )
    error = ENOMEM;
  else error = yield* mapWire(uvm, map, start, start + size);
  if (error !== 0) {
    yield* mapLock(map);
    uvmUnmap(uvm, map, start, start + size);
  }
  return error;
}

/** munmap(2). EINVAL if the range leaves user space or any of it is not mapped; wired parts are unwired silently. */
export function* sysMunmap(uvm: Uvm, caller: Caller, addr: Va, length: number): Sleeping<Errno> {
  const touched = pageAlign(uvm, addr, length);
  if (typeof touched === 'number') return touched;
  if (touched.start === touched.end) return 0;
  const range = userRange(uvm, addr, length);
  if (typeof range === 'number') return range;
  const { map } = caller.space;
  yield* mapLock(map);
  if (!mapCheckProt(map, range.start, range.end, VM_PROT_NONE)) return EINVAL;
  uvmUnmap(uvm, map, range.start, range.end);
  return 0;
}

/** mprotect(2). EACCES beyond the maximum protection; holes are ignored. */
export function* sysMprotect(
  uvm: Uvm,
  caller: Caller,
  addr: Va,
  length: number,
  prot: Prot,
): Sleeping<Errno> {
  const range = pageAlign(uvm, addr, length);
  if (typeof range === 'number') return range;
  return yield* mapProtect(
    uvm,
    caller.space.map,
    range.start,
    range.end,
    prot & VM_PROT_ALL,
    false,
  );
}

/** minherit(2). EINVAL for an unknown inheritance. */
export function* sysMinherit(
  uvm: Uvm,
  caller: Caller,
  addr: Va,
  length: number,
  inherit: Inherit,
): Sleeping<Errno> {
  const range = pageAlign(uvm, addr, length);
  if (typeof range === 'number') return range;
  return yield* mapInherit(uvm, caller.space.map, range.start, range.end, inherit);
}

/**
 * msync(2). Neither MS_ASYNC nor MS_SYNC means MS_SYNC; no length means the whole mapping around `addr`.
 *
 * @returns EINVAL for bad flags or a wrapped range, EFAULT for a hole, or the error of a write
 */
export function* sysMsync(
  uvm: Uvm,
  caller: Caller,
  addr: Va,
  length: number,
  flags: number,
): Sleeping<Errno> {
  const known = MS_ASYNC | MS_INVALIDATE | MS_SYNC;
  if (
    (flags & ~known) !== 0 ||
    (flags & known) === 0 ||
    (flags & (MS_ASYNC | MS_SYNC)) === (MS_ASYNC | MS_SYNC)
  )
    return EINVAL;
  let range = pageAlign(uvm, addr, length);
  if (typeof range === 'number') return range;
  if (range.start === range.end) {
    const entry = mapLookup(caller.space.map, addr);
    if (entry === null) return EINVAL;
    range = { start: entry.start, end: entry.end };
  }
  const invalidate = (flags & MS_INVALIDATE) !== 0 ? PGO_FREE : 0;
  const wait = (flags & MS_ASYNC) !== 0 ? 0 : PGO_SYNCIO;
  return yield* mapClean(
    uvm,
    caller.space.map,
    range.start,
    range.end,
    PGO_CLEANIT | invalidate | wait,
  );
}

/** madvise(2). MADV_DONTNEED deactivates and keeps the data; MADV_FREE throws it away. */
export function* sysMadvise(
  uvm: Uvm,
  caller: Caller,
  addr: Va,
  length: number,
  advice: number,
): Sleeping<Errno> {
  const range = pageAlign(uvm, addr, length);
  if (typeof range === 'number') return range;
  if (range.start === range.end) return EINVAL;
  const { map } = caller.space;
  switch (advice) {
    case MADV_NORMAL:
      return yield* mapAdvice(uvm, map, range.start, range.end, UVM_ADV_NORMAL);
    case MADV_RANDOM:
      return yield* mapAdvice(uvm, map, range.start, range.end, UVM_ADV_RANDOM);
    case MADV_SEQUENTIAL:
      return yield* mapAdvice(uvm, map, range.start, range.end, UVM_ADV_SEQUENTIAL);
    case MADV_WILLNEED:
      return 0;
    case MADV_DONTNEED:
      return yield* mapClean(uvm, map, range.start, range.end, PGO_DEACTIVATE);
    case MADV_FREE:
      return yield* mapClean(uvm, map, range.start, range.end, PGO_FREE);
    default:
      return EINVAL;
  }
}

/**
 * Moves the end of the data segment (obreak(2)).
 *
 * @param end the new end, bytes; rounded up to a page
 * @returns ENOMEM beyond RLIMIT_DATA or where something is mapped in the way
 */
export function* sysBreak(uvm: Uvm, caller: Caller, end: Va): Sleeping<Errno> {
  const { space } = caller;
  const next = uvm.round(end);
  // Below the segment's start the difference is a huge number in NetBSD, and so over the limit.
  const size = next - space.dataAddress;
  if (size < 0 || size > caller.limits.data) return ENOMEM;
  const old = space.dataAddress + space.dataPages * uvm.pageSize;
  if (next > old) {
    yield* mapLock(space.map);
    const attributes: MapAttributes = {
      prot: VM_PROT_ALL,
      maxProt: VM_PROT_ALL,
      inherit: MAP_INHERIT_COPY,
      advice: UVM_ADV_NORMAL,
      flags: UVM_FLAG_FIXED | UVM_FLAG_OVERLAY | UVM_FLAG_COPYONW | UVM_FLAG_AMAPPAD,
    };
    if (uvmMap(uvm, space.map, old, next - old, null, 0, 0, attributes).error !== 0) return ENOMEM;
    if ((space.map.flags & VM_MAP_WIREFUTURE) !== 0) {
      const error = yield* wireNew(uvm, caller, old, next - old);
      if (error !== 0) return error;
    }
  } else if (next < old) {
    yield* mapLock(space.map);
    uvmUnmap(uvm, space.map, next, old);
  }
  space.dataPages = uvm.atop(next - space.dataAddress);
  return 0;
}
