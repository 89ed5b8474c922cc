/**
 * `@uvmkit/machine`: a simulated machine that boots UVM on any port.
 *
 * {@link Machine} is where to begin; {@link Process} and {@link Thread} are the two ways to drive it.
 */
export { TRAP_TIME } from './trap.ts';
export * from './clock.ts';
export * from './context.ts';
export * from './cpu.ts';
export { Ddb } from './ddb/ddb.ts';
export { OPEN_MAX } from './descriptors.ts';
export type { Device } from './device-file.ts';
export * from './disk.ts';
export * from './file.ts';
export * from './fs.ts';
export * from './image.ts';
export * from './kernel-thread.ts';
export {
  type Limit,
  type Limits,
  RLIM_INFINITY,
  RLIMIT_AS,
  RLIMIT_DATA,
  RLIMIT_MEMLOCK,
  RLIMIT_NOFILE,
  RLIMIT_STACK,
} from './limits.ts';
export * from './machine.ts';
export * from './open-file.ts';
export * from './process.ts';
export {
  exitCode,
  exitStatus,
  stopSignal,
  terminationSignal,
  WAIT_ANY,
  WNOHANG,
  WUNTRACED,
} from './process-calls.ts';
export * from './profile.ts';
export * from './random.ts';
export type { SyscallResult } from './result.ts';
export { CHANNEL_PREEMPT, DeadlockError } from './scheduler.ts';
export * from './signal.ts';
export { type Disposition, SIG_DFL, SIG_IGN, type SignalHandler } from './signal-calls.ts';
export { SYS, SYSCALL_TIME, type SystemCalls } from './system-calls.ts';
export type { Syscalls } from './syscalls.ts';
export * from './thread.ts';
export { ThreadDeath } from './thread-death.ts';
