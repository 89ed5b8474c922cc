import { PMAP_KERNEL, type Pa, type PhysicalMap, type PmapId } from '@uvmkit/pmap';

/** One physical map. What is per CPU is indexed by CPU number. */
export class Space implements PhysicalMap {
  readonly id: PmapId;
  /** Physical address of the root table. */
  readonly root: Pa;
  references = 1;
  /** Leaves, those of the kernel's direct map left out. */
  resident = 0;
  /** Leaves with WIRED. */
  wired = 0;
  /** Tables of its own, the root included. */
  tables = 1;
  /** Its ASID, which means something while the generation is the CPU's. */
  readonly asid: Int32Array;
  /** The CPU's ASID generation when it got the ASID; 0 is none's. */
  readonly generation: Float64Array;

  constructor(id: PmapId, root: Pa, cpus: number) {
    this.id = id;
    this.root = root;
    this.asid = new Int32Array(cpus);
    this.generation = new Float64Array(cpus);
  }

  get kernel(): boolean {
    return this.id === PMAP_KERNEL;
  }
}
