import { i386, i386Format } from '@uvmkit/pmap-i386';
import { declareConformance } from '../src/vitest.ts';

declareConformance(i386(), {
  format: i386Format,
  effort: 0.1,
  layers: ['mmu', 'pmap', 'resources'],
  scarce: { pv: i386({ pvEntries: 12 }) },
});
