import { VM_PROT_WRITE } from '@uvmkit/pmap';
import { VM_FAULT_WIRE } from '../types.ts';
import { HISTORY } from './history.ts';
import type { WiringPolicy } from './policy.ts';

/**
 * Before 31 December 2001: a lock is made at the current protection. Read-only private memory is then locked as the
 * file's own pages, which are everyone's: a tracer's write to another process' private mapping of the same page takes the
 * locked mapping away, and unlocking it panics.
 *
 * It costs nothing, and shares locked text. It leaves all of §13.1 and H1 to H9.
 */
export const wirePolicy: WiringPolicy = {
  ...HISTORY,
  name: 'wire',
  faultType: VM_FAULT_WIRE,
  lockProtection: (entry) => entry.protection,
  ownsLocked: (entry) => (entry.protection & VM_PROT_WRITE) !== 0,
};
