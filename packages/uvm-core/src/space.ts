import {
  KernelPanic,
  NO_PMAP,
  type PmapId,
  type Va,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { amapRef, amapShareProtect } from './amap.ts';
import { amapCopy, amapCowNow } from './amap-copy.ts';
import type { MapEntry } from './entry.ts';
import { advanceFirstFree, mapLink, mapLock, mapRelease, VmMap } from './map.ts';
import { unmapDetach, unmapRemove } from './map-unmap.ts';
import {
  AMAP_SHARED,
  MAP_INHERIT_COPY,
  MAP_INHERIT_NONE,
  MAP_INHERIT_SHARE,
  type Sleeping,
  UVM_ET_COPYONWRITE,
  UVM_ET_NEEDSCOPY,
  UVM_ET_SUBMAP,
  VM_MAP_PAGEABLE,
  VM_MAP_WIREFUTURE,
} from './types.ts';
import type { Uvm } from './uvm.ts';

/** An address space and what the process layer knows about its parts (`vmspace`). Several processes may share one. */
export class Vmspace {
  readonly map: VmMap;
  /** Processes that use it. */
  refs = 1;
  /** Start of the data segment (`vm_daddr`), bytes. */
  dataAddress: Va = 0;
  /** Pages of data segment (`vm_dsize`). */
  dataPages = 0;
  /** Pages of text (`vm_tsize`) and where it starts (`vm_taddr`). */
  textPages = 0;
  textAddress: Va = 0;
  /** Pages of stack in use (`vm_ssize`). */
  stackPages = 0;
  /** Lowest and highest address of the stack (`vm_maxsaddr`, `vm_minsaddr`). */
  stackLow: Va = 0;
  stackHigh: Va = 0;

  constructor(map: VmMap) {
    this.map = map;
  }

  get pmap(): PmapId {
    return this.map.pmap;
  }
}

/** A new, empty address space over [min, max) (`uvmspace_alloc`). Waits for memory for its page tables. */
export function* spaceAlloc(uvm: Uvm, min: Va, max: Va): Sleeping<Vmspace> {
  let pmap = uvm.pmap.create();
  while (pmap === NO_PMAP) {
    yield* uvm.sleepForMemory('pmap_create');
    pmap = uvm.pmap.create();
  }
  const map = new VmMap(uvm, pmap, min, max, VM_MAP_PAGEABLE);
  uvm.maps.add(map);
  return new Vmspace(map);
}

/** One more process uses the space (`uvmspace_share`). */
export function spaceShare(space: Vmspace): void {
  space.refs++;
}

/** One process fewer uses the space; with the last one it goes, and everything in it (`uvmspace_free`). */
export function* spaceFree(uvm: Uvm, space: Vmspace): Sleeping<void> {
  if (--space.refs > 0) return;
  const { map } = space;
  yield* mapLock(map);
  unmapDetach(uvm, unmapRemove(uvm, map, map.min, map.max), 0);
  uvm.maps.delete(map);
  uvm.pmap.destroy(map.pmap);
}

/**
 * Makes the space ready for a new program over [min, max) (`uvmspace_exec`): empty, with no memory of locks.
 *
 * @returns the space to use: this one, or a new one if other processes use this one
 */
export function* spaceExec(uvm: Uvm, space: Vmspace, min: Va, max: Va): Sleeping<Vmspace> {
  if (space.refs > 1) {
    const fresh = yield* spaceAlloc(uvm, min, max);
    space.refs--;
    return fresh;
  }
  const { map } = space;
  yield* mapLock(map);
  map.flags &= ~VM_MAP_WIREFUTURE;
  unmapDetach(uvm, unmapRemove(uvm, map, map.min, map.max), 0);
  map.setBounds(min, max);
  space.dataAddress = space.textAddress = space.stackLow = space.stackHigh = 0;
  space.dataPages = space.textPages = space.stackPages = 0;
  return space;
}

/**
 * A child's address space (`uvmspace_fork`): each entry passes as its inheritance says. Nothing is copied but what the parent has
 * wired. Locks do not pass to the child.
 */
export function* spaceFork(uvm: Uvm, parent: Vmspace): Sleeping<Vmspace> {
  const from = parent.map;
  const child = yield* spaceAlloc(uvm, from.min, from.max);
  yield* mapLock(from);
  from.exclusive = true;
  child.dataAddress = parent.dataAddress;
  child.dataPages = parent.dataPages;
  child.textAddress = parent.textAddress;
  child.textPages = parent.textPages;
  child.stackLow = parent.stackLow;
  child.stackHigh = parent.stackHigh;
  child.stackPages = parent.stackPages;
  for (let entry = from.header.next; entry !== from.header; entry = entry.next) {
    const needsCopy = (entry.etype & UVM_ET_NEEDSCOPY) !== 0;
    if ((entry.etype & UVM_ET_SUBMAP) !== 0)
      throw new KernelPanic('fork: encountered a submap during fork (illegal)', {
        start: entry.start,
      });
    if (needsCopy && (entry.etype & UVM_ET_COPYONWRITE) === 0)
      throw new KernelPanic('fork: non-copy_on_write map entry marked needs_copy (illegal)', {
        start: entry.start,
      });
    if (entry.inheritance === MAP_INHERIT_SHARE) forkShare(uvm, from, entry, child.map);
    else if (entry.inheritance === MAP_INHERIT_COPY) yield* forkCopy(uvm, from, entry, child.map);
    else if (entry.inheritance === MAP_INHERIT_NONE && uvm.quirks.forkCountsHoles)
      child.map.size += entry.end - entry.start;
  }
  advanceFirstFree(child.map);
  mapRelease(uvm, from);
  uvm.pmap.update(from.pmap);
  uvm.pmap.fork?.(from.pmap, child.pmap);
  return child;
}

/** The child's entry: a copy with references of its own, at the end of the child's map. */
function appendCopy(uvm: Uvm, entry: MapEntry, map: VmMap, amapFlags: number): MapEntry {
  const copy = entry.clone();
  copy.wiredCount = 0;
  if (copy.amap !== null)
    amapRef(copy.amap, copy.pageoff, uvm.atop(copy.end - copy.start), amapFlags);
  if (copy.object !== null) copy.object.pgops.reference(uvm, copy.object);
  mapLink(map, map.header.prev, copy);
  map.size += copy.end - copy.start;
  return copy;
}

/** Both see the same memory, what is yet to come included: so the amap must exist now. */
function forkShare(uvm: Uvm, from: VmMap, entry: MapEntry, to: VmMap): void {
  if ((entry.etype & UVM_ET_NEEDSCOPY) !== 0) amapCopy(uvm, from, entry, false, 0, 0);
  appendCopy(uvm, entry, to, AMAP_SHARED);
  uvm.pmap.copy(to.pmap, from.pmap, entry.start, entry.end - entry.start, entry.start);
}

/**
 * The child gets a copy, made as late as may be.
 *
 *     amap not shared, not wired:   both refer to it and need a copy before they write; the parent loses WRITE
 *     amap shared:                  others write to it in place: the child refers to its anons one by one (NetBSD of
 *                                   2001 made the parent copy before it wrote, and so stop sharing)
 *     wired:                        the parent must not fault: the child gets copies of the pages now
 */
function* forkCopy(uvm: Uvm, from: VmMap, entry: MapEntry, to: VmMap): Sleeping<void> {
  const { pmap } = uvm;
  const wired = entry.wiredCount > 0;
  const copy = appendCopy(uvm, entry, to, 0);
  copy.etype |= UVM_ET_COPYONWRITE | UVM_ET_NEEDSCOPY;
  const shared = entry.amap !== null && (entry.amap.flags & AMAP_SHARED) !== 0;
  if (entry.amap !== null && (shared || wired)) amapCopy(uvm, to, copy, false, 0, 0);
  if (wired) {
    if (copy.amap !== null) yield* amapCowNow(uvm, copy, false);
    return;
  }
  if (shared) {
    // Every sharer may have these pages mapped for writing; now that the child refers to them too, nobody may. What a
    // sharer has wired the child gets copies of: a wired mapping must not fault.
    yield* amapCowNow(uvm, copy, true);
    amapShareProtect(uvm, entry, VM_PROT_READ | VM_PROT_EXECUTE);
  } else if (entry.amap !== null && (entry.etype & UVM_ET_NEEDSCOPY) === 0) {
    if ((entry.maxProtection & VM_PROT_WRITE) !== 0)
      pmap.protect(from.pmap, entry.start, entry.end, entry.protection & ~VM_PROT_WRITE);
    // A shared mapping that is inherited as a copy was not copy-on-write until now. NetBSD of 2001 left it so, and
    // panicked at the next fork.
    entry.etype |= UVM_ET_COPYONWRITE | UVM_ET_NEEDSCOPY;
  }
  pmap.copy(to.pmap, from.pmap, copy.start, copy.end - copy.start, entry.start);
  if (entry.amap === null && (entry.maxProtection & VM_PROT_WRITE) !== 0)
    pmap.protect(to.pmap, copy.start, copy.end, copy.protection & ~VM_PROT_WRITE);
}
