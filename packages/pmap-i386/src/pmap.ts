import {
  hex,
  KernelPanic,
  NO_PA,
  NO_PMAP,
  PMAP_WIRED,
  PV_NONE,
  PvTable,
  shortage,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type EnterFlags,
  type Errno,
  type Pa,
  type Pmap,
  type PmapId,
  type PmapServices,
  type Prot,
  type Va,
} from '@uvmkit/pmap';
import { clearAttribute, managedPage, revokeWrite, testAttribute } from './attributes.ts';
import {
  formatPte,
  PG_FRAME,
  PG_KW,
  PG_M,
  PG_PVLIST,
  PG_RO,
  PG_RW,
  PG_U,
  PG_V,
  PG_W,
  PG_u,
  pteFrame,
} from './pte.ts';
import {
  MAPPED_MANAGED,
  PMAP_REMOVE_ALL,
  PMAP_REMOVE_SKIPWIRED,
  removePage,
  removeRange,
} from './removal.ts';
import { Space } from './space.ts';
import type { PmapState } from './state.ts';
import { Thief } from './steal.ts';
import {
  APDP_BASE,
  KERNBASE,
  NBPD,
  NBPG,
  pdei,
  PDP_BASE,
  PDSLOT_KERN,
  PDSLOT_PTE,
  PGOFSET,
  PGSHIFT,
  VM_MAX_ADDRESS,
  VM_MAX_KERNEL_ADDRESS,
  VM_MAXUSER_ADDRESS,
  VM_MIN_ADDRESS,
} from './vmparam.ts';

/**
 * NetBSD's i386 pmap (sys/arch/i386/i386/pmap.c, the lineage of revision 1.91), in both of its
 * variants: see `I386Options.variant`.
 *
 * Tables are written by physical address. The recursive slot and the alternate window are there, in
 * every directory, for whoever reads PTEs through the MMU, and what they oblige the pmap to flush is
 * flushed; pmap_zero_page and pmap_copy_page move the bytes directly, without the windows that a
 * kernel needs for them. In all else the entry points do what pmap(9) and the source of the time say;
 * what differs by design is said where it does.
 */
export class I386Pmap implements Pmap {
  readonly fork: null = null;
  readonly prefer: null = null;
  readonly mapPoolPage: null = null;
  readonly procwr: null = null;
  readonly #state: PmapState;
  readonly #thief: Thief;

  constructor(state: PmapState) {
    this.#state = state;
    this.#thief = new Thief(state);
  }

  init(services: PmapServices): void {
    const state = this.#state;
    state.services = services;
    state.pv = new PvTable(services.pageCount, state.options.pvEntries);
    state.attributes = new Uint8Array(services.pageCount);
  }

