import { KernelPanic, type Va } from '@uvmkit/pmap';
import type { Amap } from '../amap.ts';
import { NO_ANON } from '../anon.ts';
import type { MapEntry } from '../entry.ts';
import { objectHasPages, type UvmObject } from '../object.ts';
import { NO_PAGE } from '../page.ts';
import type { Uvm } from '../uvm.ts';

/**
 * Locks counted by place. A place is an amap's slot or an object's page index; each knows how many locked entries lie over it,
 * whatever page is there, or none:
 *
 *     entry ──▶ amap slot 3: 1 lock ──▶ anon ──▶ page P, wired once for it
 *       │
 *       └─────▶ object page 7: counted only by entries whose slot is empty: what they see is the object's page
 *
 * A page that comes to a place takes that many wirings, a page that leaves it drops them (`Pages.insert` and `remove`, and the two
 * functions below for slots). So the page counts are right after any substitution, and to unlock a place is to count it
 * down: no pmap is asked. A place that was never locked costs one comparison with null.
 */
export type Ledger = Map<number, number>;

/** Counts `change` more locks at a place; a ledger without locks is none. */
export function count(ledger: Ledger | null, at: number, change: number): Ledger | null {
  const locks = (ledger?.get(at) ?? 0) + change;
  if (locks < 0) throw new KernelPanic('wiring: a place is unlocked that was not locked', { at });
  if (locks !== 0) return (ledger ?? new Map<number, number>()).set(at, locks);
  if (ledger === null) return null;
  ledger.delete(at);
  return ledger.size === 0 ? null : ledger;
}

/** Where a byte of an entry lies: its amap slot (−1 without an amap), and its page index if the entry sees the object's page there. */
interface Place {
  slot: number;
  anon: number;
  /** −1 if an anon is there, or nothing. */
  index: number;
}

const place: Place = { slot: -1, anon: NO_ANON, index: -1 };

/** The place of `va`: one object, filled anew by every call. */
function placeOf(uvm: Uvm, entry: MapEntry, va: Va): Place {
  const { amap, object } = entry;
  const pages = uvm.atop(va - entry.start);
  place.slot = amap === null ? -1 : entry.pageoff + pages;
  place.anon = amap === null ? NO_ANON : amap.anon[place.slot]!;
  place.index =
    place.anon === NO_ANON && object !== null && objectHasPages(object)
      ? uvm.atop(entry.offset) + pages
      : -1;
  return place;
}

/** The page that an entry shows at `va`, or NO_PAGE. */
export function pageOf(uvm: Uvm, entry: MapEntry, va: Va): number {
  return pageThere(uvm, entry, placeOf(uvm, entry, va));
}

/** The page at a place, or NO_PAGE. */
function pageThere(uvm: Uvm, entry: MapEntry, { anon, index }: Place): number {
  if (anon !== NO_ANON) return uvm.anons.page[anon]!;
  return index < 0 ? NO_PAGE : uvm.pages.lookup(entry.object!, index);
}

/** One lock more on the place of `va`; the page there is wired once more. */
export function lockPlace(uvm: Uvm, entry: MapEntry, va: Va): void {
  const at = placeOf(uvm, entry, va);
  if (at.slot >= 0) entry.amap!.locks = count(entry.amap!.locks, at.slot, 1);
  if (at.index >= 0) entry.object!.locks = count(entry.object!.locks, at.index, 1);
  const page = pageThere(uvm, entry, at);
  if (page !== NO_PAGE) uvm.pages.wire(page);
}

/** One lock fewer; if a page is there, it is wired once fewer. */
export function unlockPlace(uvm: Uvm, entry: MapEntry, va: Va): void {
  const at = placeOf(uvm, entry, va);
  if (at.slot < 0 && at.index < 0) return;
  if (at.slot >= 0) entry.amap!.locks = count(entry.amap!.locks, at.slot, -1);
  if (at.index >= 0) entry.object!.locks = count(entry.object!.locks, at.index, -1);
  const page = pageThere(uvm, entry, at);
  if (page !== NO_PAGE) uvm.pages.unwire(page);
}

/** A slot that was empty has an anon: who saw the object's page there sees the anon's. */
export function slotFilled(uvm: Uvm, entry: MapEntry, at: number, page: number): void {
  const locks = entry.amap!.locks?.get(at) ?? 0;
  if (locks === 0) return;
  const { object } = entry;
  let old = NO_PAGE;
  if (object !== null && objectHasPages(object)) {
    const index = uvm.atop(entry.offset) + at - entry.pageoff;
    object.locks = count(object.locks, index, -locks);
    old = uvm.pages.lookup(object, index);
  }
  moveWiring(uvm, locks, old, page);
}

/** A slot's page is another now. */
export function slotPageChanged(uvm: Uvm, amap: Amap, at: number, old: number, page: number): void {
  const locks = amap.locks?.get(at) ?? 0;
  if (locks !== 0) moveWiring(uvm, locks, old, page);
}

function moveWiring(uvm: Uvm, locks: number, from: number, to: number): void {
  for (let i = 0; i < locks; i++) {
    if (to !== NO_PAGE) uvm.pages.wire(to);
    if (from !== NO_PAGE) uvm.pages.unwire(from);
  }
}

/** Bytes of the ledgers: a word for the place and one for the count, in a table twice as large. */
export function ledgerBytes(uvm: Uvm): number {
  const bytes = (owner: Amap | UvmObject): number => (owner.locks?.size ?? 0) * 16;
  let sum = 0;
  for (const amap of uvm.amaps) sum += bytes(amap);
  for (const object of uvm.objects) sum += bytes(object);
  return sum;
}
