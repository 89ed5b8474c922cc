import { hex, protName } from '@uvmkit/pmap';
import type { Actions, RecordedProcess } from './actions.ts';
import { Recording } from './recording.ts';
import { TRACE_PAGE, type TraceHandler } from './records.ts';
import type { Region, TraceObject } from './regions.ts';
import type { TracePlace } from './trace-error.ts';

/** A stretch of recorded address space that is laid out as a whole, recorded pages. */
export interface Island {
  readonly start: number;
  readonly end: number;
  /** Whether a process' stack is in it: its end is the top of the stack. */
  readonly stack: boolean;
}

/** Page sizes that {@link Survey.conflicts} answers for, in recorded pages. */
export const FACTORS = [2, 4, 8, 16] as const;

/** Pages between two regions that make them neighbours of one island rather than two islands. */
const APART = 256;
/** Stack below the lowest place that the recording touches, pages. */
const STACK_SLACK = 16;

/**
 * The first reading of a recording: whether it can be replayed at all, and what has to be known before the
 * first process starts.
 */
export class Survey implements Actions {
  readonly #pages = new PageSet();
  /** By object: bytes that the file must have had before the recording began. */
  readonly #sizes: number[] = [];
  /** By object: bytes that the recording itself wrote, or `Infinity` once it set the size. */
  readonly #written: number[] = [];
  /** By object: the end of the last byte written, or of the file where its size was set. */
  readonly #largest: number[] = [];
  readonly #conflicts: Map<number, string> = new Map();
  #stackTop = 0;
  #stackLow = 0;
  /** The lowest page of the stack that is touched, or mapped when the image starts. */
  #stackUsed = Infinity;
  #records = 0;
  readonly #place: TracePlace;

  constructor(place: TracePlace) {
    this.#place = place;
  }

  /** Reference records. */
  get records(): number {
    return this.#records;
  }

