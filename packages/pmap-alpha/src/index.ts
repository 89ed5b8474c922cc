export * from './mmu.ts';
export * from './pte.ts';
export * from './vmparam.ts';
