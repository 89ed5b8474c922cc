import type { Pa, PhysicalMemory } from '@uvmkit/pmap';
import { type Cpus, tlbflush } from './cpus.ts';
import { PG_RW, PG_V, pteFrame } from './pte.ts';
import type { Space } from './space.ts';
import { PDSLOT_APTE } from './vmparam.ts';

/**
 * The alternate window: slot 1023 of the current directory, in which a kernel loads the directory of
 * another map before it touches that map's PTEs (`pmap_map_ptes`, `pmap_unmap_ptes`).
 *
 * The pmap here writes PTEs by physical address and needs no window to do so; the window is kept
 * because the machine can tell: the slot is in memory, the kernel can read through it, and replacing what
 * it shows costs a full flush of the TLB.
 */
export class PteWindow {
  readonly #memory: PhysicalMemory;
  readonly #cpus: Cpus;
  /** Whether the slot is emptied after each use (several CPUs) or left for the next (one CPU). */
  readonly #empties: boolean;
  /** The directory whose slot was loaded by `open` and is to be emptied; negative if none. */
  #opened: Pa = -1;

  constructor(memory: PhysicalMemory, cpus: Cpus, empties: boolean) {
    this.#memory = memory;
    this.#cpus = cpus;
    this.#empties = empties;
  }

  /** Makes the map's PTEs visible on the current CPU. */
  open(space: Space): void {
    if (this.#cpus.isCurrent(space)) return;
    const { mmu } = this.#cpus;
    const slot = mmu.cr3 + 4 * PDSLOT_APTE;
    const old = this.#memory.readLe32(slot);
    if ((old & PG_V) !== 0 && pteFrame(old) === space.directory) return;
    this.#memory.writeLe32(slot, space.directory | PG_RW | PG_V);
    if ((old & PG_V) !== 0) tlbflush(mmu);
    if (this.#empties) this.#opened = mmu.cr3;
  }

  /** The end of the use that {@link open} began. */
  close(): void {
    if (this.#opened < 0) return;
    this.#empty(this.#opened);
    this.#opened = -1;
  }

  /** Empties the slots of `holders` that show this directory, which is about to be freed. */
  forget(directory: Pa, holders: readonly Space[]): void {
    for (const holder of holders) {
      const word = this.#memory.readLe32(holder.directory + 4 * PDSLOT_APTE);
      if ((word & PG_V) !== 0 && pteFrame(word) === directory) this.#empty(holder.directory);
    }
  }

  /** Empties a directory's slot and flushes every CPU that translates by that directory. */
  #empty(directory: Pa): void {
    this.#memory.writeLe32(directory + 4 * PDSLOT_APTE, 0);
    for (const mmu of this.#cpus.mmus) if (mmu.cr3 === directory) tlbflush(mmu);
  }
}
