import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { TracePlace, VmtraceWriter } from '@uvmkit/replay';
import { InputError } from './input-error.ts';
import { recordingAt } from './recordings.ts';

/** `uvmkit convert`, as parsed. */
export interface ConvertFlags {
  readonly maps: string;
  readonly window: number;
}

/**
 * Turns a raw log and its maps into a page-level recording, compressed if its name ends in .gz.
 *
 * @throws InputError, TraceError for input that cannot be used; nothing is left at `out` then
 */
export async function convertCommand(
  log: string,
  out: string,
  flags: ConvertFlags,
): Promise<number> {
  const source = await recordingAt(log, flags);
  const file = createWriteStream(out, { flags: 'wx' });
  const target = out.endsWith('.gz') ? createGzip({ level: 9 }) : null;
  target?.pipe(file);
  const done = finished(file);
  try {
    await source.read(
      new TracePlace(log),
      new VmtraceWriter((text) => (target ?? file).write(text, 'latin1')),
    );
    (target ?? file).end();
    await done;
  } catch (error) {
    file.destroy();
    await done.catch(() => {});
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
      throw new InputError(`${out}: expected a new file, found an old one`);
    await rm(out, { force: true });
    throw error;
  }
  return 0;
}
