import type { Actions, RecordedProcess } from './actions.ts';
import { performCall } from './linux-calls.ts';
import {
  type InitialRegion,
  type SystemCall,
  TRACE_LIMITS,
  TRACE_PAGE,
  type TraceHandler,
  type TraceTotals,
} from './records.ts';
import { type Region, RegionMap, type TraceObject } from './regions.ts';
import type { TracePlace } from './trace-error.ts';

/** The pseudo file that the recorder's own page is taken from. */
const TOOL_FILE = '(recorder)';

/**
 * Follows a recording: which processes there are, what each has mapped and open. Records go in,
 * {@link Actions} come out.
 *
 * The same recording gives the same steps every time, with the same numbers for its files.
 */
export class Recording implements TraceHandler {
  readonly place: TracePlace;
  readonly actions: Actions;
  readonly headers: Map<string, string> = new Map();
  /** Calls by name, those that touch no memory included. */
  readonly calls: Map<string, number> = new Map();
  /** Every object ever named, by its id. */
  readonly objects: TraceObject[] = [];
  totals: TraceTotals | null = null;
  /** Processes that there have been. */
  processCount = 0;
  readonly #processes: Map<number, RecordedProcess> = new Map();
  readonly #paths: Map<string, TraceObject> = new Map();
  #current: RecordedProcess | null = null;
  #image: InitialRegion[] | null = null;
  #afterExec = false;
  #alive = 0;
  #mapped = 0;

  constructor(place: TracePlace, actions: Actions) {
    this.place = place;
    this.actions = actions;
  }

  /** The process that the records are of. */
  get current(): RecordedProcess {
    return this.#current!;
  }

