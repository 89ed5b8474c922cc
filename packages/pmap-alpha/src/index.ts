/**
 * `@uvmkit/pmap-alpha`: {@link alpha} is the port. Its parts can be used alone: the PTE codec, the
 * MMU (which needs nothing but physical memory), the pmap.
 */
export { alpha } from './port.ts';
export { type AlphaOptions } from './options.ts';
export * from './mmu.ts';
export { alphaFormat } from './mmu-format.ts';
export * from './pte.ts';
export * from './vmparam.ts';
export { AlphaPmap } from './pmap.ts';
export { PGA_MODIFIED, PGA_REFERENCED } from './mappings.ts';
export { type ShootdownMode } from './shootdown.ts';
