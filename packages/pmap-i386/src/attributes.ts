import { type Pa, PV_NONE } from '@uvmkit/pmap';
import { PG_M, PG_RW, PG_U } from './pte.ts';
import type { PmapState } from './state.ts';

/** The index of the page, or −1 with the message of a DIAGNOSTIC kernel if UVM does not manage it. */
export function managedPage(state: PmapState, pa: Pa, caller: string): number {
  const page = state.pageIndex(pa);
  if (page < 0 && state.diagnostic) state.print(`${caller}: unmanaged page?`);
  return page;
}

/**
 * Whether the page was used (`PG_U`) or modified (`PG_M`): by a mapping that is gone, or by one that
 * is there (`pmap_test_attrs`).
 */
export function testAttribute(state: PmapState, pa: Pa, bit: number): boolean {
  const page = managedPage(state, pa, 'pmap_test_attrs');
  if (page < 0) return false;
  if ((state.attributes[page]! & bit) !== 0) return true;
  const { pv } = state;
  for (let entry = pv.head[page]!; entry !== PV_NONE; entry = pv.next[entry]!) {
    const space = state.space(pv.pmap[entry]!);
    const at = state.pvPteAddress(space, pv.va[entry]!, entry);
    if ((state.memory.readLe32(at) & bit) !== 0) return true;
  }
  return false;
}

/**
 * Clears used or modified, everywhere (`pmap_change_attrs`). A TLB that holds an entry with D would
 * not set M again, nor one with A set U, so every mapping changed is flushed before the answer.
 *
 * The Q pmap takes U and M out together, since U is what it judges by whether a TLB holds the entry;
 * the one not asked for is kept for the page.
 *
 * @returns whether it was set
 */
export function clearAttribute(state: PmapState, pa: Pa, bit: number): boolean {
  const page = managedPage(state, pa, 'pmap_change_attrs');
  if (page < 0) return false;
  const taken = state.variant === 'q' ? PG_U | PG_M : bit;
  const kept = taken & ~bit;
  let was = (state.attributes[page]! & bit) !== 0;
  state.attributes[page]! &= ~bit;
  const { pv } = state;
  for (let entry = pv.head[page]!; entry !== PV_NONE; entry = pv.next[entry]!) {
    const space = state.space(pv.pmap[entry]!);
    const va = pv.va[entry]!;
    const at = state.pvPteAddress(space, va, entry);
    const opte = state.memory.readLe32(at);
    if ((opte & bit) === 0) continue;
    was = true;
    state.window.open(space);
    state.store(space, va, at, opte, opte & ~taken);
    state.attributes[page]! |= opte & kept;
    state.flush.page(space, va, opte);
    state.window.close();
  }
  state.settleNow();
  return was;
}

/** Takes write access from every mapping of the page, wired or not; they stay wired. */
export function revokeWrite(state: PmapState, page: number): void {
  const { pv } = state;
  for (let entry = pv.head[page]!; entry !== PV_NONE; entry = pv.next[entry]!) {
    const space = state.space(pv.pmap[entry]!);
    const va = pv.va[entry]!;
    const at = state.pvPteAddress(space, va, entry);
    const opte = state.memory.readLe32(at);
    if ((opte & PG_RW) === 0) continue;
    state.window.open(space);
    state.store(space, va, at, opte, opte & ~PG_RW);
    if ((opte & state.writableIf) !== 0) state.flush.page(space, va, opte);
    state.window.close();
  }
}
