import type { Port } from '@uvmkit/pmap';
import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import { describe } from 'vitest';
import { divergencesOf } from '../src/index.ts';
import { declareConformance } from '../src/vitest.ts';

// Options that change what a port promises: exact counts, and flushes left to update.

const variants: readonly (readonly [string, Port, 'as 2001' | 'exact'])[] = [
  ['deferred i386', i386({ deferred: true }), 'as 2001'],
  ['i386 with the queues of the multiprocessor branch', i386({ variant: 'q' }), 'as 2001'],
  ['deferred alpha', alpha({ deferred: true }), 'as 2001'],
  [
    'alpha that enforces execute and removes wired mappings',
    alpha({ enforceExecute: true, pageProtectWired: 'removes' }),
    'as 2001',
  ],
  ['sun4c with exact wiring', sun4c({ wiring: 'late' }), 'exact'],
  ['deferred srmmu with exact wiring', srmmu({ wiring: 'late', deferred: true }), 'exact'],
  ['deferred oea with exact wiring', oea({ wiredCount: 'exact', deferred: true }), 'exact'],
  ['oea of June 2001', oea({ revision: '1.8' }), 'as 2001'],
  ['deferred ibm4xx with exact wiring', ibm4xx({ wiredCount: 'exact', deferred: true }), 'exact'],
];

describe.each(variants)('%s', (_, port, counts) => {
  declareConformance(port, {
    effort: 0.05,
    layers: ['pmap'],
    divergences: counts === 'exact' ? [] : divergencesOf(port.name),
  });
});
