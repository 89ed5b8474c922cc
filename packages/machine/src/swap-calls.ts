import { EINVAL, ENOENT, ENOTBLK, EPERM, type Errno } from '@uvmkit/pmap';
import {
  type Sleeping,
  SWAP_DUMPDEV,
  SWAP_GETDUMPDEV,
  SWAP_NSWAP,
  SWAP_OFF,
  SWAP_ON,
  SWAP_OSTATS,
  SWAP_STATS,
  type SwapBackend,
  swapctl as uvmSwapctl,
  type SwapctlResult,
} from '@uvmkit/uvm-core';
import type { Context } from './context.ts';
import type { File } from './file.ts';
import type { Machine } from './machine.ts';
import { fileSwapBackend } from './partition.ts';

/** The outcome of swapctl(2) on a machine. */
export interface MachineSwapctlResult extends SwapctlResult {
  /** SWAP_GETDUMPDEV: the device, or null if there is none. */
  readonly path?: string | null;
}

/**
 * swapctl(2), by path: a block device or a file, which must have all its blocks.
 *
 * @param command SWAP_*
 * @param path what to swap or dump to; not looked at by what only asks
 * @param misc priority, or the most entries wanted
 * @returns ENOENT for a path that leads nowhere, ENOTBLK if one cannot dump to it, and what `swapctl` of uvm-core answers
 */
export function* swapctl(
  { process }: Context,
  command: number,
  path: string,
  misc: number,
): Sleeping<MachineSwapctlResult> {
  const { machine, superuser } = process;
  const { uvm } = machine;
  if (command === SWAP_NSWAP || command === SWAP_STATS || command === SWAP_OSTATS)
    return yield* uvmSwapctl(uvm, superuser, command, null, misc);
  if (superuser && (command === SWAP_DUMPDEV || command === SWAP_GETDUMPDEV))
    return dumpDevice(machine, command, path);
  const found = superuser ? find(machine, path) : EPERM;
  if (typeof found === 'number') return { error: found, value: -1, entries: [] };
  const { backend, file } = found;
  const result = yield* uvmSwapctl(uvm, superuser, command, backend, misc);
  if (result.error !== 0) return { ...result, value: -1 };
  if (command === SWAP_ON) {
    machine.swapBackends.set(path, backend);
    // Nobody may free its blocks as long as the machine swaps to it.
    if (file !== null) {
      machine.swapFiles.set(path, file);
      file.vnode.refs++;
    }
  } else if (command === SWAP_OFF) {
    machine.swapBackends.delete(path);
    if (machine.swapFiles.delete(path)) {
      file!.vnode.refs--;
      yield* machine.reclaim();
    }
  }
  return result;
}

/** Chooses the device that memory is dumped to, or tells which it is. */
function dumpDevice(machine: Machine, command: number, path: string): MachineSwapctlResult {
  if (command === SWAP_DUMPDEV) {
    if (!machine.partitions.has(path)) {
      const { fs, name } = machine.resolve(path);
      const known = machine.devices.has(path) || fs.lookup(name) !== null;
      return { error: known ? ENOTBLK : ENOENT, value: -1, entries: [] };
    }
    machine.dumpDevice = path;
  }
  return { error: 0, value: 0, entries: [], path: machine.dumpDevice };
}

/** Somewhere to swap to, and the file that it is, unless it is a device. */
interface Found {
  readonly backend: SwapBackend;
  readonly file: File | null;
}

/** What is swapped to by that path already, or could be. */
function find(machine: Machine, path: string): Found | Errno {
  const { uvm, swapBackends, swapFiles, partitions } = machine;
  const known = swapBackends.get(path);
  if (known !== undefined) return { backend: known, file: swapFiles.get(path) ?? null };
  const partition = partitions.get(path);
  if (partition !== undefined) return { backend: partition.swapBackend(uvm.pageSize), file: null };
  if (machine.devices.has(path)) return EINVAL;
  const { fs, name } = machine.resolve(path);
  const file = fs.lookup(name);
  if (file === null) return ENOENT;
  return { backend: fileSwapBackend(path, file, uvm.pageSize, machine.clock), file };
}
