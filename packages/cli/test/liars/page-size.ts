import type { Port } from '@uvmkit/pmap';
import { honest } from './over.ts';

// Says that pages are twice as big as they are.
const i386 = honest();
export const port: Port = { ...i386, layout: { ...i386.layout, pageSize: 8192 } };
