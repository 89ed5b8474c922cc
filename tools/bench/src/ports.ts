import type { Port } from '@uvmkit/pmap';
import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';

/** The ports that are measured, by name. */
export const PORTS: ReadonlyMap<string, () => Port> = new Map<string, () => Port>([
  ['i386', () => i386()],
  ['alpha', () => alpha()],
  ['sun4c', () => sun4c()],
  ['srmmu', () => srmmu()],
  ['oea', () => oea()],
  ['ibm4xx', () => ibm4xx()],
]);
