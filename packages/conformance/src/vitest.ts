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
    it.for(chosenCases(options))('$id: $sentence', (each, { skip }) => {
      const { verdict, reason, script } = runCase(each, port, { search, ...options });
      if (verdict === 'inapplicable') skip(reason);
      expect(verdict === 'failed' ? [reason, ...script].join('\n') : '').toBe('');
    });
  });
}
