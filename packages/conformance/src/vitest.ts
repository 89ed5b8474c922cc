/**
 * `@uvmkit/conformance/vitest`: the kit as Vitest tests, one a case. Whoever imports this brings Vitest and
 * fast-check along.
 */
import type { Port } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { search } from './fast-check.ts';
import { chosenCases, type KitOptions, runCase } from './kit/run.ts';

/**
 * Declares a test for each case of the kit. A case fails its test if the port breaks the contract and no divergence
 * says why; one that says nothing of the port is skipped, with the reason.
 *
 * @param port to be judged
 * @param options as of `runKit`
 */
export function declareConformance(port: Port, options: Partial<KitOptions> = {}): void {
  describe(`${port.name} keeps the contract`, () => {
    // One by one: a table of cases would have Vitest quote the sentences, and cut them short.
    for (const each of chosenCases(options))
      it(`${each.id}: ${each.sentence}`, ({ skip }) => {
        const { verdict, reason, script } = runCase(each, port, { search, ...options });
        if (verdict === 'inapplicable') skip(reason);
        // As the message, which reporters print whole.
        expect(verdict, [reason, ...script, ''].join('\n')).not.toBe('failed');
      });
  });
}
