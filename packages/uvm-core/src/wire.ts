import { EFAULT, type Errno, KernelPanic, type Prot, type Va } from '@uvmkit/pmap';
import type { MapEntry } from './entry.ts';
import { uvmFault, uvmRefault } from './fault.ts';
import type { VmMap } from './map.ts';
import { type FaultType, type Sleeping, VM_MAP_INTRSAFE, WAIT } from './types.ts';
import type { Uvm } from './uvm.ts';

/**
 * Wires a range by simulated faults, page by page (`uvm_fault_wire`). The caller keeps the map from
 * changing meanwhile, or does not care (a transient wiring). On an error what was wired is unwired again.
 *
 * @param type VM_FAULT_WIRE or VM_FAULT_WIREMAX
 * @param access the rights to fault with
 * @param counted how much of the entries' wired count is this wiring: 1 for a lock, 0 for a transient one
 */
export function* faultWire(
  uvm: Uvm,
  map: VmMap,
  start: Va,
  end: Va,
  type: FaultType,
  access: Prot,
  counted = 0,
): Sleeping<Errno> {
  if (start > end) return EFAULT;
  if (uvm.events.watched) uvm.events.emit('uvm.wire', map.id, start, end, type);
  for (let va = start; va < end; va += uvm.pageSize) {
    let error = uvmFault(uvm, map, va, type, access);
    while (error === WAIT) {
      yield uvm.waitChannel;
      error = uvmRefault(uvm, map, va, type, access);
    }
    if (error !== 0) {
      // A lock has been counted in the entry, for every page of it; the 2001 kernel forgot that here, and the
      // mappings stayed wired over pages that were not.
      if (va !== start) faultUnwire(uvm, map, start, va, counted);
      return error;
    }
  }
  return 0;
}

/**
 * Undoes the wiring of a range (`uvm_fault_unwire`). Mappings stay wired where the entry is wired for another reason.
 *
 * @param counted how much of the entries' wired count is the wiring that is undone
 * @throws KernelPanic with the words of the seven problem reports, if a mapping has gone and the wiring policy finds pages
 * through the pmap
 */
export function faultUnwire(uvm: Uvm, map: VmMap, start: Va, end: Va, counted = 0): void {
  if ((map.flags & VM_MAP_INTRSAFE) !== 0)
    throw new KernelPanic('uvm_fault_unwire_locked: map is intrsafe', { map: map.id });
  if (uvm.events.watched) uvm.events.emit('uvm.unwire', map.id, start, end);
  uvm.wiring.unwire(uvm, map, start, end, counted);
}

/** Takes the wiring of an entry back, whatever its depth (`uvm_map_entry_unwire`). */
export function unwireEntry(uvm: Uvm, map: VmMap, entry: MapEntry): void {
  entry.wiredCount = 0;
  faultUnwire(uvm, map, entry.start, entry.end);
}
