import { rows, type RowResult, runRows } from '@uvmkit/conformance';
import { i386 } from '@uvmkit/pmap-i386';
import picocolors from 'picocolors';
import { describe, expect, test } from 'vitest';
import { renderRows } from '../src/rows-command.ts';
import { uvmkit } from './kept.ts';

/** Boots some hundred machines. */
const MANY = { timeout: 60_000 };

describe('uvmkit rows', () => {
  test(
    'prints every row with a cell for each MMU and a mark for each profile, and ends with 0',
    MANY,
    async () => {
      const { code, out, err } = await uvmkit('rows', '--arch', 'i386,oea');
      expect([code, err]).toEqual([0, '']);
      const lines = out.split('\n');
      expect(lines[0]).toBe('Behaviour as netbsd-2001 and as posix');
      expect(lines[2]).toMatch(/^row +i386 +oea +what a process may rely on$/);
      for (const { id } of rows) expect(out).toContain(`\n${id} `);
      expect(out).toMatch(/\nOP-MUNMAP-9-1 +ok ok +ok ok +unmapping nothing/);
      expect(out).toMatch(/\nNB-MPROT-03 +n\/a n\/a +n\/a n\/a /);
      expect(out).toMatch(/\nNB-MPROT-04 +- - +- - /);
      expect(out).toContain('\n  NB-MPROT-03: oea does not enforce execute permission\n');
      expect(lines.at(-2)).toMatch(
        /^\d+ held, 0 failed, 4 not applicable, 0 not asked of this policy, \d+ about what 2001 had not$/,
      );
    },
  );

  test('gives one profile of one MMU as JSON', MANY, async () => {
    const { code, out } = await uvmkit('rows', '--arch', 'srmmu', '--profile', 'posix', '--json');
    expect(code).toBe(0);
    const report = JSON.parse(out) as { ok: boolean; results: RowResult[] };
    expect(report).toMatchObject({ ok: true, archs: ['srmmu'], profiles: ['posix'] });
    expect(report.results.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
  });

  test('holds every row although everything is forgotten now and then', MANY, async () => {
    const { code } = await uvmkit(
      'rows',
      '--arch',
      'ibm4xx',
      '--profile',
      'posix',
      '--amnesia',
      '0.1',
    );
    expect(code).toBe(0);
  });

  test('does not ask of a policy what only others do', MANY, async () => {
    const flags = ['--arch', 'srmmu', '--profile', 'posix', '--policy', 'forgetful'];
    const { code, out } = await uvmkit('rows', ...flags, '--amnesia', '0.1');
    expect(code).toBe(0);
    expect(out).toMatch(/\nNB-WIREMAX-4 +\* /);
    expect(out).toContain('\nNot asked of this policy (*)\n  NB-WIREMAX-3: only the commit');
    expect(out).toMatch(/ 0 failed, \d+ not applicable, 4 not asked of this policy, /);
  });

  test('marks what fails, and says what was expected and found', () => {
    const row = {
      id: 'X-1',
      sentence: 'one is two',
      source: 'this test',
      expected: { 'netbsd-2001': { one: 1 }, posix: { one: [2, 3] } },
      perform: () => ({ one: 1 }),
    };
    const report = runRows({ ports: [i386()], rows: [row] });
    const lines = renderRows(report, picocolors.createColors(false)).split('\n');
    expect(lines[3]).toMatch(/^X-1 +ok FAIL +one is two$/);
    expect(lines.slice(lines.indexOf('Failed'))).toEqual([
      'Failed',
      '  X-1 on i386 as posix (this test)',
      '    one: expected 2 or 3, found 1',
      '',
      '1 held, 1 failed, 0 not applicable, 0 not asked of this policy, 0 about what 2001 had not',
      '',
    ]);
    expect(report.ok).toBe(false);
  });

  test('refuses a profile and an MMU that nobody knows', async () => {
    const profile = await uvmkit('rows', '--profile', 'linux');
    expect([profile.code, profile.out]).toEqual([2, '']);
    expect(profile.err).toContain('netbsd-2001');
    const arch = await uvmkit('rows', '--arch', 'vax');
    expect([arch.code, arch.out]).toEqual([2, '']);
    expect(arch.err).toContain('found "vax"');
  });
});
