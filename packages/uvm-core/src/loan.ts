import { EAGAIN, EINVAL, ENOENT, ENOMEM, type Errno, type Va, VM_PROT_READ } from '@uvmkit/pmap';
import { anonUnref } from './amap.ts';
import { NO_ANON } from './anon.ts';
import type { MapEntry } from './entry.ts';
import { anonGet } from './fault-anon.ts';
import { mapLookup, type VmMap } from './map.ts';
import { NO_OWNER, NO_PAGE, PG_BUSY, PG_FAKE, UVM_PGA_ZERO } from './page.ts';
import {
  CHANNEL_LBOLT,
  PAGE_NULL,
  PGO_LOCKED,
  PGO_SYNCIO,
  type Sleeping,
  UVM_ET_COPYONWRITE,
  WAIT,
} from './types.ts';
import type { Uvm } from './uvm.ts';

/** What a loan is made to. */
export type LoanTo = 'anon' | 'page';

/**
 * Lends the memory of a range out (`uvm_loan`): to anons, which another map can take in, or page by page to the kernel. The
 * lender keeps it, read-only: a write by anyone breaks the loan, and the borrower keeps the old contents.
 *
 * Pages lent to the kernel are wired while they are (the 1999 model, which December 2001 still had).
 *
 * @param start page-aligned; so is `length`
 * @returns the anons or pages, one a page; or ENOENT for a hole, EINVAL for anything else that cannot be lent, and nothing is lent then
 */
export function* loan(
  uvm: Uvm,
  map: VmMap,
  start: Va,
  length: number,
  to: LoanTo,
): Sleeping<readonly number[] | Errno> {
  const lent: number[] = [];
  for (let va = start; va < start + length;) {
    const entry = map.exclusive ? null : mapLookup(map, va);
    const got = map.exclusive
      ? uvm.wait(map.channel)
      : entry === null
        ? ENOENT
        : lendPage(uvm, entry, va, to, lent);
    if (got === WAIT) yield uvm.waitChannel;
    else if (got === EAGAIN) yield CHANNEL_LBOLT;
    else if (got !== 0) {
      // What was lent so far comes back.
      unloan(uvm, lent, to);
      return got === ENOENT || got === ENOMEM ? got : EINVAL;
    } else {
      if (to === 'anon') count(uvm.lentAnons, lent.at(-1)!, 1);
      va += uvm.pageSize;
    }
  }
  return lent;
}

/** Ends loans (`uvm_unloan`). */
export function unloan(uvm: Uvm, lent: readonly number[], to: LoanTo): void {
  for (const each of lent)
    if (to === 'anon') {
      count(uvm.lentAnons, each, -1);
      anonUnref(uvm, each);
    } else unloanPage(uvm, each);
}

/** Keeps account of a loan that begins or ends. */
function count(ledger: Map<number, number>, what: number, change: number): void {
  const loans = (ledger.get(what) ?? 0) + change;
  if (loans < 0) throw new RangeError(`unloan: ${what} is not on loan`);
  if (loans === 0) ledger.delete(what);
  else ledger.set(what, loans);
}

function lendPage(uvm: Uvm, entry: MapEntry, va: Va, to: LoanTo, into: number[]): number {
  const slot = uvm.atop(va - entry.start);
  const anon = entry.amap === null ? NO_ANON : entry.amap.anon[entry.pageoff + slot]!;
  if (anon !== NO_ANON) return lendAnon(uvm, anon, to, into);
  if (entry.object !== null) return lendObjectPage(uvm, entry, slot, to, into);
  return (entry.etype & UVM_ET_COPYONWRITE) !== 0 ? lendZero(uvm, to, into) : EINVAL;
}

/** An anon: itself with one more reference, or its page. */
function lendAnon(uvm: Uvm, anon: number, to: LoanTo, into: number[]): number {
  const { anons, pages, pmap } = uvm;
  const got = anonGet(uvm, anon);
  if (got !== 0) return got;
  const page = anons.page[anon]!;
  if (to === 'anon') {
    // Nobody may write to the page in place any more: with two references a write copies it.
    pmap.pageProtect(pages.pageAddress(page), VM_PROT_READ);
    anons.ref[anon]!++;
    into.push(anon);
    return 0;
  }
  lendToKernel(uvm, page);
  into.push(page);
  return 0;
}

/** An object's page: to the kernel, or to a new anon that borrows it. */
function lendObjectPage(
  uvm: Uvm,
  entry: MapEntry,
  slot: number,
  to: LoanTo,
  into: number[],
): number {
  const { anons, pages, pmap } = uvm;
  const object = entry.object!;
  const offset = entry.offset + slot * uvm.pageSize;
  const found = new Int32Array([PAGE_NULL]);
  object.pgops.get(uvm, object, offset, found, 1, 0, 0, entry.advice, PGO_LOCKED);
  if (found[0]! < 0) {
    const got = object.pgops.get(
      uvm,
      object,
      offset,
      found,
      1,
      0,
      VM_PROT_READ,
      entry.advice,
      PGO_SYNCIO,
    );
    if (got !== 0) return got;
  }
  const page = found[0]!;
  if (to === 'page') {
    lendToKernel(uvm, page);
    into.push(page);
    uvm.unbusy(page);
    return 0;
  }
  let borrower = pages.uanon[page]!;
  if (borrower !== NO_OWNER) anons.ref[borrower]!++;
  else {
    borrower = anons.alloc();
    if (borrower === NO_ANON) {
      uvm.unbusy(page);
      return ENOMEM;
    }
    if (pages.loanCount[page] === 0) pmap.pageProtect(pages.pageAddress(page), VM_PROT_READ);
    anons.page[borrower] = page;
    pages.uanon[page] = borrower;
    pages.loanCount[page]!++;
    pages.activate(page);
  }
  into.push(borrower);
  uvm.unbusy(page);
  return 0;
}

/** Memory never touched: a page of zeroes that belongs to the borrower alone. */
function lendZero(uvm: Uvm, to: LoanTo, into: number[]): number {
  const { anons, pages } = uvm;
  const anon = to === 'anon' ? anons.alloc() : NO_OWNER;
  if (to === 'anon' && anon === NO_ANON) return ENOMEM;
  const page = pages.alloc(null, 0, anon, UVM_PGA_ZERO);
  if (page === NO_PAGE) {
    if (anon !== NO_OWNER) anonUnref(uvm, anon);
    return uvm.waitForMemory('loanzero');
  }
  pages.flags[page]! &= ~(PG_BUSY | PG_FAKE);
  if (to === 'anon') {
    pages.activate(page);
    into.push(anon);
  } else {
    lendToKernel(uvm, page);
    into.push(page);
  }
  return 0;
}

function lendToKernel(uvm: Uvm, page: number): void {
  const { pages, pmap } = uvm;
  if (pages.loanCount[page] === 0) pmap.pageProtect(pages.pageAddress(page), VM_PROT_READ);
  pages.loanCount[page]!++;
  count(uvm.lentPages, page, 1);
  pages.wire(page);
}

/** One kernel borrower fewer; the last one frees a page that nobody owns (`uvm_unloanpage`). */
function unloanPage(uvm: Uvm, page: number): void {
  const { pages } = uvm;
  count(uvm.lentPages, page, -1);
  pages.loanCount[page]!--;
  if (pages.isAbandoned(page)) pages.adopt(page);
  pages.unwire(page);
  const owned = pages.uobject[page] !== NO_OWNER || pages.uanon[page] !== NO_OWNER;
  if (pages.loanCount[page] === 0 && !owned) pages.free(page);
}
