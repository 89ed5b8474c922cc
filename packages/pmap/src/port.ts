import type { Pa, Va } from './address.ts';
import type { EventStream } from './events.ts';
import type { PhysicalMemory } from './memory.ts';
import type { Mmu } from './mmu.ts';
import type { Pmap } from './pmap.ts';
import { VM_PROT_READ, type Prot } from './prot.ts';

/**
 * A port: one MMU and its pmap, ready to boot. Ports are values; options of a port's own are given
 * to the function that makes it (`i386({ variant: 'up' })`).
 */
export interface Port {
  /** What `--arch` calls it: lower case, no blanks, for instance `i386` or `sun4c`. */
  readonly name: string;
  /** One line for a person: the MMU and the pmap it models. */
  readonly description: string;
  readonly layout: Layout;
  readonly capabilities: PortCapabilities;
  /**
   * Builds the kernel's tables in memory, one MMU a CPU with translation switched on, and the pmap.
   *
   * @throws RangeError if memory or CPU count do not suit the architecture: says what was given and wanted
   */
  boot(boot: BootServices): MachineDependent;
}

/** The addresses of an architecture (machine/vmparam.h), bytes. */
export interface Layout {
  /** PAGE_SIZE: a power of two ≥ 4096. */
  readonly pageSize: number;
  /** Whether words in memory have their lowest byte first. */
  readonly littleEndian: boolean;
  /** Bytes in a pointer: 4 or 8. */
  readonly pointerSize: number;
  /** VM_MIN_ADDRESS: the lowest user address. */
  readonly userMin: Va;
  /** VM_MAXUSER_ADDRESS: the first address beyond user space. */
  readonly userMax: Va;
  /** USRSTACK: the first address beyond the stack. */
  readonly userStack: Va;
  /** Ranges between userMin and userMax that no mapping can have (sun4c's hole); usually empty. */
  readonly userHoles: readonly { readonly start: Va; readonly end: Va }[];
  /** VM_MIN_KERNEL_ADDRESS and VM_MAX_KERNEL_ADDRESS. */
  readonly kernelMin: Va;
  readonly kernelMax: Va;
  /** MAXDSIZ: the largest data segment; mmap(2) places new mappings above it. */
  readonly maxDataSize: number;
  /** MAXSSIZ: the largest stack. */
  readonly maxStackSize: number;
}

/** What a port can do and what it lacks: conditions of the conformance kit, and what reports explain. */
export interface PortCapabilities {
  /** The unit at which execute permission is enforced: by page, by segment (or not exactly), or not at all. */
  readonly execute: 'page' | 'segment' | 'none';
  /** Whether a page can be mapped for stores and fetches but not for loads. */
  readonly writeOnly: boolean;
  /** Who sets the referenced bit: the MMU, or faults that the pmap settles, or nobody. */
  readonly referenced: 'hardware' | 'software' | 'none';
  /** Who sets the modified bit. */
  readonly modified: 'hardware' | 'software';
  /** Address-space tags (ASNs, contexts, PIDs): how many there are; 0 if the TLB is flushed on a switch. */
  readonly addressSpaceTags: number;
  /** Distance in bytes at which two addresses of one page share cache lines; 0 if caches are physical. */
  readonly cacheAlias: number;
  /** Where translations live: page tables in memory, a hash table in memory, or registers of the MMU. */
  readonly tables: 'tree' | 'hash' | 'mmu';
  /** Whether `pmap.update` has work to do in this configuration. */
  readonly deferred: boolean;
  /** Whether page tables or their like can run out although memory is plenty (PMEGs, PTEG slots). */
  readonly scarceTables: boolean;
  /** Whether unaligned words trap; the machine then splits such accesses as the kernel's fixup would. */
  readonly strictAlignment: boolean;
  /** What `pmap.pageProtect(NONE)` does to a wired mapping. */
  readonly pageProtectWired: 'removes' | 'keeps';
  /** What `pmap.clearReference` does to a wired mapping: a page that is wired may fault where it is removed. */
  readonly clearReferenceWired: 'removes' | 'keeps';
  /** Whether mappings of `pmap.kenterPa` are counted in the kernel map's `residentCount` and `wiredCount`. */
  readonly kenterCounted: boolean;
  /** What `pmap.unwire` does where the mapping has gone, with diagnostics on. */
  readonly unwireMissing: 'panics' | 'prints' | 'silent';
}

/** What the machine gives a port when it boots, before UVM exists. */
export interface BootServices {
  readonly memory: PhysicalMemory;
  /** Number of CPUs, ≥ 1. */
  readonly cpus: number;
  readonly events: EventStream;
  /** Kernel with DIAGNOSTIC: the checks of the pmap's own that panic or print. */
  readonly diagnostic: boolean;
  /**
   * Takes `bytes` of RAM for good, zeroed, aligned to `align` (a power of two, at least a page). Only
   * during `Port.boot`. UVM will not manage it.
   *
   * @throws RangeError if memory is too small
   */
  readonly steal: (bytes: number, align: number) => Pa;
  /** The kernel's printf: one line, no newline. */
  readonly print: (message: string) => void;
}

/** A booted port: what the machine and UVM hold of it. */
export interface MachineDependent {
  readonly port: Port;
  readonly pmap: Pmap;
  /** One a CPU, in order of their numbers. */
  readonly mmus: readonly Mmu[];
  /** The CPU on which pmap calls are being made. Written by the machine before it calls. */
  currentCpu: number;
  /**
   * Deals with the fault that `mmus[cpu].translate` just answered: decodes the architecture's record
   * into {@link fault}, and settles what the pmap settles itself (referenced and modified
   * emulation, a refill, a spill). Tells no `mmu.fault`: the machine does.
   *
   * @returns `TRAP_SETTLED`, `TRAP_FAULT` or `TRAP_BAD_ADDRESS`
   */
  trap(cpu: number): TrapOutcome;
  /** The last fault decoded by {@link trap}; the same object every time. */
  readonly fault: Fault;
  /**
   * Writes back and drops what CPU caches hold of [pa, pa + length), so that a device (or the kernel, by physical
   * address) sees and may change memory itself: what bus_dmamap_sync does. Absent where caches are coherent.
   */
  readonly syncForDevice?: (pa: Pa, length: number) => void;
}

/** What {@link MachineDependent.trap} made of a fault. */
export type TrapOutcome = number;
/** The pmap settled it: try the access again. */
export const TRAP_SETTLED = 0;
/** It is for uvm_fault: address, access and space are in the fault record. */
export const TRAP_FAULT = 1;
/** No mapping can ever be there (a hole in the address space, a privileged address): a signal, without asking UVM. */
export const TRAP_BAD_ADDRESS = 2;

/** VM_FAULT_INVALID: no valid mapping. */
export const VM_FAULT_INVALID = 0;
/** VM_FAULT_PROTECT: a mapping that does not allow the access. UVM treats both alike. */
export const VM_FAULT_PROTECT = 1;

/** A page fault as UVM sees it. */
export interface Fault {
  /** The faulting byte address; where the hardware reports only the page, its first byte. */
  va: Va;
  /** VM_PROT_READ, WRITE or EXECUTE: the one right that was missing. Fetches that cannot be told from loads are READ. */
  access: Prot;
  /** VM_FAULT_INVALID or VM_FAULT_PROTECT. */
  type: number;
  /** Whether the address is one of the kernel's map (true) or of the current process' map. */
  kernel: boolean;
}

/** A fault record, for `MachineDependent.fault`: one for the life of the machine. */
export function faultRecord(): Fault {
  return { va: 0, access: VM_PROT_READ, type: VM_FAULT_INVALID, kernel: false };
}
