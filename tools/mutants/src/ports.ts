import type { Port } from '@uvmkit/pmap';
import type { PortName, Variant } from './mutant.ts';

/** What makes a port: `i386` of the package's index, or its like in a mutated one. */
export type Factory = (options?: Readonly<Record<string, unknown>>) => Port;

interface PortOptions {
  /** The package's folder. */
  readonly folder: string;
  /** Options of each variant that there is beside the default one. */
  readonly variants: Readonly<Partial<Record<Variant, Readonly<Record<string, unknown>>>>>;
  /** Options of ports with few resources, by a word for what is scarce: those that `uvmkit conform` judges. */
  readonly scarce: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The ports, and how they are made to be judged. */
export const PORTS: Readonly<Record<PortName, PortOptions>> = {
  i386: {
    folder: 'pmap-i386',
    variants: { deferred: { deferred: true } },
    scarce: { pv: { pvEntries: 12 } },
  },
  alpha: {
    folder: 'pmap-alpha',
    variants: { deferred: { deferred: true } },
    scarce: { pv: { pvEntries: 12 }, asns: { maxAsn: 3 } },
  },
  sun4c: {
    folder: 'pmap-sparc',
    variants: { exact: { wiring: 'late' } },
    scarce: { pmegs: { pmegs: 40, contexts: 3 }, pv: { pvEntries: 14 } },
  },
  srmmu: {
    folder: 'pmap-sparc',
    variants: { exact: { wiring: 'late' }, deferred: { deferred: true } },
    scarce: { contexts: { contexts: 4 }, pv: { pvEntries: 12 } },
  },
  oea: {
    folder: 'pmap-powerpc',
    variants: { exact: { wiredCount: 'exact' }, deferred: { deferred: true } },
    scarce: { vsids: { pmaps: 32 }, pvos: { pvos: 20 } },
  },
  ibm4xx: {
    folder: 'pmap-powerpc',
    variants: { exact: { wiredCount: 'exact' }, deferred: { deferred: true } },
    scarce: { contexts: { contexts: 6 } },
  },
  sv32: { folder: 'pmap-riscv', variants: {}, scarce: {} },
  sv39: { folder: 'pmap-riscv', variants: {}, scarce: {} },
};

/** The port in one of its variants, and its scarce kin in the same. */
export function made(
  name: PortName,
  variant: Variant,
  factory: Factory,
): { readonly port: Port; readonly scarce: Readonly<Record<string, Port>> } {
  const { variants, scarce } = PORTS[name];
  const options = variant === 'default' ? {} : variants[variant];
  if (options === undefined) throw new RangeError(`${name} has no variant ${variant}`);
  return {
    port: factory(options),
    scarce: Object.fromEntries(
      Object.entries(scarce).map(([word, few]) => [word, factory({ ...options, ...few })]),
    ),
  };
}
