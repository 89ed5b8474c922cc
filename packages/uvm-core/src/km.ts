import { KernelPanic, NO_PA, PMAP_WIRED, VM_PROT_ALL, VM_PROT_READ, VM_PROT_WRITE, type Va } from '@uvmkit/pmap';
import { Aobj } from './aobj.ts';
import { mapLock, mapLookup, type MapAttributes, uvmMap, VmMap } from './map.ts';
import { unmapDetach, unmapRemove } from './map-unmap.ts';
import { NO_OWNER, NO_PAGE, PG_BUSY, PG_FAKE, UVM_PGA_USERESERVE, UVM_PGA_ZERO } from './page.ts';
import {
  CHANNEL_MEMORY,
  MAP_INHERIT_NONE,
  type Sleeping,
  UVM_ADV_RANDOM,
  UVM_ET_OBJ,
  UVM_ET_SUBMAP,
  UVM_FLAG_NOMERGE,
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
    this.object = new Aobj(uvm, uvm.atop(uvm.kernelMap.max - uvm.kernelMap.min), { kernel: true });
  }

  /**
   * Wired, zeroed memory (`uvm_km_zalloc`); it waits for pages.
   *
   * @returns its address, or null if the map has no room
   */
  *zalloc(map: VmMap, size: number): Sleeping<Va | null> {
    const start = yield* this.valloc(map, size);
    if (start === null) return null;
    for (let va = start; va < start + size; ) {
      if (this.#enterPage(map, va)) va += this.#uvm.pageSize;
      else {
        this.#uvm.waitForMemory('km_alloc1w');
        yield CHANNEL_MEMORY;
      }
    }
    this.#uvm.pmap.update(map.pmap);
    return start;
  }

  /** Addresses only: the memory is there, zeroed, when it is first touched (`uvm_km_valloc`). Null if the map has no room. */
  *valloc(map: VmMap, size: number): Sleeping<Va | null> {
    yield* mapLock(map);
    const { error, start } = uvmMap(this.#uvm, map, map.min, size, this.object, UVM_UNKNOWN_OFFSET, 0, KERNEL);
    return error === 0 ? start : null;
  }

  /**
   * Wired memory that must not wait (`uvm_km_kmemalloc` with UVM_KMF_NOWAIT), usable at interrupt level: the pages are entered with
   * pmap_kenter_pa and found again through the pmap.
   */
  kmemAlloc(map: VmMap, size: number): Va | null {
    const { pages, pmap } = this.#uvm;
    const { error, start } = uvmMap(this.#uvm, map, map.min, size, null, 0, 0, KERNEL);
    if (error !== 0) return null;
    for (let va = start; va < start + size; va += this.#uvm.pageSize) {
      const page = pages.alloc(null, 0, NO_OWNER, UVM_PGA_ZERO | UVM_PGA_USERESERVE);
      if (page === NO_PAGE) {
        this.free(map, start, size);
        return null;
      }
      pages.flags[page]! &= ~(PG_BUSY | PG_FAKE);
      pmap.kenterPa(va, pages.pageAddress(page), VM_PROT_READ | VM_PROT_WRITE);
    }
    pmap.update(map.pmap);
    return start;
  }

  #enterPage(map: VmMap, va: Va): boolean {
    const { pages, pmap } = this.#uvm;
    const page = pages.alloc(this.object, this.#uvm.atop(va - this.#uvm.kernelMap.min), NO_OWNER, UVM_PGA_ZERO);
    if (page === NO_PAGE) return false;
    pages.wire(page);
    pages.flags[page]! &= ~(PG_BUSY | PG_FAKE);
    if ((map.flags & VM_MAP_INTRSAFE) !== 0) pmap.kenterPa(va, pages.pageAddress(page), VM_PROT_READ | VM_PROT_WRITE);
    else pmap.enter(map.pmap, va, pages.pageAddress(page), VM_PROT_READ | VM_PROT_WRITE, VM_PROT_READ | VM_PROT_WRITE | PMAP_WIRED);
    return true;
  }

  /** Gives kernel memory back (`uvm_km_free`), whichever way it was had. */
  free(map: VmMap, start: Va, size: number): void {
    const { pmap, pages } = this.#uvm;
    if ((map.flags & VM_MAP_INTRSAFE) !== 0)
      for (let va = start; va < start + size; va += this.#uvm.pageSize) {
        const pa = pmap.extract(map.pmap, va);
        if (pa === NO_PA) continue;
        pmap.kremove(va, this.#uvm.pageSize);
        pages.free(pages.pageIndex(pa));
      }
    const entries = unmapRemove(this.#uvm, map, start, start + size);
    const first = this.#uvm.atop(start - this.#uvm.kernelMap.min);
    for (let index = first; index < first + this.#uvm.atop(size); index++) {
      const page = pages.lookup(this.object, index);
      if (page !== NO_PAGE) pages.free(page);
      else if (this.object.slot(index) > 0) this.object.setSlot(index, 0);
    }
    unmapDetach(this.#uvm, entries, 0);
  }

  /**
   * A map of its own for a part of the kernel's addresses (`uvm_km_suballoc`, `uvm_map_submap`): faults in it are looked up there.
   *
   * @param intrSafe used from interrupts: never faulted
   */
  *suballoc(size: number, intrSafe: boolean): Sleeping<VmMap> {
    const { kernelMap } = this.#uvm;
    yield* mapLock(kernelMap);
    const { error, start } = uvmMap(this.#uvm, kernelMap, kernelMap.min, size, null, UVM_UNKNOWN_OFFSET, 0, { ...KERNEL, flags: UVM_FLAG_NOMERGE });
    if (error !== 0) throw new KernelPanic('uvm_km_suballoc: unable to allocate space in parent map', { size, error });
    const map = new VmMap(this.#uvm, kernelMap.pmap, start, start + size, intrSafe ? VM_MAP_INTRSAFE : VM_MAP_PAGEABLE);
    const entry = mapLookup(kernelMap, start)!;
    entry.etype = (entry.etype & ~UVM_ET_OBJ) | UVM_ET_SUBMAP;
    entry.submap = map;
    this.#uvm.maps.add(map);
    return map;
  }
}
