import { KernelPanic, VM_PROT_ALL, VM_PROT_READ, VM_PROT_WRITE, type Va } from '@uvmkit/pmap';
import { Aobj } from './aobj.ts';
import { mapLock, mapLookup, type MapAttributes, uvmMap, VmMap } from './map.ts';
import { uvmUnmap } from './map-unmap.ts';
import {
  NO_OWNER,
  NO_PAGE,
  PG_BUSY,
  PG_FAKE,
  PG_WANTED,
  UVM_PGA_USERESERVE,
  UVM_PGA_ZERO,
} from './page.ts';
import {
  MAP_INHERIT_NONE,
  type Sleeping,
  UVM_ADV_RANDOM,
  UVM_ET_OBJ,
  UVM_ET_SUBMAP,
  UVM_FLAG_NOMERGE,
  UVM_FLAG_TRYLOCK,
  UVM_UNKNOWN_OFFSET,
  VM_MAP_INTRSAFE,
  VM_MAP_PAGEABLE,
} from './types.ts';
import type { Uvm } from './uvm.ts';

const KERNEL: MapAttributes = {
  prot: VM_PROT_ALL,
  maxProt: VM_PROT_ALL,
  inherit: MAP_INHERIT_NONE,
  advice: UVM_ADV_RANDOM,
  flags: 0,
};

/**
 * Kernel memory (uvm_km.c): addresses in the kernel map or a submap, with pages of `kernel_object` that are wired at once, or
 * zero-filled when touched.
 */
export class KernelMemory {
  readonly #uvm: Uvm;
  /** Where the pages of kernel memory live: page index = (address − start of the kernel map) / page size. */
  readonly object: Aobj;

  constructor(uvm: Uvm) {
    this.#uvm = uvm;
    this.object = new Aobj(uvm, uvm.atop(uvm.kernelMap.max - uvm.kernelMap.min), true);
  }

  /**
   * Wired, zeroed memory (`uvm_km_zalloc`); it waits for pages.
   *
   * @returns its address, or null if the map has no room
   */
  *zalloc(map: VmMap, size: number): Sleeping<Va | null> {
    const start = yield* this.valloc(map, size);
    if (start === null) return null;
    for (let va = start; va < start + size;) {
      const old = this.#uvm.pages.lookup(this.object, this.#index(va));
      if (old !== NO_PAGE) {
        // The last user's page is still on its way out.
        this.#uvm.pages.flags[old]! |= PG_WANTED;
        yield old;
      } else if (this.#enterPage(map, va)) va += this.#uvm.pageSize;
      else yield* this.#uvm.sleepForMemory('km_alloc1w');
    }
    this.#uvm.pmap.update(map.pmap);
    return start;
  }

  /** Addresses only: the memory is there, zeroed, when it is first touched (`uvm_km_valloc`). Null if the map has no room. */
  *valloc(map: VmMap, size: number): Sleeping<Va | null> {
    yield* mapLock(map);
    const { error, start } = uvmMap(
      this.#uvm,
      map,
      map.min,
      size,
      this.object,
      UVM_UNKNOWN_OFFSET,
      0,
      KERNEL,
    );
    return error === 0 ? start : null;
  }

  /**
   * Wired memory that must not wait, of a map that interrupts use (`uvm_km_kmemalloc` with UVM_KMF_NOWAIT): pages without an owner,
   * entered with pmap_kenter_pa and found again through the pmap. Not zeroed.
   *
   * @param map made by {@link suballoc} for interrupts
   * @returns its address, or null without room, with the map in use, or without memory
   */
  kmemAlloc(map: VmMap, size: number): Va | null {
    const { pages, pmap } = this.#uvm;
    if ((map.flags & VM_MAP_INTRSAFE) === 0)
      throw new TypeError(`kmemAlloc wants a map for interrupts, given map ${map.id}`);
    const attributes = { ...KERNEL, flags: UVM_FLAG_TRYLOCK };
    const { error, start } = uvmMap(
      this.#uvm,
      map,
      map.min,
      size,
      null,
      UVM_UNKNOWN_OFFSET,
      0,
      attributes,
    );
    if (error !== 0) return null;
    for (let va = start; va < start + size; va += this.#uvm.pageSize) {
      const page = pages.alloc(null, 0, NO_OWNER, UVM_PGA_USERESERVE);
      if (page === NO_PAGE) {
        this.free(map, start, size);
        return null;
      }
      pages.flags[page]! &= ~(PG_BUSY | PG_FAKE);
      pages.kernelPages++;
      pmap.kenterPa(va, pages.pageAddress(page), VM_PROT_READ | VM_PROT_WRITE);
    }
    pmap.update(map.pmap);
    return start;
  }

  #index(va: Va): number {
    return this.#uvm.atop(va - this.#uvm.kernelMap.min);
  }

  #enterPage(map: VmMap, va: Va): boolean {
    const { pages, pmap } = this.#uvm;
    const page = pages.alloc(this.object, this.#index(va), NO_OWNER, UVM_PGA_ZERO);
    if (page === NO_PAGE) return false;
    const rights = VM_PROT_READ | VM_PROT_WRITE;
    pages.wire(page);
    pages.flags[page]! &= ~(PG_BUSY | PG_FAKE);
    const { enterFlags } = this.#uvm.wiring;
    const pa = pages.pageAddress(page);
    if (enterFlags === 0) pmap.kenterPa(va, pa, rights);
    else pmap.enter(map.pmap, va, pa, rights, rights | enterFlags);
    return true;
  }

  /** Gives kernel memory back (`uvm_km_free`), whichever way it was had. */
  free(map: VmMap, start: Va, size: number): void {
    uvmUnmap(this.#uvm, map, start, start + size);
  }

  /**
   * A map of its own for a part of the kernel's addresses (`uvm_km_suballoc`, `uvm_map_submap`): faults in it are looked up there.
   *
   * @param intrSafe used from interrupts: never faulted
   */
  *suballoc(size: number, intrSafe: boolean): Sleeping<VmMap> {
    const { kernelMap } = this.#uvm;
    yield* mapLock(kernelMap);
    const { error, start } = uvmMap(
      this.#uvm,
      kernelMap,
      kernelMap.min,
      size,
      null,
      UVM_UNKNOWN_OFFSET,
      0,
      { ...KERNEL, flags: UVM_FLAG_NOMERGE },
    );
    if (error !== 0)
      throw new KernelPanic('uvm_km_suballoc: unable to allocate space in parent map', {
        size,
        error,
      });
    const map = new VmMap(
      this.#uvm,
      kernelMap.pmap,
      start,
      start + size,
      intrSafe ? VM_MAP_INTRSAFE : VM_MAP_PAGEABLE,
    );
    const entry = mapLookup(kernelMap, start)!;
    entry.etype = (entry.etype & ~UVM_ET_OBJ) | UVM_ET_SUBMAP;
    entry.submap = map;
    this.#uvm.maps.add(map);
    return map;
  }
}
