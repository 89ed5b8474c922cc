import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { undocumented } from './docstrings.ts';
import { projects, root } from './workspace.ts';

// Whoever imports a name is told what it is where they stand. Links in it are held by `npm run docs`.

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  customConditions: ['@uvmkit/source'],
  allowImportingTsExtensions: true,
  noEmit: true,
  strict: true,
  types: [],
};

/** The sources of what others can import, of every published package. */
const modules = projects('packages').flatMap(({ folder, manifest }) =>
  Object.values(manifest.exports ?? {}).flatMap((conditions) =>
    typeof conditions === 'string'
      ? []
      : [fileURLToPath(new URL(`${folder}/${conditions['@uvmkit/source']}`, root))],
  ),
);

it('every exported name has a docstring', () => {
  expect(modules.length).toBeGreaterThan(10);
  const bare = undocumented(ts.createProgram(modules, options), modules);
  expect(bare.map((found) => found.slice(fileURLToPath(root).length))).toEqual([]);
}, 120_000);

/** What is found bare in a module that is nowhere but here. */
function bareIn(text: string): string[] {
  const host = ts.createCompilerHost({});
  const files = new Map([
    ['/planted.ts', text],
    [
      '/space.ts',
      '/** A space. */\n\n/** Told. */\nexport const told = 1;\n\nexport const bare = 1;\n',
    ],
  ]);
  host.fileExists = (path) => files.has(path);
  host.getSourceFile = (path, version) => {
    const found = files.get(path);
    return found === undefined ? undefined : ts.createSourceFile(path, found, version, true);
  };
  const program = ts.createProgram(
    ['/planted.ts'],
    {
      ...options,
      noLib: true,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
    },
    host,
  );
  return undocumented(program, ['/planted.ts']).map((found) => found.slice('/planted.ts '.length));
}

it.each([
  ['a function', 'export function f(): void {}', ['f']],
  ['a constant', 'export const c = 1;', ['c']],
  ['a type', 'export type T = 1;', ['T']],
  ['a told one', '/** Told. */\nexport const c = 1;', []],
  ['a comment of another kind', '// Not told.\nexport const c = 1;', ['c']],
  ['an empty docstring', '/** */\nexport const c = 1;', ['c']],
  ['what is not exported', 'const c = 1;\nexport {};', []],
  ['a re-export', "export { bare } from './space.ts';", ['bare']],
  ['a namespace', "export * as space from './space.ts';", ['space.bare']],
  ['a class', 'export class C {}', ['C']],
  ['a type and its values', '/** Told. */\nexport type T = 1;\nexport const c: T = 1;', []],
  ['a default', 'export default function (): void {}', ['default']],
  [
    'a group',
    '/** Told. */\nexport const c = 1;\nexport const d = 2; // Not told.\nconst e = 1;\nexport const f = 3;',
    [],
  ],
  [
    'what comes after a group',
    '/** Told. */\nexport const c = 1;\n\nexport const d = 2;\nexport const e = 2;',
    ['d', 'e'],
  ],
  [
    'what is below another thing',
    '/** Told. */\nexport interface I {}\nexport const d = 2;',
    ['d'],
  ],
  ['a group of no docstring', '// Not told.\nexport const c = 1;\nexport const d = 2;', ['c', 'd']],
])('%s is seen for what it is', (_, text, bare) => {
  expect(bareIn(text)).toEqual(bare);
});

it('a module that is not there is an error', () => {
  expect(() => undocumented(ts.createProgram([], {}), ['/gone.ts'])).toThrow(
    '/gone.ts is no module of the program',
  );
});
