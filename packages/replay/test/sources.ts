import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';

/** A text as the chunks of a stream, cut at every `size` bytes. */
export async function* chunks(text: string, size = 1 << 16): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += size) {
    await Promise.resolve();
    yield bytes.subarray(at, at + size);
  }
}

/** A compressed file as the chunks of its text. */
export function gunzipped(path: string): AsyncIterable<Uint8Array> {
  return createReadStream(path).pipe(createGunzip());
}

/** All of a stream as text. */
export async function textOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of source) parts.push(chunk);
  return Buffer.concat(parts).toString('latin1');
}
