/** RISC-V Sv39: the hart's MMU and a pmap for it. */
export { Sv39Mmu } from './mmu.ts';
export { Sv39Pmap } from './pmap.ts';
export { sv39, Sv39Machine } from './port.ts';
export * from './pte.ts';
export * from './vmparam.ts';
