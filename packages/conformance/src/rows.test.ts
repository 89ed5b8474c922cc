import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { sv32, sv39 } from '@uvmkit/pmap-riscv';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import { describe, expect, it } from 'vitest';
import { findingText, isLive, isSplit, ROW_IDS, ROW_PROFILES, rows, runRow } from './index.ts';

const ports = [i386(), alpha(), sun4c(), srmmu(), oea(), ibm4xx(), sv32(), sv39()];

describe.each(ports)('on $name', (port) => {
  describe.each(ROW_PROFILES)('as %s', (profile) => {
    it.each(rows)('$id: $sentence', (row) => {
      const { findings, verdict } = runRow(row, port, profile);
      expect(findings.map(findingText)).toEqual([]);
      expect(verdict).not.toBe('failed');
    });
  });
});

it('code runs only where it may, on a port that holds to it', () => {
  const row = rows.find(({ id }) => id === 'NB-MPROT-03')!;
  for (const profile of ROW_PROFILES) {
    const { findings, verdict } = runRow(row, alpha({ enforceExecute: true }), profile);
    expect(findings.map(findingText)).toEqual([]);
    expect(verdict).toBe('held');
  }
});

describe('where the profiles differ', () => {
  const split = rows
    .filter(isLive)
    .flatMap((row) => (isSplit(row.expected) ? [{ ...row, expected: row.expected }] : []));

  it.each(split)('$id fails if each is asked for what the other does', (row) => {
    const swapped = {
      'netbsd-2001': row.expected.posix,
      posix: row.expected['netbsd-2001'],
    };
    const verdicts = ROW_PROFILES.map(
      (profile) => runRow({ ...row, expected: swapped }, ports[0]!, profile).verdict,
    );
    // POSIX may allow what NetBSD does, and more.
    const allowed = ROW_PROFILES.every(
      (profile) =>
        runRow({ ...row, expected: row.expected.posix }, ports[0]!, profile).verdict === 'held',
    );
    expect(allowed || verdicts.includes('failed')).toBe(true);
  });
});

describe('the accounts', () => {
  it('have every known row once', () => {
    const told = rows.map(({ id }) => id);
    expect(told.toSorted()).toEqual(ROW_IDS.toSorted());
  });
});
