export {
  type Aspect,
  type CaseContext,
  type KitCase,
  type Layer,
  LAYERS,
  type Level,
  Breach,
} from './case.ts';
export { cases } from './cases/index.ts';
export { bootProblems, formatProblems, portProblems } from './checks.ts';
export { type Clause, type ClauseId, CLAUSES } from './clauses.ts';
export { type Divergence, divergencesOf } from './divergences.ts';
export {
  chosenCases,
  type KitOptions,
  type KitResult,
  type KitVerdict,
  runCase,
  runKit,
} from './run.ts';
export type { Command, CommandShape, Counterexample, Search, SearchTask } from './search.ts';
