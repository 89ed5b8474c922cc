import { EINVAL, EIO, ENOMEM, type Errno, KernelPanic, type Va, VM_PROT_NONE } from '@uvmkit/pmap';
import { amapRef } from './amap.ts';
import { amapCopy } from './amap-copy.ts';
import type { MapEntry } from './entry.ts';
import { clipEnd, clipStart } from './map-clip.ts';
import {
  advanceFirstFree,
  mapFloor,
  mapLink,
  mapLock,
  mapLookup,
  mapUnlink,
  type VmMap,
  uvmMap,
} from './map.ts';
import { unmapDetach, unmapRemove, uvmUnmap } from './map-unmap.ts';
import {
  AMAP_REFALL,
  AMAP_SHARED,
  MAP_INHERIT_NONE,
  type Sleeping,
  UVM_ADV_RANDOM,
  UVM_ET_NEEDSCOPY,
  UVM_FLAG_NOMERGE,
  UVM_UNKNOWN_OFFSET,
} from './types.ts';
import type { Uvm } from './uvm.ts';

/** Flags of {@link mapExtract}. */
/** Take the range out of the source. */
export const UVM_EXTRACT_REMOVE = 1;
/** The range must have no hole. */
export const UVM_EXTRACT_CONTIG = 2;
/** Quick references: the source is not clipped. To be undone with AMAP_REFALL. */
export const UVM_EXTRACT_QREF = 4;
/** The copy is mapped with the maximum protection. */
export const UVM_EXTRACT_FIXPROT = 8;

/**
 * Keeps a range of a map free for its owner (`uvm_map_reserve`).
 *
 * @param hint lowest address wanted
 * @param offset what the address should be cache-compatible with, or UVM_UNKNOWN_OFFSET
 * @returns the start, or ENOMEM
 */
export function mapReserve(
  uvm: Uvm,
  map: VmMap,
  size: number,
  hint: Va,
  offset: number,
): { readonly error: Errno; readonly start: Va } {
  return uvmMap(uvm, map, hint, size, null, offset, 0, {
    prot: VM_PROT_NONE,
    maxProt: VM_PROT_NONE,
    inherit: MAP_INHERIT_NONE,
    advice: UVM_ADV_RANDOM,
    flags: UVM_FLAG_NOMERGE,
  });
}

/**
 * Puts entries in the place of a reservation (`uvm_map_replace`).
 *
 * @param entries in order, within [start, end); none just removes the reservation
 * @returns false if there is no such reservation
 */
export function mapReplace(map: VmMap, start: Va, end: Va, entries: readonly MapEntry[]): boolean {
  const blank = mapLookup(map, start);
  if (
    blank === null ||
    blank.start !== start ||
    blank.end !== end ||
    blank.object !== null ||
    blank.amap !== null
  )
    return false;
  if (entries.length > 0 && (entries[0]!.start < start || entries.at(-1)!.end > end)) return false;
  const before = blank.prev;
  // The entries may leave gaps where the reservation left none.
  if (map.firstFree !== map.header && map.firstFree.start >= start) map.firstFree = before;
  mapUnlink(map, blank);
  map.size -= end - start;
  let after = before;
  for (const entry of entries) {
    mapLink(map, after, entry);
    map.size += entry.end - entry.start;
    after = entry;
  }
  advanceFirstFree(map);
  return true;
}

/**
 * Maps a range of one map into another (`uvm_map_extract`), sharing amaps and objects. **An extracted amap is marked shared**:
 * a promotion in it then takes the object's page from every pmap.
 *
 * @param start page-aligned; so is `length`
 * @param flags UVM_EXTRACT_*; REMOVE excludes CONTIG and QREF
 * @returns where it went in `to`; ENOMEM without room, EINVAL for a hole with CONTIG, EIO if the reservation went away
 */
