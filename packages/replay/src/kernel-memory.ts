import type { SystemCall } from './records.ts';

/**
 * The memory that Linux touches in a process' name while it serves a system call, which the reference lines do not
 * show. Argument numbers count from 0; sizes are those of the 32-bit x86 interface.
 */
interface Touch {
  readonly arg: number;
  /** Whether the kernel reads it (an input) or writes it (an output, only of a call that succeeded). */
  readonly write: boolean;
  /** Bytes: a number, the result, or the value of an argument times a size. */
  readonly bytes: number | 'result' | { readonly arg: number; readonly size: number };
}

const reads = (arg: number, bytes: Touch['bytes']): Touch => ({ arg, write: false, bytes });
const writes = (arg: number, bytes: Touch['bytes']): Touch => ({ arg, write: true, bytes });
const times = (arg: number, size: number): Touch['bytes'] => ({ arg, size });

/** By the name of the call. Path names need no entry: every argument with a string is read, terminator included. */
const TOUCHES: ReadonlyMap<string, readonly Touch[]> = new Map(
  Object.entries({
    // Transfers. Those on regular files are done as such and do not come here.
    read: [writes(1, 'result')],
    pread64: [writes(1, 'result')],
    write: [reads(1, 'result')],
    pwrite64: [reads(1, 'result')],
    readlink: [writes(1, 'result')],
    readlinkat: [writes(2, 'result')],
    getdents: [writes(1, 'result')],
    getdents64: [writes(1, 'result')],
    getcwd: [writes(0, 'result')],
    getrandom: [writes(0, 'result')],
    sendto: [reads(1, 'result')],
    recvfrom: [writes(1, 'result')],
    // Files and descriptors.
    statx: [writes(4, 256)],
    stat64: [writes(1, 96)],
    lstat64: [writes(1, 96)],
    fstat64: [writes(1, 96)],
    fstatat64: [writes(2, 96)],
    statfs64: [writes(2, 84)],
    fstatfs64: [writes(2, 84)],
    llseek: [writes(3, 8)],
    pipe: [writes(0, 8)],
    pipe2: [writes(0, 8)],
    poll: [reads(0, times(1, 8)), writes(0, times(1, 8))],
    // Time, limits, identity.
    clock_gettime: [writes(1, 8)],
    clock_gettime64: [writes(1, 16)],
    gettimeofday: [writes(0, 8)],
    time: [writes(0, 4)],
    times: [writes(0, 16)],
    nanosleep: [reads(0, 8)],
    clock_nanosleep: [reads(2, 8)],
    clock_nanosleep_time64: [reads(2, 16)],
    getrlimit: [writes(1, 8)],
    setrlimit: [reads(1, 8)],
    prlimit64: [reads(2, 16), writes(3, 16)],
    getrusage: [writes(1, 72)],
    sysinfo: [writes(0, 64)],
    newuname: [writes(0, 390)],
    sched_getaffinity: [writes(2, 'result')],
    // Threads, signals, processes.
    set_thread_area: [reads(0, 16), writes(0, 4)],
    futex: [reads(0, 4)],
    rt_sigaction: [reads(1, 20), writes(2, 20)],
    rt_sigprocmask: [reads(1, 8), writes(2, 8)],
    sigaltstack: [reads(0, 12), writes(1, 12)],
    wait4: [writes(1, 4), writes(3, 72)],
    waitpid: [writes(1, 4)],
  }),
);

/** ioctl(2) requests whose third argument is written: TCGETS, TIOCGPGRP, TIOCGWINSZ, FIONREAD. */
const IOCTL_WRITES: Readonly<Record<number, number>> = {
  0x5401: 36,
  0x540f: 4,
  0x5413: 8,
  0x541b: 4,
};
/** Words that socketcall(2) reads, by its first argument: SYS_SOCKET … SYS_RECVMSG. */
const SOCKETCALL_WORDS: readonly number[] = [0, 3, 3, 3, 2, 3, 3, 3, 4, 4, 4, 6, 6, 2, 5, 5, 3, 3];
/** Calls that lead the kernel through pointers in memory, which a recording cannot follow. */
const OPAQUE: ReadonlySet<string> = new Set([
  'readv',
  'writev',
  'preadv',
  'pwritev',
  'sendmsg',
  'recvmsg',
  'select',
  '_newselect',
  'pselect6',
  'epoll_wait',
  'ppoll',
]);

/** EFAULT: such a call touched memory up to a place that nobody knows. */
const LINUX_EFAULT = 14;
/** wait4(2) with nothing to report. */
const NOBODY = 0;

/**
 * Visits what the kernel touches for a call.
 *
 * @param visit address and length in bytes, and whether it is written; inputs come before outputs
 * @returns whether all of it is known: false where the call has pointers in memory
 */
export function visitKernelMemory(
  call: SystemCall,
  visit: (address: number, length: number, write: boolean) => void,
): boolean {
  const { name, args, result } = call;
  if (result === -LINUX_EFAULT) return true;
  const failed = result !== null && result < 0;
  for (const { value, text } of args)
    if (text !== null && typeof value === 'number' && value > 0)
      visit(value, text.length + 1, false);
  const number = (arg: number): number => {
    const value = args[arg]?.value;
    return typeof value === 'number' ? value : 0;
  };
  for (const { arg, write, bytes } of touchesOf(call, number)) {
    if (write && (failed || result === null)) continue;
    if (write && name.startsWith('wait') && result === NOBODY) continue;
    const length =
      bytes === 'result'
        ? Math.max(0, result ?? 0)
        : typeof bytes === 'number'
          ? bytes
          : number(bytes.arg) * bytes.size;
    if (number(arg) > 0 && length > 0) visit(number(arg), length, write);
  }
  return !OPAQUE.has(name);
}

function touchesOf(call: SystemCall, number: (arg: number) => number): readonly Touch[] {
  if (call.name === 'ioctl') {
    const bytes = IOCTL_WRITES[number(1)];
    return bytes === undefined ? [] : [writes(2, bytes)];
  }
  if (call.name === 'socketcall') return [reads(1, 4 * (SOCKETCALL_WORDS[number(0)] ?? 0))];
  return TOUCHES.get(call.name) ?? [];
}
