import { EBUSY, EINVAL, EIO, type Errno, KernelPanic, VM_PROT_NONE } from '@uvmkit/pmap';
import { SWSLOT_BAD } from './anon.ts';
import { type PagerOps, UVM_OBJ_KERN, UvmObject } from './object.ts';
import {
  NO_OWNER,
  NO_PAGE,
  PG_BUSY,
  PG_FAKE,
  PG_RELEASED,
  PG_WANTED,
  PQ_AOBJ,
  UVM_PGA_ZERO,
} from './page.ts';
import {
  type Outcome,
  PAGE_NULL,
  PGO_ALLPAGES,
  PGO_CLEANIT,
  PGO_DEACTIVATE,
  PGO_FREE,
  PGO_LOCKED,
  type Sleeping,
} from './types.ts';
import type { Uvm } from './uvm.ts';

/** Objects up to this many pages keep their slots in an array, larger ones in clusters (UAO_SWHASH_THRESHOLD). */
const ARRAY_PAGES = 64;
/** Slots in a cluster. */
const CLUSTER_SHIFT = 4;

/**
 * An anonymous object (`uvm_aobj`): memory without a file, backed by swap. System V shared memory and
 * pageable kernel memory are made of these.
 */
export class Aobj extends UvmObject {
  /** Pages it spans. */
  readonly pageCount: number;
  /** The last reference went while pages were busy: it dies with the last of them (UAO_FLAG_KILLME). */
  dying = false;
  readonly #array: Int32Array | null;
  readonly #clusters: Map<number, Int32Array> = new Map();

  constructor(uvm: Uvm, pageCount: number, kernel = false) {
    super(uvm, aobjPager);
    this.pageCount = pageCount;
    if (kernel) this.refs = UVM_OBJ_KERN;
    this.#array = pageCount <= ARRAY_PAGES ? new Int32Array(pageCount) : null;
    uvm.aobjs.add(this);
  }

