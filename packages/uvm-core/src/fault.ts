import {
  EACCES,
  EFAULT,
  type EnterFlags,
  KernelPanic,
  PMAP_CANFAIL,
  type Prot,
  type Va,
  VM_PROT_ALL,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { amapCopy } from './amap-copy.ts';
import { NO_ANON } from './anon.ts';
import type { MapEntry } from './entry.ts';
import { mapNeighbourAnons, mapNeighbourPages } from './fault-ahead.ts';
import { faultAnon } from './fault-anon.ts';
import { faultObject } from './fault-object.ts';
import { mapLookup, type VmMap } from './map.ts';
import { NO_PAGE } from './page.ts';
import {
  ADVICE_BACK,
  ADVICE_FORWARD,
  type FaultType,
  type Outcome,
  PAGE_NULL,
  PGO_DONTCARE,
  PGO_SYNCIO,
  UVM_ADV_SEQUENTIAL,
  UVM_ET_COPYONWRITE,
  UVM_ET_NEEDSCOPY,
  UVM_MAXRANGE,
  VM_FAULT_WIRE,
  VM_FAULT_WIREMAX,
  VM_MAP_BUSY,
  VM_MAP_PAGEABLE,
  WAIT,
} from './types.ts';
import type { Uvm } from './uvm.ts';

/*
 * uvm_fault: what happens when a process touches a page that its pmap does not map so.
 *
 *     entry ──▶ amap slot ──▶ anon?  yes ─▶ case 1   1A  map the anon's page
 *       │                      │                     1B  write to a shared anon: copy it first
 *       │                      no
 *       └─────▶ object ──────────────────▶ case 2    2A  map the object's page
 *                 (or none: zero fill)               2B  promote: a copy, or zeroes, in a new anon
 *
 * A fault runs to an answer without sleeping. Where NetBSD unlocked everything, slept and checked the map's version,
 * this one returns WAIT; the caller sleeps on `uvm.waitChannel` and calls `uvmRefault`, which starts again from the top.
 */

/** The fault in progress (`uvm_faultinfo` and the locals of uvm_fault): one object, filled anew by every fault. */
export class FaultInfo {
  map!: VmMap;
  entry!: MapEntry;
  /** The faulting page. */
  va: Va = 0;
  type: FaultType = 0;
  /** The rights to enter the page for: the access, or all of the entry's if it is wired. */
  access: Prot = 0;
  /** The protection to enter it with. */
  enterProt: Prot = 0;
  /** VM_FAULT_WIRE or WIREMAX. */
  wireFault = false;
  /** The range is locked, or about to be. */
  wired = false;
  /** What tells the pmap so. */
  wiredFlag: EnterFlags = 0;
  /** A page that is shared copy-on-write must be copied now. */
  cowNow = false;
  /** First page looked at, how many, and which of them faulted. */
  startVa: Va = 0;
  npages = 0;
  centre = 0;
  /** The anons of those pages. */
  readonly anons: Int32Array = new Int32Array(UVM_MAXRANGE);
  /** Their object's pages, as the pager fills them in. */
  readonly pages: Int32Array = new Int32Array(UVM_MAXRANGE);

  /** What pmap_enter is told of the access. */
  get enterFlags(): number {
    return this.access | PMAP_CANFAIL | this.wiredFlag;
  }

  /** The protections that an object's page may have here: not WRITE, if it must be copied first. */
  get objectMask(): Prot {
    return (this.entry.etype & UVM_ET_COPYONWRITE) !== 0
      ? VM_PROT_ALL & ~VM_PROT_WRITE
      : VM_PROT_ALL;
  }
}

/**
 * Resolves a page fault.
 *
 * @param va any byte of the page
 * @param type VM_FAULT_*; the wire faults are simulated, by `faultWire`
 * @param access VM_PROT_* bits that the access needs
 * @returns 0 if the access will now succeed; EFAULT if nothing is mapped there, EACCES if it may not be accessed so, ENOMEM if
 * memory and swap are used up, or the pager's error; or WAIT: sleep on `uvm.waitChannel`, then call {@link uvmRefault}
 * @throws KernelPanic if the map is not pageable
 */
export function uvmFault(uvm: Uvm, map: VmMap, va: Va, type: FaultType, access: Prot): Outcome {
  uvm.exp.faults++;
  if (uvm.events.watched) uvm.events.emit('uvm.fault', map.id, va, type, access);
  return resolve(uvm, map, va, type, access, !uvm.faultAhead);
}

/** Goes on with a fault that had to wait: from the top, but without looking at the neighbours again. */
export function uvmRefault(uvm: Uvm, map: VmMap, va: Va, type: FaultType, access: Prot): Outcome {
  uvm.refaults++;
  return resolve(uvm, map, va, type, access, true);
}

function resolve(
  uvm: Uvm,
  map: VmMap,
  va: Va,
  type: FaultType,
  access: Prot,
  narrow: boolean,
): Outcome {
  const outcome = attempt(uvm, map, uvm.trunc(va), type, access, narrow);
  if (uvm.events.watched && outcome !== WAIT) uvm.events.emit('uvm.faultDone', map.id, va, outcome);
  return outcome;
}

function attempt(
  uvm: Uvm,
  map: VmMap,
  va: Va,
  type: FaultType,
  access: Prot,
  narrow: boolean,
): Outcome {
  const ufi = uvm.fault;
  if (map.exclusive) return uvm.wait(map.channel);
  let entry = mapLookup(map, va);
  let home = map;
  if (entry !== null && entry.submap !== null) {
    // A part of the kernel's map that has a map of its own, with the same addresses.
    home = entry.submap;
    entry = mapLookup(home, va);
  }
  if (entry === null) return EFAULT;
  if ((home.flags & VM_MAP_PAGEABLE) === 0)
    throw new KernelPanic('uvm_fault: fault on non-pageable map', { map: map.id, va });
  const checkProt = type === VM_FAULT_WIREMAX ? entry.maxProtection : entry.protection;
  if ((checkProt & access) !== access) return EACCES;

  ufi.map = map;
  ufi.entry = entry;
  ufi.va = va;
  ufi.type = type;
  ufi.wireFault = type === VM_FAULT_WIRE || type === VM_FAULT_WIREMAX;
  // While a transfer holds pages of the map, faults look at one page only: its neighbours may not be held as it is.
  const held = map.vslocks.length !== 0;
  ufi.wired = entry.wiredCount !== 0 || ufi.wireFault || (held && uvm.wiring.holds(map, va));
  ufi.wiredFlag = ufi.wired ? uvm.wiring.enterFlags : 0;
  ufi.enterProt = entry.protection;
  ufi.access = ufi.wired ? entry.protection : access;
  ufi.cowNow = ((ufi.wired ? checkProt : access) & VM_PROT_WRITE) !== 0;

  if ((entry.etype & UVM_ET_NEEDSCOPY) !== 0) {
    if (ufi.cowNow || entry.object === null) {
      if (type === VM_FAULT_WIREMAX)
        throw new KernelPanic('uvm_fault: WIREMAX fault on a needs-copy entry', {
          map: map.id,
          va,
        });
      // Changing the entry wants the write lock: wait for whoever keeps the map busy.
      if ((map.flags & VM_MAP_BUSY) !== 0) return uvm.waitForMap(map);
      map.timestamp++;
      amapCopy(uvm, home, entry, true, va, va + uvm.pageSize);
      uvm.exp.fltamcopy++;
      ufi.enterProt = entry.protection;
    } else ufi.enterProt &= ~VM_PROT_WRITE;
  }
  if (entry.amap === null && entry.object === null) return EFAULT;

  setRange(uvm, ufi, narrow || ufi.wireFault || (held && uvm.wiring.backReferences));
  const shadowed = ufi.anons[ufi.centre] !== NO_ANON;
  if (ufi.npages > 1) mapNeighbourAnons(uvm, ufi);
  if (!shadowed && entry.object?.pgops.fault !== undefined) {
    for (let i = 0; i < ufi.npages; i++)
      ufi.pages[i] = ufi.anons[i] === NO_ANON ? PAGE_NULL : PGO_DONTCARE;
    return entry.object.pgops.fault(uvm, ufi, ufi.pages, PGO_SYNCIO);
  }
  const centrePage = entry.object === null || shadowed ? NO_PAGE : mapNeighbourPages(uvm, ufi);
  return shadowed ? faultAnon(uvm, ufi, ufi.anons[ufi.centre]!) : faultObject(uvm, ufi, centrePage);
}

/** Chooses the pages to look at, by the entry's advice, and reads their amap slots. */
function setRange(uvm: Uvm, ufi: FaultInfo, narrow: boolean): void {
  const { entry, va } = ufi;
  let back = 0;
  let forward = 0;
  if (!narrow) {
    back = Math.min(ADVICE_BACK[entry.advice]!, uvm.atop(va - entry.start));
    forward = Math.min(ADVICE_FORWARD[entry.advice]!, uvm.atop(entry.end - va) - 1);
    if (entry.advice === UVM_ADV_SEQUENTIAL && back > 0) {
      deactivateBehind(uvm, ufi, back);
      back = 0;
    }
  }
  ufi.startVa = va - back * uvm.pageSize;
  ufi.npages = back + forward + 1;
  ufi.centre = back;
  const { amap } = entry;
  const first = entry.pageoff + uvm.atop(ufi.startVa - entry.start);
  for (let i = 0; i < ufi.npages; i++)
    ufi.anons[i] = amap === null ? NO_ANON : amap.anon[first + i]!;
}

/** Sequential use will not come back to the pages behind: let them go first. */
function deactivateBehind(uvm: Uvm, ufi: FaultInfo, back: number): void {
  const { entry } = ufi;
  const startVa = ufi.va - back * uvm.pageSize;
  if (entry.amap !== null) {
    const first = entry.pageoff + uvm.atop(startVa - entry.start);
    for (let i = 0; i < back; i++) {
      const anon = entry.amap.anon[first + i]!;
      const page = anon === NO_ANON ? NO_PAGE : uvm.anons.page[anon]!;
      if (page !== NO_PAGE) uvm.deactivateIdle(page);
    }
  }
  if (entry.object !== null) {
    const offset = entry.offset + (startVa - entry.start);
    entry.object.pgops.deactivate(uvm, entry.object, offset, offset + back * uvm.pageSize);
  }
}
