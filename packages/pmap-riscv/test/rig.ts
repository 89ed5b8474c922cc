import {
  ACCESS_USER,
  ACCESS_USERSPACE,
  EventStream,
  FAULT,
  PhysicalMemory,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type Access,
} from '@uvmkit/pmap';
import type { RiscvMmu, RiscvMmuOptions } from '../src/mmu.ts';
import { SSTATUS_MXR, SSTATUS_SUM, Sv32Mmu, Sv39Mmu } from '../src/index.ts';

/** Where the images have their root: page number 0x10. */
export const ROOT = 0x10;
export const MEMORY = 16 << 20;

/** RAM that remembers which words the walk read. */
export class WatchedMemory extends PhysicalMemory {
  reads: number[] = [];

  override readLe32(pa: number): number {
    this.reads.push(pa);
    return super.readLe32(pa);
  }
}

/** A hart over tables written by hand. */
export interface Rig {
  readonly memory: WatchedMemory;
  readonly mmu: RiscvMmu;
  readonly events: EventStream;
}

export const MAKE = {
  sv32: { mode: 1, bytes: 4, mmu: Sv32Mmu },
  sv39: { mode: 8, bytes: 8, mmu: Sv39Mmu },
} as const;
export type Name = keyof typeof MAKE;

/** Address of an entry, its low word, and in Sv39 its high one. */
export type Image = readonly (readonly [number, number, number?])[];

export function rig(
  name: Name,
  image: Image,
  options: RiscvMmuOptions = {},
  memory = new WatchedMemory(MEMORY, 4096),
): Rig {
  const events = new EventStream();
  const mmu = new MAKE[name].mmu(0, { memory, events }, options);
  for (const [at, low, high] of image) {
    memory.writeLe32(at, low);
    if (high !== undefined) memory.writeLe32(at + 4, high);
  }
  mmu.writeSatp(MAKE[name].mode, 0, ROOT);
  return { memory, mmu, events };
}

/**
 * An access in short: r, w and x, then U (user) or S (supervisor), then what is in force: `sum`, `mxr`, or `copy` for a
 * copy between the kernel and the user, as `rwU`, `rS copy`, `rU mxr`.
 */
export function accessOf(text: string): { access: Access; sstatus: number } {
  const [kind, ...force] = text.split(' ');
  let access = 0;
  if (kind!.includes('r')) access |= VM_PROT_READ;
  if (kind!.includes('w')) access |= VM_PROT_WRITE;
  if (kind!.includes('x')) access |= VM_PROT_EXECUTE;
  if (kind!.endsWith('U')) access |= ACCESS_USER;
  if (force.includes('copy')) access |= ACCESS_USERSPACE;
  let sstatus = 0;
  if (force.includes('sum')) sstatus |= SSTATUS_SUM;
  if (force.includes('mxr')) sstatus |= SSTATUS_MXR;
  return { access, sstatus };
}

/** What an access came to: a physical address, or cause and address of the fault. */
export function attempt({ mmu }: Rig, va: number, text: string): number | [number, number] {
  const { access, sstatus } = accessOf(text);
  mmu.sstatus = sstatus;
  const pa = mmu.translate(va, access);
  return pa === FAULT ? [mmu.scause, mmu.stval] : pa;
}
