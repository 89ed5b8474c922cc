/** The wiring problem as data: scenarios, what must become of each under every policy on every MMU, and what does. */
export * from './costs.ts';
export * from './differences.ts';
export * from './evidence.ts';
export { explainScenario, type Explanation } from './explain.ts';
export * from './meter.ts';
export type { Line } from './narrator.ts';
export * from './policies.ts';
export * from './run.ts';
export * from './scenario.ts';
export { scenarios } from './scenarios/index.ts';
export * from './stage.ts';
