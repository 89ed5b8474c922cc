import {
  hex,
  KernelPanic,
  NO_PA,
  PMAP_WIRED,
  shortage,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type EnterFlags,
  type Errno,
  type EventStream,
  type Pa,
  type PhysicalMemory,
  type Pmap,
  type PmapId,
  type PmapServices,
  type Prot,
  type Va,
} from '@uvmkit/pmap';
import type { Cpus } from './cpus.ts';
import { checkPmap } from './check.ts';
import { PGA_MODIFIED, PGA_REFERENCED, type Mappings } from './mappings.ts';
import {
  formatPte,
  PG_ASM,
  PG_EXEC,
  PG_FO,
  PG_FOE,
  PG_FOW,
  PG_KWE,
  PG_PALCODE,
  PG_PROT,
  PG_PVLIST,
  PG_UWE,
  PG_V,
  PG_WIRED,
  protectionCode,
} from './pte.ts';
import type { AlphaSettings } from './options.ts';
import type { Shootdown } from './shootdown.ts';
import type { Space, SpaceTable } from './space.ts';
import { beyondLevel2, beyondLevel3, entry3, NO_TABLE, type Tables } from './tables.ts';
import { k0seg, K1SEG, PAGE_SIZE, pageNumber, USEG_END, VPTBASE } from './vmparam.ts';

/** What an {@link AlphaPmap} is made of. */
export interface AlphaPmapParts {
  readonly memory: PhysicalMemory;
  readonly events: EventStream;
  readonly spaces: SpaceTable;
  readonly cpus: Cpus;
  readonly shootdown: Shootdown;
  readonly tables: Tables;
  readonly mappings: Mappings;
  readonly print: (message: string) => void;
}

/**
 * NetBSD/alpha's pmap as of late 2000 to December 2001 (sys/arch/alpha/alpha/pmap.c, from 1.124 on).
 *
 * Referenced and modified are emulated: a mapping is entered with fault-on bits for what its page
 * is not yet known to have had, and {@link emulateReference} takes them away from all the page's
 * mappings at once.
 *
 * `residentCount` and `wiredCount` of the kernel's map count mappings made by `kenterPa` in, as
 * NetBSD/alpha does (and i386 does not).
 */
export class AlphaPmap implements Pmap {
  /** Instruction fetches do not see stores: see `Cpus.syncIstream`. */
  readonly procwr: (id: PmapId, va: Va, length: number) => void;
  readonly growKernel: (maxva: Va) => Va;
  readonly mapPoolPage: (pa: Pa) => Va = k0seg;
  readonly prefer = null;
  readonly fork = null;
  private readonly memory: PhysicalMemory;
  private readonly events: EventStream;
  private readonly spaces: SpaceTable;
  private readonly cpus: Cpus;
  private readonly shootdown: Shootdown;
  private readonly tables: Tables;
  private readonly mappings: Mappings;
  private readonly parts: AlphaPmapParts;
  private readonly options: AlphaSettings;
  private readonly diagnostic: boolean;

  /** @param diagnostic a kernel with DIAGNOSTIC */
  constructor(parts: AlphaPmapParts, options: AlphaSettings, diagnostic: boolean) {
    this.memory = parts.memory;
    this.events = parts.events;
    this.spaces = parts.spaces;
    this.cpus = parts.cpus;
    this.shootdown = parts.shootdown;
    this.tables = parts.tables;
    this.mappings = parts.mappings;
    this.parts = parts;
    this.options = options;
    this.diagnostic = diagnostic;
    this.growKernel = (maxva) => this.tables.growKernel(maxva);
    this.procwr = (id) => {
      const space = this.spaces.get(id);
      this.cpus.syncIstream(space);
      this.cpus.userReturn(this.cpus.current);
    };
  }

  init(services: PmapServices): void {
    this.tables.init(services);
    this.mappings.init(services, this.options.pvEntries);
  }

  virtualSpace(): { readonly start: Va; readonly end: Va } {
    return { start: K1SEG, end: VPTBASE };
  }

