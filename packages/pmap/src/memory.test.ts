import { describe, expect, it } from 'vitest';
import { PhysicalMemory } from './memory.ts';

const SIZE = 0x8000;
const make = (): PhysicalMemory => new PhysicalMemory(SIZE, 4096);

describe('physical memory', () => {
  it('begins as zeroes, in pages', () => {
    const memory = make();
    expect([memory.size, memory.pageSize, memory.pageShift]).toEqual([SIZE, 4096, 12]);
    expect(memory.bytes.every((byte) => byte === 0)).toBe(true);
  });

  it('keeps words of either byte order, unaligned too', () => {
    const memory = make();
    memory.writeLe32(1, 0x89abcdef);
    expect([...memory.bytes.subarray(0, 6)]).toEqual([0, 0xef, 0xcd, 0xab, 0x89, 0]);
    expect([memory.readLe32(1), memory.readBe32(1)]).toEqual([0x89abcdef, 0xefcdab89]);
    expect([memory.readLe16(3), memory.readBe16(3), memory.read8(4)]).toEqual([
      0x89ab, 0xab89, 0x89,
    ]);
    memory.writeBe32(8, -2);
    memory.writeBe16(12, 0x1234);
    memory.writeLe16(14, 0x1234);
    memory.write8(16, 0x1ff);
    expect([...memory.bytes.subarray(8, 17)]).toEqual([255, 255, 255, 254, 18, 52, 52, 18, 255]);
  });

  const words = ['readLe32', 'readBe32', 'readLe16', 'readBe16', 'read8'] as const;
  it.each(words)('%s answers up to the last byte, and is a RangeError beyond and below', (read) => {
    const memory = make();
    const bytes = Number(/\d+/.exec(read)![0]) / 8;
    expect(memory[read](SIZE - bytes)).toBe(0);
    expect(() => memory[read](SIZE - bytes + 1)).toThrow(RangeError);
    expect(() => memory[read](-1)).toThrow(RangeError);
  });

  it('zeroes a page, or as much as it is told', () => {
    const memory = make();
    memory.bytes.fill(7);
    memory.zero(0x1000);
    memory.zero(0x3001, 2);
    memory.zero(SIZE, 0);
    const left = memory.bytes.reduce((count, byte) => count + Number(byte === 7), 0);
    expect(left).toBe(SIZE - 4096 - 2);
    expect([...memory.bytes.subarray(0x3000, 0x3004)]).toEqual([7, 0, 0, 7]);
  });

  it('copies a page, or as much as it is told, also onto itself', () => {
    const memory = make();
    for (let at = 0; at < 8; at++) memory.write8(at, at + 1);
    memory.copy(0, 0x2000);
    memory.copy(0, 2, 4);
    expect([...memory.bytes.subarray(0, 8)]).toEqual([1, 2, 1, 2, 3, 4, 7, 8]);
    expect([...memory.bytes.subarray(0x2000, 0x2008)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it.each([
    [SIZE - 4095, 4096],
    [-1, 4],
    [0, -1],
    [SIZE + 1, 0],
    [Number.NaN, 4],
  ])('refuses to zero or copy %d bytes beyond its ends: %d', (pa, length) => {
    const memory = make();
    memory.bytes.fill(7);
    expect(() => memory.zero(pa, length)).toThrow(RangeError);
    expect(() => memory.copy(pa, 0, length)).toThrow(RangeError);
    expect(() => memory.copy(0, pa, length)).toThrow(RangeError);
    expect(memory.bytes.every((byte) => byte === 7)).toBe(true);
  });

  it.each([
    [0, 4096],
    [4095, 4096],
    [-4096, 4096],
    [2 ** 32, 4096],
    [8192, 2048],
    [8192, 6144],
    [8192, 0],
    [8192.5, 4096],
  ])('cannot be %d bytes in pages of %d', (size, pageSize) => {
    expect(() => new PhysicalMemory(size, pageSize)).toThrow(RangeError);
  });
});
