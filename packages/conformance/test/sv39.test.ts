import { sv39 } from '@uvmkit/pmap-riscv';
import { declareConformance } from '../src/vitest.ts';

declareConformance(sv39(), {
  effort: 0.1,
  scarce: { pv: sv39({ pvEntries: 12 }), asids: sv39({ asidBits: 1 }) },
});
declareConformance(sv39({ accessedDirty: 'software' }), { effort: 0.1 });
