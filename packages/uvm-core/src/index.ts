/**
 * `@uvmkit/uvm-core`: the machine-independent half of NetBSD's UVM, as of 31 December 2001.
 *
 * One file a concept, named as NetBSD names it. {@link Uvm} holds the state; everything else is functions over it.
 */
export * from './amap-copy.ts';
export * from './amap.ts';
export * from './anon.ts';
export * from './aobj.ts';
export * from './bare.ts';
export * from './check.ts';
export * from './device.ts';
export * from './entry.ts';
export * from './exp.ts';
export * from './extract.ts';
export * from './fault.ts';
export * from './io.ts';
export * from './kernel-copy.ts';
export * from './km.ts';
export * from './loan.ts';
export * from './map-attr.ts';
export * from './map-clean.ts';
export * from './map-clip.ts';
export * from './map-pageable.ts';
export * from './map-unmap.ts';
export * from './map.ts';
export * from './mlock.ts';
export * from './mmap.ts';
export * from './object.ts';
export * from './page.ts';
export * from './pdaemon.ts';
export * from './space.ts';
export * from './swap-slots.ts';
export * from './swap.ts';
export * from './swapctl.ts';
export * from './types.ts';
export * from './uarea.ts';
export * from './ubc.ts';
export * from './uvm.ts';
export * from './vnode-io.ts';
export * from './vnode-kinds.ts';
export * from './vnode.ts';
export * from './wire.ts';
export * from './wiring/forgetful.ts';
export type { Ledger } from './wiring/ledger.ts';
export * from './wiring/policy.ts';
export * from './wiring/targeted.ts';
export type { Users } from './wiring/users.ts';
export * from './wiring/wire.ts';
export * from './wiring/wiremax.ts';
