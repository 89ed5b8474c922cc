import type { Va } from '@uvmkit/pmap';
import { mapLookup } from '../map.ts';
import { NO_PAGE } from '../page.ts';
import { VM_FAULT_WIRE } from '../types.ts';
import { faultWire } from '../wire.ts';
import { HISTORY } from './history.ts';
import { ledgerBytes, lockPlace, pageOf, unlockPlace } from './ledger.ts';
import { eachLocked, moveLocks, pagesLocked } from './locks.ts';
import type { WiringPolicy } from './policy.ts';

/**
 * The second design that was never built (§13.4): no mapping that pmap_enter makes is wired. That memory is locked is UVM's own
 * record, by place (`ledger.ts`): it keeps pages in memory, and a substitution moves it. A pmap may forget whatever it was
 * told, at any time, and what must not fault is what the kernel maps with pmap_kenter_pa.
 *
 * With nothing in the pmap there is nothing to lose: §13.1 and H1 to H9 cannot happen, and pages are taken from every map as they
 * always were. Transfers keep the frames that they began with, mapped or not, and whoever owned them: a frame that is freed
 * meanwhile goes when the transfer ends. RLIMIT_MEMLOCK goes by the locked entries.
 *
 * It costs soft faults: locked memory stays in memory, as POSIX has it, and need not be mapped.
 */
export const forgetfulPolicy: WiringPolicy = {
  name: 'forgetful',
  faultType: VM_FAULT_WIRE,
  enterFlags: 0,
  deviceFlags: 0,
  countsPlaces: true,
  backReferences: false,
  keepsMapped: false,
  lockProtection: (entry) => entry.protection,
  ownsLocked: () => false,

  wire: (uvm, entry, va) => lockPlace(uvm, entry, va),

  unwire(uvm, map, start, end) {
    for (const [entry, va] of eachLocked(uvm, map, start, end)) unlockPlace(uvm, entry, va);
  },

  slotReplaced: HISTORY.slotReplaced,
  objectPageReplaced: HISTORY.objectPageReplaced,
  revoke: HISTORY.revoke,

  amapMoves: moveLocks,
  leaves: () => undefined,

  *hold(uvm, map, start, end, access) {
    const frames = new Map<Va, number>();
    const lock = { start, end, places: null, frames };
    map.vslocks.push(lock);
    for (let va = start; va < end; va += uvm.pageSize) {
      const error = yield* faultWire(uvm, map, va, va + uvm.pageSize, VM_FAULT_WIRE, access);
      if (error !== 0) {
        map.vslocks.splice(map.vslocks.indexOf(lock), 1);
        forgetfulPolicy.release(uvm, map, lock);
        return error;
      }
      // The fault has locked the place; what is wanted is the frame.
      const entry = mapLookup(map, va)!;
      const page = pageOf(uvm, entry, va);
      if (page !== NO_PAGE) {
        uvm.pages.pin(page);
        frames.set(va, page);
      }
      unlockPlace(uvm, entry, va);
    }
    return 0;
  },

  release(uvm, _map, { frames }) {
    for (const page of frames?.values() ?? []) uvm.pages.unpin(page);
  },

  holds: () => false,
  lockedPages: pagesLocked,
  bytes: ledgerBytes,
};
