/** The PowerPC operating environment architecture: `oea()` is the port, the rest can be used alone. */
export { oea, OeaMachine } from './port.ts';
export type { OeaOptions, OeaRevision } from './options.ts';
export { oeaFormat } from './mmu-format.ts';
export { OeaMmu, type OeaModel } from './mmu.ts';
export { BatArray } from './bat.ts';
export { OeaPmap, PMAP_NC } from './pmap.ts';
export { PtegTable } from './pteg.ts';
export * from './pte.ts';
