import { ECHILD, EINTR, ENOMEM, type Errno } from '@uvmkit/pmap';
import {
  type Sleeping,
  spaceExec,
  spaceFork,
  spaceFree,
  spaceShare,
  Uarea,
} from '@uvmkit/uvm-core';
import { type Context, sleepInterruptibly } from './context.ts';
import { type Image, layImage } from './image.ts';
import type { Process } from './process.ts';
import { failed, type SyscallResult, succeeded } from './result.ts';
import { SIGCHLD, SIGKILL } from './signal.ts';
import { psignal } from './signal-calls.ts';
import { ThreadDeath } from './thread-death.ts';
import type { Thread, ThreadBody } from './thread.ts';

/*
 * How processes begin, change and end (kern_fork.c, kern_exec.c, kern_exit.c).
 *
 *     fork ──▶ running ──exit──▶ zombie ──wait4 by the parent, or its end──▶ dead
 */

/** Any child (wait4(2)). */
export const WAIT_ANY = -1;
/** wait4(2) options: answer at once; tell of stopped children too. */
export const WNOHANG = 1;
export const WUNTRACED = 2;

/** The status of a process that ended by exit(2) with `code`. */
export function exitStatus(code: number): number {
  return (code & 0xff) << 8;
}

/** The signal that ended a process with that status, or 0 (WTERMSIG). */
export function terminationSignal(status: number): number {
  return (status & 0x7f) === STOPPED ? 0 : status & 0x7f;
}

/** In the low bits of a status: the process is not gone, but stopped. */
const STOPPED = 0x7f;

/** The signal that stopped a process with that status, or 0 (WSTOPSIG). */
export function stopSignal(status: number): number {
  return (status & 0x7f) === STOPPED ? status >> 8 : 0;
}

/** What the process gave exit(2) (WEXITSTATUS). */
export function exitCode(status: number): number {
  return (status >> 8) & 0xff;
}

/**
 * fork(2). The value is the child's pid; ENOMEM if there is no memory for its u-area.
 *
 * @param body what the child's first thread runs; without one the child is driven by plain calls
 * @param shareSpace FORK_SHAREVM: both use one address space
 */
export function* fork(
  { process }: Context,
  body: ThreadBody | null,
  shareSpace: boolean,
): Sleeping<SyscallResult> {
  const { machine } = process;
  const { uvm } = machine;
  const uarea = yield* Uarea.alloc(uvm);
  if (uarea === null) return failed(ENOMEM);
  uvm.exp.forks++;
  if (shareSpace) {
    uvm.exp.forks_sharevm++;
    spaceShare(process.space);
  }
  const space = shareSpace ? process.space : yield* spaceFork(uvm, process.space);
  machine.shm.fork(process.space, space);
  const child = machine.addProcess(space, uarea, process.limits, process.superuser, process);
  inherit(child, process);
  if (uvm.events.watched) uvm.events.emit('proc.fork', process.pid, child.pid);
  if (body !== null) machine.start(child, body);
  return succeeded(child.pid);
}

function inherit(child: Process, parent: Process): void {
  child.descriptors = parent.descriptors.copy();
  for (const [signal, action] of parent.dispositions) child.dispositions.set(signal, action);
}

/**
 * vfork(2): the child runs in the parent's space, and the parent sleeps until it has one of its own or ends. The value is
 * the child's pid.
 */
export function* vfork({ process }: Context, body: ThreadBody): Sleeping<SyscallResult> {
  const { machine } = process;
  const { uvm } = machine;
  const uarea = yield* Uarea.alloc(uvm);
  if (uarea === null) return failed(ENOMEM);
  uvm.exp.forks++;
  uvm.exp.forks_ppwait++;
  uvm.exp.forks_sharevm++;
  spaceShare(process.space);
  const child = machine.addProcess(
    process.space,
    uarea,
    process.limits,
    process.superuser,
    process,
  );
  inherit(child, process);
  child.vforked = true;
  if (uvm.events.watched) uvm.events.emit('proc.fork', process.pid, child.pid);
  machine.start(child, body);
  while (child.vforked) yield process.channel;
  return succeeded(child.pid);
}

/** The process does not need its parent's space any more, or soon will not. */
function releaseParent(process: Process): void {
  if (!process.vforked) return;
  process.vforked = false;
  if (process.parent !== null) process.machine.scheduler.wakeup(process.parent.channel);
}

/**
 * execve(2), of an image instead of a file. The other threads of the process end; descriptors stay. An image that cannot
 * be laid out leaves nothing to return to, so the process is killed, as NetBSD does.
 *
 * @param thread the calling thread, or null for a plain call
 */
export function* exec(
  context: Context,
  image: Image,
  thread: Thread | null,
): Sleeping<SyscallResult> {
  const { process } = context;
  const { machine } = process;
  const { uvm } = machine;
  yield* endOtherThreads(process, thread);
  const { userMin, userMax } = machine.md.port.layout;
  const old = process.space;
  if (old.refs === 1) machine.shm.exit(old);
  process.space = yield* spaceExec(uvm, old, userMin, userMax);
  process.load(context.cpu);
  releaseParent(process);
  // Handlers were in the old image; what is ignored stays so.
  for (const [signal, action] of process.dispositions)
    if (typeof action === 'function') process.dispositions.delete(signal);
  const error = yield* layImage(uvm, process.space, image, process.limits.stack);
  yield* machine.reclaim();
  if (uvm.events.watched) uvm.events.emit('proc.exec', process.pid);
  if (error === 0) return succeeded(0);
  yield* endProcess(process, SIGKILL, thread);
  return failed(error);
}

