import type { Layout, Va } from '@uvmkit/pmap';

/**
 * Where everything lies (NetBSD sys/arch/i386/include/pmap.h 1.44 and vmparam.h).
 *
 *     0x00000000 ┌───────────────────────────────┐ slots 0 … 766
 *                │ user                          │
 *     0xbfc00000 ├───────────────────────────────┤ slot 767: the directory maps itself, so the
 *                │ PTE_BASE: this map's PTEs     │   4 MB here are all PTEs of the current map and
 *                │   0xbfeff000 PDP_BASE         │   one page of them is the directory
 *     0xc0000000 ├───────────────────────────────┤ slots 768 … 1022: the same in every map
 *                │ kernel                        │
 *     0xffc00000 ├───────────────────────────────┤ slot 1023: another map's directory, so that
 *                │ APTE_BASE: another map's PTEs │   its PTEs are here as long as it is loaded
 *     0xffffffff └───────────────────────────────┘
 */

/** Bytes in a page (NBPG), its log2 (PGSHIFT) and the mask of an offset in it (PGOFSET). */
export const NBPG = 4096;
export const PGSHIFT = 12;
export const PGOFSET = 0xfff;
/** Bytes that one page table maps (NBPD), and the log2 (PDSHIFT). */
export const NBPD = 0x400000;
export const PDSHIFT = 22;

/** The slot in which the directory names itself. */
export const PDSLOT_PTE = 767;
/** The first slot of the kernel. */
export const PDSLOT_KERN = 768;
/** The slot in which another map's directory is made visible. */
export const PDSLOT_APTE = 1023;

/** The PTEs of the current map. */
export const PTE_BASE: Va = PDSLOT_PTE * NBPD;
/** The directory of the current map, as a page among its PTEs. */
export const PDP_BASE: Va = PTE_BASE + PDSLOT_PTE * NBPG;
/** The PTEs of the map loaded in the alternate slot. */
export const APTE_BASE: Va = PDSLOT_APTE * NBPD;
/**
 * APDP_BASE as the header of 2000 defines it. It goes through the *alternate* directory's own slot
 * 1023 and so usually maps nothing; the alternate directory is seen at {@link APTE_BASE} + 767 pages.
 */
export const APDP_BASE: Va = APTE_BASE + PDSLOT_APTE * NBPG;

/** Where the addresses of a process begin and end, and those of the kernel. */
export const VM_MIN_ADDRESS: Va = 0;
export const VM_MAXUSER_ADDRESS: Va = PDSLOT_PTE * NBPD;
/** The end of the user's PTEs in the recursive window: where a walk over all of a map ends. */
export const VM_MAX_ADDRESS: Va = PTE_BASE + PDSLOT_PTE * NBPG;
export const KERNBASE: Va = PDSLOT_KERN * NBPD;
export const VM_MIN_KERNEL_ADDRESS: Va = PDSLOT_KERN * NBPD;
export const VM_MAX_KERNEL_ADDRESS: Va = PDSLOT_APTE * NBPD;

/** Kernel page tables that exist from boot: 16 MB of kernel addresses. */
export const NKPTP = 4;

/** The index of `va` in a directory, 0 … 1023. */
export function pdei(va: Va): number {
  return va >>> PDSHIFT;
}

/** The index of `va` in its page table, 0 … 1023. */
export function ptei(va: Va): number {
  return (va >>> PGSHIFT) & 1023;
}

/** Where the PTE of `va` is seen while its map is current. */
export function vtopte(va: Va): Va {
  return PTE_BASE + 4 * (va >>> PGSHIFT);
}

/** The address space as the machine sees it. MAXDSIZ 1 GB and MAXSSIZ 32 MB are vmparam.h's of 2001. */
export const I386_LAYOUT: Layout = {
  pageSize: NBPG,
  littleEndian: true,
  pointerSize: 4,
  userMin: VM_MIN_ADDRESS,
  userMax: VM_MAXUSER_ADDRESS,
  userStack: VM_MAXUSER_ADDRESS,
  userHoles: [],
  kernelMin: VM_MIN_KERNEL_ADDRESS,
  kernelMax: VM_MAX_KERNEL_ADDRESS,
  maxDataSize: 1 << 30,
  maxStackSize: 32 << 20,
};
