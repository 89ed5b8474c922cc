import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** How much a working copy knows of its past: all of it, what a shallow clone brought, or nothing (an unpacked archive). */
export type History = 'whole' | 'cut' | 'none';

/** @param workspace the root of a working copy, with a slash at its end. */
export function historyOf(workspace: string): History {
  if (!existsSync(`${workspace}.git`)) return 'none';
  const answer = execFileSync('git', ['rev-parse', '--is-shallow-repository'], {
    cwd: workspace,
    encoding: 'utf8',
    stdio: 'pipe',
  });
  return answer.trim() === 'true' ? 'cut' : 'whole';
}

/**
 * Tells why a change of a package's public surface must not go in, or null if it may.
 *
 * A change has to come with its changeset: one that names the package and was written or reworded in the commit
 * that changed the surface or after it, and that no release has used up yet. A surface that has not changed since
 * the package's version did, and one that is new, ask for nothing. So what passes on a branch passes once it is
 * merged, and a clone with its history needs no tags and no names of branches to tell. Where the history is cut
 * short, a change before the cut is not seen: see {@link historyOf}.
 *
 * @param workspace the root of a Git repository, with a slash at its end.
 * @param folder the package's, from the root.
 * @param name the package's.
 * @param report where the surface is kept, from the root.
 * @throws Error if `workspace` is no repository.
 */
export function missingChangeset(
  workspace: string,
  folder: string,
  name: string,
  report: string,
): string | null {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: workspace, encoding: 'utf8', stdio: 'pipe' }).trim();
  const names = (path: string): boolean =>
    existsSync(workspace + path) && namesPackage(readFileSync(workspace + path, 'utf8'), name);
  const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

  if (git('status', '--porcelain', '--', report) !== '') {
    if (git('log', '-1', '--format=%H', '--', report) === '') return null;
    const touched = lines(
      git('status', '--porcelain', '--untracked-files=all', '--', '.changeset'),
    );
    if (touched.map((line) => line.replace(/^..? /, '')).some(names)) return null;
    return `${report} differs from the last commit, and no changeset that names ${name} does`;
  }

  const [changed, before] = lines(git('log', '-2', '--format=%H', '--', report));
  if (changed === undefined || before === undefined) return null;
  const released = git('log', '-1', '--format=%H', '-G"version":', '--', `${folder}/package.json`);
  if (isAncestor(workspace, changed, released)) return null;
  const touched = git('log', '--format=', '--name-only', `${changed}^..HEAD`, '--', '.changeset');
  const now = git('status', '--porcelain', '--untracked-files=all', '--', '.changeset');
  const files = [...lines(touched), ...lines(now).map((line) => line.replace(/^..? /, ''))];
  if (files.some(names)) return null;
  return `${report} changed in ${changed.slice(0, 12)}, and neither there nor since did a changeset that names ${name}`;
}

function isAncestor(workspace: string, commit: string, of: string): boolean {
  try {
    execFileSync('git', ['merge-base', '--is-ancestor', commit, of], {
      cwd: workspace,
      stdio: 'pipe',
    });
    return true;
  } catch {
    return false;
  }
}

/** Whether the front matter of a changeset names a package. */
function namesPackage(changeset: string, name: string): boolean {
  const head = /^---\n(.*?)^---$/ms.exec(changeset)?.[1] ?? '';
  return head.split('\n').some((line) => line.replace(/^['"]|['"]?:.*$/g, '') === name);
}
