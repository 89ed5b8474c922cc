import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { historyOf, missingChangeset } from './surface-history.ts';

const REPORT = 'packages/pmap/etc/pmap.api.md';
const MANIFEST = 'packages/pmap/package.json';

let root = '';

function git(...args: string[]): void {
  const as = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false'];
  execFileSync('git', [...as, ...args], { cwd: root, stdio: 'pipe' });
}

function put(path: string, text: string): void {
  mkdirSync(dirname(root + path), { recursive: true });
  writeFileSync(root + path, text);
}

/** A commit of some files; null removes one. */
function commit(files: Readonly<Record<string, string | null>>): void {
  for (const [path, text] of Object.entries(files))
    if (text === null) rmSync(root + path);
    else put(path, text);
  git('add', '-A');
  git('commit', '-qm', 'x');
}

const version = (is: string): string => `{\n  "name": "@t/pmap",\n  "version": "${is}"\n}\n`;
const changeset = (name: string, text = 'x'): string => `---\n'${name}': minor\n---\n\n${text}\n`;
const verdict = (): string | null => missingChangeset(root, 'packages/pmap', '@t/pmap', REPORT);

beforeEach(() => {
  root = `${mkdtempSync(join(tmpdir(), 'uvmkit-surface-'))}/`;
  git('init', '-q', '-b', 'main');
  commit({ [MANIFEST]: version('0.1.0'), [REPORT]: 'a', '.changeset/README.md': '# Changesets\n' });
});

afterEach(() => rmSync(root, { recursive: true }));

describe('nothing is asked for', () => {
  it('where a surface is new', () => {
    expect(verdict()).toBeNull();
  });

  it('where a change came with its changeset', () => {
    commit({ [REPORT]: 'b', '.changeset/x.md': changeset('@t/pmap') });
    expect(verdict()).toBeNull();
    commit({ 'other.ts': '' });
    expect(verdict()).toBeNull();
  });

  it('where the changeset followed', () => {
    commit({ [REPORT]: 'b' });
    commit({ '.changeset/x.md': changeset('@t/pmap') });
    expect(verdict()).toBeNull();
  });

  it('where a release used the changeset up', () => {
    commit({ [REPORT]: 'b', '.changeset/x.md': changeset('@t/pmap') });
    commit({ [MANIFEST]: version('0.2.0'), '.changeset/x.md': null });
    expect(verdict()).toBeNull();
  });

  it('where neither is committed yet', () => {
    put(REPORT, 'b');
    put('.changeset/x.md', changeset('@t/pmap'));
    expect(verdict()).toBeNull();
  });
});

describe('a changeset is missed', () => {
  it('where there is none', () => {
    commit({ [REPORT]: 'b' });
    expect(verdict()).toMatch(/pmap\.api\.md changed in [0-9a-f]{12}, and neither there nor since/);
  });

  it('where it names another package, or one whose name begins alike', () => {
    commit({ [REPORT]: 'b', '.changeset/x.md': changeset('@t/pmap-i386') });
    expect(verdict()).not.toBeNull();
  });

  it('where the only one is older than the change', () => {
    commit({ [REPORT]: 'b', '.changeset/x.md': changeset('@t/pmap') });
    commit({ [REPORT]: 'c' });
    expect(verdict()).not.toBeNull();
    commit({ '.changeset/x.md': changeset('@t/pmap', 'x, and c too') });
    expect(verdict()).toBeNull();
  });

  it('where it was taken away again', () => {
    commit({ [REPORT]: 'b', '.changeset/x.md': changeset('@t/pmap') });
    commit({ '.changeset/x.md': null });
    expect(verdict()).not.toBeNull();
  });

  it('after a release, where the next change has none', () => {
    commit({ [REPORT]: 'b', '.changeset/x.md': changeset('@t/pmap') });
    commit({ [MANIFEST]: version('0.2.0'), '.changeset/x.md': null });
    commit({ [REPORT]: 'c' });
    expect(verdict()).not.toBeNull();
  });

  it('where the change is not committed yet', () => {
    commit({ '.changeset/x.md': changeset('@t/pmap') });
    put(REPORT, 'b');
    expect(verdict()).toBe(
      `${REPORT} differs from the last commit, and no changeset that names @t/pmap does`,
    );
  });
});

describe('a working copy that knows its past in part', () => {
  it('is asked for the changesets of what it shows', () => {
    commit({ [REPORT]: 'b' });
    const clone = `${mkdtempSync(join(tmpdir(), 'uvmkit-shallow-'))}/`;
    const fetch = (depth: string): string | null => {
      rmSync(clone, { recursive: true, force: true });
      execFileSync('git', ['clone', '-q', '--depth', depth, `file://${root}`, clone], {
        stdio: 'pipe',
      });
      return missingChangeset(clone, 'packages/pmap', '@t/pmap', REPORT);
    };
    expect(historyOf(root)).toBe('whole');
    expect(fetch('1')).toBeNull();
    expect(historyOf(clone)).toBe('cut');
    expect(fetch('2')).not.toBeNull();
    rmSync(`${clone}.git`, { recursive: true });
    expect(historyOf(clone)).toBe('none');
    rmSync(clone, { recursive: true });
  });
});
