import { VM_PROT_NONE } from '@uvmkit/pmap';
import { NO_OWNER, PG_BUSY, PG_CLEAN, PQ_ACTIVE, PQ_ANON, PQ_INACTIVE, PQ_SWAPBACKED, type Pages } from './page.ts';
import { SwapCluster } from './swap-cluster.ts';
import { CHANNEL_MEMORY, PGO_CLEANIT, PGO_FREE, PGO_PAGEOUT, type Sleeping, type WaitChannel } from './types.ts';
import { type PageDaemon, type Uvm } from './uvm.ts';

/** Dirty pages that may come back because swap is full before the scan gives up (UVMPD_NUMDIRTYREACTS). */
const DIRTY_REACTIVATIONS = 16;

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

  wake(): void {
    this.#wanted = true;
    this.#uvm.wakeup(this.channel);
  }

  /** The thread's life. */
  *run(): Sleeping<never> {
    const { exp } = this.#uvm;
    for (;;) {
      while (!this.#wanted) yield this.channel;
      this.#wanted = false;
      exp.pdwoke++;
      exp.inactarg = Math.max(Math.floor((exp.active + exp.inactive) / 3), exp.freetarg + 1);
      if (exp.free + exp.paging < exp.freetarg || exp.inactive < exp.inactarg) yield* this.#scan();
      if (exp.free > exp.reserve_kernel || exp.paging === 0) this.#uvm.wakeup(CHANNEL_MEMORY);
    }
  }

  *#scan(): Sleeping<void> {
    const { exp, swap } = this.#uvm;
    exp.pdrevs++;
    if (exp.free < exp.freetarg) {
      exp.pdswout++;
      this.#uvm.collectIdle();
    }
    const freed = exp.pdfreed;
    yield* this.#scanInactive();
    let swapShortage = 0;
    // Slots of resident pages can be had back when every slot is taken but not every slot is needed.
    if (exp.free < exp.freetarg && exp.swpginuse === exp.swpages && !swap.full && exp.pdfreed === freed) swapShortage = exp.freetarg - exp.free;
    this.#scanActive(exp.inactarg - exp.inactive, swapShortage);
  }

  /** Refills the inactive queue from the active one and takes slots back from resident pages. */
  #scanActive(inactiveShortage: number, swapShortage: number): void {
    const { exp, pages, pmap } = this.#uvm;
    for (const page of snapshot(pages, PQ_ACTIVE)) {
      if (inactiveShortage <= 0 && swapShortage <= 0) return;
      if ((pages.flags[page]! & PG_BUSY) !== 0) continue;
      this.#adopt(page);
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

  /** An anon whose page's lender is gone owns the page. */
  #adopt(page: number): void {
    const { pages, exp } = this.#uvm;
    if (pages.loanCount[page] === 0 || pages.uobject[page] !== NO_OWNER || pages.uanon[page] === NO_OWNER) return;
    if ((pages.pqflags[page]! & PQ_ANON) !== 0) return;
    pages.pqflags[page]! |= PQ_ANON;
    pages.loanCount[page]!--;
    exp.anonpages++;
  }

  *#scanInactive(): Sleeping<void> {
    const { exp, pages, pmap, swap } = this.#uvm;
    const balance = new Balance(this.#uvm);
    const cluster = new SwapCluster(this.#uvm);
    let dirtyReactivations = 0;
    for (const page of snapshot(pages, PQ_INACTIVE)) {
      // The queue changed while a write slept or freed neighbours.
      if ((pages.pqflags[page]! & PQ_INACTIVE) === 0) continue;
      if (exp.free + exp.paging >= exp.freetarg * 4 || dirtyReactivations === DIRTY_REACTIVATIONS) break;
      exp.pdscans++;
      const pa = pages.pageAddress(page);
      if (pmap.clearReference(pa)) {
        pages.activate(page);
        exp.pdreact++;
        continue;
      }
      if (balance.protects(page)) {
        pages.activate(page);
        continue;
      }
      this.#adopt(page);
      if ((pages.flags[page]! & PG_BUSY) !== 0) {
        exp.pdbusy++;
        continue;
      }
      if (pages.uanon[page] !== NO_OWNER && pages.uobject[page] === NO_OWNER) exp.pdanscan++;
      else exp.pdobscan++;
      if (pages.loanCount[page] !== 0 && pages.uobject[page] === NO_OWNER) continue;
      if ((pages.pqflags[page]! & PQ_SWAPBACKED) === 0) {
        const object = this.#uvm.objectById(pages.uobject[page]!);
        const offset = pages.offset[page]! * this.#uvm.pageSize;
        yield* object.pgops.put(this.#uvm, object, offset, offset + this.#uvm.pageSize, PGO_CLEANIT | PGO_FREE | PGO_PAGEOUT);
        continue;
      }
      pmap.pageProtect(pa, VM_PROT_NONE);
      if (pmap.clearModify(pa)) pages.flags[page]! &= ~PG_CLEAN;
      if ((pages.flags[page]! & PG_CLEAN) !== 0) {
        pages.free(page);
        exp.pdfreed++;
        continue;
      }
      if (exp.free + exp.paging > exp.freetarg * 4) continue;
      this.#uvm.dropSwapOf(page);
      if (swap.full) {
        dirtyReactivations++;
        pages.activate(page);
        continue;
      }
      cluster.add(page);
    }
    cluster.flush();
  }
}

/** The pages of a queue as it stands, oldest first: what happens to one may move others. */
function snapshot(pages: Pages, queue: typeof PQ_ACTIVE | typeof PQ_INACTIVE): readonly number[] {
  return [...pages.queued(queue)];
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
