import { KernelPanic, type Prot } from '@uvmkit/pmap';
import { NO_ANON } from './anon.ts';
import type { MapEntry } from './entry.ts';
import { NO_PAGE } from './page.ts';
import { AMAP_REFALL, AMAP_SHARED, UVM_AMAP_CHUNK } from './types.ts';
import type { Uvm } from './uvm.ts';
import { type Ledger, slotFilled, slotPageChanged } from './wiring/ledger.ts';
import type { Users } from './wiring/users.ts';

/**
 * An anonymous map (`vm_amap`): slots, each empty or holding an anon. Several map entries may refer
 * to parts of one amap.
 *
 *     am_slots:  [ 4 | 0 | 7 | …nused ]      the used slots, in any order
 *                  ▲
 *     bckptr[4] = 0                          where a used slot stands in am_slots
 *     anon[4]   = the anon's index           NO_ANON for an empty slot
 *
 * `ppref`, once a part of the amap is referred to on its own, counts for every slot the references
 * that cover it, so that a slot can be freed when the last of them goes.
 */
export class Amap {
  /** Map entries that refer to it. */
  ref = 1;
  flags = 0;
  /** Slots usable. */
  nslot: number;
  /** Slots in use. */
  nused = 0;
  slots: Int32Array;
  bckptr: Int32Array;
  anon: Int32Array;
  ppref: Int32Array | null = null;
  /** Locks over its slots, if there are any and the wiring policy counts them by place. */
  locks: Ledger | null = null;
  /** The entries that refer to it, if the wiring policy wants to know. */
  users: Users | null = null;

  /**
   * @param nslot slots usable
   * @param padding slots allocated beyond them, for growth in place
   */
  constructor(nslot: number, padding = 0) {
    this.nslot = nslot;
    const maxslot = nslot + padding;
    this.slots = new Int32Array(maxslot);
    this.bckptr = new Int32Array(maxslot);
    this.anon = new Int32Array(maxslot).fill(NO_ANON);
  }

  /** Slots allocated. */
  get maxslot(): number {
    return this.anon.length;
  }

  get bytes(): number {
    return this.anon.byteLength * 3 + (this.ppref?.byteLength ?? 0);
  }
}

/** Room to grow that an amap made for a heap gets (UVM_AMAP_CHUNK), in slots. */
export const AMAP_PADDING: number = UVM_AMAP_CHUNK;

/** A new amap with one reference (`amap_alloc`). */
export function amapAlloc(uvm: Uvm, nslot: number, padding = 0): Amap {
  const amap = new Amap(nslot, padding);
  uvm.amaps.add(amap);
  return amap;
}

/** The anon in a slot, or NO_ANON (`amap_lookup`). `slot` counts from the start of the entry. */
export function amapLookup(entry: MapEntry, slot: number): number {
  const amap = entry.amap!;
  const at = entry.pageoff + slot;
  if (at < 0 || at >= amap.nslot)
    throw new KernelPanic('amap_lookup: offset out of range', { slot: at, nslot: amap.nslot });
  return amap.anon[at]!;
}

/**
 * Puts an anon into a slot of the entry's amap (`amap_add`).
 *
 * @param replace false: the slot must be empty. True: it must be full; if the amap is shared other maps see the slot too,
 * and the wiring policy takes the old anon's page from them first. The old anon's reference is the caller's business
 */
export function amapAdd(
  uvm: Uvm,
  entry: MapEntry,
  slot: number,
  anon: number,
  replace: boolean,
): void {
  const amap = entry.amap!;
  const at = entry.pageoff + slot;
  if (at < 0 || at >= amap.nslot)
    throw new KernelPanic('amap_add: offset out of range', { slot: at, nslot: amap.nslot });
  const old = amap.anon[at]!;
  if (replace) {
    if (old === NO_ANON) throw new KernelPanic('amap_add: replacing null anon', { slot: at });
    const page = uvm.anons.page[old]!;
    const to = uvm.anons.page[anon]!;
    if ((amap.flags & AMAP_SHARED) !== 0 && page !== NO_PAGE)
      uvm.wiring.slotReplaced(uvm, amap, at, page, to);
    if (amap.locks !== null) slotPageChanged(uvm, amap, at, page, to);
  } else {
    if (old !== NO_ANON) throw new KernelPanic('amap_add: slot in use', { slot: at, anon: old });
    amap.bckptr[at] = amap.nused;
    amap.slots[amap.nused++] = at;
    if (amap.locks !== null) slotFilled(uvm, entry, at, uvm.anons.page[anon]!);
  }
  amap.anon[at] = anon;
}

/** Empties a slot of the amap (`amap_unadd`). The anon's reference is the caller's business. */
export function amapUnadd(amap: Amap, at: number): void {
  if (amap.anon[at] === NO_ANON) throw new KernelPanic('amap_unadd: nothing there', { slot: at });
  amap.anon[at] = NO_ANON;
  const hole = amap.bckptr[at]!;
  const last = amap.slots[--amap.nused]!;
  amap.slots[hole] = last;
  amap.bckptr[last] = hole;
}

/** Counts for every slot the references that cover it, from now on (`amap_pp_establish`). */
function establishPpref(amap: Amap): Int32Array {
  amap.ppref ??= new Int32Array(amap.maxslot).fill(amap.ref, 0, amap.nslot);
  return amap.ppref;
}

