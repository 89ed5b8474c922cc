import { Machine } from '@uvmkit/machine';
import { type Port, VM_PROT_READ } from '@uvmkit/pmap';
import {
  MAP_INHERIT_COPY,
  mapLookup,
  spaceAlloc,
  UVM_ADV_NORMAL,
  UVM_FLAG_FIXED,
  UVM_FLAG_NOMERGE,
  uvmMap,
  type VmMap,
} from '@uvmkit/uvm-core';
import { type Figure, measure } from './measure.ts';

/** Lookups in a round, at addresses chosen beforehand. */
const LOOKUPS = 1 << 16;

/** A map with that many one-page entries, one free page between each two. */
function mapOf(
  port: Port,
  entries: number,
): { readonly map: VmMap; readonly addresses: Float64Array } {
  const { uvm } = new Machine({ port });
  const step = uvm.pageSize * 2;
  const created = spaceAlloc(uvm, 0, entries * step).next();
  if (created.done !== true) throw new Error('a new address space had to wait for memory');
  const { map } = created.value;
  const attributes = {
    prot: VM_PROT_READ,
    maxProt: VM_PROT_READ,
    inherit: MAP_INHERIT_COPY,
    advice: UVM_ADV_NORMAL,
    flags: UVM_FLAG_FIXED | UVM_FLAG_NOMERGE,
  };
  for (let i = 0; i < entries; i++)
    uvmMap(uvm, map, i * step, uvm.pageSize, null, 0, 0, attributes);
  const addresses = new Float64Array(LOOKUPS);
  let state = 1;
  for (let i = 0; i < LOOKUPS; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    addresses[i] = Math.floor((state / 2 ** 32) * entries) * step;
  }
  return { map, addresses };
}

/** Finding the entry of a random address among so many. */
export async function measureLookup(port: Port, entries: number): Promise<Figure> {
  const { map, addresses } = mapOf(port, entries);
  let found = 0;
  return measure(LOOKUPS, () => {
    for (let i = 0; i < LOOKUPS; i++) if (mapLookup(map, addresses[i]!) !== null) found++;
    if (found % LOOKUPS !== 0) throw new Error('a mapped address was not found');
  });
}
