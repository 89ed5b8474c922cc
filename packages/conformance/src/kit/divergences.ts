import type { Aspect } from './case.ts';

/** A difference between a port and the contract that is known, wanted, and has a source. */
export interface Divergence {
  /** Ids of the cases that show it. */
  readonly cases: readonly string[];
  /** What the other cases must not judge because of it. */
  readonly aspect?: Aspect;
  /** What the port does, in a sentence. */
  readonly what: string;
  /** Where it is from. */
  readonly source: string;
}

const protectWithWrite: Divergence = {
  cases: ['PMAP-PROTECT-007'],
  aspect: 'protectWithoutRead',
  what: 'protect with WRITE in it does nothing, even without READ',
  source: 'pmap_protect in i386/include/pmap.h',
};

const KNOWN: Readonly<Record<string, readonly Divergence[]>> = {
  i386: [protectWithWrite],
  alpha: [
    {
      cases: ['PMAP-PROTECT-008'],
      aspect: 'protectWithoutRead',
      what: 'protect without READ removes, even with EXECUTE',
      source: 'pmap_protect in alpha/alpha/pmap.c',
    },
  ],
  sun4c: [
    wiredCount(
      'drifts: it counts what enter was told, not what was there before',
      'sparc/sparc/pmap.c',
    ),
  ],
  srmmu: [
    wiredCount(
      'drifts: it counts what enter was told, not what was there before',
      'sparc/sparc/pmap.c',
    ),
  ],
  oea: [
    wiredCount('tests the wrong bit, so only unwire counts, downwards', 'powerpc/mpc6xx/pmap.c'),
  ],
  ibm4xx: [wiredCount('is not kept', 'powerpc/ibm4xx/pmap.c')],
};

function wiredCount(what: string, source: string): Divergence {
  return {
    cases: ['PMAP-COUNT-002'],
    aspect: 'wiredCount',
    what: `wiredCount ${what}`,
    source,
  };
}

/** Where a port of that name is known to differ, with the options that it has by default. */
export function divergencesOf(name: string): readonly Divergence[] {
  return Object.hasOwn(KNOWN, name) ? KNOWN[name]! : [];
}
