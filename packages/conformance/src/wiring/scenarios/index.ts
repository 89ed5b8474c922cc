import type { Scenario } from '../scenario.ts';
import { fileScenarios } from './file.ts';
import { kernelScenarios } from './kernel.ts';
import { tracerScenarios } from './tracer.ts';

/** Every scenario, in the order of a matrix. */
export const scenarios: readonly Scenario[] = [
  ...tracerScenarios,
  ...fileScenarios,
  ...kernelScenarios,
];
