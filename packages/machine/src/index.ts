/**
 * `@uvmkit/machine`: a simulated machine that boots UVM on any port.
 *
 * {@link Machine} is where to begin; {@link Process} and {@link Thread} are the two ways to drive it.
 */
export { TRAP_TIME } from './trap.ts';
export * from './clock.ts';
export * from './context.ts';
export * from './cpu.ts';
export * from './descriptors.ts';
export * from './disk.ts';
export * from './file.ts';
export * from './fs.ts';
export * from './image.ts';
export * from './machine.ts';
export * from './process.ts';
export { exitCode, exitStatus, terminationSignal, WAIT_ANY } from './process-calls.ts';
export * from './random.ts';
export type { SyscallResult } from './result.ts';
export { CHANNEL_PREEMPT, DeadlockError } from './scheduler.ts';
export * from './signal.ts';
export { SYS, SYSCALL_TIME, type SystemCalls } from './system-calls.ts';
export type { Syscalls } from './syscalls.ts';
export * from './thread.ts';
export { ThreadDeath } from './thread-death.ts';
