import { EINVAL, ESRCH, type Errno } from '@uvmkit/pmap';
import type { Sleeping } from '@uvmkit/uvm-core';
import type { Context } from './context.ts';
import type { Process } from './process.ts';
import { defaultAction, NSIG, ProcessSignal, SIGCONT, SIGKILL, SIGSTOP } from './signal.ts';
import type { SystemCalls } from './system-calls.ts';

/*
 * How signals reach a process (kern_sig.c).
 *
 *     a refused access ──▶ trapSignal ──▶ handler, then the access once more; or thrown where the access was made
 *     kill, SIGPIPE, … ──▶ psignal ──┬─▶ at once: stop, continue, end
 *                                    └─▶ pending, until the process is next in the kernel ──▶ takeSignals ──▶ handler
 */

/** The default action. */
export const SIG_DFL = 'default';
/** The signal is ignored. */
export const SIG_IGN = 'ignore';

/**
 * A handler: runs in the thread (or for a plain call, in its process) that got the signal. When it returns, what was
 * interrupted is tried again; to leave it instead, as siglongjmp(3) does, the handler throws.
 */
export type SignalHandler = (calls: SystemCalls, signal: ProcessSignal) => Sleeping<void>;

/** What a process wants done with a signal. */
export type Disposition = typeof SIG_DFL | typeof SIG_IGN | SignalHandler;

/** sigaction(2). EINVAL for what is no signal, or for one that cannot be caught. */
export function sigaction({ process }: Context, signal: number, action: Disposition): Errno {
  if (!isSignal(signal) || signal === SIGKILL || signal === SIGSTOP) return EINVAL;
  if (action === SIG_DFL) process.dispositions.delete(signal);
  else process.dispositions.set(signal, action);
  return 0;
}

/** kill(2). ESRCH for no such process, EINVAL for no such signal; signal 0 asks only whether the process is there. */
export function kill({ process }: Context, pid: number, signal: number): Errno {
  const target = process.machine.processes.get(pid);
  if (signal !== 0 && !isSignal(signal)) return EINVAL;
  if (target === undefined || target.exiting) return ESRCH;
  if (signal !== 0) psignal(target, signal);
  return 0;
}

function isSignal(signal: number): boolean {
  return Number.isInteger(signal) && signal > 0 && signal < NSIG;
}

/** How often one access may be tried again after its signal's handler. */
export const MOST_HANDLED = 100;

/**
 * An access of the caller's own got a signal (trapsignal).
 *
 * @returns true if a handler, or whoever traces the process, dealt with it and the access is to be tried again
 */
export function* trapSignal(calls: SystemCalls, signal: ProcessSignal): Sleeping<boolean> {
  const { process, thread } = calls;
  if (process.tracer !== null && thread !== null) {
    process.trapped = true;
    stopProcess(process, signal.signal);
    yield* waitWhileStopped(calls);
    process.trapped = false;
    if (process.resumeSignal === 0) return true;
  }
  return yield* runHandler(calls, signal);
}

/** Runs the handler of a signal, if there is one that does not run already. */
function* runHandler(calls: SystemCalls, signal: ProcessSignal): Sleeping<boolean> {
  const handler = calls.process.dispositions.get(signal.signal);
  if (typeof handler !== 'function' || calls.handling.has(signal.signal)) return false;
  calls.handling.add(signal.signal);
  try {
    yield* handler(calls, signal);
  } finally {
    calls.handling.delete(signal.signal);
  }
  return true;
}

/** Sends a signal to a process (psignal). */
export function psignal(process: Process, signal: number): void {
  const { machine } = process;
  if (process.exiting) return;
  if (machine.events.watched) machine.events.emit('proc.signal', process.pid, signal, 0, 0);
  const disposition = process.dispositions.get(signal) ?? SIG_DFL;
  if (signal === SIGCONT || signal === SIGKILL) continueProcess(process, 0);
  if (process.tracer !== null && signal !== SIGKILL) {
    stopProcess(process, signal);
    return;
  }
  if (typeof disposition === 'function') {
    process.pending.push(signal);
    for (const thread of process.threads) thread.interrupt();
    return;
  }
  if (disposition === SIG_IGN) return;
  const action = defaultAction(signal);
  if (action === 'stop') stopProcess(process, signal);
  else if (action === 'terminate') machine.terminate(process, signal);
}

/** Delivers what is pending, on the way into the kernel or out of it (CURSIG, postsig). */
export function* takeSignals(calls: SystemCalls): Sleeping<void> {
  const { process } = calls;
  for (let signal = process.pending.shift(); signal !== undefined; signal = process.pending.shift())
    yield* runHandler(calls, new ProcessSignal(process.pid, { signal, code: 0 }, 0, 0, 0));
}

/** Stops a process: its threads go no further when they next enter or leave the kernel. Whoever waits for it is told. */
export function stopProcess(process: Process, signal: number): void {
  process.stopSignal = signal;
  process.stopReported = false;
  const { machine } = process;
  if (process.parent !== null) machine.scheduler.wakeup(process.parent.channel);
}

/**
 * Lets a stopped process go on.
 *
 * @param signal what it shall think it was sent, 0 for nothing
 */
export function continueProcess(process: Process, signal: number): void {
  process.stopSignal = 0;
  process.resumeSignal = signal;
  process.machine.scheduler.wakeup(process.channel);
}

/** Sleeps while the caller's process is stopped, unless it is to end. */
export function* waitWhileStopped({ process, thread }: Context): Sleeping<void> {
  while (process.stopSignal !== 0 && thread?.killed !== true) yield process.channel;
}
