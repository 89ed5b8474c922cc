import { KernelPanic, type Va } from '@uvmkit/pmap';
import type { Amap } from '../amap.ts';
import type { MapEntry } from '../entry.ts';
import { mapLookup, type VmMap } from '../map.ts';
import type { Uvm } from '../uvm.ts';
import { count } from './ledger.ts';

/* What maps' entries lock, where locks are counted by place. */

/** Every page of [start, end), with its entry; there is one everywhere. */
export function* eachLocked(
  uvm: Uvm,
  map: VmMap,
  start: Va,
  end: Va,
): Generator<readonly [MapEntry, Va], void, void> {
  for (let va = start; va < end;) {
    const entry = mapLookup(map, va);
    if (entry === null)
      throw new KernelPanic('uvm_fault_unwire_locked: unwiring a hole', { map: map.id, va });
    for (; va < Math.min(end, entry.end); va += uvm.pageSize) yield [entry, va];
  }
}

/** How many locks of its own an entry has on the place of `va`: mlock's, and those of transfers. */
export function locksOf(map: VmMap, entry: MapEntry, va: Va): number {
  let locks = entry.wiredCount > 0 ? 1 : 0;
  for (const { places } of map.vslocks) if (places?.has(va) === true) locks++;
  return locks;
}

/** An entry's own locks go with it to another amap, whose slots hold the same anons. */
export function moveLocks(uvm: Uvm, map: VmMap, entry: MapEntry, to: Amap): void {
  if (entry.wiredCount === 0 && map.vslocks.length === 0) return;
  const { amap } = entry;
  for (let slot = 0; slot < uvm.atop(entry.end - entry.start); slot++) {
    const locks = locksOf(map, entry, entry.start + slot * uvm.pageSize);
    if (locks === 0) continue;
    if (amap !== null) amap.locks = count(amap.locks, entry.pageoff + slot, -locks);
    to.locks = count(to.locks, slot, locks);
  }
}

/** Pages of the map's locked entries: what RLIMIT_MEMLOCK limits. */
export function pagesLocked(uvm: Uvm, map: VmMap): number {
  let pages = 0;
  for (let entry = map.header.next; entry !== map.header; entry = entry.next)
    if (entry.wiredCount > 0) pages += uvm.atop(entry.end - entry.start);
  return pages;
}
