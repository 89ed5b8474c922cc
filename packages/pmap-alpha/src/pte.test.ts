import { VM_PROT_EXECUTE, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePte, encodePte, formatPte, protectionCode, pteNumber } from './pte.ts';

describe('pte', () => {
  it('decodes what it encodes, field by field', () => {
    const fields = fc.record({
      valid: fc.boolean(),
      faultOnRead: fc.boolean(),
      faultOnWrite: fc.boolean(),
      faultOnExecute: fc.boolean(),
      addressSpaceMatch: fc.boolean(),
      granularityHint: fc.integer({ min: 0, max: 3 }),
      kernelRead: fc.boolean(),
      userRead: fc.boolean(),
      kernelWrite: fc.boolean(),
      userWrite: fc.boolean(),
      wired: fc.boolean(),
      pvList: fc.boolean(),
      exec: fc.boolean(),
      pfn: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    });
    fc.assert(
      fc.property(fields, (given) => {
        expect(decodePte(encodePte(given), given.pfn)).toEqual(given);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('has the protection codes of the reference, for the kernel and for users', () => {
    const [r, w, x] = [VM_PROT_READ, VM_PROT_WRITE, VM_PROT_EXECUTE];
    const combinations = [0, r, x, r | x, w, r | w, w | x, r | w | x];
    expect(combinations.map((prot) => protectionCode(prot, true))).toEqual([
      0x10, 0x110, 0x40110, 0x40110, 0x1010, 0x1110, 0x41110, 0x41110,
    ]);
    expect(combinations.map((prot) => protectionCode(prot, false))).toEqual([
      0, 0x300, 0x40300, 0x40300, 0x3000, 0x3300, 0x43300, 0x43300,
    ]);
  });

  it('prints a PTE with its bits and frame', () => {
    expect(formatPte(0x23305, 0x345)).toBe(
      'PTE 0x0000034500023305 V FOW KRE URE KWE UWE PVLIST → 0x0068a000',
    );
    expect(formatPte(0x61, 1)).toBe('PTE 0x0000000100000061 V GH=3 → 0x00002000');
    expect(formatPte(0, 0)).toBe('PTE 0x0000000000000000');
  });

  it('is one exact number below 2^53', () => {
    expect(pteNumber(0xffffffff | 0, 0x1fffff)).toBe(Number.MAX_SAFE_INTEGER);
  });
});
