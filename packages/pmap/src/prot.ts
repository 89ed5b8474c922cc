/**
 * A set of access rights: the bits of `VM_PROT_*`, identical to the `PROT_*` of mmap(2)
 * (uvm/uvm_param.h, sys/mman.h).
 */
export type Prot = number;

/** The rights, a bit each, none of them and all of them. */
export const VM_PROT_NONE = 0;
export const VM_PROT_READ = 1;
export const VM_PROT_WRITE = 2;
export const VM_PROT_EXECUTE = 4;
export const VM_PROT_ALL = 7;

/**
 * Flags of `Pmap.enter`: the access that caused the entry, as `VM_PROT_*` bits (a subset of the
 * protection entered), with {@link PMAP_WIRED} and {@link PMAP_CANFAIL}.
 */
export type EnterFlags = number;

/** The mapping must not be forgotten until it is unwired or removed. */
export const PMAP_WIRED = 0x10;
/** A shortage may be answered with ENOMEM; without this flag it is a panic. */
export const PMAP_CANFAIL = 0x20;

/**
 * What kind of access a CPU makes: one or more of `VM_PROT_*` (READ | WRITE is one instruction
 * that loads and stores) with the mode bits {@link ACCESS_USER} and {@link ACCESS_USERSPACE}.
 */
export type Access = number;

/** The CPU is in user mode. Without it the access is the supervisor's. */
export const ACCESS_USER = 8;
/**
 * A supervisor access directed at the current process' address space, as copyin(9) and copyout(9)
 * make it. Only architectures that keep user and kernel space apart look at it (PowerPC's user
 * segment, sun4c's and SRMMU's need nothing); on the others the address alone decides.
 */
export const ACCESS_USERSPACE = 16;

/** `rwx`, `r--`, … as NetBSD and Linux print a protection. */
export function protName(prot: Prot): string {
  return (
    (prot & VM_PROT_READ ? 'r' : '-') +
    (prot & VM_PROT_WRITE ? 'w' : '-') +
    (prot & VM_PROT_EXECUTE ? 'x' : '-')
  );
}
