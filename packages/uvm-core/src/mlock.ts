import { EAGAIN, EINVAL, ENOMEM, type Errno, type Va } from '@uvmkit/pmap';
import { NO_ANON } from './anon.ts';
import { mapLookup } from './map.ts';
import { mapUnwire, mapWire, mapWireAll } from './map-pageable.ts';
import { type Caller, userRange } from './mmap.ts';
import { NO_PAGE } from './page.ts';
import type { Sleeping } from './types.ts';
import type { Uvm } from './uvm.ts';

/** mlockall(2) flags. */
export const MCL_CURRENT = 1;
export const MCL_FUTURE = 2;

/**
 * mlock(2). Locks do not nest: one munlock undoes them all. The limit counts what is wired already, the range itself included.
 *
 * @returns EINVAL beyond user space; EAGAIN over a limit; otherwise what wiring answered (EFAULT, EINVAL, ENOMEM, EIO …)
 */
export function* sysMlock(uvm: Uvm, caller: Caller, addr: Va, length: number): Sleeping<Errno> {
  const range = userRange(uvm, addr, length);
  if (typeof range === 'number') return range;
  const { map } = caller.space;
  const size = range.end - range.start;
  if (uvm.atop(size) + uvm.exp.wired > uvm.exp.wiredmax) return EAGAIN;
  if (size + uvm.wiring.lockedPages(uvm, map) * uvm.pageSize > caller.limits.memlock) return EAGAIN;
  return yield* mapWire(uvm, map, range.start, range.end);
}

/** munlock(2). EFAULT if nothing is mapped at the start, EINVAL where something is not locked. */
export function* sysMunlock(uvm: Uvm, caller: Caller, addr: Va, length: number): Sleeping<Errno> {
  const range = userRange(uvm, addr, length);
  if (typeof range === 'number') return range;
  return yield* mapUnwire(uvm, caller.space.map, range.start, range.end);
}

/** mlockall(2). EINVAL for no or unknown flags, ENOMEM over a limit. */
export function* sysMlockall(uvm: Uvm, caller: Caller, flags: number): Sleeping<Errno> {
  if (flags === 0 || (flags & ~(MCL_CURRENT | MCL_FUTURE)) !== 0) return EINVAL;
  return yield* mapWireAll(
    uvm,
    caller.space.map,
    (flags & MCL_CURRENT) !== 0,
    (flags & MCL_FUTURE) !== 0,
    caller.limits.memlock,
  );
}

/** munlockall(2): everything is unlocked, nothing more will be locked. */
export function* sysMunlockall(uvm: Uvm, caller: Caller): Sleeping<Errno> {
  return yield* mapWireAll(uvm, caller.space.map, false, false, 0);
}

/**
 * mincore(2): which pages of a range are in memory.
 *
 * @param addr page-aligned
 * @param vec one byte a page is stored here: 1 if it is resident
 * @returns EINVAL if unaligned or empty, ENOMEM at a hole (what lies before it has been stored)
 */
export function sysMincore(
  uvm: Uvm,
  caller: Caller,
  addr: Va,
  length: number,
  vec: Uint8Array,
): Errno {
  const end = addr + uvm.round(length);
  if (addr % uvm.pageSize !== 0 || end <= addr) return EINVAL;
  const { map } = caller.space;
  let at = 0;
  for (let va = addr; va < end; at++, va += uvm.pageSize) {
    const entry = mapLookup(map, va);
    if (entry === null) return ENOMEM;
    const slot = uvm.atop(va - entry.start);
    const anon = entry.amap === null ? NO_ANON : entry.amap.anon[entry.pageoff + slot]!;
    let resident = anon !== NO_ANON && uvm.anons.page[anon] !== NO_PAGE;
    const asksObject = anon === NO_ANON || uvm.quirks.mincoreIgnoresSwap;
    if (!resident && asksObject && entry.object !== null)
      resident = uvm.pages.lookup(entry.object, uvm.atop(entry.offset) + slot) !== NO_PAGE;
    vec[at] = resident ? 1 : 0;
  }
  return 0;
}
