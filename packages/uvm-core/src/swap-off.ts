import { ENOMEM } from '@uvmkit/pmap';
import { aobjDropSwap } from './aobj.ts';
import { anonGet } from './fault-anon.ts';
import { NO_PAGE, PG_CLEAN } from './page.ts';
import { PAGE_NULL, PGO_SYNCIO, type Sleeping, UVM_ADV_NORMAL, WAIT } from './types.ts';
import type { Uvm } from './uvm.ts';

/**
 * Brings in everything whose swap slot lies in [first, beyond), and takes the slots from it (anon_swap_off, uao_swap_off). What cannot be read
 * is left as lost as it was.
 *
 * @returns false if memory ran out
 */
export function* swapOffPageIn(uvm: Uvm, first: number, beyond: number): Sleeping<boolean> {
  const inRange = (slot: number): boolean => slot >= first && slot < beyond;
  for (let anon = 0; anon < uvm.anons.count; anon++)
    while (inRange(uvm.anons.swslot[anon]!)) {
      const outcome = anonGetOrRoom(uvm, anon);
      if (outcome === 'full') return false;
      if (outcome === 'sleep') yield uvm.waitChannel;
    }
  for (const aobj of [...uvm.aobjs])
    for (const [index, slot] of [...aobj.slots()])
      while (inRange(slot) && aobj.slot(index) === slot) {
        if (!hasRoom(uvm)) return false;
        const into = new Int32Array([PAGE_NULL]);
        const offset = index * uvm.pageSize;
        const got = aobj.pgops.get(uvm, aobj, offset, into, 1, 0, 0, UVM_ADV_NORMAL, PGO_SYNCIO);
        if (got === WAIT) {
          yield uvm.waitChannel;
          continue;
        }
        if (got === ENOMEM) return false;
        if (got !== 0) break;
        aobjDropSwap(uvm, aobj, index);
        uvm.pages.flags[into[0]!]! &= ~PG_CLEAN;
        uvm.pages.activate(into[0]!);
        uvm.unbusy(into[0]!);
      }
  return true;
}

/** One step towards having the anon resident without a slot. */
function anonGetOrRoom(uvm: Uvm, anon: number): 'done' | 'sleep' | 'full' {
  const { anons, pages, pmap } = uvm;
  if (anons.page[anon] === NO_PAGE && !hasRoom(uvm)) return 'full';
  // An anon that was freed while its page was on its way out waits for the page, too: it is freed then, with its slot.
  const outcome = anonGet(uvm, anon);
  if (outcome === WAIT) return 'sleep';
  if (outcome === ENOMEM) return 'full';
  if (outcome !== 0) return 'done';
  const page = anons.page[anon]!;
  anons.dropSwap(anon);
  pages.flags[page]! &= ~PG_CLEAN;
  if (pages.wireCount[page] === 0) {
    pmap.pageProtect(pages.pageAddress(page), 0);
    pages.deactivate(page);
  }
  return 'done';
}

/** Whether there is memory to bring a page into, now or once the daemon has written others elsewhere. */
function hasRoom(uvm: Uvm): boolean {
  const { exp } = uvm;
  if (exp.free > exp.reserve_kernel) return true;
  const elsewhere = uvm.swap.devices.some(
    (device) => device.enabled && device.npginuse < device.npages,
  );
  return elsewhere || exp.paging > 0;
}
