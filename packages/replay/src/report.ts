import type { Optimisations } from '@uvmkit/machine';
import type { Mismatch } from './findings.ts';
import type { Moved } from './placement.ts';

/** What a replay found, as plain data: numbers are counts unless their names say otherwise. */
export interface ReplayReport {
  /** The recording's header: name, machine, recorder, command, window. */
  readonly recording: Readonly<Record<string, string>>;
  /** The port's name and what it says of itself. */
  readonly arch: string;
  readonly description: string;
  /** Bytes. */
  readonly pageSize: number;
  readonly memoryBytes: number;
  /** Bytes of swap; 0 for none. */
  readonly swapBytes: number;
  readonly seed: number;
  readonly faultAhead: boolean;
  /** The optimisations that the machine did without. */
  readonly without: readonly (keyof Optimisations)[];
  /** What mlock(2) did, by the policy's name. */
  readonly policy: string;
  /** How likely it was at a step that everything was forgotten, at how many it was, and how many mappings; null if never. */
  readonly amnesia: {
    readonly probability: number;
    readonly strikes: number;
    readonly forgotten: number;
  } | null;
  /** Whether every check held: nothing below in `mismatches`, and the recording was replayed to its end. */
  readonly ok: boolean;
  /** What stopped the replay before its end (a panic, a killed process), or null. */
  readonly stopped: string | null;

  readonly work: {
    readonly references: number;
    readonly records: number;
    readonly loads: number;
    readonly stores: number;
    readonly updates: number;
    readonly fetches: number;
    readonly kernelBytesRead: number;
    readonly kernelBytesWritten: number;
    readonly processes: number;
    readonly calls: number;
    /** First touches of the stack below where it began. */
    readonly stackGrowth: number;
  };
  /** Traps by who settled them, and uvm_fault's own counters (`uvmexp`). */
  readonly faults: {
    readonly traps: number;
    /** Traps that never went to UVM: refills, spills, emulated referenced and modified. */
    readonly settledByPmap: number;
    readonly toUvmRead: number;
    readonly toUvmWrite: number;
    readonly toUvmFetch: number;
    /** Of those to UVM, the ones at a mapping that lacked the right (VM_FAULT_PROTECT). */
    readonly toUvmProtect: number;
    /** Simulated by wiring. */
    readonly wiring: number;
    /** All of them: traps and wiring. */
    readonly uvmFaults: number;
    readonly case1A: number;
    readonly case1B: number;
    readonly case2A: number;
    readonly case2BCopied: number;
    readonly case2BZero: number;
    readonly amapCopies: number;
    readonly pageWaits: number;
    readonly mapped: { readonly neighbourAnons: number; readonly neighbourPages: number };
  };
  readonly memory: {
    /** Copies of pages that a store made: of anons and of object pages. */
    readonly cowCopies: number;
    readonly zeroFilled: number;
    readonly pageins: number;
    /** Pages written to swap and read back from it, and pages that the page daemon freed. */
    readonly swappedOut: number;
    readonly swappedIn: number;
    readonly reclaimed: number;
    readonly transfers: number;
    readonly peakResidentBytes: number;
    readonly peakTableBytes: number;
    readonly peakMapEntries: number;
    readonly peakAmaps: number;
    readonly peakProcesses: number;
    /** The most pages in use at one time, of every kind; file pages that stay cached are in use. */
    readonly peakUsedPages: number;
    /** The most that could not be written out or dropped: page tables, kernel memory, what is locked. */
    readonly peakFixedPages: number;
    readonly freePages: number;
    readonly managedPages: number;
  };
  readonly mmu: {
    readonly lookups: number;
    readonly misses: number;
    /** Of lookups that the TLB answered. */
    readonly hitRate: number;
    readonly faults: number;
    readonly pageFlushes: number;
    readonly fullFlushes: number;
    readonly shootdowns: number;
    readonly steals: number;
  };
  readonly time: {
    /** ns. */
    readonly virtual: number;
    /** ms; null without a clock. */
    readonly real: number | null;
    readonly recordsPerSecond: number | null;
    readonly referencesPerSecond: number | null;
  };
  readonly layout: {
    /** Bytes of the machine's address space for each recorded page of 4096. */
    readonly bytesPerRecordedPage: number;
    /** Why the layout is spread, or null. */
    readonly spread: string | null;
    readonly moved: readonly Moved[];
  };
  /** What Linux did and NetBSD does otherwise, with how often it came up. */
  readonly differences: Readonly<Record<string, number>>;
  /** References that the recording's own map does not allow, by name; they are not made. */
  readonly unsupported: Readonly<Record<string, number>>;
  readonly mismatchCount: number;
  /** The first of them. */
  readonly mismatches: readonly Mismatch[];
}
