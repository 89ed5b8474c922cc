import type { Pa, PhysicalMap, PmapId } from '@uvmkit/pmap';
import { PDSLOT_PTE } from './vmparam.ts';

/** One physical map: `struct pmap`. The kernel's has handle 0. */
export class Space implements PhysicalMap {
  readonly id: PmapId;
  /** The page directory (pm_pdirpa). */
  readonly directory: Pa;
  /** uo_refs. */
  references = 1;
  /** pm_stats.resident_count: the directory, the page-table pages and the valid PTEs. */
  resident: number;
  /** pm_stats.wired_count: the PTEs with PG_W. */
  wired = 0;
  /** pm_cpus: bit n is set while the map is active on CPU n. Means nothing for the kernel's, which is everywhere. */
  cpus = 0;
  /** Page-table pages of the map's own. */
  tables = 0;
  /**
   * By slot of the directory, the wire_count of its page-table page: 1 + its valid PTEs, or 0 where there
   * is none. This is also the record of which pages there are (uo_memq), so pm_ptphint, a short cut
   * through that list, has no use here. The kernel's tables are never freed and not counted.
   */
  readonly wireCounts: Uint16Array;

  constructor(id: PmapId, directory: Pa, resident: number, kernel: boolean) {
    this.id = id;
    this.directory = directory;
    this.resident = resident;
    this.wireCounts = new Uint16Array(kernel ? 0 : PDSLOT_PTE);
  }
}
