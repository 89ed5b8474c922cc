import { KernelPanic, NO_PA, PMAP_WIRED, VM_PROT_NONE } from '@uvmkit/pmap';
import { mapFloor } from '../map.ts';
import { NO_PAGE } from '../page.ts';
import { VM_FAULT_WIRE } from '../types.ts';
import { faultUnwire, faultWire } from '../wire.ts';
import type { WiringPolicy } from './policy.ts';

/** What both kernels of history do, before the commit and after it: the pmap is where they keep what is wired. */
export const HISTORY: Omit<WiringPolicy, 'name' | 'faultType' | 'lockProtection' | 'ownsLocked'> = {
  enterFlags: PMAP_WIRED,
  // Of a device's frames it is forgotten (hazard H9).
  deviceFlags: 0,
  countsPlaces: false,
  backReferences: false,
  keepsMapped: true,

  wire: (uvm, _entry, _va, page) => uvm.pages.wire(page),

  unwire(uvm, map, start, end, counted) {
    const { pmap, pages } = uvm;
    let entry = mapFloor(map, start);
    for (let va = start; va < end; va += uvm.pageSize) {
      const pa = pmap.extract(map.pmap, va);
      if (pa === NO_PA)
        throw new KernelPanic('uvm_fault_unwire_locked: unwiring non-wired memory', {
          map: map.id,
          va,
        });
      while ((entry === map.header || va >= entry.end) && entry.next !== map.header)
        entry = entry.next;
      if (entry === map.header || va < entry.start || va >= entry.end)
        throw new KernelPanic('uvm_fault_unwire_locked: unwiring a hole', { map: map.id, va });
      if (entry.wiredCount === counted) pmap.unwire(map.pmap, va);
      const page = pages.pageIndex(pa);
      if (page !== NO_PAGE) pages.unwire(page);
    }
  },

  // Who maps a page is known to its reverse map alone: all of them lose it, whether they must or not, wired or not.
  slotReplaced: (uvm, _amap, _at, from) =>
    uvm.pmap.pageProtect(uvm.pages.pageAddress(from), VM_PROT_NONE),
  objectPageReplaced: (uvm, _object, _index, from) =>
    uvm.pmap.pageProtect(uvm.pages.pageAddress(from), VM_PROT_NONE),
  revoke: (uvm, page) => uvm.pmap.pageProtect(uvm.pages.pageAddress(page), VM_PROT_NONE),

  amapMoves: () => undefined,
  leaves: () => undefined,

  *hold(uvm, map, start, end, access) {
    const error = yield* faultWire(uvm, map, start, end, VM_FAULT_WIRE, access);
    if (error === 0) map.vslocks.push({ start, end, places: null, frames: null });
    return error;
  },
  release: (uvm, map, { start, end }) => faultUnwire(uvm, map, start, end),
  holds: () => false,

  lockedPages: (uvm, map) => uvm.pmap.wiredCount(map.pmap),
  bytes: () => 0,
};
