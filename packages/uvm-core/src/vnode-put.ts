import { type Errno, ESTALE } from '@uvmkit/pmap';
import {
  NO_PAGE,
  PG_BUSY,
  PG_CLEAN,
  PG_NEEDCOMMIT,
  PG_PAGEOUT,
  PG_RELEASED,
  PG_WANTED,
} from './page.ts';
import {
  CHANNEL_MEMORY,
  PGO_ALLPAGES,
  PGO_CLEANIT,
  PGO_DEACTIVATE,
  PGO_FREE,
  PGO_PAGEOUT,
  PGO_SYNCIO,
  PGO_WEAK,
  type PagerFlags,
  type Sleeping,
} from './types.ts';
import type { Uvm } from './uvm.ts';
import type { Vnode } from './vnode.ts';

/** The most that one write takes along. */
const CLUSTER = 64 * 1024;

/**
 * Cleans, deactivates or frees a file's resident pages (genfs_putpages). What is written takes the dirty pages around it
 * along; of those, pages beyond the range stay where they are. With PGO_FREE and without PGO_CLEANIT dirty data is discarded, and wired pages are freed like others: what that does
 * to whoever wired them is the wiring policy's business (H2, H3).
 */
export function* vnodePut(
  uvm: Uvm,
  vnode: Vnode,
  start: number,
  stop: number,
  flags: PagerFlags,
): Sleeping<Errno> {
  const all = (flags & PGO_ALLPAGES) !== 0;
  const first = all ? 0 : uvm.atop(start);
  const beyond = all || stop === 0 ? Number.POSITIVE_INFINITY : Math.ceil(stop / uvm.pageSize);
  for (const index of residentIn(uvm, vnode, first, beyond)) {
    let page = uvm.pages.lookup(vnode, index);
    const skip = (flags & PGO_PAGEOUT) !== 0;
    while (!skip && page !== NO_PAGE && (uvm.pages.flags[page]! & PG_BUSY) !== 0) {
      uvm.pages.flags[page]! |= PG_WANTED;
      yield page;
      page = uvm.pages.lookup(vnode, index);
    }
    if (page !== NO_PAGE && (uvm.pages.flags[page]! & PG_BUSY) === 0)
      putPage(uvm, vnode, page, flags, { first, beyond });
  }
  if ((flags & PGO_SYNCIO) === 0) return 0;
  while (vnode.numoutput > 0) yield vnode.outputChannel;
  const error = vnode.writeError;
  vnode.writeError = 0;
  return error;
}

/** Page indices, from `first` to before `beyond`. */
interface Range {
  readonly first: number;
  readonly beyond: number;
}

/** Page indices of the resident pages in a range, ascending. */
function residentIn(uvm: Uvm, vnode: Vnode, first: number, beyond: number): number[] {
  const found: number[] = [];
  // Walking the list costs its length, looking up costs the range: NetBSD's hash penalty is four.
  if (vnode.npages <= 4 * (beyond - first)) {
    for (let page = vnode.memq; page >= 0; page = uvm.pages.nextInObject(page)) {
      const index = uvm.pages.offset[page]!;
      if (index >= first && index < beyond) found.push(index);
    }
    return found.sort((a, b) => a - b);
  }
  for (let index = first; index < beyond; index++)
    if (uvm.pages.lookup(vnode, index) !== NO_PAGE) found.push(index);
  return found;
}

function putPage(uvm: Uvm, vnode: Vnode, page: number, flags: PagerFlags, range: Range): void {
  const { pages } = uvm;
  // Mappings go before the modified bit is read, so that no store slips in between.
  if ((flags & PGO_FREE) !== 0) uvm.wiring.revoke(uvm, page);
  if ((flags & PGO_CLEANIT) !== 0 && makeClean(uvm, page)) {
    writeCluster(uvm, vnode, page, flags, range);
    return;
  }
  if ((flags & PGO_CLEANIT) !== 0 && (pages.flags[page]! & PG_NEEDCOMMIT) !== 0) {
    if ((flags & PGO_WEAK) === 0) transfer(uvm, vnode, [page], flags, range, true);
    return;
  }
  if ((flags & PGO_FREE) !== 0) {
    pages.free(page);
    if ((flags & PGO_PAGEOUT) !== 0) uvm.exp.pdfreed++;
  } else if ((flags & PGO_DEACTIVATE) !== 0) uvm.deactivateIdle(page);
}

