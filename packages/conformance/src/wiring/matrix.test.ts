import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import { forgetfulPolicy, wiremaxPolicy, wirePolicy } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { POLICY_NAMES, runScenario, scenarios, wiringPolicies } from './index.ts';

const ports = [i386(), alpha(), sun4c(), srmmu(), oea(), ibm4xx()];
const scenarioOf = (id: string): (typeof scenarios)[number] =>
  scenarios.find((scenario) => scenario.id === id)!;

describe.each(wiringPolicies)('under $name', (policy) => {
  describe.each(ports)('on $name', (port) => {
    it.each(scenarios)('$id: what is expected becomes of it', (scenario) => {
      const { kind, words, expected, findings } = runScenario(scenario, policy, port);
      const told = findings.map(({ step, text }) => `${step}: ${text}`);
      expect({ kind, words: words.slice(0, expected.words.length), told }).toEqual({
        kind: expected.kind,
        words: expected.words,
        told,
      });
    });
  });
});

describe('the seven reports', () => {
  const reports = scenarioOf('seven-reports');
  const UNWIRING = 'uvm_fault_unwire_locked: unwiring non-wired memory';

  it.each(ports.filter(({ name }) => name !== 'alpha'))(
    'are the panic that they tell of under wire on $name, when the daemon ends',
    (port) => {
      const cell = runScenario(reports, wirePolicy, port);
      expect(cell).toMatchObject({ kind: 'panic', words: UNWIRING });
      expect(cell.stoppedIn).toMatch(/^daemon ends/);
    },
  );

  it('are the pmap’s own panic where pmap_extract looks no further than the page directory', () => {
    const cell = runScenario(reports, wirePolicy, i386({ extract: 'pde' }));
    expect(cell.kind).toBe('panic');
    expect(cell.words).toMatch(/^pmap_unwire: invalid \(unmapped\) va 0x/);
  });

  it('are gone on alpha only as long as its pmap keeps wired mappings', () => {
    const removing = alpha({ pageProtectWired: 'removes' });
    expect(runScenario(reports, wirePolicy, removing)).toMatchObject({
      kind: 'panic',
      words: UNWIRING,
    });
  });

  it.each(wiringPolicies.filter(({ name }) => name !== 'wire'))(
    'are gone under $name',
    (policy) => {
      for (const port of ports)
        expect(runScenario(reports, policy, port)).toMatchObject({ kind: 'fine', stoppedIn: '' });
    },
  );
});

describe.each(ports)(
  'with one step in ten after which everything is forgotten, on $name',
  (port) => {
    it.each(scenarios)('$id ends as well as without under forgetful', (scenario) => {
      const whole = runScenario(scenario, forgetfulPolicy, port);
      const { findings, kind, sights } = runScenario(scenario, forgetfulPolicy, port, {
        amnesia: 0.1,
      });
      expect({ kind, sights, findings }).toEqual({
        kind: whole.kind,
        sights: whole.sights,
        findings: [],
      });
    });
  },
);

describe('a scenario', () => {
  it('is repeated by its name', () => {
    const again = (): unknown => runScenario(scenarioOf('vslock'), wiremaxPolicy, alpha());
    expect(again()).toEqual(again());
  });

  it('says of every policy what must become of it, and why', () => {
    for (const { id, expected, sentence, source } of scenarios) {
      expect(Object.keys(expected).toSorted(), id).toEqual([...POLICY_NAMES].toSorted());
      for (const each of Object.values(expected))
        for (const { because } of [each, ...Object.values(each.on)])
          expect(because, id).toMatch(/§\w|H\d|mprotect/);
      expect(`${sentence}${source}`, id).toMatch(/\w/);
    }
    expect(new Set(scenarios.map(({ id }) => id)).size).toBe(scenarios.length);
  });
});
