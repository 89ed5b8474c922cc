import type { Amap } from '../amap.ts';
import type { MapEntry } from '../entry.ts';
import type { VmMap } from '../map.ts';
import type { UvmObject } from '../object.ts';
import type { Uvm } from '../uvm.ts';

/**
 * Back references: the entries that map an amap or an object, each with its map. An entry is registered for as long as it is
 * linked into a map, kernel extractions included, and where its amap changes meanwhile. What it covers, its protection and
 * whether it is locked is read from the entry itself.
 *
 * In a kernel with locks the list is the amap's (or the object's) to guard, and the record must say all of that itself, since the map's
 * lock is above the amap's.
 */
export type Users = Map<MapEntry, VmMap>;

/** The entry has been linked into the map. */
export function register(map: VmMap, entry: MapEntry): void {
  if (entry.amap !== null) (entry.amap.users ??= new Map()).set(entry, map);
  if (entry.object !== null) (entry.object.users ??= new Map()).set(entry, map);
}

/** The entry has been unlinked. */
export function unregister(entry: MapEntry): void {
  entry.amap?.users?.delete(entry);
  entry.object?.users?.delete(entry);
}

/** The entry, which is linked, is about to refer to another amap. */
export function reregister(map: VmMap, entry: MapEntry, to: Amap): void {
  entry.amap?.users?.delete(entry);
  (to.users ??= new Map()).set(entry, map);
}

/**
 * Bytes of the back references, as a kernel would keep them: two links, the map's pmap, the address of slot 0, first slot and count,
 * and a word of protection and flags.
 */
export function usersBytes(uvm: Uvm): number {
  const record = 7 * uvm.md.port.layout.pointerSize;
  const bytes = (owner: Amap | UvmObject): number => (owner.users?.size ?? 0) * record;
  let sum = 0;
  for (const amap of uvm.amaps) sum += bytes(amap);
  for (const object of uvm.objects) sum += bytes(object);
  return sum;
}
