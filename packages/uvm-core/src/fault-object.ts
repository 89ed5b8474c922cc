import { ENOMEM, EAGAIN, KernelPanic, VM_PROT_WRITE } from '@uvmkit/pmap';
import { amapAdd } from './amap.ts';
import { NO_ANON } from './anon.ts';
import { noMemory } from './fault-anon.ts';
import type { FaultInfo } from './fault.ts';
import type { UvmObject } from './object.ts';
import {
  NO_OWNER,
  NO_PAGE,
  PG_BUSY,
  PG_CLEAN,
  PG_FAKE,
  PG_RDONLY,
  PQ_SWAPBACKED,
  UVM_PGA_ZERO,
} from './page.ts';
import {
  AMAP_SHARED,
  CHANNEL_LBOLT,
  type Outcome,
  PAGE_NULL,
  PGO_SYNCIO,
  UVM_ET_COPYONWRITE,
} from './types.ts';
import type { Uvm } from './uvm.ts';

/**
 * Case 2: no anon; the object's page, or zeroes.
 *
 * @param held the object's page, BUSY, if the look at the neighbours found it; otherwise NO_PAGE
 */
export function faultObject(uvm: Uvm, ufi: FaultInfo, held: number): Outcome {
  const { object, etype } = ufi.entry;
  const promote = object === null || (ufi.cowNow && (etype & UVM_ET_COPYONWRITE) !== 0);
  let page = held;
  if (object !== null && page === NO_PAGE) {
    const got = fetchPage(uvm, ufi, object);
    if (got !== 0) return got === EAGAIN ? uvm.wait(CHANNEL_LBOLT) : got;
    page = ufi.pages[0]!;
    uvm.pages.activate(page);
  }
  return promote ? promotePage(uvm, ufi, page) : mapObjectPage(uvm, ufi, object, page);
}

/** Asks the pager for the one page; it starts what I/O that takes. */
function fetchPage(uvm: Uvm, ufi: FaultInfo, object: UvmObject): Outcome {
  const { entry } = ufi;
  uvm.exp.fltget++;
  ufi.pages[0] = PAGE_NULL;
  const offset = entry.offset + (ufi.va - entry.start);
  return object.pgops.get(
    uvm,
    object,
    offset,
    ufi.pages,
    1,
    0,
    ufi.access & ufi.objectMask,
    entry.advice,
    PGO_SYNCIO,
  );
}

/** 2A: the object's page itself. */
function mapObjectPage(uvm: Uvm, ufi: FaultInfo, object: UvmObject, busy: number): Outcome {
  const { pages, exp } = uvm;
  let page = busy;
  exp.flt_obj++;
  ufi.enterProt &= ufi.objectMask;
  if (pages.loanCount[page] !== 0) {
    if (!ufi.cowNow) ufi.enterProt &= ~VM_PROT_WRITE;
    else {
      page = breakObjectLoan(uvm, object, page);
      if (page === NO_PAGE) {
        uvm.unbusy(busy);
        exp.fltnoram++;
        return uvm.waitForMemory('flt_noram4');
      }
    }
  }
  const readOnly = (pages.flags[page]! & PG_RDONLY) !== 0;
  if (readOnly && (ufi.access & VM_PROT_WRITE) !== 0)
    throw new KernelPanic('uvm_fault: write access to a PG_RDONLY page', pages.describe(page));
  return enterPage(uvm, ufi, page, readOnly ? ufi.enterProt & ~VM_PROT_WRITE : ufi.enterProt);
}

/** 2B: a new anon with a copy of the object's page, or with zeroes. */
function promotePage(uvm: Uvm, ufi: FaultInfo, from: number): Outcome {
  const { anons, pages, exp } = uvm;
  const { amap, pageoff, start } = ufi.entry;
  const at = pageoff + uvm.atop(ufi.va - start);
  if (amap === null)
    throw new KernelPanic('uvm_fault: want to promote data, but no anon map', {
      map: ufi.map.id,
      va: ufi.va,
    });
  const anon = anons.alloc();
  const page =
    anon === NO_ANON ? NO_PAGE : pages.alloc(null, 0, anon, from === NO_PAGE ? UVM_PGA_ZERO : 0);
  if (page === NO_PAGE) {
    if (from !== NO_PAGE) uvm.unbusy(from);
    return noMemory(uvm, anon, 'flt_noram5');
  }
  if (from === NO_PAGE) exp.flt_przero++;
  else {
    exp.flt_prcopy++;
    uvm.copyPage(from, page);
    // Other maps of this amap may still map the object's page here. If only its reverse map knows where, it is taken from
    // everyone, and wired mappings of processes that never heard of this amap go too: that is the wiring problem.
    if ((amap.flags & AMAP_SHARED) !== 0) uvm.wiring.slotReplaced(uvm, amap, at, from, page);
    uvm.unbusy(from);
  }
  amapAdd(uvm, ufi.entry, at - pageoff, anon, false);
  if (uvm.events.watched)
    uvm.events.emit(
      'uvm.promote',
      ufi.map.id,
      ufi.va,
      from === NO_PAGE ? -1 : pages.pageAddress(from),
      pages.pageAddress(page),
    );
  return enterPage(uvm, ufi, page, ufi.enterProt);
}

/** Both: map the page, which is BUSY, and let it go. */
function enterPage(uvm: Uvm, ufi: FaultInfo, page: number, prot: number): Outcome {
  const { pages, pmap } = uvm;
  const error = pmap.enter(ufi.map.pmap, ufi.va, pages.pageAddress(page), prot, ufi.enterFlags);
  if (error !== 0) {
    pages.flags[page]! &= ~PG_FAKE;
    uvm.unbusy(page);
    pages.activate(page);
    return uvm.swap.full ? ENOMEM : uvm.waitForMemory('flt_pmfail2');
  }
  if (ufi.wireFault) {
    uvm.wiring.wire(uvm, ufi.entry, ufi.va, page);
    if ((pages.pqflags[page]! & PQ_SWAPBACKED) !== 0) {
      // It stays in memory now: what swap had of it is for others to use, and nothing but memory has the contents.
      pages.flags[page]! &= ~PG_CLEAN;
      uvm.dropSwapOf(page);
    }
  } else pages.activate(page);
  pages.flags[page]! &= ~PG_FAKE;
  uvm.unbusy(page);
  pmap.update(ufi.map.pmap);
  return 0;
}

/** Puts a page that is not on loan in the place of one that is; NO_PAGE if memory is short. The new one is BUSY. */
export function breakObjectLoan(uvm: Uvm, object: UvmObject, old: number): number {
  const { pages } = uvm;
  const copy = pages.alloc(null, 0, NO_OWNER, 0);
  if (copy === NO_PAGE) return NO_PAGE;
  uvm.copyPage(old, copy);
  pages.flags[copy] = PG_BUSY | (pages.flags[old]! & PG_RDONLY);
  const offset = pages.offset[old]!;
  uvm.wiring.objectPageReplaced(uvm, object, offset, old, copy);
  uvm.unbusy(old);
  pages.free(old); // On loan, so it only leaves the object: its borrowers keep it.
  pages.insert(copy, object, offset);
  return copy;
}
