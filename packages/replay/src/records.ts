/**
 * What a recording is made of. Both readers (`readVmtrace`, `readLackey`) call the same
 * {@link TraceHandler}, in the order of the "vmtrace 1" format; `VmtraceWriter` is one that writes it.
 *
 * Pages here are *recorded* pages: 4096 bytes whatever the machine has that replays them.
 */

/** Bytes of a recorded page. */
export const TRACE_PAGE = 4096;

/**
 * The kind of a reference, written as the rights that it needs: the bits of `VM_PROT_*`.
 * A load-and-store by one instruction needs both.
 */
export type ReferenceKind = number;
export const KIND_LOAD: ReferenceKind = 1;
export const KIND_STORE: ReferenceKind = 2;
export const KIND_UPDATE: ReferenceKind = 3;
export const KIND_FETCH: ReferenceKind = 4;

/** The letter of each kind, by its number. */
export const KIND_LETTERS = '-RWUX';

/** What a region of a new process image holds. */
export type RegionContents =
  | { readonly what: 'file'; readonly path: string; /** Bytes. */ readonly offset: number }
  | { readonly what: 'anon' }
  /** The heap: its start is the initial break, `limit` the first address that it cannot grow to. */
  | { readonly what: 'brk'; readonly limit: number }
  /** The stack: it may grow down to `limit`. */
  | { readonly what: 'stack'; readonly limit: number }
  /** The recorder's own signal-return page. */
  | { readonly what: 'tool' };

/** A region of the image that a process starts with. Byte addresses, `end` not included. */
export interface InitialRegion {
  readonly start: number;
  readonly end: number;
  /** `VM_PROT_*` bits. */
  readonly prot: number;
  readonly contents: RegionContents;
}

/** One argument of a system call: a number, or text where the recorder printed something else. */
export interface CallArgument {
  readonly value: number | string;
  /** The string that the argument points to, where the recorder printed it. */
  readonly text: string | null;
}

/** A finished system call, with Linux's name, arguments and values. */
export interface SystemCall {
  readonly name: string;
  readonly args: readonly CallArgument[];
  /** The result, minus the error number if it failed; null if the recorder printed none. */
  readonly result: number | null;
}

/** The last line of a recording: how much there was. */
export interface TraceTotals {
  readonly refs: number;
  readonly records: number;
  readonly syscalls: number;
  readonly processes: number;
}

/** Receives a recording, record by record. May throw, which ends the reading. */
export interface TraceHandler {
  /** A line of the header. */
  header(key: string, value: string): void;
  /** What follows is done by this process and thread. */
  process(pid: number, tid: number): void;
  /** A region of the image that the current process starts with. */
  region(region: InitialRegion): void;
  /** `count` references of one kind to one page, by the current process. Called without allocating. */
  reference(kind: ReferenceKind, page: number, count: number): void;
  /** The current process finished a system call. */
  call(call: SystemCall): void;
  /** The recording is complete. */
  end(totals: TraceTotals): void;
}

/**
 * Bounds on what a recording may ask for, so that a hostile one cannot take memory without end. All
 * are far beyond any real recording.
 */
export const TRACE_LIMITS = {
  /** Bytes in a line. */
  line: 65_536,
  /** Recorded pages in an address space: 47-bit addresses. */
  page: 0x8_0000_0000,
  /** References in one record. */
  count: 0x100_0000_0000,
  /** Process numbers, thread numbers. */
  pid: 0x8000_0000,
  /** Arguments of a call. */
  args: 16,
  /** Recorded pages in one region (4 GB). */
  regionPages: 0x10_0000,
  /** Recorded pages mapped at one time by all processes (64 GB). */
  mappedPages: 0x100_0000,
  /** Regions of one process: Linux's own limit. */
  regions: 65_530,
  /** Processes alive at one time. */
  alive: 1024,
  /** Processes in all. */
  processes: 32_768,
  /** Files in all. */
  files: 16_384,
  /** Bytes in one file. */
  fileBytes: 0x8000_0000,
  /** Bytes in a file of maps. */
  maps: 0x100_0000,
} as const;