/** Marks a page clean; true if it was dirty, and so must be written. */
function makeClean(uvm: Uvm, page: number): boolean {
  const { pages, pmap } = uvm;
  const modified = pmap.clearModify(pages.pageAddress(page));
  const dirty = modified || (pages.flags[page]! & PG_CLEAN) === 0;
  pages.flags[page]! |= PG_CLEAN;
  return dirty;
}

/** Writes a dirty page with the dirty pages around it, all BUSY meanwhile. */
function writeCluster(uvm: Uvm, vnode: Vnode, page: number, flags: PagerFlags, range: Range): void {
  const { pages } = uvm;
  const most = CLUSTER / uvm.pageSize;
  const frees = (index: number): boolean =>
    (flags & PGO_FREE) !== 0 && index >= range.first && index < range.beyond;
  const join = (index: number): number => {
    const other = index < 0 ? NO_PAGE : pages.lookup(vnode, index);
    if (other === NO_PAGE || (pages.flags[other]! & PG_BUSY) !== 0) return NO_PAGE;
    if (frees(index)) uvm.wiring.revoke(uvm, other);
    return makeClean(uvm, other) ? other : NO_PAGE;
  };
  const run = [page];
  let first = pages.offset[page]!;
  // To join is to be marked clean, so a page is asked only once there is room for it.
  while (run.length < most) {
    const other = join(first + run.length);
    if (other === NO_PAGE) break;
    run.push(other);
  }
  while (run.length < most) {
    const other = join(first - 1);
    if (other === NO_PAGE) break;
    run.unshift(other);
    first--;
  }
  transfer(uvm, vnode, run, flags, range, false);
}

/**
 * Writes consecutive pages, BUSY meanwhile, or only has them committed. Who waits or frees needs the commit at once; otherwise the
 * pages remember that it is due.
 *
 *     write ──▶ (committed?) ──▶ done, well or not
 *       ▲            │ lost
 *       └────────────┘
 */
function transfer(
  uvm: Uvm,
  vnode: Vnode,
  run: readonly number[],
  flags: PagerFlags,
  range: Range,
  written: boolean,
): void {
  const { pages, exp } = uvm;
  const { ops } = vnode;
  const pageout = (flags & PGO_PAGEOUT) !== 0;
  for (const member of run) {
    const index = pages.offset[member]!;
    if ((flags & PGO_DEACTIVATE) !== 0) uvm.deactivateIdle(member);
    pages.flags[member] = (pages.flags[member]! | PG_BUSY) & ~PG_NEEDCOMMIT;
    if ((flags & PGO_FREE) === 0 || index < range.first || index >= range.beyond) continue;
    pages.flags[member]! |= PG_RELEASED;
    if (!pageout) continue;
    pages.flags[member]! |= PG_PAGEOUT;
    exp.paging++;
    pages.dequeue(member);
  }
  if (pageout) exp.pdpageouts++;
  vnode.numoutput++;
  const offset = pages.offset[run[0]!]! * uvm.pageSize;
  const pas = run.map((member) => pages.pageAddress(member));
  const commitNow = (flags & (PGO_SYNCIO | PGO_FREE)) !== 0;
  const done = (error: Errno): void => finish(uvm, vnode, run, pageout, error);
  const write = (): void =>
    ops.write(offset, pas, (error) => {
      if (error !== 0 || ops.commit === undefined) done(error);
      else if (commitNow) commit();
      else {
        for (const member of run) pages.flags[member]! |= PG_NEEDCOMMIT;
        done(0);
      }
    });
  const commit = (): void =>
    ops.commit?.(offset, run.length * uvm.pageSize, (error) =>
      error === ESTALE ? write() : done(error),
    );
  if (written) commit();
  else write();
}

/** The pages of a transfer are free, or let go (uvm_aio_aiodone). */
function finish(
  uvm: Uvm,
  vnode: Vnode,
  run: readonly number[],
  pageout: boolean,
  error: Errno,
): void {
  const { pages, exp } = uvm;
  for (const member of run) {
    if ((pages.flags[member]! & PG_PAGEOUT) !== 0) {
      pages.flags[member]! &= ~PG_PAGEOUT;
      exp.paging--;
      if (error === 0) exp.pdfreed++;
      else uvm.failedPageouts++;
    }
    if (error !== 0) {
      pages.flags[member]! &= ~(PG_CLEAN | PG_RELEASED);
      pages.activate(member);
    }
    uvm.unbusy(member);
  }
  if (pageout) uvm.wakeup(CHANNEL_MEMORY);
  if (error !== 0 && vnode.writeError === 0) vnode.writeError = error;
  if (--vnode.numoutput === 0) uvm.wakeup(vnode.outputChannel);
}
