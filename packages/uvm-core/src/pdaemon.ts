import { KernelPanic, VM_PROT_NONE } from '@uvmkit/pmap';
import {
  NO_OWNER,
  NO_PAGE,
  PG_BUSY,
  PG_CLEAN,
  PG_WANTED,
  PQ_ACTIVE,
  PQ_INACTIVE,
  PQ_SWAPBACKED,
} from './page.ts';
import { SwapCluster } from './swap-cluster.ts';
import {
  CHANNEL_MEMORY,
  PGO_CLEANIT,
  PGO_FREE,
  PGO_PAGEOUT,
  type Sleeping,
  type WaitChannel,
} from './types.ts';
import type { PageDaemon, Uvm } from './uvm.ts';

/** Dirty pages that may come back because swap is full before the scan gives up (UVMPD_NUMDIRTYREACTS). */
const DIRTY_REACTIVATIONS = 16;
/** Scans without success before the last resort, and so many more before somebody is refused. */
const FRUITLESS = 4;

/**
 * The page daemon (uvm_pdaemon.c, September to December 2001): a thread that keeps some memory free.
 *
 *     active  ──deactivate, oldest first──▶  inactive  ──clean──▶ free
 *        ▲                                      │ │
 *        └──────────── referenced ──────────────┘ └─dirty─▶ being written ─▶ free
 */
export class Pdaemon implements PageDaemon {
  readonly #uvm: Uvm;
  /** Where it sleeps. */
  readonly channel: WaitChannel;
  #wanted = false;

  constructor(uvm: Uvm) {
    this.#uvm = uvm;
    this.channel = uvm.newChannel();
  }

  get signalled(): boolean {
    return this.#wanted;
  }

  wake(): void {
    this.#wanted = true;
    this.#uvm.wakeup(this.channel);
  }

  /** The thread's life. */
  *run(): Sleeping<never> {
    const { exp } = this.#uvm;
    let stuck = 0;
    let freed = 0;
    let failed = 0;
    for (;;) {
      while (!this.#wanted) yield this.channel;
      this.#wanted = false;
      exp.pdwoke++;
      if (exp.free > exp.reserve_kernel || exp.pdfreed !== freed) stuck = 0;
      else if (exp.paging === 0 || this.#uvm.failedPageouts !== failed) stuck++;
      freed = exp.pdfreed;
      failed = this.#uvm.failedPageouts;
      exp.inactarg = Math.max(Math.floor((exp.active + exp.inactive) / 3), exp.freetarg + 1);
      if (stuck === 2 * FRUITLESS) {
        // Whatever was tried has failed: somebody must do without.
        this.#uvm.exhausted = true;
        stuck = FRUITLESS;
      } else if (exp.free + exp.paging < exp.freetarg || exp.inactive < exp.inactarg) {
        this.#scan();
        if (stuck >= FRUITLESS && this.#hopeless) yield* this.#squeeze();
      }
      if (exp.free > exp.reserve_kernel || exp.paging === 0) this.#uvm.wakeup(CHANNEL_MEMORY);
    }
  }

  /** Nothing is free, and nothing is about to be. */
  get #hopeless(): boolean {
    const { exp } = this.#uvm;
    return exp.free <= exp.reserve_kernel && exp.paging === 0;
  }

  #scan(): void {
    const { exp, swap } = this.#uvm;
    exp.pdrevs++;
    if (exp.free < exp.freetarg) {
      exp.pdswout++;
      this.#uvm.collectIdle();
    }
    const freed = exp.pdfreed;
    this.#scanInactive(false);
    let swapShortage = 0;
    // Slots of resident pages can be had back when every slot is taken but not every slot is needed.
    if (
      exp.free < exp.freetarg &&
      exp.swpginuse === exp.swpages &&
      !swap.full &&
      exp.pdfreed === freed
    )
      swapShortage = exp.freetarg - exp.free;
    this.#scanActive(exp.inactarg - exp.inactive, swapShortage);
  }

  /**
   * The last resort: whatever is not in somebody's hands goes, used or not. If that frees nothing either, a transfer that
   * is under way may.
   */
  *#squeeze(): Sleeping<void> {
    const { pages } = this.#uvm;
    this.#scanActive(pages.pageCount, pages.pageCount);
    this.#scanInactive(true);
    if (!this.#hopeless) return;
    const busy = pages.flags.findIndex((flags) => (flags & PG_BUSY) !== 0);
    if (busy === NO_PAGE) return;
    pages.flags[busy]! |= PG_WANTED;
    yield busy;
  }

  /** Refills the inactive queue from the active one and takes slots back from resident pages. */
  #scanActive(inactiveShortage: number, swapShortage: number): void {
    const { exp, pages, pmap } = this.#uvm;
    let next: number;
    for (let page = pages.firstQueued(PQ_ACTIVE); page !== NO_PAGE; page = next) {
      if (inactiveShortage <= 0 && swapShortage <= 0) return;
      next = pages.queues.after(page);
      if ((pages.flags[page]! & PG_BUSY) !== 0) continue;
      if (pages.isAbandoned(page)) pages.adopt(page);
      if (swapShortage > 0 && this.#uvm.dropSwapOf(page)) {
        pages.flags[page]! &= ~PG_CLEAN;
        swapShortage--;
      }
      if (inactiveShortage > 0) {
        pmap.clearReference(pages.pageAddress(page));
        pages.deactivate(page);
        exp.pddeact++;
        inactiveShortage--;
      }
    }
  }

