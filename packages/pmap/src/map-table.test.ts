import { describe, expect, it } from 'vitest';
import { PMAP_KERNEL, type PmapId } from './address.ts';
import { MapTable, type PhysicalMap } from './map-table.ts';

const map = (id: PmapId): PhysicalMap => ({ id, references: 1 });

function tableOf(maps: number): MapTable<PhysicalMap> {
  const table = new MapTable(map(PMAP_KERNEL));
  for (let n = 0; n < maps; n++) table.add(map(table.nextId));
  return table;
}

describe('a table of maps', () => {
  it('gives out the lowest handle that is free', () => {
    const table = tableOf(3);
    expect(table.all().map(({ id }) => id)).toEqual([0, 1, 2, 3]);
    table.delete(table.get(2));
    table.delete(table.get(1));
    expect([table.nextId, table.limit]).toEqual([1, 4]);
    table.add(map(table.nextId));
    expect(table.nextId).toBe(2);
    expect(table.all().map(({ id }) => id)).toEqual([0, 1, 3]);
  });

  it.each([2, -1, 1.5, Number.NaN])('refuses the handle %d, which it did not give out', (id) => {
    const table = tableOf(1);
    expect(() => table.get(id)).toThrow(new RangeError(`pmap handle ${id} is not given out`));
    expect(() => table.reference(id)).toThrow(RangeError);
    expect(() => table.drop(id)).toThrow(RangeError);
    expect(table.find(id)).toBeUndefined();
  });

  it('keeps a map until its last reference is dropped and it is deleted', () => {
    const table = tableOf(1);
    const one = table.get(1);
    table.reference(1);
    expect(table.drop(1)).toBeNull();
    expect(table.drop(1)).toBe(one);
    expect(table.find(1)).toBe(one);
    table.delete(one);
    expect(() => table.get(1)).toThrow(RangeError);
  });

  it('never lets the kernel’s go', () => {
    const table = tableOf(0);
    table.reference(PMAP_KERNEL);
    expect(() => table.drop(PMAP_KERNEL)).toThrow(/kernel's pmap cannot be destroyed/);
    expect(table.kernel.references).toBe(2);
  });

  it('refuses two maps with one handle', () => {
    const table = tableOf(1);
    expect(() => table.add(map(1))).toThrow(/given out already/);
  });
});
