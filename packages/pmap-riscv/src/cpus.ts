import type { EventStream, TreeCpus, Va } from '@uvmkit/pmap';
import { PAGE_SIZE } from './bits.ts';
import type { RiscvMmu } from './mmu.ts';
import type { Space } from './space.ts';

/** The kernel's ASID, as `Space` has it: no user's page is cached under it, unless there are no others. */
const ASID_KERNEL = 0;

/**
 * The harts as the pmap sees them: which map each has loaded, and under which ASID.
 *
 * An ASID belongs to a map for one *generation* of one CPU. A CPU that has given out its last one drops
 * every ASID's translations and begins a new generation; every other map finds at its next activation that its
 * generation is over. So a map that is not active somewhere is made to forget what is cached there by taking
 * its ASID away, and only CPUs that run it are interrupted (an SBI remote fence, which the caller waits for).
 */
export class Cpus implements TreeCpus<Space> {
  /** The CPU on which pmap calls are being made. */
  current = 0;
  readonly mmus: readonly RiscvMmu[];
  /** The map whose tables each CPU walks. */
  readonly loaded: Space[];
  private readonly events: EventStream;
  private readonly mode: number;
  private readonly kernel: Space;
  private readonly nextAsid: Int32Array;
  private readonly generation: Float64Array;

  /** Turns translation on, with the kernel's map on every CPU. */
  constructor(mmus: readonly RiscvMmu[], events: EventStream, mode: number, kernel: Space) {
    this.mmus = mmus;
    this.loaded = mmus.map(() => kernel);
    this.events = events;
    this.mode = mode;
    this.kernel = kernel;
    this.nextAsid = new Int32Array(mmus.length).fill(ASID_KERNEL + 1);
    this.generation = new Float64Array(mmus.length).fill(1);
    for (const mmu of mmus) this.load(mmu, kernel);
  }

  /** The current CPU runs the map from now on. */
  activate(space: Space): void {
    const mmu = this.mmus[this.current]!;
    const current = space.generation[mmu.cpu] === this.generation[mmu.cpu];
    if (space !== this.kernel && !current) this.allocateAsid(mmu, space);
    this.load(mmu, space);
  }

  /** The current CPU no longer runs the map: it walks the kernel's tables. ASID and cached translations stay. */
  deactivate(space: Space): void {
    if (this.loaded[this.current] === space) this.activate(this.kernel);
  }

  /** The map that a CPU's accesses to the kernel's addresses, or to the user's, go to. */
  walked(kernel: boolean, cpu: number): Space {
    return kernel ? this.kernel : this.loaded[cpu]!;
  }

  unload(space: Space): void {
    for (const mmu of this.mmus) if (this.loaded[mmu.cpu] === space) this.load(mmu, this.kernel);
  }

  invalidate(space: Space, va: Va | null): void {
    for (const mmu of this.mmus) {
      const active = this.loaded[mmu.cpu] === space;
      if (space === this.kernel || active) {
        // The kernel's leaves are global, whatever ASID they were cached under.
        mmu.sfenceVma(va, space === this.kernel ? null : space.asid[mmu.cpu]!);
        if (mmu.cpu !== this.current && this.events.watched)
          this.events.emit('tlb.shootdown', this.current, mmu.cpu, va ?? 0);
      } else space.generation[mmu.cpu] = 0;
    }
  }

  private allocateAsid(mmu: RiscvMmu, space: Space): void {
    const { cpu, asidBits } = mmu;
    if (asidBits > 0) {
      if (this.nextAsid[cpu]! >= 1 << asidBits) {
        mmu.sfenceVma(null, null);
        this.nextAsid[cpu] = ASID_KERNEL + 1;
        this.generation[cpu]!++;
      }
      space.asid[cpu] = this.nextAsid[cpu]!++;
    }
    space.generation[cpu] = this.generation[cpu]!;
  }

  /** Without ASIDs the last map's translations have to go. */
  private load(mmu: RiscvMmu, space: Space): void {
    this.loaded[mmu.cpu] = space;
    mmu.writeSatp(this.mode, space.asid[mmu.cpu]!, space.root / PAGE_SIZE);
    if (mmu.asidBits === 0) mmu.sfenceVma(null, ASID_KERNEL);
  }
}
