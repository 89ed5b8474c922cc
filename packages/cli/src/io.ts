import { createColors } from 'picocolors';
import type { Colors } from './report-text.ts';

/** What the command writes to and reads the time from. */
export interface Io {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
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
