import {
  type EventStream,
  KernelPanic,
  NO_PA,
  type Pa,
  type PhysSegment,
  type Pmap,
  type PmapServices,
} from '@uvmkit/pmap';
import type { Anons } from './anon.ts';
import type { Uvmexp } from './exp.ts';
import { LIST_END, type UvmObject } from './object.ts';
import { NO_PAGE, PageQueues } from './page-queue.ts';

export { NO_PAGE };

/** Page flags, of whoever owns the page (`vm_page.flags`). */
/** Held by one operation; nobody else may touch it. */
export const PG_BUSY = 0x001;
/** Someone sleeps until BUSY clears. */
export const PG_WANTED = 0x002;
/** In its object's page table. */
export const PG_TABLED = 0x004;
/** Backing store holds the same, as far as UVM knows; the pmap's modified bit has the last word. */
export const PG_CLEAN = 0x008;
/** Written to a server that has not put it on its disk yet (PG_PAGER1, NFS): to be committed before it is freed. */
export const PG_NEEDCOMMIT = 0x010;
/** Disposed of while busy: whoever clears BUSY frees it. */
export const PG_RELEASED = 0x020;
/** Contents not valid yet. */
export const PG_FAKE = 0x040;
/** Over a hole of its file: must be mapped without write. */
export const PG_RDONLY = 0x080;
/** All zeroes; meaningful while free. */
export const PG_ZERO = 0x100;
/** Being written by the page daemon, to be freed then. */
export const PG_PAGEOUT = 0x200;

/** Where a page is (`vm_page.pqflags`). */
export const PQ_FREE = 0x01;
export const PQ_INACTIVE = 0x02;
export const PQ_ACTIVE = 0x04;
/** An anon owns the page. */
export const PQ_ANON = 0x10;
/** A swap-backed object owns the page. */
export const PQ_AOBJ = 0x20;
export const PQ_PAGEQ = 0x06;
export const PQ_SWAPBACKED = 0x30;

/** Flags of {@link Pages.alloc}. */
/** May dip into the kernel's reserve. */
export const UVM_PGA_USERESERVE = 1;
/** The page must be zeroed. */
export const UVM_PGA_ZERO = 2;

/** No object, no anon. */
export const NO_OWNER = -1;

const QUEUE_ACTIVE = 0;
const QUEUE_INACTIVE = 1;
const QUEUE_FREE = 2;

/** What {@link Pages} needs to know of the rest of UVM. */
export interface PagesContext {
  readonly pmap: Pmap;
  readonly events: EventStream;
  readonly exp: Uvmexp;
  readonly anons: Anons;
  readonly pageSize: number;
  readonly segments: readonly PhysSegment[];
  /** Cache colours: a power of two. */
  readonly colours: number;
  /** The object with that id. */
  objectById(id: number): UvmObject;
  /** Free memory is getting short. */
  kickDaemon(): void;
}

/**
 * Every page of managed memory (`vm_page`): flags, owner, counts, and the queues it is on.
 *
 * A page is named by its index; its fields are parallel arrays, some forty bytes a page in all. Of an object's page
 * `offset` is the page index within the object. Ownership:
 *
 *     uobject set                    the object owns it; with uanon set too, an anon has borrowed it
 *     uobject unset, PQ_ANON         the anon owns it
 *     neither, loanCount > 0         an orphan, kept by its borrowers
 */
