import {
  ACCESS_USER,
  bootBare,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type BareMachine,
  type BareOptions,
} from '@uvmkit/pmap';

import { FLUSH_PAGE } from '../src/srmmu/mmu.ts';
import { srmmu, SrmmuMachine, type SrmmuOptions } from '../src/srmmu/port.ts';

export const RW = VM_PROT_READ | VM_PROT_WRITE;
export const R = VM_PROT_READ;
export const LOAD = VM_PROT_READ | ACCESS_USER;
export const STORE = VM_PROT_WRITE | ACCESS_USER;

/** The machine that {@link boot} has booted last. */
export let bare: BareMachine;
export let md: SrmmuMachine;

export function boot(options: SrmmuOptions = {}, machine: BareOptions = {}): void {
  bare = bootBare(srmmu(options), machine);
  if (!(bare.md instanceof SrmmuMachine)) throw new TypeError('not a sun4m');
  md = bare.md;
}

/** The PTE for `va` in the current map of CPU 0, as a probe sees it. */
export const pteAt = (va: number): number => md.mmus[0]!.probe(FLUSH_PAGE, va);

export function userMap(): number {
  const pmap = md.pmap.create();
  md.pmap.activate(pmap);
  return pmap;
}
