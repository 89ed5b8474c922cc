import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { build, preview } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Copy, copyRepository } from '../src/copy.ts';
import { publishOutside } from '../src/outside.ts';
import { type Registry, startRegistry } from '../src/registry.ts';
import { run } from '../src/run.ts';
import { entriesOf, optionalPeers, publishedPackages, root } from '../src/workspace.ts';
import { Consumer, exampleOf } from './consumer.ts';

// A release on a copy of the repository, to a registry on loopback; then strangers who install from it.

const packages = publishedPackages();
const changesets = join(root, 'node_modules/@changesets/cli/bin.js');
const compilers = {
  'TypeScript 5.0, the oldest that is claimed': 'typescript-5.0',
  'TypeScript 7': 'ts7',
};

let copy: Copy;
let registry: Registry;
const consumers: Consumer[] = [];

function consumer(...install: string[]): Consumer {
  const made = new Consumer(registry);
  consumers.push(made);
  if (install.length > 0) made.install(...install);
  return made;
}

const changeset = (...args: string[]): string =>
  run(process.execPath, [changesets, ...args], { cwd: copy.root, env: registry.env });

/** The version that a registry gives to who asks for none, or null if it has no such package. */
async function latest(name: string): Promise<string | null> {
  const answer = await fetch(registry.url + encodeURIComponent(name));
  if (answer.status === 404) return null;
  return ((await answer.json()) as { 'dist-tags': { latest: string } })['dist-tags'].latest;
}

const manifestOf = (folder: string): { readonly version: string } =>
  JSON.parse(readFileSync(`${copy.root}${folder}/package.json`, 'utf8')) as { version: string };

const readmeOf = (folder: string): string => readFileSync(`${root}${folder}/README.md`, 'utf8');

const versions = (): Record<string, string> =>
  Object.fromEntries(
    packages.map(({ folder, manifest }) => [manifest.name, manifestOf(folder).version]),
  );

beforeAll(async () => {
  registry = await startRegistry();
  publishOutside(registry);
  copy = copyRepository(true);
  changeset('version');
  copy.git('add', '--all');
  copy.git('commit', '--quiet', '-m', 'Release');
  changeset('publish');
});

afterAll(async () => {
  for (const made of consumers) made.close();
  copy.close();
  await registry.close();
});

describe('a release', () => {
  it('publishes every package, and tags it', async () => {
    for (const [name, version] of Object.entries(versions())) {
      expect(await latest(name), name).toBe(version);
      expect(copy.git('tag', '--list', `${name}@${version}`)).not.toBe('');
    }
  });

  it('publishes nothing private', async () => {
    for (const name of ['@uvmkit/bench', '@uvmkit/docs', '@uvmkit/house', '@uvmkit/release'])
      expect(await latest(name), name).toBeNull();
  });

  it('publishes nothing when it is run again', () => {
    expect(changeset('publish')).not.toMatch(/Publishing/);
  });
});

describe.each(packages)('a reader of $manifest.name', ({ folder, manifest }) => {
  const { install, code, output } = exampleOf(readmeOf(folder), manifest.name);
  let project: Consumer;

  beforeAll(() => {
    project = consumer(...install);
    project.write('example.mjs', code);
  });

  it('installs what the README says, the package with it', () => {
    expect(install).toContain(manifest.name);
    expect(project.installed(manifest.name)).toBe(versions()[manifest.name]);
  });

  it('runs the example as it stands, and sees what it says', () => {
    expect(output).not.toBe('');
    expect(project.run(process.execPath, 'example.mjs')).toBe(output);
  });

  it('runs it on the newest Node', (test) => {
    const newest = newestNode();
    if (newest === null) return test.skip('npm has no Node for this host, or cannot be reached');
    expect(project.run(newest, 'example.mjs')).toBe(output);
  });
});