  /** Pages that a stack needs, with some to spare; 0 without a stack. */
  get stackPages(): number {
    if (this.#stackTop === 0) return 0;
    return Math.min(
      this.#stackTop - this.#stackLow,
      this.#stackTop - Math.min(this.#stackUsed, this.#stackTop - 1) + STACK_SLACK,
    );
  }

  /** Bytes that a file had before the recording began, as far as the recording needs it. */
  sizeOf(object: TraceObject): number {
    return this.#sizes[object.id] ?? 0;
  }

  /** The most bytes that a file ever has, recorded ones. */
  largest(object: TraceObject): number {
    return Math.max(this.sizeOf(object), this.#largest[object.id] ?? 0);
  }

  /** Why pages of `factor` recorded pages cannot be used as the addresses stand, or null if they can. */
  conflict(factor: number): string | null {
    return this.#conflicts.get(factor) ?? null;
  }

  /** Everything that is ever mapped, in stretches. */
  get islands(): Island[] {
    const islands: Island[] = [];
    const stackStart = this.#stackTop - this.stackPages;
    for (const { start, end } of this.#pages.stretches(APART))
      islands.push({ start, end, stack: false });
    if (this.#stackTop > 0) islands.push({ start: stackStart, end: this.#stackTop, stack: true });
    return islands;
  }

  image(_process: RecordedProcess, regions: readonly Region[]): void {
    regions.forEach((region, i) => {
      if (region.what === 'stack') this.#stack(region);
      else {
        const before = regions.slice(0, i).filter(({ what }) => what !== 'stack');
        this.#mapped(
          region,
          (start, end) => before.find((other) => other.start < end && other.end > start) ?? null,
        );
      }
    });
  }

  #stack(region: Region): void {
    if (this.#stackTop !== 0 && (this.#stackTop !== region.end || this.#stackLow !== region.start))
      throw this.#place.error(
        `every stack at ${address(this.#stackLow)}-${address(this.#stackTop)}, as the first one`,
        `${address(region.start)}-${address(region.end)}`,
      );
    this.#stackTop = region.end;
    this.#stackLow = region.start;
  }

  fork(): void {
    // A child has what its parent has.
  }

  exit(): void {
    // What was mapped stays in the set.
  }

  reap(): void {
    // Nothing in an address space.
  }

  reference(_process: RecordedProcess, _kind: number, page: number, _count: number): void {
    this.#records++;
    if (page < this.#stackUsed && page >= this.#stackLow && page < this.#stackTop)
      this.#stackUsed = page;
  }

  map(process: RecordedProcess, region: Region): void {
    this.#mapped(region, (start, end) => process.regions.within(start, end)[0] ?? null);
  }

  unmap(process: RecordedProcess, start: number, end: number): void {
    this.#margins(start, end, (from, to) => {
      const rest = process.regions.within(from, to)[0];
      return rest === undefined
        ? null
        : `${describe(rest)} stays when the other part of the page is unmapped`;
    });
  }

  protect(process: RecordedProcess, start: number, end: number, prot: number): void {
    this.#margins(start, end, (from, to) => {
      const other = process.regions
        .within(from, to)
        .find((region) => region.prot !== prot && region.what !== 'stack');
      return other === undefined
        ? null
        : `${describe(other)} would share a page with ${protName(prot)} at ${address(start)}`;
    });
  }

  move(process: RecordedProcess, parts: readonly Region[], to: number): void {
    const from = parts[0];
    if (from === undefined) return;
    for (const part of parts)
      this.map(process, {
        ...part,
        start: part.start + to - from.start,
        end: part.end + to - from.start,
      });
  }

  setBreak(process: RecordedProcess, old: number, next: number): void {
    const start = Math.ceil(old / TRACE_PAGE);
    const end = Math.ceil(next / TRACE_PAGE);
    if (end <= start) return;
    this.#pages.add(start, end);
    // The heap grows over its own last page; whatever else is there is in its way.
    for (const factor of FACTORS) {
      const beyond = Math.ceil(end / factor) * factor;
      const other = process.regions.within(end, beyond)[0];
      if (other !== undefined && !this.#conflicts.has(factor))
        this.#conflicts.set(factor, `${describe(other)} would share a page with the heap`);
    }
  }

  discard(process: RecordedProcess, parts: readonly Region[]): void {
    for (const { start, end } of parts)
      this.#margins(start, end, (from, to) => {
        const other = process.regions.within(from, to)[0];
        return other === undefined
          ? null
          : `${describe(other)} keeps its contents when the other part of the page is given up`;
      });
  }

  advise(): void {
    // No contents, no rights.
  }

  lock(): void {
    // Likewise.
  }

  unlock(): void {
    // Likewise.
  }

  lockAll(): void {
    // Likewise.
  }

  unlockAll(): void {
    // Likewise.
  }

  sync(): void {
    // Likewise.
  }

  kernelReads(_process: RecordedProcess, address: number): void {
    this.#touched(address);
  }

  kernelWrites(_process: RecordedProcess, address: number): void {
    this.#touched(address);
  }

  readFile(
    _process: RecordedProcess,
    file: TraceObject,
    offset: number,
    address: number,
    length: number,
  ): void {
    this.#touched(address);
    this.#needs(file, offset + length);
  }

  writeFile(
    _process: RecordedProcess,
    file: TraceObject,
    offset: number,
    address: number,
    length: number,
  ): void {
    this.#touched(address);
    this.#written[file.id] = Math.max(this.#written[file.id] ?? 0, offset + length);
    this.#grows(file, offset + length);
  }

  truncate(_process: RecordedProcess, file: TraceObject, size: number): void {
    this.#written[file.id] = Infinity;
    this.#grows(file, size);
  }

  #grows(file: TraceObject, size: number): void {
    this.#largest[file.id] = Math.max(this.#largest[file.id] ?? 0, size);
  }

  closed(): void {
    // Sizes are of the whole recording.
  }

  differs(): void {
    // The replay tells.
  }

  #touched(at: number): void {
    const page = Math.floor(at / TRACE_PAGE);
    if (page >= this.#stackLow && page < this.#stackTop)
      this.#stackUsed = Math.min(this.#stackUsed, page);
  }

  /** The recording uses so many bytes of a file. */
  #needs(file: TraceObject, bytes: number): void {
    if (bytes > (this.#written[file.id] ?? 0))
      this.#sizes[file.id] = Math.max(
        this.sizeOf(file),
        Math.ceil(bytes / TRACE_PAGE) * TRACE_PAGE,
      );
  }

  #mapped(region: Region, neighbour: (start: number, end: number) => Region | null): void {
    const { start, end, object, offset } = region;
    if (start < this.#stackTop && end > this.#stackLow)
      throw this.#place.error(
        `mappings outside of the room for the stack, ${address(this.#stackLow)}-${address(this.#stackTop)}`,
        describe(region),
      );
    this.#pages.add(start, end);
    if (object?.kind === 'file') {
      this.#needs(object, (offset + end - start) * TRACE_PAGE);
      for (const factor of FACTORS)
        if ((start - offset) % factor !== 0 && !this.#conflicts.has(factor))
          this.#conflicts.set(
            factor,
            `${describe(region)} shows its file from ${hex(offset * TRACE_PAGE, 1)}, which is at another place in a page`,
          );
    }
    this.#margins(start, end, (from, to) => {
      const other = neighbour(from, to);
      return other === null
        ? null
        : `${describe(other)} would share a page with ${describe(region)}`;
    });
  }

  /** Asks, for each page size, about the rest of the pages in which a range begins and ends. */
  #margins(start: number, end: number, ask: (start: number, end: number) => string | null): void {
    for (const factor of FACTORS) {
      if (this.#conflicts.has(factor)) continue;
      const from = Math.floor(start / factor) * factor;
      const to = Math.ceil(end / factor) * factor;
      const why = (from < start ? ask(from, start) : null) ?? (to > end ? ask(end, to) : null);
      if (why !== null) this.#conflicts.set(factor, why);
    }
  }
}

