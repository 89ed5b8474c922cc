import { OPTIMISATIONS, type Optimisations } from '../src/optimisations.ts';

/** `npm run test:plain` leaves each optimisation out of everything; otherwise a few of the combinations are picked. */
export const WHOLE: boolean = process.env['UVMKIT_PLAIN'] === 'whole';

/** A machine with one optimisation off, for each, and one with all of them off. */
export const PLAIN: readonly (readonly [string, Optimisations])[] = [
  ...OPTIMISATIONS.map((name) => [`without ${name}`, { [name]: false }] as const),
  ['without any', Object.fromEntries(OPTIMISATIONS.map((name) => [name, false]))],
];