describe.each(Object.entries(compilers))('%s', (_, compiler) => {
  let project: Consumer;

  /** Compiles modules in one of the two ways in which packages of today are found. */
  const compile = (module: 'nodenext' | 'bundler', files: readonly string[]): string => {
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: 'es2022',
      lib: ['es2022', 'dom'],
      types: [],
      module: module === 'bundler' ? 'esnext' : 'nodenext',
      moduleResolution: module,
    };
    project.write('tsconfig.json', JSON.stringify({ compilerOptions, files }));
    return project.run(
      process.execPath,
      join(root, 'node_modules', compiler, 'bin/tsc'),
      '-p',
      '.',
    );
  };

  beforeAll(() => {
    project = consumer(...packages.map(({ manifest }) => manifest.name));
    for (const { folder, manifest } of packages) {
      const { code } = exampleOf(readmeOf(folder), manifest.name);
      project.write(`${folder}.mts`, `${code}export {};\n`);
    }
    // An entry for a library needs that library, which this registry has not.
    const specifiers = packages.flatMap((pkg) =>
      entriesOf(pkg)
        .map(({ specifier }) => specifier)
        .filter((name) => !optionalPeers(pkg).some((peer) => name.endsWith(`/${peer}`))),
    );
    const lines = specifiers.map((specifier, i) => `export * as entry${i} from '${specifier}';\n`);
    project.write('entries.mts', lines.join(''));
    project.write(
      'wrong.mts',
      "import { i386 } from '@uvmkit/pmap-i386';\nexport const port: string = i386();\n",
    );
  });

  it.each(['nodenext', 'bundler'] as const)(
    'compiles every example and every entry under %s, with the libraries checked',
    (module) => {
      const files = ['entries.mts', ...packages.map(({ folder }) => `${folder}.mts`)];
      expect(compile(module, files)).toBe('');
    },
  );

  it.each(['nodenext', 'bundler'] as const)('finds a wrong type under %s', (module) => {
    expect(() => compile(module, ['wrong.mts'])).toThrow('TS2322');
  });
});

describe('the command', () => {
  it('replays a recorded program on every MMU from an installation', () => {
    const project = consumer('@uvmkit/cli');
    const reports = JSON.parse(
      project.run(
        'npx',
        'uvmkit',
        'replay',
        '--arch',
        'all',
        '--json',
        join('node_modules/@uvmkit/cli/recordings/locker.vmt.gz'),
      ),
    ) as { readonly ok: boolean }[];
    expect(reports.length).toBeGreaterThanOrEqual(6);
    expect(reports.filter(({ ok }) => !ok)).toEqual([]);
  });
});

describe('ports', () => {
  // The application names no port: who starts it does.
  const app = `
import { Machine } from '@uvmkit/machine';
import { MAP_ANON, MAP_PRIVATE } from '@uvmkit/uvm-core';
const [module, name] = process.env.PORT.split('#');
const port = (await import(module))[name]();
const machine = new Machine({ port, memory: 16 << 20, seed: 1 });
const parent = machine.spawn();
const { value: va } = parent.sys.mmap(0, 65536, 3, MAP_ANON | MAP_PRIVATE);
parent.store32(va, 1);
const child = machine.processes.get(parent.sys.fork().value);
child.store32(va, 2);
console.log(port.name, parent.load32(va), child.load32(va));
`;

  it('are swapped without touching what uses them', () => {
    const ports = packages.filter(({ manifest }) => manifest.nx.tags.includes('role:port'));
    const project = consumer(
      '@uvmkit/machine',
      '@uvmkit/uvm-core',
      ...ports.map(({ manifest }) => manifest.name),
    );
    project.write('app.mjs', app);
    const factories = [
      'i386#i386',
      'alpha#alpha',
      'sparc#sun4c',
      'sparc#srmmu',
      'powerpc#oea',
      'powerpc#ibm4xx',
    ];
    const told = factories.map((factory) =>
      project.run('env', `PORT=@uvmkit/pmap-${factory}`, process.execPath, 'app.mjs'),
    );
    expect(new Set(told).size).toBe(factories.length);
    for (const line of told) expect(line).toMatch(/^\S+ 1 2$/);
  });
});

