import { EFAULT, EINVAL, type Errno, type Va } from '@uvmkit/pmap';
import { amapUnadd, anonUnref } from './amap.ts';
import { NO_ANON } from './anon.ts';
import type { MapEntry } from './entry.ts';
import { mapLookup, type VmMap } from './map.ts';
import { NO_PAGE, PQ_ANON } from './page.ts';
import {
  PGO_CLEANIT,
  PGO_DEACTIVATE,
  PGO_FREE,
  type PagerFlags,
  type Sleeping,
  UVM_ET_SUBMAP,
} from './types.ts';
import type { Uvm } from './uvm.ts';

/**
 * Cleans, deactivates or frees what a range has in memory (`uvm_map_clean`): the back end of msync(2) and madvise(2).
 * In 2001 a wired range is not spared.
 *
 * @param flags PGO_CLEANIT, PGO_SYNCIO and one of PGO_DEACTIVATE and PGO_FREE
 * @returns EFAULT if nothing is mapped at `start` or there is a hole, EINVAL for a submap; otherwise the error of the last object
 */
export function* mapClean(
  uvm: Uvm,
  map: VmMap,
  start: Va,
  end: Va,
  flags: PagerFlags,
): Sleeping<Errno> {
  while (map.exclusive) yield map.channel;
  const from = Math.max(start, map.min);
  const to = Math.min(end, map.max);
  const first = mapLookup(map, from);
  if (first === null) return EFAULT;
  for (let entry = first; entry !== map.header && entry.start < to; entry = entry.next) {
    if ((entry.etype & UVM_ET_SUBMAP) !== 0) return EINVAL;
    if (entry.end < to && entry.next.start !== entry.end) return EFAULT;
  }
  let error: Errno = 0;
  // The put sleeps, and the map may change meanwhile: go on by address, not by entry.
  for (let va = from; va < to;) {
    const entry = mapLookup(map, va);
    if (entry === null) return EFAULT;
    const stop = Math.min(entry.end, to);
    if (entry.amap !== null && (flags & (PGO_DEACTIVATE | PGO_FREE)) !== 0)
      cleanAnons(uvm, map, entry, va, stop, flags);
    if (entry.object !== null) {
      const offset = entry.offset + (va - entry.start);
      error = yield* entry.object.pgops.put(uvm, entry.object, offset, offset + (stop - va), flags);
    }
    va = stop;
  }
  return error;
}

/** The amap part: only resident anons are touched; anonymous memory is never written here. */
function cleanAnons(
  uvm: Uvm,
  map: VmMap,
  entry: MapEntry,
  start: Va,
  end: Va,
  flags: PagerFlags,
): void {
  const { anons, pages, pmap } = uvm;
  const amap = entry.amap!;
  const first = entry.pageoff + uvm.atop(start - entry.start);
  const discard = (flags & PGO_FREE) !== 0 && (flags & PGO_CLEANIT) === 0;
  for (let at = first; at < first + uvm.atop(end - start); at++) {
    const anon = amap.anon[at]!;
    const page = anon === NO_ANON ? NO_PAGE : anons.page[anon]!;
    if (page === NO_PAGE || pages.wireCount[page] !== 0) continue;
    // The last reference to the amap is the only one that may throw data away.
    if (!discard || amap.ref > 1) {
      if ((pages.pqflags[page]! & PQ_ANON) !== 0) uvm.deactivateIdle(page);
      continue;
    }
    amapUnadd(amap, at);
    // Other amaps may keep the anon, and with it the page: this map must forget it. (In 2001 it did not.)
    const va = start + (at - first) * uvm.pageSize;
    if (anons.ref[anon]! > 1) pmap.remove(map.pmap, va, va + uvm.pageSize);
    anonUnref(uvm, anon);
  }
  pmap.update(map.pmap);
}
