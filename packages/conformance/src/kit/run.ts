import type { MmuFormat, Port } from '@uvmkit/pmap';
import { type Aspect, type CaseContext, type KitCase, type Layer, Breach } from './case.ts';
import { cases } from './cases/index.ts';
import { asBreach } from './cases/define.ts';
import { type Divergence, divergencesOf } from './divergences.ts';
import type { Search } from './search.ts';

/**
 * What became of a case on a port.
 *
 * - `held`: what its sentence says is so
 * - `failed`: it is not so, and nobody said why
 * - `diverges`: it is not so, and the port's divergences say why, with a source
 * - `declined`: it is not so, and the contract leaves it to the port (MAY)
 * - `inapplicable`: the port lacks what the case is about
 */
export type KitVerdict = 'held' | 'failed' | 'diverges' | 'declined' | 'inapplicable';

/** One case on one port. */
export interface KitResult {
  readonly case: KitCase;
  /** The port's name. */
  readonly arch: string;
  readonly verdict: KitVerdict;
  /** What was wrong, or why the case is inapplicable or the port diverges; empty if it held. */
  readonly reason: string;
  /** TypeScript that shows what was wrong, with `port` in scope; empty if nothing was. */
  readonly script: readonly string[];
}

/** What to run and how. */
export interface KitOptions {
  /** What looks for failing sequences: that of `@uvmkit/conformance/fast-check`, or another. */
  readonly search: Search;
  /** All if not given. */
  readonly layers?: readonly Layer[];
  /** Cases whose id or sentence has this in it; all if not given. */
  readonly filter?: string;
  /** Of every random choice; 2001 if not given. */
  readonly seed?: number;
  /** How many random sequences are tried: 1, a usual run, if not given; 0.1 for a tenth of it. */
  readonly effort?: number;
  /** Ports of the same MMU whose resources are few, by a word for what is scarce; none if not given. */
  readonly scarce?: Readonly<Record<string, Port>>;
  /** The MMU by its manual: without it nothing of layer `mmu` is applicable. */
  readonly format?: MmuFormat;
  /** Where the port is known to differ, in place of what the kit knows of a port of its name. */
  readonly divergences?: readonly Divergence[];
}

/** The cases that the options ask for, in order. */
export function chosenCases({ layers, filter }: Pick<KitOptions, 'layers' | 'filter'>): KitCase[] {
  const word = filter?.toLowerCase() ?? '';
  return cases.filter(
    ({ id, sentence, layer }) =>
      (layers === undefined || layers.includes(layer)) &&
      (id.toLowerCase().includes(word) || sentence.toLowerCase().includes(word)),
  );
}

/** Runs the kit on a port: one result a case, as it comes. */
export function* runKit(port: Port, options: KitOptions): Generator<KitResult, void, void> {
  for (const each of chosenCases(options)) yield runCase(each, port, options);
}

/** Runs one case on a port. */
export function runCase(each: KitCase, port: Port, options: KitOptions): KitResult {
  const divergences = options.divergences ?? divergencesOf(port.name);
  const known = divergences.find((divergence) => divergence.cases.includes(each.id));
  const outcome = judge(each, port, options, divergences);
  const told = { case: each, arch: port.name, reason: '', script: [] };
  if (outcome === null)
    return known === undefined
      ? { ...told, verdict: 'held' }
      : {
          ...told,
          verdict: 'failed',
          reason: `holds, though it is known to differ: ${known.what} (${known.source})`,
        };
  if (typeof outcome === 'string') return { ...told, verdict: 'inapplicable', reason: outcome };
  const { script } = outcome;
  if (known !== undefined)
    return { ...told, verdict: 'diverges', reason: `${known.what} (${known.source})`, script };
  const verdict = each.level === 'MAY' ? 'declined' : 'failed';
  return { ...told, verdict, reason: outcome.message, script };
}

/** Null if the case holds, why it is inapplicable, or what was wrong. */
function judge(
  each: KitCase,
  port: Port,
  options: KitOptions,
  divergences: readonly Divergence[],
): Breach | string | null {
  const excused: Aspect[] = divergences.flatMap(({ aspect }) =>
    aspect === undefined ? [] : [aspect],
  );
  const context: CaseContext = {
    port,
    scarce: options.scarce ?? {},
    seed: options.seed ?? 2001,
    effort: options.effort ?? 1,
    search: options.search,
    format: options.format ?? null,
    excused: new Set(excused),
  };
  try {
    const missing = each.inapplicable(port, context.format);
    if (missing !== null) return missing;
    each.run(context);
    return null;
  } catch (error) {
    return error instanceof Breach ? error : asBreach(error, []);
  }
}
