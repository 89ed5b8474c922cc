import { hex } from '@uvmkit/pmap';
import {
  MAP_INHERIT_COPY,
  MAP_INHERIT_NONE,
  MAP_INHERIT_SHARE,
  PG_BUSY,
  PG_CLEAN,
  PG_FAKE,
  PG_PAGEOUT,
  PG_RDONLY,
  PG_RELEASED,
  PG_TABLED,
  PG_WANTED,
  PG_ZERO,
  PQ_ACTIVE,
  PQ_ANON,
  PQ_AOBJ,
  PQ_FREE,
  PQ_INACTIVE,
  UVM_ADV_NORMAL,
  UVM_ADV_RANDOM,
  UVM_ADV_SEQUENTIAL,
  VM_MAP_BUSY,
  VM_MAP_INTRSAFE,
  VM_MAP_PAGEABLE,
  VM_MAP_WANTLOCK,
  VM_MAP_WIREFUTURE,
} from '@uvmkit/uvm-core';

/** Bits and what they are called, in the order in which they are printed. */
type BitNames = readonly (readonly [number, string])[];

export const PAGE_FLAGS: BitNames = [
  [PG_BUSY, 'BUSY'],
  [PG_WANTED, 'WANTED'],
  [PG_TABLED, 'TABLED'],
  [PG_CLEAN, 'CLEAN'],
  [PG_RELEASED, 'RELEASED'],
  [PG_FAKE, 'FAKE'],
  [PG_RDONLY, 'RDONLY'],
  [PG_ZERO, 'ZERO'],
  [PG_PAGEOUT, 'PAGEOUT'],
];

export const QUEUE_FLAGS: BitNames = [
  [PQ_FREE, 'FREE'],
  [PQ_INACTIVE, 'INACTIVE'],
  [PQ_ACTIVE, 'ACTIVE'],
  [PQ_ANON, 'ANON'],
  [PQ_AOBJ, 'AOBJ'],
];

export const MAP_FLAGS: BitNames = [
  [VM_MAP_PAGEABLE, 'PAGEABLE'],
  [VM_MAP_INTRSAFE, 'INTRSAFE'],
  [VM_MAP_WIREFUTURE, 'WIREFUTURE'],
  [VM_MAP_BUSY, 'BUSY'],
  [VM_MAP_WANTLOCK, 'WANTLOCK'],
];

const INHERITANCE: ReadonlyMap<number, string> = new Map([
  [MAP_INHERIT_SHARE, 'share'],
  [MAP_INHERIT_COPY, 'copy'],
  [MAP_INHERIT_NONE, 'none'],
]);

const ADVICE: ReadonlyMap<number, string> = new Map([
  [UVM_ADV_NORMAL, 'normal'],
  [UVM_ADV_RANDOM, 'random'],
  [UVM_ADV_SEQUENTIAL, 'sequential'],
]);

/** A bit set as ddb(4) prints it: `0x9<BUSY,CLEAN>`. */
export function bits(value: number, names: BitNames): string {
  const set = names.filter(([bit]) => (value & bit) !== 0).map(([, name]) => name);
  return set.length === 0 ? hex(value, 1) : `${hex(value, 1)}<${set.join(',')}>`;
}

export function inheritName(inherit: number): string {
  return INHERITANCE.get(inherit) ?? String(inherit);
}

export function adviceName(advice: number): string {
  return ADVICE.get(advice) ?? String(advice);
}

/** `T` or `F`. */
export function flag(value: boolean): string {
  return value ? 'T' : 'F';
}
