import { ProcessSignal } from '@uvmkit/machine';
import { hex, protName, VM_PROT_EXECUTE, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import type { RecordedProcess } from './actions.ts';
import type { Cells } from './cells.ts';
import { PAGE_KNOWN, PAGE_MAPPED } from './model-space.ts';
import { KIND_FETCH, KIND_LOAD, KIND_STORE, KIND_UPDATE, TRACE_PAGE } from './records.ts';
import type { ReplayProcess, ReplayState } from './replay-state.ts';

/** log2 of the places in a page that references go to. */
const PLACES_SHIFT = 4;
/** What each kind of reference is called in a report. */
const KIND_NAMES: readonly string[] = ['', 'load', 'store', 'update', 'fetch'];

/**
 * Makes the references of a recording on the machine, and checks what comes back.
 *
 * A record is one access, however many references it stands for: of a 32-bit word at one of sixteen places
 * in the page, drawn from the record's number. A store leaves a value there that no other store leaves; a load or
 * fetch must find what the model has, which the machine never sees. An update first asks for both
 * rights at once, as such an instruction does, then loads and stores.
 */
export class References {
  /** Reference records, and the references they stand for. */
  records = 0;
  references = 0;
  /** Records by kind that were performed. */
  loads = 0;
  stores = 0;
  fetches = 0;
  updates = 0;
  readonly #state: ReplayState;
  readonly #cells: Cells;
  readonly #unit: number;
  readonly #countUnmapped: boolean;
  readonly #littleEndian: boolean;
  /** Whether memory can be looked at behind the MMU's back: no data cache stands before it. */
  readonly #direct: boolean;
  readonly #placeMask: number;
  #sequence = 0;
  // The process and the island of the last reference.
  #recorded: RecordedProcess | null = null;
  #replay!: ReplayProcess;
  #start = 0;
  #end = 0;
  #firstSlot = 0;
  #base = 0;

  /** @param countUnmapped count references to pages that are mapped nowhere, rather than take them for bad input */
  constructor(state: ReplayState, countUnmapped: boolean) {
    const { md } = state.machine;
    this.#state = state;
    this.#cells = state.cells;
    this.#unit = state.placement.unit;
    this.#countUnmapped = countUnmapped;
    this.#littleEndian = md.port.layout.littleEndian;
    this.#direct = md.mmus.every(({ dataCache }) => dataCache === null);
    this.#placeMask = (this.#unit >> PLACES_SHIFT) - 4;
  }

  play(recorded: RecordedProcess, kind: number, page: number, count: number): void {
    this.records++;
    this.references += count;
    if (recorded !== this.#recorded) this.#switchTo(recorded);
    if ((page < this.#start || page >= this.#end) && !this.#enterIsland(page)) {
      this.#unmapped(kind, page, count);
      return;
    }
    const slot = this.#firstSlot + (page - this.#start);
    const replay = this.#replay;
    let flags = replay.model.flags(slot);
    if ((flags & PAGE_KNOWN) === 0) flags = this.#state.known(recorded, replay, page, slot);
    if ((kind & ~flags) !== 0) {
      this.#forbidden(kind, page, count, flags);
      return;
    }
    const number = Math.imul(++this.#sequence, 0x9e3779b1);
    const offset =
      (number >>> (32 - PLACES_SHIFT)) * (this.#placeMask + 4) + ((slot * 52) & this.#placeMask);
    const va = this.#base + (page - this.#start) * this.#unit + offset;
    try {
      if (kind === KIND_FETCH) this.#fetch(replay, slot, offset, va);
      else if (kind === KIND_LOAD) this.#load(replay, slot, offset, va);
      else if (kind === KIND_STORE) this.#store(replay, slot, offset, va, number);
      else this.#update(replay, slot, offset, va, number);
    } catch (error) {
      this.#signal(error, kind, page);
    }
  }

  #fetch({ process, model }: ReplayProcess, slot: number, offset: number, va: number): void {
    this.fetches++;
    const cell = model.cell(slot);
    if (this.#direct) {
      const pa = process.touch(va, VM_PROT_EXECUTE);
      const { memory } = this.#state.machine;
      const got = this.#littleEndian ? memory.readLe32(pa) : memory.readBe32(pa);
      if (got !== this.#cells.word(cell, offset))
        this.#differs(KIND_FETCH, va, got, this.#cells.word(cell, offset));
    } else {
      const got = process.fetch8(va);
      const want = this.#cells.bytes(cell)[offset]!;
      if (got !== want) this.#differs(KIND_FETCH, va, got, want);
    }
  }

  #load({ process, model }: ReplayProcess, slot: number, offset: number, va: number): void {
    this.loads++;
    const want = this.#cells.word(model.cell(slot), offset);
    const got = process.load32(va);
    if (got !== want) this.#differs(KIND_LOAD, va, got, want);
  }

  #store(
    { process, model }: ReplayProcess,
    slot: number,
    offset: number,
    va: number,
    value: number,
  ): void {
    this.stores++;
    process.store32(va, value);
    this.#cells.setWord(model.writable(slot), offset, value);
  }

  #update(replay: ReplayProcess, slot: number, offset: number, va: number, value: number): void {
    this.updates++;
    const { process, model } = replay;
    process.touch(va, VM_PROT_READ | VM_PROT_WRITE);
    const want = this.#cells.word(model.cell(slot), offset);
    const got = process.load32(va);
    if (got !== want) this.#differs(KIND_UPDATE, va, got, want);
    process.store32(va, value);
    this.#cells.setWord(model.writable(slot), offset, value);
  }

  /** A process got another image or ended: nothing is remembered of it. */
  forget(): void {
    this.#recorded = null;
  }

  #switchTo(recorded: RecordedProcess): void {
    this.#recorded = recorded;
    this.#replay = this.#state.of(recorded);
  }

  #enterIsland(page: number): boolean {
    const { placement } = this.#state;
    const island = placement.island(page);
    if (island < 0) return false;
    this.#start = placement.start(island);
    this.#end = placement.end(island);
    this.#firstSlot = placement.firstSlot(island);
    this.#base = placement.base(island);
    return true;
  }

  #unmapped(kind: number, page: number, count: number): void {
    const { pid } = this.#recorded!;
    if (!this.#countUnmapped)
      throw this.#state.place.error(
        'a reference to a region of the process',
        `a ${KIND_NAMES[kind]} at ${hex(page * TRACE_PAGE, 1)}, where process ${pid} has nothing mapped`,
      );
    this.#state.findings.unsupportedAccess(
      `${KIND_NAMES[kind]} at ${hex(page * TRACE_PAGE, 1)}, where nothing is mapped`,
      count,
    );
  }

  #forbidden(kind: number, page: number, count: number, flags: number): void {
    if ((flags & PAGE_MAPPED) === 0) this.#unmapped(kind, page, count);
    else
      this.#state.findings.unsupportedAccess(
        `${KIND_NAMES[kind]} at ${hex(page * TRACE_PAGE, 1)}, mapped ${protName(flags & 7)}`,
        count,
      );
  }

  #differs(kind: number, va: number, got: number, want: number): void {
    this.#state.mismatch(
      'value',
      this.#recorded!,
      `${KIND_NAMES[kind]} at ${hex(va)} reads ${hex(got)}, should read ${hex(want)}`,
    );
  }

  #signal(error: unknown, kind: number, page: number): void {
    if (!(error instanceof ProcessSignal)) throw error;
    this.#state.mismatch(
      'signal',
      this.#recorded!,
      `${KIND_NAMES[kind]} of page ${page.toString(16)}: ${error.message}`,
    );
    // A process that was killed cannot go on, and without it nothing that follows means anything.
    if (this.#replay.process.state !== 'running') throw error;
  }
}
