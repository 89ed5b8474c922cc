import { i386 } from '@uvmkit/pmap-i386';
import { declareConformance } from '../src/vitest.ts';

declareConformance(i386(), {
  effort: 0.1,
  layers: ['mmu', 'pmap', 'resources'],
  scarce: { pv: i386({ pvEntries: 12 }) },
});
