import { KernelPanic, type Va } from '@uvmkit/pmap';
import { type Amap, amapAlloc, amapUnref } from './amap.ts';
import { NO_ANON } from './anon.ts';
import type { MapEntry } from './entry.ts';
import type { VmMap } from './map.ts';
import { clipEnd, clipStart } from './map-clip.ts';
import { NO_PAGE, PG_BUSY, PG_FAKE, PG_WANTED } from './page.ts';
import { type Sleeping, UVM_AMAP_CHUNK, UVM_AMAP_LARGE, UVM_ET_NEEDSCOPY } from './types.ts';
import type { Uvm } from './uvm.ts';

/**
 * Gives an entry that needs one an amap of its own (`amap_copy`) and clears NEEDSCOPY. No page is copied and
 * no mapping touched: source and copy refer to the same anons, which are read-only in every pmap since the fork.
 *
 * @param chunk a large entry without an amap may be clipped to 16-page chunks around [start, end)
 */
export function amapCopy(
  uvm: Uvm,
  map: VmMap,
  entry: MapEntry,
  chunk: boolean,
  start: Va,
  end: Va,
): void {
  if (entry.amap === null) {
    if (chunk && uvm.atop(entry.end - entry.start) >= UVM_AMAP_LARGE) {
      const size = UVM_AMAP_CHUNK * uvm.pageSize;
      clipStart(uvm, map, entry, Math.max(entry.start, Math.floor(start / size) * size));
      clipEnd(uvm, map, entry, Math.min(entry.end, Math.ceil(end / size) * size));
    }
    const fresh = amapAlloc(uvm, uvm.atop(entry.end - entry.start));
    uvm.wiring.amapMoves(uvm, map, entry, fresh);
    entry.pageoff = 0;
    entry.amap = fresh;
    entry.etype &= ~UVM_ET_NEEDSCOPY;
    return;
  }
  const source = entry.amap;
  if (source.ref === 1) {
    entry.etype &= ~UVM_ET_NEEDSCOPY;
    return;
  }
  const count = uvm.atop(entry.end - entry.start);
  const copy = amapAlloc(uvm, count);
  copyAnons(uvm, source, entry.pageoff, copy);
  uvm.wiring.amapMoves(uvm, map, entry, copy);
  amapUnref(uvm, source, entry.pageoff, count, 0);
  entry.amap = copy;
  entry.pageoff = 0;
  entry.etype &= ~UVM_ET_NEEDSCOPY;
}

/** Fills `copy` with the source's anons from slot `first` on, each with one more reference. */
function copyAnons(uvm: Uvm, source: Amap, first: number, copy: Amap): void {
  const { ref } = uvm.anons;
  for (let slot = 0; slot < copy.nslot; slot++) {
    const anon = source.anon[first + slot]!;
    if (anon === NO_ANON) continue;
    ref[anon]!++;
    copy.anon[slot] = anon;
    copy.bckptr[slot] = copy.nused;
    copy.slots[copy.nused++] = slot;
  }
}

/**
 * Copies now what copy-on-write would copy later (`amap_cow_now`): the child of a process with wired
 * memory gets its own pages, so that the parent's wired mappings need not be write-protected. There is no failure:
 * it waits for busy pages and for memory.
 *
 * @param wiredOnly only pages that someone has wired
 */
export function* amapCowNow(uvm: Uvm, entry: MapEntry, wiredOnly: boolean): Sleeping<void> {
  const { anons, pages, pmap } = uvm;
  const amap = entry.amap!;
  for (let i = 0; i < amap.nused; i++) {
    const slot = amap.slots[i]!;
    const old = amap.anon[slot]!;
    const page = anons.page[old]!;
    // The child's own, a copy made before a wait: it is not wired, and may be on swap by now. (2001 panicked.)
    if (anons.ref[old] === 1) continue;
    if (wiredOnly && (page === NO_PAGE || pages.wireCount[page] === 0)) continue;
    if (page === NO_PAGE)
      throw new KernelPanic('amap_cow_now: non-resident anon', { anon: old, slot });
    if (pages.loanCount[page] !== 0) continue;
    if ((pages.flags[page]! & PG_BUSY) !== 0) {
      pages.flags[page]! |= PG_WANTED;
      yield page;
      i = -1;
      continue;
    }
    const anon = anons.alloc();
    const copy = anon === NO_ANON ? NO_PAGE : pages.alloc(null, 0, anon, 0);
    if (copy === NO_PAGE) {
      if (anon !== NO_ANON) {
        anons.ref[anon] = 0;
        anons.free(anon, pages, pmap);
      }
      yield* uvm.sleepForMemory('cownowpage');
      i = -1;
      continue;
    }
    uvm.copyPage(page, copy);
    anons.ref[old]!--;
    amap.anon[slot] = anon;
    pages.flags[copy]! &= ~(PG_BUSY | PG_FAKE);
    pages.activate(copy);
  }
}
