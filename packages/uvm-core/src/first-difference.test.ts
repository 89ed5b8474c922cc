import { describe, expect, it } from 'vitest';
import { firstDifference } from './first-difference.ts';

describe('the first difference', () => {
  const memory = Uint8Array.from({ length: 64 }, (_, i) => i);

  it('is found wherever it is, however both lie', () => {
    for (let at = 0; at < 8; at++)
      for (let skew = 0; skew < 4; skew++)
        for (let length = 0; length < 20; length++) {
          const wanted = new Uint8Array(64).subarray(skew, skew + length);
          wanted.set(memory.subarray(at, at + length));
          expect(firstDifference(memory, at, wanted)).toBe(-1);
          for (let i = 0; i < length; i++) {
            wanted[i]! ^= 0x80;
            expect(firstDifference(memory, at, wanted)).toBe(i);
            wanted[i]! ^= 0x80;
          }
        }
  });
});
