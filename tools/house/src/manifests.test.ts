import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { floorOf, projects, readJson, root, runtimeDependencies } from './workspace.ts';

const packages = projects('packages');
const tools = projects('tools');
const byName = new Map(packages.map((project) => [project.manifest.name, project]));

interface TsConfig {
  readonly references?: readonly { readonly path: string }[];
}

/** The folders, from the root, that a tsconfig of `folder` refers to, itself left out. */
function references(folder: string, file: string): string[] {
  const config = readJson<TsConfig>(`${folder}/${file}`);
  return (config.references ?? [])
    .map(({ path }) => new URL(path, new URL(`${folder}/`, root)).pathname)
    .map((path) => path.slice(root.pathname.length).replace(/\/tsconfig\.lib\.json$/, ''))
    .filter((path) => path !== folder)
    .toSorted();
}

const readText = (path: string) => readFileSync(new URL(path, root), 'utf8');

/** The sources of a package, but for those of the entries named and for tests. */
function sourcesBut(folder: string, entries: readonly string[]): string {
  return readdirSync(new URL(`${folder}/src/`, root), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .filter((name) => !entries.includes(name.replace(/\.ts$/, '')))
    .map((name) => readText(`${folder}/src/${name}`))
    .join('\n');
}

const foldersOf = (names: readonly string[]) =>
  names.flatMap((name) => byName.get(name)?.folder ?? []).toSorted();

describe('the top level', () => {
  it('holds packages, tools, and the files that tools insist on', () => {
    const generated = ['node_modules', 'reports', 'coverage'];
    const visible = readdirSync(root).filter(
      (name) => !name.startsWith('.') && !generated.includes(name),
    );
    expect(visible.toSorted()).toEqual(
      [
        'CONTRIBUTING.md',
        'LICENSE',
        'README.md',
        'eslint.config.js',
        'nx.json',
        'package-lock.json',
        'package.json',
        'packages',
        'tools',
        'tsconfig.base.json',
        'tsconfig.json',
        'vitest.config.ts',
      ].toSorted(),
    );
  });

  it('locks versions without naming a host to fetch them from', () => {
    expect(
      readText('package-lock.json').match(/"resolved": "(?!packages\/|tools\/).*/g),
    ).toBeNull();
  });
});

describe.each(packages)('$folder', (project) => {
  const { folder, manifest } = project;
  const floor = floorOf(project);

  it('stands on one floor', () => {
    expect(manifest.nx.tags.filter((tag) => /^floor:[0-4]$/.test(tag))).toHaveLength(1);
    expect(manifest.nx.tags.includes('role:port')).toBe(folder.startsWith('packages/pmap-'));
  });

  it('can be published alone', () => {
    expect(manifest.name).toBe(folder.replace('packages', '@uvmkit'));
    expect(manifest.private).toBeUndefined();
    expect(manifest.license).toBe('BSD-2-Clause');
    expect(readText(`${folder}/LICENSE`)).toBe(readText('LICENSE'));
    expect(manifest.sideEffects).toBe(false);
    expect(manifest.engines).toEqual({ node: '>=20.19' });
    expect(manifest.files).toEqual(expect.arrayContaining(['dist', 'src', '!**/*.test.ts']));
  });

  it('shows its sources to the workspace only, by a condition of its own', () => {
    const entries = Object.entries(manifest.exports ?? {}).filter(
      ([, to]) => typeof to !== 'string',
    );
    expect(entries.length).toBeGreaterThan(0);
    for (const [, conditions] of entries)
      expect(Object.keys(conditions)).toEqual(['@uvmkit/source', 'types', 'default']);
  });

  it('depends on lower floors only, and on nothing outside below floor 4', () => {
    for (const name of runtimeDependencies(project)) {
      const target = byName.get(name);
      if (target === undefined) expect([floor, name]).toEqual([4, name]);
      else expect(floorOf(target), name).toBeLessThan(floor!);
    }
  });

  it('asks for something from outside only in an entry of its own, whose name it is', () => {
    const outside = Object.keys(manifest.peerDependencies ?? {}).filter(
      (name) => !byName.has(name),
    );
    const entries = Object.keys(manifest.exports ?? {});
    expect(entries).toEqual(expect.arrayContaining(outside.map((name) => `./${name}`)));
    const text = outside.length === 0 ? '' : sourcesBut(folder, outside);
    for (const name of outside) expect(text).not.toMatch(new RegExp(`from '${name}'`));
  });

  it('ships with no port, unless a person runs it', () => {
    const ports = runtimeDependencies(project).filter((name) => name.startsWith('@uvmkit/pmap-'));
    expect(floor === 4 ? [] : ports).toEqual([]);
  });

  it('refers in its tsconfigs to the packages it depends on', () => {
    expect(references(folder, 'tsconfig.lib.json')).toEqual(
      foldersOf(runtimeDependencies(project)),
    );
    const forTests = foldersOf(Object.keys(manifest.devDependencies ?? {}));
    expect(references(folder, 'tsconfig.test.json')).toEqual(forTests);
  });
});

describe.each(tools)('$folder', ({ folder, manifest }) => {
  it('is a private tool', () => {
    expect(manifest.private).toBe(true);
    expect(manifest.nx.tags).toEqual(['role:tool']);
  });

  it('refers in its tsconfig to the packages it depends on', () => {
    const names = Object.keys(manifest.dependencies ?? {});
    expect(references(folder, 'tsconfig.lib.json')).toEqual(foldersOf(names));
  });
});

it('every project is referred to by the root tsconfig', () => {
  expect(references('.', 'tsconfig.json')).toEqual(
    [...packages, ...tools].map(({ folder }) => folder).toSorted(),
  );
});

it('the compiler on the path is the native one', () => {
  const version = readJson<{ version: string }>('node_modules/ts7/package.json');
  expect(version.version).toMatch(/^7\./);
  // Several compilers are installed, and each would be called tsc; `npm rebuild ts7` puts this one back.
  expect(realpathSync(new URL('node_modules/.bin/tsc', root))).toContain('node_modules/ts7/');
});
