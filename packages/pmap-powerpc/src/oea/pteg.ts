import {
  KernelPanic,
  STEAL_SLOT,
  type EventStream,
  type Pa,
  type PhysicalMemory,
  type Va,
} from '@uvmkit/pmap';
import type { TlbFlusher } from './flush.ts';
import {
  PTEG_BYTES,
  PTEG_SLOTS,
  PTE_BYTES,
  PTE_CHG,
  PTE_HID,
  PTE_REF,
  PTE_VALID,
  PTE_VSID,
  PTE_VSID_SHIFT,
  primaryHash,
  pteHi,
} from './pte.ts';
import { PVO_NONE, PVO_PTEGIDX_VALID, PVO_SLOT, type PvoStore } from './pvo.ts';

/** No slot. */
const NO_SLOT = -1;
/** The PVO's PTE is not in the table. */
export const NOT_IN_TABLE = -1;

/**
 * The hashed page table as software handles it (the pte_* primitives of mpc6xx/pmap.c 1.28.4.7).
 *
 * The table is in physical memory and is shared with hardware, which stores single bytes of R and C
 * into it at any time. So a valid PTE is not edited, save to clear R or C: it is made invalid, its
 * class is invalidated in every TLB, and only then are R and C taken from it.
 */
export class PtegTable {
  /** Physical address of the table. */
  readonly base: Pa;
  /** Groups, less one. */
  readonly mask: number;
  /** PVOs that are in no slot (pmap_pte_overflow). */
  overflow = 0;
  private readonly memory: PhysicalMemory;
  private readonly pvos: PvoStore;
  private readonly flusher: TlbFlusher;
  private readonly events: EventStream;
  private readonly diagnostic: boolean;

  constructor(
    memory: PhysicalMemory,
    base: Pa,
    groups: number,
    pvos: PvoStore,
    flusher: TlbFlusher,
    events: EventStream,
    diagnostic: boolean,
  ) {
    this.memory = memory;
    this.base = base;
    this.mask = groups - 1;
    this.pvos = pvos;
    this.flusher = flusher;
    this.events = events;
    this.diagnostic = diagnostic;
  }

  /** The primary group of a page. */
  group(vsid: number, va: Va): number {
    return primaryHash(vsid, va) & this.mask;
  }

  /** The primary group of a PVO, whichever its PTE sits in. */
  groupOf(pvo: number): number {
    const { hi, vaddr } = this.pvos;
    return this.group((hi[pvo]! & PTE_VSID) >>> PTE_VSID_SHIFT, vaddr[pvo]!);
  }

  /**
   * The physical address of the PVO's PTE, or `NOT_IN_TABLE` (-1) (pmap_pvo_to_pte).
   *
   * @throws KernelPanic under DIAGNOSTIC if PVO and memory disagree
   */
  pteOf(pvo: number): Pa {
    const flags = this.pvos.vaddr[pvo]!;
    const hi = this.pvos.hi[pvo]!;
    if ((flags & PVO_PTEGIDX_VALID) === 0) return NOT_IN_TABLE;
    const group = this.groupOf(pvo) ^ ((hi & PTE_HID) === 0 ? 0 : this.mask);
    const pte = this.slot(group, flags & PVO_SLOT);
    if (this.diagnostic && (this.memory.readBe32(pte) | 0) !== hi)
      throw new KernelPanic('pmap_pvo_to_pte: pvo does not match pte in pmap_pteg_table', {
        pvo,
        va: (flags & ~0xfff) >>> 0,
        pvoHi: hi >>> 0,
        pteHi: this.memory.readBe32(pte),
      });
    return pte;
  }

  private slot(group: number, slot: number): Pa {
    return this.base + group * PTEG_BYTES + slot * PTE_BYTES;
  }

  private freeSlot(group: number): number {
    for (let slot = 0; slot < PTEG_SLOTS; slot++)
      if ((this.memory.readBe32(this.slot(group, slot)) & PTE_VALID) === 0) return slot;
    return NO_SLOT;
  }

  /** Puts a new PVO's PTE into the first free slot of its primary, else of its secondary group. */
  insert(pvo: number): void {
    if (!this.place(pvo)) this.overflow++;
  }

  private place(pvo: number): boolean {
    const primary = this.groupOf(pvo);
    let slot = this.freeSlot(primary);
    if (slot !== NO_SLOT) {
      this.set(pvo, primary, slot, 0);
      return true;
    }
    slot = this.freeSlot(primary ^ this.mask);
    if (slot === NO_SLOT) return false;
    this.set(pvo, primary ^ this.mask, slot, PTE_HID);
    return true;
  }

  /** Word 1 goes first: from word 0 on, hardware may use the entry. */
  private set(pvo: number, group: number, slot: number, hid: number): void {
    const { hi, lo, vaddr, pmap } = this.pvos;
    hi[pvo] = (hi[pvo]! & ~PTE_HID) | hid | PTE_VALID;
    vaddr[pvo] = (vaddr[pvo]! & ~PVO_SLOT) | slot | PVO_PTEGIDX_VALID;
    const pte = this.slot(group, slot);
    this.memory.writeBe32(pte + 4, lo[pvo]!);
    this.memory.writeBe32(pte, hi[pvo]!);
    if (this.events.watched)
      this.events.emit('pte.write', pmap[pvo]!, this.va(pvo), 0, lo[pvo]! >>> 0);
  }

  private va(pvo: number): Va {
    return (this.pvos.vaddr[pvo]! & ~0xfff) >>> 0;
  }

