import type { Va } from '@uvmkit/pmap';
import type { Amap } from './amap.ts';
import { entryName } from './check-maps.ts';
import { isKernels } from './check-swap.ts';
import type { Report } from './check.ts';
import type { MapEntry } from './entry.ts';
import type { VmMap } from './map.ts';
import { objectHasPages, type UvmObject } from './object.ts';
import { NO_PAGE } from './page.ts';
import { VM_MAP_BUSY } from './types.ts';
import type { Uvm } from './uvm.ts';
import { pageOf } from './wiring/ledger.ts';
import { locksOf } from './wiring/locks.ts';

/** Invariants 40, 13.3 and 13.4: what wires a page, and what the wiring policy keeps of it. */
export function checkWiring(uvm: Uvm, report: Report): void {
  checkUsers(uvm, report);
  // While a lock is being made its pages are wired one by one.
  if (isBusy(uvm)) return;
  checkClaims(uvm, report);
  checkLedgers(uvm, report);
}

function isBusy(uvm: Uvm): boolean {
  for (const map of uvm.maps) if (map.exclusive || (map.flags & VM_MAP_BUSY) !== 0) return true;
  return false;
}

/** Every wiring of a page is claimed by an entry over it. */
function checkClaims(uvm: Uvm, report: Report): void {
  const { pages } = uvm;
  const claims = new Int32Array(pages.pageCount);
  const claim = (entry: MapEntry, start: Va, end: Va): void => {
    for (let va = Math.max(start, entry.start); va < Math.min(end, entry.end); va += uvm.pageSize) {
      const page = pageOf(uvm, entry, va);
      if (page !== NO_PAGE) claims[page]!++;
    }
  };
  for (const map of uvm.maps)
    for (const entry of map.entries()) {
      if (entry.wiredCount !== 0) claim(entry, entry.start, entry.end);
      for (const { start, end, places, frames } of map.vslocks) {
        if (places !== null) for (const va of places) claim(entry, va, va + uvm.pageSize);
        else if (frames === null) claim(entry, start, end);
      }
    }
  // A loan to the kernel wires, and so does a transfer that pins; what the kernel allocates for itself is wired for good.
  for (const [page, loans] of uvm.lentPages) claims[page]! += loans;
  for (const [page, pins] of pages.pins) claims[page]! += pins;
  for (let page = 0; page < pages.pageCount; page++)
    if (isKernels(uvm, page) && claims[page] === 0 && pages.wireCount[page] === 1) claims[page] = 1;
  for (let page = 0; page < pages.pageCount; page++) {
    const wired = pages.wireCount[page]!;
    if (wired !== claims[page])
      report(
        40,
        `page ${page} is wired ${wired} times`,
        `there are ${claims[page]} reasons for it: a difference of ${wired - claims[page]!}`,
      );
  }
}

/** Amaps and objects know who maps them, if the policy wants that, and nobody else. */
function checkUsers(uvm: Uvm, report: Report): void {
  const found = new Map<Amap | UvmObject, number>();
  for (const map of uvm.maps)
    for (const entry of map.entries())
      for (const owner of [entry.amap, entry.object]) {
        if (owner === null || !map.backReferences) continue;
        found.set(owner, (found.get(owner) ?? 0) + 1);
        if (owner.users?.get(entry) !== map)
          report(13.3, entryName(map, entry), 'what it maps does not know of it');
      }
  for (const owner of [...uvm.amaps, ...uvm.objects]) {
    const known = owner.users?.size ?? 0;
    const entries = found.get(owner) ?? 0;
    if (known !== entries)
      report(13.3, `${ownerName(owner)} knows ${known} users`, `${entries} entries map it`);
  }
}

function ownerName(owner: Amap | UvmObject): string {
  return 'nslot' in owner ? `an amap of ${owner.nslot} slots` : `object ${owner.id}`;
}

/** Where locks are counted by place, each count is that of the locked entries over the place. */
function checkLedgers(uvm: Uvm, report: Report): void {
  const counted = new Map<Amap | UvmObject, Map<number, number>>();
  const add = (owner: Amap | UvmObject, at: number, locks: number): void => {
    let places = counted.get(owner);
    if (places === undefined) counted.set(owner, (places = new Map()));
    places.set(at, (places.get(at) ?? 0) + locks);
  };
  if (uvm.wiring.countsPlaces)
    for (const map of uvm.maps)
      for (const entry of map.entries()) forEachLock(uvm, map, entry, add);
  for (const owner of [...uvm.amaps, ...uvm.objects]) {
    const places = counted.get(owner);
    for (const at of new Set([...(owner.locks?.keys() ?? []), ...(places?.keys() ?? [])])) {
      const says = owner.locks?.get(at) ?? 0;
      const is = places?.get(at) ?? 0;
      if (says !== is)
        report(
          13.4,
          `${ownerName(owner)} counts ${says} locks on its page ${at}`,
          `there are ${is}`,
        );
    }
  }
}

function forEachLock(
  uvm: Uvm,
  map: VmMap,
  entry: MapEntry,
  add: (owner: Amap | UvmObject, at: number, locks: number) => void,
): void {
  const { amap, object, pageoff } = entry;
  if (entry.wiredCount === 0 && map.vslocks.length === 0) return;
  for (let page = 0; page < uvm.atop(entry.end - entry.start); page++) {
    const locks = locksOf(map, entry, entry.start + page * uvm.pageSize);
    if (locks === 0) continue;
    if (amap !== null) add(amap, pageoff + page, locks);
    const seesObject = (amap?.anon[pageoff + page] ?? -1) === -1;
    if (object !== null && seesObject && objectHasPages(object))
      add(object, uvm.atop(entry.offset) + page, locks);
  }
}
