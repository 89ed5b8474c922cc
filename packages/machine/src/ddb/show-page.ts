import { hex } from '@uvmkit/pmap';
import { LIST_END, NO_OWNER, PQ_ACTIVE, PQ_FREE, PQ_INACTIVE, type Uvm } from '@uvmkit/uvm-core';
import type { Command } from './command.ts';
import { findPage } from './find.ts';
import { bits, flag, PAGE_FLAGS, QUEUE_FLAGS } from './names.ts';

/** uvm_page_printit (uvm_page.c), with what the pmap knows of the page. */
export const showPage: Command = {
  name: 'show page',
  usage: '[/f] PAGE|PA',
  summary: 'a page, by index or by physical address (0x…); /f checks the lists it should be on',
  modifiers: 'f',
  run(session, args) {
    const page = findPage(session, args);
    args.end();
    const { uvm } = session;
    const { pages, pmap } = uvm;
    const pa = pages.pageAddress(page);
    const owner = (id: number): string => (id === NO_OWNER ? 'null' : String(id));
    const offset = pages.uobject[page] === NO_OWNER ? 0 : pages.offset[page]! * uvm.pageSize;
    return [
      `PAGE ${page}:`,
      `  flags=${bits(pages.flags[page]!, PAGE_FLAGS)}, pqflags=${bits(pages.pqflags[page]!, QUEUE_FLAGS)}, wire_count=${pages.wireCount[page]!}, pa=${hex(pa)}`,
      `  uobject=${owner(pages.uobject[page]!)}, uanon=${owner(pages.uanon[page]!)}, offset=${hex(offset, 1)}, loan_count=${pages.loanCount[page]!}`,
      `  modified=${flag(pmap.isModified(pa))}, referenced=${flag(pmap.isReferenced(pa))}`,
      ...(args.modifiers === 'f' ? listLines(uvm, page) : []),
    ];
  },
};

/** Looks for the page where its fields say that it is. */
function listLines(uvm: Uvm, page: number): string[] {
  const { pages } = uvm;
  const lines: string[] = [];
  const tell = (where: string, found: boolean): void => {
    lines.push(`  ${found ? 'found' : 'NOT FOUND'} on ${where}`);
  };
  const id = pages.uobject[page]!;
  if (id !== NO_OWNER) tell(`the list of object ${id}`, onObject(uvm, id, page));
  const queued = pages.pqflags[page]!;
  if ((queued & PQ_FREE) !== 0) tell('the free list', among(pages.freePages(), page));
  if ((queued & PQ_ACTIVE) !== 0) tell('the active queue', among(pages.queued(PQ_ACTIVE), page));
  if ((queued & PQ_INACTIVE) !== 0)
    tell('the inactive queue', among(pages.queued(PQ_INACTIVE), page));
  return lines.length === 0 ? ['  on no list and no queue'] : lines;
}

function onObject(uvm: Uvm, id: number, wanted: number): boolean {
  let page = uvm.objectById(id).memq;
  while (page !== LIST_END && page !== wanted) page = uvm.pages.nextInObject(page);
  return page === wanted;
}

function among(list: Iterable<number>, wanted: number): boolean {
  for (const page of list) if (page === wanted) return true;
  return false;
}
