import {
  ACCESS_USER,
  type Access,
  EFAULT,
  type Errno,
  KernelPanic,
  type MachineDependent,
  type Prot,
  TRAP_BAD_ADDRESS,
  TRAP_SETTLED,
  type Va,
} from '@uvmkit/pmap';
import {
  type FaultType,
  type Uvm,
  uvmFault,
  uvmRefault,
  type Vmspace,
  type VmMap,
  WAIT,
} from '@uvmkit/uvm-core';
import type { Clock } from './clock.ts';
import type { Cpu } from './cpu.ts';

/** Virtual ns that a trap takes, whoever settles it. */
export const TRAP_TIME = 1_000;

/** The access may be tried again. The other outcomes are uvm-core's WAIT and {@link REFUSED}. */
export const RETRY = 0;
/** The access is refused: why is in the refusal of {@link Traps}. */
export const REFUSED = 1;

/** How often one access may fault before it is taken for a livelock. */
const MOST_TRAPS = 100;

/** A fault that waits: what to ask uvm_fault again once the channel was woken. */
export interface WaitingFault {
  /** The space that it happened in: if the process has another by then, the fault is moot. */
  readonly space: Vmspace;
  readonly map: VmMap;
  readonly va: Va;
  readonly type: FaultType;
  readonly access: Prot;
}

/** Why an access was refused. */
export interface Refusal {
  va: Va;
  access: Prot;
  errno: Errno;
}

/**
 * trap(): from the MMU's fault record to an answer, without sleeping and without allocating, unless
 * it has to wait.
 *
 *     translate ── FAULT ──▶ md.trap ─┬─ SETTLED ──────────────────────▶ retry
 *                                     ├─ FAULT ──▶ uvm_fault ─┬─ 0 ────▶ retry
 *                                     │                       ├─ WAIT ─▶ sleep, then go on with `waiting`
 *                                     │                       └─ errno ▶ refused
 *                                     └─ BAD_ADDRESS ──────────────────▶ refused (EFAULT)
 */
export class Traps {
  /** Filled when the outcome is {@link REFUSED}; the same object every time. */
  readonly refusal: Refusal = { va: 0, access: 0, errno: 0 };
  /** Filled when the outcome is WAIT; the channel is in `uvm.waitChannel`. */
  waiting: WaitingFault | null = null;
  readonly #uvm: Uvm;
  readonly #md: MachineDependent;
  readonly #clock: Clock;

  constructor(uvm: Uvm, clock: Clock) {
    this.#uvm = uvm;
    this.#md = uvm.md;
    this.#clock = clock;
  }

  /**
   * Deals with the fault that the CPU's MMU has just answered for an access of a process with that space.
   *
   * @param count how many faults the access has had before this one
   * @throws KernelPanic if it has had too many: something resolves faults that are none
   */
  handle(cpu: Cpu, space: Vmspace, access: Access, count: number): number {
    const uvm = this.#uvm;
    const md = this.#md;
    uvm.exp.traps++;
    this.#clock.charge(TRAP_TIME);
    const trapped = md.trap(cpu.number);
    const { fault } = md;
    if (uvm.events.watched)
      uvm.events.emit('mmu.fault', cpu.number, fault.va, fault.access, trapped);
    if (count >= MOST_TRAPS) throw this.#livelock(cpu, space, count);
    if (trapped === TRAP_SETTLED) return this.#retry();
    // User mode may not fault in the kernel's map, whatever is mapped there.
    if (trapped === TRAP_BAD_ADDRESS || (fault.kernel && (access & ACCESS_USER) !== 0))
      return this.#refuse(fault.va, fault.access, EFAULT);
    const map = fault.kernel ? uvm.kernelMap : space.map;
    const outcome = uvmFault(uvm, map, fault.va, fault.type, fault.access);
    if (outcome === 0) return this.#retry();
    const { va, type } = fault;
    if (outcome !== WAIT) return this.#refuse(va, fault.access, outcome);
    this.waiting = { space, map, va, type, access: fault.access };
    return WAIT;
  }

  /** Goes on with a fault that had to wait. */
  resume(waiting: WaitingFault): number {
    const { map, va, type, access } = waiting;
    const outcome = uvmRefault(this.#uvm, map, va, type, access);
    if (outcome === 0) return this.#retry();
    if (outcome !== WAIT) return this.#refuse(va, access, outcome);
    this.waiting = waiting;
    return WAIT;
  }

  /** On the way back to the access, interrupts are taken that have come meanwhile. */
  #retry(): number {
    if (this.#clock.due) this.#clock.runDue();
    return RETRY;
  }

  #refuse(va: Va, access: Prot, errno: Errno): number {
    this.refuse(va, access, errno);
    return REFUSED;
  }

  /** Notes why an access is refused. */
  refuse(va: Va, access: Prot, errno: Errno): false {
    const { refusal } = this;
    refusal.va = va;
    refusal.access = access;
    refusal.errno = errno;
    return false;
  }

  #livelock(cpu: Cpu, space: Vmspace, count: number): KernelPanic {
    const { fault, pmap } = this.#md;
    return new KernelPanic('trap: the fault was resolved, but the access faults again and again', {
      va: fault.va,
      access: fault.access,
      cpu: cpu.number,
      faults: count,
      hardware: cpu.mmu.describeFault(),
      tables: pmap.describe(space.pmap, fault.va),
    });
  }
}
