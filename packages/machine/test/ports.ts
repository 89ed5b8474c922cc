import type { Port } from '@uvmkit/pmap';
import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { sv32, sv39 } from '@uvmkit/pmap-riscv';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';

/** Every port there is, each made anew, by its name. */
export const PORTS: readonly (readonly [string, () => Port])[] = [
  ['alpha', () => alpha()],
  ['i386', () => i386()],
  ['ibm4xx', () => ibm4xx()],
  ['oea', () => oea()],
  ['srmmu', () => srmmu()],
  ['sun4c', () => sun4c()],
  ['sv32', () => sv32()],
  ['sv39', () => sv39()],
];
