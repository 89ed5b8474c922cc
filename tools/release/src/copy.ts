import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from './run.ts';
import { publishedPackages, root } from './workspace.ts';

/** A copy of the repository, in which a release can be made without one. */
export interface Copy {
  /** Its root, with a slash at its end. */
  readonly root: string;
  git(...args: string[]): string;
  close(): void;
}

/**
 * Copies the repository with its history, and its work tree as it stands, committed. Dependencies from outside are the
 * repository's own; the packages are the copy's, with what was built of them if `built` is set.
 */
export function copyRepository(built: boolean): Copy {
  const copy = `${mkdtempSync(join(tmpdir(), 'uvmkit-copy-'))}/`;
  run('git', ['clone', '--quiet', '--no-tags', root, copy]);
  const git = (...args: string[]): string => run('git', args, { cwd: copy });
  git('config', 'user.name', 'uvmkit');
  git('config', 'user.email', 'uvmkit@localhost');
  git('config', 'commit.gpgsign', 'false');
  git('config', 'tag.gpgsign', 'false');
  git('checkout', '--quiet', '-B', 'main');

  const listed = run('git', ['ls-files', '-z', '-co', '--exclude-standard'], { cwd: root });
  for (const path of listed.split('\0').filter((name) => name !== '')) {
    if (!existsSync(root + path)) rmSync(copy + path, { force: true });
    else {
      mkdirSync(dirname(copy + path), { recursive: true });
      cpSync(root + path, copy + path);
    }
  }
  git('add', '--all');
  if (git('status', '--porcelain') !== '') git('commit', '--quiet', '-m', 'The work tree');

  // A folder of links, since the packages must be the copy's own.
  for (const name of readdirSync(`${root}node_modules`).filter((entry) => entry !== '@uvmkit'))
    link(`${root}node_modules/${name}`, `${copy}node_modules/${name}`);
  for (const parent of ['packages', 'tools'])
    for (const name of readdirSync(`${copy}${parent}`)) {
      const own = `${root}${parent}/${name}/node_modules`;
      link(`${copy}${parent}/${name}`, `${copy}node_modules/@uvmkit/${name}`);
      if (existsSync(own)) link(own, `${copy}${parent}/${name}/node_modules`);
    }
  if (built)
    for (const { folder } of publishedPackages())
      cpSync(`${root}${folder}/dist`, `${copy}${folder}/dist`, { recursive: true });
  return { root: copy, git, close: () => rmSync(copy, { recursive: true }) };
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}
