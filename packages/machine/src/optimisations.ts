/**
 * What is only there to be faster: programs see the same without. Each is true, that is done, if not given.
 */
export interface Optimisations {
  /** Faults map resident neighbours. */
  readonly faultAhead?: boolean;
  /** Searches of a map begin at the entry found last, and those for room behind what is full. */
  readonly mapHints?: boolean;
  /** A mapping may be made by lengthening the one before it. */
  readonly merging?: boolean;
  /** Free pages are zeroed while nothing can run. */
  readonly idleZeroing?: boolean;
  /** TLBs keep translations from one access to the next: see `withoutTlb`. */
  readonly tlb?: boolean;
}

/** The names of {@link Optimisations}. */
export const OPTIMISATIONS: readonly (keyof Optimisations)[] = [
  'faultAhead',
  'mapHints',
  'merging',
  'idleZeroing',
  'tlb',
];
