import type { Pa, Va } from './address.ts';
import type { PhysicalMemory } from './memory.ts';
import type { Mmu } from './mmu.ts';
import type { Access } from './prot.ts';

/** What stands in registers and tables, by the manual's names. */
export type FormatBits = Readonly<Record<string, number>>;

/** Bytes by their physical address, as `07 20 00 00`. */
export type FormatBytes = Readonly<Record<number, string>>;

/**
 * An MMU as its manual tells of it, from whoever wrote the port: how tables are written, and what must come of it. A
 * conformance kit tries every combination, which nobody writes down by hand.
 */
export interface MmuFormat {
  /** The bits that decide about rights, each with the values it can have: every combination is tried. */
  readonly bits: Readonly<Record<string, readonly number[]>>;
  /** The page that is mapped. */
  readonly va: Va;
  readonly pa: Pa;
  /** The modes that an access may be made in, as bits of `Access`. */
  readonly modes: readonly Access[];
  /** An MMU with an empty TLB over tables that map the page with these bits. */
  readonly mapped: (bits: FormatBits) => Mmu;
  /** Whether the manual allows the access: a table, not the walker again. */
  readonly allows: (bits: FormatBits, access: Access) => boolean;
  /** An MMU with an empty TLB over that memory, with these registers. */
  readonly over: (memory: PhysicalMemory, registers: FormatBits) => Mmu;
  /** Walks worked out by hand. */
  readonly walks: readonly FormatWalk[];
}

/** One access with an empty TLB, worked out by hand. */
export interface FormatWalk {
  readonly name: string;
  readonly registers: FormatBits;
  /** Memory that is not zero: 8 MB of it. */
  readonly before: FormatBytes;
  readonly va: Va;
  readonly access: Access;
  /** Where it goes, or the words of `Mmu.describeFault`, or some of them. */
  readonly result: Pa | string;
  /** What has changed in memory. */
  readonly after: FormatBytes;
}
