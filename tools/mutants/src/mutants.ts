import { alphaEquivalents, alphaMutants } from './data/alpha.ts';
import { i386Equivalents, i386Mutants } from './data/i386.ts';
import { ibm4xxEquivalents, ibm4xxMutants } from './data/ibm4xx.ts';
import { oeaEquivalents, oeaMutants } from './data/oea.ts';
import { srmmuEquivalents, srmmuMutants } from './data/srmmu.ts';
import { sun4cEquivalents, sun4cMutants } from './data/sun4c.ts';
import type { Equivalent, Mutant } from './mutant.ts';

/** Every broken port. */
export const mutants: readonly Mutant[] = [
  ...i386Mutants,
  ...alphaMutants,
  ...sun4cMutants,
  ...srmmuMutants,
  ...oeaMutants,
  ...ibm4xxMutants,
];

/** Changes that break nothing, each with the reason: what the campaign leaves alone. */
export const equivalents: readonly Equivalent[] = [
  ...i386Equivalents,
  ...alphaEquivalents,
  ...sun4cEquivalents,
  ...srmmuEquivalents,
  ...oeaEquivalents,
  ...ibm4xxEquivalents,
];
