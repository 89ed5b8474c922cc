import { NO_PA, type Pa, type PhysicalMemory, type PmapServices } from '@uvmkit/pmap';

const NONE = -1;

/**
 * Tables smaller than a page, cut from pages that UVM gives for tables: what NetBSD's pool(9) does for L1PT,
 * L23PT and the software PTEs of sun4c (sparc/pmap.c, `L1_pool`, `L23_pool`).
 *
 * A page is taken when no cut page has room, and given back as soon as its last table is freed.
 */
export class TablePool {
  /** Bytes of one table: a power of two from 128 to the page size. Tables are aligned on it. */
  readonly tableBytes: number;
  private readonly memory: PhysicalMemory;
  private readonly perPage: number;
  /** A bit for each table of the page that is out, by page number. */
  private readonly out: Int32Array;
  /** Pages with room, linked both ways by page number. */
  private readonly next: Int32Array;
  private readonly prev: Int32Array;
  private room = NONE;
  private services: PmapServices | null = null;

  constructor(memory: PhysicalMemory, tableBytes: number) {
    const pages = memory.size / memory.pageSize;
    this.tableBytes = tableBytes;
    this.memory = memory;
    this.perPage = memory.pageSize / tableBytes;
    this.out = new Int32Array(pages);
    this.next = new Int32Array(pages);
    this.prev = new Int32Array(pages);
  }

  /** From here on tables can be had. */
  attach(services: PmapServices): void {
    this.services = services;
  }

  /** A zeroed table, or `NO_PA` if memory is short. */
  allocate(): Pa {
    const page = this.room === NONE ? this.addPage() : this.room;
    if (page === NONE) return NO_PA;
    const out = this.out[page]!;
    const table = 31 - Math.clz32(~out & -~out);
    this.out[page] = out | (1 << table);
    if (this.isFull(page)) this.unlink(page);
    const pa = page * this.memory.pageSize + table * this.tableBytes;
    this.memory.zero(pa, this.tableBytes);
    return pa;
  }

  /** Gives a table back. */
  free(pa: Pa): void {
    const page = Math.floor(pa / this.memory.pageSize);
    if (this.isFull(page)) this.link(page);
    const table = (pa % this.memory.pageSize) / this.tableBytes;
    const out = this.out[page]! & ~(1 << table);
    this.out[page] = out;
    if (out !== 0) return;
    this.unlink(page);
    this.services!.freePage(page * this.memory.pageSize);
  }

  private isFull(page: number): boolean {
    return this.out[page] === (this.perPage === 32 ? -1 : (1 << this.perPage) - 1);
  }

  private addPage(): number {
    const pa = this.services === null ? NO_PA : this.services.allocPage();
    if (pa === NO_PA) return NONE;
    const page = pa / this.memory.pageSize;
    this.link(page);
    return page;
  }

  private link(page: number): void {
    this.prev[page] = NONE;
    this.next[page] = this.room;
    if (this.room !== NONE) this.prev[this.room] = page;
    this.room = page;
  }

  private unlink(page: number): void {
    const next = this.next[page]!;
    const prev = this.prev[page]!;
    if (prev === NONE) this.room = next;
    else this.next[prev] = next;
    if (next !== NONE) this.prev[next] = prev;
  }
}
