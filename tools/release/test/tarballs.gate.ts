import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, describe, expect, it } from 'vitest';
import { entriesOf, optionalPeers, publishedPackages, root } from '../src/workspace.ts';
import { bundle } from './bundle.ts';
import { unpackAll } from './tarballs.ts';

// The packages as npm packs them: nothing that was not meant to ship, nothing that does not resolve.

const scratch = mkdtempSync(join(tmpdir(), 'uvmkit-tarballs-'));
const tarballs = unpackAll(scratch);
const names = new Set(publishedPackages().map(({ manifest }) => manifest.name));
const budgets = JSON.parse(readFileSync(`${root}tools/release/budgets.json`, 'utf8')) as Record<
  string,
  number
>;

afterAll(() => rmSync(scratch, { recursive: true }));

/** What a module or its declarations import, as it is written there. */
function importsOf(code: string): string[] {
  return ts.preProcessFile(code).importedFiles.map(({ fileName }) => fileName);
}

describe.each(tarballs)('$manifest.name', ({ manifest, files, folder, pkg }) => {
  const sources = files.filter((path) => path.startsWith('src/'));
  const read = (path: string): string => readFileSync(join(folder, path), 'utf8');

  it('ships its sources, what is built of each, and no other files', () => {
    const around = ['LICENSE', 'README.md', 'package.json'];
    const built = sources.flatMap((path) => {
      const stem = path.replace(/^src\//, 'dist/').replace(/\.ts$/, '');
      return [`${stem}.d.ts`, `${stem}.d.ts.map`, `${stem}.js`, `${stem}.js.map`];
    });
    const data = files.filter((path) => /^recordings\/[\w-]+\.vmt\.gz$/.test(path));
    expect(data.length > 0).toBe(manifest.bin !== undefined);
    const changelog = files.filter((path) => path === 'CHANGELOG.md');
    expect(files).toEqual([...around, ...changelog, ...built, ...sources, ...data].toSorted());
    expect(sources.filter((path) => /\.test(-d)?\.ts$|\/test\//.test(path))).toEqual([]);
  });

  it('imports what it declares and, below floor 4, nothing from outside the repository', () => {
    const declared = Object.keys(manifest.dependencies ?? {});
    const peers = optionalPeers(pkg);
    expect(Object.keys(manifest.peerDependencies ?? {})).toEqual(peers);
    if (!manifest.nx.tags.includes('floor:4'))
      expect(declared.filter((name) => !names.has(name))).toEqual([]);
    const imported = files
      .filter((path) => path.endsWith('.js') || path.endsWith('.d.ts'))
      .flatMap((path) => importsOf(read(path)))
      .filter((specifier) => !specifier.startsWith('.'))
      .filter((specifier) => manifest.bin === undefined || !specifier.startsWith('node:'))
      .map((specifier) => /^(@[^/]+\/)?[^/]+/.exec(specifier)![0]);
    expect(
      [...new Set(imported)].filter((name) => ![...declared, ...peers].includes(name)),
    ).toEqual([]);
    // What a dependency works with if it is there may be brought along for it.
    const brought = tarballs
      .filter((other) => declared.includes(other.manifest.name))
      .flatMap((other) => optionalPeers(other.pkg));
    expect(declared.filter((name) => ![...imported, ...brought].includes(name))).toEqual([]);
  });

  it('asks for optional libraries by an entry of their own only', async () => {
    const asked: string[] = [];
    const main = pkg.manifest.name;
    await bundle(scratch, `export * from '${main}';\n`, (id) => {
      const outside = !id.startsWith('.') && !id.startsWith('/') && id !== main;
      if (outside) asked.push(id);
      return outside;
    });
    expect(asked.filter((id) => optionalPeers(pkg).includes(id))).toEqual([]);
  });

  it('asks for its dependencies by ranges that a registry knows', () => {
    for (const range of Object.values(manifest.dependencies ?? {}))
      expect(range).toMatch(/^\^\d+\.\d+\.\d+$/);
  });

  it('tells where each line came from', () => {
    for (const path of files.filter((name) => name.endsWith('.map'))) {
      const map = JSON.parse(read(path)) as { readonly sources: readonly string[] };
      for (const source of map.sources) expect(files, path).toContain(join(path, '..', source));
    }
  });

  it.each(entriesOf(pkg))('keeps $specifier in its budget', async ({ specifier }) => {
    const { gzip } = await bundle(
      scratch,
      `export * from '${specifier}';\n`,
      (id) => !id.startsWith('.') && !id.startsWith('/') && id !== specifier,
    );
    const budget = budgets[specifier];
    expect(budget, `tools/release/budgets.json has nothing for ${specifier}`).toBeDefined();
    expect(gzip, `bytes of ${specifier}, minified and compressed`).toBeLessThanOrEqual(budget!);
  });
});

it('budgets are kept of what is exported, and of nothing else', () => {
  const specifiers = publishedPackages().flatMap((pkg) => entriesOf(pkg));
  expect(Object.keys(budgets).toSorted()).toEqual(
    specifiers.map(({ specifier }) => specifier).toSorted(),
  );
});

describe('an import takes along what it uses only', () => {
  const inPackage = (modules: readonly string[]): string[] =>
    modules.map((id) => id.split('/node_modules/')[1]!).filter((id) => id !== undefined);

  it.each([
    ['@uvmkit/pmap-i386', 'decodePte', 'dist/pte.js'],
    ['@uvmkit/pmap-alpha', 'decodePte', 'dist/pte.js'],
    ['@uvmkit/pmap-riscv', 'SV39', 'dist/sv39/pte.js'],
    ['@uvmkit/pmap-sparc/srmmu', 'pte.makePte', 'dist/srmmu/pte.js'],
    ['@uvmkit/pmap-sparc/sun4c', 'pte.makePte', 'dist/sun4c/pte.js'],
    ['@uvmkit/pmap-powerpc/oea', 'decodePte', 'dist/oea/pte.js'],
    ['@uvmkit/pmap-powerpc/ibm4xx', 'decodeTte', 'dist/ibm4xx/pte.js'],
  ])('the formats of %s come without its pmap and its MMU', async (specifier, codec, file) => {
    const { modules, gzip } = await bundle(
      scratch,
      `import { ${codec.split('.')[0]} } from '${specifier}';\nexport const codec = ${codec};\n`,
    );
    const name = specifier.split('/').slice(0, 2).join('/');
    expect(inPackage(modules)).toContain(`${name}/${file}`);
    const software = /\/(mmu|pmap|port|trap|tables|map)\.js$/;
    expect(inPackage(modules).filter((id) => software.test(id))).toEqual([]);
    expect(gzip).toBeLessThan(1000);
  });

  it('one MMU of a package comes without the other', async () => {
    const { modules } = await bundle(scratch, "export { sun4c } from '@uvmkit/pmap-sparc';\n");
    expect(inPackage(modules).filter((id) => id.includes('/srmmu/'))).toEqual([]);
    expect(inPackage(modules)).toContain('@uvmkit/pmap-sparc/dist/sun4c/pmap.js');
  });
});
