/**
 * `@uvmkit/pmap-riscv`: RISC-V's Sv32 and Sv39, each a port of its own, with one pmap's worth of software.
 */
export * from './bits.ts';
export type { Format } from './format.ts';
export * from './mmu.ts';
export { RiscvPmap } from './pmap.ts';
export { RiscvMachine } from './machine.ts';
export type { RiscvOptions } from './options.ts';
export { Sv32Mmu } from './sv32/mmu.ts';
export { Sv32Pmap } from './sv32/pmap.ts';
export { sv32 } from './sv32/port.ts';
export { SV32 } from './sv32/pte.ts';
export { SV32_LAYOUT } from './sv32/vmparam.ts';
export { Sv39Mmu } from './sv39/mmu.ts';
export { Sv39Pmap } from './sv39/pmap.ts';
export { sv39 } from './sv39/port.ts';
export { SV39 } from './sv39/pte.ts';
export { SV39_LAYOUT } from './sv39/vmparam.ts';
