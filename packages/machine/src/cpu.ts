import { type MachineDependent, type Mmu, PMAP_KERNEL } from '@uvmkit/pmap';
import type { Vmspace } from '@uvmkit/uvm-core';

/** One CPU: its MMU, and whose address space it has loaded. */
export class Cpu {
  /** From 0. */
  readonly number: number;
  readonly mmu: Mmu;
  /**
   * The space that is loaded; null for the kernel's alone. The fast path of every access compares
   * this with its process' space, so a CPU that must not be used (the machine has stopped, the space is gone) has null here.
   */
  space: Vmspace | null = null;
  readonly #md: MachineDependent;

  constructor(md: MachineDependent, number: number) {
    this.#md = md;
    this.number = number;
    this.mmu = md.mmus[number]!;
  }

  /** Makes this the CPU on which pmap calls are made, with the space loaded (cpu_switch). */
  load(space: Vmspace): void {
    const md = this.#md;
    md.currentCpu = this.number;
    if (this.space === space) return;
    if (this.space !== null) md.pmap.deactivate(this.space.pmap);
    this.space = space;
    md.pmap.activate(space.pmap);
  }

  /** Falls back to the kernel's own space, as an idle CPU does. */
  unload(): void {
    if (this.space === null) return;
    const md = this.#md;
    const current = md.currentCpu;
    md.currentCpu = this.number;
    md.pmap.deactivate(this.space.pmap);
    this.space = null;
    md.pmap.activate(PMAP_KERNEL);
    md.currentCpu = current;
  }

  /** The machine has stopped: nothing may be reached through this CPU any more. */
  stop(): void {
    this.space = null;
  }
}