/**
 * One more reference, over `count` slots from `first` on (`amap_ref`).
 *
 * @param flags AMAP_SHARED marks the amap shared; AMAP_REFALL makes the reference cover every slot
 */
export function amapRef(amap: Amap, first: number, count: number, flags: number): void {
  const all = (flags & AMAP_REFALL) !== 0 || (first === 0 && count === amap.nslot);
  if (!all) establishPpref(amap);
  amap.ref++;
  if ((flags & AMAP_SHARED) !== 0) amap.flags |= AMAP_SHARED;
  const { ppref } = amap;
  if (ppref === null) return;
  const [from, to] = (flags & AMAP_REFALL) !== 0 ? [0, amap.nslot] : [first, first + count];
  for (let at = from; at < to; at++) ppref[at]!++;
}

/**
 * One reference fewer, over `count` slots from `first` on (`amap_unref`). With the last one every anon is let
 * go; otherwise those in slots that no reference covers any more are.
 *
 * @param flags AMAP_REFALL if the reference covered every slot
 */
export function amapUnref(uvm: Uvm, amap: Amap, first: number, count: number, flags: number): void {
  if (amap.ref === 1) {
    amapWipeout(uvm, amap);
    return;
  }
  const all = (flags & AMAP_REFALL) !== 0 || (first === 0 && count === amap.nslot);
  const ppref = all ? amap.ppref : establishPpref(amap);
  amap.ref--;
  if (amap.ref === 1) amap.flags &= ~AMAP_SHARED;
  if (ppref === null) return;
  const [from, to] = (flags & AMAP_REFALL) !== 0 ? [0, amap.nslot] : [first, first + count];
  for (let at = from; at < to; at++) {
    if (--ppref[at]! !== 0) continue;
    const anon = amap.anon[at]!;
    if (anon === NO_ANON) continue;
    amapUnadd(amap, at);
    anonUnref(uvm, anon);
  }
}

/** Lets every anon go and the amap with them (`amap_wipeout`). */
function amapWipeout(uvm: Uvm, amap: Amap): void {
  while (amap.nused > 0) {
    const at = amap.slots[amap.nused - 1]!;
    const anon = amap.anon[at]!;
    amapUnadd(amap, at);
    anonUnref(uvm, anon);
  }
  amap.ref = 0;
  uvm.amaps.delete(amap);
}

/** One amap slot fewer refers to the anon; with the last one it is freed. */
export function anonUnref(uvm: Uvm, anon: number): void {
  if (--uvm.anons.ref[anon]! === 0) uvm.anons.free(anon, uvm.pages, uvm.pmap);
}

/**
 * Lengthens the part of its amap that an entry refers to by `added` slots (`amap_extend`); the entry
 * is the only one that refers to the amap.
 */
export function amapExtend(entry: MapEntry, mapped: number, added: number): void {
  const amap = entry.amap!;
  const need = entry.pageoff + mapped + added;
  if (need > amap.maxslot) {
    // Double, so that a heap grown page by page costs a constant per page.
    const room = Math.max(need, amap.maxslot * 2);
    const slots = new Int32Array(room);
    const bckptr = new Int32Array(room);
    const anon = new Int32Array(room).fill(NO_ANON);
    slots.set(amap.slots);
    bckptr.set(amap.bckptr);
    anon.set(amap.anon);
    amap.slots = slots;
    amap.bckptr = bckptr;
    amap.anon = anon;
    if (amap.ppref !== null) {
      const ppref = new Int32Array(room);
      ppref.set(amap.ppref);
      amap.ppref = ppref;
    }
  }
  if (amap.ppref !== null) amap.ppref.fill(1, entry.pageoff + mapped, need);
  if (need > amap.nslot) amap.nslot = need;
}

/**
 * Gives `split`, the part of `orig` from `slots` slots on, a reference of its own to the same amap
 * (`amap_splitref`): the two together cover what `orig` alone covered.
 */
export function amapSplitref(orig: MapEntry, split: MapEntry, slots: number): void {
  const amap = orig.amap!;
  establishPpref(amap);
  split.amap = amap;
  split.pageoff = orig.pageoff + slots;
  amap.ref++;
}

/**
 * Lowers every mapping of the entry's resident anonymous pages (`amap_share_protect`), but for pages that nobody else has a
 * slot for: nothing is copied there on a write.
 */
export function amapShareProtect(uvm: Uvm, entry: MapEntry, prot: Prot): void {
  const amap = entry.amap!;
  const count = uvm.atop(entry.end - entry.start);
  const lower = (at: number): void => {
    const anon = amap.anon[at]!;
    const page = anon === NO_ANON ? NO_PAGE : uvm.anons.page[anon]!;
    if (page !== NO_PAGE && uvm.anons.ref[anon]! > 1)
      uvm.pmap.pageProtect(uvm.pages.pageAddress(page), prot);
  };
  if (amap.nused < count) {
    for (let i = 0; i < amap.nused; i++) {
      const at = amap.slots[i]!;
      if (at >= entry.pageoff && at < entry.pageoff + count) lower(at);
    }
  } else for (let at = entry.pageoff; at < entry.pageoff + count; at++) lower(at);
}
