import type { Pa, PmapId, Va } from './address.ts';
import type { Errno } from './errno.ts';
import type { EnterFlags, Prot } from './prot.ts';

/**
 * The contract between UVM and a port: pmap(9), revision 1.5 of 2001-07-28, with the uses that UVM
 * makes of it.
 *
 * **Everything in a pmap may be forgotten and rebuilt by a fault, except wired mappings.** A mapping is
 * *wired* if it was entered with `PMAP_WIRED` or by {@link kenterPa}. It is *managed* if it was
 * entered by {@link enter} for a page that UVM manages ({@link PmapServices.isManaged}); only
 * managed mappings take part in {@link pageProtect} and in referenced/modified tracking.
 *
 * **Referenced and modified belong to the page.** They survive the removal of every mapping and are
 * cleared by explicit calls only. Modified MUST be exact; referenced MAY always read false.
 *
 * **Effects may be deferred to {@link update}** where the port says so (`PortCapabilities.deferred`):
 * until then a CPU may still use the old translation. A port that defers nothing has an empty `update`.
 *
 * All addresses and lengths are bytes. `va`, `start`, `end` and `pa` are page-aligned unless stated;
 * ranges are [start, end). A pmap handle that was not given out is the caller's mistake (RangeError).
 * No method sleeps; no method calls back into UVM except through {@link PmapServices}.
 * Every call that does something emits its `pmap.*` event when the stream is watched.
 */
export interface Pmap {
  /**
   * Called once, when UVM manages memory: from here on table pages come from `services`.
   * MUST size the per-page structures for `services.segments`. Mappings made before stay.
   */
  init(services: PmapServices): void;

  /**
   * The kernel address range that UVM manages. With {@link growKernel} the end is the absolute
   * maximum, without it what is mappable now. Called once, at boot, after the port has booted.
   */
  virtualSpace(): { readonly start: Va; readonly end: Va };

  /**
   * Makes kernel page tables up to `maxva` exist in every address space, and in those created later.
   * Never shrinks. Null where every kernel table exists from boot. Tables beyond those of boot come from
   * {@link PmapServices}, so not before {@link init}. A `maxva` beyond {@link virtualSpace} is the caller's mistake:
   * a RangeError, or the panic that NetBSD had there.
   *
   * @returns the first kernel address beyond the tables, ≥ `maxva`
   * @throws KernelPanic if memory for them is short, as it is before `init`
   */
  readonly growKernel: ((maxva: Va) => Va) | null;

  /**
   * A new, empty map with one reference.
   *
   * @returns its handle, or `NO_PMAP` if memory for its tables is short: nothing has changed then
   * and the caller may wait for memory and call again (pmap(9) says that pmap_create may sleep; here
   * the caller does)
   */
  create(): PmapId;

  /** Adds a reference. */
  reference(pmap: PmapId): void;

  /**
   * Drops a reference; with the last one the map's tables are freed and the handle is dead.
   * The caller has removed every mapping before; a port MAY panic if it has not. Never the kernel's.
   */
  destroy(pmap: PmapId): void;

  /** Copies machine-dependent state other than mappings, at the end of a fork. Null if there is none. */
  readonly fork: ((src: PmapId, dst: PmapId) => void) | null;

  /** The number of mappings, counted as the port documents (some count table pages in). */
  residentCount(pmap: PmapId): number;

  /** The number of wired mappings. */
  wiredCount(pmap: PmapId): number;

  /** Bytes of page tables, and of whatever stands for them, that belong to the map alone. */
  tableBytes(pmap: PmapId): number;

