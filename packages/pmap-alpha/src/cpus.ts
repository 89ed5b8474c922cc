import { KernelPanic, type Pa, type PhysicalMemory, type Va } from '@uvmkit/pmap';
import { PCB_ASN, PCB_PTBR, PCB_SIZE, type AlphaMmu } from './mmu.ts';
import { ASN_RESERVED, type Space } from './space.ts';

/**
 * The CPUs as the pmap sees them: which map each has loaded, its ASNs, its process control block.
 *
 * An ASN belongs to a map for one *generation* of one CPU. When a CPU has given out its last one it
 * drops every process' entries and starts a new generation; every other map notices at its next
 * activation that its generation is over. So an inactive map is made to forget its cached
 * translations by taking its ASN away, never by a flush.
 */
export class Cpus {
  /** The CPU on which pmap calls are being made. */
  current = 0;
  readonly mmus: readonly AlphaMmu[];
  /** The map whose tables each CPU walks. */
  readonly loaded: Space[];
  private readonly kernel: Space;
  private readonly memory: PhysicalMemory;
  private readonly pcbs: Pa;
  private readonly nextAsn: Int32Array;
  private readonly generation: Float64Array;

  /**
   * Loads the kernel's map into every CPU.
   *
   * @param pcbs physical address of one process control block for each CPU, 128-byte aligned
   */
  constructor(mmus: readonly AlphaMmu[], kernel: Space, memory: PhysicalMemory, pcbs: Pa) {
    this.mmus = mmus;
    this.loaded = mmus.map(() => kernel);
    this.kernel = kernel;
    this.memory = memory;
    this.pcbs = pcbs;
    this.nextAsn = new Int32Array(mmus.length).fill(ASN_RESERVED + 1);
    this.generation = new Float64Array(mmus.length);
    kernel.activeOn.fill(1);
    for (const mmu of mmus) this.load(kernel, mmu.cpu);
  }

  /** The current CPU runs the map from now on (pmap_activate). */
  activate(space: Space): void {
    const cpu = this.current;
    const before = this.loaded[cpu]!;
    if (before !== space && before !== this.kernel) before.activeOn[cpu] = 0;
    space.activeOn[cpu] = 1;
    this.load(space, cpu);
    this.userReturn(cpu);
  }

  /**
   * The current CPU no longer runs the map (pmap_deactivate). ASN and cached translations stay. Until
   * the next activation it walks the kernel's tables, as an idle CPU does in proc0's context, so that
   * the map's own may be freed.
   */
  deactivate(space: Space): void {
    const cpu = this.current;
    if (this.loaded[cpu] !== space || space === this.kernel) return;
    space.activeOn[cpu] = 0;
    this.load(this.kernel, cpu);
  }

  /**
   * The map got another level-1 table: no CPU may use its old ASN, and those that run it load the new table.
   * NetBSD reloads the current CPU only; that cannot be right with several.
   */
  replacedLevel1(space: Space): void {
    space.asn.fill(ASN_RESERVED);
    for (let cpu = 0; cpu < this.mmus.length; cpu++) {
      if (space.activeOn[cpu] === 1) this.load(space, cpu);
    }
  }

  /** PMAP_INVALIDATE_TLB: one CPU stops using what it has cached of one page of a map. */
  invalidate(space: Space, va: Va, hadAsm: boolean, cpu: number): void {
    if (hadAsm || space.activeOn[cpu] === 1) this.mmus[cpu]!.tbis(va);
    else if (space.asnGeneration[cpu] === this.generation[cpu]) space.asn[cpu] = ASN_RESERVED;
  }

  /**
   * Code or the mapping of code changed (PMAP_SYNC_ISTREAM): the kernel's at once on every CPU; a
   * user's on each CPU before it returns to user mode, other CPUs that run it now being interrupted for it.
   */
  syncIstream(space: Space): void {
    if (space === this.kernel) {
      for (const mmu of this.mmus) mmu.imb();
      return;
    }
    space.needImb.fill(1);
    for (let cpu = 0; cpu < this.mmus.length; cpu++) {
      if (cpu !== this.current && space.activeOn[cpu] === 1) this.userReturn(cpu);
    }
  }

  /** The CPU is about to run its map in user mode: does the `imb` that is due. */
  userReturn(cpu: number): void {
    const space = this.loaded[cpu]!;
    if (space.needImb[cpu] === 0) return;
    space.needImb[cpu] = 0;
    this.mmus[cpu]!.imb();
  }

  /** Puts table and ASN into the CPU's process control block and swaps to it. */
  private load(space: Space, cpu: number): void {
    this.allocateAsn(space, cpu);
    this.loaded[cpu] = space;
    const pcb = this.pcbs + cpu * PCB_SIZE;
    this.memory.writeLe32(pcb + PCB_PTBR, space.lev1);
    this.memory.writeLe32(pcb + PCB_ASN, space.asn[cpu]!);
    this.mmus[cpu]!.swpctx(pcb);
  }

  /** pmap_asn_alloc. A generation is a count below 2^53 and is not expected to wrap. */
  private allocateAsn(space: Space, cpu: number): void {
    if (space.lev1 === this.kernel.lev1) {
      if (space.asn[cpu] !== ASN_RESERVED) {
        throw new KernelPanic('pmap_asn_alloc', { pmap: space.id, cpu, asn: space.asn[cpu]! });
      }
      return;
    }
    const mmu = this.mmus[cpu]!;
    const current = space.asnGeneration[cpu] === this.generation[cpu];
    if (mmu.maxAsn !== 0) {
      if (space.asn[cpu] !== ASN_RESERVED && current) return;
      if (this.nextAsn[cpu]! > mmu.maxAsn) {
        mmu.tbiap();
        mmu.imb();
        this.nextAsn[cpu] = ASN_RESERVED + 1;
        this.generation[cpu]!++;
      }
      space.asn[cpu] = this.nextAsn[cpu]!++;
      space.needImb[cpu] = 0;
    }
    space.asnGeneration[cpu] = this.generation[cpu]!;
  }
}
