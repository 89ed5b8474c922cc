import { fileURLToPath } from 'node:url';
import { createProjectGraphAsync } from '@nx/devkit';
import { ESLint } from 'eslint';
import { beforeAll, describe, expect, it } from 'vitest';
import { root } from './workspace.ts';

// The real configuration, over text that is in no file: what a forbidden import is told.

const boundary = '@nx/enforce-module-boundaries';
const eslint = new ESLint({ cwd: fileURLToPath(root) });

async function lint(filePath: string, text: string): Promise<(string | null)[]> {
  const [result] = await eslint.lintText(text, {
    filePath: fileURLToPath(new URL(filePath, root)),
  });
  expect(result?.fatalErrorCount).toBe(0);
  return result!.messages.map((message) => message.ruleId);
}

const sideEffectOf = (name: string) => `import '${name}';\n`;

beforeAll(async () => {
  // The boundary rule reads the graph from Nx's cache and is silent where there is none.
  process.env['NX_DAEMON'] = 'false';
  await createProjectGraphAsync({ exitOnError: false });
  await lint('packages/pmap-i386/src/warm.ts', 'export {};\n');
}, 120_000);

describe('an import that goes up or sideways fails the lint', () => {
  it.each([
    ['the interface importing a port', 'packages/pmap/src/x.ts', '@uvmkit/pmap-i386'],
    ['a port importing uvm-core', 'packages/pmap-i386/src/x.ts', '@uvmkit/uvm-core'],
    ['a port importing another port', 'packages/pmap-i386/src/x.ts', '@uvmkit/pmap-sparc'],
    ['uvm-core importing a port', 'packages/uvm-core/src/x.ts', '@uvmkit/pmap-i386'],
    ['uvm-core importing machine', 'packages/uvm-core/src/x.ts', '@uvmkit/machine'],
    ['machine importing a port', 'packages/machine/src/x.ts', '@uvmkit/pmap-alpha'],
    ['machine importing replay', 'packages/machine/src/x.ts', '@uvmkit/replay'],
    ['replay importing a port', 'packages/replay/src/x.ts', '@uvmkit/pmap-powerpc'],
    ['replay importing the cli', 'packages/replay/src/x.ts', '@uvmkit/cli'],
    ['a test of a port importing uvm-core', 'packages/pmap-i386/src/x.test.ts', '@uvmkit/uvm-core'],
    ['a test of uvm-core importing machine', 'packages/uvm-core/test/x.ts', '@uvmkit/machine'],
    ['a path into another package', 'packages/machine/src/x.ts', '../../uvm-core/src/index.ts'],
  ])('%s', async (_, file, target) => {
    expect(await lint(file, sideEffectOf(target))).toEqual([boundary]);
  });

  it('also when only a type is imported, or the import is dynamic', async () => {
    const file = 'packages/machine/src/x.ts';
    const type = "import type { Port } from '@uvmkit/pmap-i386';\nexport type P = Port;\n";
    expect(await lint(file, type)).toEqual([boundary]);
    expect(await lint(file, "await import('@uvmkit/pmap-i386');\n")).toEqual([boundary]);
  });
});

describe('an import that goes down passes the lint', () => {
  it.each([
    ['a port importing the interface', 'packages/pmap-i386/src/x.ts', '@uvmkit/pmap'],
    ['uvm-core importing the interface', 'packages/uvm-core/src/x.ts', '@uvmkit/pmap'],
    ['machine importing uvm-core', 'packages/machine/src/x.ts', '@uvmkit/uvm-core'],
    ['replay importing machine', 'packages/replay/src/x.ts', '@uvmkit/machine'],
    ['the cli importing a port', 'packages/cli/src/x.ts', '@uvmkit/pmap-i386'],
    ['a test of machine naming a port', 'packages/machine/src/x.test.ts', '@uvmkit/pmap-i386'],
    ['a test of replay naming a port', 'packages/replay/test/x.ts', '@uvmkit/pmap-i386'],
    ['a bench naming a port', 'tools/bench/src/x.ts', '@uvmkit/pmap-i386'],
  ])('%s', async (_, file, target) => {
    expect(await lint(file, sideEffectOf(target))).toEqual([]);
  });
});

describe('below floor 4', () => {
  it.each(['node:fs', 'node:buffer', 'fs', 'fs/promises'])('%s is refused', async (target) => {
    for (const folder of ['pmap', 'pmap-i386', 'uvm-core', 'machine', 'replay']) {
      const found = await lint(`packages/${folder}/src/x.ts`, sideEffectOf(target));
      expect(found, folder).toEqual(['no-restricted-imports']);
    }
  });

  it.each(['Date.now()', 'Math.random()'])('%s is refused', async (call) => {
    for (const folder of ['pmap', 'pmap-i386', 'uvm-core', 'machine', 'replay']) {
      const found = await lint(
        `packages/${folder}/src/x.ts`,
        `export const x: number = ${call};\n`,
      );
      expect(found, folder).toEqual(['no-restricted-properties']);
    }
  });

  it('tests may use the host', async () => {
    const text = "import 'node:fs';\nexport const x: number = Date.now();\n";
    expect(await lint('packages/machine/src/x.test.ts', text)).toEqual([]);
    expect(await lint('packages/machine/test/x.ts', text)).toEqual([]);
  });

  it('floor 4 and the tools may use the host', async () => {
    const text = "import 'node:fs';\nexport const x: number = Date.now();\n";
    expect(await lint('packages/cli/src/x.ts', text)).toEqual([]);
    expect(await lint('tools/bench/src/x.ts', text)).toEqual([]);
  });
});
