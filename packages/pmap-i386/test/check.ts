import { type BareMachine, type Pa, type PmapId, type Va } from '@uvmkit/pmap';
import { expect } from 'vitest';
import { I386Machine } from '../src/port.ts';
import { PG_PVLIST, PG_V, PG_W, pteFrame } from '../src/pte.ts';
import { NBPD, NBPG, PDP_BASE, PDSLOT_APTE, PDSLOT_KERN, PDSLOT_PTE } from '../src/vmparam.ts';

/** Frames that the port took at boot: the directory and four tables, counted for the kernel. */
const BOOT_PAGES = 5;
const HARDWARE_BITS = 0x60;

/** The i386 of a bare machine. */
export function machineOf(bare: BareMachine): I386Machine {
  if (!(bare.md instanceof I386Machine)) throw new TypeError('this machine is no i386');
  return bare.md;
}

/** The map's directory, as its recursive slot names it. */
function directoryOf(bare: BareMachine, id: PmapId): Pa {
  return bare.md.pmap.extract(id, PDP_BASE);
}

/** The PTE of `va` as it stands in memory; 0 if there is no table. */
export function pteOf(bare: BareMachine, id: PmapId, va: Va): number {
  const pde = bare.memory.readLe32(directoryOf(bare, id) + 4 * Math.floor(va / NBPD));
  if ((pde & PG_V) === 0) return 0;
  return bare.memory.readLe32(pteFrame(pde) + 4 * (Math.floor(va / NBPG) & 1023));
}

function liveMaps(bare: BareMachine): PmapId[] {
  const found: PmapId[] = [];
  for (let id = 0; id < 64; id++) {
    try {
      bare.md.pmap.residentCount(id);
      found.push(id);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return found;
}

/**
 * Holds memory against what the pmap says of it: the invariants I1 to I6 of a pmap.
 *
 *   I1 wired_count = PTEs with PG_W       I2 wire_count of a table = 1 + its valid PTEs, never just 1
 *   I3 resident_count = 1 + tables + PTEs I4 PG_PVLIST = exactly one pv entry, and no entry without it
 *   I5 PG_W only with PG_V                I6 the kernel's slots are the same in every directory
 *
 * Kernel mappings are counted where they are managed; those of kenter_pa have no PG_PVLIST.
 */
export function checkPmap(bare: BareMachine): void {
  const { pmap } = machineOf(bare);
  const seen: Seen = { wrong: [], listed: [] };
  for (const id of liveMaps(bare)) checkMap(bare, id, seen);
  const entries: string[] = [];
  for (let page = 0; page < bare.pageCount; page++) {
    const pa = bare.pageAddress(page);
    for (const { pmap: id, va } of pmap.mappingsOf(pa)) entries.push(`${id} ${va} ${pa}`);
  }
  expect(seen.wrong).toEqual([]);
  expect(entries.toSorted()).toEqual(seen.listed.toSorted());
}

/** What a check has found: violations, and the mappings that ought to have a pv entry. */
interface Seen {
  readonly wrong: string[];
  readonly listed: string[];
}

function checkMap(bare: BareMachine, id: PmapId, seen: Seen): void {
  const { memory } = bare;
  const { pmap } = machineOf(bare);
  const directory = directoryOf(bare, id);
  const kernel = directoryOf(bare, 0);
  let wired = 0;
  let valid = 0;
  let tables = 0;
  for (let slot = id === 0 ? PDSLOT_KERN : 0; slot < PDSLOT_APTE; slot++) {
    const pde = memory.readLe32(directory + slot * 4);
    let wireCount = 0;
    if (slot === PDSLOT_PTE) {
      if (pteFrame(pde) !== directory) seen.wrong.push(`map ${id}: slot 767 is ${pde}`);
    } else if (id !== 0 && slot >= PDSLOT_KERN) {
      const wanted = memory.readLe32(kernel + slot * 4) & ~HARDWARE_BITS;
      if ((pde & ~HARDWARE_BITS) !== wanted) seen.wrong.push(`map ${id}: slot ${slot} is ${pde}`);
    } else if ((pde & PG_V) !== 0) {
      const here = checkTable(bare, id, slot, pteFrame(pde), seen);
      tables++;
      valid += here.valid;
      wired += here.wired;
      if (id !== 0) wireCount = 1 + here.valid;
      if (wireCount === 1) seen.wrong.push(`map ${id}: table ${slot} is empty`);
    }
    if (slot < PDSLOT_PTE && pmap.tableWireCount(id, slot * NBPD) !== wireCount)
      seen.wrong.push(`map ${id}: table ${slot} has ${wireCount - 1} mappings`);
  }
  expect(pmap.wiredCount(id)).toBe(id === 0 ? BOOT_PAGES + wired : wired);
  expect(pmap.residentCount(id)).toBe(id === 0 ? BOOT_PAGES + valid : 1 + tables + valid);
  expect(pmap.tableBytes(id)).toBe((1 + tables) * NBPG);
}

function checkTable(
  bare: BareMachine,
  id: PmapId,
  slot: number,
  table: Pa,
  seen: Seen,
): { valid: number; wired: number } {
  let valid = 0;
  let wired = 0;
  for (let index = 0; index < 1024; index++) {
    const pte = bare.memory.readLe32(table + index * 4);
    if (pte === 0) continue;
    const where = `${id} ${slot * NBPD + index * NBPG} ${pteFrame(pte)}`;
    const isListed = (pte & PG_PVLIST) !== 0;
    if ((pte & PG_V) === 0) seen.wrong.push(`not valid, not zero: ${where}`);
    if (id === 0 && !isListed) continue;
    valid++;
    if ((pte & PG_W) !== 0) wired++;
    if (isListed !== bare.isManaged(pteFrame(pte))) seen.wrong.push(`PG_PVLIST: ${where}`);
    if (isListed) seen.listed.push(where);
  }
  return { valid, wired };
}
