import {
  type Access,
  EFAULT,
  type Errno,
  FAULT,
  KernelPanic,
  type Pa,
  TRAP_BAD_ADDRESS,
  TRAP_SETTLED,
  type Va,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { uvmFault, uvmRefault } from './fault.ts';
import { type Sleeping, WAIT } from './types.ts';
import type { Uvm } from './uvm.ts';

/** Faults that one access may cause before something is wrong. */
const MOST_FAULTS = 100;

/**
 * Copies bytes out of the kernel's map, through the MMU of the current CPU, page by page. Faults are the kernel map's.
 *
 * @returns 0, or what a fault ended in; bytes before it have been copied
 */
export function* kernelRead(uvm: Uvm, va: Va, into: Uint8Array): Sleeping<Errno> {
  for (let done = 0; done < into.length;) {
    const at = va + done;
    const count = Math.min(into.length - done, uvm.trunc(at) + uvm.pageSize - at);
    const pa = yield* reach(uvm, at, VM_PROT_READ);
    if (pa < 0) return -pa;
    const { dataCache } = uvm.md.mmus[uvm.md.currentCpu]!;
    if (dataCache === null) into.set(uvm.memory.bytes.subarray(pa, pa + count), done);
    else for (let i = 0; i < count; i++) into[done + i] = dataCache.load(at + i, pa + i, 1);
    done += count;
  }
  return 0;
}

/** Copies bytes into the kernel's map, likewise. The bytes of one page are all there at once. */
export function* kernelWrite(uvm: Uvm, va: Va, from: Uint8Array): Sleeping<Errno> {
  for (let done = 0; done < from.length;) {
    const at = va + done;
    const count = Math.min(from.length - done, uvm.trunc(at) + uvm.pageSize - at);
    const pa = yield* reach(uvm, at, VM_PROT_WRITE);
    if (pa < 0) return -pa;
    const { dataCache } = uvm.md.mmus[uvm.md.currentCpu]!;
    if (dataCache === null) uvm.memory.bytes.set(from.subarray(done, done + count), pa);
    else for (let i = 0; i < count; i++) dataCache.store(at + i, pa + i, 1, from[done + i]!);
    done += count;
  }
  return 0;
}

/** Where a kernel address lies in memory once it may be accessed so; or an errno, negated. */
function* reach(uvm: Uvm, va: Va, access: Access): Sleeping<Pa> {
  const { md, kernelMap } = uvm;
  for (let tries = 0; tries < MOST_FAULTS; tries++) {
    const pa = md.mmus[md.currentCpu]!.translate(va, access);
    if (pa !== FAULT) return pa;
    uvm.exp.traps++;
    const outcome = md.trap(md.currentCpu);
    const { va: at, type, access: wanted } = md.fault;
    if (uvm.events.watched) uvm.events.emit('mmu.fault', md.currentCpu, at, wanted, outcome);
    if (outcome === TRAP_SETTLED) continue;
    if (outcome === TRAP_BAD_ADDRESS) return -EFAULT;
    let error = uvmFault(uvm, kernelMap, at, type, wanted);
    while (error === WAIT) {
      yield uvm.waitChannel;
      error = uvmRefault(uvm, kernelMap, at, type, wanted);
    }
    if (error !== 0) return -error;
  }
  throw new KernelPanic('trap: a kernel access never succeeds', { va, access });
}