export class Pages implements PmapServices {
  readonly flags: Uint16Array;
  readonly pqflags: Uint8Array;
  readonly wireCount: Uint16Array;
  readonly loanCount: Uint16Array;
  /** Id of the owning object, or {@link NO_OWNER}. */
  readonly uobject: Int32Array;
  /** Index of the owning or borrowing anon, or {@link NO_OWNER}. */
  readonly uanon: Int32Array;
  /** Page index within the object. */
  readonly offset: Int32Array;
  /** Pages that {@link pin} keeps, and how often. */
  readonly pins: Map<number, number> = new Map();
  readonly segments: readonly PhysSegment[];
  readonly pageCount: number;
  readonly queues: PageQueues;
  /** Pages that the port has for its tables: they have no owner and are on no queue. */
  tablePages = 0;
  /** Pages of kernel memory that interrupts may use: likewise. */
  kernelPages = 0;
  readonly #context: PagesContext;
  readonly #pageSize: number;
  readonly #firstIndex: readonly number[];
  readonly #bucket: Int32Array;
  readonly #hashNext: Int32Array;
  readonly #listNext: Int32Array;
  readonly #listPrev: Int32Array;
  #nextColour = 0;

  constructor(context: PagesContext) {
    const { segments, pageSize, colours } = context;
    this.#context = context;
    this.segments = segments;
    this.#pageSize = pageSize;
    const firsts: number[] = [];
    let count = 0;
    for (const segment of segments) {
      firsts.push(count);
      count += (segment.end - segment.start) / pageSize;
    }
    this.#firstIndex = firsts;
    this.pageCount = count;
    this.flags = new Uint16Array(count);
    this.pqflags = new Uint8Array(count);
    this.wireCount = new Uint16Array(count);
    this.loanCount = new Uint16Array(count);
    this.uobject = new Int32Array(count).fill(NO_OWNER);
    this.uanon = new Int32Array(count).fill(NO_OWNER);
    this.offset = new Int32Array(count);
    this.#hashNext = new Int32Array(count);
    this.#listNext = new Int32Array(count);
    this.#listPrev = new Int32Array(count);
    this.#bucket = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(count, 2)))).fill(NO_PAGE);
    this.queues = new PageQueues(count, QUEUE_FREE + 2 * colours);
    for (let page = 0; page < count; page++) {
      this.pqflags[page] = PQ_FREE;
      this.queues.insertTail(this.#freeQueue(page, 0), page);
    }
    const { exp } = context;
    exp.npages = count;
    exp.free = count;
  }

  // Addresses.

  isManaged(pa: Pa): boolean {
    return this.pageIndex(pa) !== NO_PAGE;
  }

  pageIndex(pa: Pa): number {
    for (let i = 0; i < this.segments.length; i++) {
      const segment = this.segments[i]!;
      if (pa >= segment.start && pa < segment.end)
        return this.#firstIndex[i]! + Math.floor((pa - segment.start) / this.#pageSize);
    }
    return NO_PAGE;
  }

  pageAddress(page: number): Pa {
    let i = this.segments.length - 1;
    while (i > 0 && page < this.#firstIndex[i]!) i--;
    return this.segments[i]!.start + (page - this.#firstIndex[i]!) * this.#pageSize;
  }

  // Table pages for the port.

  allocPage(): Pa {
    const page = this.alloc(null, 0, NO_OWNER, UVM_PGA_USERESERVE | UVM_PGA_ZERO);
    if (page === NO_PAGE) return NO_PA;
    this.flags[page]! &= ~(PG_BUSY | PG_FAKE);
    this.tablePages++;
    return this.pageAddress(page);
  }

  freePage(pa: Pa): void {
    this.tablePages--;
    this.free(this.pageIndex(pa));
  }

  // Allocation.

  /**
   * Takes a free page (`uvm_pagealloc`). It comes BUSY, CLEAN and FAKE (not CLEAN if zeroed), on no queue, owned by the object at
   * page index `offset`, or by the anon, or by nobody.
   *
   * @returns its index, or {@link NO_PAGE} if only the reserve is left
   */
  alloc(object: UvmObject | null, offset: number, anon: number, flags: number): number {
    const { exp } = this.#context;
    if (
      exp.free + exp.paging < exp.freemin ||
      (exp.free + exp.paging < exp.freetarg && exp.inactive < exp.inactarg)
    )
      this.#context.kickDaemon();
    const reserved = (flags & UVM_PGA_USERESERVE) === 0 && (object === null || object.refs >= 0);
    if (exp.free <= (reserved ? exp.reserve_kernel : exp.reserve_pagedaemon)) return NO_PAGE;
    const page = this.#takeFree((flags & UVM_PGA_ZERO) !== 0);
    const zeroed = (this.flags[page]! & PG_ZERO) !== 0;
    this.flags[page] = PG_BUSY | PG_CLEAN | PG_FAKE;
    this.pqflags[page] = 0;
    if (anon !== NO_OWNER) {
      this.uanon[page] = anon;
      this.#context.anons.page[anon] = page;
      this.pqflags[page] = PQ_ANON;
      exp.anonpages++;
    } else if (object !== null) this.insert(page, object, offset);
    if ((flags & UVM_PGA_ZERO) !== 0) {
      this.flags[page]! &= ~PG_CLEAN;
      if (zeroed) exp.pga_zerohit++;
      else {
        exp.pga_zeromiss++;
        this.#context.pmap.zeroPage(this.pageAddress(page));
      }
    }
    if (this.#context.events.watched)
      this.#context.events.emit(
        'page.alloc',
        this.pageAddress(page),
        anon !== NO_OWNER ? anon : (object?.id ?? NO_OWNER),
        offset,
      );
    return page;
  }

  /**
   * Frees a page (`uvm_pagefree`). Nothing maps it any more and it is not being paged out. A page on loan is only
   * let go by its owner; the last borrower frees it.
   */
  free(page: number): void {
    const { exp, anons } = this.#context;
    if ((this.flags[page]! & PG_PAGEOUT) !== 0 || (this.pqflags[page]! & PQ_FREE) !== 0)
      throw new KernelPanic(
        'uvm_pagefree: page is free already or being paged out',
        this.describe(page),
      );
    if (this.loanCount[page]! > 0 || (this.wireCount[page] !== 0 && this.pins.has(page))) {
      this.#orphan(page);
      return;
    }
    if (this.slotOf(page) > 0) exp.swpgonly++;
    if ((this.flags[page]! & PG_TABLED) !== 0) this.remove(page);
    const anon = this.uanon[page]!;
    if (anon !== NO_OWNER && (this.pqflags[page]! & PQ_ANON) !== 0) {
      anons.page[anon] = NO_PAGE;
      exp.anonpages--;
    }
    this.dequeue(page);
    if (this.wireCount[page] !== 0) {
      this.wireCount[page] = 0;
      exp.wired--;
    }
    this.flags[page] = 0;
    this.uanon[page] = NO_OWNER;
    this.pqflags[page] = PQ_FREE;
    this.queues.insertTail(this.#freeQueue(page, 0), page);
    exp.free++;
    if (this.#context.events.watched)
      this.#context.events.emit('page.free', this.pageAddress(page));
  }

  /** The owner lets a page go that is on loan, or pinned: from now on it belongs to its borrowers. */
  #orphan(page: number): void {
    const { exp, anons } = this.#context;
    if (this.slotOf(page) > 0) exp.swpgonly++;
    if ((this.flags[page]! & PG_TABLED) !== 0) {
      this.remove(page);
      this.flags[page]! &= ~PG_CLEAN;
      if (this.uanon[page] !== NO_OWNER) {
        this.adopt(page);
        // A page on its way out was on no queue.
        this.activate(page);
        return;
      }
    } else if ((this.pqflags[page]! & PQ_ANON) !== 0) {
      anons.page[this.uanon[page]!] = NO_PAGE;
      this.pqflags[page]! &= ~PQ_ANON;
      this.uanon[page] = NO_OWNER;
      exp.anonpages--;
    }
    this.dequeue(page);
  }

  /** The anon that borrowed a page whose lender is gone owns it from now on. No backing store has the contents. */
  adopt(page: number): void {
    this.pqflags[page]! |= PQ_ANON;
    this.flags[page]! &= ~PG_CLEAN;
    this.loanCount[page]!--;
    this.#context.exp.anonpages++;
  }

  /** Whether {@link adopt} is due. */
  isAbandoned(page: number): boolean {
    return (
      this.loanCount[page] !== 0 &&
      this.uobject[page] === NO_OWNER &&
      this.uanon[page] !== NO_OWNER &&
      (this.pqflags[page]! & PQ_ANON) === 0
    );
  }

  /** The swap slot that the page's owner has for it: 0 for none, {@link SWSLOT_BAD} if it is lost. */
  slotOf(page: number): number {
    if ((this.pqflags[page]! & PQ_ANON) !== 0)
      return this.#context.anons.swslot[this.uanon[page]!]!;
    if ((this.flags[page]! & PG_TABLED) === 0) return 0;
    const object = this.#context.objectById(this.uobject[page]!);
    return object.pgops.slotOf?.(object, this.offset[page]!) ?? 0;
  }

  #freeQueue(page: number, zeroed: number): number {
    return QUEUE_FREE + 2 * (page & this.#context.exp.colormask) + zeroed;
  }

  /** The head of the queue preferred (zeroed or not) of the next colour that has a page at all. */
  #takeFree(wantZero: boolean): number {
    const { exp } = this.#context;
    const preferred = wantZero ? 1 : 0;
    for (let tried = 0; tried < exp.ncolors; tried++) {
      const colour = (this.#nextColour + tried) & exp.colormask;
      for (const zeroed of [preferred, 1 - preferred]) {
        const queue = QUEUE_FREE + 2 * colour + zeroed;
        const page = this.queues.first(queue);
        if (page === NO_PAGE) continue;
        this.queues.remove(queue, page);
        if (tried === 0) exp.colorhit++;
        else exp.colormiss++;
        this.#nextColour = (colour + 1) & exp.colormask;
        exp.free--;
        if (zeroed === 1) exp.zeropages--;
        return page;
      }
    }
    throw new KernelPanic('uvm_pagealloc: free count and free queues disagree', { free: exp.free });
  }

  /**
   * Zeroes free pages while nobody runs (`uvm_pageidlezero`), until `target` zeroed pages wait or
   * `budget` pages are done.
   *
   * @returns pages zeroed
   */
  idleZero(target: number, budget: number): number {
    const { exp } = this.#context;
    let done = 0;
    for (let colour = 0; colour < exp.ncolors; colour++) {
      const queue = QUEUE_FREE + 2 * colour;
      while (done < budget && exp.zeropages < target) {
        const page = this.queues.first(queue);
        if (page === NO_PAGE) break;
        this.queues.remove(queue, page);
        this.#context.pmap.zeroPage(this.pageAddress(page));
        this.flags[page] = PG_ZERO;
        this.queues.insertHead(queue + 1, page);
        exp.zeropages++;
        done++;
      }
    }
    return done;
  }

  // Objects.

  /** The object's page at that page index, or {@link NO_PAGE} (`uvm_pagelookup`). */
  lookup(object: UvmObject, offset: number): number {
    let page = this.#bucket[this.#hash(object.id, offset)]!;
    while (page !== NO_PAGE && (this.offset[page] !== offset || this.uobject[page] !== object.id))
      page = this.#hashNext[page]!;
    return page;
  }

  #hash(object: number, offset: number): number {
    return (Math.imul(object, 0x9e3779b1) + offset) & (this.#bucket.length - 1);
  }

  /** Puts an unowned page into the object's page table (`uvm_pageinsert`). */
  insert(page: number, object: UvmObject, offset: number): void {
    const hash = this.#hash(object.id, offset);
    this.uobject[page] = object.id;
    this.offset[page] = offset;
    this.#hashNext[page] = this.#bucket[hash]!;
    this.#bucket[hash] = page;
    this.#listNext[page] = object.memq;
    this.#listPrev[page] = LIST_END;
    if (object.memq !== LIST_END) this.#listPrev[object.memq] = page;
    object.memq = page;
    object.npages++;
    this.flags[page]! |= PG_TABLED;
    if (object.locks !== null)
      for (let locks = object.locks.get(offset) ?? 0; locks > 0; locks--) this.wire(page);
    if (object.pgops.census === 'anon') this.pqflags[page]! |= PQ_AOBJ;
    this.#census(object, 1);
  }

  /** Takes a page out of its object's page table; it is nobody's then (`uvm_pageremove`). */
  remove(page: number): void {
    const object = this.#context.objectById(this.uobject[page]!);
    const hash = this.#hash(object.id, this.offset[page]!);
    if (this.#bucket[hash] === page) this.#bucket[hash] = this.#hashNext[page]!;
    else {
      let before = this.#bucket[hash]!;
      while (this.#hashNext[before] !== page) before = this.#hashNext[before]!;
      this.#hashNext[before] = this.#hashNext[page]!;
    }
    if (object.locks !== null)
      for (let locks = object.locks.get(this.offset[page]!) ?? 0; locks > 0; locks--)
        this.unwire(page);
    const next = this.#listNext[page]!;
    const prev = this.#listPrev[page]!;
    if (prev === LIST_END) object.memq = next;
    else this.#listNext[prev] = next;
    if (next !== LIST_END) this.#listPrev[next] = prev;
    object.npages--;
    this.uobject[page] = NO_OWNER;
    this.flags[page]! &= ~PG_TABLED;
    this.pqflags[page]! &= ~PQ_AOBJ;
    this.#census(object, -1);
  }

  /** The next resident page of the same object, or {@link LIST_END}. */
  nextInObject(page: number): number {
    return this.#listNext[page]!;
  }

  #census(object: UvmObject, delta: number): void {
    const { exp } = this.#context;
    const { census } = object.pgops;
    if (census === 'anon') exp.anonpages += delta;
    else if (census === 'file') {
      if (object.pgops.isText(object)) exp.execpages += delta;
      else exp.filepages += delta;
    }
  }

  // Queues and wiring.

  /** Puts an unwired page at the tail of the active queue (`uvm_pageactivate`). */
  activate(page: number): void {
    const { exp } = this.#context;
    const queued = this.pqflags[page]!;
    if ((queued & PQ_INACTIVE) !== 0) {
      this.queues.remove(QUEUE_INACTIVE, page);
      exp.inactive--;
    } else if ((queued & PQ_ACTIVE) !== 0) {
      this.queues.remove(QUEUE_ACTIVE, page);
      exp.active--;
    }
    this.pqflags[page] = queued & ~PQ_PAGEQ;
    if (this.wireCount[page] !== 0) return;
    this.queues.insertTail(QUEUE_ACTIVE, page);
    this.pqflags[page]! |= PQ_ACTIVE;
    exp.active++;
    if (this.#context.events.watched)
      this.#context.events.emit('page.queue', this.pageAddress(page), PQ_ACTIVE);
  }

  /** Puts an unwired page at the tail of the inactive queue, if it is not on it (`uvm_pagedeactivate`). */
  deactivate(page: number): void {
    const { exp } = this.#context;
    if ((this.pqflags[page]! & PQ_INACTIVE) !== 0) return;
    if (this.wireCount[page] !== 0)
      throw new KernelPanic('uvm_pagedeactivate: page is wired', this.describe(page));
    this.dequeue(page);
    this.queues.insertTail(QUEUE_INACTIVE, page);
    this.pqflags[page]! |= PQ_INACTIVE;
    exp.inactive++;
    if (this.#context.events.watched)
      this.#context.events.emit('page.queue', this.pageAddress(page), PQ_INACTIVE);
  }

  /** Takes a page off whichever paging queue it is on. */
  dequeue(page: number): void {
    const { exp } = this.#context;
    const queued = this.pqflags[page]!;
    if ((queued & PQ_ACTIVE) !== 0) {
      this.queues.remove(QUEUE_ACTIVE, page);
      exp.active--;
    } else if ((queued & PQ_INACTIVE) !== 0) {
      this.queues.remove(QUEUE_INACTIVE, page);
      exp.inactive--;
    } else return;
    this.pqflags[page] = queued & ~PQ_PAGEQ;
  }

  /** Counts one more reason to keep the page in memory (`uvm_pagewire`). */
  wire(page: number): void {
    if (this.wireCount[page] === 0) {
      this.dequeue(page);
      this.#context.exp.wired++;
    }
    this.wireCount[page]!++;
    if (this.#context.events.watched)
      this.#context.events.emit('page.wire', this.pageAddress(page), this.wireCount[page]);
  }

  /**
   * Counts one fewer (`uvm_pageunwire`).
   *
   * @throws KernelPanic if none is left: the 2001 kernel wrapped around unseen, a model must not
   */
  unwire(page: number): void {
    if (this.wireCount[page] === 0)
      throw new KernelPanic('uvm_pageunwire: wire count underflow', this.describe(page));
    this.wireCount[page]!--;
    if (this.wireCount[page] === 0) {
      this.#context.exp.wired--;
      this.activate(page);
    }
    if (this.#context.events.watched)
      this.#context.events.emit('page.unwire', this.pageAddress(page), this.wireCount[page]);
  }

  /** Keeps a page from being used for anything else, whatever becomes of its owner: a device is at work on it. */
  pin(page: number): void {
    this.pins.set(page, (this.pins.get(page) ?? 0) + 1);
    this.wire(page);
  }

  /** Ends {@link pin}; a page that nobody owns any more, and nobody has borrowed, is free then. */
  unpin(page: number): void {
    const left = (this.pins.get(page) ?? 0) - 1;
    if (left < 0) throw new RangeError(`unpin: page ${page} is not pinned`);
    if (left === 0) this.pins.delete(page);
    else this.pins.set(page, left);
    this.unwire(page);
    const owned = this.uobject[page] !== NO_OWNER || this.uanon[page] !== NO_OWNER;
    if (left === 0 && !owned && this.loanCount[page] === 0) this.free(page);
  }

  /** The oldest page of the inactive (or active) queue, or {@link NO_PAGE}. */
  firstQueued(which: typeof PQ_ACTIVE | typeof PQ_INACTIVE): number {
    return this.queues.first(which === PQ_ACTIVE ? QUEUE_ACTIVE : QUEUE_INACTIVE);
  }

  /** The pages of the inactive (or active) queue, oldest first. */
  *queued(which: typeof PQ_ACTIVE | typeof PQ_INACTIVE): Generator<number, void, void> {
    const queue = which === PQ_ACTIVE ? QUEUE_ACTIVE : QUEUE_INACTIVE;
    for (let page = this.queues.first(queue); page !== NO_PAGE; page = this.queues.after(page))
      yield page;
  }

  /** The free pages, zeroed ones included. */
  *freePages(): Generator<number, void, void> {
    for (let queue = QUEUE_FREE; queue < QUEUE_FREE + 2 * this.#context.exp.ncolors; queue++)
      for (let page = this.queues.first(queue); page !== NO_PAGE; page = this.queues.after(page))
        yield page;
  }

  /** What a panic or the debugger says of a page. */
  describe(page: number): Record<string, number> {
    return {
      page,
      pa: this.pageAddress(page),
      flags: this.flags[page]!,
      pqflags: this.pqflags[page]!,
      wire_count: this.wireCount[page]!,
      loan_count: this.loanCount[page]!,
      uobject: this.uobject[page]!,
      uanon: this.uanon[page]!,
      offset: this.offset[page]!,
    };
  }

  /** Bytes of bookkeeping, over all pages. */
  get bytes(): number {
    const arrays = [
      this.flags,
      this.pqflags,
      this.wireCount,
      this.loanCount,
      this.uobject,
      this.uanon,
      this.offset,
    ];
    const links = [this.#bucket, this.#hashNext, this.#listNext, this.#listPrev];
    return [...arrays, ...links].reduce((sum, array) => sum + array.byteLength, this.queues.bytes);
  }
}
