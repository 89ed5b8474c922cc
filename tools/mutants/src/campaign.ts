import { rm } from 'node:fs/promises';
import { cases } from '@uvmkit/conformance';
import { Piscina } from 'piscina';
import { derive, type Derived } from './derive.ts';
import type { Change, Variant } from './mutant.ts';
import type { Answer, Task } from './worker.ts';

/** How ports are judged. */
export interface CampaignOptions {
  /** Of every random choice; 2001 if not given. */
  readonly seed?: number;
  /** How many random sequences each case tries, as of the kit; 1 if not given. */
  readonly effort?: number;
  /** Ports judged at once; 2 if not given. */
  readonly threads?: number;
  /** Milliseconds that one case may take; a minute if not given. */
  readonly limit?: number;
  /** Only the cases that are known to find the mutant; every other one after them if not given. */
  readonly known?: boolean;
}

/** What became of a changed port. */
export interface Fate {
  readonly id: string;
  /** The case that found it, or null if it got through all of them. */
  readonly by: string | null;
  /** What that case said. */
  readonly reason: string;
  /** Cases tried, and milliseconds taken. */
  readonly tried: number;
  readonly ms: number;
}

/** The most memory of a worker's heap, in MB. */
const HEAP_MB = 1024;

/**
 * The cases in the order in which they are tried: those that are known to find it, the short ones, random sequences.
 * What UVM does on a port is told of the port with its default options only.
 */
function order(killedBy: readonly string[], variant: Variant, known: boolean): string[] {
  if (known) return [...killedBy];
  const isRandom = (id: string): number => Number(id.includes('-RANDOM-'));
  const others = cases
    .filter(({ layer }) => layer !== 'uvm' || variant === 'default')
    .map(({ id }) => id)
    .filter((id) => !killedBy.includes(id));
  return [...killedBy, ...others.toSorted((a, b) => isRandom(a) - isRandom(b))];
}

/**
 * Judges changed ports by the kit, each until a case fails.
 *
 * @param told of each port when its fate is known
 * @returns the fates, in the order of the ports
 */
export async function campaign(
  changes: readonly (Change & { readonly killedBy?: readonly string[] })[],
  options: CampaignOptions,
  told: (fate: Fate) => void = () => {},
): Promise<Fate[]> {
  const { threads = 2 } = options;
  const derived = await derive(changes);
  const pool = new Piscina<Task, Answer>({
    filename: derived.worker,
    name: 'judge',
    minThreads: 1,
    maxThreads: threads,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    recordTiming: false,
  });
  const fates = new Map<string, Fate>();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < changes.length) {
      const change = changes[next++]!;
      const fate = await fateOf(change, derived, pool, options);
      fates.set(change.id, fate);
      told(fate);
    }
  };
  try {
    await Promise.all(Array.from({ length: threads }, lane));
  } finally {
    await pool.destroy();
    await rm(derived.folder, { recursive: true });
  }
  return changes.map(({ id }) => fates.get(id)!);
}

async function fateOf(
  change: Change & { readonly killedBy?: readonly string[] },
  derived: Derived,
  pool: Piscina<Task, Answer>,
  { seed = 2001, effort = 1, limit = 60_000, known = false }: CampaignOptions,
): Promise<Fate> {
  const began = performance.now();
  const { id, port, variant = 'default', killedBy = [] } = change;
  let tried = 0;
  for (const each of order(killedBy, variant, known)) {
    tried++;
    const task = { module: derived.module(id), port, variant, id: each, seed, effort };
    const { verdict, reason } = await answerOf(task, pool, limit);
    if (verdict === 'failed') return { id, by: each, reason, tried, ms: performance.now() - began };
  }
  return { id, by: null, reason: '', tried, ms: performance.now() - began };
}

/** A worker's answer. One that does not come is a failure, as it is to `uvmkit conform`. */
async function answerOf(task: Task, pool: Piscina<Task, Answer>, limit: number): Promise<Answer> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), limit);
  try {
    return await pool.run(task, { signal: controller.signal });
  } catch (error) {
    const what = controller.signal.aborted
      ? `no answer within ${limit / 1000} s`
      : `the worker was lost: ${error instanceof Error ? error.message : String(error)}`;
    return { verdict: 'failed', reason: what };
  } finally {
    clearTimeout(timer);
  }
}
