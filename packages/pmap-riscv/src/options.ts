import type { RiscvMmuOptions } from './mmu.ts';

/** What {@link sv32} and {@link sv39} may be told. */
export interface RiscvOptions extends RiscvMmuOptions {
  /** The most pv entries at once, to provoke a shortage; no limit if not given. */
  readonly pvEntries?: number;
}
