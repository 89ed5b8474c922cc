import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { ConformTask } from './task.ts';
import type { Answer } from './worker.ts';
import { thrownText } from './thrown.ts';

/** What became of a task that a worker was given. */
export type Ended = { readonly answer: Answer } | { readonly lost: string };

/** How many cases are run at once, and for how long at most. */
export interface PoolOptions {
  readonly threads?: number;
  /** Milliseconds that one case may take. */
  readonly limit: number;
  /** The worker's module; the one beside this if not given. */
  readonly worker?: string;
}

/** The worker's module, compiled as this one is. */
const beside = fileURLToPath(new URL('./worker.js', import.meta.url));

/** The most memory of a worker's heap, in MB: a port that takes more is ended, not the run. */
const HEAP_MB = 1024;

/**
 * Workers that judge cases, each in a thread of its own. One that takes too long is ended and another takes its place,
 * so that no port can hold the run up or bring it down.
 */
export class CasePool {
  readonly #pool: Piscina<ConformTask, Answer>;
  readonly #threads: number;
  /** Milliseconds that one case may take. */
  readonly limit: number;

  constructor({ threads = availableParallelism(), limit, worker = beside }: PoolOptions) {
    this.#threads = threads;
    this.limit = limit;
    this.#pool = new Piscina<ConformTask, Answer>({
      filename: worker,
      name: 'conform',
      minThreads: 1,
      maxThreads: threads,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
      recordTiming: false,
    });
  }

  /** Runs one task. */
  async run(task: ConformTask): Promise<Ended> {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), this.limit);
    try {
      return { answer: await this.#pool.run(task, { signal: controller.signal }) };
    } catch (error) {
      if (controller.signal.aborted)
        return { lost: `no answer within ${this.limit / 1000} s: the worker was ended` };
      return { lost: `the worker was lost: ${thrownText(error)}` };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs tasks in order, as many at once as there are threads. `ended` is told of each as it ends. */
  async runAll(
    tasks: readonly ConformTask[],
    ended: (task: ConformTask, outcome: Ended) => void,
  ): Promise<void> {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < tasks.length) {
        const task = tasks[next++]!;
        ended(task, await this.run(task));
      }
    };
    await Promise.all(Array.from({ length: this.#threads }, lane));
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
