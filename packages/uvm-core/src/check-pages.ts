import type { Report } from './check.ts';
import { firstDifference } from './first-difference.ts';
import type { UvmObject } from './object.ts';
import {
  NO_OWNER,
  NO_PAGE,
  PG_BUSY,
  PG_CLEAN,
  PG_FAKE,
  PG_PAGEOUT,
  PG_RELEASED,
  PG_TABLED,
  PG_WANTED,
  PG_ZERO,
  PQ_ACTIVE,
  PQ_ANON,
  PQ_FREE,
  PQ_INACTIVE,
  PQ_SWAPBACKED,
} from './page.ts';
import type { Uvm } from './uvm.ts';
import { asVnode } from './vnode.ts';

/** Tells what backing store holds of a page. */
type Image = (object: UvmObject, pageIndex: number) => Uint8Array | null;

/** Invariants 20 to 30 and 44: objects and pages. */
export function checkPages(uvm: Uvm, report: Report, image: Image | null): void {
  for (const object of uvm.objects) checkObject(uvm, object, report);
  checkReferences(uvm, report);
  checkQueues(uvm, report);
  const { pages } = uvm;
  for (let page = 0; page < pages.pageCount; page++) {
    if ((pages.pqflags[page]! & PQ_FREE) !== 0) checkFree(uvm, page, report);
    else checkPage(uvm, page, report, image);
  }
  checkCensus(uvm, report);
}

function checkObject(uvm: Uvm, object: UvmObject, report: Report): void {
  const { pages } = uvm;
  const name = `object ${object.id}`;
  let listed = 0;
  for (let page = object.memq; page >= 0; page = pages.nextInObject(page)) {
    if (++listed > pages.pageCount) break;
    const index = pages.offset[page]!;
    if (pages.uobject[page] !== object.id || (pages.flags[page]! & PG_TABLED) === 0)
      report(20, `${name} lists page ${page}`, `its owner is ${pages.uobject[page]}`);
    if (pages.lookup(object, index) !== page)
      report(20, `${name} has page ${page} at ${index}`, `${pages.lookup(object, index)} is found`);
  }
  if (listed !== object.npages)
    report(20, `${name} counts ${object.npages} pages`, `it lists ${listed}`);
  const vnode = asVnode(object);
  if (vnode === null) return;
  const unit = Math.max(vnode.ops.blockSize, uvm.pageSize);
  const end = uvm.atop(Math.ceil(vnode.size / unit) * unit);
  for (let page = object.memq; page >= 0; page = pages.nextInObject(page)) {
    const index = pages.offset[page]!;
    // A page that is busy may be one that a write is just adding.
    if (index >= end && (pages.flags[page]! & PG_BUSY) === 0)
      report(21, `${name} has a page ${index}`, `the file has ${vnode.size} bytes`);
  }
}

function checkReferences(uvm: Uvm, report: Report): void {
  const entries = new Map<UvmObject, number>();
  for (const map of uvm.maps)
    for (const { object } of map.entries())
      if (object !== null) entries.set(object, (entries.get(object) ?? 0) + 1);
  for (const [object, count] of entries)
    if (object.refs >= 0 && object.refs < count)
      report(22, `object ${object.id} has ${object.refs} references`, `${count} entries map it`);
}

/** Every queue holds the pages that say so, and as many as are counted. */
function checkQueues(uvm: Uvm, report: Report): void {
  const { pages, exp } = uvm;
  const seen = new Uint8Array(pages.pageCount);
  const walk = (what: string, flag: number, list: Iterable<number>, counted: number): void => {
    let length = 0;
    for (const page of list) {
      if (++length > pages.pageCount) break;
      if (seen[page] !== 0) report(23, `page ${page} is on the ${what} queue`, 'on another, too');
      seen[page] = 1;
      if ((pages.pqflags[page]! & (PQ_FREE | PQ_ACTIVE | PQ_INACTIVE)) !== flag)
        report(
          23,
          `page ${page} is on the ${what} queue`,
          `its pqflags are ${pages.pqflags[page]}`,
        );
    }
    if (length !== counted) report(24, `${counted} pages are ${what}`, `${length} are queued so`);
  };
  walk('free', PQ_FREE, pages.freePages(), exp.free);
  walk('active', PQ_ACTIVE, pages.queued(PQ_ACTIVE), exp.active);
  walk('inactive', PQ_INACTIVE, pages.queued(PQ_INACTIVE), exp.inactive);
  let zeroed = 0;
  let wired = 0;
  for (let page = 0; page < pages.pageCount; page++) {
    const pqflags = pages.pqflags[page]!;
    if ((pqflags & PQ_FREE) !== 0 && (pages.flags[page]! & PG_ZERO) !== 0) zeroed++;
    if (pages.wireCount[page] !== 0) wired++;
    if ((pqflags & (PQ_FREE | PQ_ACTIVE | PQ_INACTIVE)) !== 0 && seen[page] === 0)
      report(23, `page ${page} has pqflags ${pqflags}`, 'it is on no queue');
  }
  if (zeroed !== exp.zeropages) report(24, `zeropages is ${exp.zeropages}`, `there are ${zeroed}`);
  if (wired !== exp.wired) report(24, `wired is ${exp.wired}`, `${wired} pages are wired`);
}

