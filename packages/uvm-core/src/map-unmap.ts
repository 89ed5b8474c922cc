import { NO_PA, PMAP_KERNEL, type Va } from '@uvmkit/pmap';
import { amapUnref } from './amap.ts';
import { type Aobj, aobjDropSwap } from './aobj.ts';
import type { MapEntry } from './entry.ts';
import { clipEnd, clipStart } from './map-clip.ts';
import { mapFloor, mapUnlink, type VmMap } from './map.ts';
import { UVM_OBJ_KERN, type UvmObject } from './object.ts';
import { NO_PAGE, PG_BUSY, PG_RELEASED } from './page.ts';
import { VM_MAP_PAGEABLE } from './types.ts';
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
    uvm.wiring.leaves(uvm, map, entry);
    if ((map.flags & VM_MAP_PAGEABLE) === 0) removeKentered(uvm, entry);
    else if (entry.object !== null || entry.amap !== null) {
      if (uvm.wiring.enterFlags === 0) removeKernelWired(uvm, entry);
      uvm.pmap.remove(map.pmap, entry.start, entry.end);
    }
    mapUnlink(map, entry);
    if (entry.object?.refs === UVM_OBJ_KERN) {
      freeKernelPages(uvm, entry.object, entry.offset, entry.end - entry.start);
      entry.object = null;
    }
    map.size -= entry.end - entry.start;
    removed.push(entry);
    entry = next;
  }
  uvm.pmap.update(map.pmap);
  return removed;
}

/** Memory of a map that is never faulted: nothing but the pmap knows its pages (`uvm_km_pgremove_intrsafe`). */
function removeKentered(uvm: Uvm, entry: MapEntry): void {
  const { pages, pmap } = uvm;
  for (let va = entry.start; va < entry.end; va += uvm.pageSize) {
    const pa = pmap.extract(PMAP_KERNEL, va);
    if (pa === NO_PA) continue;
    pmap.kremove(va, uvm.pageSize);
    pages.kernelPages--;
    pages.free(pages.pageIndex(pa));
  }
}

/** Kernel memory that must not fault, where only pmap_kenter_pa makes such mappings. */
function removeKernelWired(uvm: Uvm, { object, offset, start, end }: MapEntry): void {
  if (object?.refs !== UVM_OBJ_KERN) return;
  for (let va = start; va < end; va += uvm.pageSize) {
    const page = uvm.pages.lookup(object, uvm.atop(offset + (va - start)));
    if (page !== NO_PAGE && uvm.pages.wireCount[page] !== 0) uvm.pmap.kremove(va, uvm.pageSize);
  }
}

/** Kernel memory lives at its address in the kernel's object: what is unmapped is gone for good (`uvm_km_pgremove`). */
function freeKernelPages(uvm: Uvm, object: UvmObject, offset: number, size: number): void {
  const { pages } = uvm;
  const first = uvm.atop(offset);
  for (let index = first; index < first + uvm.atop(size); index++) {
    const page = pages.lookup(object, index);
    if (page !== NO_PAGE && (pages.flags[page]! & PG_BUSY) !== 0) {
      pages.flags[page]! |= PG_RELEASED;
      continue;
    }
    aobjDropSwap(uvm, object as Aobj, index);
    if (page !== NO_PAGE) pages.free(page);
  }
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
