import { NO_PA, type Pa, PMAP_KERNEL, VM_PROT_NONE, VM_PROT_WRITE, type Va } from '@uvmkit/pmap';
import { NO_ANON } from './anon.ts';
import { entryName } from './check-maps.ts';
import type { Mapping, MappingProbe, Report } from './check.ts';
import type { MapEntry } from './entry.ts';
import { type VmMap } from './map.ts';
import { NO_OWNER, NO_PAGE, PG_BUSY, PG_FAKE, PG_RDONLY, PQ_ANON, PQ_FREE } from './page.ts';
import { UVM_ET_COPYONWRITE, UVM_ET_NEEDSCOPY, VM_MAP_BUSY, VM_MAP_PAGEABLE } from './types.ts';
import type { Uvm } from './uvm.ts';

/** Invariants 34 to 39, 41 and 43: what pmaps map. */
export function checkMappings(uvm: Uvm, report: Report, probe: MappingProbe | null): void {
  for (const map of uvm.maps) {
    if (probe === null) for (const entry of map.entries()) checkEntry(uvm, map, entry, report);
    else checkTable(uvm, map, [...probe.mappings(map.pmap)], report);
    checkLocked(uvm, map, report);
  }
}

/** The page that belongs at an address of an entry: the anon's, else the object's. */
function pageAt(uvm: Uvm, entry: MapEntry, va: Va): number {
  const slot = uvm.atop(va - entry.start);
  const anon = entry.amap === null ? NO_ANON : entry.amap.anon[entry.pageoff + slot]!;
  if (anon !== NO_ANON) return uvm.anons.page[anon]!;
  const { object } = entry;
  if (object === null) return NO_PAGE;
  const index = uvm.atop(entry.offset) + slot;
  return object.pgops.pageAt?.(uvm, object, index) ?? uvm.pages.lookup(object, index);
}

/** Says what memory must hold: the first wrong byte of a page, −1 if there is none. */
type Oracle = (map: VmMap, va: Va, bytes: Uint8Array) => number;

/** Invariant 49, of the pages that are in memory. */
export function checkContents(uvm: Uvm, report: Report, oracle: Oracle): void {
  const { pages, memory, pageSize } = uvm;
  for (const map of uvm.maps)
    for (const entry of map.entries())
      for (let va = entry.start; va < entry.end; va += pageSize) {
        const page = entry.submap === null ? pageAt(uvm, entry, va) : NO_PAGE;
        if (page === NO_PAGE || (pages.flags[page]! & PG_BUSY) !== 0) continue;
        const pa = pages.pageAddress(page);
        const wrong = oracle(map, va, memory.bytes.subarray(pa, pa + pageSize));
        if (wrong >= 0)
          report(
            49,
            `${entryName(map, entry)} has page ${page} at 0x${va.toString(16)}`,
            `byte ${wrong} of it is not what was stored`,
          );
      }
}

/** What can be seen of an entry's mappings through the pmap's own interface. */
function checkEntry(uvm: Uvm, map: VmMap, entry: MapEntry, report: Report): void {
  if (entry.submap !== null) return;
  for (let va = entry.start; va < entry.end; va += uvm.pageSize) {
    const pa = uvm.pmap.extract(map.pmap, va);
    if (pa !== NO_PA) checkPlace(uvm, map, entry, va, pa, report);
  }
}

/** A mapping leads to the right page, and that is one that may be mapped. */
function checkPlace(uvm: Uvm, map: VmMap, entry: MapEntry, va: Va, pa: Pa, report: Report): void {
  const { pages } = uvm;
  const page = pages.pageIndex(pa);
  if (page === NO_PAGE || entry.submap !== null) return;
  const place = `${entryName(map, entry)} maps page ${page} at 0x${va.toString(16)}`;
  if ((map.flags & VM_MAP_PAGEABLE) === 0) {
    if (pages.uobject[page] !== NO_OWNER || pages.uanon[page] !== NO_OWNER)
      report(43, `${place} for interrupts`, 'the page is somebody’s');
    else if ((pages.pqflags[page]! & PQ_FREE) !== 0) report(43, place, 'the page is free');
    return;
  }
  const right = pageAt(uvm, entry, va);
  if (page !== right) report(34, place, `page ${right} belongs there`);
  const orphan = pages.uobject[page] === NO_OWNER && (pages.pqflags[page]! & PQ_ANON) === 0;
  if ((pages.pqflags[page]! & PQ_FREE) !== 0) report(37, place, 'the page is free');
  else if (orphan) report(37, place, 'the page has no owner');
  if ((pages.flags[page]! & PG_FAKE) !== 0) report(37, place, 'the page is not filled yet');
}

