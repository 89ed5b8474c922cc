/** The IBM 403GCX/405: `ibm4xx()` is the port, the rest can be used alone. */
export { ibm4xx, Ibm4xxMachine } from './port.ts';
export type { Ibm4xxOptions } from './options.ts';
export { ibm4xxFormat } from './mmu-format.ts';
export { Ibm4xxMmu, TLBHI, TLBLO, TLBSX_MISS } from './mmu.ts';
export { Ibm4xxPmap, PME_NOCACHE, PME_WRITETHROUG } from './pmap.ts';
export * from './pte.ts';
