/**
 * `@uvmkit/machine`: a simulated machine that boots UVM on any port.
 *
 * {@link Machine} is where to begin; {@link Process} and {@link Thread} are the two ways to drive it.
 */
export { TRAP_TIME } from './trap.ts';
export { checkMachine, MACHINE_INVARIANTS, type MachineCheckOptions } from './check.ts';
export * from './clock.ts';
export * from './context.ts';
export * from './cpu.ts';
export { Ddb } from './ddb/ddb.ts';
export { OPEN_MAX } from './descriptors.ts';
export type { Device } from './device.ts';
export * from './disk.ts';
export * from './file.ts';
export { FILE_SYSTEM_KINDS, type FileSystemKind } from './file-kinds.ts';
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
export { OPTIMISATIONS, type Optimisations } from './optimisations.ts';
export { Partition } from './partition.ts';
export {
  PIOD_READ_D,
  PIOD_READ_I,
  PIOD_WRITE_D,
  PIOD_WRITE_I,
  PT_ATTACH,
  PT_CONTINUE,
  PT_DETACH,
  PT_KILL,
  PT_READ_D,
  PT_READ_I,
  PT_TRACE_ME,
  PT_WRITE_D,
  PT_WRITE_I,
  type TraceTransfer,
} from './ptrace.ts';
export {
  IPC_CREAT,
  IPC_EXCL,
  IPC_PRIVATE,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  type SegmentStatus,
  SHM_RDONLY,
  SHM_RND,
} from './shm.ts';
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
export { Server } from './remote.ts';
export type { SyscallResult } from './result.ts';
export type { MachineSwapctlResult } from './swap-calls.ts';
export { CHANNEL_PREEMPT, DeadlockError } from './scheduler.ts';
export * from './signal.ts';
export { type Disposition, SIG_DFL, SIG_IGN, type SignalHandler } from './signal-calls.ts';
export { SYS, SYSCALL_TIME, type SystemCalls } from './system-calls.ts';
export type { Syscalls } from './syscalls.ts';
export * from './thread.ts';
export {
  CTL_VM,
  type SysctlResult,
  VM_ANONMAX,
  VM_ANONMIN,
  VM_EXECMAX,
  VM_EXECMIN,
  VM_FILEMAX,
  VM_FILEMIN,
  VM_MAXSLP,
  VM_METER,
  VM_USPACE,
  VM_UVMEXP,
  type VmTotal,
} from './sysctl.ts';
export { ThreadDeath } from './thread-death.ts';
