import { hex, NO_PA, type Pa, PMAP_KERNEL, type Va } from '@uvmkit/pmap';
import { type MapEntry, NO_ANON, NO_PAGE, PG_FAKE, SWSLOT_BAD, type VmMap } from '@uvmkit/uvm-core';
import type { Session } from './session.ts';

/** Where the bytes at an address are. */
export interface Place {
  /** The physical address of the byte; null if it is not in memory. */
  readonly pa: Pa | null;
  /** The way there, or why there is none. */
  readonly text: string;
}

/**
 * Finds the bytes that the process sees at `va`, as a fault would, but without one: nothing is brought in, nothing is mapped, and no
 * referenced bit is set.
 *
 *     map ─▶ entry ─┬─▶ amap slot ─▶ anon ─▶ page
 *                   └─▶ object, offset ────▶ page
 */
export function locate(session: Session, va: Va): Place {
  const { process, machine, uvm } = session;
  const map = process?.space.map ?? uvm.kernelMap;
  if (map !== uvm.kernelMap && va >= map.min && va < map.max) return throughMap(session, map, va);
  const { kernelMin, kernelMax } = machine.md.port.layout;
  if (va < kernelMin || va >= kernelMax)
    return { pa: null, text: `not an address of map ${map.id} or the kernel` };
  const pa = uvm.pmap.extract(PMAP_KERNEL, va);
  if (pa === NO_PA) return { pa: null, text: 'not mapped in the kernel' };
  if (pa >= machine.memory.size) return { pa: null, text: `pa ${hex(pa)}, which is not RAM` };
  return { pa, text: `kernel, pa ${hex(pa)}` };
}

function throughMap(session: Session, map: VmMap, va: Va): Place {
  const { uvm } = session;
  const entry = entryAt(map, va);
  if (entry === null) return { pa: null, text: `no entry of map ${map.id} covers it` };
  const within = va - uvm.trunc(va);
  const here = `map ${map.id} ${hex(entry.start)}->${hex(entry.end)}`;
  const { amap, object } = entry;
  const slot = entry.pageoff + uvm.atop(va - entry.start);
  const anon = amap?.anon[slot] ?? NO_ANON;
  if (amap !== null && anon !== NO_ANON) {
    const way = `${here}, amap ${session.amapId(amap)} slot ${slot}, anon ${anon}`;
    const page = uvm.anons.page[anon]!;
    if (page !== NO_PAGE) return onPage(session, way, page, within);
    const swslot = uvm.anons.swslot[anon]!;
    const where = swslot === SWSLOT_BAD ? 'lost to a bad swap slot' : `on swap slot ${swslot}`;
    return { pa: null, text: `${way}, ${where}` };
  }
  if (object === null) return { pa: null, text: `${here}, zeroes that nobody has touched yet` };
  const offset = entry.offset + (uvm.trunc(va) - entry.start);
  const way = `${here}, object ${object.id} offset ${hex(offset, 1)}`;
  const page = uvm.pages.lookup(object, uvm.atop(offset));
  return page === NO_PAGE
    ? { pa: null, text: `${way}, not in memory` }
    : onPage(session, way, page, within);
}

function onPage({ uvm }: Session, way: string, page: number, within: number): Place {
  const text = `${way}, page ${page}`;
  if ((uvm.pages.flags[page]! & PG_FAKE) !== 0) return { pa: null, text: `${text}, being read` };
  const pa = uvm.pages.pageAddress(page) + within;
  return { pa, text: `${text}, pa ${hex(pa)}` };
}

/** The entry over an address; unlike a lookup of the kernel's it leaves the map's hint alone. */
function entryAt(map: VmMap, va: Va): MapEntry | null {
  for (const entry of map.entries()) if (va >= entry.start && va < entry.end) return entry;
  return null;
}

/** Bytes of memory, and what ended them. */
export interface Bytes {
  readonly bytes: Uint8Array;
  /** Why there are fewer than were asked for; null if there are not. */
  readonly stopped: string | null;
}

/** Reads up to `length` bytes from `va` on, as far as they are in memory. */
export function readBytes(session: Session, va: Va, length: number): Bytes {
  const { machine, uvm } = session;
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const at = va + done;
    const { pa, text } = locate(session, at);
    if (pa === null) return { bytes: bytes.subarray(0, done), stopped: text };
    const count = Math.min(uvm.trunc(at) + uvm.pageSize - at, length - done);
    // A data cache may know better than memory.
    session.quiet = true;
    try {
      machine.md.syncForDevice?.(pa, count);
    } finally {
      session.quiet = false;
    }
    bytes.set(machine.memory.bytes.subarray(pa, pa + count), done);
    done += count;
  }
  return { bytes, stopped: null };
}
