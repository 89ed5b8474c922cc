/** The sun4m: SPARC Reference MMU and NetBSD's pmap for it. */
export { srmmu, SrmmuMachine, type SrmmuOptions } from './port.ts';
export { srmmuFormat } from './mmu-format.ts';
export {
  FLUSH_CONTEXT,
  FLUSH_ENTIRE,
  FLUSH_PAGE,
  FLUSH_REGION,
  FLUSH_SEGMENT,
  SrmmuMmu,
  type FlushType,
  type SrmmuMmuOptions,
} from './mmu.ts';
export {
  PMAP_NC,
  PMAP_SPACE_SHIFT,
  SrmmuPmap,
  type SrmmuCounters,
  type SrmmuPmapOptions,
} from './pmap.ts';
export * as pte from './pte.ts';
