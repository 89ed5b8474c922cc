import type { MmuFormat, Port } from '@uvmkit/pmap';
import type { ClauseId } from './clauses.ts';
import type { Search } from './search.ts';

/** What a case is about: the hardware, the pmap, UVM on it, or what happens when something runs out. */
export type Layer = 'mmu' | 'pmap' | 'uvm' | 'resources';

/** In the order in which a port is best brought up. */
export const LAYERS: readonly Layer[] = ['mmu', 'pmap', 'resources', 'uvm'];

/** MUST: whoever breaks it breaks the contract. MAY: the contract leaves it to the port; the kit says what the port chose. */
export type Level = 'MUST' | 'MAY';

/** What a case is run with. */
export interface CaseContext {
  /** A port that was not booted before, or boots independently of what it booted before. */
  readonly port: Port;
  /** Ports of the same MMU whose resources are few, by a word for what is scarce; empty if nobody made any. */
  readonly scarce: Readonly<Record<string, Port>>;
  /** Of every random choice. */
  readonly seed: number;
  /** How many random sequences are tried, as a factor of what a case thinks right: 1 for a usual run. */
  readonly effort: number;
  readonly search: Search;
  /** The MMU by its manual, if whoever wrote the port has given it. */
  readonly format: MmuFormat | null;
  /** Aspects in which the port is known to differ: they are not judged, but for the case that is about them. */
  readonly excused: ReadonlySet<Aspect>;
}

/**
 * What a known divergence takes out of every case but those about it, so that one difference is told once.
 *
 * - `wiredCount`: the number of wired mappings is not what `wiredCount` says
 * - `residentCount`: nor `residentCount` the number of mappings
 * - `protectWithoutRead`: what `protect` does when it is given WRITE or EXECUTE without READ
 */
export type Aspect = 'wiredCount' | 'residentCount' | 'protectWithoutRead';

/** One thing that the contract demands or leaves open. */
export interface KitCase {
  /** Never changes its meaning and is never used again: `PMAP-ENTER-004`. */
  readonly id: string;
  /** What is so if the case holds. */
  readonly sentence: string;
  readonly layer: Layer;
  readonly level: Level;
  /** The clauses of the contract that it judges; empty only where the contract is not `Pmap`'s. */
  readonly clauses: readonly ClauseId[];
  /** The aspects that this case is about: it judges them whatever is excused. */
  readonly about: readonly Aspect[];
  /** Why the case says nothing of a port, or null. */
  readonly inapplicable: (port: Port, format: MmuFormat | null) => string | null;
  /**
   * Judges the port.
   *
   * @throws Breach if it does not do what the sentence says; whatever the port throws counts as one
   */
  readonly run: (context: CaseContext) => void;
}

/** A port did what it must not, or not what it must. */
export class Breach extends Error {
  override readonly name: string = 'Breach';
  /** What was to be seen, and what was. */
  readonly wanted: string;
  readonly found: string;
  /** TypeScript that shows it, to be run with `port` in scope; empty if it was not recorded. */
  readonly script: readonly string[];

  constructor(what: string, wanted: string, found: string, script: readonly string[] = []) {
    super(`${what}: wanted ${wanted}, found ${found}`);
    this.wanted = wanted;
    this.found = found;
    this.script = script;
  }
}
