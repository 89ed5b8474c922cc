import { TRACE_LIMITS } from './records.ts';
import type { TracePlace } from './trace-error.ts';

/** Receives whole lines in blocks: `bytes[start, end)` ends with a newline. Counts them in the place itself. */
export interface LineConsumer {
  lines(bytes: Uint8Array, start: number, end: number): void;
}

export const NEWLINE = 10;

/** The bytes of a text, in order, however they are cut up: an array of them, or a stream. */
export type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * Cuts chunks of bytes at line ends. Lines are handed on in place, in the chunk that they came in;
 * only one that spans chunks is copied. A last line without newline gets one.
 *
 * @throws TraceError if a line is longer than `TRACE_LIMITS.line`
 */
export async function feedLines(
  source: Chunks,
  place: TracePlace,
  consumer: LineConsumer,
): Promise<void> {
  const carry = new Uint8Array(TRACE_LIMITS.line + 1);
  let carried = 0;
  const keep = (chunk: Uint8Array, start: number, end: number): void => {
    if (carried + end - start > TRACE_LIMITS.line) {
      place.line++;
      throw place.error(
        `a line of at most ${TRACE_LIMITS.line} bytes`,
        'a longer one, or no text at all',
      );
    }
    carry.set(chunk.subarray(start, end), carried);
    carried += end - start;
  };
  for await (const chunk of source) {
    let start = 0;
    if (carried > 0) {
      const newline = chunk.indexOf(NEWLINE);
      start = newline < 0 ? chunk.length : newline + 1;
      keep(chunk, 0, newline < 0 ? chunk.length : newline);
      if (newline < 0) continue;
      carry[carried] = NEWLINE;
      const length = carried + 1;
      carried = 0;
      consumer.lines(carry, 0, length);
    }
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > start) {
      consumer.lines(chunk, start, end);
      start = end;
    }
    if (start < chunk.length) keep(chunk, start, chunk.length);
  }
  if (carried > 0) {
    carry[carried] = NEWLINE;
    consumer.lines(carry, 0, carried + 1);
  }
}

/** Bytes as text, a character a byte: what recorders write is ASCII but for the odd file name. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at += 4096)
    text += String.fromCharCode(...bytes.subarray(at, Math.min(at + 4096, end)));
  return text;
}
