import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { projects, root } from './workspace.ts';

/** A file is one concept. One this long is two. */
const LONGEST = 600;

/** The formats, the hardware, the software, the fault record decoded, and what makes it a port. */
const ROOMS = ['pte.ts', 'mmu.ts', 'pmap.ts', 'trap.ts', 'port.ts'];

/** Every source and test of a project, by its path from the root. */
function sources(folder: string): string[] {
  return ['src', 'test']
    .map((part) => `${folder}/${part}/`)
    .filter((part) => existsSync(new URL(part, root)))
    .flatMap((part) =>
      readdirSync(new URL(part, root), { recursive: true, encoding: 'utf8' }).map(
        (name) => part + name,
      ),
    )
    .filter((path) => path.endsWith('.ts'));
}

const ports = projects('packages').filter(({ manifest }) => manifest.nx.tags.includes('role:port'));

/** The folders of the MMUs: a port's `src`, or each folder in it where the port has two. */
const mmus = ports.flatMap(({ folder }) => {
  const inner = readdirSync(new URL(`${folder}/src/`, root), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${folder}/src/${name}`);
  return inner.length > 0 ? inner : [`${folder}/src`];
});

it(`no file has ${LONGEST} lines`, () => {
  const long = [...projects('packages'), ...projects('tools')]
    .flatMap(({ folder }) => sources(folder))
    .filter((path) => readFileSync(new URL(path, root), 'utf8').split('\n').length - 1 >= LONGEST);
  expect(long).toEqual([]);
});

it('there are eight MMUs', () => {
  expect(mmus).toHaveLength(8);
});

it.each(mmus)('%s has the five files of every MMU', (folder) => {
  expect(readdirSync(new URL(`${folder}/`, root))).toEqual(expect.arrayContaining(ROOMS));
});