  virtualSpace(): { readonly start: Va; readonly end: Va } {
    return { start: this.#state.virtualAvail, end: VM_MAX_KERNEL_ADDRESS };
  }

  /** Each new table is entered in every directory. No flush: that it was absent is cached nowhere. */
  readonly growKernel: (maxva: Va) => Va = (maxva) => {
    const state = this.#state;
    if (maxva > VM_MAX_KERNEL_ADDRESS)
      throw new RangeError(
        `kernel addresses end at ${hex(VM_MAX_KERNEL_ADDRESS)}, given ${hex(maxva)}`,
      );
    while (KERNBASE + state.kernelTables * NBPD < maxva) {
      const table = state.allocPage();
      if (table === NO_PA)
        throw new KernelPanic('pmap_growkernel: alloc ptp failed', {
          maxva,
          tables: state.kernelTables,
          initialized: state.services !== null,
        });
      const slot = PDSLOT_KERN + state.kernelTables;
      for (const space of state.spaces.all()) state.storePde(space, slot, table | PG_RW | PG_V);
      state.kernelTables++;
    }
    return KERNBASE + state.kernelTables * NBPD;
  };

  create(): PmapId {
    const state = this.#state;
    const directory = state.allocPage();
    if (directory === NO_PA) return NO_PMAP;
    const id = state.spaces.nextId;
    const space = state.spaces.add(new Space(id, directory, 1, false));
    state.storePde(space, PDSLOT_PTE, directory | PG_V | PG_KW);
    // The kernel's tables; what a CPU noted in its own copy of the entries (A) goes along and is harmless.
    state.memory.copy(
      state.kernel.directory + PDSLOT_KERN * 4,
      directory + PDSLOT_KERN * 4,
      state.kernelTables * 4,
    );
    if (state.events.watched) state.events.emit('pmap.create', id);
    return id;
  }

  reference(pmap: PmapId): void {
    this.#state.spaces.reference(pmap);
  }

  /**
   * With the last reference the directory is freed. A CPU that still has it in CR3 is given the kernel's
   * first, as the scheduler does before the reaper frees a dead process' map, and a window that shows it
   * is emptied. Mappings left over: the UP pmap forgets them, the Q pmap insists that there are none.
   */
  destroy(pmap: PmapId): void {
    const state = this.#state;
    const space = state.spaces.drop(pmap);
    if (space === null) return;
    if (space.tables !== 0) {
      if (state.variant === 'q')
        throw new KernelPanic('pmap_destroy: page tables left', { pmap, tables: space.tables });
      removeRange(state, space, VM_MIN_ADDRESS, VM_MAXUSER_ADDRESS, PMAP_REMOVE_ALL);
    }
    state.settleNow();
    for (const mmu of state.cpus.mmus)
      if (mmu.cr3 === space.directory) mmu.writeCr3(state.kernel.directory);
    state.spaces.delete(space);
    state.window.forget(space.directory, state.spaces.all());
    state.services!.freePage(space.directory);
    if (state.events.watched) state.events.emit('pmap.destroy', pmap);
  }

  /** The directory, the page-table pages and the mappings; for the kernel, those of boot too. */
  residentCount(pmap: PmapId): number {
    return this.#state.space(pmap).resident;
  }

  /** The PTEs with PG_W; for the kernel, the pages mapped at boot too. */
  wiredCount(pmap: PmapId): number {
    return this.#state.space(pmap).wired;
  }

  tableBytes(pmap: PmapId): number {
    const space = this.#state.space(pmap);
    const tables = this.#state.isKernel(space) ? this.#state.kernelTables : space.tables;
    return (1 + tables) * NBPG;
  }

  /**
   * The wire_count of the page-table page that maps `va` in a user's map: 1 + its valid PTEs; 0 if
   * there is none. For tests and for the debugger.
   */
  tableWireCount(pmap: PmapId, va: Va): number {
    return this.#state.space(pmap).wireCounts[pdei(va)] ?? 0;
  }

  /**
   * Where the page at `pa` is mapped by managed mappings, the latest first: its pv list. For tests and for
   * the debugger.
   */
  mappingsOf(pa: Pa): { readonly pmap: PmapId; readonly va: Va }[] {
    const { pv } = this.#state;
    const page = this.#state.pageIndex(pa);
    const found = [];
    if (page >= 0)
      for (let entry = pv.head[page]!; entry !== PV_NONE; entry = pv.next[entry]!)
        found.push({ pmap: pv.pmap[entry]!, va: pv.va[entry]! });
    return found;
  }

  /**
   * The access bits in `flags` are not used: the hardware sets U and M. Everything that can run out is
   * got before anything is changed, so that ENOMEM leaves the old mapping and every count as they were
   * (revision 1.91 did not). With `prot` NONE the entry is the supervisor's, so that the process
   * cannot read what it may not (NetBSD set PG_u there too; UVM never asks for it).
   */
  enter(pmap: PmapId, va: Va, pa: Pa, prot: Prot, flags: EnterFlags): Errno {
    const state = this.#state;
    const space = state.space(pmap);
    if (state.events.watched) state.events.emit('pmap.enter', pmap, va, pa, prot, flags);
    this.#checkEnter(space, va, pa);
    const page = state.pageIndex(pa);

    let at = state.pteAddress(space, va);
    let opte = at === NO_PA ? 0 : state.memory.readLe32(at);
    if (page >= 0 && (opte & PG_PVLIST) === 0 && !state.pv.available()) {
      if (state.variant === 'q' || !this.#thief.stealPv())
        return shortage(flags, 'pmap_enter: no pv entries available', { pmap, va });
      // What was stolen may have been the last mapping of the very table that is needed now.
      at = state.pteAddress(space, va);
    }
    if (at === NO_PA) {
      if (!this.#makeTable(space, pdei(va)))
        return shortage(flags, 'pmap_enter: get ptp failed', { pmap, va });
      at = state.pteAddress(space, va);
      opte = 0;
    }
    state.window.open(space);
    this.#replace(space, va, at, opte, pa, page, prot, (flags & PMAP_WIRED) === 0 ? 0 : PG_W);
    state.window.close();
    state.settle();
    return 0;
  }

  #checkEnter(space: Space, va: Va, pa: Pa): void {
    const state = this.#state;
    if (((va | pa) & PGOFSET) !== 0)
      throw new RangeError(`pmap_enter wants page-aligned addresses, given ${hex(va)} ${hex(pa)}`);
    if (state.diagnostic) {
      if (va === PDP_BASE || va === APDP_BASE)
        throw new KernelPanic('pmap_enter: trying to map over PDP/APDP', { pmap: space.id, va });
      if (va >= VM_MAX_KERNEL_ADDRESS)
        throw new KernelPanic('pmap_enter: too big', { pmap: space.id, va });
    }
    if (state.isKernel(space)) {
      if (va < KERNBASE || va >= VM_MAX_KERNEL_ADDRESS)
        throw new RangeError(`the kernel's pmap has no address ${hex(va)}`);
      if ((state.pde(space, pdei(va)) & PG_V) === 0)
        throw new KernelPanic('pmap_enter: missing kernel PTP', { va });
    } else if (va >= VM_MAXUSER_ADDRESS)
      throw new RangeError(`a user's pmap has no address ${hex(va)}`);
  }

  /** A page table for the slot, if need be another map's. */
  #makeTable(space: Space, slot: number): boolean {
    const state = this.#state;
    if (state.allocTable(space, slot) !== NO_PA) return true;
    if (state.variant === 'q' || !this.#thief.stealTable()) return false;
    return state.allocTable(space, slot) !== NO_PA;
  }

  /** The change itself: counts, reverse map and saved attributes, then the PTE, then the flush. */
  #replace(
    space: Space,
    va: Va,
    at: Pa,
    opte: number,
    pa: Pa,
    page: number,
    prot: Prot,
    wired: number,
  ): void {
    const state = this.#state;
    const user = !state.isKernel(space);
    let npte = pa | PG_V | wired | ((prot & VM_PROT_WRITE) === 0 ? PG_RO : PG_RW);
    if (page >= 0) npte |= PG_PVLIST;
    if (!user) npte |= state.pgG;
    else if (prot !== 0) npte |= PG_u;

    let stale = false;
    let linked = false;
    if ((opte & PG_V) === 0) {
      space.resident++;
      if (user) space.wireCounts[pdei(va)]!++;
      if (wired !== 0) space.wired++;
    } else {
      if (((opte ^ wired) & PG_W) !== 0) space.wired += wired === 0 ? -1 : 1;
      if (((opte ^ pa) & PG_FRAME) !== 0) {
        this.#unlink(space, va, opte);
        stale = (opte & state.cachedIf) !== 0;
      } else {
        linked = (opte & PG_PVLIST) !== 0;
        if (keepsUsedAndModified(state, opte, npte)) npte |= opte & (PG_U | PG_M);
        else {
          if (linked) state.attributes[page]! |= opte & (PG_U | PG_M);
          // U may be lost; M not: a TLB that holds D would never set it again.
          stale = (opte & ~PG_U) !== npte;
        }
      }
    }
    // The reverse map names the table by its page number.
    if (page >= 0 && !linked) state.pv.insert(page, space.id, va, at >>> PGSHIFT);
    state.store(space, va, at, opte, npte);
    if (stale) state.flush.page(space, va, opte);
  }

  /** Takes a mapping that gives way to another page off the old page's list. */
  #unlink(space: Space, va: Va, opte: number): void {
    if ((opte & PG_PVLIST) === 0) return;
    const state = this.#state;
    const page = state.pageIndex(pteFrame(opte));
    state.attributes[page]! |= opte & (PG_U | PG_M);
    if (!state.pv.remove(page, space.id, va))
      throw state.inconsistent('pmap_remove_pv: no pv entry', space, va);
  }

