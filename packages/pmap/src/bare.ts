import { NO_PA, type Pa } from './address.ts';
import { EventStream } from './events.ts';
import { PhysicalMemory } from './memory.ts';
import type { PhysSegment, PmapServices } from './pmap.ts';
import type { MachineDependent, Port } from './port.ts';

/** What {@link bootBare} may be told. */
export interface BareOptions {
  /** Bytes of RAM; 8 MB if not given. */
  readonly memory?: number;
  /** CPUs; 1 if not given. */
  readonly cpus?: number;
  /** DIAGNOSTIC; on if not given. */
  readonly diagnostic?: boolean;
  /** The most pages that may be out as table pages at once; no limit if not given. */
  readonly tablePages?: number;
  /** Bytes at the end of RAM that nobody manages, as a device's: whole pages; 0 if not given. */
  readonly unmanaged?: number;
}

/**
 * A port booted with nothing above it: physical memory, a page allocator, a console that keeps what
 * is printed. For a port's own tests and for whoever wants an MMU without a kernel.
 *
 * Pages are managed from the first one that the port did not steal to the end of memory (less
 * `BareOptions.unmanaged`), and are given out in ascending order, lowest free first.
 */
export class BareMachine implements PmapServices {
  readonly memory: PhysicalMemory;
  readonly events: EventStream = new EventStream();
  readonly md: MachineDependent;
  /** Lines printed by the port. */
  readonly printed: string[] = [];
  readonly segments: readonly PhysSegment[];
  readonly pageCount: number;
  /** Table pages out now. */
  tablePagesOut = 0;
  /** The most that may be; may be changed at any time to provoke a shortage. */
  tablePageLimit: number;
  readonly #start: Pa;
  readonly #end: Pa;
  readonly #free: Uint8Array;
  #lowest = 0;

  constructor(port: Port, options: BareOptions = {}) {
    const { pageSize } = port.layout;
    const memory = new PhysicalMemory(options.memory ?? 8 << 20, pageSize);
    let stolen = 0;
    this.memory = memory;
    this.tablePageLimit = options.tablePages ?? Number.POSITIVE_INFINITY;
    this.md = port.boot({
      memory,
      cpus: options.cpus ?? 1,
      events: this.events,
      diagnostic: options.diagnostic ?? true,
      steal: (bytes, align) => {
        const at = Math.ceil(stolen / align) * align;
        const end = Math.ceil((at + bytes) / pageSize) * pageSize;
        if (end > memory.size)
          throw new RangeError(
            `${port.name} wants memory up to ${end} bytes to boot, there are ${memory.size}`,
          );
        stolen = end;
        return at;
      },
      print: (message) => this.printed.push(message),
    });
    const end = memory.size - (options.unmanaged ?? 0);
    if (end % pageSize !== 0 || end < stolen || end > memory.size)
      throw new RangeError(
        `unmanaged must be whole pages of ${pageSize} bytes, at most ${memory.size - stolen} in all, given ${options.unmanaged}`,
      );
    this.#start = stolen;
    this.#end = end;
    this.segments = [{ start: stolen, end }];
    this.pageCount = (end - stolen) / pageSize;
    this.#free = new Uint8Array(this.pageCount).fill(1);
    this.md.pmap.init(this);
  }

  isManaged(pa: Pa): boolean {
    return pa >= this.#start && pa < this.#end;
  }

  pageIndex(pa: Pa): number {
    return this.isManaged(pa) ? Math.floor((pa - this.#start) / this.memory.pageSize) : -1;
  }

  pageAddress(index: number): Pa {
    return this.#start + index * this.memory.pageSize;
  }

  allocPage(): Pa {
    if (this.tablePagesOut >= this.tablePageLimit) return NO_PA;
    const pa = this.takePage();
    if (pa !== NO_PA) this.tablePagesOut++;
    return pa;
  }

  freePage(pa: Pa): void {
    this.tablePagesOut--;
    this.givePage(pa);
  }

  /** A zeroed page for the test's own data, not counted against the table pages; `NO_PA` if none is left. */
  takePage(): Pa {
    let index = this.#lowest;
    while (index < this.pageCount && this.#free[index] === 0) index++;
    if (index === this.pageCount) return NO_PA;
    this.#free[index] = 0;
    this.#lowest = index + 1;
    const pa = this.pageAddress(index);
    this.memory.zero(pa);
    return pa;
  }

  /** Gives a page back; giving one back twice is a RangeError. */
  givePage(pa: Pa): void {
    const index = this.pageIndex(pa);
    if (index < 0 || this.#free[index] === 1)
      throw new RangeError(`page at ${pa} is not out, it cannot be given back`);
    this.#free[index] = 1;
    this.#lowest = Math.min(this.#lowest, index);
  }
}

/** Boots a port on a {@link BareMachine}. */
export function bootBare(port: Port, options: BareOptions = {}): BareMachine {
  return new BareMachine(port, options);
}
