// Only what needs the workspace's graph or its floors is asked of ESLint; oxlint has the other rules.
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

const tests = ['**/*.test.ts', '**/test/**/*.ts', '**/vitest.config.ts'];

/** The packages below floor 4, read from their tags, so that a new package is held from its first line. */
const belowFloor4 = readdirSync(new URL('packages/', import.meta.url)).filter((name) => {
  const manifest = new URL(`packages/${name}/package.json`, import.meta.url);
  return /^floor:[0-3]$/m.test(JSON.parse(readFileSync(manifest, 'utf8')).nx.tags.join('\n'));
});

const boundaries = (depConstraints) => [
  'error',
  { allow: [], enforceBuildableLibDependency: true, depConstraints },
];

const tools = { sourceTag: 'role:tool', onlyDependOnLibsWithTags: ['*'] };
const floor4 = {
  sourceTag: 'floor:4',
  onlyDependOnLibsWithTags: ['floor:0', 'floor:1', 'floor:2', 'floor:3'],
};

export default [
  { ignores: ['**/dist', '**/out-tsc', '**/coverage', '**/.pack'] },
  { linterOptions: { reportUnusedDisableDirectives: 'off' } },
  {
    files: ['**/*.ts'],
    languageOptions: { parser: tseslint.parser },
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': boundaries([
        { sourceTag: 'floor:0', onlyDependOnLibsWithTags: [] },
        { sourceTag: 'floor:1', onlyDependOnLibsWithTags: ['floor:0'] },
        { sourceTag: 'floor:2', onlyDependOnLibsWithTags: ['floor:0', 'role:core'] },
        { sourceTag: 'floor:3', onlyDependOnLibsWithTags: ['floor:0', 'role:core', 'floor:2'] },
        floor4,
        tools,
      ]),
    },
  },
  {
    // Tests may name ports, and nothing else that their package may not.
    files: tests,
    rules: {
      '@nx/enforce-module-boundaries': boundaries([
        { sourceTag: 'floor:0', onlyDependOnLibsWithTags: [] },
        {
          allSourceTags: ['floor:1', 'role:core'],
          onlyDependOnLibsWithTags: ['floor:0', 'role:port'],
        },
        {
          // A port that the kit itself is not tested with may run it.
          allSourceTags: ['floor:1', 'role:port'],
          onlyDependOnLibsWithTags: ['floor:0', 'role:port', 'role:kit'],
        },
        { sourceTag: 'floor:2', onlyDependOnLibsWithTags: ['floor:0', 'floor:1'] },
        { sourceTag: 'floor:3', onlyDependOnLibsWithTags: ['floor:0', 'floor:1', 'floor:2'] },
        floor4,
        tools,
      ]),
    },
  },
  {
    files: belowFloor4.map((name) => `packages/${name}/**/*.ts`),
    ignores: tests,
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: builtinModules.map((name) => ({
            name,
            message: 'Floors 0 to 3 run in a browser.',
          })),
          patterns: [{ regex: '^node:', message: 'Floors 0 to 3 run in a browser.' }],
        },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: "Time is the machine's virtual clock." },
        {
          object: 'Math',
          property: 'random',
          message: "Chance is the machine's seeded generator.",
        },
      ],
    },
  },
];
