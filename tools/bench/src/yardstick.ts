import { type Figure, measure } from './measure.ts';

/** Bytes that the reads are spread over, here and in a simulated process: eight pages of 4 KB. */
export const HIT_BYTES: number = 32 * 1024;
/** How often a round goes through them. */
export const PASSES = 16;

/**
 * A permutation of 0 … count − 1 that is one cycle, always the same: following it from 0 visits everything and
 * returns.
 */
export function shuffled(count: number): Uint32Array {
  const next = new Uint32Array(count);
  for (let i = 0; i < count; i++) next[i] = i;
  let state = 1;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    // Sattolo's shuffle: never with itself, which makes it one cycle.
    const other = Math.floor((state / 2 ** 32) * i);
    [next[i], next[other]] = [next[other]!, next[i]!];
  }
  return next;
}

/** Reading a typed array, each read yielding the index of the next: what a load could cost at best. */
export async function measureArrayRead(): Promise<Figure> {
  const next = shuffled(HIT_BYTES >> 2);
  return measure(next.length * PASSES, () => {
    let at = 0;
    for (let i = 0; i < next.length * PASSES; i++) at = next[at]!;
    if (at !== 0) throw new Error('the chain of reads does not close');
  });
}
