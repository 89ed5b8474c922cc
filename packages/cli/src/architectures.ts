import type { Port } from '@uvmkit/pmap';
import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { sv32, sv39 } from '@uvmkit/pmap-riscv';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import { InputError } from './input-error.ts';

/** The MMUs that NetBSD of 2001 ran on, which `all` stands for: one line each. */
const OF_2001: readonly (readonly [string, () => Port])[] = [
  ['i386', () => i386()],
  ['alpha', () => alpha()],
  ['sun4c', () => sun4c()],
  ['srmmu', () => srmmu()],
  ['oea', () => oea()],
  ['ibm4xx', () => ibm4xx()],
];

/** Every architecture that `--arch` knows, by the name it is called there. RISC-V came later and is asked for by name. */
const ARCHITECTURES: ReadonlyMap<string, () => Port> = new Map<string, () => Port>([
  ...OF_2001,
  ['sv32', () => sv32()],
  ['sv39', () => sv39()],
]);

/** The names, in the order of a report's columns. */
export function architectureNames(): string[] {
  return [...ARCHITECTURES.keys()];
}

/**
 * The ports that a list names: `all`, the six of 2001, or names with commas between them.
 *
 * @throws InputError for a name that is not known
 */
export function portsOf(list: string): Port[] {
  const all = OF_2001.map(([name]) => name);
  const names = list === 'all' ? all : list.split(',').map((name) => name.trim());
  return [...new Set(names)].map((name) => {
    const make = ARCHITECTURES.get(name);
    if (make === undefined)
      throw new InputError(
        `--arch: expected all or some of ${architectureNames().join(', ')}, found "${name}"`,
      );
    return make();
  });
}
