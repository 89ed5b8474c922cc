// @ts-check
// Nx loads a generator as it stands, and Node 20 loads no TypeScript: so this is JavaScript, with its types in comments.
import { fileURLToPath } from 'node:url';
import { generateFiles, logger, readJson, updateJson, writeJson } from '@nx/devkit';

/** A port that is kept in shape: the new package's settings are made of this one's. */
const MODEL = 'packages/pmap-i386';
/** Settings that are the same in every port, save its name. */
const SETTINGS = [
  'LICENSE',
  'tsconfig.json',
  'tsconfig.lib.json',
  'tsconfig.test.json',
  'vitest.config.ts',
];
const KIT = '@uvmkit/conformance';

/**
 * Lays out `packages/pmap-NAME`: the five files of a port, whose methods throw that they are not written yet, and a
 * test that runs the conformance kit on it.
 *
 * @param {import('@nx/devkit').Tree} tree
 * @param {{ readonly name: string }} options
 * @returns {Promise<() => void>} tells what to do next
 * @throws Error if the name is none for a port, or is taken
 */
export async function portGenerator(tree, { name }) {
  checkName(tree, name);
  const folder = `packages/pmap-${name}`;
  for (const file of SETTINGS) {
    const text = tree.read(`${MODEL}/${file}`, 'utf8');
    if (text === null) throw new Error(`${MODEL}/${file} is not there to be copied`);
    tree.write(`${folder}/${file}`, text.replaceAll('pmap-i386', `pmap-${name}`));
  }
  const tests = `${folder}/tsconfig.test.json`;
  tree.write(
    tests,
    withReference(tree.read(tests, 'utf8') ?? '', '../conformance/tsconfig.lib.json'),
  );
  writeJson(tree, `${folder}/package.json`, manifest(tree, name));
  const files = fileURLToPath(new URL('files', import.meta.url));
  const upper = name.toUpperCase();
  generateFiles(tree, files, folder, { name, Name: upper[0] + name.slice(1), NAME: upper });
  updateJson(tree, 'tsconfig.json', (config) => ({
    ...config,
    references: [...config.references, { path: `./${folder}` }].toSorted((a, b) =>
      a.path < b.path ? -1 : 1,
    ),
  }));
  return () => logger.info(nextSteps(name));
}

/**
 * @param {import('@nx/devkit').Tree} tree
 * @param {unknown} name
 */
function checkName(tree, name) {
  if (typeof name !== 'string' || !/^[a-z][a-z0-9]{0,15}$/.test(name))
    throw new Error(
      `A port's name is 1 to 16 small letters and digits, a letter first (vax, mips3); given "${String(name)}".`,
    );
  const folder = `packages/pmap-${name}`;
  if (tree.exists(folder)) throw new Error(`${folder} is there already; nothing was changed.`);
}

/**
 * A tsconfig with one more reference, in the layout that it has.
 *
 * @param {string} text
 * @param {string} path
 */
function withReference(text, path) {
  const last = text.lastIndexOf('}\n  ]');
  if (last < 0) throw new Error(`no references in ${text}`);
  return `${text.slice(0, last)}},\n    {\n      "path": "${path}"\n    ${text.slice(last)}`;
}

/**
 * @param {import('@nx/devkit').Tree} tree
 * @param {string} name
 */
function manifest(tree, name) {
  const { dependencies, engines, nx, ...model } = readJson(tree, `${MODEL}/package.json`);
  const range = dependencies['@uvmkit/pmap'];
  return {
    ...model,
    name: `@uvmkit/pmap-${name}`,
    version: '0.1.0',
    description: `A model of the ${name} MMU and a pmap for it`,
    dependencies: { '@uvmkit/pmap': range },
    devDependencies: { [KIT]: range },
    engines,
    nx,
  };
}

/** @param {string} name */
function nextSteps(name) {
  return `
packages/pmap-${name} is laid out. Next:

  npm install                                  links it, and enters it into package-lock.json
  npx nx build @uvmkit/pmap-${name}
  npx vitest run --project pmap-${name}           red: each case says what is not written yet

packages/docs/porting.md goes on from there.
`;
}
