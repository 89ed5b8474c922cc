import { readdirSync, readFileSync } from 'node:fs';

/** The workspace's root folder. */
export const root: URL = new URL('../../../', import.meta.url);

/** What the rules of the house read in a package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly license?: string;
  readonly sideEffects?: boolean;
  readonly engines?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly nx: { readonly tags: readonly string[] };
}

/** One package or tool of the workspace. */
export interface Project {
  /** The folder, from the root, as `packages/pmap`. */
  readonly folder: string;
  readonly manifest: Manifest;
}

/** Reads a JSON file of the workspace by its path from the root. */
export function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(path, root), 'utf8')) as T;
}

/** Every project in `packages/` that is published, or every one in `tools/`, by name. */
export function projects(parent: 'packages' | 'tools'): Project[] {
  return readdirSync(new URL(`${parent}/`, root))
    .toSorted()
    .map((name) => ({
      folder: `${parent}/${name}`,
      manifest: readJson<Manifest>(`${parent}/${name}/package.json`),
    }))
    .filter(({ manifest }) => parent === 'tools' || manifest.private !== true);
}

/** The floor that a project's tags put it on, or undefined for a tool. */
export function floorOf({ manifest }: Project): number | undefined {
  const tag = manifest.nx.tags.find((candidate) => candidate.startsWith('floor:'));
  return tag === undefined ? undefined : Number(tag.slice('floor:'.length));
}

/**
 * The packages that come with a published package when it is installed. Optional peers do not: they are what
 * whoever imports an adapter (`@uvmkit/conformance/vitest`) has anyway.
 */
export function runtimeDependencies({ manifest }: Project): string[] {
  const optional = manifest.peerDependenciesMeta ?? {};
  const peers = Object.keys(manifest.peerDependencies ?? {});
  return [
    ...Object.keys(manifest.dependencies ?? {}),
    ...peers.filter((name) => optional[name]?.optional !== true),
    ...Object.keys(manifest.optionalDependencies ?? {}),
  ].toSorted();
}
