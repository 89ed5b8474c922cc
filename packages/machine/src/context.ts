import type { Sleeping, WaitChannel } from '@uvmkit/uvm-core';
import type { Cpu } from './cpu.ts';
import type { Process } from './process.ts';
import type { Thread } from './thread.ts';

/** Who runs, and where (`curproc` on `curcpu`): a thread, or a process that is driven by plain calls. */
export interface Context {
  readonly process: Process;
  /** May change whenever the context has slept. */
  readonly cpu: Cpu;
  /** The thread, or null for plain calls. */
  readonly thread: Thread | null;
}

/**
 * Sleeps as long as it takes, perhaps for ever: so a signal may end it (tsleep with PCATCH).
 *
 * @returns true if a signal did
 */
export function* sleepInterruptibly(
  { process, thread }: Context,
  channel: WaitChannel,
): Sleeping<boolean> {
  if (thread === null) {
    yield channel;
    return process.pending.length > 0;
  }
  if (thread.killed || process.pending.length > 0) return true;
  thread.interruptible = true;
  yield channel;
  thread.interruptible = false;
  return thread.killed || process.pending.length > 0;
}
