import { type FileHandle, open, rm } from 'node:fs/promises';
import { writeSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { TracePlace, VmtraceWriter } from '@uvmkit/replay';
import { InputError } from './input-error.ts';
import { reason, recordingAt } from './recordings.ts';

/** `uvmkit convert`, as parsed. */
export interface ConvertFlags {
  readonly maps: string;
  readonly window: number;
}

/** Characters of a recording that are compressed together. */
const MEMBER = 8 << 20;

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
  const file = await open(out, 'wx').catch((error: unknown) => {
    throw new InputError(`${out}: expected to make a new file, found ${reason(error)}`);
  });
  const output = new Output(file, out.endsWith('.gz'));
  try {
    await source.read(new TracePlace(log), new VmtraceWriter((text) => output.write(text)));
    output.flush();
  } catch (error) {
    await rm(out);
    throw error;
  } finally {
    await file.close();
  }
  return 0;
}

/**
 * The new file. It is written as the log is read, so that neither is ever in memory: compressed text is a
 * row of gzip members, which is a gzip file too (RFC 1952, section 2.2).
 */
class Output {
  readonly #file: FileHandle;
  readonly #compress: boolean;
  #text = '';

  constructor(file: FileHandle, compress: boolean) {
    this.#file = file;
    this.#compress = compress;
  }

  write(text: string): void {
    this.#text += text;
    if (this.#text.length >= MEMBER) this.flush();
  }

  flush(): void {
    const bytes = Buffer.from(this.#text, 'latin1');
    this.#text = '';
    const packed = this.#compress ? gzipSync(bytes, { level: 9 }) : bytes;
    for (let done = 0; done < packed.length;) done += writeSync(this.#file.fd, packed, done);
  }
}
