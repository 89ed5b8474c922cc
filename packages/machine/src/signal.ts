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

/** Signal numbers (sys/signal.h). */
export const SIGKILL = 9;
export const SIGBUS = 10;
export const SIGSEGV = 11;

/** Codes of SIGSEGV and SIGBUS: no mapping; mapping without the right; no memory behind the mapping; its backing store failed. */
export const SEGV_MAPERR = 1;
export const SEGV_ACCERR = 2;
export const BUS_ADRERR = 2;
export const BUS_OBJERR = 3;

/**
 * Which signal a refused access becomes.
 *
 * - `netbsd-2001`: SIGSEGV whatever the reason, as trap() of every port sent it
 * - `posix`: SIGBUS for an address that is mapped but has no memory behind it: past the end of a file, or
 *   where its backing store failed
 */
export type SignalProfile = 'netbsd-2001' | 'posix';

/** A signal and its code. */
export interface SignalChoice {
  readonly signal: number;
  readonly code: number;
}

/** The signal for an access that `uvm_fault` answered with `errno`. Out of memory and swap is SIGKILL in every profile. */
export function signalFor(profile: SignalProfile, errno: Errno): SignalChoice {
  if (errno === ENOMEM) return { signal: SIGKILL, code: 0 };
  if (errno === EFAULT) return { signal: SIGSEGV, code: SEGV_MAPERR };
  if (errno === EACCES) return { signal: SIGSEGV, code: SEGV_ACCERR };
  if (profile === 'netbsd-2001') return { signal: SIGSEGV, code: SEGV_MAPERR };
  return { signal: SIGBUS, code: errno === EINVAL ? BUS_ADRERR : BUS_OBJERR };
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
