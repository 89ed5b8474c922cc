import { i386Format } from '@uvmkit/pmap-i386';
import type { MmuFormat } from '@uvmkit/pmap';
import { honest } from './over.ts';

export const port = honest;
// Says that everything is allowed.
export const format: MmuFormat = { ...i386Format, allows: () => true };
