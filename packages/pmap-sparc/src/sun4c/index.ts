/** The sun4c: segment map, PMEGs, virtual cache, and NetBSD's pmap for them. */
export { sun4c, Sun4cMachine, type Sun4cOptions } from './port.ts';
export { sun4cFormat } from './mmu-format.ts';
export { Sun4cMmu, type Sun4cModel } from './mmu.ts';
export {
  PMAP_NC,
  PMAP_OBIO,
  Sun4cPmap,
  type Sun4cCounters,
  type Sun4cPmapOptions,
} from './pmap.ts';
export { Vac } from './vac.ts';
export * as pte from './pte.ts';