  create(): PmapId {
    const { id } = this.spaces.create();
    if (this.events.watched) this.events.emit('pmap.create', id);
    return id;
  }

  reference(id: PmapId): void {
    this.spaces.reference(id);
  }

  /**
   * A map that still has mappings is emptied first, with a message under DIAGNOSTIC; without it NetBSD
   * leaks the tables and leaves pv entries that name a freed map.
   */
  destroy(id: PmapId): void {
    const space = this.spaces.drop(id);
    if (space === null) return;
    if (space.resident > 0) {
      if (this.diagnostic) this.parts.print('pmap_destroy: pmap still contains valid mappings!');
      this.mappings.removeRange(space, 0, USEG_END / PAGE_SIZE, true);
      this.shootdown.complete();
    }
    this.spaces.delete(space);
    if (this.events.watched) this.events.emit('pmap.destroy', id);
  }

  residentCount(id: PmapId): number {
    return this.spaces.get(id).resident;
  }

  wiredCount(id: PmapId): number {
    return this.spaces.get(id).wired;
  }

  tableBytes(id: PmapId): number {
    const space = this.spaces.get(id);
    const lev1 = space.kernel || space.lev1 !== this.spaces.kernel.lev1 ? 1 : 0;
    return (lev1 + space.lev2Tables + space.lev3Tables) * PAGE_SIZE;
  }

  enter(id: PmapId, va: Va, pa: Pa, prot: Prot, flags: EnterFlags): Errno {
    const space = this.spaces.get(id);
    const { kernel } = space;
    checkAligned(va, pa);
    if (!this.owns(space, va)) {
      throw new KernelPanic(`pmap_enter: ${kernel ? 'kernel' : 'user'} pmap, invalid va`, { va });
    }
    if (this.events.watched) this.events.emit('pmap.enter', id, va, pa, prot, flags);
    const page = va / PAGE_SIZE;
    const frame = pa / PAGE_SIZE;
    const index = this.mappings.pageOf(frame);
    const managed = index >= 0;
    const now = (flags & VM_PROT_ALL) !== 0;

    const lev3 = kernel ? this.tables.lookup(space, page) : this.level3(space, page);
    if (lev3 === NO_TABLE)
      return shortage(flags, 'pmap_enter: unable to allocate PT page', { pmap: id, va });
    const at = entry3(lev3, page);
    const low = this.memory.readLe32(at);
    const valid = (low & PG_V) !== 0;
    const same =
      valid && this.memory.readLe32(at + 4) === frame && ((low & PG_PVLIST) !== 0) === managed;
    const wired = (flags & PMAP_WIRED) !== 0;
    let sync = false;
    if (same) {
      if ((low & PG_WIRED) !== 0) space.wired--;
      sync = (prot & VM_PROT_EXECUTE) !== 0;
    } else {
      // This reference is the new PTE's; the old one's goes with the old mapping.
      if (!kernel) this.tables.hold(lev3);
      if (valid) {
        const hadExec = this.mappings.remove(space, page, lev3, now);
        sync = hadExec || (prot & VM_PROT_EXECUTE) !== 0;
      }
      if (managed && !this.mappings.enterPv(space, va, index, lev3)) {
        if (!kernel) this.tables.releaseLevel3(space, page, lev3);
        if (sync) this.cpus.syncIstream(space);
        this.shootdown.finish();
        return shortage(flags, 'pmap_enter: unable to enter mapping in PV table', { pmap: id, va });
      }
      space.resident++;
    }
    if (wired) space.wired++;

    let bits = PG_V | protectionCode(prot, kernel) | (wired ? PG_WIRED : 0);
    if (managed) bits |= PG_PVLIST | this.seed(index, prot, flags);
    if (this.options.enforceExecute && (bits & PG_EXEC) === 0) bits |= PG_FOE;
    this.tables.writePte(space, page, at, bits, frame);
    // Deferred or not, the access named succeeds next: an older flush of this page may still be due here.
    const due = now && this.options.deferred;
    if (due || (same && ((low ^ bits) & PG_PALCODE) !== 0)) {
      this.shootdown.invalidate(space, va, (bits & PG_ASM) !== 0, now);
    }
    if (sync) this.cpus.syncIstream(space);
    this.shootdown.finish();
    return 0;
  }

