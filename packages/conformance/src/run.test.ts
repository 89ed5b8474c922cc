import { i386 } from '@uvmkit/pmap-i386';
import { MAP_ANON, MAP_PRIVATE } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { bare, findingText, type LiveRow, row, rows, runRow, runRows } from './index.ts';

const port = i386();

/** A row that sees what the action gives and expects `{ seen: 1 }`. */
function probe(overrides: Partial<LiveRow>): LiveRow {
  const told = { id: 'X-1', sentence: 'one is one', source: 'this test' };
  const made = row({ ...told, setup: bare, action: () => ({ seen: 1 }), expected: { seen: 1 } });
  return { ...made, ...overrides };
}

const findings = (of: LiveRow): string[] =>
  runRow(of, port, 'netbsd-2001').findings.map(findingText);

describe('a row', () => {
  it('holds when everything is seen as expected', () => {
    expect(runRow(probe({}), port, 'posix')).toMatchObject({
      id: 'X-1',
      arch: 'i386',
      profile: 'posix',
      verdict: 'held',
      outcomes: { seen: 1 },
      findings: [],
    });
  });

  it('holds when one of several outcomes is seen', () => {
    expect(findings(probe({ expected: { seen: [0, 1] } }))).toEqual([]);
    expect(findings(probe({ expected: { seen: [0, 2] } }))).toEqual([
      'seen: expected 0 or 2, found 1',
    ]);
  });

  it('fails under the profile that it does not hold under, and only there', () => {
    const split = probe({ expected: { 'netbsd-2001': { seen: 1 }, posix: { seen: 2 } } });
    expect(runRow(split, port, 'netbsd-2001').verdict).toBe('held');
    expect(runRow(split, port, 'posix').verdict).toBe('failed');
  });

  it('fails when something was not seen, or was not expected', () => {
    expect(findings(probe({ expected: { seen: 1, more: true } }))).toEqual([
      'more: expected true, found nothing',
    ]);
    expect(findings(probe({ expected: {} }))).toEqual(['seen: expected nothing, found 1']);
  });

  it('fails when its situation cannot be brought about', () => {
    const perform: LiveRow['perform'] = (world) => ({ seen: world.anon(1, 3, 3) });
    expect(findings(probe({ perform }))).toEqual([
      'error: expected none, found SetupError: mmap answered EINVAL',
    ]);
  });

  it('fails when the kernel panics unseen', () => {
    const perform: LiveRow['perform'] = ({ machine, process }) => {
      const { value: va } = process.sys.mmap(0, 4096, 3, MAP_ANON | MAP_PRIVATE);
      process.sys.mlock(va, 4096);
      machine.md.pmap.remove(process.space.pmap, va, va + 4096);
      process.sys.munlock(va, 4096);
      return { seen: 1 };
    };
    expect(findings(probe({ perform }))[0]).toMatch(
      /^panic: expected none, found KernelPanic: panic: uvm_fault_unwire/,
    );
  });

  it('fails when an invariant is broken, though everything is seen as expected', () => {
    const perform: LiveRow['perform'] = ({ machine }) => {
      machine.uvm.exp.wired++;
      return { seen: 1 };
    };
    const found = findings(probe({ perform }));
    expect(found.join('\n')).toMatch(/invariant 24: the page counts/);
    expect(found).toContain('pages wired after every exit: expected 0, found 1');
  });

  it('is repeated by its seed', () => {
    const threads = rows.find(({ id }) => id === 'NB-MMAP-09')!;
    expect(runRow(threads, port, 'posix', { seed: 7 })).toEqual(
      runRow(threads, port, 'posix', { seed: 7 }),
    );
  });
});

describe('a report', () => {
  const failing = probe({ id: 'X-2', expected: { seen: 2 } });
  const absent = { id: 'X-3', sentence: 's', source: 't', notIn2001: 'it came later' };
  const needy = probe({ id: 'X-4', needs: { execute: ['page'] } });
  const report = runRows({ ports: [port, i386()], rows: [probe({}), failing, absent, needy] });

  it('has every row on every MMU under every profile', () => {
    expect(report.results).toHaveLength(4 * 2 * 2);
    expect(report.counts).toEqual({ held: 4, failed: 4, absent: 4, unasked: 0, inapplicable: 4 });
    expect(report.ok).toBe(false);
  });

  it('says why a row was not run', () => {
    const reasonOf = (id: string): string =>
      report.results.find((result) => result.id === id)!.reason;
    expect(reasonOf('X-1')).toBe('');
    expect(reasonOf('X-3')).toBe('it came later');
    expect(reasonOf('X-4')).toBe('i386 does not enforce execute permission');
  });

  it('tells of each result as it comes', () => {
    const seen: string[] = [];
    runRows({
      ports: [port],
      profiles: ['posix'],
      rows: [failing, absent],
      progress: ({ id, verdict }) => seen.push(`${id} ${verdict}`),
    });
    expect(seen).toEqual(['X-2 failed', 'X-3 absent']);
  });
});
