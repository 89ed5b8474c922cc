import type { KitCase } from '../case.ts';
import { edgeCases } from './edges.ts';
import { enterCases } from './enter.ts';
import { fewCases } from './few.ts';
import { kernelCases } from './kernel.ts';
import { mapCases } from './maps.ts';
import { mmuCases } from './mmu.ts';
import { pageCases } from './page.ts';
import { randomCases } from './random.ts';
import { rangeCases } from './range.ts';
import { resourceCases } from './resources.ts';
import { systemCases } from './system.ts';
import { uvmCases } from './uvm.ts';

/** Every case, in the order in which a new port is best brought up. */
export const cases: readonly KitCase[] = [
  ...mmuCases,
  ...systemCases,
  ...mapCases,
  ...enterCases,
  ...rangeCases,
  ...pageCases,
  ...kernelCases,
  ...edgeCases,
  ...randomCases,
  ...resourceCases,
  ...fewCases,
  ...uvmCases,
];
