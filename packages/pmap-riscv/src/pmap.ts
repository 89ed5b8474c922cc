import { TreePmap, type BootServices, type Layout, type Pa, type Va } from '@uvmkit/pmap';
import { PAGE_SIZE, PTE_A, PTE_D, PTE_FLAGS, PTE_G, PTE_R, PTE_V, PTE_W } from './bits.ts';
import { Cpus } from './cpus.ts';
import type { Format } from './format.ts';
import { STORE_PAGE_FAULT, type RiscvMmu } from './mmu.ts';
import { Space } from './space.ts';

/** Kernel memory that has tables from boot on. */
const BOOT_KERNEL_BYTES = 16 << 20;
/** A leaf of the direct map. */
const DIRECT = PTE_V | PTE_R | PTE_W | PTE_G | PTE_A | PTE_D;

/**
 * A pmap for RISC-V as NetBSD would have written one in 2001, on what all trees of tables have in common. (NetBSD's
 * own is of 2014 and later.)
 */
export abstract class RiscvPmap extends TreePmap<Space, Cpus> {
  override readonly mapPoolPage: ((pa: Pa) => Va) | null;

  /**
   * @param direct where the direct map of physical memory begins
   * @param pvEntries the most pv entries at once
   */
  constructor(
    boot: BootServices,
    mmus: readonly RiscvMmu[],
    format: Format,
    layout: Layout,
    direct: Va,
    pvEntries: number,
  ) {
    super({
      boot,
      format,
      layout,
      makeMap: (id, root) => new Space(id, root, mmus.length),
      makeCpus: (kernel) => new Cpus(mmus, boot.events, format.mode, kernel),
      bootKernelBytes: BOOT_KERNEL_BYTES,
      pvEntries,
    });
    const room = this.mapDirectly(format, direct);
    this.mapPoolPage = room ? (pa) => direct + pa : null;
  }

  /** Maps all of memory by leaves in the kernel's root, before any other map is there. False if it has no room. */
  private mapDirectly({ indexBits, entryBytes, levels, beyond }: Format, direct: Va): boolean {
    const { size } = this.memory;
    if (size > (direct < 0 ? 0 : beyond) - direct) return false;
    const shift = (levels - 1) * indexBits;
    const { root } = this.cpus.walked(true, 0);
    for (let pa = 0; pa < size; pa += PAGE_SIZE * 2 ** shift) {
      const index = (Math.floor((direct + pa) / PAGE_SIZE) >> shift) & ((1 << indexBits) - 1);
      this.memory.writeLe32(root + index * entryBytes, (pa >>> 2) | DIRECT);
    }
    return true;
  }

  /** Whether a leaf maps the address in the kernel's map or a CPU's own, whatever it allows. */
  isMapped(kernel: boolean, cpu: number, va: Va): boolean {
    const map = this.cpus.walked(kernel, cpu);
    return this.tables.isValid(this.tables.entry(map, Math.floor(va / PAGE_SIZE)).entry);
  }

  /**
   * Settles a page fault that was raised for want of A or D (Svade): sets them, as hardware would have. A CPU that knew less
   * than the tables is told, too.
   *
   * @returns false if the fault was about something else
   */
  settle(kernel: boolean, mmu: RiscvMmu): boolean {
    const map = this.cpus.walked(kernel, mmu.cpu);
    const vpn = Math.floor(mmu.stval / PAGE_SIZE);
    const at = this.tables.find(map, vpn);
    const old = this.tables.read(at);
    const used = old | (mmu.scause === STORE_PAGE_FAULT ? PTE_A | PTE_D : PTE_A);
    if (!mmu.permits(used & PTE_FLAGS)) return false;
    if (used !== old) this.tables.write(map, vpn, at, old, used);
    mmu.sfenceVma(mmu.stval, null);
    return true;
  }
}
