import type { EventStream, Va } from '@uvmkit/pmap';
import type { Cpus } from './cpus.ts';
import type { Space } from './space.ts';

/**
 * How a CPU makes the others forget a translation.
 *
 * - `wait`: the sender waits until they have.
 * - `post`: NetBSD's of 2000–2001: it only queues the jobs; each CPU does them when it takes its
 *   interrupt. Until then it may use a page that is no longer there.
 * - `none`: the calls compiled out, as in most of 2000: right on one CPU only.
 */
export type ShootdownMode = 'wait' | 'post' | 'none';

/** PMAP_TLB_SHOOTDOWN_MAXJOBS: a queue that would need more is answered by a flush of everything. */
const MAXJOBS = 6;

/** One CPU's queue (`pmap_tlb_shootdown_q`). */
class Queue {
  readonly spaces: Space[] = [];
  readonly vas: Float64Array = new Float64Array(MAXJOBS);
  readonly asm: Uint8Array = new Uint8Array(MAXJOBS);
  count = 0;
  /** Whether any job, queued or not, concerns an entry with ASM (`pq_pte`). */
  anyAsm = false;
  /** Whether a job found the queue full: the ALPHA_IPI_TBIA or TBIAP that was sent instead. */
  overflowed = false;
}

/**
 * Invalidation on every CPU: at once here, through queues elsewhere.
 *
 *     invalidate ─▶ here: Cpus.invalidate            (or this CPU's own queue, if deferred)
 *                └▶ others: queue, ≤ 6 jobs ─▶ drained when they take the interrupt
 *
 * Every other CPU is told, not only those that run the map: one where it is inactive has to take
 * its ASN away.
 */
export class Shootdown {
  private readonly cpus: Cpus;
  private readonly events: EventStream;
  private readonly mode: ShootdownMode;
  private readonly deferred: boolean;
  private readonly queues: readonly Queue[];

  /** @param deferred queue this CPU's own invalidations too, until {@link complete} */
  constructor(cpus: Cpus, events: EventStream, mode: ShootdownMode, deferred: boolean) {
    this.cpus = cpus;
    this.events = events;
    this.mode = mode;
    this.deferred = deferred;
    this.queues = cpus.mmus.map(() => new Queue());
  }

  /**
   * The PTE of `va` changed so that no cached copy may be used.
   *
   * @param hadAsm whether the old PTE had ASM
   * @param now whether this CPU needs it done even if deferred
   */
  invalidate(space: Space, va: Va, hadAsm: boolean, now: boolean): void {
    const here = this.cpus.current;
    if (this.deferred && !now) this.post(here, space, va, hadAsm);
    else this.cpus.invalidate(space, va, hadAsm, here);
    if (this.queues.length > 1 && this.mode !== 'none') this.tellOthers(space, va, hadAsm);
  }

  /**
   * The same for the VPT page of a level-3 table that is about to be freed. It cannot wait for an
   * update, since the page may be anything by then.
   */
  invalidateTable(space: Space, vptVa: Va): void {
    this.invalidate(space, vptVa, false, true);
    if (this.mode === 'wait') this.drainOthers();
  }

  /** The end of an operation whose effect may be deferred to pmap_update. */
  finish(): void {
    if (this.mode === 'wait' && !this.deferred) this.drainOthers();
  }

  /** The end of an operation whose effect may not be, and pmap_update itself. */
  complete(): void {
    this.interrupt(this.cpus.current);
    if (this.mode === 'wait') this.drainOthers();
  }

  /** A CPU takes its interrupt: does what its queue says (pmap_do_tlb_shootdown). */
  interrupt(cpu: number): void {
    const queue = this.queues[cpu]!;
    if (queue.overflowed) {
      if (queue.anyAsm) this.cpus.mmus[cpu]!.tbia();
      else this.cpus.mmus[cpu]!.tbiap();
    } else {
      for (let job = 0; job < queue.count; job++) {
        this.cpus.invalidate(queue.spaces[job]!, queue.vas[job]!, queue.asm[job] === 1, cpu);
      }
    }
    queue.count = 0;
    queue.anyAsm = false;
    queue.overflowed = false;
  }

  /** Whether a CPU has an interrupt to take. */
  pending(cpu: number): boolean {
    return this.queues[cpu]!.count > 0;
  }

  private tellOthers(space: Space, va: Va, hadAsm: boolean): void {
    const here = this.cpus.current;
    for (let cpu = 0; cpu < this.queues.length; cpu++) {
      if (cpu === here) continue;
      this.post(cpu, space, va, hadAsm);
      if (this.events.watched) this.events.emit('tlb.shootdown', here, cpu, va);
    }
  }

  private post(cpu: number, space: Space, va: Va, hadAsm: boolean): void {
    const queue = this.queues[cpu]!;
    if (hadAsm) queue.anyAsm = true;
    if (queue.count === MAXJOBS) {
      queue.overflowed = true;
      return;
    }
    queue.spaces[queue.count] = space;
    queue.vas[queue.count] = va;
    queue.asm[queue.count] = hadAsm ? 1 : 0;
    queue.count++;
  }

  private drainOthers(): void {
    for (let cpu = 0; cpu < this.queues.length; cpu++) {
      if (cpu !== this.cpus.current && this.queues[cpu]!.count > 0) this.interrupt(cpu);
    }
  }
}
