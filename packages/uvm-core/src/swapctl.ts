import { EINVAL, type Errno, EPERM } from '@uvmkit/pmap';
import type { SwapBackend } from './swap.ts';
import type { Sleeping } from './types.ts';
import type { Uvm } from './uvm.ts';

/** swapctl(2) commands (sys/swap.h). */
export const SWAP_ON = 1;
export const SWAP_OFF = 2;
export const SWAP_NSWAP = 3;
export const SWAP_OSTATS = 4;
export const SWAP_CTL = 5;
export const SWAP_STATS = 6;
export const SWAP_DUMPDEV = 7;
export const SWAP_GETDUMPDEV = 8;

/** What SWAP_STATS says of a device (`struct swapent`). */
export interface SwapEntry {
  /** Empty for SWAP_OSTATS: programs from before NetBSD 1.3 know of none. */
  readonly path: string;
  readonly priority: number;
  /** Slots it has, and slots in use, bad ones included. */
  readonly npages: number;
  readonly inuse: number;
  /** Slots are taken from it; not so while it is being taken away. */
  readonly enabled: boolean;
}

/** The outcome of swapctl(2). */
export interface SwapctlResult {
  readonly error: Errno;
  /** SWAP_NSWAP: devices there are. SWAP_STATS: entries given. */
  readonly value: number;
  readonly entries: readonly SwapEntry[];
}

/**
 * swapctl(2).
 *
 * @param command SWAP_*
 * @param backend the device; null where the command has none
 * @param misc SWAP_ON, SWAP_CTL: its priority, lower is used first; SWAP_STATS: the most entries wanted
 * @returns EPERM unless superuser, but for SWAP_NSWAP, SWAP_STATS and SWAP_OSTATS; EINVAL for an unknown command or no device; and as
 * {@link Swap.on}, {@link Swap.off} and {@link Swap.control} say
 */
export function* swapctl(
  uvm: Uvm,
  superuser: boolean,
  command: number,
  backend: SwapBackend | null,
  misc: number,
): Sleeping<SwapctlResult> {
  const { swap } = uvm;
  const entries: SwapEntry[] = [];
  if (command === SWAP_NSWAP) return { error: 0, value: uvm.exp.nswapdev, entries };
  if (command === SWAP_STATS || command === SWAP_OSTATS) {
    for (const device of swap.devices.slice(0, Math.max(misc, 0)))
      entries.push({
        path: command === SWAP_STATS ? device.backend.name : '',
        priority: device.priority,
        npages: device.npages,
        inuse: device.npginuse,
        enabled: device.enabled,
      });
    return { error: 0, value: entries.length, entries };
  }
  let error: Errno = EINVAL;
  if (!superuser) error = EPERM;
  else if (backend !== null && command === SWAP_ON) error = swap.on(backend, misc);
  else if (backend !== null && command === SWAP_OFF) error = yield* swap.off(backend);
  else if (backend !== null && command === SWAP_CTL) error = swap.control(backend, misc);
  return { error, value: 0, entries };
}