  /** Notes the access that an enter names, and answers the fault-on bits for what is still to be noticed. */
  private seed(index: number, prot: Prot, flags: EnterFlags): number {
    const access = flags & VM_PROT_ALL;
    if ((access & ~prot) !== 0 && this.diagnostic) {
      throw new KernelPanic('pmap_enter: access type exceeds prot', { access, prot });
    }
    const { attributes } = this.mappings;
    if ((access & VM_PROT_WRITE) !== 0) attributes[index]! |= PGA_REFERENCED | PGA_MODIFIED;
    else if (access !== 0) attributes[index]! |= PGA_REFERENCED;
    if ((attributes[index]! & PGA_REFERENCED) === 0) return PG_FO;
    return (attributes[index]! & PGA_MODIFIED) === 0 ? PG_FOW : 0;
  }

  /** The level-3 table of a user page, with tables taken from other maps if pages are short. */
  private level3(space: Space, page: number): number {
    let lev3 = this.tables.ensure(space, page);
    while (lev3 === NO_TABLE && this.mappings.stealTable(space)) {
      lev3 = this.tables.ensure(space, page);
    }
    return lev3;
  }

  remove(id: PmapId, start: Va, end: Va): void {
    const space = this.spaces.get(id);
    if (this.events.watched) this.events.emit('pmap.remove', id, start, end);
    this.removeFromSpace(space, start, end);
  }

  private removeFromSpace(space: Space, start: Va, end: Va): void {
    checkAligned(start, end);
    checkRange(space, start, end, 'pmap_remove');
    this.mappings.removeRange(space, start / PAGE_SIZE, end / PAGE_SIZE, true);
    this.shootdown.finish();
  }

  /** Whether the map may have a mapping of its own at an address. */
  private owns(space: Space, va: Va): boolean {
    return va >= (space.kernel ? K1SEG : 0) && va / PAGE_SIZE < this.tables.beyond(space);
  }

  protect(id: PmapId, start: Va, end: Va, prot: Prot): void {
    const space = this.spaces.get(id);
    if (this.events.watched) this.events.emit('pmap.protect', id, start, end, prot);
    if ((prot & VM_PROT_READ) === 0) {
      this.removeFromSpace(space, start, end);
      return;
    }
    const execLost = this.options.enforceExecute && (prot & VM_PROT_EXECUTE) === 0;
    if ((prot & VM_PROT_WRITE) !== 0 && !execLost) return;
    checkAligned(start, end);
    checkRange(space, start, end, 'pmap_protect');
    const last = Math.min(end / PAGE_SIZE, this.tables.beyond(space));
    for (let page = start / PAGE_SIZE; page < last;) {
      const lev2 = this.tables.level2(space, page);
      if (lev2 === NO_TABLE) {
        page = beyondLevel2(page);
        continue;
      }
      const lev3 = this.tables.level3(lev2, page);
      const end3 = Math.min(last, beyondLevel3(page));
      if (lev3 !== NO_TABLE) this.protectIn(space, lev3, page, end3, prot);
      page = end3;
    }
    if ((prot & VM_PROT_EXECUTE) !== 0) this.cpus.syncIstream(space);
    this.shootdown.finish();
  }

