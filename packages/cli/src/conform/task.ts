import type { KitVerdict, Layer, Level } from '@uvmkit/conformance';

/** Which port a worker is to judge. */
export type Subject =
  /** One that comes along, by the name that `--arch` knows. */
  | { readonly arch: string }
  /** A module of the user's, by its absolute path. */
  | { readonly file: string };

/** One case for a worker to run on one port; everything in it can be cloned. */
export interface ConformTask {
  readonly subject: Subject;
  /** The case's id; null to say only what the subject is. */
  readonly id: string | null;
  readonly seed: number;
  readonly effort: number;
}

/** What a worker answers when it is asked what a subject is. */
export interface Introduction {
  /** The port's name. */
  readonly arch: string;
  readonly description: string;
}

/** A case on a port, as reports have it. */
export interface CaseReport {
  readonly id: string;
  readonly sentence: string;
  readonly layer: Layer;
  readonly level: Level;
  readonly clauses: readonly string[];
  readonly arch: string;
  readonly verdict: KitVerdict;
  /** Why it did not hold; empty if it did. */
  readonly reason: string;
  /** TypeScript that shows what was wrong; empty if nothing was. */
  readonly script: readonly string[];
  /** Real time in ms. */
  readonly ms: number;
}
