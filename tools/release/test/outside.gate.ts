import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../src/run.ts';
import { root } from '../src/workspace.ts';

// A stranger's project, outside the repository, with a port of its own: it has the packed packages and what it would have
// brought along anyway, Vitest and fast-check, and runs the kit by one import.

const toy = fileURLToPath(new URL('toy/', import.meta.url));
const project = mkdtempSync(join(tmpdir(), 'uvmkit-stranger-'));
const KIT = `import { declareConformance } from '@uvmkit/conformance/vitest';
import { toy } from './port.ts';

declareConformance(toy, { effort: 0.2 });
`;

/** The cases about the pmap whose calls are not random: a bug breaks those that are about it. */
const DIRECTED = 'contract PMAP-(?!RANDOM|SHORT)';

/** What became of each case of the kit, by its id. */
type Outcomes = ReadonlyMap<string, { readonly status: string; readonly message: string }>;

interface JsonReport {
  readonly success: boolean;
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly title: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Runs the stranger's tests with the stranger's Vitest, as he would. */
function tested(...args: string[]): { readonly code: number | null; readonly outcomes: Outcomes } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '--reporter=json', '--outputFile=out.json', ...args],
    { cwd: project, env: clean(), encoding: 'utf8' },
  );
  const report = ((): JsonReport => {
    try {
      return JSON.parse(readFileSync(join(project, 'out.json'), 'utf8')) as JsonReport;
    } catch (error) {
      throw new Error(`the stranger's Vitest wrote no report:\n${stdout}${stderr}`, {
        cause: error,
      });
    }
  })();
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  const outcomes = results.map(
    (each) =>
      [
        each.title.split(':')[0]!,
        { status: each.status, message: each.failureMessages.join('\n') },
      ] as const,
  );
  rmSync(join(project, 'out.json'));
  return { code: status, outcomes: new Map(outcomes) };
}

/** An environment that knows nothing of the Vitest and the npm that run this. */
function clean(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|vitest|NODE_OPTIONS$)/i.test(name)),
  );
}

const failed = (outcomes: Outcomes): string[] =>
  [...outcomes].filter(([, { status }]) => status === 'failed').map(([id]) => id);

/** Plants a bug in the stranger's port for the time of a test. */
function planted<T>(file: string, right: string, wrong: string, test: () => T): T {
  const path = join(project, 'src', file);
  const source = readFileSync(path, 'utf8');
  expect(source.split(right), `${file}: ${right}`).toHaveLength(2);
  writeFileSync(path, source.replace(right, wrong));
  try {
    return test();
  } finally {
    writeFileSync(path, source);
  }
}

beforeAll(() => {
  const packed = ['pmap', 'uvm-core', 'machine', 'conformance'].map((name) => {
    const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', project];
    return join(project, run('npm', args, { cwd: `${root}packages/${name}` }));
  });
  writeFileSync(
    join(project, 'package.json'),
    '{ "name": "stranger", "private": true, "type": "module" }\n',
  );
  // Optional peers are left out by npm, and the rest is in the tarballs: nothing is asked of a registry.
  const install = ['install', '--silent', '--offline', '--no-audit', '--no-fund', ...packed];
  run('npm', install, { cwd: project, env: clean() });
  for (const name of ['vitest', 'fast-check'])
    symlinkSync(realpathSync(`${root}node_modules/${name}`), join(project, 'node_modules', name));
  mkdirSync(join(project, 'src'));
  for (const file of readdirSync(toy)) cpSync(join(toy, file), join(project, 'src', file));
  writeFileSync(join(project, 'src/kit.test.ts'), KIT);
});

afterAll(() => rmSync(project, { recursive: true }));

describe('a port from outside', () => {
  it('has nothing of the repository but what was packed', () => {
    const scope = join(project, 'node_modules/@uvmkit');
    expect(readdirSync(scope).toSorted()).toEqual(['conformance', 'machine', 'pmap', 'uvm-core']);
    for (const name of readdirSync(scope))
      expect(dirname(realpathSync(join(scope, name)))).toBe(realpathSync(scope));
    for (const file of readdirSync(toy)) {
      const imports = [...readFileSync(join(toy, file), 'utf8').matchAll(/ from '([^']+)'/g)];
      for (const [, from] of imports) expect(from, file).toMatch(/^(@uvmkit\/pmap|\.\/\w+\.ts)$/);
    }
  });

  it('compiles against the declarations that were packed', () => {
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: 'es2022',
      lib: ['es2022'],
      types: [],
      module: 'nodenext',
      allowImportingTsExtensions: true,
    };
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['src/port.ts'] }),
    );
    const tsc = join(root, 'node_modules/ts7/bin/tsc');
    expect(run(process.execPath, [tsc, '-p', '.'], { cwd: project })).toBe('');
  });

  it('passes the kit, which asks of it every layer', () => {
    const { code, outcomes } = tested();
    const failures = failed(outcomes).map((id) => `${id}: ${outcomes.get(id)!.message}`);
    expect(failures).toEqual([]);
    expect(code).toBe(0);
    const passed = [...outcomes].filter(([, { status }]) => status === 'passed').map(([id]) => id);
    for (const id of ['PMAP-ENTER-001', 'PMAP-RANDOM-001', 'NB-MMAP-01', 'UVM-WIRING-device'])
      expect(passed).toContain(id);
    expect(passed.length).toBeGreaterThan(200);
  });

  it.each([
    [
      'nothing is flushed when an entry changes',
      {
        right: 'if ((old & PTE_V) !== 0 && visible)',
        wrong: 'if (old === 0 && visible)',
        must: ['PMAP-REMOVE-001', 'PMAP-PROTECT-001', 'PMAP-PAGEPROT-001', 'PMAP-KREMOVE-001'],
        spares: /^PMAP-(PORT|SPACE|CREATE|COUNT|EXTRACT|UNWIRE|ZERO|COPYPAGE|DESCRIBE)-/,
      },
    ],
    [
      'what is unwired is still counted as wired',
      {
        right: 'if (this.clear(map, va, PTE_WIRED)) map.wired--;',
        wrong: 'this.clear(map, va, PTE_WIRED);',
        must: ['PMAP-COUNT-002', 'PMAP-UNWIRE-001', 'PMAP-UNWIRE-002'],
        spares: /^PMAP-(PORT|SPACE|CREATE|ACTIVATE|EXTRACT|K?REMOVE|PROTECT|PAGEPROT|KENTER)-/,
      },
    ],
    [
      'the last page of a range stays in the kernel',
      {
        right: 'at < va + length; at += PAGE',
        wrong: 'at < va + length - PAGE; at += PAGE',
        must: ['PMAP-KENTER-001', 'PMAP-KREMOVE-001'],
        spares: /^PMAP-(PORT|SPACE|CREATE|ACTIVATE|EXTRACT|ENTER|REMOVE|PROTECT|UNWIRE|PAGEPROT)-/,
      },
    ],
  ])(
    'fails the cases that are about it, and spares those that are not, if %s',
    (_, { right, wrong, must, spares }) => {
      planted('pmap.ts', right, wrong, () => {
        const { code, outcomes } = tested('-t', DIRECTED);
        const failures = failed(outcomes);
        expect(failures).toEqual(expect.arrayContaining(must));
        expect(failures.filter((id) => spares.test(id))).toEqual([]);
        expect(code).toBe(1);
        // Beside what is wrong stand the calls that show it.
        expect(outcomes.get(must[0]!)!.message).toContain('bootBare(port');
      });
    },
  );
});
