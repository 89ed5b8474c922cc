import type { EnterFlags, Errno, Prot, Va } from '@uvmkit/pmap';
import type { Amap } from '../amap.ts';
import type { MapEntry } from '../entry.ts';
import type { TransientLock, VmMap } from '../map.ts';
import type { UvmObject } from '../object.ts';
import type { FaultType, Sleeping } from '../types.ts';
import type { Uvm } from '../uvm.ts';

/**
 * What wiring means: the questions that mlock(2) and the fault path ask, and four answers.
 *
 * Three parties keep three counts. The entry's says that mlock(2) was called, the page's that it must stay in memory, and the
 * pmap's attribute that a mapping must not be forgotten; nothing holds them together. UVM's only way to take an
 * object's page from the maps that should see a promotion of it is to take it from every pmap, wired mappings of strangers
 * included, and what unwires finds its pages through the pmap.
 *
 *     wire        history: hope that nobody takes a wired mapping away
 *     wiremax     the commit: wire only what nobody else can have a reason to take away (private memory is copied first)
 *     targeted    take pages from those maps only that must lose them, and put the new page where the old one was wired
 *     forgetful   wire no mapping: that a place is locked is UVM's business, and a pmap may forget anything
 *
 * Policies have no state: what they keep hangs on maps, amaps, objects and pages. For what each breaks and mends: the behaviour
 * reference, §13.
 */
export interface WiringPolicy {
  /** What `--policy` calls it. */
  readonly name: string;
  /** The simulated fault that wires a page: VM_FAULT_WIRE or VM_FAULT_WIREMAX. */
  readonly faultType: FaultType;
  /** How a pmap is told that a mapping is wired: PMAP_WIRED; or 0, and then only pmap_kenter_pa makes mappings that stay. */
  readonly enterFlags: EnterFlags;
  /** Likewise for a device's frames in a wired range. */
  readonly deviceFlags: EnterFlags;
  /** Whether locks are counted by place (`ledger.ts`). */
  readonly countsPlaces: boolean;
  /** Whether amaps and objects know the entries that map them. */
  readonly backReferences: boolean;
  /** Whether every page of a locked range is mapped at all times (invariant 41), or only in memory. */
  readonly keepsMapped: boolean;

  /**
   * The protection that a lock of the entry is made at: a private page that could be written at that protection becomes
   * the process' own before it is wired.
   */
  lockProtection(entry: MapEntry): Prot;

  /** Whether every page of the locked entry must be an anon of its own (invariant 10). */
  ownsLocked(entry: MapEntry): boolean;

  /** A simulated fault has mapped the page at `va` of the entry: counts it. */
  wire(uvm: Uvm, entry: MapEntry, va: Va, page: number): void;

  /**
   * Undoes the wiring of [start, end).
   *
   * @param counted how much of the entries' wired count is the wiring that is undone
   * @throws KernelPanic where the policy cannot tell what had been wired
   */
  unwire(uvm: Uvm, map: VmMap, start: Va, end: Va, counted: number): void;

  /** Another page takes the place of `from` in an amap slot that several entries see: `from`, or a copy of it, was mapped there. */
  slotReplaced(uvm: Uvm, amap: Amap, at: number, from: number, to: number): void;

  /** Another page, `to`, takes the place of an object's page, `from`, with the same contents. */
  objectPageReplaced(uvm: Uvm, object: UvmObject, index: number, from: number, to: number): void;

  /** An object's page is about to be cleaned and freed: takes every mapping of it away. */
  revoke(uvm: Uvm, page: number): void;

  /** The entry is about to have its part of its amap copied into `to` (its slot 0 and on), or to get a first amap. */
  amapMoves(uvm: Uvm, map: VmMap, entry: MapEntry, to: Amap): void;

  /** The entry is about to be taken out of its map; it is not locked any more. */
  leaves(uvm: Uvm, map: VmMap, entry: MapEntry): void;

  /** Keeps [start, end) in memory during a transfer (`uvm_vslock`). */
  hold(uvm: Uvm, map: VmMap, start: Va, end: Va, access: Prot): Sleeping<Errno>;

  /** Ends {@link hold}: the lock is not on the map's list any more. */
  release(uvm: Uvm, map: VmMap, lock: TransientLock): void;

  /** Whether a transfer's lock wires the mapping at `va`. Asked only where there are such locks. */
  holds(map: VmMap, va: Va): boolean;

  /** Pages of the map that count against RLIMIT_MEMLOCK. */
  lockedPages(uvm: Uvm, map: VmMap): number;

  /** Bytes that the policy keeps for its own bookkeeping now. */
  bytes(uvm: Uvm): number;
}
