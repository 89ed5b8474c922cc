import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import {
  forgetfulPolicy,
  targetedPolicy,
  type WiringPolicy,
  wiremaxPolicy,
  wirePolicy,
} from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { type Costs, measureScenarios, scenarios, totalCosts, wiringPolicies } from './index.ts';

const port = i386();

function costsOf(id: string, policy: WiringPolicy): Costs {
  const asked = scenarios.filter((scenario) => scenario.id === id);
  return measureScenarios({ port, policies: [policy], scenarios: asked })[0]!.costs;
}

describe('what wiring costs', () => {
  it('is a copy of every locked page of private text after the commit, and of none otherwise', () => {
    const copies = wiringPolicies.map((policy) => costsOf('shared-text', policy).copies);
    expect(copies).toEqual([0, 8, 0, 0]);
  });

  it('is a fault of every bystander whose mapping goes for a stranger’s sake, unless it is known who maps', () => {
    const { bystanderFaults, faults } = costsOf('seven-reports', wiremaxPolicy);
    expect(bystanderFaults).toBe(1);
    expect(costsOf('seven-reports', targetedPolicy)).toMatchObject({
      bystanderFaults: 0,
      faults: faults - 1,
    });
  });

  it('is a fault on locked memory where no mapping is wired', () => {
    expect(costsOf('ptrace-own-touch', forgetfulPolicy).lockedFaults).toBe(1);
    expect(costsOf('ptrace-own-touch', targetedPolicy).lockedFaults).toBe(0);
    expect(costsOf('ptrace-own-touch', wiremaxPolicy).lockedFaults).toBe(0);
  });

  it('is memory where a policy keeps books of its own', () => {
    expect(costsOf('fork', wirePolicy).bytes).toBe(0);
    expect(costsOf('fork', wiremaxPolicy).bytes).toBe(0);
    expect(costsOf('fork', targetedPolicy).bytes).toBeGreaterThan(0);
    expect(costsOf('fork', forgetfulPolicy).bytes).toBeGreaterThan(0);
  });

  it('is simulated faults and virtual time, page by page', () => {
    const { simulated, time } = costsOf('shared-text', wirePolicy);
    expect(simulated).toBe(8);
    expect(time).toBeGreaterThan(100_000);
  });

  it('is measured of every scenario that the port can be asked, and up to a panic', () => {
    const measured = measureScenarios({ port: alpha() });
    expect(measured).toHaveLength(scenarios.length * wiringPolicies.length);
    expect(measured.find(({ kind }) => kind === 'panic')?.costs.simulated).toBe(1);
  });

  it('adds up, but for memory, of which the most counts', () => {
    const one = costsOf('fork', targetedPolicy);
    const total = totalCosts([one, { ...one, bytes: 7 }]);
    expect(total).toEqual({
      copies: 0,
      faults: 2 * one.faults,
      lockedFaults: 0,
      bystanderFaults: 0,
      simulated: 2,
      bytes: one.bytes,
      time: 2 * one.time,
    });
    expect(totalCosts([]).bytes).toBe(0);
  });
});
