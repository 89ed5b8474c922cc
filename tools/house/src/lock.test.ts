import { expect, it } from 'vitest';
import { type Lock, missingFromLock } from './lock.ts';
import { readJson } from './workspace.ts';

it('the lock file has every build of every native tool (or run `npm run lock`)', () => {
  expect(Object.keys(missingFromLock(readJson<Lock>('package-lock.json')))).toEqual([]);
});

it('a build that npm left out is locked for its platform', () => {
  const packages = {
    '': {},
    'node_modules/tool': {
      version: '1.2.3',
      dev: true,
      engines: { node: '>=20' },
      optionalDependencies: {
        '@tool/binding-linux-arm64-musl': '1.2.3',
        '@tool/binding-win32-x64-msvc': '1.2.3',
        '@tool/darwin-arm64': '1.2.3',
        '@tool/linux-x64': '1.2.3',
      },
    },
    'node_modules/@tool/linux-x64': { version: '1.2.3' },
  };
  const common = { version: '1.2.3', dev: true, optional: true, engines: { node: '>=20' } };
  expect(missingFromLock({ packages })).toEqual({
    'node_modules/@tool/binding-linux-arm64-musl': {
      ...common,
      cpu: ['arm64'],
      libc: ['musl'],
      os: ['linux'],
    },
    'node_modules/@tool/binding-win32-x64-msvc': { ...common, cpu: ['x64'], os: ['win32'] },
    'node_modules/@tool/darwin-arm64': { ...common, cpu: ['arm64'], os: ['darwin'] },
  });
});

it('an optional dependency nested in its asker, or in a folder above it, is there', () => {
  const asker = { version: '1.0.0', optionalDependencies: { b: '1.0.0' } };
  const b = { version: '1.0.0' };
  const at = (path: string) => ({ [path]: b });
  const nested = 'node_modules/x/node_modules/@s/a';
  for (const path of [
    `${nested}/node_modules/b`,
    'node_modules/x/node_modules/b',
    'node_modules/b',
  ])
    expect(missingFromLock({ packages: { [nested]: asker, ...at(path) } }), path).toEqual({});
  const elsewhere = { [nested]: asker, ...at('node_modules/y/node_modules/b') };
  expect(Object.keys(missingFromLock({ packages: elsewhere }))).toEqual(['node_modules/b']);
});
