import {
  KernelPanic,
  PMAP_KERNEL,
  STEAL_CONTEXT,
  type EventStream,
  type PmapId,
} from '@uvmkit/pmap';
import { KERNEL_PID, MINCTX, NO_PID } from './pte.ts';
import type { TlbInfo } from './tlb.ts';

/** No map. */
const NOBODY = -1;

/**
 * Who has which PID (`ctxbusy`, ctx_alloc and ctx_free of ibm4xx/pmap.c 1.5.4.9). There are 254 for
 * processes. One that runs out takes another's: the loser's TLB entries go, its page tables stay,
 * and it gets a PID again when it next runs.
 */
export class Contexts {
  private readonly tlb: TlbInfo;
  private readonly events: EventStream;
  /** The map of each PID. */
  private readonly busy: Int32Array;
  /** The PID of each map. */
  private readonly pids: number[] = [];
  private last: number = MINCTX - 1;

  /** @param count PIDs in use, 0 and the kernel's included */
  constructor(tlb: TlbInfo, events: EventStream, count: number) {
    this.tlb = tlb;
    this.events = events;
    this.busy = new Int32Array(count).fill(NOBODY);
    this.busy[KERNEL_PID] = PMAP_KERNEL;
    this.pids[PMAP_KERNEL] = KERNEL_PID;
  }

  /** The map's PID, or `NO_PID`. */
  pidOf(pmap: PmapId): number {
    return this.pids[pmap] ?? NO_PID;
  }

  /** The map that has a PID, or −1. */
  pmapOf(pid: number): PmapId {
    return this.busy[pid] ?? NOBODY;
  }

  /** Gives the map a PID if it has none: a free one after the last given out, else that of another. */
  obtain(pmap: PmapId): number {
    const has = this.pidOf(pmap);
    if (has !== NO_PID) return has;
    const pid = this.free() ?? this.steal();
    this.last = pid;
    this.busy[pid] = pmap;
    this.pids[pmap] = pid;
    return pid;
  }

  private after(pid: number): number {
    return pid + 1 < this.busy.length ? pid + 1 : MINCTX;
  }

  private free(): number | undefined {
    let pid = this.last;
    for (let tries = MINCTX; tries < this.busy.length; tries++) {
      pid = this.after(pid);
      if (this.busy[pid] === NOBODY) return pid;
    }
    return undefined;
  }

  private steal(): number {
    let pid = this.last;
    for (let tries = MINCTX; tries < this.busy.length; tries++) {
      pid = this.after(pid);
      if (!this.tlb.flushContext(pid)) continue;
      const loser = this.busy[pid]!;
      this.pids[loser] = NO_PID;
      if (this.events.watched) this.events.emit('pmap.steal', loser, 0, STEAL_CONTEXT, pid);
      return pid;
    }
    throw new KernelPanic('ctx_alloc: every context is locked');
  }

  /** Takes the map's PID back, with what the TLB holds of it. */
  release(pmap: PmapId): void {
    const pid = this.pidOf(pmap);
    if (pid === NO_PID) return;
    this.tlb.flushContext(pid);
    this.busy[pid] = NOBODY;
    this.pids[pmap] = NO_PID;
  }
}
