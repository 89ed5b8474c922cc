import type { WaitChannel } from '@uvmkit/uvm-core';
import type { Random } from './random.ts';

/**
 * What a coroutine yields to let others run while it stays runnable itself. It is none of uvm-core's
 * channels: those are ≥ 0, −2, −3, or ≤ −16.
 */
export const CHANNEL_PREEMPT: WaitChannel = -4;

/** A plain call waits for something that cannot happen any more: nothing can run and nothing is pending. */
export class DeadlockError extends Error {
  override readonly name: string = 'DeadlockError';
  readonly channel: WaitChannel;

  constructor(channel: WaitChannel) {
    super(`nothing can run and no I/O is pending, so nobody will ever wake channel ${channel}`);
    this.channel = channel;
  }
}

/** Whoever can sleep on a channel. */
export interface Sleeper {
  /** The channel was woken. Called once for each `Scheduler.sleep`. */
  awaken(): void;
}

/**
 * Who may run, and who sleeps on what. Which of the runnable runs next is drawn from the machine's
 * seeded generator; sleepers of one channel wake in the order in which they went to sleep.
 */
export class Scheduler<Runnable> {
  readonly #random: Random;
  readonly #runnable: Runnable[] = [];
  readonly #sleepers: Map<WaitChannel, Sleeper[]> = new Map();

  constructor(random: Random) {
    this.#random = random;
  }

  /** How many may run now. */
  get runnable(): number {
    return this.#runnable.length;
  }

  /** The channels that someone sleeps on, with how many do. */
  *channels(): Generator<readonly [WaitChannel, number], void, void> {
    for (const [channel, sleepers] of this.#sleepers) yield [channel, sleepers.length];
  }

  /** From now on it may run. */
  ready(runnable: Runnable): void {
    this.#runnable.push(runnable);
  }

  /** Draws who runs next and takes it off the run queue; null if nobody can. */
  next(): Runnable | null {
    const queue = this.#runnable;
    if (queue.length === 0) return null;
    const drawn = queue.length === 1 ? 0 : this.#random.below(queue.length);
    const runnable = queue[drawn]!;
    queue[drawn] = queue[queue.length - 1]!;
    queue.pop();
    return runnable;
  }

  /** Has the sleeper awakened once, at the next wakeup of the channel. */
  sleep(channel: WaitChannel, sleeper: Sleeper): void {
    const sleepers = this.#sleepers.get(channel);
    if (sleepers === undefined) this.#sleepers.set(channel, [sleeper]);
    else sleepers.push(sleeper);
  }

  /** Takes back a {@link sleep} that nobody has ended. */
  forget(channel: WaitChannel, sleeper: Sleeper): void {
    const left = (this.#sleepers.get(channel) ?? []).filter((other) => other !== sleeper);
    if (left.length === 0) this.#sleepers.delete(channel);
    else this.#sleepers.set(channel, left);
  }

  /** Wakes whoever sleeps on the channel. Cheap if nobody does. */
  wakeup(channel: WaitChannel): void {
    if (this.#sleepers.size === 0) return;
    const sleepers = this.#sleepers.get(channel);
    if (sleepers === undefined) return;
    this.#sleepers.delete(channel);
    for (const sleeper of sleepers) sleeper.awaken();
  }
}