  /** The page's swap slot; 0 for none (uao_find_swslot). */
  slot(index: number): number {
    if (this.#array !== null) return this.#array[index]!;
    return this.#clusters.get(index >> CLUSTER_SHIFT)?.[index & ((1 << CLUSTER_SHIFT) - 1)] ?? 0;
  }

  /** Sets the page's swap slot and returns the one it had (uao_set_swslot). */
  setSlot(index: number, slot: number): number {
    if (this.#array !== null) {
      const old = this.#array[index]!;
      this.#array[index] = slot;
      return old;
    }
    const tag = index >> CLUSTER_SHIFT;
    let cluster = this.#clusters.get(tag);
    if (cluster === undefined) {
      if (slot === 0) return 0;
      cluster = new Int32Array(1 << CLUSTER_SHIFT);
      this.#clusters.set(tag, cluster);
    }
    const at = index & ((1 << CLUSTER_SHIFT) - 1);
    const old = cluster[at]!;
    cluster[at] = slot;
    if (slot === 0 && cluster.every((each) => each === 0)) this.#clusters.delete(tag);
    return old;
  }

  /** Page index and slot of every page that has one. */
  *slots(): Generator<readonly [index: number, slot: number], void, void> {
    if (this.#array !== null) {
      for (let index = 0; index < this.#array.length; index++)
        if (this.#array[index] !== 0) yield [index, this.#array[index]!];
      return;
    }
    for (const [tag, cluster] of this.#clusters)
      for (let at = 0; at < cluster.length; at++)
        if (cluster[at] !== 0) yield [(tag << CLUSTER_SHIFT) + at, cluster[at]!];
  }
}

/** Forgets a page's slot; if only swap had the data, it has it no more (uao_dropswap). */
export function aobjDropSwap(uvm: Uvm, aobj: Aobj, index: number): void {
  const slot = aobj.setSlot(index, 0);
  if (slot === 0 || slot === SWSLOT_BAD) return;
  uvm.swap.free(slot, 1);
  if (uvm.pages.lookup(aobj, index) === NO_PAGE) uvm.exp.swpgonly--;
}

/** The aobj pager (`aobj_pager`). */
export const aobjPager: PagerOps = {
  name: 'aobj',
  census: 'anon',

  reference(_uvm, object) {
    if (object.refs >= 0) object.refs++;
  },

  detach(uvm, object) {
    if (object.refs < 0 || --object.refs > 0) return;
    destroy(uvm, object as Aobj);
  },

  get(uvm, object, offset, into, count, centre, _access, _advice, flags): Outcome {
    const aobj = object as Aobj;
    const first = uvm.atop(offset);
    const all = (flags & PGO_ALLPAGES) !== 0;
    if (first + centre >= aobj.pageCount) return EINVAL;
    if ((flags & PGO_LOCKED) !== 0) return getResident(uvm, aobj, first, into, count, centre, all);
    for (let i = 0; i < count; i++) {
      if (into[i] !== PAGE_NULL || (i !== centre && !all)) continue;
      const outcome = getPage(uvm, aobj, first + i);
      if (outcome === 0) {
        into[i] = uvm.gotPage;
        continue;
      }
      for (let taken = 0; taken < i; taken++)
        if (into[taken]! >= 0) {
          uvm.unbusy(into[taken]!);
          into[taken] = PAGE_NULL;
        }
      return outcome;
    }
    return 0;
  },

  put(uvm, object, start, stop, flags): Sleeping<Errno> {
    return put(uvm, object as Aobj, start, stop, flags);
  },

  deactivate(uvm, object, start, stop) {
    for (let index = uvm.atop(start); index < uvm.atop(stop); index++) {
      const page = uvm.pages.lookup(object, index);
      if (page !== NO_PAGE) uvm.deactivateIdle(page);
    }
  },

  released(uvm, object, page) {
    const aobj = object as Aobj;
    uvm.pmap.pageProtect(uvm.pages.pageAddress(page), VM_PROT_NONE);
    aobjDropSwap(uvm, aobj, uvm.pages.offset[page]!);
    uvm.pages.free(page);
    if (aobj.dying && aobj.npages === 0) aobjReap(uvm, aobj);
  },

  slotOf: (object, index) => (object as Aobj).slot(index),
  setSlot: (object, index, slot) => (object as Aobj).setSlot(index, slot),
  isText: () => false,
  markText: () => undefined,
};

function getResident(
  uvm: Uvm,
  aobj: Aobj,
  first: number,
  into: Int32Array,
  count: number,
  centre: number,
  all: boolean,
): Outcome {
  const { pages } = uvm;
  let missing = false;
  for (let i = 0; i < count; i++) {
    if (into[i] !== PAGE_NULL || first + i >= aobj.pageCount) continue;
    let page = pages.lookup(aobj, first + i);
    // A page never touched costs no I/O: make it here. Neighbours are not made for the sake of being near.
    if (page === NO_PAGE && aobj.slot(first + i) === 0 && (i === centre || all)) {
      page = newPage(uvm, aobj, first + i, UVM_PGA_ZERO);
      if (page !== NO_PAGE) {
        pages.flags[page]! &= ~PG_FAKE;
        into[i] = page;
        continue;
      }
    }
    if (page === NO_PAGE || (pages.flags[page]! & PG_BUSY) !== 0) missing ||= i === centre || all;
    else {
      pages.flags[page]! |= PG_BUSY;
      into[i] = page;
    }
  }
  return missing ? EBUSY : 0;
}

function newPage(uvm: Uvm, aobj: Aobj, index: number, flags: number): number {
  const page = uvm.pages.alloc(aobj, index, NO_OWNER, flags);
  if (page !== NO_PAGE) uvm.pages.pqflags[page]! |= PQ_AOBJ;
  return page;
}

function getPage(uvm: Uvm, aobj: Aobj, index: number): Outcome {
  const { pages, exp } = uvm;
  let page = pages.lookup(aobj, index);
  if (page !== NO_PAGE && (pages.flags[page]! & PG_BUSY) !== 0) {
    pages.flags[page]! |= PG_WANTED;
    exp.fltpgwait++;
    return uvm.wait(page);
  }
  if (page === NO_PAGE) {
    const slot = aobj.slot(index);
    if (slot === SWSLOT_BAD) return EIO;
    page = newPage(uvm, aobj, index, slot === 0 ? UVM_PGA_ZERO : 0);
    if (page === NO_PAGE) return uvm.waitForMemory('uao_getpage');
    if (slot !== 0) return pageIn(uvm, aobj, index, page, slot);
    pages.flags[page]! &= ~PG_FAKE;
  }
  pages.flags[page]! |= PG_BUSY;
  uvm.gotPage = page;
  return 0;
}

/** Starts reading a page from swap; answers WAIT for it. */
function pageIn(uvm: Uvm, aobj: Aobj, index: number, page: number, slot: number): Outcome {
  const { pages, exp, swap } = uvm;
  exp.pageins++;
  exp.pgswapin++;
  pages.flags[page]! |= PG_WANTED;
  swap.get(page, slot, (error) => {
    if (error !== 0) {
      swap.markBad(slot, 1);
      aobj.setSlot(index, SWSLOT_BAD);
      uvm.wakeup(page);
      pages.flags[page]! &= ~(PG_BUSY | PG_WANTED);
      pages.free(page);
      return;
    }
    pages.flags[page]! &= ~PG_FAKE;
    pages.activate(page);
    uvm.unbusy(page);
  });
  return uvm.wait(page);
}

/** Only the page daemon writes anonymous memory; a put deactivates or frees. */
function* put(uvm: Uvm, aobj: Aobj, start: number, stop: number, flags: number): Sleeping<Errno> {
  const { pages, pmap } = uvm;
  if ((flags & (PGO_DEACTIVATE | PGO_FREE)) === 0) return 0;
  const all = (flags & PGO_ALLPAGES) !== 0;
  const first = all ? 0 : uvm.atop(start);
  const beyond = all || stop === 0 ? aobj.pageCount : uvm.atop(stop);
  const discard = (flags & PGO_FREE) !== 0 && (flags & PGO_CLEANIT) === 0 && aobj.refs <= 1;
  for (let index = first; index < beyond; index++) {
    let page = pages.lookup(aobj, index);
    if (discard && page === NO_PAGE) {
      aobjDropSwap(uvm, aobj, index);
      continue;
    }
    while (page !== NO_PAGE && (pages.flags[page]! & PG_BUSY) !== 0) {
      pages.flags[page]! |= PG_WANTED;
      yield page;
      page = pages.lookup(aobj, index);
    }
    if (page === NO_PAGE || pages.loanCount[page] !== 0 || pages.wireCount[page] !== 0) continue;
    pmap.pageProtect(pages.pageAddress(page), VM_PROT_NONE);
    if (discard) {
      aobjDropSwap(uvm, aobj, index);
      pages.free(page);
    } else pages.deactivate(page);
  }
  return 0;
}

/** The last reference is gone: every page and slot goes, busy pages when they are let go. */
function destroy(uvm: Uvm, aobj: Aobj): void {
  const { pages, pmap } = uvm;
  aobj.dying = true;
  for (let page = aobj.memq; page >= 0;) {
    const next = pages.nextInObject(page);
    if ((pages.flags[page]! & PG_BUSY) !== 0) pages.flags[page]! |= PG_RELEASED;
    else {
      pmap.pageProtect(pages.pageAddress(page), VM_PROT_NONE);
      aobjDropSwap(uvm, aobj, pages.offset[page]!);
      pages.free(page);
    }
    page = next;
  }
  for (const [index] of [...aobj.slots()])
    if (pages.lookup(aobj, index) === NO_PAGE) aobjDropSwap(uvm, aobj, index);
  if (aobj.npages === 0) aobjReap(uvm, aobj);
}

/** A dying object without pages is gone. */
export function aobjReap(uvm: Uvm, aobj: Aobj): void {
  if (!aobj.dying || aobj.npages !== 0)
    throw new KernelPanic('uao_detach: object is not dead', { id: aobj.id, npages: aobj.npages });
  uvm.aobjs.delete(aobj);
  uvm.disownObject(aobj);
}
