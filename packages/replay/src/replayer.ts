import type { Image, Process, Segment, SyscallResult } from '@uvmkit/machine';
import { errnoName, VM_PROT_NONE, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { MAP_ANON, MAP_FIXED, MAP_PRIVATE, MAP_SHARED } from '@uvmkit/uvm-core';
import type { Actions, RecordedProcess } from './actions.ts';
import type { Census } from './census.ts';
import { KernelAccess } from './kernel-access.ts';
import { ModelSpace, PAGE_MAPPED, PAGE_OWN, PAGE_SHARED } from './model-space.ts';
import { TRACE_PAGE } from './records.ts';
import { References } from './references.ts';
import type { Region, TraceObject } from './regions.ts';
import type { ReplayProcess, ReplayState } from './replay-state.ts';

/** How a replay treats what a recording cannot have meant. */
export interface ReplayerOptions {
  /** Count references to pages that are mapped nowhere, rather than take them for bad input. */
  readonly countUnmapped: boolean;
  /** Make calls that lead the kernel of 2001 into a panic of its own as they stand. */
  readonly hazards: boolean;
}

/**
 * Performs a recording on a machine, and does in the model what every step should do to the bytes that
 * processes see.
 */
export class Replayer implements Actions {
  readonly references: References;
  readonly kernel: KernelAccess;
  readonly #state: ReplayState;
  readonly #census: Census;
  readonly #hazards: boolean;

  constructor(state: ReplayState, census: Census, options: ReplayerOptions) {
    this.#state = state;
    this.#census = census;
    this.#hazards = options.hazards;
    this.references = new References(state, options.countUnmapped);
    this.kernel = new KernelAccess(state);
  }

  reference(recorded: RecordedProcess, kind: number, page: number, count: number): void {
    this.references.play(recorded, kind, page, count);
  }

  // Processes.

  image(recorded: RecordedProcess, regions: readonly Region[], exec: boolean): void {
    const image = this.#imageOf(recorded, regions);
    let replay = this.#state.processes.get(recorded);
    this.#census.sample();
    if (exec && replay !== undefined) {
      this.#expect(recorded, 'execve', replay.process.sys.exec(image));
      replay.model.clear();
    } else {
      const { maxDataSize, maxStackSize } = this.#state.machine.md.port.layout;
      const limits = {
        data: maxDataSize,
        stack: maxStackSize,
        memlock: this.#state.machine.memory.size,
      };
      const process = this.#state.machine.spawn({ ...image, limits, superuser: true });
      replay = { process, model: new ModelSpace(this.#state.cells), descriptors: new Map() };
      this.#state.processes.set(recorded, replay);
    }
    for (const region of regions) this.#model(replay, region);
    const { stack } = recorded;
    // What of the stack is there from the start is not growth.
    if (stack !== null)
      this.#each(stack.mapped, stack.top, (slot, count) =>
        replay.model.map(
          slot,
          count,
          regionFlags(regions.find(({ what }) => what === 'stack')!),
          true,
        ),
      );
    const heap = regions.find(({ what }) => what === 'heap');
    if (heap !== undefined)
      this.#expect(recorded, 'brk', replay.process.sys.brk(this.#state.placement.va(heap.end)));
    this.references.forget();
  }

  #imageOf(recorded: RecordedProcess, regions: readonly Region[]): Image {
    const segments: Segment[] = [];
    for (const region of regions) {
      if (region.what !== 'map') continue;
      const { va, length, before } = this.#pages(region.start, region.end);
      const { object, prot } = region;
      const file =
        object === null
          ? {}
          : {
              file: this.#state.files.file(object),
              offset: region.offset * this.#state.placement.unit - before,
            };
      segments.push({ va, length, prot, ...file });
    }
    const dataStart =
      recorded.brk === null
        ? {}
        : { dataStart: this.#state.placement.va(recorded.brk / TRACE_PAGE) };
    return {
      ...dataStart,
      stack: recorded.stack !== null,
      stackSize: this.#state.placement.stackBytes,
      segments,
    };
  }

  fork(parent: RecordedProcess, child: RecordedProcess): void {
    const from = this.#state.of(parent);
    const result = from.process.sys.fork();
    this.#expect(parent, 'fork', result);
    const process = this.#state.machine.processes.get(result.value);
    if (process === undefined)
      throw new RangeError(`fork answered ${result.value}, which is no process`);
    this.#state.processes.set(child, {
      process,
      model: from.model.fork(),
      descriptors: new Map(from.descriptors),
    });
  }

  exit(recorded: RecordedProcess, status: number): void {
    const replay = this.#state.of(recorded);
    this.#census.sample();
    this.#expect(recorded, 'exit', replay.process.sys.exit(status));
    replay.model.clear();
    this.references.forget();
  }

  reap(parent: RecordedProcess, child: RecordedProcess): void {
    const from = this.#state.of(parent);
    const { process } = this.#state.of(child);
    if (process.parent === from.process && process.state === 'zombie')
      this.#expect(parent, 'wait4', from.process.sys.wait4(process.pid));
    this.#state.processes.delete(child);
  }

  // Address spaces.

  map(recorded: RecordedProcess, region: Region): void {
    const replay = this.#state.of(recorded);
    this.#mapOn(recorded, replay.process, region);
    this.#model(replay, region);
  }

  /** mmap(2), over what was there. */
  #mapOn(recorded: RecordedProcess, process: Process, region: Region): void {
    const { va, length, before } = this.#pages(region.start, region.end);
    const { object, prot } = region;
    const flags = MAP_FIXED | (region.shared ? MAP_SHARED : MAP_PRIVATE);
    if (object?.kind !== 'file')
      this.#expect(recorded, 'mmap', process.sys.mmap(va, length, prot, flags | MAP_ANON, -1, 0));
    else {
      const fd = this.#state.files.descriptor(this.#state.of(recorded), object);
      this.#expect(
        recorded,
        'mmap',
        process.sys.mmap(
          va,
          length,
          prot,
          flags,
          fd,
          region.offset * this.#state.placement.unit - before,
        ),
      );
    }
  }

  unmap(recorded: RecordedProcess, start: number, end: number): void {
    const { process, model } = this.#state.of(recorded);
    this.#census.sample();
    const runs = mappedRuns(recorded, start, end);
    if (runs.length !== 1 || runs[0]!.start !== start || runs[0]!.end !== end)
      this.differs(
        'munmap: of a range that is not all mapped, which NetBSD refuses; done by parts',
      );
    for (const run of runs)
      this.#each(run.start, run.end, (slot, count, va, length) => {
        this.#expect(recorded, 'munmap', process.sys.munmap(va, length));
        model.unmap(slot, count);
      });
  }

  protect(recorded: RecordedProcess, start: number, end: number, prot: number): void {
    const { process, model } = this.#state.of(recorded);
    const locked = this.#hazards
      ? []
      : recorded.regions.within(start, end).filter((region) => region.locked);
    // Taking all rights from wired memory removes its mappings, and to unlock it later is a panic
    // ("unwiring non-wired memory") in the kernel of 2001. Linux does not mind.
    if (prot === VM_PROT_NONE)
      for (const region of locked) {
        if (region.prot === VM_PROT_NONE) continue;
        this.differs(
          'mprotect: of locked memory to no rights at all, which the kernel of 2001 answers with a panic when it is unlocked; unlocked before',
        );
        this.unlock(recorded, region.start, region.end);
      }
    this.#each(start, end, (slot, count, va, length) => {
      this.#expect(recorded, 'mprotect', process.sys.mprotect(va, length, prot));
      model.protect(slot, count, prot);
    });
    // Under MCL_FUTURE NetBSD locks again by itself what becomes accessible.
    if (prot !== VM_PROT_NONE && !recorded.lockFuture)
      for (const region of locked)
        if (region.prot === VM_PROT_NONE) this.lock(recorded, region.start, region.end);
  }

  move(recorded: RecordedProcess, parts: readonly Region[], to: number): void {
    const { process, model } = this.#state.of(recorded);
    const from = parts[0]?.start ?? to;
    for (const part of parts) {
      const target: Region = { ...part, start: part.start + to - from, end: part.end + to - from };
      // A mapping of the same object shows the same; private pages that were stored to are carried over.
      const lost = part.shared && part.object?.kind === 'memory';
      if (lost)
        this.differs(
          'mremap: moves shared memory, which NetBSD cannot map a second time; its contents are copied, it is shared no more',
        );
      this.#mapOn(recorded, process, { ...target, prot: VM_PROT_READ | VM_PROT_WRITE });
      for (let page = part.start; page < part.end; page++) {
        const slot = this.#state.placement.slot(page);
        const next = this.#state.placement.slot(page + to - from);
        const flags = this.#state.known(recorded, this.#state.of(recorded), page, slot);
        const copied = lost || (flags & PAGE_OWN) !== 0;
        const bytes = copied ? this.#state.cells.bytes(model.cell(slot)).slice() : null;
        model.move(slot, next);
        if (bytes === null) continue;
        const error = process.copyout(this.#state.placement.va(page + to - from), bytes);
        if (error !== 0) this.#failed(recorded, 'mremap (copying)', error);
      }
      this.#expect(
        recorded,
        'mprotect',
        process.sys.mprotect(
          this.#state.placement.va(target.start),
          (target.end - target.start) * this.#state.placement.unit,
          part.prot,
        ),
      );
    }
  }

  setBreak(recorded: RecordedProcess, old: number, next: number): void {
    const { process, model } = this.#state.of(recorded);
    this.#census.sample();
    const from = Math.ceil(old / TRACE_PAGE);
    const to = Math.ceil(next / TRACE_PAGE);
    this.#expect(recorded, 'brk', process.sys.brk(this.#state.placement.va(to)));
    // The heap's first page, which the recorder made, is there already.
    this.#each(from, to, (slot, count) => {
      for (let at = slot; at < slot + count; at++)
        if ((model.flags(at) & PAGE_MAPPED) === 0) model.map(at, 1, 7, true);
    });
    this.#each(to, from, (slot, count) => model.unmap(slot, count));
  }

  discard(recorded: RecordedProcess, parts: readonly Region[]): void {
    this.#census.sample();
    for (const region of parts) this.map(recorded, region);
  }

  advise(recorded: RecordedProcess, start: number, end: number, advice: number): void {
    const { process } = this.#state.of(recorded);
    this.#each(start, end, (_slot, _count, va, length) =>
      this.#expect(recorded, 'madvise', process.sys.madvise(va, length, advice)),
    );
  }

  lock(recorded: RecordedProcess, start: number, end: number): void {
    const { process } = this.#state.of(recorded);
    this.#each(start, end, (_slot, _count, va, length) =>
      this.#expect(recorded, 'mlock', process.sys.mlock(va, length)),
    );
  }

  unlock(recorded: RecordedProcess, start: number, end: number): void {
    this.#census.sample();
    const { process } = this.#state.of(recorded);
    this.#each(start, end, (_slot, _count, va, length) =>
      this.#expect(recorded, 'munlock', process.sys.munlock(va, length)),
    );
  }

  lockAll(recorded: RecordedProcess, flags: number): void {
    this.#expect(recorded, 'mlockall', this.#state.of(recorded).process.sys.mlockall(flags));
  }

  unlockAll(recorded: RecordedProcess): void {
    this.#census.sample();
    this.#expect(recorded, 'munlockall', this.#state.of(recorded).process.sys.munlockall());
  }

  sync(recorded: RecordedProcess, start: number, end: number, flags: number): void {
    const { process } = this.#state.of(recorded);
    this.#each(start, end, (_slot, _count, va, length) =>
      this.#expect(recorded, 'msync', process.sys.msync(va, length, flags)),
    );
  }

  // What the kernel does in a process' name.

  kernelReads(recorded: RecordedProcess, address: number, length: number): void {
    this.kernel.read(recorded, this.#state.of(recorded), address, length);
  }

  kernelWrites(recorded: RecordedProcess, address: number, length: number): void {
    this.kernel.write(recorded, this.#state.of(recorded), address, length);
  }

  readFile(
    recorded: RecordedProcess,
    file: TraceObject,
    offset: number,
    address: number,
    length: number,
  ): void {
    this.kernel.readFile(recorded, this.#state.of(recorded), file, offset, address, length);
  }

  writeFile(
    recorded: RecordedProcess,
    file: TraceObject,
    offset: number,
    address: number,
    length: number,
  ): void {
    this.kernel.writeFile(recorded, this.#state.of(recorded), file, offset, address, length);
  }

  truncate(recorded: RecordedProcess, file: TraceObject, size: number): void {
    const replay = this.#state.of(recorded);
    const fd = this.#state.files.descriptor(replay, file);
    this.#expect(
      recorded,
      'ftruncate',
      replay.process.sys.ftruncate(fd, this.#state.objects.scale(size)),
    );
    this.#state.objects.truncate(file, size);
  }

  closed(recorded: RecordedProcess, file: TraceObject): void {
    this.#state.files.close(this.#state.of(recorded), file);
  }

  differs(what: string): void {
    this.#state.findings.differs(what);
  }

  // Helpers.

  /** Notes a region in the model: every page is what the region says until it is looked at. */
  #model({ model }: ReplayProcess, region: Region): void {
    const known = region.object === null && region.what !== 'stack';
    this.#each(region.start, region.end, (slot, count) =>
      model.map(slot, count, regionFlags(region), known),
    );
  }

  /** The parts of a range of recorded pages that the machine has a place for. */
  #each(
    start: number,
    end: number,
    visit: (slot: number, count: number, va: number, length: number) => void,
  ): void {
    this.#state.placement.each(start, end, visit);
  }

  /** A range as the machine's whole pages; `before`: bytes that this adds in front. */
  #pages(start: number, end: number): { va: number; length: number; before: number } {
    const { pageSize } = this.#state.machine.md.port.layout;
    const from = this.#state.placement.va(start);
    const to = from + (end - start) * this.#state.placement.unit;
    const va = Math.floor(from / pageSize) * pageSize;
    return { va, length: Math.ceil(to / pageSize) * pageSize - va, before: from - va };
  }

  /** A call that succeeded in the recording must succeed here. */
  #expect(recorded: RecordedProcess, call: string, { error }: SyscallResult): void {
    if (error !== 0) this.#failed(recorded, call, error);
  }

  #failed(recorded: RecordedProcess, call: string, error: number): void {
    this.#state.mismatch(
      'call',
      recorded,
      `${call} fails with ${errnoName(error)}, the recorded one succeeded`,
    );
  }
}

function regionFlags(region: Region): number {
  return region.prot | (region.shared ? PAGE_SHARED : 0);
}

/** The stretches of [start, end) in which everything is mapped. */
function mappedRuns(
  { regions }: RecordedProcess,
  start: number,
  end: number,
): { start: number; end: number }[] {
  const runs: { start: number; end: number }[] = [];
  for (const region of regions.within(start, end)) {
    const last = runs.at(-1);
    if (last?.end === region.start) last.end = region.end;
    else runs.push({ start: region.start, end: region.end });
  }
  return runs;
}
