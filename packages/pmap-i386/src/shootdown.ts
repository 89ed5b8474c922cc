import { type EventStream, PMAP_KERNEL, type Va } from '@uvmkit/pmap';
import { type Cpus, tlbflush, tlbflushg } from './cpus.ts';
import type { TlbFlush } from './flush.ts';
import { PG_G } from './pte.ts';
import type { Space } from './space.ts';
import { NBPG, PTE_BASE } from './vmparam.ts';

/** PMAP_TLB_MAXJOBS: so many pages wait in one CPU's queue; one more turns them into a full flush. */
export const PMAP_TLB_MAXJOBS = 16;

/** What one CPU has been asked to invalidate (`struct pmap_tlb_shootdown_q`). */
class ShootdownQueue {
  /** pj_va of each job, the directory of its map for pj_pmap, and pj_pte. */
  readonly vas: Float64Array = new Float64Array(PMAP_TLB_MAXJOBS);
  readonly directories: Float64Array = new Float64Array(PMAP_TLB_MAXJOBS);
  readonly ptes: Int32Array = new Int32Array(PMAP_TLB_MAXJOBS);
  count = 0;
  /** The bits of every PTE queued, ORed (pq_pte). */
  seen = 0;
  /** pq_flushu, pq_flushg: everything that is not global, or everything, is to go. */
  flushUser = false;
  flushGlobal = false;

  clear(): void {
    this.count = 0;
    this.seen = 0;
    this.flushUser = false;
    this.flushGlobal = false;
  }
}

/**
 * The flush of a kernel for several CPUs (`pmap_tlb_shootdown`, `pmap_tlb_shootnow`): a queue for each
 * CPU, the caller's too, filled for the length of a call and run by an interrupt that the caller waits for.
 * Here the interrupt is taken at once, and the rendezvous cannot fail.
 *
 *     page(A, va) ──▶ queue 0 ── own ────────▶ now(): INVLPG, or all
 *                 └─▶ queue 2 ── X86_IPI_TLB ▶        INVLPG, or all
 *                     (queue 1 not: A is not active there)
 */
export class ShootdownQueues implements TlbFlush {
  readonly #cpus: Cpus;
  readonly #events: EventStream;
  readonly #queues: readonly ShootdownQueue[];
  readonly #invlpg: boolean;
  readonly #kernelDirectory: number;
  /** CPUs with something in their queue. */
  #mask = 0;

  constructor(cpus: Cpus, events: EventStream, kernel: Space) {
    this.#cpus = cpus;
    this.#events = events;
    this.#queues = cpus.mmus.map(() => new ShootdownQueue());
    this.#invlpg = cpus.mmu.features.invlpg;
    this.#kernelDirectory = kernel.directory;
  }

  page(space: Space, va: Va, opte: number): void {
    const self = this.#cpus.current;
    for (let cpu = 0; cpu < this.#queues.length; cpu++) {
      if (space.id !== PMAP_KERNEL && (space.cpus & (1 << cpu)) === 0) continue;
      const queue = this.#queues[cpu]!;
      if (queue.flushGlobal || (queue.flushUser && (opte & PG_G) === 0)) continue;
      queue.seen |= opte;
      if (!this.#invlpg) queue.flushUser = true;
      else if (queue.count < PMAP_TLB_MAXJOBS) {
        queue.vas[queue.count] = va;
        queue.directories[queue.count] = space.directory;
        queue.ptes[queue.count] = opte;
        queue.count++;
      } else {
        // What waits is covered by the flush that takes its place.
        if ((queue.seen & PG_G) === 0) queue.flushUser = true;
        else queue.flushGlobal = true;
        queue.count = 0;
      }
      this.#mask |= 1 << cpu;
      if (this.#events.watched && cpu !== self) this.#events.emit('tlb.shootdown', self, cpu, va);
    }
  }

  table(space: Space, slot: number, opde: number): void {
    this.page(space, PTE_BASE + slot * NBPG, opde);
  }

  now(): void {
    if (this.#mask === 0) return;
    const mask = this.#mask;
    const self = this.#cpus.current;
    this.#mask = 0;
    this.#run(self);
    for (let cpu = 0; cpu < this.#queues.length; cpu++)
      if (cpu !== self && (mask & (1 << cpu)) !== 0) this.#run(cpu);
  }

  /** pmap_do_tlb_shootdown: what the interrupt does on one CPU. */
  #run(cpu: number): void {
    const queue = this.#queues[cpu]!;
    const mmu = this.#cpus.mmus[cpu]!;
    if (queue.flushGlobal) tlbflushg(mmu);
    else {
      if (queue.flushUser) tlbflush(mmu);
      for (let i = 0; i < queue.count; i++) {
        const directory = queue.directories[i]!;
        const everywhere = (queue.ptes[i]! & PG_G) !== 0 || directory === this.#kernelDirectory;
        if (everywhere || (!queue.flushUser && directory === mmu.cr3)) mmu.invlpg(queue.vas[i]!);
      }
    }
    queue.clear();
  }
}
