/**
 * `@uvmkit/pmap`: the machine-dependent interface of uvmkit.
 *
 * Read in this order to write a port: {@link Port} (what a port says about itself and how it
 * boots), {@link Mmu} (the hardware it models), {@link Pmap} (the software contract that UVM
 * relies on), {@link MachineDependent} (what a booted port hands out).
 */
export * from './address.ts';
export { Amnesia } from './amnesia.ts';
export * from './errno.ts';
export * from './events.ts';
export * from './mmu-format.ts';
export * from './front.ts';
export * from './map-table.ts';
export * from './memory.ts';
export * from './mmu.ts';
export * from './panic.ts';
export * from './pmap.ts';
export * from './port.ts';
export * from './prot.ts';
export * from './pv.ts';
export * from './tlb.ts';
export { withoutTlb } from './tlb-less.ts';
export * from './tree-pmap.ts';
export * from './tree-tables.ts';
export * from './bare.ts';
