import {
  ACCESS_USER,
  bootBare,
  FAULT,
  TRAP_SETTLED,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type BareMachine,
  type BareOptions,
} from '@uvmkit/pmap';
import { expect } from 'vitest';
import { sun4c, Sun4cMachine, type Sun4cOptions } from '../src/sun4c/port.ts';

export const R = VM_PROT_READ;
export const RW = VM_PROT_READ | VM_PROT_WRITE;
export const LOAD = VM_PROT_READ | ACCESS_USER;
export const STORE = VM_PROT_WRITE | ACCESS_USER;
export const NONE_LEFT = Number.POSITIVE_INFINITY;

/** The machine that {@link boot} has booted last. */
export let bare: BareMachine;
export let md: Sun4cMachine;

export function boot(options: Sun4cOptions = {}, machine: BareOptions = {}): void {
  bare = bootBare(sun4c(options), machine);
  if (!(bare.md instanceof Sun4cMachine)) throw new TypeError('not a sun4c');
  md = bare.md;
}

/** What was stolen so far: map and what. */
export function watchSteals(): [number, number][] {
  const steals: [number, number][] = [];
  bare.events.watch((name, pmap, _, what) => {
    if (name === 'pmap.steal') steals.push([pmap, what]);
  });
  return steals;
}

/** Faults that the pmap settled by a refill. */
export const counted = { refills: 0 };

/** An access as the machine makes it: tried again as long as the pmap settles the fault. */
export function access(va: number, how: number): number {
  for (;;) {
    const pa = md.mmus[0].translate(va, how);
    if (pa !== FAULT) return pa;
    if (md.trap(0) !== TRAP_SETTLED) return FAULT;
    counted.refills++;
  }
}

export function load(va: number, how = LOAD): number {
  const pa = access(va, how);
  return pa === FAULT ? FAULT : md.mmus[0].dataCache.load(va, pa, 4);
}

export function store(va: number, value: number, how = STORE): void {
  const pa = access(va, how);
  expect(pa).not.toBe(FAULT);
  md.mmus[0].dataCache.store(va, pa, 4, value);
}

export function userMap(): number {
  const pmap = md.pmap.create();
  md.pmap.activate(pmap);
  return pmap;
}

/** The PTE that the hardware has for `va` in the current context. */
export const pteAt = (va: number): number => md.mmus[0].getPte(va);
