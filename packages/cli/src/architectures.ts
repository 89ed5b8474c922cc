import type { Port } from '@uvmkit/pmap';
import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import { InputError } from './input-error.ts';

/** Every architecture that `--arch` knows, by the name it is called there: one line each. */
const ARCHITECTURES: ReadonlyMap<string, () => Port> = new Map<string, () => Port>([
  ['i386', () => i386()],
  ['alpha', () => alpha()],
  ['sun4c', () => sun4c()],
  ['srmmu', () => srmmu()],
  ['oea', () => oea()],
  ['ibm4xx', () => ibm4xx()],
]);

/** The names, in the order of a report's columns. */
export function architectureNames(): string[] {
  return [...ARCHITECTURES.keys()];
}

/**
 * The ports that a list names: `all`, or names with commas between them.
 *
 * @throws InputError for a name that is not known
 */
export function portsOf(list: string): Port[] {
  const names = list === 'all' ? architectureNames() : list.split(',').map((name) => name.trim());
  return [...new Set(names)].map((name) => {
    const make = ARCHITECTURES.get(name);
    if (make === undefined)
      throw new InputError(
        `--arch: expected all or some of ${architectureNames().join(', ')}, found "${name}"`,
      );
    return make();
  });
}
