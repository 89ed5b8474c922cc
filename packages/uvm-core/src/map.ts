import {
  EACCES,
  EAGAIN,
  ENOMEM,
  type Errno,
  KernelPanic,
  type PmapId,
  type Prot,
  type Va,
} from '@uvmkit/pmap';
import { AMAP_PADDING, amapAlloc, amapExtend } from './amap.ts';
import { MapEntry } from './entry.ts';
import { EntryIndex } from './entry-index.ts';
import type { UvmObject } from './object.ts';
import {
  type Advice,
  type Inherit,
  type MapFlags,
  type Sleeping,
  UVM_ET_COPYONWRITE,
  UVM_ET_NEEDSCOPY,
  UVM_ET_OBJ,
  UVM_ET_SUBMAP,
  UVM_FLAG_AMAPPAD,
  UVM_FLAG_COPYONW,
  UVM_FLAG_FIXED,
  UVM_FLAG_NOMERGE,
  UVM_FLAG_OVERLAY,
  UVM_FLAG_TRYLOCK,
  UVM_UNKNOWN_OFFSET,
  VM_MAP_BUSY,
  VM_MAP_WANTLOCK,
  type WaitChannel,
} from './types.ts';
import type { Uvm } from './uvm.ts';
import { register, unregister } from './wiring/users.ts';

/** A range that is kept in memory for the time of a transfer (`uvm_vslock`). How, is the wiring policy's business. */
export interface TransientLock {
  readonly start: Va;
  readonly end: Va;
  /** The addresses whose places are locked, where locks are counted by place. */
  readonly places: Set<Va> | null;
  /** The frames that are pinned, by address, where it is the frames that are. */
  readonly frames: Map<Va, number> | null;
}

/**
 * An address space as UVM sees it (`vm_map`): sorted, disjoint entries over [min, max).
 *
 * Locks exist only across sleeps: whatever runs without sleeping has the map to itself anyway. A holder
 * that sleeps sets `exclusive` (nobody else may use the map at all, faults included) or VM_MAP_BUSY (nobody else may change it).
 */
export class VmMap {
  readonly id: number;
  readonly pmap: PmapId;
  /** The sentinel of the circle of entries: its start is the map's minimum, its end the maximum. */
  readonly header: MapEntry;
  readonly index: EntryIndex;
  nentries = 0;
  /** Bytes mapped. */
  size = 0;
  /** The entry behind which the first gap lies. */
  firstFree: MapEntry;
  /** VM_MAP_* bits. */
  flags: number;
  /** Counts write locks: a fault that slept finds out by it whether the map may have changed. */
  timestamp = 0;
  /** Held across a sleep by one thread. */
  exclusive = false;
  /** Nobody has run in it for long (20 seconds asleep, in 2001): set by whoever schedules. */
  idle = false;
  /** Ranges that are wired for the time of a transfer, of which no entry knows. */
  readonly vslocks: TransientLock[] = [];
  /** Amaps and objects are to know the entries of this map. */
  readonly backReferences: boolean;
  /** Where threads wait for the map. */
  readonly channel: WaitChannel;

  constructor(uvm: Uvm, pmap: PmapId, min: Va, max: Va, flags: number) {
    this.id = uvm.newMapId();
    this.index = new EntryIndex(uvm.pageSize, uvm.mapHints);
    this.pmap = pmap;
    this.flags = flags;
    this.channel = uvm.newChannel();
    this.header = new MapEntry(min, max);
    this.firstFree = this.header;
    this.backReferences = uvm.wiring.backReferences;
  }

  /** The entry found last, or the header: where NetBSD began its search. */
  get hint(): MapEntry {
    return this.index.recent ?? this.header;
  }

  get min(): Va {
    return this.header.start;
  }

  get max(): Va {
    return this.header.end;
  }

  /** Sets the bounds of an empty map, for exec. */
  setBounds(min: Va, max: Va): void {
    if (this.nentries !== 0)
      throw new KernelPanic('uvmspace_exec: map is not empty', { nentries: this.nentries });
    this.header.start = min;
    this.header.end = max;
  }

  /** The entries in order. */
  *entries(): Generator<MapEntry, void, void> {
    for (let entry = this.header.next; entry !== this.header; entry = entry.next) yield entry;
  }
}

/** Takes the write lock; returns once nobody else holds the map. It is held only until the next sleep. */
export function* mapLock(map: VmMap): Sleeping<void> {
  while (map.exclusive || (map.flags & VM_MAP_BUSY) !== 0) {
    map.flags |= VM_MAP_WANTLOCK;
    yield map.channel;
  }
  map.timestamp++;
}