/**
 * wait4(2): the status of a child that has ended, and the end of that child.
 *
 * @param pid the child's, or {@link WAIT_ANY}
 * @param options WNOHANG: 0 as the value if no child has ended; WUNTRACED: children that were stopped count too, those
 * that the caller traces always do
 * @returns ECHILD if there is no such child; EINTR for a signal to the caller, or if the thread itself is to end
 */
export function* wait4(
  context: Context,
  pid: number,
  options: number,
): Sleeping<SyscallResult & { readonly status: number }> {
  const { process } = context;
  for (let interrupted = false; ;) {
    let found = false;
    for (const child of process.children) {
      if (pid !== WAIT_ANY && pid !== child.pid) continue;
      found = true;
      const waitsForStop = (options & WUNTRACED) !== 0 || child.tracer === process;
      if (
        child.state === 'running' &&
        child.stopSignal !== 0 &&
        !child.stopReported &&
        waitsForStop
      ) {
        child.stopReported = true;
        return { ...succeeded(child.pid), status: (child.stopSignal << 8) | STOPPED };
      }
      if (child.state !== 'zombie') continue;
      const { status } = child;
      // Who only traced it gives it back to its parent, which has it to bury.
      if (!endTracing(child)) reap(child);
      return { ...succeeded(child.pid), status };
    }
    const error: Errno = !found ? ECHILD : interrupted ? EINTR : 0;
    if (error !== 0) return { ...failed(error), status: 0 };
    if ((options & WNOHANG) !== 0) return { ...succeeded(0), status: 0 };
    interrupted = yield* sleepInterruptibly(context, process.channel);
  }
}

/**
 * Ends a process (exit1): its threads, its descriptors, its address space. It is a zombie until its parent waits for it;
 * its children become orphans, whose zombies vanish at once.
 *
 * @param status as wait4 will tell it: {@link exitStatus}, or the number of a signal
 * @param thread the thread of the process that runs this, or null
 */
export function* endProcess(
  process: Process,
  status: number,
  thread: Thread | null,
): Sleeping<void> {
  if (process.exiting) return;
  const { machine } = process;
  const { uvm } = machine;
  process.exiting = true;
  releaseParent(process);
  yield* endOtherThreads(process, thread);
  process.descriptors.closeAll();
  const { space } = process;
  process.space = machine.kernelSpace;
  if (space.refs === 1) machine.shm.exit(space);
  if (space.refs === 1) for (const cpu of machine.cpus) if (cpu.space === space) cpu.unload();
  yield* spaceFree(uvm, space);
  yield* machine.swapper.settle(process);
  process.uarea?.free();
  process.uarea = null;
  process.swappedOut = false;
  yield* machine.reclaim();
  for (const child of [...process.children]) {
    if (child.tracer === process) {
      endTracing(child);
      psignal(child, SIGKILL);
      continue;
    }
    child.parent = null;
    if (child.state === 'zombie') reap(child);
  }
  process.children.clear();
  process.status = status;
  process.state = 'zombie';
  if (uvm.events.watched) uvm.events.emit('proc.exit', process.pid, status);
  // The thread has nothing to go back to.
  if (thread !== null) thread.killed = true;
  if (process.parent === null) reap(process);
  else {
    machine.scheduler.wakeup(process.parent.channel);
    psignal(process.parent, SIGCHLD);
  }
}

/** Waits until no other thread of the process is left: each ends when it next leaves the kernel. */
function* endOtherThreads(process: Process, thread: Thread | null): Sleeping<void> {
  const others = (): Thread[] => [...process.threads].filter((other) => other !== thread);
  for (const other of others()) {
    other.killed = true;
    other.interrupt();
  }
  // Whoever sleeps in wait4 must look again.
  process.machine.scheduler.wakeup(process.channel);
  while (others().length > 0) {
    yield process.channel;
    // Another thread was first to end the process.
    if (thread?.killed === true) throw new ThreadDeath();
  }
}

/**
 * Ends the tracing of a process, and makes it its own parent's child again.
 *
 * @returns whether it has such a parent, other than who traced it
 */
export function endTracing(process: Process): boolean {
  const { tracer, realParent } = process;
  process.tracer = null;
  process.realParent = null;
  if (tracer === null || realParent === tracer) return false;
  const parent = realParent?.exiting === false ? realParent : null;
  reparent(process, parent);
  if (parent === null) return false;
  process.machine.scheduler.wakeup(parent.channel);
  return true;
}

/** Makes a process the child of another, or an orphan. */
export function reparent(process: Process, parent: Process | null): void {
  process.parent?.children.delete(process);
  process.parent = parent;
  parent?.children.add(process);
}

function reap(process: Process): void {
  process.state = 'dead';
  process.parent?.children.delete(process);
  process.machine.forgetProcess(process);
}
