import { i386 } from '@uvmkit/pmap-i386';
import { declareConformance } from '../src/vitest.ts';
import { i386Format } from './formats/i386.ts';

declareConformance(i386(), {
  format: i386Format,
  effort: 0.1,
  layers: ['mmu', 'pmap', 'resources'],
  scarce: { pv: i386({ pvEntries: 12 }) },
});
