import type { Cpu } from './cpu.ts';
import type { Process } from './process.ts';

/** Who runs, and where (`curproc` on `curcpu`): a thread, or a process that is driven by plain calls. */
export interface Context {
  readonly process: Process;
  /** May change whenever the context has slept. */
  readonly cpu: Cpu;
}
