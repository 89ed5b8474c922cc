import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { sv32, sv39 } from '@uvmkit/pmap-riscv';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import { forgetfulPolicy } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import {
  findingText,
  isLive,
  isSplit,
  POLICY_NAMES,
  ROW_IDS,
  ROW_PROFILES,
  rows,
  runRow,
  wiringPolicies,
} from './index.ts';

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

/** Rows in which memory is locked. */
const locking = rows.filter(isLive).filter(({ id }) => /LOCK|WIREMAX|MINC/.test(id));

describe.each(ports.slice(0, 6))('on $name, with everything forgotten now and then', (port) => {
  it.each(locking)('$id holds where no mapping is wired', (row) => {
    for (const profile of ROW_PROFILES) {
      const { findings } = runRow(row, port, profile, { wiring: forgetfulPolicy, amnesia: 0.1 });
      expect(findings.map(findingText)).toEqual([]);
    }
  });
});

describe.each(wiringPolicies)('under the policy $name', (wiring) => {
  it.each(locking)('$id holds, or is not asked', (row) => {
    for (const profile of ROW_PROFILES) {
      const { findings } = runRow(row, ports[0]!, profile, { wiring });
      expect(findings.map(findingText)).toEqual([]);
    }
  });
});

describe('a row about the way of some policies', () => {
  const matters = locking.flatMap(({ about, ...row }) =>
    about === undefined ? [] : [{ ...row, row, about }],
  );

  it.each(matters)('$id does not hold under the others', ({ row, about }) => {
    const others = wiringPolicies.filter(({ name }) =>
      about.policies.every((policy) => policy !== name),
    );
    expect(others).toHaveLength(POLICY_NAMES.length - about.policies.length);
    for (const wiring of others)
      for (const profile of ROW_PROFILES) {
        const verdict = runRow(row, ports[0]!, profile, { wiring, amnesia: 0.1 }).verdict;
        const told = runRow({ ...row, about }, ports[0]!, profile, { wiring, amnesia: 0.1 });
        expect([wiring.name, verdict]).toEqual([
          wiring.name,
          told.verdict === 'unasked' ? 'failed' : 'held',
        ]);
        expect(told.reason).toBe(told.verdict === 'unasked' ? about.reason : '');
      }
  });
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
