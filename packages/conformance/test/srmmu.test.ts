import { srmmu, srmmuFormat } from '@uvmkit/pmap-sparc';
import { declareConformance } from '../src/vitest.ts';

declareConformance(srmmu(), {
  format: srmmuFormat,
  effort: 0.1,
  layers: ['mmu', 'pmap', 'resources'],
  scarce: { contexts: srmmu({ contexts: 4 }), pv: srmmu({ pvEntries: 12 }) },
});
