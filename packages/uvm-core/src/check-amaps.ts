import { type Amap } from './amap.ts';
import { NO_ANON } from './anon.ts';
import { entryName } from './check-maps.ts';
import type { Report } from './check.ts';
import type { MapEntry } from './entry.ts';
import type { VmMap } from './map.ts';
import { NO_OWNER, NO_PAGE, PG_RELEASED, PQ_ANON } from './page.ts';
import { AMAP_SHARED, UVM_ET_NEEDSCOPY } from './types.ts';
import type { Uvm } from './uvm.ts';

/** An entry that refers to an amap, with its map. */
interface User {
  readonly map: VmMap;
  readonly entry: MapEntry;
}

/** Invariants 11 to 19: amaps and anons. */
export function checkAmaps(uvm: Uvm, report: Report): void {
  const users = new Map<Amap, User[]>();
  for (const map of uvm.maps)
    for (const entry of map.entries()) {
      if (entry.amap === null) continue;
      const list = users.get(entry.amap);
      if (list === undefined) users.set(entry.amap, [{ map, entry }]);
      else list.push({ map, entry });
      if (!uvm.amaps.has(entry.amap))
        report(12, `${entryName(map, entry)} has an amap`, 'the amap is dead');
    }
  const references = new Int32Array(uvm.anons.count);
  let number = 0;
  for (const amap of uvm.amaps) {
    const name = `amap #${number++} (${amap.nslot} slots)`;
    checkSlots(amap, name, references, report);
    checkUsers(uvm, amap, name, users.get(amap) ?? [], report);
  }
  checkAnons(uvm, references, report);
}

/** The used slots; counts the anons found in them. */
function checkSlots(amap: Amap, name: string, references: Int32Array, report: Report): void {
  if (amap.nused > amap.nslot || amap.nslot > amap.maxslot)
    report(11, `${name} uses ${amap.nused}`, `it has room for ${amap.maxslot}`);
  let used = 0;
  for (let slot = 0; slot < amap.maxslot; slot++) {
    const anon = amap.anon[slot]!;
    if (anon === NO_ANON) continue;
    used++;
    references[anon]!++;
    const back = amap.bckptr[slot]!;
    if (slot >= amap.nslot) report(11, `${name} uses slot ${slot}`, 'that is beyond its end');
    if (back < 0 || back >= amap.nused || amap.slots[back] !== slot)
      report(11, `${name} slot ${slot} has back pointer ${back}`, 'the used slot there is another');
  }
  if (used !== amap.nused) report(11, `${name} uses ${amap.nused} slots`, `${used} hold anons`);
}

function checkUsers(
  uvm: Uvm,
  amap: Amap,
  name: string,
  users: readonly User[],
  report: Report,
): void {
  if (amap.ref !== users.length)
    report(12, `${name} has ${amap.ref} references`, `${users.length} entries refer to it`);
  if ((amap.flags & AMAP_SHARED) !== 0 && amap.ref < 2)
    report(14, `${name} is shared`, `it has ${amap.ref} reference`);
  const covering = new Int32Array(amap.maxslot);
  const inPlace: (User | undefined)[] = [];
  for (const user of users) {
    const { entry } = user;
    const needsCopy = (entry.etype & UVM_ET_NEEDSCOPY) !== 0;
    const count = uvm.atop(entry.end - entry.start);
    if (entry.quick) for (let slot = 0; slot < amap.nslot; slot++) covering[slot]!++;
    for (let slot = entry.pageoff; slot < entry.pageoff + count; slot++) {
      if (!entry.quick) covering[slot]!++;
      if (needsCopy) continue;
      const other = inPlace[slot];
      if (other !== undefined && (amap.flags & AMAP_SHARED) === 0) {
        report(
          15,
          `${entryName(user.map, entry)} uses ${name} slot ${slot} in place`,
          `so does ${entryName(other.map, other.entry)}, and it is not marked shared`,
        );
        break;
      }
      inPlace[slot] = user;
    }
  }
  for (let slot = 0; slot < amap.nslot; slot++) {
    const counted = amap.ppref === null ? amap.ref : amap.ppref[slot]!;
    if (counted !== covering[slot])
      report(13, `${name} slot ${slot} counts ${counted}`, `${covering[slot]} entries cover it`);
    if (covering[slot] === 0 && amap.anon[slot] !== NO_ANON)
      report(13, `no entry covers ${name} slot ${slot}`, 'it holds an anon');
  }
}

function checkAnons(uvm: Uvm, references: Int32Array, report: Report): void {
  const { anons, pages, exp } = uvm;
  let live = 0;
  for (let anon = 0; anon < anons.count; anon++) {
    const ref = anons.ref[anon]!;
    const lent = uvm.lentAnons.get(anon) ?? 0;
    if (ref !== references[anon]! + lent)
      report(
        16,
        `anon ${anon} has ${ref} references`,
        `${references[anon]} slots hold it, and ${lent} loans`,
      );
    if (ref === 0) continue;
    live++;
    const page = anons.page[anon]!;
    if (page === NO_PAGE) {
      if (anons.swslot[anon] === 0) report(17, `anon ${anon} is alive`, 'it has no data');
    } else if (pages.uanon[page] !== anon)
      report(17, `anon ${anon} has page ${page}`, `the page belongs to anon ${pages.uanon[page]}`);
    else if (pages.uobject[page] === NO_OWNER && (pages.pqflags[page]! & PQ_ANON) === 0)
      report(17, `anon ${anon} has page ${page}`, 'neither it nor an object owns the page');
  }
  // An anon that was freed while its page was busy is neither: whoever holds the page finishes the job.
  let dying = 0;
  for (let page = 0; page < pages.pageCount; page++) {
    const anon = pages.uanon[page]!;
    const released = (pages.flags[page]! & PG_RELEASED) !== 0;
    if (released && anon !== NO_OWNER && anons.ref[anon] === 0) dying++;
  }
  const free = anons.freeCount();
  if (free !== exp.nfreeanon)
    report(18, `nfreeanon is ${exp.nfreeanon}`, `${free} anons are on the free list`);
  if (free + live + dying !== anons.count)
    report(18, `${free} anons are free and ${live} alive`, `there are ${anons.count}`);
}
