import { sun4c } from '@uvmkit/pmap-sparc';
import { declareConformance } from '../src/vitest.ts';

declareConformance(sun4c(), {
  effort: 0.1,
  layers: ['mmu', 'pmap', 'resources'],
  scarce: { pmegs: sun4c({ pmegs: 40, contexts: 3 }), pv: sun4c({ pvEntries: 14 }) },
});
