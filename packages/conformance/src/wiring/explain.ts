import type { Port } from '@uvmkit/pmap';
import type { WiringPolicy } from '@uvmkit/uvm-core';
import { type Line, Narrator } from './narrator.ts';
import { type Cell, runScenario } from './run.ts';
import type { Scenario } from './scenario.ts';

/** A scenario told from its first step to what became of it. */
export interface Explanation {
  readonly cell: Cell;
  readonly lines: readonly Line[];
}

/** Acts a scenario and tells every event of it in order, from the machine's event stream. */
export function explainScenario(scenario: Scenario, policy: WiringPolicy, port: Port): Explanation {
  const narrator = new Narrator();
  const cell = runScenario(scenario, policy, port, { audience: narrator });
  // A machine that cannot be built has no story.
  return { cell, lines: cell.kind === 'absent' ? [] : narrator.end() };
}
