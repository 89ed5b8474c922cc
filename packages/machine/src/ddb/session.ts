import type { EventListener } from '@uvmkit/pmap';
import type { Amap, Uvm } from '@uvmkit/uvm-core';
import type { Machine } from '../machine.ts';
import type { Process } from '../process.ts';
import { Breaks } from './breaks.ts';
import { EventLog } from './event-log.ts';

/** What the commands of one debugger work on. */
export class Session {
  readonly machine: Machine;
  readonly log: EventLog = new EventLog();
  readonly breaks: Breaks = new Breaks();
  /** True while the debugger turns the clock: only then breaks count. */
  running = false;
  /** True while the debugger looks at memory: what that flushes is no event of the machine's. */
  quiet = false;
  /** Whose memory is examined: a pid, or 0 for the kernel; null until it was chosen. */
  chosen: number | null = null;
  /** Where `x` goes on without an address. */
  dot = 0;
  readonly #amapIds: WeakMap<Amap, number> = new WeakMap();
  #nextAmap = 0;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  get uvm(): Uvm {
    return this.machine.uvm;
  }

  /** Notes an event, and whether it is one to stop at. */
  readonly listen: EventListener = (name, a, b, c, d, e) => {
    if (this.quiet) return;
    const number = this.log.count;
    this.log.add(this.machine.now, name, a, b, c, d, e);
    if (this.running) this.breaks.check(number, name, a, b, c, d, e);
  };

  /** The process whose memory is examined: the one chosen, else the first that runs; null for the kernel. */
  get process(): Process | null {
    const { processes } = this.machine;
    if (this.chosen !== null) return processes.get(this.chosen) ?? null;
    for (const process of processes.values()) if (process.state === 'running') return process;
    return null;
  }

  // UVM does not number amaps. Here they get numbers in the order of their making, as they are first looked for.

  /** The number of an amap; −1 for one that was dead when it was first looked for, which nothing should refer to. */
  amapId(amap: Amap): number {
    if (!this.#amapIds.has(amap)) this.#numberAmaps();
    return this.#amapIds.get(amap) ?? -1;
  }

  /** The living amaps by number, ascending. */
  amaps(): Map<number, Amap> {
    this.#numberAmaps();
    const amaps = new Map<number, Amap>();
    for (const amap of this.uvm.amaps) amaps.set(this.#amapIds.get(amap)!, amap);
    return amaps;
  }

  #numberAmaps(): void {
    for (const amap of this.uvm.amaps)
      if (!this.#amapIds.has(amap)) this.#amapIds.set(amap, this.#nextAmap++);
  }
}
