import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Manifest, type Package, publishedPackages, root } from '../src/workspace.ts';

/** One package as npm packs it. */
export interface Tarball {
  readonly pkg: Package;
  /** The manifest inside. */
  readonly manifest: Manifest;
  /** What is in it, from the package's folder, in order. */
  readonly files: readonly string[];
  /** Where it is unpacked, without a slash at the end. */
  readonly folder: string;
}

/**
 * Packs every package and unpacks it into `<into>/node_modules`, as an installer would, the dependencies from
 * outside the repository left out.
 *
 * @param into an empty folder, without a slash at its end.
 */
export function unpackAll(into: string): Tarball[] {
  return publishedPackages().map((pkg) => {
    const folder = join(into, 'node_modules', pkg.manifest.name);
    mkdirSync(folder, { recursive: true });
    const packed = execFileSync(
      'npm',
      ['pack', '--silent', '--ignore-scripts', '--pack-destination', into],
      { cwd: root + pkg.folder, encoding: 'utf8' },
    );
    const file = join(into, packed.trim());
    execFileSync('tar', ['-xzf', file, '-C', folder, '--strip-components=1']);
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .toSorted();
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    return { pkg, manifest, files, folder };
  });
}
