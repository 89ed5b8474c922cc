import { oea, oeaFormat } from '@uvmkit/pmap-powerpc';
import { declareConformance } from '../src/vitest.ts';

declareConformance(oea(), {
  format: oeaFormat,
  effort: 0.1,
  layers: ['mmu', 'pmap', 'resources'],
  scarce: { vsids: oea({ pmaps: 32 }), pvos: oea({ pvos: 20 }) },
});
