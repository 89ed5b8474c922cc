import { EIO, ENOMEM, KernelPanic, VM_PROT_WRITE } from '@uvmkit/pmap';
import { amapAdd } from './amap.ts';
import { NO_ANON, SWSLOT_BAD } from './anon.ts';
import type { FaultInfo } from './fault.ts';
import {
  NO_OWNER,
  NO_PAGE,
  PG_BUSY,
  PG_CLEAN,
  PG_FAKE,
  PG_RELEASED,
  PG_WANTED,
  PQ_ANON,
} from './page.ts';
import type { Outcome } from './types.ts';
import type { Uvm } from './uvm.ts';
import { slotPageChanged } from './wiring/ledger.ts';

/**
 * Makes sure that the anon's page is resident and free for use (`uvmfault_anonget`).
 *
 * @returns 0, or WAIT for a busy page
 */
export function anonGet(uvm: Uvm, anon: number): Outcome {
  const { anons, pages } = uvm;
  uvm.exp.fltanget++;
  const page = anons.page[anon]!;
  if (page === NO_PAGE) return anonPageIn(uvm, anon);
  if ((pages.flags[page]! & PG_BUSY) !== 0) {
    pages.flags[page]! |= PG_WANTED;
    uvm.exp.fltpgwait++;
    return uvm.wait(page);
  }
  if (pages.isAbandoned(page)) pages.adopt(page);
  return 0;
}

/** Starts reading an anon's page from swap; answers WAIT for it, or EIO if its data is lost. */
function anonPageIn(uvm: Uvm, anon: number): Outcome {
  const { anons, pages, exp, swap } = uvm;
  const slot = anons.swslot[anon]!;
  if (slot === SWSLOT_BAD) return EIO;
  if (slot === 0)
    throw new KernelPanic('uvmfault_anonget: anon has neither page nor swap slot', { anon });
  const page = pages.alloc(null, 0, anon, 0);
  if (page === NO_PAGE) {
    exp.fltnoram++;
    return uvm.waitForMemory('flt_noram1');
  }
  exp.pageins++;
  exp.pgswapin++;
  pages.flags[page]! |= PG_WANTED;
  swap.get(page, slot, (error) => {
    if (error !== 0) {
      // The slot stays taken for ever, and whoever touches the anon again is told.
      swap.markBad(slot, 1);
      anons.swslot[anon] = SWSLOT_BAD;
    }
    const released = (pages.flags[page]! & PG_RELEASED) !== 0;
    if (error !== 0 && !released) {
      uvm.wakeup(page);
      pages.flags[page]! &= ~(PG_BUSY | PG_WANTED);
      pages.free(page);
      return;
    }
    pages.flags[page]! &= ~PG_FAKE;
    if (!released) pages.activate(page);
    uvm.unbusy(page);
  });
  return uvm.wait(page);
}

/** Case 1: an anon is there. */
export function faultAnon(uvm: Uvm, ufi: FaultInfo, anon: number): Outcome {
  const { anons, pages, exp } = uvm;
  const got = anonGet(uvm, anon);
  if (got !== 0) return got;
  let page = anons.page[anon]!;
  let mapped = anon;
  if (pages.loanCount[page] !== 0) {
    if (!ufi.cowNow) ufi.enterProt &= ~VM_PROT_WRITE;
    else if (anons.ref[anon] === 1) {
      page = breakAnonLoan(uvm, ufi, anon);
      if (page === NO_PAGE) return uvm.waitForMemory('flt_noram2');
    }
  }
  if (ufi.cowNow && anons.ref[anon]! > 1) {
    // 1B: others refer to this anon, so the writer gets one of its own.
    exp.flt_acow++;
    mapped = anons.alloc();
    const copy = mapped === NO_ANON ? NO_PAGE : pages.alloc(null, 0, mapped, 0);
    if (copy === NO_PAGE) return noMemory(uvm, mapped, 'flt_noram3');
    uvm.copyPage(page, copy);
    pages.activate(copy);
    pages.flags[copy]! &= ~(PG_BUSY | PG_FAKE);
    amapAdd(uvm, ufi.entry, uvm.atop(ufi.va - ufi.entry.start), mapped, true);
    anons.ref[anon]!--;
    if (uvm.events.watched)
      uvm.events.emit(
        'uvm.promote',
        ufi.map.id,
        ufi.va,
        pages.pageAddress(page),
        pages.pageAddress(copy),
      );
    page = copy;
  } else {
    // 1A: use it as it is.
    exp.flt_anon++;
    if (anons.ref[anon]! > 1) ufi.enterProt &= ~VM_PROT_WRITE;
  }

  const error = uvm.pmap.enter(
    ufi.map.pmap,
    ufi.va,
    pages.pageAddress(page),
    ufi.enterProt,
    ufi.enterFlags,
  );
  // The new anon, if any, stays in the amap, where it does no harm.
  if (error !== 0) return uvm.swap.full ? ENOMEM : uvm.waitForMemory('flt_pmfail1');
  if (ufi.wireFault) {
    uvm.wiring.wire(uvm, ufi.entry, ufi.va, page);
    // The swap slot's image is not kept up to date while the page is wired.
    pages.flags[page]! &= ~PG_CLEAN;
    anons.dropSwap(mapped);
  } else pages.activate(page);
  uvm.pmap.update(ufi.map.pmap);
  return 0;
}

/** Gives the anon a page that is not on loan, with the same contents; NO_PAGE if memory is short. */
function breakAnonLoan(uvm: Uvm, { entry, va }: FaultInfo, anon: number): number {
  const { anons, pages } = uvm;
  const old = anons.page[anon]!;
  const copy = pages.alloc(null, 0, NO_OWNER, 0);
  if (copy === NO_PAGE) return NO_PAGE;
  uvm.copyPage(old, copy);
  const amap = entry.amap!;
  const at = entry.pageoff + uvm.atop(va - entry.start);
  uvm.wiring.slotReplaced(uvm, amap, at, old, copy);
  if (amap.locks !== null) slotPageChanged(uvm, amap, at, old, copy);
  pages.uanon[old] = NO_OWNER;
  if (pages.uobject[old] !== NO_OWNER) {
    // Borrowed: the object's page has one borrower fewer.
    pages.loanCount[old]!--;
    uvm.exp.anonpages++;
  } else {
    // Lent: the old page is its borrowers' now.
    pages.pqflags[old]! &= ~PQ_ANON;
    pages.dequeue(old);
  }
  pages.uanon[copy] = anon;
  pages.pqflags[copy]! |= PQ_ANON;
  anons.page[anon] = copy;
  pages.flags[copy]! &= ~(PG_BUSY | PG_FAKE);
  return copy;
}

/** No anon or no page for a copy: out of memory for good, or for now. An anon without a page is given back. */
export function noMemory(uvm: Uvm, anon: number, reason: string): Outcome {
  const { anons, exp } = uvm;
  if (anon !== NO_ANON) {
    anons.ref[anon] = 0;
    anons.free(anon, uvm.pages, uvm.pmap);
  }
  if (anon === NO_ANON || uvm.swap.full) {
    exp.fltnoanon++;
    return ENOMEM;
  }
  exp.fltnoram++;
  return uvm.waitForMemory(reason);
}
