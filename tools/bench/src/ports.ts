import type { Port } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';

/** The ports that are measured, by name. */
export const PORTS: ReadonlyMap<string, () => Port> = new Map([['i386', () => i386()]]);
