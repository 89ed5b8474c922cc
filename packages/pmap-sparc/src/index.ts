/** `@uvmkit/pmap-sparc`: the two MMUs of NetBSD/sparc, each a port of its own. */
export { srmmu, SrmmuMachine, SrmmuMmu, SrmmuPmap, type SrmmuOptions } from './srmmu/index.ts';
