import { EINVAL, EPERM, VM_PROT_ALL, VM_PROT_NONE } from '@uvmkit/pmap';
import { mapProtect, type Sleeping } from '@uvmkit/uvm-core';
import type { Context } from './context.ts';
import { failed, type SyscallResult, succeeded } from './result.ts';

/** Resources (sys/resource.h). Those of 2001 that limit nothing in this machine (CPU, FSIZE, CORE, RSS, NPROC) it does not know. */
export const RLIMIT_DATA = 2;
export const RLIMIT_STACK = 3;
export const RLIMIT_MEMLOCK = 6;
export const RLIMIT_NOFILE = 8;
/** Later than 2001: only the profile `posix` has it. */
export const RLIMIT_AS = 10;
/** No limit. */
export const RLIM_INFINITY: number = Number.POSITIVE_INFINITY;

/** Limits of a process: bytes, and for `files` descriptors. */
export interface Limits {
  /** RLIMIT_DATA: the heap by brk(2), and each anonymous or private writable mapping together with it. */
  readonly data: number;
  /** RLIMIT_STACK. */
  readonly stack: number;
  /** RLIMIT_MEMLOCK. */
  readonly memlock: number;
  /** RLIMIT_NOFILE. */
  readonly files: number;
  /** RLIMIT_AS. */
  readonly addressSpace: number;
}

/** One limit (`struct rlimit`). */
export interface Limit {
  /** What holds now (`rlim_cur`). */
  readonly soft: number;
  /** What the process may raise it to (`rlim_max`). */
  readonly hard: number;
}

const NAMES: ReadonlyMap<number, keyof Limits> = new Map([
  [RLIMIT_DATA, 'data'],
  [RLIMIT_STACK, 'stack'],
  [RLIMIT_MEMLOCK, 'memlock'],
  [RLIMIT_NOFILE, 'files'],
  [RLIMIT_AS, 'addressSpace'],
]);

function nameOf({ process }: Context, resource: number): keyof Limits | undefined {
  if (resource === RLIMIT_AS && !process.machine.rules.limitsAddressSpace) return undefined;
  return NAMES.get(resource);
}

/** getrlimit(2). EINVAL for a resource that is not known. */
export function getrlimit(context: Context, resource: number): SyscallResult & Limit {
  const name = nameOf(context, resource);
  if (name === undefined) return { ...failed(EINVAL), soft: 0, hard: 0 };
  const { limits, hardLimits } = context.process;
  return { ...succeeded(0), soft: limits[name], hard: hardLimits[name] };
}

/**
 * setrlimit(2). Data and stack are cut down to what the port allows; a new limit of the stack takes effect at once, for the
 * whole stack is mapped and the limit says how much of it may be used.
 *
 * @returns EINVAL for an unknown resource or a soft limit above the hard one, EPERM above the old hard limit
 */
export function* setrlimit(
  context: Context,
  resource: number,
  wanted: Limit,
): Sleeping<SyscallResult> {
  const { process } = context;
  const { uvm } = process.machine;
  const name = nameOf(context, resource);
  if (name === undefined || wanted.soft < 0 || wanted.hard < 0) return failed(EINVAL);
  const before = process.limits[name];
  const allowed = process.hardLimits[name];
  if (wanted.soft > wanted.hard) return failed(EINVAL);
  if (wanted.hard > allowed && !process.superuser) return failed(EPERM);
  const { maxDataSize, maxStackSize } = uvm.md.port.layout;
  const most = name === 'data' ? maxDataSize : name === 'stack' ? maxStackSize : RLIM_INFINITY;
  const soft = Math.min(wanted.soft, most);
  process.limits = { ...process.limits, [name]: soft };
  process.mostLocked = Math.max(process.mostLocked, process.limits.memlock);
  process.hardLimits = { ...process.hardLimits, [name]: Math.min(wanted.hard, most) };
  if (name === 'stack' && soft !== before && process.space.stackHigh !== 0) {
    const { map, stackHigh } = process.space;
    const start = uvm.trunc(stackHigh - Math.max(soft, before));
    const end = start + uvm.round(Math.abs(soft - before));
    const prot = soft > before ? VM_PROT_ALL : VM_PROT_NONE;
    // What the process has unmapped there meanwhile stays so: the limit holds all the same.
    yield* mapProtect(uvm, map, start, end, prot, false);
  }
  return succeeded(0);
}
