import { sv32 } from '@uvmkit/pmap-riscv';
import { declareConformance } from '../src/vitest.ts';

declareConformance(sv32(), {
  effort: 0.1,
  scarce: { pv: sv32({ pvEntries: 12 }), asids: sv32({ asidBits: 1 }) },
});
declareConformance(sv32({ accessedDirty: 'software' }), { effort: 0.1 });
