import { readFileSync } from 'node:fs';
import { cases } from '@uvmkit/conformance';
import { describe, expect, it } from 'vitest';
import { type Change, changed } from './mutant.ts';
import { equivalents, mutants } from './mutants.ts';
import { PORTS } from './ports.ts';

const packages = new URL('../../../packages/', import.meta.url);
const all: readonly Change[] = [...mutants, ...equivalents];

/** The file that a change is for. */
function source({ port, file }: Change): string {
  return readFileSync(new URL(`${PORTS[port].folder}/src/${file}`, packages), 'utf8');
}

describe('the mutants', () => {
  it.each(all)('$id applies to the source as it is', (change) => {
    const text = source(change);
    expect(changed(text, change)).not.toBe(text);
  });

  it('are eleven or more of each of the six ports of 2001', () => {
    for (const name of ['i386', 'alpha', 'sun4c', 'srmmu', 'oea', 'ibm4xx'])
      expect(mutants.filter(({ port }) => port === name).length, name).toBeGreaterThanOrEqual(11);
  });

  it('have ids of their own, which begin with the port', () => {
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    for (const { id, port } of all) expect(id).toMatch(new RegExp(`^${port}(-[a-z0-9]+)+$`));
  });

  it('each name the case of the kit that finds them', () => {
    const ids = new Set(cases.map(({ id }) => id));
    for (const { id, killedBy } of mutants) {
      expect(killedBy.length, id).toBeGreaterThan(0);
      for (const each of killedBy) expect(ids.has(each), `${id}: ${each}`).toBe(true);
    }
  });

  it('and the equivalent ones say why nothing can be seen of them', () => {
    for (const { id, why } of equivalents) expect(why.length, id).toBeGreaterThan(60);
  });
});

describe('a change', () => {
  const change: Change = { id: 'x', port: 'i386', file: 'x.ts', find: 'a', replace: 'b' };

  it('is refused where its text is missing, or stands twice', () => {
    expect(() => changed('c', change)).toThrow(
      'x: x.ts must have this exactly once, found 0 times',
    );
    expect(() => changed('aa', change)).toThrow('found 2 times');
    expect(changed('cac', change)).toBe('cbc');
  });
});
