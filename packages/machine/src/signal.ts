import {
  EACCES,
  EFAULT,
  EINVAL,
  ENOMEM,
  errnoName,
  type Errno,
  hex,
  type Prot,
  protName,
  type Va,
} from '@uvmkit/pmap';
import type { Profile } from './profile.ts';

/** Signal numbers (sys/signal.h). */
export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGQUIT = 3;
export const SIGTRAP = 5;
export const SIGABRT = 6;
export const SIGKILL = 9;
export const SIGBUS = 10;
export const SIGSEGV = 11;
export const SIGPIPE = 13;
export const SIGALRM = 14;
export const SIGTERM = 15;
export const SIGURG = 16;
export const SIGSTOP = 17;
export const SIGTSTP = 18;
export const SIGCONT = 19;
export const SIGCHLD = 20;
export const SIGTTIN = 21;
export const SIGTTOU = 22;
export const SIGIO = 23;
export const SIGWINCH = 28;
export const SIGINFO = 29;
export const SIGUSR1 = 30;
export const SIGUSR2 = 31;
/** Signals are 1 … NSIG − 1. */
export const NSIG = 32;

/** Codes of SIGSEGV and SIGBUS: no mapping; mapping without the right; no memory behind the mapping; its backing store failed. */
export const SEGV_MAPERR = 1;
export const SEGV_ACCERR = 2;
export const BUS_ADRERR = 2;
export const BUS_OBJERR = 3;

/** A signal and its code. */
export interface SignalChoice {
  readonly signal: number;
  readonly code: number;
}

/** The signal for an access that `uvm_fault` answered with `errno`. Out of memory and swap is SIGKILL in every profile. */
export function signalFor(profile: Profile, errno: Errno): SignalChoice {
  if (errno === ENOMEM) return { signal: SIGKILL, code: 0 };
  if (errno === EFAULT) return { signal: SIGSEGV, code: SEGV_MAPERR };
  if (errno === EACCES) return { signal: SIGSEGV, code: SEGV_ACCERR };
  if (!profile.sendsBusError) return { signal: SIGSEGV, code: SEGV_MAPERR };
  return { signal: SIGBUS, code: errno === EINVAL ? BUS_ADRERR : BUS_OBJERR };
}

/** What a signal does to a process that has not said otherwise. */
export type DefaultAction = 'terminate' | 'ignore' | 'stop' | 'continue';

const IGNORED: ReadonlySet<number> = new Set([SIGURG, SIGCHLD, SIGIO, SIGWINCH, SIGINFO]);
const STOPPING: ReadonlySet<number> = new Set([SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU]);

/** The default action of a signal (sigprop). No core is written. */
export function defaultAction(signal: number): DefaultAction {
  if (IGNORED.has(signal)) return 'ignore';
  if (STOPPING.has(signal)) return 'stop';
  return signal === SIGCONT ? 'continue' : 'terminate';
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [SIGKILL, 'SIGKILL'],
  [SIGBUS, 'SIGBUS'],
  [SIGSEGV, 'SIGSEGV'],
]);

/**
 * A process got a signal from an access of its own. A plain call throws it to the caller, a coroutine
 * to the coroutine; a coroutine that does not catch it takes its process with it. After SIGKILL the process
 * is gone already.
 */
export class ProcessSignal extends Error {
  override readonly name: string = 'ProcessSignal';
  readonly pid: number;
  readonly signal: number;
  readonly code: number;
  /** The faulting address: the byte, or its page where the hardware reports no more. */
  readonly va: Va;
  /** The right that was missing. */
  readonly access: Prot;
  /** What uvm_fault answered. */
  readonly errno: Errno;

  constructor(pid: number, choice: SignalChoice, va: Va, access: Prot, errno: Errno) {
    const { signal, code } = choice;
    super(
      `process ${pid} got ${NAMES.get(signal) ?? `signal ${signal}`} (code ${code}) for ${protName(access)} at ${hex(va)}: ${errnoName(errno)}`,
    );
    this.pid = pid;
    this.signal = signal;
    this.code = code;
    this.va = va;
    this.access = access;
    this.errno = errno;
  }
}
