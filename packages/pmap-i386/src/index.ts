/**
 * `@uvmkit/pmap-i386`: the i386 MMU, and NetBSD's pmap for it.
 */
export * from './mmu.ts';
export * from './processor.ts';
export * from './pte.ts';
export * from './vmparam.ts';
