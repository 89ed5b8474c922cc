import {
  ACCESS_USERSPACE,
  type Access,
  EFAULT,
  type Errno,
  type Va,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { type Sleeping, WAIT } from '@uvmkit/uvm-core';
import { REACHED } from './access.ts';
import type { Context } from './context.ts';
import type { WaitingFault } from './trap.ts';

/*
 * copyin(9) and copyout(9): the kernel's accesses to a process' memory, on its behalf. They go through the
 * MMU in supervisor mode, page by page, and answer EFAULT where the process would get a signal.
 */

/** Reads [va, va + length) of the process. */
export function* copyin(context: Context, va: Va, length: number): Sleeping<Uint8Array | Errno> {
  if (!isUserRange(context, va, length)) return EFAULT;
  const bytes = new Uint8Array(length);
  const { path } = context.process.machine;
  for (let done = 0; done < length;) {
    const count = pageRest(context, va + done, length - done);
    const error = yield* reach(context, va + done, count, VM_PROT_READ | ACCESS_USERSPACE);
    if (error !== 0) return error;
    path.read(context.cpu, bytes.subarray(done, done + count));
    done += count;
  }
  return bytes;
}

/** Writes bytes to the process' memory. After EFAULT a part of them may have been written. */
export function* copyout(context: Context, va: Va, bytes: Uint8Array): Sleeping<Errno> {
  const { length } = bytes;
  if (!isUserRange(context, va, length)) return EFAULT;
  const { path } = context.process.machine;
  for (let done = 0; done < length;) {
    const count = pageRest(context, va + done, length - done);
    const error = yield* reach(context, va + done, count, VM_PROT_WRITE | ACCESS_USERSPACE);
    if (error !== 0) return error;
    path.write(context.cpu, bytes.subarray(done, done + count));
    done += count;
  }
  return 0;
}

function* reach(context: Context, va: Va, count: number, access: Access): Sleeping<Errno> {
  const { process } = context;
  const { path, uvm } = process.machine;
  let waiting: WaitingFault | null = null;
  for (;;) {
    const outcome = path.attempt(process, context.cpu, va, count, access, waiting, false);
    if (outcome === REACHED) return 0;
    if (outcome !== WAIT) return EFAULT;
    waiting = path.traps.waiting;
    yield uvm.waitChannel;
  }
}

function isUserRange({ process }: Context, va: Va, length: number): boolean {
  const { userMin, userMax } = process.machine.md.port.layout;
  return length >= 0 && va >= userMin && va + length <= userMax;
}

/** How many of `most` bytes from `va` on lie in its page. */
export function pageRest({ process }: Context, va: Va, most: number): number {
  const { uvm } = process.machine;
  return Math.min(most, uvm.trunc(va) + uvm.pageSize - va);
}
