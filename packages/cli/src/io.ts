import { createColors } from 'picocolors';
import type { Colors } from './report-text.ts';

/** Where text goes: what a stream of Node has of it, so that whoever calls needs no types of Node's. */
export interface Output {
  /** Set on terminals only, which are streams of `node:tty`. */
  readonly isTTY?: boolean;
  /** The width of a terminal. */
  readonly columns?: number;
  write(text: string): unknown;
}

/** What the command writes to and reads the time from. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  /** For what goes to standard output. */
  readonly colors: Colors;
  /** Real time in ms. */
  readonly clock: () => number;
}

/** The process' own. */
export function processIo(): Io {
  const { stdout, stderr } = process;
  return {
    stdout,
    stderr,
    colors: createColors(stdout.isTTY && process.env['NO_COLOR'] === undefined),
    clock: () => performance.now(),
  };
}
