import type { Prot } from '@uvmkit/pmap';
import type { MapEntry } from '../entry.ts';
import type { FaultType } from '../types.ts';

/**
 * What wiring means: the questions that mlock(2) asks, and the answers of history.
 *
 * A wired mapping must not be forgotten, yet UVM's only way to take an object's page from the maps that should see
 * a promotion of it is to take it from every pmap, wired mappings of strangers included. The policies differ in
 * how they keep a locked range out of harm's way.
 */
export interface WiringPolicy {
  /** What `--policy` calls it. */
  readonly name: string;
  /** The simulated fault that wires a page: VM_FAULT_WIRE or VM_FAULT_WIREMAX. */
  readonly faultType: FaultType;
  /**
   * The protection that a lock of the entry is made at: a private page that could be written at that protection becomes
   * the process' own before it is wired.
   */
  lockProtection(entry: MapEntry): Prot;
}
