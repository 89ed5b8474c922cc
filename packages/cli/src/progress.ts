import { Presets, SingleBar } from 'cli-progress';
import type { Output } from './io.ts';
import { isTerminal } from './terminal.ts';

/** Tells how far a replay is: a bar on a terminal, a line when it begins and one when it ends elsewhere. */
export interface Progress {
  start(what: string, total: number): void;
  update(done: number): void;
  stop(outcome: string): void;
}

/** Progress on a stream, usually standard error. */
export function progressOn(stream: Output): Progress {
  return isTerminal(stream) ? new Bar(stream) : new Lines(stream);
}

class Bar implements Progress {
  readonly #bar: SingleBar;

  constructor(stream: NodeJS.WriteStream) {
    const format = '{what} [{bar}] {percentage}% of {total} records, {eta_formatted} left';
    this.#bar = new SingleBar(
      { stream, format, hideCursor: true, clearOnComplete: true, linewrap: false },
      Presets.legacy,
    );
  }

  start(what: string, total: number): void {
    this.#bar.start(total, 0, { what });
  }

  update(done: number): void {
    this.#bar.update(done);
  }

  stop(): void {
    this.#bar.stop();
  }
}

class Lines implements Progress {
  readonly #stream: Output;
  #what = '';

  constructor(stream: Output) {
    this.#stream = stream;
  }

  start(what: string, total: number): void {
    this.#what = what;
    this.#stream.write(`${what}: ${total} records\n`);
  }

  update(): void {
    // A log wants to know what began and what came of it.
  }

  stop(outcome: string): void {
    this.#stream.write(`${this.#what}: ${outcome}\n`);
  }
}
