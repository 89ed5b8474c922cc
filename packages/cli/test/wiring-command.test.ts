import {
  type Cell,
  fine,
  runWiring,
  type Scenario,
  scenarios,
  wiringPolicies,
} from '@uvmkit/conformance';
import { fileURLToPath } from 'node:url';
import { i386 } from '@uvmkit/pmap-i386';
import picocolors from 'picocolors';
import { describe, expect, it, test } from 'vitest';
import { renderMatrix } from '../src/wiring-text.ts';
import { uvmkit } from './kept.ts';

/** Boots some hundred machines. */
const MANY = { timeout: 60_000 };

describe('uvmkit wiring', () => {
  test(
    'prints every scenario under every policy in lines that fit, and ends with 0',
    MANY,
    async () => {
      const { code, out, err } = await uvmkit('wiring', '--arch', 'i386,alpha,sun4c');
      expect([code, err]).toEqual([0, '']);
      const lines = out.split('\n');
      expect(lines[0]).toBe('What becomes of locked memory, policy by policy');
      expect(lines[2]).toMatch(/^scenario +wire +wiremax/);
      for (const { id } of scenarios) expect(out).toMatch(new RegExp(`^${id} `, 'm'));
      expect(out).toMatch(/^ptrace-private +panic; alpha fine +fine/m);
      expect(out).toMatch(/^ptrace-own +panic; alpha lost +fine/m);
      expect(out).toMatch(/^cpus +lost; alpha fine +fine/m);
      expect(out).toContain(' × panic: uvm_fault_unwire_locked: unwiring non-wired memory\n');
      const told = out.replaceAll(/\n +/g, ' ');
      expect(told).toContain(
        'ptrace-private and seven-reports under wire, ptrace-shared and vslock under wire and wiremax: i386 and sun4c panic: "uvm_fault_unwire_locked: unwiring non-wired memory"; alpha shrugs (pmap-alpha §C.2: page_protect(NONE) leaves wired mappings in place)',
      );
      expect(lines.at(-2)).toMatch(/^\d+ cells: .*; all as expected$/);
      expect(lines.filter((line) => line.length > 100)).toEqual([]);
    },
  );

  it('tells one policy MMU by MMU', async () => {
    const args = ['--policy', 'wire', '--scenario', 'ptrace-own,cpus', '--arch', 'alpha,ibm4xx'];
    const { code, out } = await uvmkit('wiring', ...args);
    expect(code).toBe(0);
    expect(out).toMatch(/^scenario +alpha +ibm4xx +what happens$/m);
    expect(out).toMatch(/^ptrace-own +lost +panic +ptrace write into the locker$/m);
    expect(out).toMatch(/^cpus +fine +- +several CPUs$/m);
    expect(out).toContain(
      '\n4 cells: 1 not applicable, 1 fine, 1 lost, 1 panic; all as expected\n',
    );
  });

  it('gives JSON with what was seen, what says so and what was expected', async () => {
    const { code, out } = await uvmkit('wiring', '--scenario', 'limit', '--arch', 'oea', '--json');
    expect(code).toBe(0);
    const report = JSON.parse(out) as { ok: boolean; policies: string[]; cells: Cell[] };
    expect(report).toMatchObject({ ok: true, archs: ['oea'], scenarios: [{ id: 'limit' }] });
    expect(report.policies).toEqual(wiringPolicies.map(({ name }) => name));
    expect(report.cells[0]).toMatchObject({
      policy: 'wire',
      kind: 'count',
      sights: { 'two more': 'ok' },
      expected: { kind: 'count' },
      ok: true,
    });
  });

  it('marks a cell that is not as expected, says why, and has the report fail', () => {
    const wanted = fine('§0');
    const scenario: Scenario = {
      id: 'test',
      title: 'a test',
      sentence: 'one is two',
      source: 'this test',
      play: (stage) => stage.see('one', 1, () => 2),
      expected: { wire: wanted, wiremax: wanted, targeted: wanted, forgetful: wanted },
    };
    const report = runWiring({
      ports: [i386()],
      policies: wiringPolicies.slice(0, 2),
      scenarios: [scenario],
    });
    expect(report.ok).toBe(false);
    const out = renderMatrix(report, picocolors.createColors(false));
    expect(out).toMatch(/^test +lost ! +lost !$/m);
    expect(out).toContain('  test under wire on i386: expected fine (§0), found lost\n');
    expect(out).toContain('      lost, in "one": one: 2, where 1 is right\n');
    expect(out).toContain('\n2 cells: 2 lost; 2 not as expected\n');
  });

  it('refuses names that nobody knows, and says which are known', async () => {
    for (const [option, known] of [
      ['--policy', 'wiremax'],
      ['--scenario', 'seven-reports'],
      ['--arch', 'alpha'],
    ] as const) {
      const { code, out, err } = await uvmkit('wiring', option, 'vax');
      expect([code, out]).toEqual([2, '']);
      expect(err).toContain(`${option}: expected all or some of `);
      expect(err).toContain(known);
      expect(err).toContain('found "vax"');
    }
  });
});

