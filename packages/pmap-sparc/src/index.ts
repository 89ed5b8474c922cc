/**
 * `@uvmkit/pmap-sparc`: the two MMUs of NetBSD/sparc, each a port of its own. What belongs to one of them
 * alone (formats, flush types) is in `@uvmkit/pmap-sparc/sun4c` and `@uvmkit/pmap-sparc/srmmu`.
 */
export {
  srmmu,
  srmmuFormat,
  SrmmuMachine,
  SrmmuMmu,
  SrmmuPmap,
  type SrmmuOptions,
} from './srmmu/index.ts';
export {
  sun4c,
  sun4cFormat,
  Sun4cMachine,
  Sun4cMmu,
  Sun4cPmap,
  type Sun4cOptions,
} from './sun4c/index.ts';