  /**
   * Maps the page at `pa` at `va`.
   *
   * An existing mapping at `va` is replaced. Of another page: as if it had been removed. Of the same
   * page: its protection becomes `prot` (raised or lowered) and it is wired exactly if `PMAP_WIRED` is
   * given, in both directions: an enter without the flag takes the wiring away.
   *
   * `prot` is a ceiling. For an unwired mapping the port MAY install less, to emulate referenced and modified;
   * for a wired one the first access MUST NOT fault for that reason, so a port that emulates them MUST seed
   * referenced and modified from the access bits in `flags` there. For unwired ones it MAY, and one whose hardware
   * keeps them MAY always. The access bits are a subset of `prot`. The access named in `flags` MUST succeed when it is tried next on this CPU
   * if nothing else happened in between.
   *
   * The map need not be active on any CPU.
   *
   * @returns 0, or ENOMEM if table pages, pv entries or the like are short and `PMAP_CANFAIL` is given.
   * After ENOMEM there is no mapping at `va` or still the old one, and every count is right
   * @throws KernelPanic on a shortage without `PMAP_CANFAIL`
   */
  enter(pmap: PmapId, va: Va, pa: Pa, prot: Prot, flags: EnterFlags): Errno;

  /**
   * Removes every mapping that {@link enter} made in the range, **wired ones included**; their wiring
   * goes with them and `wiredCount` falls. Referenced and modified are saved. Holes are skipped.
   * UVM unwires before it removes; a port must not rely on that.
   */
  remove(pmap: PmapId, start: Va, end: Va): void;

  /**
   * Lowers protection in the range to `prot`. Without READ and EXECUTE it is {@link remove}. Wired mappings stay
   * wired at the lower protection (and are removed by NONE). Raising MAY be ignored: a fault puts
   * it right.
   */
  protect(pmap: PmapId, start: Va, end: Va, prot: Prot): void;

  /**
   * Takes the wired attribute from the mapping at `va`; the mapping stays and may be forgotten from then on.
   * What happens where no mapping is, or one that is not wired, is each port's documented behaviour
   * (a panic, a message, or nothing): UVM promises not to do it, and the wiring problem is that it does.
   */
  unwire(pmap: PmapId, va: Va): void;

  /**
   * The physical address that `va` (any byte address) maps to, by any kind of mapping, or `NO_PA`.
   * Says nothing of what a CPU's TLB still holds.
   */
  extract(pmap: PmapId, va: Va): Pa;

  /**
   * Enters an unmanaged, wired kernel mapping, usable at once: no reverse map, no referenced or
   * modified, untouched by {@link pageProtect}. Never blocks and never fails.
   * There MUST be no managed mapping at `va`; a port MAY panic if there is. `wiredCount` and
   * `residentCount` are not affected, unless the port says so (`PortCapabilities.kenterCounted`).
   */
  kenterPa(va: Va, pa: Pa, prot: Prot): void;

  /** Removes mappings made by {@link kenterPa} in [va, va + length). Others there: a port MAY panic. */
  kremove(va: Va, length: number): void;

  /**
   * Advice that `dst` will soon want at `dstVa` what `src` maps at `srcVa`. MAY do nothing. If it copies, it never
   * gives more rights than `src` has, **never copies wiring**, and may skip anything.
   */
  copy(dst: PmapId, src: PmapId, dstVa: Va, length: number, srcVa: Va): void;

  /** Advice to give memory back. MAY forget any mapping that is not wired; MUST keep wired ones. */
  collect(pmap: PmapId): void;

  /**
   * Forgets every mapping in the range that {@link enter} made and that is not wired: what {@link collect} may do, this does, to
   * the last one. It is {@link remove} but for what stays: wired mappings, and those of {@link kenterPa}. Of the kernel's map
   * unmanaged ones MAY stay as well (not every port can tell a device page that `enter` mapped from one of `kenterPa`).
   *
   * MAY be called between any two operations, for any map, active or not, with any range of its addresses: UVM must
   * notice nothing but faults. Referenced and modified are saved. Tables that are left empty go where `remove` lets them
   * go. No CPU uses a forgotten mapping any more when it returns, or, where flushes are deferred, from {@link update} on, which whoever
   * forgets calls at once: UVM does not know that there is anything to update.
   * Not of pmap(9): the forgetful design of the wiring problem needs it, and whoever wants to try UVM's promise.
   *
   * @returns the mappings forgotten
   */
  forget(pmap: PmapId, start: Va, end: Va): number;

  /** Makes everything deferred for this map visible to every CPU before it returns. */
  update(pmap: PmapId): void;

