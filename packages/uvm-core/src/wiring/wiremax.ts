import { VM_PROT_WRITE } from '@uvmkit/pmap';
import { VM_FAULT_WIREMAX } from '../types.ts';
import { HISTORY } from './history.ts';
import type { WiringPolicy } from './policy.ts';

/**
 * The commit of 31 December 2001, and the default: a lock is made at the maximum protection. Every private mapping of a
 * file may become writable, so that every locked page of one is copied first and belongs to the process alone.
 *
 * The price is that locked text is no longer shared: a page of memory for each page locked. It mends §13.1, and leaves
 * H1 to H9: locked shared mappings, truncation, loans, transfers, PROT_NONE and devices.
 */
export const wiremaxPolicy: WiringPolicy = {
  ...HISTORY,
  name: 'wiremax',
  faultType: VM_FAULT_WIREMAX,
  lockProtection: (entry) => entry.maxProtection,
  ownsLocked: (entry) => (entry.maxProtection & VM_PROT_WRITE) !== 0,
};
