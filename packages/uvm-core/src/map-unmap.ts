import type { Va } from '@uvmkit/pmap';
import { amapUnref } from './amap.ts';
import type { MapEntry } from './entry.ts';
import { clipEnd, clipStart } from './map-clip.ts';
import { mapFloor, mapUnlink, type VmMap } from './map.ts';
import type { Uvm } from './uvm.ts';
import { unwireEntry } from './wire.ts';

/**
 * Takes [start, end) out of a map (`uvm_unmap_remove`): every mapping is gone when it returns, the
 * references are not. Holes are skipped; wired parts are unwired first, since unwiring finds the pages
 * through the pmap.
 *
 * @returns the entries taken out, in order, for {@link unmapDetach}
 */
export function unmapRemove(uvm: Uvm, map: VmMap, start: Va, end: Va): MapEntry[] {
  const from = Math.max(start, map.min);
  const to = Math.min(end, map.max);
  const removed: MapEntry[] = [];
  if (from >= to) return removed;
  let entry = mapFloor(map, from);
  if (entry !== map.header && from < entry.end) {
    clipStart(uvm, map, entry, from);
  } else entry = entry.next;
  if (map.firstFree !== map.header && map.firstFree.start >= from) map.firstFree = entry.prev;
  while (entry !== map.header && entry.start < to) {
    clipEnd(uvm, map, entry, to);
    const { next } = entry;
    if (entry.wiredCount > 0) unwireEntry(uvm, map, entry);
    if (entry.object !== null || entry.amap !== null)
      uvm.pmap.remove(map.pmap, entry.start, entry.end);
    mapUnlink(map, entry);
    map.size -= entry.end - entry.start;
    removed.push(entry);
    entry = next;
  }
  uvm.pmap.update(map.pmap);
  return removed;
}

/**
 * Drops the references of entries taken out of a map (`uvm_unmap_detach`).
 *
 * @param flags AMAP_REFALL if their amap references cover whole amaps
 */
export function unmapDetach(uvm: Uvm, entries: readonly MapEntry[], flags: number): void {
  for (const entry of entries) {
    if (entry.amap !== null)
      amapUnref(uvm, entry.amap, entry.pageoff, uvm.atop(entry.end - entry.start), flags);
    if (entry.object !== null) entry.object.pgops.detach(uvm, entry.object);
  }
}

/** Unmaps [start, end) (`uvm_unmap`). Holes are fine. */
export function uvmUnmap(uvm: Uvm, map: VmMap, start: Va, end: Va): void {
  unmapDetach(uvm, unmapRemove(uvm, map, start, end), 0);
}
