import type { Pa, PmapId, TreeMap } from '@uvmkit/pmap';

/** One physical map. What is per CPU is indexed by CPU number. */
export class Space implements TreeMap {
  readonly id: PmapId;
  readonly root: Pa;
  references = 1;
  resident = 0;
  wired = 0;
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
}
