import { EAGAIN, EINVAL, EPERM, type Errno, type Va } from '@uvmkit/pmap';
import {
  mapCheckProt,
  mapLookup,
  mapUnwire,
  type Sleeping,
  sysMlock,
  sysMunlock,
  userRange,
} from '@uvmkit/uvm-core';
import type { Context } from './context.ts';

/** mlock(2). The profile decides what a failure is called. */
export function* mlock(context: Context, addr: Va, length: number): Sleeping<Errno> {
  const { process } = context;
  const { uvm, rules } = process.machine;
  if (rules.mlockForbidden === EPERM && process.limits.memlock === 0 && !process.superuser)
    return EPERM;
  const unfit = rangeError(context, addr, length);
  if (unfit !== 0) return unfit;
  const error = yield* sysMlock(uvm, process, addr, length);
  return error === 0 || error === EAGAIN ? error : (rules.mlockRefused ?? error);
}

/** munlock(2). */
export function* munlock(context: Context, addr: Va, length: number): Sleeping<Errno> {
  const { process } = context;
  const { uvm, rules } = process.machine;
  const unfit = rangeError(context, addr, length);
  if (unfit !== 0) return unfit;
  const range = userRange(uvm, addr, length);
  if (rules.munlockUnlocked !== 0 || typeof range === 'number')
    return yield* sysMunlock(uvm, process, addr, length);
  // What is not locked is passed over: unlock the locked stretches one by one.
  const { map } = process.space;
  for (let va = range.start; va < range.end;) {
    const entry = mapLookup(map, va);
    if (entry === null) break;
    const end = Math.min(entry.end, range.end);
    const error = entry.wiredCount === 0 ? 0 : yield* mapUnwire(uvm, map, va, end);
    if (error !== 0) return error;
    va = end;
  }
  return 0;
}

/** What the profile says of a range that is not all mapped, or not all in user space; 0 if UVM may decide. */
function rangeError({ process }: Context, addr: Va, length: number): Errno {
  const { uvm, rules } = process.machine;
  const range = userRange(uvm, addr, length);
  if (typeof range === 'number') {
    const space = 2 ** (8 * uvm.md.port.layout.pointerSize);
    const wraps = addr < 0 || length < 0 || addr + length > space;
    return wraps ? EINVAL : (rules.mlockOutside ?? range);
  }
  if (rules.mlockHole === null) return 0;
  const whole = mapCheckProt(process.space.map, range.start, range.end, 0);
  return whole ? 0 : rules.mlockHole;
}
