import { PMAP_KERNEL, type PmapId } from './address.ts';

/** What a {@link MapTable} needs of a port's own record of a physical map (`struct pmap`). */
export interface PhysicalMap {
  readonly id: PmapId;
  /** How many hold it: 1 when it is made (`pm_count`, `pm_refcount`). */
  references: number;
}

/**
 * A port's physical maps by handle, with the life that pmap(9) gives them: made with one reference, gone with the last.
 * The kernel's is there from the start and stays.
 */
export class MapTable<T extends PhysicalMap> {
  readonly kernel: T;
  private readonly maps: (T | undefined)[];

  /** @param kernel the map with handle 0 */
  constructor(kernel: T) {
    this.kernel = kernel;
    this.maps = [kernel];
  }

  /** @throws RangeError if the handle is not given out */
  get(id: PmapId): T {
    const map = this.maps[id];
    if (map === undefined) throw new RangeError(`pmap handle ${id} is not given out`);
    return map;
  }

  /** The map with a handle, or undefined if it is not given out. */
  find(id: PmapId): T | undefined {
    return this.maps[id];
  }

  /** Handles lie below this. */
  get limit(): number {
    return this.maps.length;
  }

  /** The handle for the next map: the lowest that is free. */
  get nextId(): PmapId {
    let id = 1;
    while (this.maps[id] !== undefined) id++;
    return id;
  }

  /**
   * Gives a map's handle out.
   *
   * @throws RangeError if another map has it
   */
  add(map: T): T {
    if (this.maps[map.id] !== undefined)
      throw new RangeError(`pmap handle ${map.id} is given out already`);
    this.maps[map.id] = map;
    return map;
  }

  /** `Pmap.reference`. */
  reference(id: PmapId): void {
    this.get(id).references++;
  }

  /**
   * Drops a reference, as `Pmap.destroy` begins.
   *
   * @returns the map if that was the last one: for the caller to take down and then {@link delete}; else null
   * @throws RangeError for the kernel's
   */
  drop(id: PmapId): T | null {
    const map = this.get(id);
    if (id === PMAP_KERNEL) throw new RangeError("the kernel's pmap cannot be destroyed");
    return --map.references > 0 ? null : map;
  }

  /** Takes a map's handle back. */
  delete(map: T): void {
    this.maps[map.id] = undefined;
  }

  /** Every map, the kernel's first, in order of their handles. */
  all(): T[] {
    return this.maps.filter((map): map is T => map !== undefined);
  }
}