/** Keeps the map from being changed by others while the caller sleeps (`vm_map_busy`). */
export function mapBusy(map: VmMap): void {
  map.flags |= VM_MAP_BUSY;
}

/** Ends {@link mapBusy} (`vm_map_unbusy`). */
export function mapUnbusy(uvm: Uvm, map: VmMap): void {
  const wanted = (map.flags & VM_MAP_WANTLOCK) !== 0;
  map.flags &= ~(VM_MAP_BUSY | VM_MAP_WANTLOCK);
  if (wanted) uvm.wakeup(map.channel);
}

/** Lets the map go that was held with `exclusive`. */
export function mapRelease(uvm: Uvm, map: VmMap): void {
  map.exclusive = false;
  map.flags &= ~VM_MAP_WANTLOCK;
  uvm.wakeup(map.channel);
}

/** The entry that covers `va`, or null (`uvm_map_lookup_entry`). */
export function mapLookup(map: VmMap, va: Va): MapEntry | null {
  return map.index.find(va);
}

/** The entry that covers `va`, or else the one before it, which may be the header. */
export function mapFloor(map: VmMap, va: Va): MapEntry {
  return map.index.find(va) ?? map.index.floor(va) ?? map.header;
}

/** Links an entry behind `after` (`uvm_map_entry_link`). */
export function mapLink(map: VmMap, after: MapEntry, entry: MapEntry): void {
  entry.prev = after;
  entry.next = after.next;
  after.next.prev = entry;
  after.next = entry;
  map.nentries++;
  map.index.insert(entry);
  if (map.backReferences) register(map, entry);
}

/** Unlinks an entry (`uvm_map_entry_unlink`). */
export function mapUnlink(map: VmMap, entry: MapEntry): void {
  if (map.backReferences) unregister(entry);
  map.index.remove(entry);
  entry.prev.next = entry.next;
  entry.next.prev = entry.prev;
  map.nentries--;
}

/** Where `findSpace` found room. */
export interface Space {
  /** The entry before it, which may be the header. */
  readonly prev: MapEntry;
  readonly start: Va;
}

/**
 * Finds room for `length` bytes at or above `hint` (`uvm_map_findspace`): first fit, bottom up.
 *
 * @param offset object offset to which the address should be cache-compatible, or UVM_UNKNOWN_OFFSET
 * @param align power of two, or 0; if it cannot be met the room is looked for again without it
 * @returns null if there is none, or, with `fixed`, if it is not exactly there
 */
export function findSpace(
  uvm: Uvm,
  map: VmMap,
  hint: Va,
  length: number,
  offset: number,
  align: number,
  fixed: boolean,
): Space | null {
  if (hint < map.min) {
    if (fixed) return null;
    hint = map.min;
  }
  if (hint > map.max) return null;
  let prev: MapEntry;
  let from = hint;
  if (!fixed && hint === map.min) {
    prev = uvm.mapHints ? map.firstFree : map.header;
    if (prev !== map.header) from = prev.end;
  } else {
    prev = mapFloor(map, hint);
    if (prev !== map.header && hint < prev.end) {
      if (fixed) return null;
      from = prev.end;
    }
  }
  const { prefer } = uvm.pmap;
  for (;;) {
    let start = from;
    if (!fixed) {
      if (prefer !== null && offset !== UVM_UNKNOWN_OFFSET) start = prefer(offset, start);
      if (align !== 0) start = Math.ceil(start / align) * align;
    }
    const end = start + length;
    if (end > map.max)
      return align !== 0 ? findSpace(uvm, map, hint, length, offset, 0, fixed) : null;
    if (prev.next === map.header || prev.next.start >= end) return { prev, start };
    if (fixed) return null;
    // On to the next gap that is wide enough at all.
    const next = map.index.gapFrom(prev.next, length, map.max);
    if (next === null)
      return align !== 0 ? findSpace(uvm, map, hint, length, offset, 0, fixed) : null;
    prev = next;
    from = prev.end;
  }
}

/** The attributes of a new mapping: what UVM_MAPFLAG packs. */
export interface MapAttributes {
  readonly prot: Prot;
  readonly maxProt: Prot;
  readonly inherit: Inherit;
  readonly advice: Advice;
  /** UVM_FLAG_* bits. */
  readonly flags: MapFlags;
}

/** Where a mapping went, or why it did not. */
export interface MapResult {
  readonly error: Errno;
  readonly start: Va;
}

/**
 * Enters a mapping (`uvm_map`). What is there is not unmapped.
 *
 * @param hint lowest address wanted, or the address with UVM_FLAG_FIXED; page-aligned
 * @param size bytes, a positive multiple of the page size
 * @param object what is mapped; its reference passes to the map on success and stays the caller's on failure
 * @param offset byte offset in the object; without one, the offset that the address should be cache-compatible with
 * @param align power of two, or 0
 * @returns EACCES if `prot` exceeds `maxProt`, ENOMEM without room, EAGAIN if the map is locked and TRYLOCK given
 */
