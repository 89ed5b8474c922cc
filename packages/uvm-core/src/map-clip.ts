import type { Va } from '@uvmkit/pmap';
import { amapSplitref } from './amap.ts';
import type { MapEntry } from './entry.ts';
import { advanceFirstFree, mapLink, type VmMap } from './map.ts';
import type { Uvm } from './uvm.ts';

/** Splits an entry at `va`, so that it begins there; a no-op at its start (`uvm_map_clip_start`). */
export function clipStart(uvm: Uvm, map: VmMap, entry: MapEntry, va: Va): void {
  if (va <= entry.start) return;
  const front = entry.clone();
  front.end = va;
  shareReferences(uvm, entry, front, 0);
  const old = entry.start;
  if (entry.object !== null) entry.offset += va - old;
  if (entry.amap !== null) entry.pageoff += uvm.atop(va - old);
  entry.start = va;
  map.index.moved(old, entry);
  mapLink(map, entry.prev, front);
}

/** Splits an entry at `va`, so that it ends there; a no-op at its end (`uvm_map_clip_end`). */
export function clipEnd(uvm: Uvm, map: VmMap, entry: MapEntry, va: Va): void {
  if (va >= entry.end) return;
  const back = entry.clone();
  back.start = va;
  if (entry.object !== null) back.offset = entry.offset + (va - entry.start);
  shareReferences(uvm, entry, back, uvm.atop(va - entry.start));
  entry.end = va;
  map.index.moved(entry.start, entry);
  mapLink(map, entry, back);
  if (map.firstFree === entry) advanceFirstFree(map);
}

/** The references that a piece split off an entry needs of its own. */
function shareReferences(uvm: Uvm, entry: MapEntry, piece: MapEntry, slots: number): void {
  if (entry.amap !== null) amapSplitref(entry, piece, slots);
  if (entry.object !== null) entry.object.pgops.reference(uvm, entry.object);
}
