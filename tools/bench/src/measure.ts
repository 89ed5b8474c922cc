import { Bench, type FnOptions } from 'tinybench';

/** One measured figure. */
export interface Figure {
  /** Nanoseconds for one operation: the median over the rounds. */
  readonly ns: number;
  /** How far the rounds were from it, in percent of the median (median absolute deviation). */
  readonly spread: number;
}

/**
 * Times `round`, which does `operations` of them, until the figure is steady.
 *
 * @param hooks what to do outside the time taken: set up before each round, clear up after it
 */
export async function measure(
  operations: number,
  round: () => void,
  hooks: FnOptions = {},
): Promise<Figure> {
  const bench = new Bench({
    time: 400,
    iterations: 12,
    warmupTime: 150,
    warmupIterations: 4,
    throws: true,
  });
  bench.add('figure', round, hooks);
  const [task] = await bench.run();
  const { result } = task!;
  if (!('latency' in result)) throw new Error(`a bench ended ${result.state}`);
  const { latency } = result;
  return { ns: (latency.p50 * 1e6) / operations, spread: (latency.mad / latency.p50) * 100 };
}
