import type { MmuFormat, Port } from '@uvmkit/pmap';
import { alpha, alphaFormat } from '@uvmkit/pmap-alpha';
import { i386, i386Format } from '@uvmkit/pmap-i386';
import { ibm4xx, ibm4xxFormat, oea, oeaFormat } from '@uvmkit/pmap-powerpc';
import { sv32, sv39 } from '@uvmkit/pmap-riscv';
import { srmmu, srmmuFormat, sun4c, sun4cFormat } from '@uvmkit/pmap-sparc';
import { InputError } from './input-error.ts';

/** What comes along of an architecture. */
interface Architecture {
  readonly port: () => Port;
  /** Its MMU by the manual. */
  readonly format?: MmuFormat;
}

/** The MMUs that NetBSD of 2001 ran on, which `all` stands for: one line each. */
const OF_2001: readonly (readonly [string, Architecture])[] = [
  ['i386', { port: () => i386(), format: i386Format }],
  ['alpha', { port: () => alpha(), format: alphaFormat }],
  ['sun4c', { port: () => sun4c(), format: sun4cFormat }],
  ['srmmu', { port: () => srmmu(), format: srmmuFormat }],
  ['oea', { port: () => oea(), format: oeaFormat }],
  ['ibm4xx', { port: () => ibm4xx(), format: ibm4xxFormat }],
];

/** Every architecture that `--arch` knows, by the name it is called there. RISC-V came later and is asked for by name. */
const ARCHITECTURES: ReadonlyMap<string, Architecture> = new Map<string, Architecture>([
  ...OF_2001,
  ['sv32', { port: () => sv32() }],
  ['sv39', { port: () => sv39() }],
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
    const architecture = ARCHITECTURES.get(name);
    if (architecture === undefined)
      throw new InputError(
        `--arch: expected all or some of ${architectureNames().join(', ')}, found "${name}"`,
      );
    return architecture.port();
  });
}

/** The MMU of an architecture by its manual; undefined if `--arch` does not know the name or nobody wrote it. */
export function formatOf(name: string): MmuFormat | undefined {
  return ARCHITECTURES.get(name)?.format;
}