  /**
   * Lowers the mappings of [page, end), which one level-3 table maps. For a code with ASM or EXEC in it the
   * comparison always sees a difference, as NetBSD's does: those flush every time. EXEC is taken away only
   * where it is enforced (pitfall F.8).
   */
  private protectIn(space: Space, lev3: number, page: number, end: number, prot: Prot): void {
    const code = protectionCode(prot, space.kernel);
    const execLost = this.options.enforceExecute && (prot & VM_PROT_EXECUTE) === 0;
    const keepsWrite = (prot & VM_PROT_WRITE) !== 0;
    for (; page < end; page++) {
      const at = entry3(lev3, page);
      const low = this.memory.readLe32(at);
      if ((low & PG_V) === 0) continue;
      if ((low & PG_PROT) === code && !execLost) continue;
      let bits = keepsWrite ? low : (low & ~PG_PROT) | code;
      if (execLost) bits = (bits & ~PG_EXEC) | PG_FOE;
      if (execLost && bits === low) continue;
      this.tables.writePte(space, page, at, bits, this.memory.readLe32(at + 4));
      this.shootdown.invalidate(space, page * PAGE_SIZE, (low & PG_ASM) !== 0, false);
    }
  }

  /**
   * Under DIAGNOSTIC a missing mapping is a panic and one that is not wired a message. Without it, a
   * missing table is a NULL PTE dereferenced in the kernel, and the rest goes unnoticed. No flush: hardware
   * does not see the bit.
   */
  unwire(id: PmapId, va: Va): void {
    const space = this.spaces.get(id);
    checkAligned(va, 0);
    if (this.events.watched) this.events.emit('pmap.unwire', id, va);
    const page = va / PAGE_SIZE;
    const lev3 = this.owns(space, va) ? this.tables.lookup(space, page) : NO_TABLE;
    if (lev3 === NO_TABLE) {
      throw new KernelPanic(this.diagnostic ? 'pmap_unwire' : 'trap', { pmap: id, va });
    }
    const at = entry3(lev3, page);
    const low = this.memory.readLe32(at);
    if ((low & PG_V) === 0 && this.diagnostic)
      throw new KernelPanic('pmap_unwire', { pmap: id, va });
    if ((low & PG_WIRED) !== 0) {
      this.tables.writePte(space, page, at, low & ~PG_WIRED, this.memory.readLe32(at + 4));
      space.wired--;
    } else if (this.diagnostic) {
      this.parts.print(`pmap_unwire: wiring for pmap ${id} va ${hex(va)} didn't change!`);
    }
  }

  /** K0SEG addresses are not looked up here, as in 2001: their physical address is in them. */
  extract(id: PmapId, va: Va): Pa {
    const space = this.spaces.get(id);
    if (va < K1SEG || va >= USEG_END) return NO_PA;
    const page = pageNumber(va);
    const lev3 = this.tables.lookup(space, page);
    if (lev3 === NO_TABLE) return NO_PA;
    const at = entry3(lev3, page);
    if ((this.memory.readLe32(at) & PG_V) === 0) return NO_PA;
    return this.memory.readLe32(at + 4) * PAGE_SIZE + (va & (PAGE_SIZE - 1));
  }

  kenterPa(va: Va, pa: Pa, prot: Prot): void {
    checkAligned(va, pa);
    if (this.events.watched) this.events.emit('pmap.kenter', va, pa, prot);
    const { kernel } = this.spaces;
    if (!this.owns(kernel, va)) {
      throw new KernelPanic('pmap_kenter_pa: kernel pmap, invalid va', { va });
    }
    const page = va / PAGE_SIZE;
    const at = entry3(this.tables.lookup(kernel, page), page);
    const low = this.memory.readLe32(at);
    if ((low & PG_PVLIST) !== 0) throw new KernelPanic('pmap_kenter_pa: managed mapping', { va });
    if ((low & PG_V) === 0) kernel.resident++;
    if ((low & PG_WIRED) === 0) kernel.wired++;
    const code = protectionCode(prot, true);
    const forbidden = this.options.enforceExecute && (code & PG_EXEC) === 0 ? PG_FOE : 0;
    const bits = PG_V | PG_WIRED | code | forbidden;
    this.tables.writePte(kernel, page, at, bits, pa / PAGE_SIZE);
    this.shootdown.invalidate(kernel, va, true, true);
    if (((low | bits) & PG_EXEC) !== 0) this.cpus.syncIstream(kernel);
    this.shootdown.finish();
  }

