import { EINVAL, ENOTDIR, EOPNOTSUPP, EPERM, type Errno } from '@uvmkit/pmap';
import type { Uvmexp } from '@uvmkit/uvm-core';
import type { Machine } from './machine.ts';
import type { Process } from './process.ts';
import { failed, type SyscallResult } from './result.ts';
import { MAXSLP } from './swapper.ts';

/** First part of a sysctl(3) name: virtual memory (sys/sysctl.h). */
export const CTL_VM = 2;
/** The second part (uvm/uvm_param.h). */
export const VM_METER = 1;
export const VM_UVMEXP = 3;
export const VM_ANONMIN = 6;
export const VM_EXECMIN = 7;
export const VM_FILEMIN = 8;
export const VM_MAXSLP = 9;
export const VM_USPACE = 10;
export const VM_ANONMAX = 11;
export const VM_EXECMAX = 12;
export const VM_FILEMAX = 13;

/** What VM_METER tells, in pages (`struct vmtotal`; what 2001 always left 0 is not here). */
export interface VmTotal {
  /** Memory and swap in use, and what of it is active. */
  readonly vm: number;
  readonly avm: number;
  /** Memory in use, and what of it is active. */
  readonly rm: number;
  readonly arm: number;
  readonly free: number;
}

/** A call of sysctl(3). */
export interface SysctlResult extends SyscallResult {
  /** What was there before: an integer, a structure, or null after an error. */
  readonly old: number | VmTotal | Readonly<Uvmexp> | null;
}

type Tunable = 'anonmin' | 'execmin' | 'filemin' | 'anonmax' | 'execmax' | 'filemax';

const TUNABLES: ReadonlyMap<number, Tunable> = new Map([
  [VM_ANONMIN, 'anonmin'],
  [VM_EXECMIN, 'execmin'],
  [VM_FILEMIN, 'filemin'],
  [VM_ANONMAX, 'anonmax'],
  [VM_EXECMAX, 'execmax'],
  [VM_FILEMAX, 'filemax'],
]);
const MINIMA: readonly Tunable[] = ['anonmin', 'execmin', 'filemin'];
/** The most that all minima may come to, in percent: something must be left for the daemon to take. */
const MOST_SPARED = 95;

/**
 * sysctl(3) of vm.* (`uvm_sysctl`).
 *
 * @param name its parts, from CTL_VM on
 * @param value what to set it to, percent; nothing is set if it is not given
 * @returns EPERM if it is set by anyone but the superuser, or cannot be set at all; ENOTDIR unless the name has two parts;
 * EOPNOTSUPP for a name there is not (the load average and the size of kmem_map are none of this machine's); EINVAL for shares out of range
 */
export function sysctl(process: Process, name: readonly number[], value?: number): SysctlResult {
  const { machine } = process;
  if (value !== undefined && !process.superuser) return refused(EPERM);
  if (name[0] !== CTL_VM) return refused(EOPNOTSUPP);
  if (name.length !== 2) return refused(ENOTDIR);
  const tunable = TUNABLES.get(name[1]!);
  if (tunable === undefined) {
    const old = readOnly(machine, process, name[1]!);
    if (old === null) return refused(EOPNOTSUPP);
    return value === undefined ? { error: 0, value: 0, old } : refused(EPERM);
  }
  const { exp } = machine.uvm;
  const old = percentOf(exp[tunable]);
  if (value !== undefined) {
    if (!isShare(exp, tunable, value)) return refused(EINVAL);
    exp[tunable] = Math.floor((value * 256) / 100);
  }
  return { error: 0, value: 0, old };
}

function refused(error: Errno): SysctlResult {
  return { ...failed(error), old: null };
}

function readOnly(
  { uvm }: Machine,
  process: Process,
  name: number,
): number | VmTotal | Uvmexp | null {
  const { exp } = uvm;
  const inUse = exp.npages - exp.free;
  switch (name) {
    case VM_METER:
      return {
        vm: inUse + exp.swpginuse,
        avm: exp.active + exp.swpginuse,
        rm: inUse,
        arm: exp.active,
        free: exp.free,
      };
    case VM_UVMEXP:
      return { ...exp };
    case VM_MAXSLP:
      return MAXSLP / 1e9;
    case VM_USPACE:
      return process.uarea?.size ?? 0;
    default:
      return null;
  }
}

/** Whether a kind of page may be given such a share of memory. */
function isShare(exp: Uvmexp, tunable: Tunable, percent: number): boolean {
  if (!Number.isInteger(percent) || percent < 0 || percent > 100) return false;
  if (!MINIMA.includes(tunable)) return true;
  const others = MINIMA.filter((other) => other !== tunable);
  return others.reduce((sum, other) => sum + percentOf(exp[other]), percent) <= MOST_SPARED;
}

/** The whole percent that a share in 256ths was made of, rounded down as it was. */
function percentOf(share: number): number {
  return Math.ceil((share * 100) / 256);
}
