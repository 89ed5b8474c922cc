import { describe, expect, test } from 'vitest';
import { Cells, ZERO_CELL } from './cells.ts';
import { ModelSpace, PAGE_MAPPED, PAGE_OWN, PAGE_SHARED } from './model-space.ts';
import { Objects } from './objects.ts';
import type { TraceObject } from './regions.ts';

const FILE: TraceObject = { id: 0, kind: 'file', name: '/f' };

function setUp(): { cells: Cells; space: ModelSpace; objects: Objects } {
  const cells = new Cells(4096, true);
  return { cells, space: new ModelSpace(cells), objects: new Objects(cells, () => 10_000) };
}

describe('what processes should see', () => {
  test('anonymous memory is zero until it is stored to', () => {
    const { cells, space } = setUp();
    space.map(5, 2, 3, true);
    expect(space.cell(5)).toBe(ZERO_CELL);
    cells.setWord(space.writable(5), 8, 0xdeadbeef);
    expect(cells.word(space.cell(5), 8)).toBe(0xdeadbeef);
    expect(cells.word(space.cell(6), 8)).toBe(0);
    expect(space.flags(5)).toBe(PAGE_MAPPED | PAGE_OWN | 64 | 3);
  });

  test('a fork leaves both what was there, and each its own stores', () => {
    const { cells, space } = setUp();
    space.map(0, 1, 3, true);
    cells.setWord(space.writable(0), 0, 1);
    const child = space.fork();
    cells.setWord(child.writable(0), 0, 2);
    expect(cells.word(space.cell(0), 0)).toBe(1);
    const before = space.cell(0);
    cells.setWord(space.writable(0), 0, 3);
    expect(space.cell(0)).toBe(before);
    expect(cells.word(child.cell(0), 0)).toBe(2);
  });

  test('a private page of a file follows the file until it is stored to', () => {
    const { cells, space, objects } = setUp();
    const cell = objects.cell(FILE, 1);
    space.map(0, 1, 3, false);
    space.know(0, cell);
    space.map(1, 1, 3 | PAGE_SHARED, false);
    space.know(1, cell);
    cells.setWord(space.writable(1), 4, 7);
    expect(cells.word(space.cell(0), 4)).toBe(7);
    cells.setWord(space.writable(0), 4, 8);
    cells.setWord(space.writable(1), 4, 9);
    expect(cells.word(space.cell(0), 4)).toBe(8);
  });

  test('a file is zero behind its end, and what is cut off does not come back', () => {
    const { cells, objects } = setUp();
    expect(
      cells
        .bytes(objects.cell(FILE, 2))
        .subarray(10_000 - 8192)
        .every((byte) => byte === 0),
    ).toBe(true);
    expect(cells.bytes(objects.cell(FILE, 1)).some((byte) => byte !== 0)).toBe(true);
    objects.truncate(FILE, 5000);
    objects.truncate(FILE, 10_000);
    expect(
      cells
        .bytes(objects.cell(FILE, 1))
        .subarray(5000 - 4096)
        .every((byte) => byte === 0),
    ).toBe(true);
    expect(objects.reaches(FILE, 10_000)).toBe(true);
    expect(objects.reaches(FILE, 10_001)).toBe(false);
  });

  test('cells come back when nobody sees them any more', () => {
    const { cells, space } = setUp();
    const before = cells.live;
    space.map(0, 600, 3, true);
    for (let slot = 0; slot < 600; slot++) space.writable(slot);
    const child = space.fork();
    for (let slot = 0; slot < 100; slot++) child.writable(slot);
    expect(cells.live).toBe(before + 700);
    space.unmap(0, 600);
    expect(cells.live).toBe(before + 600);
    child.clear();
    expect(cells.live).toBe(before);
  });
});