/** Reads a recording for its survey: `read` is given the handler to read it with. */
export async function surveyRecording(
  place: TracePlace,
  read: (handler: TraceHandler) => Promise<void>,
): Promise<{ survey: Survey; recording: Recording }> {
  const survey = new Survey(place);
  const recording = new Recording(place, survey);
  await read(recording);
  return { survey, recording };
}

function address(page: number): string {
  return hex(page * TRACE_PAGE, 1);
}

function describe(region: Region): string {
  const name =
    region.object?.name ?? (region.what === 'map' ? 'anonymous memory' : `the ${region.what}`);
  return `${name} at ${address(region.start)} (${protName(region.prot)})`;
}

/** A set of pages, as sorted stretches that neither touch nor overlap. */
class PageSet {
  #stretches: { start: number; end: number }[] = [];

  add(start: number, end: number): void {
    const first = this.#stretches.findIndex((stretch) => stretch.end >= start);
    if (first < 0) {
      this.#stretches.push({ start, end });
      return;
    }
    let last = first;
    let from = start;
    let to = end;
    for (; last < this.#stretches.length && this.#stretches[last]!.start <= end; last++) {
      from = Math.min(from, this.#stretches[last]!.start);
      to = Math.max(to, this.#stretches[last]!.end);
    }
    this.#stretches.splice(first, last - first, { start: from, end: to });
  }

  /** The stretches, with those less than `apart` pages from each other made one. */
  stretches(apart: number): { start: number; end: number }[] {
    const joined: { start: number; end: number }[] = [];
    for (const { start, end } of this.#stretches) {
      const last = joined.at(-1);
      if (last !== undefined && start - last.end < apart) last.end = end;
      else joined.push({ start, end });
    }
    return joined;
  }
}
