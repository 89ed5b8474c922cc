import { MapTable, PMAP_KERNEL, type PhysicalMap, type PmapId } from '@uvmkit/pmap';

/**
 * The ASN of every map that has no level-1 table of its own. No user page is ever cached under it
 * (PMAP_ASN_RESERVED).
 */
export const ASN_RESERVED = 0;

/** One physical map (`struct pmap`). What is per CPU is indexed by CPU number. */
export class Space implements PhysicalMap {
  readonly id: PmapId;
  /** Page frame of the level-1 table: the kernel's until the first mapping (`pm_lev1map`). */
  lev1: number;
  /** `pm_count`. */
  references = 1;
  /** Valid level-3 PTEs (`pm_stats.resident_count`). */
  resident = 0;
  /** Those of them that are wired (`pm_stats.wired_count`). */
  wired = 0;
  /** Level-2 tables of its own (`pm_nlev2`). */
  lev2Tables = 0;
  /** Level-3 tables of its own (`pm_nlev3`). */
  lev3Tables = 0;
  /** When it was made or last activated: the order in which tables are stolen (`pm_list`). */
  stamp = 0;
  /** Its ASN, which means something while the generation is the CPU's (`pm_asn`). */
  readonly asn: Int32Array;
  /** The CPU's ASN generation when it got the ASN (`pm_asngen`). */
  readonly asnGeneration: Float64Array;
  /** 1 where it is active (`pm_cpus`). */
  readonly activeOn: Uint8Array;
  /** 1 where an `imb` is due before the CPU runs it in user mode again (`pm_needisync`). */
  readonly needImb: Uint8Array;

  constructor(id: PmapId, lev1: number, cpus: number) {
    this.id = id;
    this.lev1 = lev1;
    this.asn = new Int32Array(cpus).fill(ASN_RESERVED);
    this.asnGeneration = new Float64Array(cpus);
    this.activeOn = new Uint8Array(cpus);
    this.needImb = new Uint8Array(cpus);
  }

  get kernel(): boolean {
    return this.id === PMAP_KERNEL;
  }
}

/** All maps by handle. */
export class SpaceTable extends MapTable<Space> {
  private readonly cpus: number;
  private clock = 0;

  /** @param lev1 page frame of the kernel's level-1 table */
  constructor(lev1: number, cpus: number) {
    super(new Space(PMAP_KERNEL, lev1, cpus));
    this.cpus = cpus;
  }

  /** A map that shares the kernel's level-1 table. */
  create(): Space {
    const space = this.add(new Space(this.nextId, this.kernel.lev1, this.cpus));
    this.touch(space);
    return space;
  }

  /** Makes a map the most recently used one. */
  touch(space: Space): void {
    space.stamp = ++this.clock;
  }

  /** Every map that has tables of its own, the kernel's left out, least recently used first. */
  withTables(): Space[] {
    return this.all()
      .filter((space) => space.lev1 !== this.kernel.lev1)
      .sort((a, b) => a.stamp - b.stamp);
  }
}
