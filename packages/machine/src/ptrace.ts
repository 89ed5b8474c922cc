import { EBUSY, EINVAL, EPERM, type Errno, ESRCH, type Va } from '@uvmkit/pmap';
import type { Sleeping } from '@uvmkit/uvm-core';
import type { Context } from './context.ts';
import type { Process } from './process.ts';
import { endTracing, reparent } from './process-calls.ts';
import { copyBetween, processMemory } from './process-memory.ts';
import { failed, resultOf, type SyscallResult, succeeded } from './result.ts';
import { NSIG, SIGKILL, SIGSTOP } from './signal.ts';
import { continueProcess, psignal, stopProcess } from './signal-calls.ts';

/** ptrace(2) requests (sys/ptrace.h). */
export const PT_TRACE_ME = 0;
export const PT_READ_I = 1;
export const PT_READ_D = 2;
export const PT_WRITE_I = 4;
export const PT_WRITE_D = 5;
export const PT_CONTINUE = 7;
export const PT_KILL = 8;
export const PT_ATTACH = 9;
export const PT_DETACH = 10;

/** Directions of PT_IO, whose block transfers came later than 2001: until then /proc/PID/mem served. */
export const PIOD_READ_D = 1;
export const PIOD_WRITE_D = 2;
export const PIOD_READ_I = 3;
export const PIOD_WRITE_I = 4;

/** What PT_IO shall move (`struct ptrace_io_desc`). */
export interface TraceTransfer {
  /** PIOD_*. */
  readonly op: number;
  /** Address in the traced process. */
  readonly offset: Va;
  /** Address in the caller. */
  readonly addr: Va;
  readonly length: number;
}

/** Bytes of a word that PT_READ and PT_WRITE move: an int. */
const WORD = 4;

/**
 * ptrace(2), for everything but block transfers.
 *
 * @param addr an address in the traced process, for the requests that move a word
 * @param data the word to write, or the signal to go on with
 * @returns ESRCH for no such process; EPERM if the caller does not trace it, EBUSY if another does or it is not stopped;
 * EINVAL. The value of a read is the word, unsigned, in the port's byte order
 */
export function* ptrace(
  context: Context,
  request: number,
  pid: number,
  addr: Va,
  data: number,
): Sleeping<SyscallResult> {
  const { process } = context;
  if (request === PT_TRACE_ME) {
    if (process.parent === null) return failed(ESRCH);
    process.tracer = process.parent;
    process.realParent = process.parent;
    return succeeded(0);
  }
  const target = process.machine.processes.get(pid);
  if (target === undefined || target.exiting) return failed(ESRCH);
  if (request === PT_ATTACH) return resultOf(attach(process, target));
  const refused = traceError(process, target);
  if (refused !== 0 && !(request === PT_KILL && target.tracer === process)) return failed(refused);
  const bytes = new Uint8Array(WORD);
  const view = new DataView(bytes.buffer);
  const { littleEndian } = process.machine.md.port.layout;
  switch (request) {
    case PT_READ_I:
    case PT_READ_D: {
      const { error, done } = yield* processMemory(target, addr, bytes, false);
      if (error !== 0 || done < WORD) return failed(error === 0 ? EINVAL : error);
      return succeeded(view.getUint32(0, littleEndian));
    }
    case PT_WRITE_I:
    case PT_WRITE_D: {
      view.setUint32(0, data, littleEndian);
      const { error, done } = yield* processMemory(target, addr, bytes, true);
      return error !== 0 || done < WORD ? failed(error === 0 ? EINVAL : error) : succeeded(0);
    }
    case PT_CONTINUE:
    case PT_DETACH: {
      if (data < 0 || data >= NSIG) return failed(EINVAL);
      if (request === PT_DETACH) endTracing(target);
      goOn(target, data);
      return succeeded(0);
    }
    case PT_KILL:
      psignal(target, SIGKILL);
      return succeeded(0);
    default:
      return failed(EINVAL);
  }
}

/** PT_IO. The value is the number of bytes moved. */
export function* ptraceIo(
  context: Context,
  pid: number,
  { op, offset, addr, length }: TraceTransfer,
): Sleeping<SyscallResult> {
  const { process } = context;
  const target = process.machine.processes.get(pid);
  if (target === undefined || target.exiting) return failed(ESRCH);
  const refused = traceError(process, target);
  if (refused !== 0) return failed(refused);
  if (op < PIOD_READ_D || op > PIOD_WRITE_I || length < 0) return failed(EINVAL);
  const write = op === PIOD_WRITE_D || op === PIOD_WRITE_I;
  return yield* copyBetween(context, target, offset, addr, length, write);
}

/** Whether the caller may do things to a process that it traces. */
function traceError(process: Process, target: Process): Errno {
  if (target.tracer === null) return EPERM;
  return target.tracer !== process || target.stopSignal === 0 ? EBUSY : 0;
}

/** PT_ATTACH: the process becomes a child of the caller's, and stops. */
function attach(process: Process, target: Process): Errno {
  if (target === process) return EINVAL;
  if (target.tracer !== null) return EBUSY;
  if (target.superuser && !process.superuser) return EPERM;
  target.tracer = process;
  target.realParent = target.parent;
  reparent(target, process);
  stopProcess(target, SIGSTOP);
  return 0;
}

/** Lets a stopped process go on, as if it had been sent that signal; a thread that stopped for a signal of its own sees that. */
function goOn(target: Process, signal: number): void {
  const inTrap = target.trapped;
  continueProcess(target, signal);
  if (signal === 0 || inTrap) return;
  const { tracer } = target;
  // It is not to stop for the tracer once more.
  target.tracer = null;
  psignal(target, signal);
  target.tracer = tracer;
}
