/** RISC-V Sv32: the hart's MMU and a pmap for it. */
export { Sv32Mmu } from './mmu.ts';
export { Sv32Pmap } from './pmap.ts';
export { sv32, Sv32Machine } from './port.ts';
export * from './pte.ts';
export * from './vmparam.ts';
