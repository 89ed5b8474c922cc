import { expect } from 'vitest';
import {
  ACCESS_USER,
  VM_PROT_READ,
  VM_PROT_WRITE,
  bootBare,
  type BareMachine,
  type BareOptions,
} from '@uvmkit/pmap';
import type { OeaOptions } from '../src/oea/options.ts';
import { OeaMachine, oea } from '../src/oea/port.ts';

export const RW = VM_PROT_READ | VM_PROT_WRITE;
export const USER_READ = VM_PROT_READ | ACCESS_USER;
export const USER_WRITE = VM_PROT_WRITE | ACCESS_USER;
/** With 1024 groups, pages this far apart in a segment share their primary group. */
export const SAME_GROUP = 0x400000;
export const VA = 0x01800000;

export interface Booted {
  readonly machine: BareMachine;
  readonly md: OeaMachine;
  readonly pmap: OeaMachine['pmap'];
}

/** Boots one that counts its wired mappings, so that a test sees which there are. */
export function boot(options: OeaOptions = {}, bare: BareOptions = {}): Booted {
  const machine = bootBare(oea({ ptegs: 1024, wiredCount: 'exact', ...options }), bare);
  const { md } = machine;
  if (!(md instanceof OeaMachine)) throw new TypeError('the OEA port boots an OeaMachine');
  return { machine, md, pmap: md.pmap };
}

/** A map, active, with one page at VA. */
export function mapped(booted: Booted, flags: number, prot = RW): { map: number; pa: number } {
  const map = booted.pmap.create();
  const pa = booted.machine.takePage();
  expect(booted.pmap.enter(map, VA, pa, prot, flags)).toBe(0);
  booted.pmap.activate(map);
  return { map, pa };
}

/** The valid PTEs in memory. */
export function tableEntries({ machine, md }: Booted): { pte: number; hi: number; lo: number }[] {
  const entries = [];
  const end = md.table.base + (md.table.mask + 1) * 64;
  for (let pte = md.table.base; pte < end; pte += 8) {
    const hi = machine.memory.readBe32(pte);
    if (hi >>> 31 === 1) entries.push({ pte, hi, lo: machine.memory.readBe32(pte + 4) });
  }
  return entries;
}
