import { expect, it } from 'vitest';
import { hex } from './address.ts';

it.each([
  [0, '0x00000000'],
  [0xfff, '0x00000fff'],
  [0xffff_ffff, '0xffffffff'],
  [0x1_2000_0000, '0x120000000'],
  [-1, '0xffffffffffffffff'],
  [-(2 ** 42), '0xfffffc0000000000'],
])('hex prints %d as a manual would', (address, text) => {
  expect(hex(address)).toBe(text);
});

it('hex pads to the digits asked for, and never cuts', () => {
  expect([hex(0x1234, 1), hex(0x1234, 16), hex(-1, 1)]).toEqual([
    '0x1234',
    '0x0000000000001234',
    '0xffffffffffffffff',
  ]);
});