  /**
   * Takes the PVO's PTE, if it has one, out of the table and keeps its R and C in the PVO.
   *
   * @param late whether the TLBs may keep it until `pmap.update`
   */
  unset(pvo: number, late: boolean): void {
    const pte = this.pteOf(pvo);
    if (pte === NOT_IN_TABLE) {
      this.overflow--;
      return;
    }
    this.invalidate(pvo, pte, late);
    this.pvos.vaddr[pvo]! &= ~(PVO_PTEGIDX_VALID | PVO_SLOT);
  }

  private invalidate(pvo: number, pte: Pa, late: boolean): void {
    const { hi, lo, pmap } = this.pvos;
    const va = this.va(pvo);
    hi[pvo]! &= ~PTE_VALID;
    this.memory.writeBe32(pte, hi[pvo]!);
    if (late) this.flusher.later(pmap[pvo]!, va);
    else this.flusher.now(va);
    lo[pvo]! |= this.memory.readBe32(pte + 4) & (PTE_REF | PTE_CHG);
    if (this.events.watched) this.events.emit('pte.write', pmap[pvo]!, va, lo[pvo]! >>> 0, 0);
  }

  /** Gives the PVO another word 1 (R and C are kept), in the table too if it is there: pte_change. */
  change(pvo: number, word1: number, late: boolean): void {
    const { hi, lo, pmap } = this.pvos;
    const pte = this.pteOf(pvo);
    if (pte === NOT_IN_TABLE) {
      lo[pvo] = word1;
      return;
    }
    this.invalidate(pvo, pte, late);
    lo[pvo] = word1 | (lo[pvo]! & (PTE_REF | PTE_CHG));
    hi[pvo]! |= PTE_VALID;
    this.memory.writeBe32(pte + 4, lo[pvo]!);
    this.memory.writeBe32(pte, hi[pvo]!);
    if (this.events.watched)
      this.events.emit('pte.write', pmap[pvo]!, this.va(pvo), 0, lo[pvo]! >>> 0);
  }

  /** R and C of a PVO, from memory too (pte_synch). */
  harvest(pvo: number): number {
    const pte = this.pteOf(pvo);
    const { lo } = this.pvos;
    if (pte !== NOT_IN_TABLE) lo[pvo]! |= this.memory.readBe32(pte + 4) & (PTE_REF | PTE_CHG);
    return lo[pvo]! & (PTE_REF | PTE_CHG);
  }

  /**
   * Clears R or C in a PVO and its PTE. The TLBs forget the page at once, by its effective address
   * (1.8 gave tlbie the PTE's own): the next store must find C clear.
   */
  clear(pvo: number, bit: number): void {
    const pte = this.pteOf(pvo);
    const { lo, pmap } = this.pvos;
    lo[pvo]! &= ~bit;
    if (pte === NOT_IN_TABLE) return;
    const old = this.memory.readBe32(pte + 4);
    if ((old & bit) === 0) return;
    this.memory.writeBe32(pte + 4, old & ~bit);
    this.flusher.now(this.va(pvo));
    if (this.events.watched)
      this.events.emit('pte.write', pmap[pvo]!, this.va(pvo), old, (old & ~bit) >>> 0);
  }

  /**
   * Puts the mapping that the hardware did not find into the table, at the cost of another if need be
   * (pmap_pte_spill). Wired mappings are victims like any other: they come back the same way,
   * without a word to UVM.
   *
   * @param vsid of the segment register in force
   * @param ea the effective address, any byte
   * @param draw the time base: its low bits choose the victim's slot
   * @returns false if there is no such mapping
   * @throws KernelPanic if the table holds an entry that no PVO accounts for
   */
  spill(vsid: number, ea: Va, draw: number): boolean {
    const group = this.group(vsid, ea);
    const source = this.mapping(group, pteHi(vsid, ea, false) | 0);
    if (source === PVO_NONE) return false;
    // Another CPU has spilled it since: the access need only be tried again.
    if ((this.pvos.vaddr[source]! & PVO_PTEGIDX_VALID) !== 0) return true;
    if (!this.place(source)) {
      const slot = draw & (PTEG_SLOTS - 1);
      const victim = this.occupant(group, slot);
      if (this.events.watched)
        this.events.emit('pmap.steal', this.pvos.pmap[victim]!, this.va(victim), STEAL_SLOT, slot);
      this.unset(victim, false);
      this.set(source, group, slot, 0);
      this.overflow++;
    }
    this.overflow--;
    return true;
  }

  /** The PVO of a page, by its group and by word 0 without V and H. */
  private mapping(group: number, word0: number): number {
    const { ptegHead, onext, hi } = this.pvos;
    let pvo = ptegHead[group]!;
    while (pvo !== PVO_NONE && (hi[pvo]! & ~(PTE_VALID | PTE_HID)) !== word0) pvo = onext[pvo]!;
    return pvo;
  }

  /**
   * The PVO whose PTE fills a slot. One with H set is a guest from the other group, on that group's
   * list; 1.8 looked at this group's only and panicked.
   */
  private occupant(group: number, slot: number): number {
    const word0 = this.memory.readBe32(this.slot(group, slot)) | 0;
    const guest = (word0 & PTE_HID) !== 0;
    const { ptegHead, onext, hi } = this.pvos;
    let pvo = ptegHead[guest ? group ^ this.mask : group]!;
    while (pvo !== PVO_NONE && hi[pvo] !== word0) pvo = onext[pvo]!;
    if (pvo === PVO_NONE)
      throw new KernelPanic(`pmap_pte_spill: victim ${guest ? 's' : 'p'}-pte has no pvo entry!`, {
        group,
        slot,
        word0: word0 >>> 0,
      });
    return pvo;
  }
}
