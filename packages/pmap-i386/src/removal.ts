import { type Pa, PV_NONE, type Va } from '@uvmkit/pmap';
import { PG_M, PG_PVLIST, PG_U, PG_V, PG_W, pteFrame } from './pte.ts';
import type { Space } from './space.ts';
import type { PmapState } from './state.ts';
import { NBPD, NBPG, pdei, PDSLOT_PTE } from './vmparam.ts';

/** PMAP_REMOVE_ALL: wired mappings too. */
export const PMAP_REMOVE_ALL = 0;
/** PMAP_REMOVE_SKIPWIRED: not those. */
export const PMAP_REMOVE_SKIPWIRED: number = PG_W;
/** PTEs of managed mappings. In the kernel's map nothing else tells what `enter` made from what `kenterPa` did. */
export const MAPPED_MANAGED: number = PG_V | PG_PVLIST;

/** Zeroes a valid PTE with all that it was counted in. What it said of the page is the caller's to keep. */
function zap(state: PmapState, space: Space, va: Va, at: Pa, opte: number): void {
  state.store(space, va, at, opte, 0);
  space.resident--;
  if ((opte & PG_W) !== 0) space.wired--;
  if (!state.isKernel(space)) space.wireCounts[pdei(va)]!--;
  if ((opte & state.cachedIf) !== 0) state.flush.page(space, va, opte);
}

/** Removes one mapping (`pmap_remove_pte`), found from its address. Its table may be left empty. */
export function removePte(state: PmapState, space: Space, va: Va, at: Pa, opte: number): void {
  zap(state, space, va, at, opte);
  const page = state.pageIndex(pteFrame(opte));
  if ((opte & PG_PVLIST) === 0) {
    if (state.diagnostic && page >= 0)
      throw state.inconsistent('pmap_remove_ptes: managed page without PG_PVLIST', space, va);
    return;
  }
  if (page < 0)
    throw state.inconsistent('pmap_remove_ptes: unmanaged page marked PG_PVLIST', space, va);
  state.attributes[page]! |= opte & (PG_U | PG_M);
  if (!state.pv.remove(page, space.id, va))
    throw state.inconsistent('pmap_remove_pv: no pv entry', space, va);
}

/**
 * Removes the mappings of [start, end) (`pmap_do_remove`). Slot 767 is skipped: it is the directory
 * itself, which would free itself as one of its tables.
 *
 * @param skip PTEs with any of these bits stay: {@link PMAP_REMOVE_ALL}, {@link PMAP_REMOVE_SKIPWIRED}
 * @param need PTEs without all of these bits stay: PG_V, or {@link MAPPED_MANAGED}
 * @returns the mappings removed
 */
export function removeRange(
  state: PmapState,
  space: Space,
  start: Va,
  end: Va,
  skip: number,
  need: number = PG_V,
): number {
  let removed = 0;
  state.window.open(space);
  for (let va = start; va < end;) {
    const slot = pdei(va);
    const blockEnd = Math.min(end, (slot + 1) * NBPD);
    if (slot !== PDSLOT_PTE) removed += removeBlock(state, space, va, blockEnd, skip, need);
    va = blockEnd;
  }
  state.window.close();
  return removed;
}

/** The part of the range that one page table maps. */
function removeBlock(
  state: PmapState,
  space: Space,
  start: Va,
  end: Va,
  skip: number,
  need: number,
): number {
  const { memory } = state;
  const slot = pdei(start);
  const user = !state.isKernel(space);
  let at = state.pteAddress(space, start);
  if (at < 0) return 0;
  let removed = 0;
  for (let va = start; va < end; va += NBPG, at += 4) {
    const opte = memory.readLe32(at);
    if ((opte & (need | skip)) !== need) continue;
    removePte(state, space, va, at, opte);
    removed++;
    if (user && space.wireCounts[slot] === 1) break;
  }
  if (user) state.freeTableIfEmpty(space, slot);
  return removed;
}

/**
 * Removes every mapping of a page, wired ones included (`pmap_page_remove`): the map entry still says
 * wired, the page keeps its wire_count, and the next access faults.
 */
export function removePage(state: PmapState, page: number): void {
  const { pv } = state;
  for (let entry = pv.pop(page); entry !== PV_NONE; entry = pv.pop(page)) {
    const space = state.space(pv.pmap[entry]!);
    const va = pv.va[entry]!;
    state.window.open(space);
    const at = state.pvPteAddress(space, va, entry);
    const opte = state.memory.readLe32(at);
    zap(state, space, va, at, opte);
    state.attributes[page]! |= opte & (PG_U | PG_M);
    if (!state.isKernel(space)) state.freeTableIfEmpty(space, pdei(va));
    state.window.close();
  }
}
