import type { Machine } from '../src/machine.ts';

/** Pages that are wired for another reason than that processes have u-areas. */
export function lockedPages({ uvm, swapper }: Machine): number {
  return uvm.exp.wired - swapper.wiredPages;
}
