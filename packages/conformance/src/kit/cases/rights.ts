import {
  PMAP_WIRED,
  type Prot,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';

// What the cases call rights and flags.

export const NONE: Prot = VM_PROT_NONE;
export const R: Prot = VM_PROT_READ;
export const W: Prot = VM_PROT_WRITE;
export const X: Prot = VM_PROT_EXECUTE;
export const RW: Prot = R | W;
export const RX: Prot = R | X;
export const RWX: Prot = VM_PROT_ALL;
export const WIRED: number = PMAP_WIRED;
