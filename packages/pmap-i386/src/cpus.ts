import { PMAP_KERNEL } from '@uvmkit/pmap';
import { CR4_PGE, type I386Mmu } from './mmu.ts';
import type { Space } from './space.ts';

/** The CPUs and which of them is running the pmap. */
export class Cpus {
  readonly mmus: readonly I386Mmu[];
  /** curcpu(): the CPU on which pmap calls are being made. */
  current = 0;
  /** By CPU, the map activated last. */
  readonly #active: (Space | null)[];

  constructor(mmus: readonly I386Mmu[]) {
    this.mmus = mmus;
    this.#active = mmus.map(() => null);
  }

  /** The MMU of the current CPU. */
  get mmu(): I386Mmu {
    return this.mmus[this.current]!;
  }

  /** Whether the current CPU translates by this map: the kernel's part is in every directory. */
  isCurrent(space: Space): boolean {
    return space.id === PMAP_KERNEL || this.mmu.cr3 === space.directory;
  }

  /** Loads the map's directory into the current CPU, which from now on hears of its shootdowns. */
  activate(space: Space): void {
    const bit = 1 << this.current;
    const before = this.#active[this.current];
    if (before) before.cpus &= ~bit;
    this.#active[this.current] = space;
    space.cpus |= bit;
    this.mmu.writeCr3(space.directory);
  }
}

/** Drops every translation that is not global: `tlbflush()`. */
export function tlbflush(mmu: I386Mmu): void {
  mmu.writeCr3(mmu.cr3);
}

/** Drops every translation: `tlbflushg()`. Without PGE no translation is global. */
export function tlbflushg(mmu: I386Mmu): void {
  if ((mmu.cr4 & CR4_PGE) === 0) {
    tlbflush(mmu);
    return;
  }
  mmu.writeCr4(mmu.cr4 & ~CR4_PGE);
  mmu.writeCr4(mmu.cr4 | CR4_PGE);
}
