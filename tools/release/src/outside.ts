import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';
import type { Registry } from './registry.ts';
import { run } from './run.ts';
import { publishedPackages, root } from './workspace.ts';

interface Outside {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/**
 * Publishes what the packages depend on from outside the repository to a registry that knows no other, from what is
 * installed: so an installation from it needs no network.
 */
export function publishOutside(registry: Registry): void {
  const own = new Set(publishedPackages().map(({ manifest }) => manifest.name));
  const done = new Set<string>();
  const visit = (folder: string, names: readonly string[]): void => {
    for (const name of names.filter((wanted) => !own.has(wanted))) {
      const at = installedFolder(folder, name);
      const manifest = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as Outside;
      const key = `${name}@${manifest.version}`;
      if (done.has(key)) continue;
      done.add(key);
      publish(at, registry);
      visit(at, Object.keys(manifest.dependencies ?? {}));
    }
  };
  for (const { folder, manifest } of publishedPackages())
    visit(root + folder, Object.keys(manifest.dependencies ?? {}));
}

/** Where Node finds a package that `folder` depends on. */
function installedFolder(folder: string, name: string): string {
  const require = createRequire(join(folder, 'package.json'));
  const found = (require.resolve.paths(name) ?? [])
    .map((path) => join(path, name))
    .find((path) => existsSync(join(path, 'package.json')));
  if (found === undefined) throw new Error(`${name}, which ${folder} depends on, is not installed`);
  return found;
}

function publish(folder: string, registry: Registry): void {
  const scratch = mkdtempSync(join(tmpdir(), 'uvmkit-outside-'));
  try {
    const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', scratch, folder];
    const file = run('npm', args, { cwd: scratch, env: registry.env });
    // Some are older than the newest of their name that is published here already.
    const tag = ['--tag', 'installed'];
    run('npm', ['publish', '--silent', '--ignore-scripts', ...tag, join(scratch, file)], {
      cwd: dirname(scratch),
      env: registry.env,
    });
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
