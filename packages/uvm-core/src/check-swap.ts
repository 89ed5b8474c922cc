import type { Report } from './check.ts';
import { firstDifference } from './first-difference.ts';
import { NO_PAGE, PG_BUSY, PG_CLEAN, PQ_SWAPBACKED } from './page.ts';
import type { Uvm } from './uvm.ts';

/** What a swap slot holds; null if it cannot be told. */
export type SwapImage = (slot: number) => Uint8Array | null;

/** Invariants 31 to 33, and of 19 and 44 what concerns swap. */
export function checkSwap(uvm: Uvm, report: Report, image: SwapImage | null): void {
  const { exp, swap } = uvm;
  if (exp.swpgonly > exp.swpginuse || exp.swpginuse > exp.swpages)
    report(
      31,
      `swpgonly is ${exp.swpgonly}`,
      `swpginuse is ${exp.swpginuse} of ${exp.swpages} pages`,
    );
  let inUse = 0;
  let pages = 0;
  for (const device of swap.devices) {
    inUse += device.npginuse;
    pages += device.npages;
  }
  if (inUse !== exp.swpginuse)
    report(31, `swpginuse is ${exp.swpginuse}`, `${inUse} slots are in use on the devices`);
  if (pages !== exp.swpages)
    report(31, `swpages is ${exp.swpages}`, `the devices have ${pages} slots`);
  checkSlots(uvm, report);
  if (image !== null) checkImages(uvm, report, image);
}

/** Who refers to which slot. */
function checkSlots(uvm: Uvm, report: Report): void {
  const { anons, exp, swap } = uvm;
  const users = new Map<number, string>();
  let onSwapOnly = 0;
  const refer = (who: string, slot: number, resident: boolean): void => {
    if (!resident) onSwapOnly++;
    const other = users.get(slot);
    if (other !== undefined) report(32, `${who} has slot ${slot}`, `so has ${other}`);
    users.set(slot, who);
    const device = swap.find(slot);
    if (device === undefined) report(33, `${who} has slot ${slot}`, 'no device has it');
    else if (!device.slots.isUsed(slot - device.drumOffset))
      report(32, `${who} has slot ${slot}`, 'the slot is free');
  };
  for (let anon = 0; anon < anons.count; anon++)
    if (anons.swslot[anon]! > 0)
      refer(`anon ${anon}`, anons.swslot[anon]!, anons.page[anon] !== NO_PAGE);
  for (const aobj of uvm.aobjs)
    for (const [index, slot] of aobj.slots())
      if (slot > 0)
        refer(`object ${aobj.id} page ${index}`, slot, uvm.pages.lookup(aobj, index) !== NO_PAGE);
  if (onSwapOnly !== exp.swpgonly)
    report(19, `swpgonly is ${exp.swpgonly}`, `${onSwapOnly} pages are on swap only`);
  for (const { backend, drumOffset, npages, npginuse, npgbad } of swap.devices) {
    let referred = 0;
    for (const slot of users.keys())
      if (slot >= drumOffset && slot < drumOffset + npages) referred++;
    if (referred + npgbad !== npginuse)
      report(
        32,
        `${backend.name} has ${npginuse} slots in use`,
        `${referred} belong to someone and ${npgbad} are bad`,
      );
  }
}

/** What is clean is on swap as it is in memory. */
function checkImages(uvm: Uvm, report: Report, image: SwapImage): void {
  const { pages, pmap, memory } = uvm;
  for (let page = 0; page < pages.pageCount; page++) {
    if ((pages.pqflags[page]! & PQ_SWAPBACKED) === 0) continue;
    if ((pages.flags[page]! & (PG_CLEAN | PG_BUSY)) !== PG_CLEAN) continue;
    const slot = pages.slotOf(page);
    const pa = pages.pageAddress(page);
    if (slot <= 0 || pmap.isModified(pa)) continue;
    const stored = image(slot);
    const differs = stored === null ? -1 : firstDifference(memory.bytes, pa, stored);
    if (differs >= 0)
      report(44, `page ${page} is clean`, `byte ${differs} of slot ${slot} is another`);
  }
}

/** Invariant 48: what is left when no process, no mapping and no loan is. */
export function checkLeaks(uvm: Uvm, report: Report): void {
  const { exp, pages, swap } = uvm;
  const left = (count: number, what: string): void => {
    if (count !== 0) report(48, 'every process has gone', `${count} ${what} are left`);
  };
  left(exp.nanon - exp.nfreeanon, 'anons');
  left(uvm.amaps.size, 'amaps');
  left(uvm.lentAnons.size + uvm.lentPages.size, 'loans');
  left([...uvm.aobjs].filter(({ refs }) => refs >= 0).length, 'anonymous objects');
  left([...uvm.maps].filter(({ pmap }) => pmap !== uvm.kernelMap.pmap).length, 'maps');
  let kernel = 0;
  for (const aobj of uvm.aobjs)
    for (const [, slot] of aobj.slots()) if (aobj.refs < 0 && slot > 0) kernel++;
  left(exp.swpginuse - swap.bad - kernel, 'swap slots');
  let wired = 0;
  for (let page = 0; page < pages.pageCount; page++)
    if (pages.wireCount[page] !== 0 && !isKernels(uvm, page)) wired++;
  left(wired, 'wired pages');
}

/** Whether a page belongs to one of the kernel's own objects. */
export function isKernels(uvm: Uvm, page: number): boolean {
  const id = uvm.pages.uobject[page]!;
  return id >= 0 && uvm.objectById(id).refs < 0;
}
