import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { projects, root } from './workspace.ts';

// An access costs a few nanoseconds and a BigInt an allocation, so addresses are numbers everywhere. Where a person
// writes or reads one of 64 bits it may be a BigInt: those functions are named here.

const ALLOWED: readonly string[] = [
  // Reads an address typed at the debugger.
  'packages/machine/src/ddb/arguments.ts numberOf',
  // Prints an address.
  'packages/pmap/src/address.ts hex',
];

/** The functions of a source that make or use BigInts, each once. */
function bigIntUsers(path: string, text: string): string[] {
  const found = new Set<string>();
  const visit = (node: ts.Node, within: string): void => {
    const named = ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node);
    const inside = named && node.name !== undefined ? node.name.getText() : within;
    const literal = ts.isBigIntLiteral(node) || node.kind === ts.SyntaxKind.BigIntKeyword;
    // BigInt, BigInt64Array, getBigUint64, …
    const name = ts.isIdentifier(node) && /^(get|set)?Big(Int|Uint)/.test(node.text);
    if (literal || name) found.add(`${path} ${inside}`);
    ts.forEachChild(node, (child) => visit(child, inside));
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true), '(top)');
  return [...found];
}

it('no BigInt stands on an access path', () => {
  const users = projects('packages').flatMap(({ folder }) =>
    readdirSync(new URL(`${folder}/src/`, root), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !/\.test(-d)?\.ts$/.test(name))
      .map((name) => `${folder}/src/${name}`)
      .flatMap((path) => bigIntUsers(path, readFileSync(new URL(path, root), 'utf8'))),
  );
  expect(users).toContain('packages/pmap/src/address.ts hex');
  expect(users.filter((user) => !ALLOWED.includes(user))).toEqual([]);
}, 60_000);

it.each([
  ['a literal', 'export function f(): number { return Number(1n); }', ['x.ts f']],
  ['a conversion', 'class C { m(va: number) { return BigInt(va); } }', ['x.ts m']],
  ['a type', 'export let va: bigint;', ['x.ts (top)']],
  ['an array', 'const words = new BigInt64Array(4);', ['x.ts (top)']],
  ['a view', 'const f = (view: DataView) => view.getBigUint64(0);', ['x.ts (top)']],
  ['nothing but words', '// BigInt(1n)\nconst text = "1n BigInt";', []],
])('%s is seen for what it is', (_, text, users) => {
  expect(bigIntUsers('x.ts', text)).toEqual(users);
});
