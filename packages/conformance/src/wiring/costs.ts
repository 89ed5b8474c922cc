import type { Port } from '@uvmkit/pmap';
import type { Machine } from '@uvmkit/machine';
import type { WiringPolicy } from '@uvmkit/uvm-core';
import { type Costs, Meter } from './meter.ts';
import { wiringPolicies } from './policies.ts';
import { runScenario } from './run.ts';
import type { Kind, Scenario } from './scenario.ts';
import { scenarios } from './scenarios/index.ts';

/** What a scenario costs under a policy. */
export interface ScenarioCosts {
  readonly scenario: string;
  readonly policy: string;
  /** What became of it: after a panic the costs are those up to it. */
  readonly kind: Kind;
  readonly costs: Costs;
}

/** What to measure. */
export interface CostsOptions {
  readonly port: Port;
  /** Every policy if not given. */
  readonly policies?: readonly WiringPolicy[];
  /** Every scenario if not given. */
  readonly scenarios?: readonly Scenario[];
}

/**
 * Measures scenarios under policies. What a port cannot be asked is left out.
 *
 * @returns in the order of policies, then scenarios
 */
export function measureScenarios(options: CostsOptions): ScenarioCosts[] {
  const { port, policies = wiringPolicies, scenarios: asked = scenarios } = options;
  return policies.flatMap((policy) =>
    asked.flatMap((scenario) => {
      const meters: Meter[] = [];
      const begin = (machine: Machine): void => void meters.push(new Meter(machine));
      const { kind } = runScenario(scenario, policy, port, { audience: { begin } });
      return meters.map((meter) => ({
        scenario: scenario.id,
        policy: policy.name,
        kind,
        costs: meter.end(),
      }));
    }),
  );
}

/** The sum of costs; of bytes, which are a most, the most. */
export function totalCosts(all: readonly Costs[]): Costs {
  const sum = (of: (costs: Costs) => number): number =>
    all.reduce((total, costs) => total + of(costs), 0);
  return {
    copies: sum(({ copies }) => copies),
    faults: sum(({ faults }) => faults),
    lockedFaults: sum(({ lockedFaults }) => lockedFaults),
    bystanderFaults: sum(({ bystanderFaults }) => bystanderFaults),
    simulated: sum(({ simulated }) => simulated),
    bytes: Math.max(0, ...all.map(({ bytes }) => bytes)),
    time: sum(({ time }) => time),
  };
}
