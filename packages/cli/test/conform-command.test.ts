import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createColors } from 'picocolors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conformCommand, type ConformFlags } from '../src/conform/command.ts';
import type { ConformReport } from '../src/conform/report.ts';
import { run } from '../src/program.ts';
import { type Bundles, bundles } from './bundles.ts';

let built: Bundles;

beforeAll(async () => {
  built = await bundles();
}, 60_000);

afterAll(() => rmSync(built.folder, { recursive: true }));

/** What the command said. */
interface Said {
  readonly code: number;
  readonly text: string;
  readonly report: ConformReport;
  readonly file: (name: string) => string;
}

function output(): { text: string; io: Parameters<typeof run>[1] } {
  const said = { text: '' };
  const stream = { write: (text: string) => (said.text += text) };
  const io = { stdout: stream, stderr: stream, colors: createColors(false), clock: () => 0 };
  return Object.assign(said, { io });
}

async function conform(flags: Partial<ConformFlags>): Promise<Said> {
  const said = output();
  const file = (name: string): string => join(built.folder, name);
  const all = {
    seed: 1,
    effort: 0.05,
    limit: 30,
    json: file('report.json'),
    junit: file('report.xml'),
    markdown: file('report.md'),
    ...flags,
  };
  const code = await conformCommand(all, said.io, built.worker);
  const read = (name: string): string => readFileSync(file(name), 'utf8');
  return {
    code,
    text: said.text,
    report: JSON.parse(read('report.json')) as ConformReport,
    file: read,
  };
}

describe('uvmkit conform', () => {
  it('says that an honest port holds, in every report', async () => {
    const { code, text, report, file } = await conform({
      port: built.port('honest'),
      filter: 'PMAP-PROTECT',
    });
    expect(report.counts).toEqual({
      held: 7,
      failed: 0,
      diverges: 1,
      declined: 0,
      inapplicable: 0,
    });
    expect(code).toBe(0);
    expect(text).toContain('7 held, 0 failed, 1 known to differ');
    expect(text).toMatch(/^PMAP-PROTECT-001 +ok +stores to a range protected against them/m);
    expect(file('report.md')).toContain('| PMAP-PROTECT-001 | ok | stores to a range');
    expect(file('report.xml')).toContain(
      '<testsuite name="i386" tests="8" failures="0" errors="0" skipped="0"',
    );
  });

  it('runs ports that come along side by side, each column an MMU', async () => {
    const { report, text } = await conform({ arch: 'i386,alpha', filter: 'PMAP-PROTECT-00' });
    expect(report.archs).toEqual(['i386', 'alpha']);
    expect(text).toMatch(/^PMAP-PROTECT-007 +differs +ok/m);
    expect(text).toMatch(/^PMAP-PROTECT-008 +ok +differs/m);
  });
});

describe('layer mmu', () => {
  it('is judged by the format that comes along with an MMU', async () => {
    const { report } = await conform({ arch: 'i386', layer: ['mmu'] });
    expect(report.counts).toMatchObject({ held: 3, inapplicable: 0 });
  });

  it('is judged by the format that a module exports', async () => {
    const { report } = await conform({ port: built.port('format'), layer: ['mmu'] });
    expect(report.results.map(({ verdict }) => verdict)).toEqual(['failed', 'failed', 'held']);
    expect(report.results[0]!.reason).toMatch(/pdeP=0.*wanted 0x345abc, found a fault/);
  });

  it('says nothing of a port without one', async () => {
    const { report } = await conform({ port: built.port('honest'), layer: ['mmu'] });
    expect(report.counts).toMatchObject({ held: 0, inapplicable: 3 });
  });
});

describe('a port that lies', () => {
  it('about its page size fails what depends on it, and says so', async () => {
    const { code, report } = await conform({
      port: built.port('page-size'),
      filter: 'PMAP-ENTER-00',
    });
    expect(code).toBe(1);
    expect(report.counts.failed).toBeGreaterThan(0);
    expect(report.results.map(({ id }) => id)).toContain('PMAP-ENTER-001');
  });

  it('or throws, fails with what it threw and the calls that led there', async () => {
    const { code, report, file } = await conform({
      port: built.port('throws'),
      filter: 'PMAP-PROTECT-001',
    });
    expect(code).toBe(1);
    const [result] = report.results;
    expect(result!.reason).toContain('TypeError: not today');
    expect(result!.script.at(-2)).toMatch(/^pmap\.protect\(map0, 0x1000, 0x2000, 1\)/);
    // The bell cannot be said in XML, and the rest is escaped.
    expect(file('report.xml')).toContain('not today &lt;&amp;&quot;\ufffd&gt;');
  });

  it('or never returns, is ended, and the cases after it are run', async () => {
    const { code, report } = await conform({
      port: built.port('hangs'),
      filter: 'PMAP-UNWIRE',
      limit: 2,
    });
    expect(code).toBe(1);
    expect(report.results.length).toBeGreaterThan(1);
    expect(report.results.filter(({ verdict }) => verdict !== 'failed')).toEqual([]);
    expect(report.results[0]!.reason).toBe('no answer within 2 s: the worker was ended');
    const { report: others } = await conform({
      port: built.port('hangs'),
      filter: 'PMAP-REMOVE-001',
    });
    expect(others.ok).toBe(true);
  }, 30_000);

  it('or answers garbage, is told what was wanted in its place', async () => {
    const { report } = await conform({ port: built.port('garbage'), filter: 'PMAP-EXTRACT-001' });
    expect(report.results[0]!.reason).toMatch(/^pmap\.extract\(.*\): wanted .* found .*banana/);
  });

  it('or ends its process, loses the case only', async () => {
    const { code, report } = await conform({ port: built.port('dies'), filter: 'PMAP-COLLECT' });
    expect(code).toBe(1);
    for (const { reason } of report.results) expect(reason).toMatch(/^the worker was lost: /);
  });
});

describe('what is no port at all', () => {
  it.each([
    ['nothing', /nothing\.mjs: port is not a port:\n {2}a port is an object, found 42/],
    ['empty', /empty\.mjs: expected an export named port, or a default one, found ports/],
    ['bursts', /bursts\.mjs: cannot be loaded: Error: at the first line/],
    [
      'no-format',
      /format is not an MmuFormat:\n {2}bits\.p: wanted numbers, found 1\n {2}pa: wanted an address, found "here"\n {2}mapped: wanted a function/,
    ],
    ['missing', /missing\.mjs: cannot be loaded: .*Cannot find module/],
  ])('%s is refused in words', async (name, words) => {
    await expect(conform({ port: built.port(name) })).rejects.toThrow(words);
  });
});

describe('the command line', () => {
  it.each([
    [['--arch', 'vax'], '--arch: expected all or some of'],
    [['--layer', 'hardware'], 'Expected some of mmu, pmap, resources, uvm, found "hardware".'],
    [['--effort', '0'], 'Expected a number above 0, at most 100, found "0".'],
    [['--filter', 'no such case'], '--filter: no case has "no such case" in its id or sentence'],
    [['--arch', 'i386', '--port', 'x.js'], 'expected either --arch or --port, found both'],
  ])('%s is refused', async (args, words) => {
    const said = output();
    expect(await run(['conform', ...args], said.io)).toBe(2);
    expect(said.text).toContain(words);
  });
});
