import { type Figure, measure } from './measure.ts';

/** Words of the array: as many as the loads of a TLB hit touch. */
const WORDS = 8 * 1024;
const PASSES = 16;

/** Reading a typed array word by word: what an access could cost at best. */
export async function measureArrayRead(): Promise<Figure> {
  const words = new Uint32Array(WORDS).fill(1);
  let sum = 0;
  return measure(WORDS * PASSES, () => {
    for (let pass = 0; pass < PASSES; pass++) for (let i = 0; i < WORDS; i++) sum = (sum + words[i]!) | 0;
    if (sum === -1) throw new Error('unreachable: the sum is a count of ones');
  });
}
