import type { Pa, PmapId, Prot, Va } from '@uvmkit/pmap';
import { checkAmaps } from './check-amaps.ts';
import { checkMaps } from './check-maps.ts';
import { checkContents, checkMappings } from './check-mappings.ts';
import { checkPages } from './check-pages.ts';
import { checkLeaks, checkSwap, type SwapImage } from './check-swap.ts';
import { checkWiring } from './check-wiring.ts';
import type { VmMap } from './map.ts';
import type { UvmObject } from './object.ts';
import type { Uvm } from './uvm.ts';

/**
 * The invariants that {@link checkUvm} asserts, by the numbers of the behaviour reference (§14); 13.3 and 13.4 are the sections that tell
 * what two wiring policies keep.
 */
export const INVARIANTS: Readonly<Record<number, string>> = {
  1: 'entries are sorted, disjoint, page-aligned, within the map, linked and indexed',
  2: 'map.size is the sum of the entries',
  3: 'the hint is linked, and there is no gap up to first_free',
  4: 'protection ⊆ max_protection ⊆ rwx; inheritance and advice are known values',
  5: 'NEEDSCOPY implies COPYONWRITE; no object, no offset; no submap in a user map',
  6: 'an entry lies within its amap',
  7: 'WANTLOCK implies that the map is held',
  8: 'timestamps never decrease',
  9: 'wired entries are counted up from 0, in pageable maps only',
  10: 'a wired entry that may be written has its own amap and pages',
  11: 'the used slots of an amap and their back pointers agree',
  12: "an amap's references are the entries that refer to it",
  13: 'ppref counts the entries that cover a slot; an uncovered slot is empty',
  13.3: 'amaps and objects know the entries that map them, if the wiring policy wants that',
  13.4: 'the locks counted at a place are those of the entries over it',
  14: 'a shared amap has two references',
  15: 'entries on one slot share it on purpose, or all but one need a copy',
  16: "an anon's references are the slots that hold it and its loans",
  17: 'a live anon has data, and its page knows it',
  18: 'every anon is free or referenced',
  19: 'swpgonly counts the pages that are on swap only',
  20: "an object's pages are listed, counted and found",
  21: "no page of a file lies beyond the file's last block",
  22: "an object's references are at least the entries that map it",
  23: 'each page is in one place',
  24: 'the page counts are the lengths of the queues',
  25: 'wired pages are on no queue; free pages are nobody’s',
  26: 'RELEASED, PAGEOUT, WANTED and FAKE imply BUSY',
  27: 'loan_count is the number of borrowers',
  28: 'a page without an owner is lent, or a table page, or kernel memory',
  29: 'the census of anonymous, file and text pages',
  30: 'a clean swap-backed page has a slot, and is not wired',
  31: 'swpgonly ≤ swpginuse ≤ swpages, and these are the sums over the devices',
  32: 'each slot in use belongs to one page, or is bad',
  33: 'a slot is on a device',
  34: 'a mapping leads to the page that belongs there',
  35: 'a mapping has no more rights than its entry',
  36: 'a page that must be copied, allocated or kept as it is, is not mapped for writing',
  37: 'no free, unfilled or orphaned page is mapped',
  38: "the pmap's counts are those of its mappings",
  39: 'a wired mapping belongs to a wired entry and a wired page',
  40: 'claims: wire_count is the number of wired entries over the page',
  41: 'every page of a wired entry is mapped, or, if the wiring policy promises no more, in memory',
  43: 'what the kernel maps for interrupts is its own memory',
  44: 'a clean, unmodified page equals its backing store',
  47: 'a fault is counted at most once each time it is tried',
  48: 'without processes nothing of theirs is left',
  49: 'memory holds what was stored last',
  50: 'who waits for memory waits because there is none, or because the daemon is about to run',
};

/** Two places that disagree. */
export interface Violation {
  /** Its number in the behaviour reference, §14. */
  readonly invariant: number;
  readonly name: string;
  /** What one place says, and which. */
  readonly here: string;
  /** What the other says. */
  readonly there: string;
}

/** Says that an invariant does not hold. */
export type Report = (invariant: number, here: string, there: string) => void;

/** One mapping of a pmap, as only the port can list them. */
export interface Mapping {
  readonly va: Va;
  readonly pa: Pa;
  readonly prot: Prot;
  readonly wired: boolean;
}

/** Lists what a pmap maps. */
export interface MappingProbe {
  mappings(pmap: PmapId): Iterable<Mapping>;
}

/** What {@link checkUvm} can be given to see more. */
export interface CheckOptions {
  /** Without it mappings are found with `pmap.extract`, under entries only, and their rights are not seen. */
  readonly probe?: MappingProbe;
  /** What backing store holds of a page of an object: as many bytes as count. Null if it cannot be told. */
  readonly image?: (object: UvmObject, pageIndex: number) => Uint8Array | null;
  /** What a swap slot holds: a page. Null if it cannot be told. */
  readonly swapImage?: SwapImage;
  /** Says what memory must hold: the first byte of the page that is not right, −1 if all are. Asked of pages in memory. */
  readonly oracle?: (map: VmMap, va: Va, bytes: Uint8Array) => number;
  /** Threads that sleep until memory is free. */
  readonly memoryWaiters?: number;
  /** There is no process, no mapping and no loan any more, so nothing of theirs may be left. */
  readonly idle?: boolean;
  /** Timestamps of maps by id at the last check; brought up to date. */
  readonly timestamps?: Map<number, number>;
}

/**
 * Checks every invariant that UVM must keep between two operations: not while one that was not finished
 * holds something other than a BUSY page. Of wiring in progress (a map that is BUSY) the claims are not examined.
 *
 * @returns what does not hold; empty if all is well
 */
export function checkUvm(uvm: Uvm, options: CheckOptions = {}): Violation[] {
  const violations: Violation[] = [];
  const report: Report = (invariant, here, there) => {
    violations.push({ invariant, name: INVARIANTS[invariant]!, here, there });
  };
  checkMaps(uvm, report, options.timestamps ?? null);
  // Where lists are broken, or slots beyond their amaps, the rest would not end or mean anything.
  if (violations.some(({ invariant }) => invariant === 1 || invariant === 6)) return violations;
  checkAmaps(uvm, report);
  checkPages(uvm, report, options.image ?? null);
  checkMappings(uvm, report, options.probe ?? null);
  checkWiring(uvm, report);
  checkSwap(uvm, report, options.swapImage ?? null);
  checkFaults(uvm, report);
  if (options.oracle !== undefined) checkContents(uvm, report, options.oracle);
  if ((options.memoryWaiters ?? 0) > 0) checkWaiting(uvm, report, options.memoryWaiters!);
  if (options.idle === true) checkLeaks(uvm, report);
  return violations;
}

/** Invariant 47. */
function checkFaults({ exp, refaults }: Uvm, report: Report): void {
  const resolved = exp.flt_anon + exp.flt_acow + exp.flt_obj + exp.flt_prcopy + exp.flt_przero;
  if (resolved > exp.faults + refaults)
    report(47, `${exp.faults} faults and ${refaults} new tries`, `${resolved} are counted by case`);
}

/** Invariant 50. */
function checkWaiting({ exp, daemon }: Uvm, report: Report, waiters: number): void {
  if (exp.free > exp.reserve_kernel && exp.paging === 0 && daemon?.signalled !== true)
    report(50, `${waiters} threads wait for memory`, `${exp.free} pages are free`);
}

/** A violation in one line. */
export function violationText(violation: Violation): string {
  const { invariant, name, here, there } = violation;
  return `invariant ${invariant} (${name}): ${here}, but ${there}`;
}
