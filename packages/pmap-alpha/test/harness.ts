import {
  ACCESS_USER,
  bootBare,
  FAULT,
  NO_PA,
  TRAP_SETTLED,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type Access,
  type BareMachine,
  type BareOptions,
  type Pa,
  type PmapId,
  type Prot,
  type TrapOutcome,
  type Va,
} from '@uvmkit/pmap';
import assert from 'node:assert/strict';
import { alpha } from '../src/index.ts';
import type { AlphaMmu, AlphaOptions, AlphaPmap } from '../src/index.ts';

export const READ: Prot = VM_PROT_READ;
export const WRITE: Prot = VM_PROT_WRITE;
export const RW: Prot = VM_PROT_READ | VM_PROT_WRITE;
export const PAGE = 8192;
/** Where programs are: level-1 slot 0, level-2 slot 0x240. */
export const TEXT: Va = 0x1_2000_0000;
/** The first kernel addresses. */
export const KVA: Va = -(2 ** 41);

/** What became of an access: the physical address, or what the trap said. */
export type Outcome = { readonly pa: Pa; readonly traps: number } | { readonly trap: TrapOutcome };

/** An alpha with nothing above it, and the loop that a kernel would be. */
export class Alpha {
  readonly machine: BareMachine;
  readonly pmap: AlphaPmap;
  readonly mmus: readonly AlphaMmu[];

  constructor(options: AlphaOptions = {}, bare: BareOptions = {}) {
    this.machine = bootBare(alpha(options), bare);
    this.pmap = this.machine.md.pmap as AlphaPmap;
    this.mmus = this.machine.md.mmus as readonly AlphaMmu[];
  }

  /** A page of RAM for data. */
  page(): Pa {
    const pa = this.machine.takePage();
    assert.notEqual(pa, NO_PA);
    return pa;
  }

  /** A new map, active on the current CPU. */
  process(): PmapId {
    const id = this.pmap.create();
    this.pmap.activate(id);
    return id;
  }

  on(cpu: number): this {
    this.machine.md.currentCpu = cpu;
    return this;
  }

  /** Makes an access in user mode and settles what the pmap settles. */
  user(va: Va, access: Access): Outcome {
    return this.access(va, access | ACCESS_USER);
  }

  access(va: Va, access: Access): Outcome {
    const { md } = this.machine;
    const mmu = md.mmus[md.currentCpu]!;
    for (let traps = 0; traps < 10; traps++) {
      const pa = mmu.translate(va, access);
      if (pa !== FAULT) return { pa, traps };
      const trap = md.trap(md.currentCpu);
      if (trap !== TRAP_SETTLED) return { trap };
    }
    throw new Error(`no end of traps at ${va}: ${mmu.describeFault()}`);
  }

  /** The PTE as 16 hexadecimal digits. */
  pte(id: PmapId, va: Va): string {
    const words = this.pmap.describe(id, va);
    return words.startsWith('PTE') ? words.slice(6, 22) : words;
  }

  /** Resident and wired counts. */
  counts(id: PmapId): { resident: number; wired: number } {
    return { resident: this.pmap.residentCount(id), wired: this.pmap.wiredCount(id) };
  }

  /** Referenced and modified as letters. */
  attributes(pa: Pa): string {
    return (this.pmap.isReferenced(pa) ? 'R' : '-') + (this.pmap.isModified(pa) ? 'M' : '-');
  }

  check(): void {
    assert.deepEqual(this.pmap.check(), []);
  }
}
