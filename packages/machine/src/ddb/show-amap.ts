import { hex } from '@uvmkit/pmap';
import { type Amap, AMAP_SHARED, NO_ANON, NO_PAGE, SWSLOT_BAD, type Uvm } from '@uvmkit/uvm-core';
import type { Command } from './command.ts';
import { findAmap, findAnon } from './find.ts';
import { bits } from './names.ts';

export const showAmap: Command = {
  name: 'show amap',
  usage: 'AMAP',
  summary: 'an amap: who refers to it, and the anons in its slots',
  run(session, args) {
    const [id, amap] = findAmap(session, args);
    args.end();
    return [
      `AMAP ${id}: ref=${amap.ref}, flags=${bits(amap.flags, [[AMAP_SHARED, 'SHARED']])}`,
      `  nslot=${amap.nslot}, maxslot=${amap.maxslot}, nused=${amap.nused}, ppref=${amap.ppref === null ? 'none' : 'counted'}`,
      ...users(session.uvm, amap),
      ...usedSlots(amap).map((slot) => slotLine(session.uvm, amap, slot)),
    ];
  },
  complete: (session, before) =>
    before.length === 0 ? [...session.amaps().keys()].map(String) : [],
};

export const showAnon: Command = {
  name: 'show anon',
  usage: 'ANON',
  summary: 'an anon: its page or swap slot, and the amap slots that hold it',
  run(session, args) {
    const anon = findAnon(session, args);
    args.end();
    const { anons } = session.uvm;
    const ref = anons.ref[anon]!;
    if (ref === 0) return [`ANON ${anon}: free`];
    const lines = [`ANON ${anon}: ref=${ref}, ${whereabouts(session.uvm, anon)}`];
    for (const [id, amap] of session.amaps())
      for (const slot of usedSlots(amap))
        if (amap.anon[slot] === anon) lines.push(`  amap ${id} slot ${slot}`);
    return lines;
  },
};

/** The map entries that refer to the amap. */
function users(uvm: Uvm, amap: Amap): string[] {
  const lines: string[] = [];
  for (const map of uvm.maps)
    for (const entry of map.entries())
      if (entry.amap === amap)
        lines.push(
          `  map ${map.id} ${hex(entry.start)}->${hex(entry.end)} from slot ${entry.pageoff}`,
        );
  return lines;
}

function usedSlots(amap: Amap): number[] {
  return [...amap.slots.subarray(0, amap.nused)].toSorted((a, b) => a - b);
}

function slotLine(uvm: Uvm, amap: Amap, slot: number): string {
  const anon = amap.anon[slot]!;
  if (anon === NO_ANON) return `  slot ${slot}: none`;
  return `  slot ${slot}: anon ${anon}, ref=${uvm.anons.ref[anon]!}, ${whereabouts(uvm, anon)}`;
}

function whereabouts({ anons }: Uvm, anon: number): string {
  const page = anons.page[anon]!;
  const slot = anons.swslot[anon]!;
  return `page=${page === NO_PAGE ? 'none' : page}, swslot=${slot === SWSLOT_BAD ? 'bad' : slot}`;
}
