import { NO_PA, PMAP_CANFAIL, VM_PROT_ALL, VM_PROT_WRITE } from '@uvmkit/pmap';
import { NO_ANON } from './anon.ts';
import type { FaultInfo } from './fault.ts';
import { NO_PAGE, PG_BUSY, PG_RDONLY } from './page.ts';
import { PAGE_NULL, PGO_DONTCARE, PGO_LOCKED } from './types.ts';
import type { Uvm } from './uvm.ts';

/*
 * Fault-ahead: resident neighbours of the faulting page are mapped while we are here, so that touching them costs
 * no fault. They are entered without access bits, so that nothing is taken for referenced or modified, and a failure is
 * of no consequence.
 */

/** Maps the neighbours that are resident anons. */
export function mapNeighbourAnons(uvm: Uvm, ufi: FaultInfo): void {
  const { anons, pages, pmap } = uvm;
  const flags = PMAP_CANFAIL | (ufi.entry.wiredCount !== 0 ? uvm.wiring.enterFlags : 0);
  for (let i = 0; i < ufi.npages; i++) {
    const anon = ufi.anons[i]!;
    if (i === ufi.centre || anon === NO_ANON) continue;
    const va = ufi.startVa + i * uvm.pageSize;
    const page = anons.page[anon]!;
    if (page === NO_PAGE || pages.loanCount[page] !== 0 || (pages.flags[page]! & PG_BUSY) !== 0)
      continue;
    if (pmap.extract(ufi.map.pmap, va) !== NO_PA) continue;
    pages.activate(page);
    uvm.exp.fltnamap++;
    const prot = anons.ref[anon]! > 1 ? ufi.enterProt & ~VM_PROT_WRITE : ufi.enterProt;
    pmap.enter(ufi.map.pmap, va, pages.pageAddress(page), prot, flags);
  }
  pmap.update(ufi.map.pmap);
}

/**
 * Asks the object for what it has resident of the range and maps the neighbours among it.
 *
 * @returns the page that faulted, BUSY, if it was among them; otherwise NO_PAGE
 */
export function mapNeighbourPages(uvm: Uvm, ufi: FaultInfo): number {
  const { pages, pmap } = uvm;
  const object = ufi.entry.object!;
  for (let i = 0; i < ufi.npages; i++) {
    const wanted =
      i === ufi.centre ||
      (ufi.anons[i] === NO_ANON &&
        pmap.extract(ufi.map.pmap, ufi.startVa + i * uvm.pageSize) === NO_PA);
    ufi.pages[i] = wanted ? PAGE_NULL : PGO_DONTCARE;
  }
  uvm.exp.fltlget++;
  const offset = ufi.entry.offset + (ufi.startVa - ufi.entry.start);
  const mask = ufi.objectMask;
  object.pgops.get(
    uvm,
    object,
    offset,
    ufi.pages,
    ufi.npages,
    ufi.centre,
    ufi.access & mask,
    ufi.entry.advice,
    PGO_LOCKED,
  );
  const centre = ufi.pages[ufi.centre]!;
  const flags = PMAP_CANFAIL | ufi.wiredFlag;
  let entered = false;
  for (let i = 0; i < ufi.npages; i++) {
    const page = ufi.pages[i]!;
    if (i === ufi.centre || page < 0) continue;
    pages.activate(page);
    uvm.exp.fltnomap++;
    // A page on loan must not be written: the borrower reads it. (NetBSD of 2001 forgot this for neighbours.)
    const readOnly =
      (pages.flags[page]! & PG_RDONLY) !== 0 ||
      (pages.loanCount[page] !== 0 && !uvm.quirks.loanedNeighbourWritable);
    const prot = ufi.enterProt & mask & (readOnly ? VM_PROT_ALL & ~VM_PROT_WRITE : VM_PROT_ALL);
    pmap.enter(ufi.map.pmap, ufi.startVa + i * uvm.pageSize, pages.pageAddress(page), prot, flags);
    uvm.unbusy(page);
    entered = true;
  }
  if (entered) pmap.update(ufi.map.pmap);
  return centre >= 0 ? centre : NO_PAGE;
}
