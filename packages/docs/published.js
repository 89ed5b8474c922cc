import { readdirSync, readFileSync } from 'node:fs';

const packages = new URL('../', import.meta.url);

/** Every published package: its folder's name, its manifest, its README. */
export const published = readdirSync(packages)
  .toSorted()
  .map((folder) => ({
    folder,
    manifest: JSON.parse(readFileSync(new URL(`${folder}/package.json`, packages), 'utf8')),
    readme: readFileSync(new URL(`${folder}/README.md`, packages), 'utf8'),
  }))
  .filter(({ manifest }) => manifest.private !== true);

/** What others can import: the specifier without the scope, and the source, from this folder. */
export const entries = published.flatMap(({ folder, manifest }) =>
  Object.entries(manifest.exports)
    .filter(([, conditions]) => typeof conditions !== 'string')
    .map(([path, conditions]) => ({
      name: folder + path.slice(1),
      source: `../${folder}/${conditions['@uvmkit/source'].slice(2)}`,
    })),
);
