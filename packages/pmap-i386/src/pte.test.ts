import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { decodePte, encodePte, formatPte, pteFrame } from './pte.ts';
import { pdei, ptei, PDP_BASE, VM_MAXUSER_ADDRESS, vtopte } from './vmparam.ts';

describe('a page-table entry', () => {
  it('is the same word after it was taken apart and put together', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (word) => {
        expect(encodePte(decodePte(word))).toBe(word);
      }),
      { seed: 386, numRuns: 500 },
    );
  });

  it('has the bits of the manual', () => {
    expect(
      encodePte({
        frame: 0x345000,
        valid: true,
        writable: true,
        user: true,
        wired: true,
        pvList: true,
      }),
    ).toBe(0x00345607);
    expect(decodePte(0x00000160)).toMatchObject({
      valid: false,
      used: true,
      modified: true,
      global: true,
    });
    expect(pteFrame(0xfffff067)).toBe(0xfffff000);
  });

  it('refuses a frame that is not one', () => {
    expect(() => encodePte({ frame: 0x345678 })).toThrow(RangeError);
    expect(() => encodePte({ frame: 2 ** 32 })).toThrow(RangeError);
  });

  it('is written out by the names of pte.h', () => {
    expect(formatPte(0x00345607)).toBe('0x00345607 V RW u W PVLIST → 0x00345000');
    expect(formatPte(0x00000600)).toBe('0x00000600 W PVLIST invalid');
  });
});

describe('an address', () => {
  it('is split into directory and table index', () => {
    expect([pdei(0xc0123456), ptei(0xc0123456)]).toEqual([768, 0x123]);
    expect([pdei(0xffffffff), ptei(0xffffffff)]).toEqual([1023, 1023]);
  });

  it('has its PTE in the recursive window, and the directory is a page of PTEs', () => {
    expect(vtopte(0)).toBe(0xbfc00000);
    expect(vtopte(0x08048000)).toBe(0xbfc20120);
    expect(vtopte(0xbfc00000)).toBe(PDP_BASE);
    expect(vtopte(vtopte(vtopte(0)))).toBe(0xbfeffbfc);
    expect(VM_MAXUSER_ADDRESS).toBe(0xbfc00000);
  });
});
