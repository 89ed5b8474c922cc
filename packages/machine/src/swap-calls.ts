import { EINVAL, ENOENT, EPERM, type Errno } from '@uvmkit/pmap';
import {
  type Sleeping,
  SWAP_NSWAP,
  SWAP_STATS,
  type SwapBackend,
  swapctl as uvmSwapctl,
  type SwapctlResult,
} from '@uvmkit/uvm-core';
import type { Context } from './context.ts';
import type { Machine } from './machine.ts';
import { fileSwapBackend } from './partition.ts';

/**
 * swapctl(2), by path: a block device or a file, which must have all its blocks.
 *
 * @param command SWAP_*
 * @param path what to swap to; not looked at by SWAP_NSWAP and SWAP_STATS
 * @param misc priority, or the most entries wanted
 * @returns ENOENT for a path that leads nowhere, and what `swapctl` of uvm-core answers
 */
export function* swapctl(
  { process }: Context,
  command: number,
  path: string,
  misc: number,
): Sleeping<SwapctlResult> {
  const { machine, superuser } = process;
  const { uvm } = machine;
  if (command === SWAP_NSWAP || command === SWAP_STATS)
    return yield* uvmSwapctl(uvm, superuser, command, null, misc);
  const backend = superuser ? backendOf(machine, path) : EPERM;
  if (typeof backend === 'number') return { error: backend, value: -1, entries: [] };
  const result = yield* uvmSwapctl(uvm, superuser, command, backend, misc);
  return result.error === 0 ? result : { ...result, value: -1 };
}

/** The same one for the same path, so that a device is known again. */
function backendOf(machine: Machine, path: string): SwapBackend | Errno {
  const { uvm, swapBackends, partitions } = machine;
  let backend = swapBackends.get(path);
  if (backend !== undefined) return backend;
  const partition = partitions.get(path);
  if (partition !== undefined) backend = partition.swapBackend(uvm.pageSize);
  else {
    if (machine.devices.has(path)) return EINVAL;
    const { fs, name } = machine.resolve(path);
    const file = fs.lookup(name);
    if (file === null) return ENOENT;
    backend = fileSwapBackend(path, file, uvm.pageSize, machine.clock);
    // Nobody may free its blocks as long as the machine may swap to it.
    file.vnode.refs++;
  }
  swapBackends.set(path, backend);
  return backend;
}
