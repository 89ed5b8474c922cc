import { constants, createReadStream } from 'node:fs';
import { access, open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createGunzip } from 'node:zlib';
import {
  readLackey,
  readLackeyMaps,
  readVmtrace,
  type RecordingSource,
  TraceError,
  type TraceHandler,
  type TracePlace,
} from '@uvmkit/replay';
import { InputError } from './input-error.ts';

/** Where the recordings are that come with this package. */
const SHIPPED = fileURLToPath(new URL('../recordings/', import.meta.url));
/** The one that is replayed when none is named. */
const DEFAULT = 'forkcow.vmt.gz';
/** The one of a program that locks memory. */
const LOCKING = 'locker.vmt.gz';
/** Names that a page-level recording has in a folder. */
const RECORDING = /\.vmt(?:\.gz)?$/;
/** Bytes read at a time. */
const BLOCK = 1 << 18;

/** The recording that is replayed when none is named. */
export function defaultRecording(): string {
  return join(SHIPPED, DEFAULT);
}

/** The recording of a program that locks memory. */
export function lockingRecording(): string {
  return join(SHIPPED, LOCKING);
}

/**
 * The recordings in a folder, by name.
 *
 * @throws InputError if there is no such folder, or none in it
 */
export async function recordingsIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder).catch((error: unknown) => {
    throw new InputError(`${folder}: ${reason(error)}`);
  });
  const names = entries.filter((name) => RECORDING.test(name)).toSorted();
  if (names.length === 0)
    throw new InputError(`${folder}: expected recordings (*.vmt.gz, *.vmt), found none`);
  return names.map((name) => join(folder, name));
}

/** How a raw log is to be read. */
export interface RawOptions {
  /** The file with the segment lists. */
  readonly maps: string;
  /** Distinct pages in a window within which references are merged. */
  readonly window: number;
}

/**
 * A file as a recording: page-level, or with `raw` a log as the recorder wrote it; compressed or not.
 *
 * @throws InputError if it cannot be opened
 */
export async function recordingAt(path: string, raw: RawOptions | null): Promise<RecordingSource> {
  await checkReadable(path);
  if (raw !== null) await checkReadable(raw.maps);
  return {
    name: path,
    read: (place, handler) =>
      whole(
        place,
        raw === null
          ? readVmtrace(bytesOf(path), place, handler)
          : readRaw(path, raw, place, handler),
      ),
  };
}

async function readRaw(
  path: string,
  raw: RawOptions,
  place: TracePlace,
  handler: TraceHandler,
): Promise<void> {
  const images = await readLackeyMaps(bytesOf(raw.maps), raw.maps).catch((error: unknown) => {
    throw zlibReason(error) === null
      ? error
      : new TraceError(raw.maps, 0, 'a whole gzip file', zlibReason(error)!);
  });
  const name = basename(path).replace(/(?:\.log)?(?:\.gz)?$/, '');
  await readLackey(bytesOf(path), place, { images, name, window: raw.window }, handler);
}

/** What zlib says of a file that it cannot take apart is the file's fault, at the line that was reached. */
async function whole(place: TracePlace, reading: Promise<void>): Promise<void> {
  try {
    await reading;
  } catch (error) {
    const found = zlibReason(error);
    if (found === null) throw error;
    place.line++;
    throw place.error('a whole gzip file', found);
  }
}

function zlibReason(error: unknown): string | null {
  const code = codeOf(error);
  if (code === 'Z_BUF_ERROR') return 'one that is cut short';
  return code.startsWith('Z_')
    ? `a damaged one (${error instanceof Error ? error.message : code})`
    : null;
}

async function checkReadable(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK);
    if (!(await stat(path)).isFile())
      throw new InputError(`${path}: expected a file, found something else`);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${path}: ${reason(error)}`);
  }
}

/** The file's bytes, decompressed if they are compressed, a block at a time. */
async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  const start = new Uint8Array(2);
  const handle = await open(path);
  try {
    await handle.read(start, 0, 2, 0);
  } finally {
    await handle.close();
  }
  const file = createReadStream(path, { highWaterMark: BLOCK });
  if (start[0] !== 0x1f || start[1] !== 0x8b) {
    yield* file as AsyncIterable<Uint8Array>;
    return;
  }
  const gunzip = createGunzip({ chunkSize: BLOCK });
  file.on('error', (error) => gunzip.destroy(error));
  try {
    yield* file.pipe(gunzip) as AsyncIterable<Uint8Array>;
  } finally {
    file.destroy();
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

const REASONS: Readonly<Record<string, string>> = {
  EEXIST: 'an old one',
  ENOENT: 'no such file or folder',
  EACCES: 'may not be read',
  ENOTDIR: 'not a folder',
  EISDIR: 'a folder',
};

/** Why a file cannot be used, in a few words. */
export function reason(error: unknown): string {
  return REASONS[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
}
