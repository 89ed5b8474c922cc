import { existsSync, readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { projects, root } from './workspace.ts';

/** A file is one concept. One this long is two. */
const LONGEST = 600;

/** The formats, the hardware, the software, the fault record decoded, and what makes it a port. */
const ROOMS = ['pte.ts', 'mmu.ts', 'pmap.ts', 'trap.ts', 'port.ts'];

const readText = (path: string) => readFileSync(new URL(path, root), 'utf8');

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
    .filter((path) => readText(path).split('\n').length - 1 >= LONGEST);
  expect(long).toEqual([]);
});

it('the eight MMUs there were are found', () => {
  expect(mmus.length).toBeGreaterThanOrEqual(8);
});

it.each(mmus)('%s has the five files of every MMU', (folder) => {
  expect(readdirSync(new URL(`${folder}/`, root))).toEqual(expect.arrayContaining(ROOMS));
});

/** Lines that have anything on them but comments. */
function linesOfCode(path: string): number {
  const source = ts.createSourceFile(path, readText(path), ts.ScriptTarget.Latest, true);
  const lines = new Set<number>();
  const visit = (node: ts.Node): void => {
    const children = node.getChildren(source).filter((child) => !ts.isJSDoc(child));
    if (children.length === 0 && node.getWidth(source) > 0)
      for (const at of [node.getStart(source), node.getEnd()])
        lines.add(source.getLineAndCharacterOfPosition(at).line);
    children.forEach(visit);
  };
  visit(source);
  return lines.size;
}

it('a new port takes 400 lines an MMU, as that of RISC-V with its two shows', () => {
  const own = sources('packages/pmap-riscv').filter((path) => !/\.test\.ts$|\/test\//.test(path));
  const lines = own.reduce((sum, path) => sum + linesOfCode(path), 0);
  expect(lines).toBeGreaterThan(400);
  expect(lines).toBeLessThanOrEqual(2 * 400);
});
