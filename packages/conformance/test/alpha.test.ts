import { alpha, alphaFormat } from '@uvmkit/pmap-alpha';
import { declareConformance } from '../src/vitest.ts';

declareConformance(alpha(), {
  format: alphaFormat,
  effort: 0.1,
  layers: ['mmu', 'pmap', 'resources'],
  scarce: { pv: alpha({ pvEntries: 12 }), asns: alpha({ maxAsn: 3 }) },
});
