import { PV_NONE, type Va } from '@uvmkit/pmap';
import type { Sun4cMap } from './map.ts';
import { PV_ANC, type Sun4cPages } from './pages.ts';
import { badAlias, isValid, PG_NC } from './pte.ts';
import type { Sun4cSegments } from './segments.ts';

/** In a pv entry's word: it was entered with PMAP_NC. */
const PV_NC = 4;

/**
 * The reverse map with an eye on the cache (pv_link, pv_unlink): as soon as a page has two addresses
 * that do not share cache lines, it is cached through none of its mappings, until they agree again.
 */
export class Sun4cAliases {
  private readonly pages: Sun4cPages;
  private readonly segments: Sun4cSegments;

  constructor(pages: Sun4cPages, segments: Sun4cSegments) {
    this.pages = pages;
    this.segments = segments;
  }

  /**
   * Enters a mapping into the page's list; one that the caller made sure there is room for.
   *
   * @param uncached whether it was asked to be uncached
   * @returns PG_NC if the mapping must not be cached, else 0
   */
  link(page: number, map: Sun4cMap, va: Va, uncached: boolean): number {
    const { pv, attributes } = this.pages;
    let alias = false;
    let result = uncached || attributes[page]! & PV_ANC ? PG_NC : 0;
    for (let entry = pv.head[page]!; entry !== PV_NONE; entry = pv.next[entry]!) {
      if (pv.aux[entry]! & PV_NC) result = PG_NC;
      if (badAlias(va, pv.va[entry]!)) alias = true;
    }
    if (alias && (attributes[page]! & PV_ANC) === 0) {
      attributes[page]! |= PV_ANC;
      this.setCached(page, false);
    }
    pv.insert(page, map.id, va, uncached ? PV_NC : 0);
    return alias ? PG_NC : result;
  }

  /** Takes a mapping off the page's list. False if it was not on it, as none is that `kenterPa` made. */
  unlink(page: number, map: Sun4cMap, va: Va): boolean {
    if (!this.pages.pv.remove(page, map.id, va)) return false;
    this.settle(page);
    return true;
  }

  /** Caches the page again if its remaining mappings allow it. */
  settle(page: number): void {
    const { pv, attributes } = this.pages;
    if ((attributes[page]! & PV_ANC) === 0) return;
    // Congruence is an equivalence: each against the first is each against each.
    const head = pv.head[page]!;
    for (let entry = head; entry !== PV_NONE; entry = pv.next[entry]!)
      if (pv.aux[entry]! & PV_NC || badAlias(pv.va[head]!, pv.va[entry]!)) return;
    attributes[page]! &= ~PV_ANC;
    this.setCached(page, true);
  }

  /** Writes PG_NC, or its absence, into every PTE of the page; what was cached is flushed on the way. */
  private setCached(page: number, cached: boolean): void {
    const { pv } = this.pages;
    for (let entry = pv.head[page]!; entry !== PV_NONE; entry = pv.next[entry]!) {
      const map = this.segments.get(pv.pmap[entry]!);
      const va = pv.va[entry]!;
      const pte = this.segments.readPte(map, va);
      if (isValid(pte))
        this.segments.writePte(map, va, pte, (cached ? pte & ~PG_NC : pte | PG_NC) >>> 0);
    }
  }
}
