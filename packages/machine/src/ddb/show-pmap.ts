import { hex, NO_PA, type PmapId } from '@uvmkit/pmap';
import { type Uvm, type VmMap } from '@uvmkit/uvm-core';
import type { Command } from './command.ts';
import { findAddress, findPmap, pmapsOf } from './find.ts';

/** What stands in the tables, in the port's own words (`Pmap.describe`). */
export const showPmap: Command = {
  name: 'show pmap',
  usage: 'PMAP [VA]',
  summary: 'a pmap and all that it maps for its map, or what it has for one address',
  run(session, args) {
    const { uvm } = session;
    const [pmap, map] = findPmap(session, args);
    const at = args.left === 0 ? null : findAddress(session, args);
    args.end();
    if (at !== null) return [entryLine(uvm, pmap, at)];
    const resident = uvm.pmap.residentCount(pmap);
    const mapped = mappedLines(uvm, pmap, map);
    const others = resident - mapped.length;
    return [
      `PMAP ${pmap} (${uvm.md.port.name}): map=${map.id}, resident=${resident}, wired=${uvm.pmap.wiredCount(pmap)}, tables=${hex(uvm.pmap.tableBytes(pmap), 1)}`,
      ...mapped,
      // What the port mapped for itself at boot, say.
      ...(others > 0 ? [`  ${others} outside of the map's entries`] : []),
    ];
  },
  complete: ({ uvm }, before) => (before.length === 0 ? [...pmapsOf(uvm).keys()].map(String) : []),
};

/** The pages that are mapped under the map's entries. */
function mappedLines(uvm: Uvm, pmap: PmapId, map: VmMap): string[] {
  const lines: string[] = [];
  for (const { start, end, submap } of map.entries()) {
    if (submap !== null && submap !== map) lines.push(...mappedLines(uvm, pmap, submap));
    else
      for (let va = start; va < end; va += uvm.pageSize)
        if (uvm.pmap.extract(pmap, va) !== NO_PA) lines.push(entryLine(uvm, pmap, va));
  }
  return lines;
}

function entryLine(uvm: Uvm, pmap: PmapId, va: number): string {
  return `  ${hex(va)}: ${uvm.pmap.describe(pmap, uvm.trunc(va))}`;
}
