/**
 * `@uvmkit/pmap-i386`: the i386 MMU, and NetBSD's pmap for it. {@link i386} makes the port;
 * {@link I386Mmu} and the entry formats stand alone.
 */
export { i386Format } from './mmu-format.ts';
export * from './mmu.ts';
export type { I386Options, Variant } from './options.ts';
export type { I386Pmap } from './pmap.ts';
export { i386, type I386Machine, type I386Port } from './port.ts';
export * from './processor.ts';
export * from './pte.ts';
export * from './vmparam.ts';