/** The whole of a pmap, by the port's own account. */
function checkTable(uvm: Uvm, map: VmMap, table: readonly Mapping[], report: Report): void {
  let wired = 0;
  for (const mapping of table) {
    if (mapping.wired) wired++;
    const entry = map.index.floor(mapping.va);
    if (entry === null || mapping.va >= entry.end) {
      if (map.pmap !== PMAP_KERNEL)
        report(34, `map ${map.id} maps 0x${mapping.va.toString(16)}`, 'no entry covers it');
      continue;
    }
    checkPlace(uvm, map, entry, mapping.va, mapping.pa, report);
    checkRights(uvm, map, entry, mapping, report);
  }
  const { pmap } = uvm;
  if (pmap.residentCount(map.pmap) < table.length)
    report(
      38,
      `pmap ${map.pmap} counts ${pmap.residentCount(map.pmap)}`,
      `it has ${table.length} mappings`,
    );
  if (map.pmap !== PMAP_KERNEL && pmap.wiredCount(map.pmap) !== wired)
    report(
      38,
      `pmap ${map.pmap} counts ${pmap.wiredCount(map.pmap)} wired`,
      `it has ${wired} of them`,
    );
}

function checkRights(
  uvm: Uvm,
  map: VmMap,
  entry: MapEntry,
  mapping: Mapping,
  report: Report,
): void {
  const { pages, anons } = uvm;
  const page = pages.pageIndex(mapping.pa);
  if (page === NO_PAGE || entry.submap !== null || (map.flags & VM_MAP_PAGEABLE) === 0) return;
  const place = `${entryName(map, entry)} maps page ${page} at 0x${mapping.va.toString(16)}`;
  if ((mapping.prot & ~entry.protection) !== 0)
    report(35, `${place} with rights ${mapping.prot}`, `the entry allows ${entry.protection}`);
  if (mapping.wired && pages.wireCount[page] === 0)
    report(39, `${place} wired`, 'the page is not wired');
  if (mapping.wired && uvm.wiring.enterFlags === 0 && map.pmap !== PMAP_KERNEL)
    report(39, `${place} wired`, 'the wiring policy wires no mapping');
  if ((mapping.prot & VM_PROT_WRITE) === 0) return;
  const writable = `${place} for writing`;
  const anon = pages.uanon[page]!;
  if (pages.uobject[page] !== NO_OWNER && (entry.etype & UVM_ET_COPYONWRITE) !== 0)
    report(36, writable, 'it is the object’s, and the entry copies on write');
  if (anon !== NO_OWNER && anons.ref[anon]! > 1)
    report(36, writable, `${anons.ref[anon]} slots refer to it`);
  if ((entry.etype & UVM_ET_NEEDSCOPY) !== 0) report(36, writable, 'the entry needs a copy');
  if (pages.loanCount[page] !== 0) report(36, writable, 'it is on loan');
  if ((pages.flags[page]! & PG_RDONLY) !== 0) report(36, writable, 'it lies over a hole');
}

/** What is locked is mapped, as the contract of 2001 has it, or else in memory. */
function checkLocked(uvm: Uvm, map: VmMap, report: Report): void {
  if ((map.flags & VM_MAP_BUSY) !== 0) return;
  const { keepsMapped } = uvm.wiring;
  for (const entry of map.entries()) {
    if (entry.wiredCount === 0 || entry.protection === VM_PROT_NONE) continue;
    for (let va = entry.start; va < entry.end; va += uvm.pageSize) {
      if (keepsMapped ? uvm.pmap.extract(map.pmap, va) !== NO_PA : isResident(uvm, entry, va))
        continue;
      const what = keepsMapped ? 'mapped' : 'in memory';
      report(41, `${entryName(map, entry)} is wired`, `0x${va.toString(16)} is not ${what}`);
    }
  }
}

/** An anon is in memory; of an object's page nobody knows whether the object still has one. */
function isResident(uvm: Uvm, entry: MapEntry, va: Va): boolean {
  const slot = entry.pageoff + uvm.atop(va - entry.start);
  const anon = entry.amap?.anon[slot] ?? NO_ANON;
  return anon === NO_ANON ? entry.object !== null : uvm.anons.page[anon] !== NO_PAGE;
}
