import {
  EFAULT,
  EINVAL,
  ENOMEM,
  type Errno,
  type Va,
  VM_PROT_NONE,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { amapCopy } from './amap-copy.ts';
import type { MapEntry } from './entry.ts';
import { mapBusy, mapLock, mapLookup, mapUnbusy, type VmMap } from './map.ts';
import { clipEnd, clipStart } from './map-clip.ts';
import { type Sleeping, UVM_ET_NEEDSCOPY, UVM_ET_SUBMAP, VM_MAP_WIREFUTURE } from './types.ts';
import type { Uvm } from './uvm.ts';
import { faultWire, unwireEntry } from './wire.ts';

/**
 * Unwires a range, whatever its depth (`uvm_map_pageable` with new_pageable).
 *
 * @returns EFAULT if nothing is mapped at `start`, EINVAL for a hole or an entry that is not wired (nothing has changed)
 */
export function* mapUnwire(uvm: Uvm, map: VmMap, start: Va, end: Va): Sleeping<Errno> {
  yield* mapLock(map);
  const from = Math.max(start, map.min);
  const to = Math.min(end, map.max);
  if (from >= to) return 0;
  const first = mapLookup(map, from);
  if (first === null) return EFAULT;
  clipStart(uvm, map, first, from);
  for (let entry = first; entry !== map.header && entry.start < to; entry = entry.next)
    if (entry.wiredCount === 0 || (entry.end < to && entry.next.start !== entry.end)) return EINVAL;
  for (let entry = first; entry !== map.header && entry.start < to; entry = entry.next) {
    clipEnd(uvm, map, entry, to);
    unwireEntry(uvm, map, entry);
  }
  return 0;
}

/**
 * Wires a range (`uvm_map_pageable`), at the protection that the wiring policy says.
 *
 * @returns EFAULT if nothing is mapped at `start`; EINVAL for a hole or PROT_NONE; the fault's error, with nothing wired
 */
export function* mapWire(uvm: Uvm, map: VmMap, start: Va, end: Va): Sleeping<Errno> {
  yield* mapLock(map);
  const from = Math.max(start, map.min);
  const to = Math.min(end, map.max);
  if (from >= to) return 0;
  const first = mapLookup(map, from);
  if (first === null) return EFAULT;

  // Pass 1: nothing sleeps. Resolve needs-copy, clip, count.
  let entry: MapEntry = first;
  for (; entry !== map.header && entry.start < to; entry = entry.next) {
    resolveNeedsCopy(uvm, map, entry, Math.max(entry.start, from), Math.min(entry.end, to));
    clipStart(uvm, map, entry, from);
    clipEnd(uvm, map, entry, to);
    entry.wiredCount++;
    const holeBehind = entry.end < to && entry.next.start !== entry.end;
    if (entry.protection === VM_PROT_NONE || holeBehind) {
      for (let undo = entry; ; undo = undo.prev) {
        undo.wiredCount--;
        if (undo.start <= from) break;
      }
      return EINVAL;
    }
  }

  // Pass 2: the faults sleep; the map may be read meanwhile, not changed.
  const beyond = entry;
  const head = mapLookup(map, from)!;
  mapBusy(map);
  for (entry = head; entry !== beyond; entry = entry.next) {
    if (entry.wiredCount !== 1) continue;
    const error = yield* lockEntry(uvm, map, entry);
    if (error === 0) continue;
    mapUnbusy(uvm, map);
    undoWiring(uvm, map, head, entry, beyond, false);
    return error;
  }
  mapUnbusy(uvm, map);
  return 0;
}

/**
 * mlockall(2) and munlockall(2) (`uvm_map_pageable_all`).
 *
 * @param current wire what is mapped now
 * @param future wire what is mapped from now on; with neither, unwire everything
 * @param limit bytes that the process may have wired; 0 for no limit
 * @returns ENOMEM if too much would be wired, or a fault's error with nothing wired
 */
export function* mapWireAll(
  uvm: Uvm,
  map: VmMap,
  current: boolean,
  future: boolean,
  limit: number,
): Sleeping<Errno> {
  yield* mapLock(map);
  if (!current && !future) {
    for (const entry of map.entries()) if (entry.wiredCount > 0) unwireEntry(uvm, map, entry);
    map.flags &= ~VM_MAP_WIREFUTURE;
    return 0;
  }
  if (future) map.flags |= VM_MAP_WIREFUTURE;
  if (!current) return 0;

  let size = 0;
  for (const entry of map.entries())
    if (entry.protection !== VM_PROT_NONE && entry.wiredCount === 0)
      size += entry.end - entry.start;
  if (uvm.atop(size) + uvm.exp.wired > uvm.exp.wiredmax) return ENOMEM;
  if (limit !== 0 && size + uvm.wiring.lockedPages(uvm, map) * uvm.pageSize > limit) return ENOMEM;

  for (const entry of map.entries()) {
    if (entry.protection === VM_PROT_NONE) continue;
    resolveNeedsCopy(uvm, map, entry, entry.start, entry.end);
    entry.wiredCount++;
  }
  mapBusy(map);
  for (let entry = map.header.next; entry !== map.header; entry = entry.next) {
    if (entry.wiredCount !== 1) continue;
    if (entry.protection === VM_PROT_NONE && !uvm.quirks.wireAllFaultsNone) continue;
    const error = yield* lockEntry(uvm, map, entry);
    if (error === 0) continue;
    mapUnbusy(uvm, map);
    undoWiring(uvm, map, map.header.next, entry, map.header, true);
    return error;
  }
  mapUnbusy(uvm, map);
  return 0;
}

/** Wires every page of an entry that has just been counted as locked, as the policy has it. */
function lockEntry(uvm: Uvm, map: VmMap, entry: MapEntry): Sleeping<Errno> {
  const { faultType } = uvm.wiring;
  const prot = uvm.wiring.lockProtection(entry);
  return faultWire(uvm, map, entry.start, entry.end, faultType, prot, 1);
}

/** An entry that may be written one day gets its own amap before it is wired. */
function resolveNeedsCopy(uvm: Uvm, map: VmMap, entry: MapEntry, start: Va, end: Va): void {
  if (
    entry.wiredCount !== 0 ||
    (entry.etype & (UVM_ET_SUBMAP | UVM_ET_NEEDSCOPY)) !== UVM_ET_NEEDSCOPY
  )
    return;
  if ((uvm.wiring.lockProtection(entry) & VM_PROT_WRITE) !== 0 || entry.object === null)
    amapCopy(uvm, map, entry, true, start, end);
}

/**
 * Takes the counts of [first, beyond) back after wiring failed at `failed`: the fault path has unwired what it
 * had done of `failed` itself; the entries before it are unwired here.
 *
 * @param all the range is the whole map, whose PROT_NONE entries were not counted
 */
function undoWiring(
  uvm: Uvm,
  map: VmMap,
  first: MapEntry,
  failed: MapEntry,
  beyond: MapEntry,
  all: boolean,
): void {
  let done = true;
  for (let entry = first; entry !== beyond; entry = entry.next) {
    if (entry === failed) done = false;
    if (all && entry.protection === VM_PROT_NONE) continue;
    entry.wiredCount--;
    // The 2001 mlockall tested the wrong way round here, and left what it had just wired.
    const unwire =
      all && uvm.quirks.wireAllUndoInverted ? entry.wiredCount !== 0 : entry.wiredCount === 0;
    if (done && unwire) unwireEntry(uvm, map, entry);
  }
}
