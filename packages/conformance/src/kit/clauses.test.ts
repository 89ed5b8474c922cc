import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { cases, CLAUSES } from './index.ts';

const contract = new URL('../../../pmap/src/pmap.ts', import.meta.url);

/** The docstrings of `Pmap` and of its members, in one line each, by the member's name. */
function docstrings(): Map<string, string> {
  const source = ts.createSourceFile(
    'pmap.ts',
    readFileSync(contract, 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  );
  const pmap = source.statements
    .filter(ts.isInterfaceDeclaration)
    .find(({ name }) => name.text === 'Pmap')!;
  const found = new Map([['Pmap', docstring(pmap)]]);
  for (const member of pmap.members) found.set(member.name!.getText(), docstring(member));
  return found;
}

function docstring(node: ts.Node): string {
  const [comment] = ts.getJSDocCommentsAndTags(node);
  return comment!
    .getText()
    .replace(/^\/\*\*|\*\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trim())
    .join(' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

describe('the contract, clause by clause', () => {
  const written = docstrings();

  it('has every member of Pmap, in order', () => {
    expect([...new Set(CLAUSES.map(({ member }) => member))]).toEqual([...written.keys()]);
  });

  it.each([...written.keys()])('the clauses of %s are its docstring', (member) => {
    const texts = CLAUSES.filter((clause) => clause.member === member).map(({ text }) => text);
    expect(texts.join(' ')).toBe(written.get(member));
  });

  it.each(CLAUSES.filter(({ unjudged }) => unjudged === undefined))(
    'a case judges $id',
    ({ id }) => {
      expect(cases.filter((each) => each.clauses.some((clause) => clause === id))).not.toEqual([]);
    },
  );

  it.each(CLAUSES.filter(({ unjudged }) => unjudged !== undefined))(
    'none claims to judge $id, which no case can',
    ({ id }) => {
      expect(cases.filter((each) => each.clauses.some((clause) => clause === id))).toEqual([]);
    },
  );

  it('names each clause once, after its member', () => {
    expect(new Set(CLAUSES.map(({ id }) => id)).size).toBe(CLAUSES.length);
    for (const { id, member } of CLAUSES) expect(id.startsWith(`${member}.`)).toBe(true);
  });
});

describe('the cases', () => {
  it('name clauses that there are', () => {
    const known = new Set(CLAUSES.map(({ id }) => id));
    const named = cases.flatMap(({ clauses }) => clauses);
    expect(named.filter((clause) => !known.has(clause))).toEqual([]);
  });

  it('have ids of one form, each once', () => {
    expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
    for (const { id, layer } of cases)
      if (layer !== 'uvm') expect(id).toMatch(/^(PMAP|MMU)-[A-Z]+-\d{3}$/);
  });
});