function checkFree(uvm: Uvm, page: number, report: Report): void {
  const { pages } = uvm;
  if (
    pages.uobject[page] !== NO_OWNER ||
    pages.uanon[page] !== NO_OWNER ||
    pages.loanCount[page] !== 0 ||
    pages.wireCount[page] !== 0
  )
    report(25, `page ${page} is free`, JSON.stringify(pages.describe(page)));
}

function checkPage(uvm: Uvm, page: number, report: Report, image: Image | null): void {
  const { pages, pmap } = uvm;
  const flags = pages.flags[page]!;
  const pqflags = pages.pqflags[page]!;
  const busy = (flags & PG_BUSY) !== 0;
  const wired = pages.wireCount[page] !== 0;
  const loans = pages.loanCount[page]!;
  const queued = (pqflags & (PQ_ACTIVE | PQ_INACTIVE)) !== 0;
  const object = pages.uobject[page]!;
  const owned = object !== NO_OWNER || (pqflags & PQ_ANON) !== 0;
  if (wired && queued) report(25, `page ${page} is wired`, 'it is on a paging queue');
  if (owned && !queued && !wired && !busy && loans === 0)
    report(23, `page ${page} is in nobody's hands`, 'it is on no queue');
  if ((flags & (PG_RELEASED | PG_PAGEOUT | PG_WANTED | PG_FAKE)) !== 0 && !busy)
    report(26, `page ${page} has flags 0x${flags.toString(16)}`, 'it is not busy');
  const borrowed = pages.uanon[page] !== NO_OWNER && (pqflags & PQ_ANON) === 0 ? 1 : 0;
  const toKernel = uvm.lentPages.get(page) ?? 0;
  if (loans !== borrowed + toKernel)
    report(
      27,
      `page ${page} is lent ${loans} times`,
      `${borrowed} anon has borrowed it, and the kernel ${toKernel} times`,
    );
  if ((pqflags & PQ_SWAPBACKED) !== 0 && (flags & PG_CLEAN) !== 0 && !busy) {
    // A loan wires for a while, and leaves the slot as it is.
    if (pages.wireCount[page]! > toKernel)
      report(30, `page ${page} is wired`, 'it is clean, so it has a slot on swap');
    else if (pages.slotOf(page) <= 0)
      report(30, `page ${page} is clean`, 'its owner has no slot on swap');
  }
  if (image === null || object === NO_OWNER || busy || (flags & PG_CLEAN) === 0) return;
  const pa = pages.pageAddress(page);
  if (pmap.isModified(pa)) return;
  const stored = image(uvm.objectById(object), pages.offset[page]!);
  const differs = stored === null ? -1 : firstDifference(uvm.memory.bytes, pa, stored);
  if (differs >= 0)
    report(44, `page ${page} is clean`, `byte ${differs} of its backing store is another`);
}

/** Pages by their owner. */
function checkCensus(uvm: Uvm, report: Report): void {
  const { pages, exp } = uvm;
  let anonymous = 0;
  let file = 0;
  let text = 0;
  let unowned = 0;
  for (let page = 0; page < pages.pageCount; page++) {
    if ((pages.pqflags[page]! & PQ_FREE) !== 0) continue;
    const id = pages.uobject[page]!;
    if (id === NO_OWNER) {
      if ((pages.pqflags[page]! & PQ_ANON) !== 0) anonymous++;
      else if (pages.loanCount[page] === 0 && !pages.pins.has(page)) unowned++;
      continue;
    }
    const object = uvm.objectById(id);
    if (pages.lookup(object, pages.offset[page]!) === NO_PAGE)
      report(20, `page ${page} belongs to object ${id}`, 'it is not found there');
    if (object.pgops.census === 'anon') anonymous++;
    else if (object.pgops.census === 'file') {
      if (object.pgops.isText(object)) text++;
      else file++;
    }
  }
  const known = pages.tablePages + pages.kernelPages;
  if (unowned !== known)
    report(28, `${unowned} pages have no owner`, `${known} are table pages and kernel memory`);
  if (anonymous !== exp.anonpages)
    report(29, `anonpages is ${exp.anonpages}`, `there are ${anonymous}`);
  if (file !== exp.filepages) report(29, `filepages is ${exp.filepages}`, `there are ${file}`);
  if (text !== exp.execpages) report(29, `execpages is ${exp.execpages}`, `there are ${text}`);
}
