import {
  EACCES,
  EFAULT,
  EINVAL,
  ENOMEM,
  type Errno,
  type Prot,
  type Va,
  VM_PROT_NONE,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import {
  MAP_ANON,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  mapCheckProt,
  mapFloor,
  mapLock,
  MS_INVALIDATE,
  type Sleeping,
  sysMincore,
  sysMmap,
  sysMprotect,
  sysMsync,
  sysMunmap,
  userRange,
  uvmUnmap,
  VM_MAP_WIREFUTURE,
  vslock,
  vsunlock,
} from '@uvmkit/uvm-core';
import type { Context } from './context.ts';
import { copyout } from './copy.ts';
import { failed, type SyscallResult } from './result.ts';

/*
 * The system calls on memory, as the profile wants them: what uvm-core does is NetBSD of 2001, and where
 * POSIX differs, profile.ts says how.
 */

/** mmap(2). */
export function* mmap(
  context: Context,
  addr: Va,
  length: number,
  prot: Prot,
  flags: number,
  fd: number,
  offset: number,
): Sleeping<SyscallResult> {
  const { process } = context;
  const { machine } = process;
  const { uvm, rules } = machine;
  const { userMin, userMax } = uvm.md.port.layout;
  const isFile = (flags & MAP_ANON) === 0;
  if (length === 0 && rules.mmapNothing !== 0) return failed(rules.mmapNothing);
  if (isFile && offset % uvm.pageSize !== 0 && rules.mmapOffset !== 0)
    return failed(rules.mmapOffset);
  if ((flags & (MAP_SHARED | MAP_PRIVATE)) === 0 && rules.mmapNoKind !== 0)
    return failed(rules.mmapNoKind);
  const size = uvm.round(length);
  const fixed = (flags & MAP_FIXED) !== 0;
  if (fixed && addr % uvm.pageSize === 0 && (addr < userMin || addr + size > userMax))
    return failed(rules.mmapOutside);
  if (isFile) {
    const open = process.descriptors.get(fd);
    if (open !== null && open.file !== null) {
      if (offset >= 0 && !Number.isSafeInteger(offset + size)) return failed(rules.mmapOverflow);
      if (rules.mmapNeedsRead && !open.readable) return failed(EACCES);
    }
  }
  const { map } = process.space;
  if (map.size + size > process.limits.addressSpace) return failed(ENOMEM);
  const overLock = prot !== VM_PROT_NONE && exceedsLock(context, size);
  let result = yield* sysMmap(uvm, process, addr, length, prot, flags, fd, offset);
  if (result.error === ENOMEM && !fixed && rules.mmapHintOptional)
    result = yield* sysMmap(uvm, process, 0, length, prot, flags, fd, offset);
  return overLock && result.error === ENOMEM ? failed(rules.mmapOverLock) : result;
}

/** Whether locking so much more, as MCL_FUTURE will, is over a limit. */
function exceedsLock({ process }: Context, size: number): boolean {
  const { uvm } = process.machine;
  const { map } = process.space;
  if ((map.flags & VM_MAP_WIREFUTURE) === 0) return false;
  const wired = uvm.wiring.lockedPages(uvm, map) * uvm.pageSize;
  const { memlock } = process.limits;
  const { exp } = uvm;
  return uvm.atop(size) + exp.wired > exp.wiredmax || (memlock !== 0 && size + wired > memlock);
}

/** munmap(2). */
export function* munmap(context: Context, addr: Va, length: number): Sleeping<Errno> {
  const { process } = context;
  const { uvm, rules } = process.machine;
  if (addr % uvm.pageSize !== 0 && rules.munmapUnaligned !== 0) return rules.munmapUnaligned;
  if (length === 0 && rules.munmapNothing !== 0) return rules.munmapNothing;
  const range = userRange(uvm, addr, length);
  if (rules.munmapHole !== 0 || typeof range === 'number')
    return yield* sysMunmap(uvm, process, addr, length);
  const { map } = process.space;
  yield* mapLock(map);
  uvmUnmap(uvm, map, range.start, range.end);
  return 0;
}

/** mprotect(2). */
export function* mprotect(context: Context, addr: Va, length: number, prot: Prot): Sleeping<Errno> {
  const { process } = context;
  const { uvm, rules } = process.machine;
  if (rules.mprotectHole !== 0) {
    const range = userRange(uvm, addr, length);
    if (typeof range === 'number') return range;
    if (!mapCheckProt(process.space.map, range.start, range.end, 0)) return rules.mprotectHole;
  }
  return yield* sysMprotect(uvm, process, addr, length, prot);
}

/** msync(2). */
export function* msync(context: Context, addr: Va, length: number, flags: number): Sleeping<Errno> {
  const { process } = context;
  const { uvm, rules } = process.machine;
  const { map } = process.space;
  if (addr % uvm.pageSize !== 0 && rules.msyncUnaligned !== 0) return rules.msyncUnaligned;
  const range = userRange(uvm, addr, length);
  if (typeof range !== 'number') {
    if (length === 0 && rules.msyncNothing === 'nothing') return 0;
    const invalidates = (flags & MS_INVALIDATE) !== 0;
    if (invalidates && rules.msyncLocked !== 0 && isLocked(context, range.start, range.end))
      return rules.msyncLocked;
    if (length !== 0 && !mapCheckProt(map, range.start, range.end, 0) && rules.msyncHole !== EFAULT)
      return rules.msyncHole;
  }
  return yield* sysMsync(uvm, process, addr, length, flags);
}

/** Whether any page of [start, end) is locked. */
function isLocked({ process }: Context, start: Va, end: Va): boolean {
  const { map } = process.space;
  const { header } = map;
  const floor = mapFloor(map, start);
  for (
    let entry = floor === header ? header.next : floor;
    entry !== header && entry.start < end;
    entry = entry.next
  )
    if (entry.end > start && entry.wiredCount > 0) return true;
  return false;
}

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
  const locked = yield* vslock(uvm, space.map, vec, count, VM_PROT_WRITE);
  if (locked !== 0) return EFAULT;
  const bytes = new Uint8Array(count).fill(UNKNOWN);
  const error = sysMincore(uvm, process, addr, length, bytes);
  const stored = bytes.indexOf(UNKNOWN);
  const copied = yield* copyout(context, vec, stored < 0 ? bytes : bytes.subarray(0, stored));
  vsunlock(uvm, space.map, vec, count);
  return error !== 0 ? error : copied;
}
