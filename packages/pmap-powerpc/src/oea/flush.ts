import type { PmapId, Va } from '@uvmkit/pmap';
import type { OeaMmu } from './mmu.ts';

/** Where the number of the CPU that makes pmap calls is kept. */
export interface CurrentCpu {
  readonly currentCpu: number;
}

/** Classes of the largest TLB: 64, so one map's deferred flushes are 64 bits. */
const CLASSES = 64;

/**
 * The pmap's TLB invalidations: `tlbie` on the CPU that makes the call; the bus carries it to the others.
 *
 * With deferral, invalidations that UVM promises to follow with `pmap.update` are kept as a set of
 * congruence classes a map, and issued there. So a missing `pmap.update` leaves a stale entry in the model.
 */
export class TlbFlusher {
  private readonly cpu: CurrentCpu;
  private readonly mmus: readonly OeaMmu[];
  private readonly deferred: boolean;
  /** Two words of class bits a map. */
  private readonly pending: number[] = [];

  constructor(cpu: CurrentCpu, mmus: readonly OeaMmu[], deferred: boolean) {
    this.cpu = cpu;
    this.mmus = mmus;
    this.deferred = deferred;
  }

  /** Invalidates the class of `ea` now. */
  now(ea: Va): void {
    this.mmus[this.cpu.currentCpu]!.tlbie(ea);
  }

  /** Invalidates it now, or, with deferral, when the map is updated. */
  later(pmap: PmapId, ea: Va): void {
    if (!this.deferred) return this.now(ea);
    const at = 2 * pmap + ((ea >>> 17) & 1);
    this.pending[at] = (this.pending[at] ?? 0) | (1 << ((ea >>> 12) & 31));
  }

  /** Issues what was deferred for the map. */
  update(pmap: PmapId): boolean {
    const low = this.pending[2 * pmap] ?? 0;
    const high = this.pending[2 * pmap + 1] ?? 0;
    if ((low | high) === 0) return false;
    for (let index = 0; index < CLASSES; index++)
      if ((((index < 32 ? low : high) >>> (index & 31)) & 1) !== 0) this.now(index << 12);
    this.pending[2 * pmap] = 0;
    this.pending[2 * pmap + 1] = 0;
    return true;
  }
}
