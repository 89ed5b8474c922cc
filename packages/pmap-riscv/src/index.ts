/**
 * `@uvmkit/pmap-riscv`: RISC-V's Sv32 and Sv39, each a port of its own, with one pmap's worth of software.
 */
export * from './bits.ts';
export type { Format } from './format.ts';
export {
  BARE,
  INSTRUCTION_ACCESS_FAULT,
  INSTRUCTION_PAGE_FAULT,
  LOAD_ACCESS_FAULT,
  LOAD_PAGE_FAULT,
  STORE_ACCESS_FAULT,
  STORE_PAGE_FAULT,
  type RiscvMmuOptions,
} from './mmu.ts';
export type { RiscvOptions } from './options.ts';
export { SV32, sv32, SV32_LAYOUT, Sv32Machine, Sv32Mmu, Sv32Pmap } from './sv32/index.ts';
export { SV39, sv39, SV39_LAYOUT, Sv39Machine, Sv39Mmu, Sv39Pmap } from './sv39/index.ts';
