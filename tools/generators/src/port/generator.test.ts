import { rmSync } from 'node:fs';
import type { Tree } from '@nx/devkit';
import { createTree } from '@nx/devkit/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkspaceCopy } from '../../test/copy.ts';
import { portGenerator } from './generator.js';

/** Everything that is run takes longer than a test may, on a busy host. */
const PATIENCE = 180_000;

describe('a name that is refused changes nothing:', () => {
  function treeWith(...folders: string[]): Tree {
    const tree = createTree();
    for (const folder of folders) tree.write(`${folder}/package.json`, '{}');
    return tree;
  }

  it.each(['', 'VAX', 'vax-780', 'pmap vax', '4xx', '../evil', 'é', 'a'.repeat(17)])(
    'given "%s"',
    async (name) => {
      const tree = treeWith();
      const before = tree.listChanges().length;
      await expect(portGenerator(tree, { name })).rejects.toThrow(
        `A port's name is 1 to 16 small letters and digits, a letter first (vax, mips3); given "${name}".`,
      );
      expect(tree.listChanges()).toHaveLength(before);
    },
  );

  it('given that of a port that is there', async () => {
    const tree = treeWith('packages/pmap-vax');
    const before = tree.listChanges().length;
    await expect(portGenerator(tree, { name: 'vax' })).rejects.toThrow(
      'packages/pmap-vax is there already; nothing was changed.',
    );
    expect(tree.listChanges()).toHaveLength(before);
  });

  it('given no workspace with a port to copy the settings from', async () => {
    await expect(portGenerator(treeWith(), { name: 'vax' })).rejects.toThrow(
      'packages/pmap-i386/LICENSE is not there to be copied',
    );
  });
});

describe('in a copy of the workspace', () => {
  let copy: WorkspaceCopy;
  let generated: string;

  beforeAll(async () => {
    copy = new WorkspaceCopy();
    const { code, text } = await copy.run('nx', 'g', '@uvmkit/tools:port', 'vax');
    if (code !== 0) throw new Error(text);
    generated = text;
    copy.link('packages/pmap-vax');
  }, PATIENCE);

  afterAll(() => rmSync(copy.folder, { recursive: true, force: true }));

  it('says what it made and what comes next', () => {
    expect(generated).toContain('CREATE packages/pmap-vax/src/pmap.ts');
    expect(generated).toContain('npm install');
    expect(generated).toContain('packages/docs/porting.md');
  });

  it(
    'the package builds and lints, its tests too, and is laid out as the others are',
    async () => {
      const tsc = await copy.run('tsc', '--build', 'packages/pmap-vax');
      expect(tsc.code, tsc.text).toBe(0);
      const lint = await copy.run('nx', 'lint', '@uvmkit/pmap-vax');
      expect(lint.code, lint.text).toBe(0);
      const oxfmt = await copy.run('oxfmt', '--check', 'packages/pmap-vax', 'tsconfig.json');
      expect(oxfmt.code, oxfmt.text).toBe(0);
    },
    PATIENCE,
  );

  it(
    'the rules of the house hold',
    async () => {
      const files = ['manifests', 'rooms'].map((name) => `tools/house/src/${name}.test.ts`);
      const { code, text } = await copy.run('vitest', 'run', '--project', 'house', ...files);
      expect(code, text).toBe(0);
    },
    PATIENCE,
  );

  it(
    'the kit runs, red, and says at each case what is not written yet',
    async () => {
      const { code, text } = await copy.run('vitest', 'run', '--project', 'pmap-vax');
      expect(code).toBe(1);
      const [, failed] = /Tests +(\d+) failed/.exec(text)!;
      expect(Number(failed)).toBeGreaterThan(50);
      // What is the same in several failures is told once.
      const [, ...errors] = text.split('AssertionError: ');
      expect(errors.length).toBeGreaterThan(0);
      for (const error of errors) expect(error).toMatch(/vax: not written yet: (PMAP-[A-Z]+|MMU)/);
    },
    PATIENCE,
  );

  it(
    'a second time it is refused, with a message and no stack',
    async () => {
      const { code, text } = await copy.run('nx', 'g', '@uvmkit/tools:port', 'vax');
      expect(code).toBe(1);
      expect(text).toContain('packages/pmap-vax is there already; nothing was changed.');
    },
    PATIENCE,
  );
});
