import { sun4c, sun4cFormat } from '@uvmkit/pmap-sparc';
import { declareConformance } from '../src/vitest.ts';

declareConformance(sun4c(), {
  format: sun4cFormat,
  effort: 0.1,
  layers: ['mmu', 'pmap', 'resources'],
  scarce: { pmegs: sun4c({ pmegs: 40, contexts: 3 }), pv: sun4c({ pvEntries: 14 }) },
});
