import type { Errno } from '@uvmkit/pmap';
import type { Sleeping, Uvm } from '@uvmkit/uvm-core';

/**
 * Sleeps until what was begun is done (biowait).
 *
 * @param begin begins it, and has `done` called once, then or later
 */
export function* answer(uvm: Uvm, begin: (done: (error: Errno) => void) => void): Sleeping<Errno> {
  const channel = uvm.newChannel();
  let outcome: Errno | null = null;
  begin((error) => {
    outcome = error;
    uvm.wakeup(channel);
  });
  while (outcome === null) yield channel;
  return outcome;
}
