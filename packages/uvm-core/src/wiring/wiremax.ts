import { VM_FAULT_WIREMAX } from '../types.ts';
import type { WiringPolicy } from './policy.ts';

/**
 * The commit of 31 December 2001, and the default: a lock is made at the maximum protection. Every private mapping of a
 * file may become writable, so that every locked page of one is copied first and belongs to the process alone. The price
 * is that locked text is no longer shared.
 */
export const wiremaxPolicy: WiringPolicy = {
  name: 'wiremax',
  faultType: VM_FAULT_WIREMAX,
  lockProtection: (entry) => entry.maxProtection,
};
