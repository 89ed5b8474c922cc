import type { Region, RegionMap, TraceObject } from './regions.ts';

/** A file as one open(2) sees it; descriptors that dup and fork made share it. */
export interface OpenFile {
  readonly file: TraceObject;
  /** Bytes; NaN once a seek to an unknown place has made it unknown. */
  offset: number;
  readonly append: boolean;
  readonly closeOnExec: boolean;
}

/** A process as the recording tells of it. */
export interface RecordedProcess {
  /** The recorded number. */
  readonly pid: number;
  readonly regions: RegionMap;
  /** The current break, a byte address; null if the image has no heap. */
  brk: number | null;
  /** Pages that the stack may use, and from where on it was there at the start; null if the image has none. */
  stack: { readonly low: number; readonly mapped: number; readonly top: number } | null;
  /** Files by descriptor. Pipes, sockets and what is not known are not in it. */
  readonly files: Map<number, OpenFile>;
  /** Whether what is mapped from now on is locked (mlockall with MCL_FUTURE). */
  lockFuture: boolean;
  threads: number;
  alive: boolean;
  /** Where a thread's end is to be written (CLONE_CHILD_CLEARTID), by its number; 0 is the process' first. */
  readonly clearOnExit: Map<number, number>;
}

/**
 * What a recording does, with Linux's calls taken apart into steps on address spaces: what the survey looks at
 * and the replayer performs. Page numbers are recorded pages, addresses and lengths recorded bytes.
 *
 * A step that changes `process.regions` is told *before* they change.
 */
export interface Actions {
  /** A new program in an empty address space: at the start of the recording, or after execve. */
  image(process: RecordedProcess, regions: readonly Region[], exec: boolean): void;
  fork(parent: RecordedProcess, child: RecordedProcess): void;
  exit(process: RecordedProcess, status: number): void;
  /** wait4 told of a child, which has exited. */
  reap(parent: RecordedProcess, child: RecordedProcess): void;
  reference(process: RecordedProcess, kind: number, page: number, count: number): void;

  /** A mapping, over whatever was there. */
  map(process: RecordedProcess, region: Region): void;
  unmap(process: RecordedProcess, start: number, end: number): void;
  protect(process: RecordedProcess, start: number, end: number, prot: number): void;
  /** mremap to another address: `parts` is what lies in the old range. What was at the new one goes. */
  move(process: RecordedProcess, parts: readonly Region[], to: number): void;
  /** brk: both are byte addresses. The heap's pages are in `regions` like any others. */
  setBreak(process: RecordedProcess, old: number, next: number): void;
  /** Private pages in the range go back to what they were when they were mapped (Linux's MADV_DONTNEED). */
  discard(process: RecordedProcess, parts: readonly Region[]): void;
  /** Advice that both systems share, by NetBSD's number. */
  advise(process: RecordedProcess, start: number, end: number, advice: number): void;
  lock(process: RecordedProcess, start: number, end: number): void;
  unlock(process: RecordedProcess, start: number, end: number): void;
  /** `flags`: MCL_CURRENT 1, MCL_FUTURE 2. */
  lockAll(process: RecordedProcess, flags: number): void;
  unlockAll(process: RecordedProcess): void;
  /** `flags`: MS_ASYNC 1, MS_INVALIDATE 2, MS_SYNC 4. */
  sync(process: RecordedProcess, start: number, end: number, flags: number): void;

  /** The kernel reads memory in the process' name. */
  kernelReads(process: RecordedProcess, address: number, length: number): void;
  /** The kernel writes memory in the process' name: bytes that only it knows. */
  kernelWrites(process: RecordedProcess, address: number, length: number): void;
  /** read(2) of a regular file. */
  readFile(
    process: RecordedProcess,
    file: TraceObject,
    offset: number,
    address: number,
    length: number,
  ): void;
  /** write(2) to a regular file. */
  writeFile(
    process: RecordedProcess,
    file: TraceObject,
    offset: number,
    address: number,
    length: number,
  ): void;
  /** The file's size is changed: by O_TRUNC or ftruncate(2). */
  truncate(process: RecordedProcess, file: TraceObject, size: number): void;
  /** The process has no descriptor of the file any more. */
  closed(process: RecordedProcess, file: TraceObject): void;

  /** Something that Linux did and NetBSD does otherwise or not at all: a sentence, the same for every case of it. */
  differs(what: string): void;
}