  kremove(va: Va, length: number): void {
    checkAligned(va, length);
    if (this.events.watched) this.events.emit('pmap.kremove', va, length);
    const { kernel } = this.spaces;
    if (va < K1SEG || va >= 0) throw new KernelPanic('pmap_kremove: user address', { va });
    const last = Math.min(va + length, this.tables.kernelEnd) / PAGE_SIZE;
    let sync = false;
    for (let page = va / PAGE_SIZE; page < last; page++) {
      const at = entry3(this.tables.lookup(kernel, page), page);
      const low = this.memory.readLe32(at);
      if ((low & PG_V) === 0) continue;
      if ((low & PG_PVLIST) !== 0) {
        throw new KernelPanic('pmap_kremove: PG_PVLIST mapping', { va: page * PAGE_SIZE });
      }
      this.tables.writePte(kernel, page, at, 0, 0);
      this.shootdown.invalidate(kernel, page * PAGE_SIZE, true, false);
      kernel.resident--;
      if ((low & PG_WIRED) !== 0) kernel.wired--;
      if ((low & PG_EXEC) !== 0) sync = true;
    }
    if (sync) this.cpus.syncIstream(kernel);
    this.shootdown.finish();
  }

  /** Advice that NetBSD/alpha does not take. */
  copy(_dst: PmapId, _src: PmapId, _dstVa: Va, _length: number, _srcVa: Va): void {}

  collect(id: PmapId): void {
    const space = this.spaces.get(id);
    if (space.kernel) return;
    if (this.events.watched) this.events.emit('pmap.collect', id);
    const wiredToo = this.options.collectWired === 'removes';
    this.mappings.removeRange(space, 0, USEG_END / PAGE_SIZE, wiredToo);
    this.shootdown.finish();
  }

  forget(id: PmapId, start: Va, end: Va): number {
    const space = this.spaces.get(id);
    if (this.events.watched) this.events.emit('pmap.forget', id, start, end);
    checkAligned(start, end);
    checkRange(space, start, end, 'pmap_forget');
    const before = space.resident;
    this.mappings.removeRange(space, start / PAGE_SIZE, end / PAGE_SIZE, false);
    this.shootdown.finish();
    return before - space.resident;
  }

  /**
   * Nothing is pending here unless flushes are deferred. UVM calls it before a process goes on, so it also
   * stands for the return to user mode at which a due `imb` is done.
   */
  update(id: PmapId): void {
    this.spaces.get(id);
    if (this.options.deferred) {
      if (this.events.watched) this.events.emit('pmap.update', id);
      this.shootdown.complete();
    }
    this.cpus.userReturn(this.cpus.current);
  }

  activate(id: PmapId): void {
    const space = this.spaces.get(id);
    if (this.events.watched) this.events.emit('pmap.activate', id, this.cpus.current);
    this.interrupt(this.cpus.current);
    this.spaces.touch(space);
    this.cpus.activate(space);
  }

  deactivate(id: PmapId): void {
    this.cpus.deactivate(this.spaces.get(id));
  }

  zeroPage(pa: Pa): void {
    this.memory.zero(pa);
  }

  copyPage(src: Pa, dst: Pa): void {
    this.memory.copy(src, dst);
  }

  /** Wired mappings survive NONE, still usable (the 2001 behaviour), unless the option says otherwise. */
  pageProtect(pa: Pa, prot: Prot): void {
    if ((prot & VM_PROT_WRITE) !== 0) return;
    const index = this.mappings.pageOf(pa / PAGE_SIZE);
    if (index < 0) return;
    if (this.events.watched) this.events.emit('pmap.pageProtect', pa, prot);
    if (prot !== 0) this.mappings.changeBits(index, 0, PG_KWE | PG_UWE);
    else this.mappings.removeAll(index, this.options.pageProtectWired === 'removes');
    this.shootdown.complete();
  }

