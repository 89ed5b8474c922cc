import {
  EACCES,
  EINVAL,
  ENOMEM,
  type Errno,
  type Prot,
  type Va,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_NONE,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import type { MapEntry } from './entry.ts';
import { mapFloor, mapLock, mapLookup, type VmMap } from './map.ts';
import { clipEnd, clipStart } from './map-clip.ts';
import {
  type Advice,
  type Inherit,
  MAP_INHERIT_COPY,
  MAP_INHERIT_NONE,
  MAP_INHERIT_SHARE,
  type Sleeping,
  UVM_ADV_NORMAL,
  UVM_ADV_RANDOM,
  UVM_ADV_SEQUENTIAL,
  UVM_ET_COPYONWRITE,
  UVM_ET_SUBMAP,
  VM_MAP_WIREFUTURE,
} from './types.ts';
import type { Uvm } from './uvm.ts';
import { mapWire } from './map-pageable.ts';

/** The range within the map's bounds, and the first entry that reaches into it, clipped to begin there. */
function firstIn(uvm: Uvm, map: VmMap, start: Va): MapEntry {
  const entry = mapFloor(map, start);
  if (entry === map.header || start >= entry.end) return entry.next;
  clipStart(uvm, map, entry, start);
  return entry;
}

/**
 * Changes protection, or with `setMax` the maximum (`uvm_map_protect`). Holes are ignored. Gaining
 * WRITE on a copy-on-write entry is left to faults; wired mappings stay wired, but for `VM_PROT_NONE`, which
 * removes them and leaves the entry wired without mappings (hazard H6 of the wiring problem).
 *
 * @returns EINVAL for a submap, EACCES if `prot` exceeds a maximum (nothing has changed then), ENOMEM if a range that
 * became accessible under MCL_FUTURE could not be wired
 */
export function* mapProtect(
  uvm: Uvm,
  map: VmMap,
  start: Va,
  end: Va,
  prot: Prot,
  setMax: boolean,
): Sleeping<Errno> {
  yield* mapLock(map);
  const from = Math.max(start, map.min);
  const to = Math.min(end, map.max);
  if (from >= to) return 0;
  const first = firstIn(uvm, map, from);
  for (let entry = first; entry !== map.header && entry.start < to; entry = entry.next) {
    if ((entry.etype & UVM_ET_SUBMAP) !== 0) return EINVAL;
    if ((prot & entry.maxProtection) !== prot) return EACCES;
  }
  const toWire: { start: Va; end: Va }[] = [];
  for (let entry = first; entry !== map.header && entry.start < to; entry = entry.next) {
    clipEnd(uvm, map, entry, to);
    const old = entry.protection;
    if (setMax) {
      entry.maxProtection = prot;
      entry.protection = prot & old;
    } else entry.protection = prot;
    // The 2001 kernel asked the first entry of the range here and below: a quirk that can leave WRITE on a
    // page that must be copied first.
    const asked = uvm.quirks.protectAsksFirstEntry ? first : entry;
    if (entry.protection !== old) {
      const mask =
        (asked.etype & UVM_ET_COPYONWRITE) !== 0 ? VM_PROT_ALL & ~VM_PROT_WRITE : VM_PROT_ALL;
      uvm.pmap.protect(map.pmap, entry.start, entry.end, entry.protection & mask);
      if (entry.object !== null && (entry.protection & VM_PROT_EXECUTE) !== 0)
        entry.object.pgops.markText(uvm, entry.object);
    }
    const future = (map.flags & VM_MAP_WIREFUTURE) !== 0;
    if (future && asked.wiredCount === 0 && old === VM_PROT_NONE && prot !== VM_PROT_NONE)
      toWire.push({ start: asked.start, end: asked.end });
  }
  uvm.pmap.update(map.pmap);
  let error: Errno = 0;
  for (const range of toWire)
    if ((yield* mapWire(uvm, map, range.start, range.end)) !== 0) error = ENOMEM;
  return error;
}

/** Sets how a range passes to children (`uvm_map_inherit`). Holes are ignored. EINVAL for an unknown value. */
export function* mapInherit(
  uvm: Uvm,
  map: VmMap,
  start: Va,
  end: Va,
  inherit: Inherit,
): Sleeping<Errno> {
  if (inherit !== MAP_INHERIT_SHARE && inherit !== MAP_INHERIT_COPY && inherit !== MAP_INHERIT_NONE)
    return EINVAL;
  yield* mapLock(map);
  for (const entry of clipped(uvm, map, start, end)) entry.inheritance = inherit;
  return 0;
}

/** Sets what faults may assume of a range (`uvm_map_advice`). Holes are ignored. EINVAL for an unknown value. */
export function* mapAdvice(
  uvm: Uvm,
  map: VmMap,
  start: Va,
  end: Va,
  advice: Advice,
): Sleeping<Errno> {
  if (advice !== UVM_ADV_NORMAL && advice !== UVM_ADV_RANDOM && advice !== UVM_ADV_SEQUENTIAL)
    return EINVAL;
  yield* mapLock(map);
  for (const entry of clipped(uvm, map, start, end)) entry.advice = advice;
  return 0;
}

/** The entries of a range, clipped to it one after the other. */
function* clipped(uvm: Uvm, map: VmMap, start: Va, end: Va): Generator<MapEntry, void, void> {
  const from = Math.max(start, map.min);
  const to = Math.min(end, map.max);
  if (from >= to) return;
  for (
    let entry = firstIn(uvm, map, from);
    entry !== map.header && entry.start < to;
    entry = entry.next
  ) {
    clipEnd(uvm, map, entry, to);
    yield entry;
  }
}

/**
 * Whether the whole range is mapped with at least these rights (`uvm_map_checkprot`); with
 * VM_PROT_NONE, whether it has no hole.
 */
export function mapCheckProt(map: VmMap, start: Va, end: Va, prot: Prot): boolean {
  let entry = mapLookup(map, start);
  let at = start;
  while (at < end) {
    if (
      entry === null ||
      entry === map.header ||
      entry.start > at ||
      (entry.protection & prot) !== prot
    )
      return false;
    at = entry.end;
    entry = entry.next;
  }
  return true;
}