export function* mapExtract(
  uvm: Uvm,
  from: VmMap,
  start: Va,
  length: number,
  to: VmMap,
  flags: number,
): Sleeping<{ readonly error: Errno; readonly start: Va }> {
  const remove = (flags & UVM_EXTRACT_REMOVE) !== 0;
  const contig = (flags & UVM_EXTRACT_CONTIG) !== 0;
  const quick = (flags & UVM_EXTRACT_QREF) !== 0;
  if (start % uvm.pageSize !== 0 || length % uvm.pageSize !== 0 || length <= 0)
    throw new RangeError(
      `mapExtract wants page-aligned ranges, given 0x${start.toString(16)} and ${length} bytes`,
    );
  if (remove && (contig || quick))
    throw new RangeError('mapExtract: REMOVE goes with neither CONTIG nor QREF');
  const end = start + length;
  yield* mapLock(to);
  const room = mapReserve(
    uvm,
    to,
    length,
    to.min,
    uvm.pmap.prefer === null ? UVM_UNKNOWN_OFFSET : start,
  );
  if (room.error !== 0) return { error: ENOMEM, start: 0 };
  yield* mapLock(from);
  const pieces: MapEntry[] = [];
  const error = collect(uvm, from, start, end, room.start - start, flags, pieces);
  const taken = error === 0 && remove ? takeOut(uvm, from, start, end) : [];
  const { timestamp } = from;
  if (to !== from) yield* mapLock(to);
  if (error !== 0 || !mapReplace(to, room.start, room.start + length, pieces)) {
    unmapDetach(uvm, pieces, quick ? AMAP_REFALL : 0);
    unmapDetach(uvm, taken, 0);
    if (error === 0) return { error: EIO, start: 0 };
    uvmUnmap(uvm, to, room.start, room.start + length);
    return { error, start: 0 };
  }
  // What the source has mapped is only of use if it is still the same.
  if (from.timestamp === timestamp)
    for (const { start: at, end: stop } of pieces)
      uvm.pmap.copy(to.pmap, from.pmap, at, stop - at, at - (room.start - start));
  unmapDetach(uvm, taken, 0);
  return { error: 0, start: room.start };
}

/** Takes the source's entries away. */
function takeOut(uvm: Uvm, from: VmMap, start: Va, end: Va): MapEntry[] {
  const { size } = from;
  if (uvm.quirks.extractForgetsSource) {
    for (
      let entry = mapFloor(from, start);
      entry !== from.header && entry.start < end;
      entry = entry.next
    )
      if (entry.end > start && entry.wiredCount > 0)
        throw new KernelPanic('uvm_unmap_detach: entry is wired', {
          map: from.id,
          start: entry.start,
        });
  }
  const taken = unmapRemove(uvm, from, start, end);
  if (uvm.quirks.extractForgetsSource) from.size = size;
  return taken;
}

/** Copies of the entries in [start, end), moved by `shift`, each with references of its own. */
function collect(
  uvm: Uvm,
  from: VmMap,
  start: Va,
  end: Va,
  shift: number,
  flags: number,
  into: MapEntry[],
): Errno {
  const contig = (flags & UVM_EXTRACT_CONTIG) !== 0;
  const quick = (flags & UVM_EXTRACT_QREF) !== 0;
  let entry = mapFloor(from, start);
  if (entry === from.header || start >= entry.end) {
    if (contig) return EINVAL;
    entry = entry.next;
  } else if (!quick) clipStart(uvm, from, entry, start);
  for (; entry !== from.header && entry.start < end; entry = entry.next) {
    if (!quick) clipEnd(uvm, from, entry, end);
    if ((entry.etype & UVM_ET_NEEDSCOPY) !== 0) {
      amapCopy(uvm, from, entry, true, Math.max(entry.start, start), Math.min(entry.end, end));
      if ((entry.etype & UVM_ET_NEEDSCOPY) !== 0) return ENOMEM;
    }
    // Resolving needs-copy may have cut the entry to a chunk that begins before `start`.
    const fudge = Math.max(0, start - entry.start);
    const piece = entry.clone();
    piece.start = Math.max(entry.start, start) + shift;
    piece.end = Math.min(entry.end, end) + shift;
    piece.wiredCount = 0;
    if ((flags & UVM_EXTRACT_FIXPROT) !== 0) piece.protection = entry.maxProtection;
    if (piece.object !== null) {
      piece.offset += fudge;
      piece.object.pgops.reference(uvm, piece.object);
    }
    if (piece.amap !== null) {
      piece.pageoff += uvm.atop(fudge);
      piece.quick = quick;
      amapRef(
        piece.amap,
        piece.pageoff,
        uvm.atop(piece.end - piece.start),
        AMAP_SHARED | (quick ? AMAP_REFALL : 0),
      );
    }
    into.push(piece);
    if (contig && entry.end < end && entry.next.start !== entry.end) return EINVAL;
  }
  return 0;
}
