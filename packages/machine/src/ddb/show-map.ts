import { hex, protName } from '@uvmkit/pmap';
import { type MapEntry, UVM_ET_COPYONWRITE, UVM_ET_NEEDSCOPY, type VmMap } from '@uvmkit/uvm-core';
import { findMap, mapsOf } from './find.ts';
import type { Command } from './command.ts';
import { adviceName, bits, flag, inheritName, MAP_FLAGS } from './names.ts';
import type { Session } from './session.ts';

/** uvm_map_printit (uvm_map.c). */
export const showMap: Command = {
  name: 'show map',
  usage: '[/f] MAP',
  summary: 'an address space; /f with its entries',
  modifiers: 'f',
  run(session, args) {
    const map = findMap(session, args);
    args.end();
    const lines = [
      `MAP ${map.id}: [${hex(map.min)}->${hex(map.max)}]`,
      `  #ent=${map.nentries}, sz=${hex(map.size, 1)}, ref=${references(session, map)}, version=${map.timestamp}, flags=${bits(map.flags, MAP_FLAGS)}`,
      `  pmap=${map.pmap}(resident=${session.uvm.pmap.residentCount(map.pmap)}, wired=${session.uvm.pmap.wiredCount(map.pmap)})`,
    ];
    if (args.modifiers === 'f')
      for (const entry of map.entries()) lines.push(...entryLines(session, entry));
    return lines;
  },
  complete: ({ uvm }, before) => (before.length === 0 ? [...mapsOf(uvm).keys()].map(String) : []),
};

/** Processes that use the map; the kernel uses its own. */
function references({ machine, uvm }: Session, map: VmMap): number {
  if (map === uvm.kernelMap) return 1;
  for (const { space } of machine.processes.values()) if (space.map === map) return space.refs;
  return 0;
}

function entryLines(session: Session, entry: MapEntry): string[] {
  const { object, amap, submap, etype } = entry;
  return [
    ` - ${hex(entry.start)}->${hex(entry.end)}: obj=${object?.id ?? 'null'}/${hex(entry.offset, 1)}, amap=${amap === null ? 'null' : session.amapId(amap)}/${entry.pageoff}`,
    `   submap=${submap?.id ?? 'F'}, cow=${flag((etype & UVM_ET_COPYONWRITE) !== 0)}, nc=${flag((etype & UVM_ET_NEEDSCOPY) !== 0)}, prot(max)=${protName(entry.protection)}/${protName(entry.maxProtection)}, inh=${inheritName(entry.inheritance)}, wc=${entry.wiredCount}, adv=${adviceName(entry.advice)}`,
  ];
}