  remove(pmap: PmapId, start: Va, end: Va): void {
    const state = this.#state;
    if (state.events.watched) state.events.emit('pmap.remove', pmap, start, end);
    removeRange(state, state.space(pmap), start, end, PMAP_REMOVE_ALL);
    state.settle();
  }

  protect(pmap: PmapId, start: Va, end: Va, prot: Prot): void {
    const state = this.#state;
    const space = state.space(pmap);
    if (state.events.watched) state.events.emit('pmap.protect', pmap, start, end, prot);
    if ((prot & VM_PROT_WRITE) !== 0) return;
    if ((prot & (VM_PROT_READ | VM_PROT_EXECUTE)) === 0)
      removeRange(state, space, start, end, PMAP_REMOVE_ALL);
    else this.#writeProtect(space, start, end);
    state.settle();
  }

  /** Takes write access from [start, end) (`pmap_write_protect`): what fork does to a whole process. */
  #writeProtect(space: Space, start: Va, end: Va): void {
    const state = this.#state;
    const { memory, flush, writableIf } = state;
    state.window.open(space);
    for (let va = start; va < end;) {
      const blockEnd = Math.min(end, (pdei(va) + 1) * NBPD);
      let at = pdei(va) === PDSLOT_PTE ? NO_PA : state.pteAddress(space, va);
      if (at !== NO_PA)
        for (; va < blockEnd; va += NBPG, at += 4) {
          const opte = memory.readLe32(at);
          if ((opte & (PG_V | PG_RW)) !== (PG_V | PG_RW)) continue;
          state.store(space, va, at, opte, opte & ~PG_RW);
          if ((opte & writableIf) !== 0) flush.page(space, va, opte);
        }
      va = blockEnd;
    }
    state.window.close();
  }

  /**
   * Nothing mapped: a panic with DIAGNOSTIC, nothing without. Mapped but not wired: a message with
   * DIAGNOSTIC. No flush: PG_W is software's.
   */
  unwire(pmap: PmapId, va: Va): void {
    const state = this.#state;
    const space = state.space(pmap);
    if (state.events.watched) state.events.emit('pmap.unwire', pmap, va);
    const at = state.pteAddress(space, va);
    if (at === NO_PA) {
      if (state.diagnostic) throw new KernelPanic('pmap_unwire: invalid PDE', { pmap, va });
      return;
    }
    const opte = state.memory.readLe32(at);
    if (state.diagnostic && (opte & PG_V) === 0)
      throw new KernelPanic(`pmap_unwire: invalid (unmapped) va ${hex(va, 1)}`, { pmap, va });
    if ((opte & PG_W) !== 0) {
      state.store(space, va, at, opte, opte & ~PG_W);
      space.wired--;
    } else if (state.diagnostic)
      state.print(`pmap_unwire: wiring for pmap ${pmap} va ${hex(va, 1)} didn't change!`);
  }

  /** With the option `extract: 'pde'` it answers for unmapped addresses too, as revision 1.91 did. */
  extract(pmap: PmapId, va: Va): Pa {
    const state = this.#state;
    const at = state.pteAddress(state.space(pmap), va);
    if (at === NO_PA) return NO_PA;
    const pte = state.memory.readLe32(at);
    if ((pte & PG_V) === 0 && state.options.extract !== 'pde') return NO_PA;
    return pteFrame(pte) + (va & PGOFSET);
  }

  kenterPa(va: Va, pa: Pa, prot: Prot): void {
    const state = this.#state;
    const space = state.kernel;
    if (state.events.watched) state.events.emit('pmap.kenter', va, pa, prot);
    if (((va | pa) & PGOFSET) !== 0 || va < KERNBASE)
      throw new RangeError(
        `pmap_kenter_pa wants a kernel page and a physical page, given ${hex(va)} ${hex(pa)}`,
      );
    const at = state.pteAddress(space, va);
    if (at === NO_PA) throw new KernelPanic('pmap_kenter_pa: missing kernel PTP', { va });
    const opte = state.memory.readLe32(at);
    if (state.diagnostic && (opte & PG_PVLIST) !== 0)
      throw state.inconsistent('pmap_kenter_pa: PG_PVLIST mapping', space, va);
    const npte = pa | ((prot & VM_PROT_WRITE) === 0 ? PG_RO : PG_RW) | PG_V | state.pgG;
    state.store(space, va, at, opte, npte);
    if ((opte & state.cachedIf) !== 0) state.flush.page(space, va, opte);
    state.settle();
  }

  kremove(va: Va, length: number): void {
    const state = this.#state;
    const space = state.kernel;
    if (state.events.watched) state.events.emit('pmap.kremove', va, length);
    for (let page = va; page < va + length; page += NBPG) {
      const at = state.pteAddress(space, page);
      if (at === NO_PA) throw new KernelPanic('pmap_kremove: missing kernel PTP', { va: page });
      const opte = state.memory.readLe32(at);
      if (state.diagnostic && (opte & PG_PVLIST) !== 0)
        throw state.inconsistent('pmap_kremove: PG_PVLIST mapping', space, page);
      if (opte === 0) continue;
      state.store(space, page, at, opte, 0);
      if ((opte & state.cachedIf) !== 0) state.flush.page(space, page, opte);
    }
    state.settle();
  }

  /** Empty, as NetBSD's. */
  copy(dst: PmapId, src: PmapId, _dstVa: Va, _length: number, _srcVa: Va): void {
    this.#state.space(dst);
    this.#state.space(src);
  }

  collect(pmap: PmapId): void {
    const state = this.#state;
    const space = state.space(pmap);
    if (state.events.watched) state.events.emit('pmap.collect', pmap);
    const skip = state.options.collectWired === 'removes' ? PMAP_REMOVE_ALL : PMAP_REMOVE_SKIPWIRED;
    removeRange(state, space, VM_MIN_ADDRESS, VM_MAX_ADDRESS, skip);
    state.settle();
  }

  /** Without the kernel's unmanaged mappings: nothing tells those of `enter` from those of {@link kenterPa}. */
  forget(pmap: PmapId, start: Va, end: Va): number {
    const state = this.#state;
    const space = state.space(pmap);
    if (state.events.watched) state.events.emit('pmap.forget', pmap, start, end);
    const kernel = state.isKernel(space);
    if (!kernel && space.tables === 0) return 0;
    const need = kernel ? MAPPED_MANAGED : PG_V;
    const forgotten = removeRange(state, space, start, end, PMAP_REMOVE_SKIPWIRED, need);
    state.settle();
    return forgotten;
  }

  /** Empty in 2001; with the option `deferred`, where every flush happens. */
  update(pmap: PmapId): void {
    const state = this.#state;
    state.space(pmap);
    if (state.events.watched) state.events.emit('pmap.update', pmap);
    state.settleNow();
  }

  activate(pmap: PmapId): void {
    const state = this.#state;
    const { cpus } = state;
    const space = state.space(pmap);
    cpus.activate(space);
    if (state.events.watched) state.events.emit('pmap.activate', pmap, cpus.current);
  }

  /**
   * The CPU keeps its CR3, and what its TLB holds, until it activates another map; from here on no shootdown
   * reaches it for this one, and it is not to be used for user addresses.
   */
  deactivate(pmap: PmapId): void {
    this.#state.space(pmap).cpus &= ~(1 << this.#state.cpus.current);
  }

  zeroPage(pa: Pa): void {
    this.#state.memory.zero(pa);
  }

  copyPage(src: Pa, dst: Pa): void {
    this.#state.memory.copy(src, dst);
  }

  pageProtect(pa: Pa, prot: Prot): void {
    const state = this.#state;
    if (state.events.watched) state.events.emit('pmap.pageProtect', pa, prot);
    if ((prot & VM_PROT_WRITE) !== 0) return;
    const page = managedPage(state, pa, 'pmap_page_protect');
    if (page < 0) return;
    if ((prot & (VM_PROT_READ | VM_PROT_EXECUTE)) === 0) removePage(state, page);
    else revokeWrite(state, page);
    state.settleNow();
  }

  clearModify(pa: Pa): boolean {
    const was = clearAttribute(this.#state, pa, PG_M);
    const { events } = this.#state;
    if (events.watched) events.emit('pmap.clearModify', pa, was ? 1 : 0);
    return was;
  }

  clearReference(pa: Pa): boolean {
    const was = clearAttribute(this.#state, pa, PG_U);
    const { events } = this.#state;
    if (events.watched) events.emit('pmap.clearReference', pa, was ? 1 : 0);
    return was;
  }

  isModified(pa: Pa): boolean {
    return testAttribute(this.#state, pa, PG_M);
  }

  isReferenced(pa: Pa): boolean {
    return testAttribute(this.#state, pa, PG_U);
  }

  /** The cookie is a page number (i386_ptob). */
  physAddress(cookie: number): Pa {
    return cookie * NBPG;
  }

  describe(pmap: PmapId, va: Va): string {
    const state = this.#state;
    const space = state.space(pmap);
    const at = state.pteAddress(space, va);
    if (at === NO_PA) return `PDE ${formatPte(state.pde(space, pdei(va)))}`;
    return `PTE ${formatPte(state.memory.readLe32(at))}`;
  }
}

/**
 * Whether entering over a mapping of the same page leaves U and M in the PTE. The UP pmap starts the
 * new entry clean and keeps them for the page; the Q pmap leaves them where they are unless a
 * dirty mapping becomes read-only or the process loses it.
 */
function keepsUsedAndModified(state: PmapState, opte: number, npte: number): boolean {
  if (state.variant === 'up' || (opte & ~npte & PG_u) !== 0) return false;
  return (npte & PG_RW) !== 0 || (opte & (PG_M | PG_RW)) !== (PG_M | PG_RW);
}