  clearModify(pa: Pa): boolean {
    const was = this.clear(pa, PGA_MODIFIED, PG_FOW);
    if (this.events.watched) this.events.emit('pmap.clearModify', pa, was ? 1 : 0);
    return was;
  }

  clearReference(pa: Pa): boolean {
    const was = this.clear(pa, PGA_REFERENCED, PG_FO);
    if (this.events.watched) this.events.emit('pmap.clearReference', pa, was ? 1 : 0);
    return was;
  }

  private clear(pa: Pa, attribute: number, faultOn: number): boolean {
    const index = this.mappings.pageOf(pa / PAGE_SIZE);
    if (index < 0 || (this.mappings.attributes[index]! & attribute) === 0) return false;
    this.mappings.changeBits(index, faultOn, 0);
    this.mappings.attributes[index]! &= ~attribute;
    this.shootdown.complete();
    return true;
  }

  isModified(pa: Pa): boolean {
    return this.has(pa, PGA_MODIFIED);
  }

  isReferenced(pa: Pa): boolean {
    return this.has(pa, PGA_REFERENCED);
  }

  private has(pa: Pa, attribute: number): boolean {
    const index = this.mappings.pageOf(pa / PAGE_SIZE);
    return index >= 0 && (this.mappings.attributes[index]! & attribute) !== 0;
  }

  physAddress(cookie: number): Pa {
    return cookie * PAGE_SIZE;
  }

  describe(id: PmapId, va: Va): string {
    const space = this.spaces.get(id);
    if (va >= USEG_END || va < k0seg(0)) return 'not an address: bits 63:43 do not repeat bit 42';
    if (va < K1SEG) return `K0SEG → ${hex(va - k0seg(0))}`;
    const page = pageNumber(va);
    const lev2 = this.tables.level2(space, page);
    if (lev2 === NO_TABLE) return 'no level 2 table';
    const lev3 = this.tables.level3(lev2, page);
    if (lev3 === NO_TABLE) return 'no level 3 table';
    const at = entry3(lev3, page);
    return formatPte(this.memory.readLe32(at), this.memory.readLe32(at + 4));
  }

  /**
   * Settles a fault-on trap (pmap_emulate_reference): notes the use on the page and takes the bits from
   * all its mappings. A trap whose reason is gone from the tables came from a stale entry, which the
   * trap has dropped: it is settled too.
   *
   * @param code MMCSR_FOR, MMCSR_FOW or MMCSR_FOE
   * @returns false if execute permission is enforced and this was a fetch without it
   */
  emulateReference(va: Va, user: boolean, code: number): boolean {
    if (va < 0 && user)
      throw new KernelPanic('pmap_emulate_reference: user ref to kernel va', { va });
    const space = va < 0 ? this.spaces.kernel : this.cpus.loaded[this.cpus.current]!;
    const settled = this.mappings.emulateReference(space, pageNumber(va), code);
    this.shootdown.complete();
    return settled;
  }

  /** What is inconsistent in tables, counts, pv entries and attributes; empty if nothing is. */
  check(): string[] {
    return checkPmap(this.parts);
  }

  /** A CPU takes the shootdown interrupts that others have sent it. */
  interrupt(cpu: number): void {
    if (this.shootdown.pending(cpu) && !this.options.deferred) this.shootdown.interrupt(cpu);
  }
}

function checkAligned(a: number, b: number): void {
  if (((a | b) & (PAGE_SIZE - 1)) === 0) return;
  throw new RangeError(
    `addresses and lengths must be multiples of ${PAGE_SIZE}, given ${hex(a)} and ${hex(b)}`,
  );
}

function checkRange(space: Space, start: Va, end: Va, who: string): void {
  if (space.kernel ? start >= K1SEG && end <= 0 : start >= 0 && end <= USEG_END) return;
  throw new KernelPanic(`${who}: ${space.kernel ? 'kernel' : 'user'} pmap, invalid range`, {
    start,
    end,
  });
}