describe('a browser', () => {
  it('answers from UVM on a port, bundled by Vite', async () => {
    const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
    if (!existsSync(executablePath))
      throw new Error(`no Chromium at ${executablePath}: install Debian's, or set CHROMIUM_PATH`);
    const { install, code, output } = exampleOf(readmeOf('packages/uvm-core'), '@uvmkit/uvm-core');
    const project = consumer(...install);
    project.write('main.js', code);
    project.write('index.html', '<!doctype html><script type="module" src="/main.js"></script>\n');
    await build({ root: project.folder, configFile: false, logLevel: 'error' });
    const server = await preview({
      root: project.folder,
      configFile: false,
      logLevel: 'error',
      preview: { port: 0, host: '127.0.0.1' },
    });
    const browser = await chromium.launch({
      executablePath,
      headless: true,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    });
    try {
      const page = await browser.newPage();
      const said: string[] = [];
      page.on('console', (message) => said.push(message.text()));
      page.on('pageerror', (error) => said.push(String(error)));
      await page.goto(server.resolvedUrls!.local[0]!, { waitUntil: 'networkidle' });
      // The icon that every browser asks for is not there.
      expect(said.filter((line) => !line.includes('404')).join('\n')).toBe(output);
    } finally {
      await browser.close();
      await server.close();
    }
  });
});

// These change the copy, so they come last and in this order.
describe('the next release', () => {
  const change = (name: string, step: string): void => {
    const text = `---\n'${name}': ${step}\n---\n\nA change of ${name}.\n`;
    writeFileSync(`${copy.root}.changeset/next.md`, text);
    changeset('version');
    copy.git('add', '--all');
    copy.git('commit', '--quiet', '-m', 'Release');
  };
  const changelog = (name: string): string =>
    readFileSync(`${copy.root}packages/${name.slice('@uvmkit/'.length)}/CHANGELOG.md`, 'utf8');

  it('of one port is a release of that port alone', () => {
    const before = versions();
    change('@uvmkit/pmap-i386', 'patch');
    const after = versions();
    expect(Object.keys(after).filter((name) => after[name] !== before[name])).toEqual([
      '@uvmkit/pmap-i386',
    ]);
    changeset('publish');
    const project = consumer('@uvmkit/cli', '@uvmkit/pmap-i386');
    expect(project.installed('@uvmkit/pmap-i386')).toBe(after['@uvmkit/pmap-i386']);
    expect(project.installed('@uvmkit/cli')).toBe(before['@uvmkit/cli']);
  });

  it('of the interface releases what depends on it, and each changelog says so', () => {
    const before = versions();
    change('@uvmkit/pmap', 'minor');
    const after = versions();
    expect(Object.keys(after).filter((name) => after[name] === before[name])).toEqual([]);
    for (const name of Object.keys(after)) {
      const section = changelog(name).split(/^## /m)[1]!;
      expect(section, name).toContain(after[name]!);
      if (name !== '@uvmkit/pmap')
        expect(section, name).toContain(`@uvmkit/pmap@${after['@uvmkit/pmap']}`);
    }
    changeset('publish');
    const project = consumer('@uvmkit/machine');
    expect(project.installed('@uvmkit/pmap')).toBe(after['@uvmkit/pmap']);
  });
});

let found: string | null | undefined;

/** The newest Node that npm has, as the path of its program; null if npm cannot be reached. */
function newestNode(): string | null {
  if (found !== undefined) return found;
  try {
    const args = ['--yes', '--package', 'node@latest', 'node', '-p', 'process.execPath'];
    found = execFileSync('npx', args, {
      encoding: 'utf8',
      stdio: 'pipe',
      cwd: '/',
      timeout: 120_000,
    }).trim();
  } catch {
    found = null;
  }
  return found;
}
