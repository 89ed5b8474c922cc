import { EventStream, type MachineDependent, PhysicalMemory, type Port } from '@uvmkit/pmap';
import type { Sleeping } from './types.ts';
import { Uvm } from './uvm.ts';

/** What {@link bootUvm} may be told. */
export interface BareUvmOptions {
  /** Bytes of RAM, a multiple of the page size; 8 MB if not given. */
  readonly memory?: number;
}

/**
 * A port booted with UVM on it and nothing around: one CPU, no disk, no page daemon, nobody who sleeps. For whoever
 * wants UVM without a machine; `@uvmkit/machine` has the rest.
 */
export class BareUvm {
  readonly memory: PhysicalMemory;
  readonly events: EventStream = new EventStream();
  readonly md: MachineDependent;
  readonly uvm: Uvm;
  /** Lines printed by the port. */
  readonly printed: string[] = [];

  constructor(port: Port, options: BareUvmOptions = {}) {
    const { pageSize } = port.layout;
    const memory = new PhysicalMemory(options.memory ?? 8 << 20, pageSize);
    let stolen = 0;
    this.memory = memory;
    this.md = port.boot({
      memory,
      cpus: 1,
      events: this.events,
      diagnostic: true,
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
    this.uvm = new Uvm({
      memory,
      md: this.md,
      segments: [{ start: stolen, end: memory.size }],
      events: this.events,
      wakeup: () => {},
    });
  }

  /**
   * Runs an operation to its end.
   *
   * @throws Error if it would sleep: nobody is there to wake it. Says on what
   */
  finish<T>(operation: Sleeping<T>): T {
    const { done, value } = operation.next();
    if (done !== true) throw new Error(`nobody wakes what sleeps on ${String(value)}`);
    return value;
  }
}

/**
 * Boots a port with UVM on it and nothing around.
 *
 * @throws RangeError if the memory does not suit the port: says what was given and wanted
 */
export function bootUvm(port: Port, options: BareUvmOptions = {}): BareUvm {
  return new BareUvm(port, options);
}