  /** Processes that have not exited. */
  get survivors(): RecordedProcess[] {
    return [...this.#processes.values()].filter(({ alive }) => alive);
  }

  header(key: string, value: string): void {
    if (this.headers.size === 64)
      throw this.place.error('at most 64 lines of header', 'another one');
    this.headers.set(key, value);
  }

  process(pid: number, _tid: number): void {
    this.#finishImage();
    let process = this.#processes.get(pid);
    if (process === undefined) {
      process = this.#add(pid);
      this.#image = [];
      this.#afterExec = false;
    }
    if (!process.alive)
      throw this.place.error('a process that has not exited', `process ${pid}, which has`);
    this.#current = process;
  }

  region(region: InitialRegion): void {
    if (this.#image === null)
      throw this.place.error(
        'I lines only where a process image starts: at its first P line or after execve',
        'one elsewhere',
      );
    if (this.#image.length === TRACE_LIMITS.regions)
      throw this.place.error(`at most ${TRACE_LIMITS.regions} regions`, 'another one');
    this.#image.push(region);
  }

  reference(kind: number, page: number, count: number): void {
    if (this.#image !== null) this.#finishImage();
    this.actions.reference(this.#current!, kind, page, count);
  }

  call(call: SystemCall): void {
    this.#finishImage();
    const { current } = this;
    const before = current.regions.pages;
    this.calls.set(call.name, (this.calls.get(call.name) ?? 0) + 1);
    if (this.calls.size > 1024)
      throw this.place.error('at most 1024 kinds of system call', 'another one');
    performCall(this, current, call);
    this.#mapped += current.alive ? current.regions.pages - before : 0;
    this.#checkMapped();
  }

  end(totals: TraceTotals): void {
    this.#finishImage();
    this.totals = totals;
  }

  // What system calls need.

  /** A successful execve: the image that follows replaces everything. */
  startExec(process: RecordedProcess): void {
    process.threads = 1;
    for (const [fd, open] of process.files) if (open.closeOnExec) this.closeFile(process, fd);
    this.#image = [];
    this.#afterExec = true;
  }

  fork(parent: RecordedProcess, pid: number): RecordedProcess {
    if (this.#processes.get(pid)?.alive === true)
      throw this.place.error(
        'a fork whose child is a new process',
        `process ${pid}, which is alive`,
      );
    const child = this.#add(pid, parent.regions.copy());
    // Locks are not inherited.
    child.regions.update((region) => ({ ...region, locked: false }));
    child.brk = parent.brk;
    child.stack = parent.stack;
    for (const [fd, open] of parent.files) child.files.set(fd, open);
    this.#mapped += child.regions.pages;
    this.#checkMapped();
    this.actions.fork(parent, child);
    return child;
  }

  exit(process: RecordedProcess, status: number): void {
    this.actions.exit(process, status);
    process.alive = false;
    this.#alive--;
    this.#mapped -= process.regions.pages;
    process.regions.clear();
  }

  /** The process of that number, dead or alive, if there is one. */
  find(pid: number): RecordedProcess | undefined {
    return this.#processes.get(pid);
  }

  /** The file of a path: the same object for the same path until it is unlinked. */
  file(path: string): TraceObject {
    let file = this.#paths.get(path);
    if (file === undefined) {
      file = this.#object('file', path);
      this.#paths.set(path, file);
    }
    return file;
  }

  unlink(path: string): void {
    this.#paths.delete(path);
  }

  /** Memory that several processes will share. */
  sharedMemory(): TraceObject {
    return this.#object('memory', `(shared memory ${this.objects.length})`);
  }

  /** Forgets a descriptor. */
  closeFile(process: RecordedProcess, fd: number): void {
    const open = process.files.get(fd);
    if (open === undefined) return;
    process.files.delete(fd);
    for (const other of process.files.values()) if (other.file === open.file) return;
    this.actions.closed(process, open.file);
  }

  #object(kind: TraceObject['kind'], name: string): TraceObject {
    if (this.objects.length === TRACE_LIMITS.files)
      throw this.place.error(`at most ${TRACE_LIMITS.files} files`, 'another one');
    const object: TraceObject = { id: this.objects.length, kind, name };
    this.objects.push(object);
    return object;
  }

  #add(pid: number, regions: RegionMap = new RegionMap()): RecordedProcess {
    if (this.#alive === TRACE_LIMITS.alive)
      throw this.place.error(`at most ${TRACE_LIMITS.alive} processes at a time`, 'another one');
    if (++this.processCount > TRACE_LIMITS.processes)
      throw this.place.error(`at most ${TRACE_LIMITS.processes} processes`, 'another one');
    const process: RecordedProcess = {
      pid,
      regions,
      brk: null,
      stack: null,
      files: new Map(),
      lockFuture: false,
      threads: 1,
      alive: true,
      clearOnExit: new Map(),
    };
    this.#processes.set(pid, process);
    this.#alive++;
    return process;
  }

  /** The I lines of an image are over. */
  #finishImage(): void {
    const image = this.#image;
    if (image === null) return;
    this.#image = null;
    const process = this.current;
    if (image.length === 0)
      throw this.place.error(`I lines with the regions of process ${process.pid}`, 'none');
    const before = process.regions.pages;
    process.regions.clear();
    process.brk = null;
    process.stack = null;
    process.lockFuture = false;
    process.clearOnExit.clear();
    const regions: Region[] = [];
    for (const initial of image) this.#place(process, initial, regions);
    this.actions.image(process, regions, this.#afterExec);
    this.#mapped += process.regions.pages - before;
    this.#checkMapped();
  }

  #place(process: RecordedProcess, initial: InitialRegion, regions: Region[]): void {
    const { contents, prot } = initial;
    let start = initial.start / TRACE_PAGE;
    const end = Math.ceil(initial.end / TRACE_PAGE);
    const base = { prot, offset: 0, object: null, shared: false, locked: false };
    let region: Region = { ...base, start, end, what: 'map' };
    if (contents.what === 'file')
      region = {
        ...region,
        object: this.file(contents.path),
        offset: contents.offset / TRACE_PAGE,
      };
    else if (contents.what === 'tool') region = { ...region, object: this.file(TOOL_FILE) };
    else if (contents.what === 'brk') {
      if (process.brk !== null) throw this.place.error('one heap in an image', 'a second one');
      process.brk = initial.start;
      region = { ...region, what: 'heap' };
    } else if (contents.what === 'stack') {
      if (process.stack !== null) throw this.place.error('one stack in an image', 'a second one');
      // NetBSD maps the whole of the stack at once; Linux grows it. Both zero its pages as they are touched.
      start = contents.limit / TRACE_PAGE;
      process.stack = { low: start, mapped: region.start, top: end };
      region = { ...base, start, end, what: 'stack' };
    }
    if (process.regions.within(region.start, region.end).length > 0)
      throw this.place.error(
        'regions that do not overlap',
        `${(region.start * TRACE_PAGE).toString(16)}-${(region.end * TRACE_PAGE).toString(16)} over another`,
      );
    process.regions.replace(region.start, region.end, [region]);
    regions.push(region);
  }

  #checkMapped(): void {
    if (this.#mapped > TRACE_LIMITS.mappedPages)
      throw this.place.error(
        `at most ${TRACE_LIMITS.mappedPages} pages mapped at a time`,
        `${this.#mapped}`,
      );
    if (this.current.regions.regions.length > TRACE_LIMITS.regions)
      throw this.place.error(
        `at most ${TRACE_LIMITS.regions} regions in a process`,
        `${this.current.regions.regions.length}`,
      );
  }
}