  /** @param desperate nothing is spared for having been used, or for what it is */
  #scanInactive(desperate: boolean): void {
    const { exp, pages, pmap } = this.#uvm;
    const balance = new Balance(this.#uvm);
    const cluster = new SwapCluster(this.#uvm);
    let dirtyReactivations = 0;
    for (let page = pages.firstQueued(PQ_INACTIVE); page !== NO_PAGE;) {
      if (exp.free + exp.paging >= exp.freetarg * 4) break;
      if (dirtyReactivations === DIRTY_REACTIVATIONS && !desperate) break;
      const next = pages.queues.after(page);
      exp.pdscans++;
      if (!desperate && pmap.clearReference(pages.pageAddress(page))) {
        pages.activate(page);
        exp.pdreact++;
      } else if (!desperate && balance.protects(page)) pages.activate(page);
      else if (this.#evict(page, cluster)) dirtyReactivations++;
      // What happens to a page may take others along: if the next one has gone, begin again.
      const stays = next === NO_PAGE || (pages.pqflags[next]! & PQ_INACTIVE) !== 0;
      page = stays ? next : pages.firstQueued(PQ_INACTIVE);
    }
    cluster.flush();
  }

  /** Frees a page, or sends it on its way out; or leaves it, if that cannot be. True if it came back because swap is full. */
  #evict(page: number, cluster: SwapCluster): boolean {
    const { exp, pages, pmap, swap } = this.#uvm;
    if (pages.isAbandoned(page)) pages.adopt(page);
    if ((pages.flags[page]! & PG_BUSY) !== 0) {
      exp.pdbusy++;
      return false;
    }
    if (pages.uobject[page] === NO_OWNER) exp.pdanscan++;
    else exp.pdobscan++;
    // Lent by an anon.
    if (pages.loanCount[page] !== 0 && pages.uobject[page] === NO_OWNER) return false;
    if ((pages.pqflags[page]! & PQ_SWAPBACKED) === 0) {
      this.#putPage(page);
      return false;
    }
    const pa = pages.pageAddress(page);
    pmap.pageProtect(pa, VM_PROT_NONE);
    if (pmap.clearModify(pa)) pages.flags[page]! &= ~PG_CLEAN;
    if ((pages.flags[page]! & PG_CLEAN) !== 0) {
      if (pages.slotOf(page) <= 0)
        throw new KernelPanic(
          'uvmpd_scan_inactive: clean page without a slot',
          pages.describe(page),
        );
      pages.free(page);
      exp.pdfreed++;
      return false;
    }
    if (exp.free + exp.paging > exp.freetarg * 4) return false;
    this.#uvm.dropSwapOf(page);
    if (swap.full) {
      pages.activate(page);
      return true;
    }
    cluster.add(page);
    return false;
  }

  /** Has a page's object write it, if it is dirty, and free it. */
  #putPage(page: number): void {
    const { pages, pageSize } = this.#uvm;
    const object = this.#uvm.objectById(pages.uobject[page]!);
    const offset = pages.offset[page]! * pageSize;
    const flags = PGO_CLEANIT | PGO_FREE | PGO_PAGEOUT;
    const put = object.pgops.put(this.#uvm, object, offset, offset + pageSize, flags);
    if (put.next().done !== true)
      throw new KernelPanic('uvm_pageout: the pager sleeps', pages.describe(page));
  }
}

/**
 * How memory is shared between anonymous, file and program pages: a kind below its minimum is spared, and so is one that keeps to its
 * maximum while another exceeds its own.
 */
class Balance {
  readonly #uvm: Uvm;
  readonly #anon: boolean;
  readonly #file: boolean;
  readonly #exec: boolean;

  constructor(uvm: Uvm) {
    this.#uvm = uvm;
    const { exp, swap } = uvm;
    const total = exp.active + exp.inactive + exp.free;
    const under = (pages: number, min: number): boolean => pages <= (total * min) / 256;
    const over = (pages: number, max: number): boolean => pages > (total * max) / 256;
    const anonOver = over(exp.anonpages, exp.anonmax);
    const fileOver = over(exp.filepages, exp.filemax);
    const execOver = over(exp.execpages, exp.execmax);
    const anon = under(exp.anonpages, exp.anonmin) || (!anonOver && (fileOver || execOver));
    const file = under(exp.filepages, exp.filemin) || (!fileOver && (anonOver || execOver));
    const exec = under(exp.execpages, exp.execmin) || (!execOver && (anonOver || fileOver));
    // If nothing could be taken at all, take anything.
    const none = file && exec && (anon || swap.full);
    this.#anon = anon && !none;
    this.#file = file && !none;
    this.#exec = exec && !none;
  }

  protects(page: number): boolean {
    const { pages, exp } = this.#uvm;
    if ((pages.pqflags[page]! & PQ_SWAPBACKED) !== 0) {
      if (this.#anon) exp.pdreanon++;
      return this.#anon;
    }
    const id = pages.uobject[page]!;
    if (id === NO_OWNER) return false;
    const object = this.#uvm.objectById(id);
    const text = object.pgops.isText(object);
    if (text && this.#exec) exp.pdreexec++;
    if (!text && this.#file) exp.pdrefile++;
    return text ? this.#exec : this.#file;
  }
}
