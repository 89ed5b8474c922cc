import {
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
import { pageRest } from './copy.ts';
import type { WaitingFault } from './trap.ts';

/*
 * The kernel's accesses to its own addresses (kcopy(9)): through the MMU in supervisor mode, with faults in
 * the kernel map.
 */

/** Reads kernel memory into `into`; EFAULT if a fault was refused. */
export function* readKernel(context: Context, va: Va, into: Uint8Array): Sleeping<Errno> {
  const { path } = context.process.machine;
  for (let done = 0; done < into.length;) {
    const count = pageRest(context, va + done, into.length - done);
    const error = yield* reach(context, va + done, count, VM_PROT_READ);
    if (error !== 0) return error;
    path.read(context.cpu, into.subarray(done, done + count));
    done += count;
  }
  return 0;
}

/** Writes bytes to kernel memory. After EFAULT a part of them may have been written. */
export function* writeKernel(context: Context, va: Va, bytes: Uint8Array): Sleeping<Errno> {
  const { path } = context.process.machine;
  for (let done = 0; done < bytes.length;) {
    const count = pageRest(context, va + done, bytes.length - done);
    const error = yield* reach(context, va + done, count, VM_PROT_WRITE);
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
