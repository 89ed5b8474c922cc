import { ibm4xx, ibm4xxFormat } from '@uvmkit/pmap-powerpc';
import { declareConformance } from '../src/vitest.ts';

declareConformance(ibm4xx(), {
  format: ibm4xxFormat,
  effort: 0.1,
  layers: ['mmu', 'pmap', 'resources'],
  scarce: { contexts: ibm4xx({ contexts: 6 }) },
});
