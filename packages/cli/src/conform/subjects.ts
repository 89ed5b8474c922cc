import { formatProblems, portProblems } from '@uvmkit/conformance';
import type { MmuFormat, Port } from '@uvmkit/pmap';
import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import { pathToFileURL } from 'node:url';
import { formatOf, portsOf } from '../architectures.ts';
import { InputError } from '../input-error.ts';
import { thrownText } from './thrown.ts';
import type { Subject } from './task.ts';

/** A port, ports of the same MMU whose resources are few, and the MMU by its manual, if anybody wrote that. */
export interface Loaded {
  readonly port: Port;
  readonly scarce: Readonly<Record<string, Port>>;
  readonly format: MmuFormat | undefined;
}

const SCARCE: Readonly<Record<string, () => Readonly<Record<string, Port>>>> = {
  i386: () => ({ pv: i386({ pvEntries: 12 }) }),
  alpha: () => ({ pv: alpha({ pvEntries: 12 }), asns: alpha({ maxAsn: 3 }) }),
  sun4c: () => ({ pmegs: sun4c({ pmegs: 40, contexts: 3 }), pv: sun4c({ pvEntries: 14 }) }),
  srmmu: () => ({ contexts: srmmu({ contexts: 4 }), pv: srmmu({ pvEntries: 12 }) }),
  oea: () => ({ vsids: oea({ pmaps: 32 }), pvos: oea({ pvos: 20 }) }),
  ibm4xx: () => ({ contexts: ibm4xx({ contexts: 6 }) }),
};

/**
 * The port that a subject names.
 *
 * @throws InputError if the module cannot be loaded, exports no port, or a format that is none
 */
export async function load(subject: Subject): Promise<Loaded> {
  if ('arch' in subject) {
    const [port] = portsOf(subject.arch);
    return {
      port: port!,
      scarce: SCARCE[subject.arch]?.() ?? {},
      format: formatOf(subject.arch),
    };
  }
  const { file } = subject;
  const module = await importOf(file);
  const found = module['port'] ?? module['default'];
  if (found === undefined)
    throw new InputError(
      `${file}: expected an export named port, or a default one, found ${names(module)}`,
    );
  const scarce = module['scarce'];
  return {
    port: portOf(file, 'port', found),
    scarce: Object.fromEntries(
      Object.entries(typeof scarce === 'object' && scarce !== null ? scarce : {}).map(
        ([word, value]) => [word, portOf(file, `scarce.${word}`, value)],
      ),
    ),
    format: formatIn(file, module),
  };
}

async function importOf(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new InputError(`${file}: cannot be loaded: ${thrownText(error)}`);
  }
}

/** The port that was exported, or that the exported function makes. */
function portOf(file: string, what: string, exported: unknown): Port {
  let value = exported;
  if (typeof exported === 'function')
    try {
      value = (exported as () => unknown)();
    } catch (error) {
      throw new InputError(`${file}: ${what}() throws: ${thrownText(error)}`);
    }
  const problems = portProblems(value);
  if (problems.length > 0)
    throw new InputError([`${file}: ${what} is not a port:`, ...problems].join('\n  '));
  return value as Port;
}

function formatIn(
  file: string,
  { format }: Readonly<Record<string, unknown>>,
): MmuFormat | undefined {
  if (format === undefined) return undefined;
  const problems = formatProblems(format);
  if (problems.length > 0)
    throw new InputError([`${file}: format is not an MmuFormat:`, ...problems].join('\n  '));
  return format as MmuFormat;
}

function names(module: Readonly<Record<string, unknown>>): string {
  const exported = Object.keys(module);
  return exported.length === 0 ? 'no exports' : exported.join(', ');
}
