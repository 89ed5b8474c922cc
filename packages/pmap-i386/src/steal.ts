import { PV_NONE, STEAL_MAPPING, STEAL_TABLE } from '@uvmkit/pmap';
import { PG_V, PG_W } from './pte.ts';
import { PMAP_REMOVE_ALL, removePte, removeRange } from './removal.ts';
import type { Space } from './space.ts';
import type { PmapState } from './state.ts';
import { NBPD, NBPG, PDSLOT_PTE, pdei } from './vmparam.ts';

/**
 * What the UP pmap forgets when it runs short (`pmap_try_steal_pv`, `pmap_steal_ptp`): never of the
 * kernel's map, never a wired mapping, never a table with a wired mapping in it. Each search goes on
 * where the last one ended. (Revision 1.91 meant to search all pages for a pv entry, but looked at the
 * first of each segment again and again.)
 */
export class Thief {
  readonly #state: PmapState;
  #page = 0;
  #handle = 0;

  constructor(state: PmapState) {
    this.#state = state;
  }

  /** Frees a pv entry. False if every mapping is wired or the kernel's. */
  stealPv(): boolean {
    const { pv } = this.#state;
    const pages = pv.head.length;
    for (let n = 0; n < pages; n++) {
      const page = (this.#page + n) % pages;
      for (let entry = pv.head[page]!; entry !== PV_NONE; entry = pv.next[entry]!) {
        if (!this.#forget(entry)) continue;
        this.#page = page;
        return true;
      }
    }
    return false;
  }

  /** Removes the mapping of one pv entry, if it may be forgotten. */
  #forget(entry: number): boolean {
    const state = this.#state;
    const space = state.space(state.pv.pmap[entry]!);
    if (state.isKernel(space)) return false;
    const va = state.pv.va[entry]!;
    const at = state.pvPteAddress(space, va, entry);
    const opte = state.memory.readLe32(at);
    if ((opte & PG_W) !== 0) return false;
    state.window.open(space);
    removePte(state, space, va, at, opte);
    state.freeTableIfEmpty(space, pdei(va));
    state.window.close();
    state.settleNow();
    if (state.events.watched) state.events.emit('pmap.steal', space.id, va, STEAL_MAPPING);
    return true;
  }

  /** Lets a page-table page go. False if there is none that may. */
  stealTable(): boolean {
    const state = this.#state;
    const handles = state.spaces.length;
    for (let n = 1; n <= handles; n++) {
      const handle = (this.#handle + n) % handles;
      const space = state.spaces[handle];
      if (space === undefined || state.isKernel(space)) continue;
      for (let slot = 0; slot < PDSLOT_PTE; slot++) {
        if (space.wireCounts[slot] === 0 || this.#holdsWired(space, slot)) continue;
        this.#handle = handle;
        // The page itself comes free when the allocator is asked again: it waits for the flush.
        removeRange(state, space, slot * NBPD, (slot + 1) * NBPD, PMAP_REMOVE_ALL);
        if (state.events.watched)
          state.events.emit('pmap.steal', space.id, slot * NBPD, STEAL_TABLE);
        return true;
      }
    }
    return false;
  }

  #holdsWired(space: Space, slot: number): boolean {
    if (space.wired === 0) return false;
    const table = this.#state.pteAddress(space, slot * NBPD);
    for (let at = table; at < table + NBPG; at += 4)
      if ((this.#state.memory.readLe32(at) & (PG_V | PG_W)) === (PG_V | PG_W)) return true;
    return false;
  }
}