export function uvmMap(
  uvm: Uvm,
  map: VmMap,
  hint: Va,
  size: number,
  object: UvmObject | null,
  offset: number,
  align: number,
  attributes: MapAttributes,
): MapResult {
  const { prot, maxProt, inherit, advice, flags } = attributes;
  if (size <= 0 || size % uvm.pageSize !== 0 || hint % uvm.pageSize !== 0)
    throw new RangeError(
      `uvmMap wants page-aligned address and size, given 0x${hint.toString(16)} and ${size}`,
    );
  if ((prot & maxProt) !== prot) return { error: EACCES, start: 0 };
  if (map.exclusive || (map.flags & VM_MAP_BUSY) !== 0) {
    if ((flags & UVM_FLAG_TRYLOCK) !== 0) return { error: EAGAIN, start: 0 };
    throw new KernelPanic('uvm_map: map is held by another thread', { map: map.id });
  }
  const space = findSpace(uvm, map, hint, size, offset, align, (flags & UVM_FLAG_FIXED) !== 0);
  if (space === null) return { error: ENOMEM, start: 0 };
  const { prev, start } = space;
  if (map === uvm.kernelMap && start + size > uvm.maxKernelVa && uvm.pmap.growKernel !== null)
    uvm.maxKernelVa = uvm.pmap.growKernel(start + size);
  if (object === null) offset = 0;
  else if (offset === UVM_UNKNOWN_OFFSET) offset = start - uvm.kernelMap.min;

  if (
    uvm.merging &&
    (flags & UVM_FLAG_NOMERGE) === 0 &&
    prev !== map.header &&
    prev.end === start &&
    canExtend(uvm, prev, object, offset, attributes)
  ) {
    if (object !== null) object.pgops.detach(uvm, object);
    if (prev.amap !== null) amapExtend(prev, uvm.atop(prev.end - prev.start), uvm.atop(size));
    prev.end += size;
    map.index.moved(prev.start, prev);
    map.size += size;
    // The gap behind the first-free entry may have closed.
    if (map.firstFree === prev) advanceFirstFree(map);
    return { error: 0, start };
  }

  const entry = new MapEntry(start, start + size);
  entry.object = object;
  entry.offset = offset;
  if (object !== null) entry.etype |= UVM_ET_OBJ;
  if ((flags & UVM_FLAG_COPYONW) !== 0) {
    entry.etype |= UVM_ET_COPYONWRITE;
    if ((flags & UVM_FLAG_OVERLAY) === 0) entry.etype |= UVM_ET_NEEDSCOPY;
  }
  entry.protection = prot;
  entry.maxProtection = maxProt;
  entry.inheritance = inherit;
  entry.advice = advice;
  if ((flags & UVM_FLAG_OVERLAY) !== 0)
    entry.amap = amapAlloc(
      uvm,
      uvm.atop(size),
      (flags & UVM_FLAG_AMAPPAD) !== 0 ? AMAP_PADDING : 0,
    );
  mapLink(map, prev, entry);
  map.size += size;
  if (map.firstFree === prev) advanceFirstFree(map);
  return { error: 0, start };
}

/** Whether a mapping behind `prev` with these attributes can be made by lengthening `prev`. */
function canExtend(
  uvm: Uvm,
  prev: MapEntry,
  object: UvmObject | null,
  offset: number,
  attributes: MapAttributes,
): boolean {
  if (prev.object !== object || (prev.etype & UVM_ET_SUBMAP) !== 0) return false;
  if (object !== null && prev.offset + (prev.end - prev.start) !== offset) return false;
  if (prev.protection !== attributes.prot || prev.maxProtection !== attributes.maxProt)
    return false;
  if (prev.inheritance !== attributes.inherit || prev.advice !== attributes.advice) return false;
  if (prev.wiredCount !== 0 || (prev.amap !== null && prev.amap.ref !== 1)) return false;
  const cow = (attributes.flags & UVM_FLAG_COPYONW) !== 0;
  return uvm.quirks.mergeIgnoresEtype || cow === ((prev.etype & UVM_ET_COPYONWRITE) !== 0);
}

/** Moves `firstFree` on over entries that leave no gap. */
export function advanceFirstFree(map: VmMap): void {
  let entry = map.firstFree;
  let end = entry === map.header ? map.min : entry.end;
  while (entry.next !== map.header && entry.next.start === end) {
    entry = entry.next;
    end = entry.end;
  }
  map.firstFree = entry;
}
