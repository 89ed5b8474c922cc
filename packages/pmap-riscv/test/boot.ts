import {
  ACCESS_USER,
  bootBare,
  FAULT,
  TRAP_SETTLED,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type Access,
  type BareMachine,
  type BareOptions,
  type Va,
} from '@uvmkit/pmap';
import { RiscvMachine, sv32, sv39, type RiscvOptions } from '../src/index.ts';
import type { RiscvMmu, RiscvPmap } from '../src/index.ts';
import type { Name } from './rig.ts';

export const PORTS = { sv32, sv39 };
export const RW: number = VM_PROT_READ | VM_PROT_WRITE;
export const LOAD: Access = VM_PROT_READ | ACCESS_USER;
export const STORE: Access = VM_PROT_WRITE | ACCESS_USER;

export interface Booted {
  readonly bare: BareMachine;
  readonly md: RiscvMachine<RiscvMmu, RiscvPmap>;
  readonly pmap: RiscvPmap;
  /** The access by the current CPU, with what the pmap settles: a physical address or FAULT. */
  readonly access: (va: Va, how: Access) => number;
}

export function boot(
  name: Name,
  options: RiscvOptions = {},
  bareOptions: BareOptions = {},
): Booted {
  const bare = bootBare(PORTS[name](options), bareOptions);
  const { md } = bare;
  if (!(md instanceof RiscvMachine)) throw new TypeError('not a RISC-V machine');
  const access = (va: Va, how: Access): number => {
    for (;;) {
      const pa = md.mmus[md.currentCpu]!.translate(va, how);
      if (pa !== FAULT || md.trap(md.currentCpu) !== TRAP_SETTLED) return pa;
    }
  };
  return { bare, md, pmap: md.pmap, access };
}