describe('uvmkit wiring explain', () => {
  it('tells a scenario step by step, what became of it, and why that was expected', async () => {
    const args = ['explain', 'ptrace-private', '--arch', 'sun4c', '--policy', 'wire'];
    const { code, out, err } = await uvmkit('wiring', ...args);
    expect([code, err]).toEqual([0, '']);
    const lines = out.split('\n');
    expect(lines[0]).toBe('ptrace-private under wire on sun4c');
    expect(out).toMatch(/\n1\. locker maps the library privately, r-x, and locks its first page\n/);
    expect(out).toMatch(
      /\n    pmap_enter: locker maps 0x\w+ to page 0x\w+ \(library, page 0\), r-x, wired\n/,
    );
    expect(out).toMatch(/\n        locker's entry for 0x\w+: /);
    expect(out).toContain(
      '\nWhat became of it: panic: uvm_fault_unwire_locked: unwiring non-wired memory\n',
    );
    expect(out).toMatch(/\n  as expected: §13\.1: /);
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
  });

  it('is the i386 under wire unless it is told otherwise', async () => {
    const { out } = await uvmkit('wiring', 'explain', 'fork');
    expect(out).toMatch(/^fork under wire on i386\n/);
  });

  it('refuses what is not one name of each', async () => {
    for (const [args, message] of [
      [['dance'], 'scenario: expected all or some of ptrace-private, '],
      [['fork', '--arch', 'alpha,oea'], '--arch: expected one name, found "alpha,oea"'],
      [['fork', '--policy', 'all'], '--policy: expected one name, found "all"'],
      [['fork', '--policy', 'hope'], 'found "hope"'],
    ] as const) {
      const { code, out, err } = await uvmkit('wiring', 'explain', ...args);
      expect([code, out]).toEqual([2, '']);
      expect(err).toContain(message);
    }
  });
});

describe('uvmkit wiring costs', () => {
  test('has a table for each policy, and puts them side by side', MANY, async () => {
    const { code, out, err } = await uvmkit('wiring', 'costs', '--arch', 'srmmu');
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^What wiring costs on srmmu\n/);
    for (const { name } of wiringPolicies)
      expect(out).toMatch(new RegExp(`^${name} +copied `, 'm'));
    expect(out).toMatch(/^shared-text +8 +0 +0 +0 +8 +0 B +[\d.]+ ms$/m);
    expect(out).toMatch(/^truncate-shared .* panic$/m);
    expect(out).toMatch(/^\d+ scenarios +copied /m);
    expect(out).toContain(
      'Left out, since a policy lets the machine stop in them: ptrace-private,',
    );
    const [wire, wiremax] = [/^wire +(\d+) .* ms real$/m, /^wiremax +(\d+) .* ms real$/m].map(
      (line) => Number(line.exec(out)![1]),
    );
    expect(wiremax).toBeGreaterThan(10 * wire!);
    expect(out.split('\n').filter((line) => line.length > 100)).toEqual([]);
  });

  test('gives JSON, of the policies that are asked for and another recording', MANY, async () => {
    const recording = fileURLToPath(new URL('../recordings/mapfiles.vmt.gz', import.meta.url));
    const args = ['--policy', 'forgetful', '--recording', recording, '--json'];
    const { code, out } = await uvmkit('wiring', 'costs', ...args);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      arch: 'i386',
      policies: ['forgetful'],
      programs: [{ program: 'mapfiles', policy: 'forgetful', costs: { simulated: 0 } }],
    });
  });

  it('refuses a recording that is not there', async () => {
    const { code, err } = await uvmkit('wiring', 'costs', '--recording', '/no/such.vmt');
    expect(code).toBe(2);
    expect(err).toContain('/no/such.vmt: no such file or folder');
  });
});
