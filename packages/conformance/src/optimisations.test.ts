import { OPTIMISATIONS } from '@uvmkit/machine';
import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { sv32, sv39 } from '@uvmkit/pmap-riscv';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import { describe, expect, it } from 'vitest';
import { findingText, ROW_PROFILES, rows, runRow } from './index.ts';

/** `npm run test:plain` does each row without each optimisation on each MMU; otherwise each row loses all of them, on one. */
const WHOLE = process.env['UVMKIT_PLAIN'] === 'whole';

const ports = [i386(), alpha(), sun4c(), srmmu(), oea(), ibm4xx(), sv32(), sv39()];
const ALL = Object.fromEntries(OPTIMISATIONS.map((name) => [name, false]));
const PLAIN = WHOLE ? [...OPTIMISATIONS.map((name) => ({ [name]: false })), ALL] : [ALL];

describe.each(ports.map((port, i) => ({ name: port.name, port, i })))('on $name', ({ port, i }) => {
  const mine = rows.filter((_, n) => WHOLE || n % ports.length === i);
  it.each(mine)('$id comes out the same without optimisations', { timeout: 60_000 }, (row) => {
    for (const profile of ROW_PROFILES) {
      const usual = runRow(row, port, profile);
      for (const without of PLAIN) {
        const result = runRow(row, port, profile, without);
        expect(result.findings.map(findingText), Object.keys(without).join()).toEqual([]);
        expect(result).toEqual(usual);
      }
    }
  });
});
