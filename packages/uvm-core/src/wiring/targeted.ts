import {
  NO_PA,
  PMAP_CANFAIL,
  PMAP_WIRED,
  type Prot,
  type Va,
  VM_PROT_ALL,
  VM_PROT_NONE,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { NO_ANON } from '../anon.ts';
import type { MapEntry } from '../entry.ts';
import type { VmMap } from '../map.ts';
import { PG_RDONLY } from '../page.ts';
import { UVM_ET_COPYONWRITE, UVM_ET_NEEDSCOPY, VM_FAULT_WIRE } from '../types.ts';
import type { Uvm } from '../uvm.ts';
import { asVnode } from '../vnode.ts';
import { faultWire } from '../wire.ts';
import { ledgerBytes, lockPlace, unlockPlace } from './ledger.ts';
import { eachLocked, moveLocks, pagesLocked } from './locks.ts';
import type { WiringPolicy } from './policy.ts';
import { reregister, usersBytes } from './users.ts';

/**
 * The first design that was never built (§13.3): amaps and objects know the entries that map them, so that a page is taken from
 * exactly the maps that must see another in its place.
 *
 *     promotion in a shared amap, loan break:   every entry over the slot (or the object's page)
 *                                                 not locked ▶ its mapping goes, the next touch finds the new page
 *                                                 locked     ▶ the new page is entered, wired, at once
 *     truncation, invalidation:                 locked users are unwired before the page is freed
 *
 * Wirings are counted by place (`ledger.ts`), so that the counts move with the pages, and to unlock asks no pmap what had
 * been locked. Strangers to an amap keep their mappings: that is also fewer faults. A lock is made at the current
 * protection; locked text stays shared.
 *
 * It costs a record for every entry, amap and object; promotion in a shared amap takes time for each of its entries. A
 * registration that is missed is a process that reads old data: worse than a panic, and what invariants 34 and 13.3 look for.
 * It mends §13.1 and H1 to H9. What was truncated, or made PROT_NONE, or lost to a pmap that is out of memory, is mapped
 * again by the next touch: locked, in memory where there is a page, and not mapped until then.
 */
export const targetedPolicy: WiringPolicy = {
  name: 'targeted',
  faultType: VM_FAULT_WIRE,
  enterFlags: PMAP_WIRED,
  deviceFlags: PMAP_WIRED,
  countsPlaces: true,
  backReferences: true,
  keepsMapped: false,
  lockProtection: (entry) => entry.protection,
  ownsLocked: () => false,

  wire: (uvm, entry, va) => lockPlace(uvm, entry, va),

  unwire(uvm, map, start, end, counted) {
    const { pmap } = uvm;
    for (const [entry, va] of eachLocked(uvm, map, start, end)) {
      unlockPlace(uvm, entry, va);
      if (entry.wiredCount !== counted || holds(map, va)) continue;
      if (pmap.extract(map.pmap, va) !== NO_PA) pmap.unwire(map.pmap, va);
    }
  },

  slotReplaced(uvm, amap, at, _from, to) {
    for (const [entry, map] of amap.users!) {
      const va = addressOf(uvm, entry, at - entry.pageoff);
      if (va !== null) remap(uvm, map, entry, va, to, false);
    }
  },

  objectPageReplaced(uvm, object, index, _from, to) {
    for (const [entry, map] of object.users ?? []) {
      const va = objectAddress(uvm, entry, index);
      if (va !== null) remap(uvm, map, entry, va, to, true);
    }
    const vnode = asVnode(object);
    if (vnode !== null) uvm.windows?.forget(vnode, index * uvm.pageSize);
  },

  revoke(uvm, page) {
    const { pages, pmap } = uvm;
    const pa = pages.pageAddress(page);
    if (pages.wireCount[page] !== 0) {
      const index = pages.offset[page]!;
      for (const [entry, map] of uvm.objectById(pages.uobject[page]!).users ?? []) {
        const va = objectAddress(uvm, entry, index);
        if (va !== null && isLocked(map, entry, va) && pmap.extract(map.pmap, va) === pa)
          pmap.unwire(map.pmap, va);
      }
    }
    pmap.pageProtect(pa, VM_PROT_NONE);
  },

  amapMoves(uvm, map, entry, to) {
    moveLocks(uvm, map, entry, to);
    reregister(map, entry, to);
  },

  leaves(uvm, map, entry) {
    for (const { places } of map.vslocks)
      for (const va of places ?? [])
        if (va >= entry.start && va < entry.end) {
          places!.delete(va);
          unlockPlace(uvm, entry, va);
        }
  },

  *hold(uvm, map, start, end, access) {
    const places = new Set<Va>();
    const lock = { start, end, places, frames: null };
    map.vslocks.push(lock);
    for (let va = start; va < end; va += uvm.pageSize) {
      const error = yield* faultWire(uvm, map, va, va + uvm.pageSize, VM_FAULT_WIRE, access);
      if (error === 0) places.add(va);
      else {
        map.vslocks.splice(map.vslocks.indexOf(lock), 1);
        targetedPolicy.release(uvm, map, lock);
        return error;
      }
    }
    return 0;
  },

  release(uvm, map, { places }) {
    for (const va of places ?? []) targetedPolicy.unwire(uvm, map, va, va + uvm.pageSize, 0);
  },

  holds,
  lockedPages: pagesLocked,
  bytes: (uvm) => usersBytes(uvm) + ledgerBytes(uvm),
};

function holds(map: VmMap, va: Va): boolean {
  return map.vslocks.some(({ places }) => places?.has(va) === true);
}

function isLocked(map: VmMap, entry: MapEntry, va: Va): boolean {
  return entry.wiredCount !== 0 || holds(map, va);
}

/** The address of an entry's page, or null beyond its ends. */
function addressOf(uvm: Uvm, entry: MapEntry, page: number): Va | null {
  const va = entry.start + page * uvm.pageSize;
  return va >= entry.start && va < entry.end ? va : null;
}

/** Where an entry shows an object's page; null if it shows an anon there, or not that part of the object. */
function objectAddress(uvm: Uvm, entry: MapEntry, index: number): Va | null {
  const page = index - uvm.atop(entry.offset);
  const va = addressOf(uvm, entry, page);
  const hidden = va !== null && (entry.amap?.anon[entry.pageoff + page] ?? NO_ANON) !== NO_ANON;
  return hidden ? null : va;
}

/**
 * One user's mapping of a page that has been replaced. A locked one leads to the new page at once; should the pmap have no memory
 * for that, it goes like the others, and the place stays locked all the same.
 */
function remap(uvm: Uvm, map: VmMap, entry: MapEntry, va: Va, to: number, ofObject: boolean): void {
  const { pmap, pages } = uvm;
  if (pmap.extract(map.pmap, va) === NO_PA) return;
  const prot = rightsOn(uvm, entry, to, ofObject);
  const flags = PMAP_WIRED | PMAP_CANFAIL | prot;
  const moved =
    isLocked(map, entry, va) &&
    prot !== VM_PROT_NONE &&
    pmap.enter(map.pmap, va, pages.pageAddress(to), prot, flags) === 0;
  if (!moved) pmap.remove(map.pmap, va, va + uvm.pageSize);
  pmap.update(map.pmap);
}

/** What the entry may do with a page that is new at its place, nobody else's and not on loan: what a fault would enter it with. */
function rightsOn(uvm: Uvm, entry: MapEntry, page: number, ofObject: boolean): Prot {
  const readOnly =
    (entry.etype & UVM_ET_NEEDSCOPY) !== 0 ||
    (ofObject && (entry.etype & UVM_ET_COPYONWRITE) !== 0) ||
    (uvm.pages.flags[page]! & PG_RDONLY) !== 0;
  return entry.protection & (readOnly ? VM_PROT_ALL & ~VM_PROT_WRITE : VM_PROT_ALL);
}
