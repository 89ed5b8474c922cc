import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The workspace's root folder, with a slash at its end. */
export const root: string = fileURLToPath(new URL('../../../', import.meta.url));

/** What a release reads in a package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly nx: { readonly tags: readonly string[] };
}

/** One published package. */
export interface Package {
  /** The folder, from the root, as `packages/pmap`. */
  readonly folder: string;
  readonly manifest: Manifest;
}

/** One module that a package lets others import. */
export interface Entry {
  /** What is written to import it, as `@uvmkit/pmap-sparc/sun4c`. */
  readonly specifier: string;
  /** Its declarations, from the package's folder. */
  readonly types: string;
}

/** Every package of a workspace that is published, by name. */
export function publishedPackages(workspace: string = root): Package[] {
  return readdirSync(`${workspace}packages`)
    .toSorted()
    .map((name) => `packages/${name}`)
    .map((folder) => ({
      folder,
      manifest: JSON.parse(readFileSync(`${workspace}${folder}/package.json`, 'utf8')) as Manifest,
    }))
    .filter(({ manifest }) => manifest.private !== true);
}

/** The libraries from outside that a package works with where they are there, and does without elsewhere. */
export function optionalPeers({ manifest }: Package): string[] {
  const meta = manifest.peerDependenciesMeta ?? {};
  return Object.keys(manifest.peerDependencies ?? {}).filter(
    (name) => meta[name]?.optional === true,
  );
}

/** What others can import of a package. */
export function entriesOf({ manifest }: Package): Entry[] {
  return Object.entries(manifest.exports ?? {}).flatMap(([path, conditions]) =>
    typeof conditions === 'string'
      ? []
      : [{ specifier: manifest.name + path.slice(1), types: conditions['types']!.slice(2) }],
  );
}