  /** Loads the map into the current CPU (`MachineDependent.currentCpu`): what pmap_activate does for curproc. */
  activate(pmap: PmapId): void;

  /** The current CPU stops using the map. */
  deactivate(pmap: PmapId): void;

  /** Fills the page with zeroes, so that every later mapping of it sees them. Any RAM page. */
  zeroPage(pa: Pa): void;

  /** Copies a whole page, likewise. Sets neither referenced nor modified. */
  copyPage(src: Pa, dst: Pa): void;

  /**
   * Lowers every managed mapping of the page in every map: READ or EXECUTE takes WRITE away, NONE removes,
   * anything with WRITE does nothing. **Wired mappings are not exempt** (a port that exempts them documents it).
   * Referenced and modified are saved.
   */
  pageProtect(pa: Pa, prot: Prot): void;

  /**
   * Clears modified, so that the next store through any mapping sets it again, whatever a TLB holds.
   * Wired mappings stay wired.
   *
   * @returns whether it was set
   */
  clearModify(pa: Pa): boolean;

  /**
   * Clears referenced, likewise; a port MAY lose the next reference. One whose hardware has no referenced bit MAY take
   * every mapping of the page away to see it, **wired ones included**: the next access is then a fault of UVM's, and a
   * wired range has pages that are not mapped until then (`PortCapabilities.clearReferenceWired`).
   *
   * @returns whether it was set
   */
  clearReference(pa: Pa): boolean;

  /** Whether the page was stored to through a managed mapping since modified was last cleared. Exact. */
  isModified(pa: Pa): boolean;

  /** Whether the page was used since referenced was last cleared. MAY always be false. */
  isReferenced(pa: Pa): boolean;

  /** The physical address that a device's d_mmap cookie stands for. */
  physAddress(cookie: number): Pa;

  /**
   * `va` raised to the next address at which a page at `offset` of its object may be mapped without
   * a cache alias. Never lower. Null where caches have no aliases (PMAP_PREFER).
   */
  readonly prefer: ((offset: number, va: Va) => Va) | null;

  /**
   * A kernel address at which the page at `pa` can always be reached, without a mapping being made
   * (PMAP_MAP_POOLPAGE); null where there is no direct map.
   */
  readonly mapPoolPage: ((pa: Pa) => Va) | null;

  /**
   * Brings instruction fetch up to date with stores that the kernel made into a process' text.
   * Null where fetches see stores.
   */
  readonly procwr: ((pmap: PmapId, va: Va, length: number) => void) | null;

  /**
   * What stands in the tables for `va`, decoded in the manual's words, for the debugger and for reports: for instance
   * `PTE 0x00345607 V RW u W PVLIST → 0x00345000`.
   */
  describe(pmap: PmapId, va: Va): string;
}

/** A range of physical memory that UVM manages: [start, end), page-aligned bytes (`vm_physseg`). */
export interface PhysSegment {
  readonly start: Pa;
  readonly end: Pa;
}

/**
 * What UVM gives a port from `Pmap.init` on.
 *
 * Table pages are ordinary pages of RAM that belong to no object and are on no queue. A port that
 * runs short first looks at what it may forget itself (it never forgets a wired mapping), then answers ENOMEM or panics
 * as {@link Pmap.enter} says.
 */
export interface PmapServices {
  /** The managed ranges, ascending, not overlapping; they never change. */
  readonly segments: readonly PhysSegment[];

  /** The number of managed pages. */
  readonly pageCount: number;

  /** True if the page at `pa` has a vm_page. */
  isManaged(pa: Pa): boolean;

  /**
   * The index of the managed page at `pa`: 0 … pageCount − 1, ascending with the address; −1 if it is not
   * managed. For the port's per-page arrays.
   */
  pageIndex(pa: Pa): number;

  /** The physical address of the managed page with that index. */
  pageAddress(index: number): Pa;

  /**
   * A page for tables, zeroed, or `NO_PA` if memory is short. May use the kernel's reserve
   * (UVM_PGA_USERESERVE), since the daemon cannot free memory for tables.
   */
  allocPage(): Pa;

  /** Gives such a page back. No CPU may still walk through it. */
  freePage(pa: Pa): void;
}
