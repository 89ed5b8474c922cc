import { VM_PROT_ALL } from '@uvmkit/pmap';
import { NO_ANON } from './anon.ts';
import type { Report } from './check.ts';
import type { MapEntry } from './entry.ts';
import type { VmMap } from './map.ts';
import { NO_PAGE } from './page.ts';
import {
  MAP_INHERIT_NONE,
  UVM_ADV_SEQUENTIAL,
  UVM_ET_COPYONWRITE,
  UVM_ET_NEEDSCOPY,
  UVM_ET_OBJ,
  UVM_ET_SUBMAP,
  VM_MAP_BUSY,
  VM_MAP_PAGEABLE,
  VM_MAP_WANTLOCK,
} from './types.ts';
import type { Uvm } from './uvm.ts';

/** An entry for a person. */
export function entryName(map: VmMap, entry: MapEntry): string {
  return `map ${map.id} entry 0x${entry.start.toString(16)}–0x${entry.end.toString(16)}`;
}

/** Invariants 1 to 10: maps and their entries. */
export function checkMaps(uvm: Uvm, report: Report, timestamps: Map<number, number> | null): void {
  for (const map of uvm.maps) {
    const entries = linkedEntries(map, report);
    checkOrder(uvm, map, entries, report);
    checkHints(map, entries, report);
    for (const entry of entries) {
      checkAttributes(uvm, map, entry, report);
      checkWired(uvm, map, entry, report);
    }
    const held = map.exclusive || (map.flags & VM_MAP_BUSY) !== 0;
    if ((map.flags & VM_MAP_WANTLOCK) !== 0 && !held)
      report(7, `map ${map.id} is wanted`, 'nobody holds it');
    if (timestamps === null) continue;
    const before = timestamps.get(map.id) ?? 0;
    if (map.timestamp < before)
      report(8, `map ${map.id} has version ${map.timestamp}`, `it had ${before}`);
    timestamps.set(map.id, map.timestamp);
  }
}

/** The entries as they are linked; a broken link is reported and ends the list. */
function linkedEntries(map: VmMap, report: Report): MapEntry[] {
  const entries: MapEntry[] = [];
  for (let entry = map.header.next; entry !== map.header; entry = entry.next) {
    if (entry.prev.next !== entry || entries.length > map.nentries) {
      report(1, `${entryName(map, entry)} is linked forward`, 'not from its predecessor');
      return entries;
    }
    entries.push(entry);
  }
  if (entries.length !== map.nentries)
    report(1, `map ${map.id} counts ${map.nentries} entries`, `${entries.length} are linked`);
  return entries;
}

function checkOrder(uvm: Uvm, map: VmMap, entries: readonly MapEntry[], report: Report): void {
  let end = map.min;
  let size = 0;
  for (const entry of entries) {
    const name = entryName(map, entry);
    if (entry.start >= entry.end) report(1, `${name} has a start`, 'its end is not above it');
    if (entry.start % uvm.pageSize !== 0 || entry.end % uvm.pageSize !== 0)
      report(1, name, 'a page boundary is elsewhere');
    if (entry.start < end)
      report(1, `${name} starts so`, `what is before it ends at 0x${end.toString(16)}`);
    if (!map.index.holds(entry)) report(1, name, 'the index has other bounds, or another entry');
    end = entry.end;
    size += entry.end - entry.start;
  }
  if (end > map.max) report(1, `map ${map.id} ends at ${map.max}`, `its last entry at ${end}`);
  if (size !== map.size && !uvm.quirks.forkCountsHoles)
    report(2, `map ${map.id} has size ${map.size}`, `its entries ${size}`);
}

function checkHints(map: VmMap, entries: readonly MapEntry[], report: Report): void {
  if (map.hint !== map.header && !entries.includes(map.hint))
    report(3, `map ${map.id} hints at ${entryName(map, map.hint)}`, 'it is not linked');
  if (map.firstFree === map.header) return;
  let end = map.min;
  for (const entry of entries) {
    if (entry.start !== end)
      report(3, `map ${map.id} has no gap before ${entryName(map, map.firstFree)}`, 'there is one');
    end = entry.end;
    if (entry === map.firstFree || entry.start > map.firstFree.start) break;
  }
  if (!entries.includes(map.firstFree))
    report(3, `map ${map.id} is full up to ${entryName(map, map.firstFree)}`, 'it is not linked');
}

function checkAttributes(uvm: Uvm, map: VmMap, entry: MapEntry, report: Report): void {
  const name = entryName(map, entry);
  const { protection, maxProtection, etype } = entry;
  if ((protection & ~maxProtection) !== 0 || (maxProtection & ~VM_PROT_ALL) !== 0)
    report(4, `${name} has protection ${protection}`, `its maximum is ${maxProtection}`);
  if (!(entry.inheritance >= 0 && entry.inheritance <= MAP_INHERIT_NONE))
    report(4, `${name} is inherited as ${entry.inheritance}`, 'there is no such inheritance');
  if (!(entry.advice >= 0 && entry.advice <= UVM_ADV_SEQUENTIAL))
    report(4, `${name} has advice ${entry.advice}`, 'there is no such advice');
  if ((etype & UVM_ET_NEEDSCOPY) !== 0 && (etype & UVM_ET_COPYONWRITE) === 0)
    report(5, `${name} needs a copy`, 'it is not copy-on-write');
  if ((etype & UVM_ET_SUBMAP) !== 0 && map !== uvm.kernelMap)
    report(5, `${name} is a submap`, 'the map is a user map');
  if (entry.object === null && entry.offset !== 0)
    report(5, `${name} has offset ${entry.offset}`, 'it has no object');
  if ((entry.object !== null) !== ((etype & UVM_ET_OBJ) !== 0))
    report(5, `${name} has type ${etype}`, `${entry.object === null ? 'no' : 'an'} object`);
  if (entry.amap === null) return;
  const last = entry.pageoff + uvm.atop(entry.end - entry.start);
  if (entry.pageoff < 0 || last > entry.amap.nslot)
    report(6, `${name} uses slots ${entry.pageoff} to ${last}`, `there are ${entry.amap.nslot}`);
}

function checkWired(uvm: Uvm, map: VmMap, entry: MapEntry, report: Report): void {
  const name = entryName(map, entry);
  if (!Number.isInteger(entry.wiredCount) || entry.wiredCount < 0)
    report(9, `${name} is wired ${entry.wiredCount} times`, 'it cannot be');
  if (entry.wiredCount <= 0) return;
  if ((map.flags & VM_MAP_PAGEABLE) === 0) report(9, `${name} is wired`, 'its map takes no faults');
  // While wiring or a fork is in progress (the map is BUSY, or held) not all of this has come about yet.
  if (map.exclusive || (map.flags & VM_MAP_BUSY) !== 0 || !uvm.wiring.ownsLocked(entry)) return;
  if ((entry.etype & UVM_ET_NEEDSCOPY) !== 0) report(10, `${name} is wired`, 'it needs a copy');
  if ((entry.etype & UVM_ET_COPYONWRITE) === 0 || entry.amap === null) return;
  const count = uvm.atop(entry.end - entry.start);
  for (let slot = 0; slot < count; slot++) {
    const anon = entry.amap.anon[entry.pageoff + slot]!;
    if (anon === NO_ANON || uvm.anons.page[anon] === NO_PAGE)
      report(10, `${name} is wired`, `its page ${slot} is not an anon in memory`);
    else if (uvm.anons.ref[anon] !== 1)
      report(10, `${name} is wired`, `its page ${slot} is shared copy-on-write`);
  }
}
