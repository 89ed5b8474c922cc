import { errnoName, hex } from '@uvmkit/pmap';
import type { RecordedProcess } from './actions.ts';
import { PAGE_MAPPED } from './model-space.ts';
import { TRACE_PAGE } from './records.ts';
import type { TraceObject } from './regions.ts';
import type { ReplayProcess, ReplayState } from './replay-state.ts';

/** A part of a range of recorded bytes that lies in one recorded page. */
interface Piece {
  readonly page: number;
  readonly slot: number;
  /** Bytes into the page. */
  readonly within: number;
  readonly count: number;
  /** The machine's address. */
  readonly va: number;
  /** Bytes of the range before it. */
  readonly done: number;
}

/**
 * The memory that system calls read and write in a process' name: through copyin and copyout, which fault as the
 * kernel's accesses do, and through reads and writes of the machine's own files. Every byte that is read is
 * compared with the model, every byte that is written is new in it.
 */
export class KernelAccess {
  /** Bytes that the kernel read and wrote. */
  bytesRead = 0;
  bytesWritten = 0;
  readonly #state: ReplayState;
  #sequence = 0;

  constructor(state: ReplayState) {
    this.#state = state;
  }

  /** copyin: what is there must be what should be there. */
  read(recorded: RecordedProcess, replay: ReplayProcess, address: number, length: number): void {
    for (const { slot, within, count, va } of this.#pieces(
      recorded,
      replay,
      address,
      length,
      false,
    )) {
      const bytes = replay.process.copyin(va, count);
      if (typeof bytes === 'number')
        this.#failed(recorded, `a read of ${count} bytes at ${hex(va)}`, bytes);
      else
        this.#compare(
          recorded,
          va,
          bytes,
          this.#state.cells.bytes(replay.model.cell(slot)).subarray(within, within + count),
        );
    }
  }

  /** copyout: of bytes that were never there before. */
  write(recorded: RecordedProcess, replay: ReplayProcess, address: number, length: number): void {
    for (const { slot, within, count, va } of this.#pieces(
      recorded,
      replay,
      address,
      length,
      true,
    )) {
      const bytes = this.#news(count);
      const error = replay.process.copyout(va, bytes);
      if (error !== 0) this.#failed(recorded, `a write of ${count} bytes at ${hex(va)}`, error);
      else this.#state.cells.bytes(replay.model.writable(slot)).set(bytes, within);
    }
  }

  /** read(2): the machine reads its file into the process' memory, the model copies cells. */
  readFile(
    recorded: RecordedProcess,
    replay: ReplayProcess,
    file: TraceObject,
    offset: number,
    address: number,
    length: number,
  ): void {
    const { cells, objects, files, findings } = this.#state;
    if (!objects.reaches(file, offset + length)) {
      findings.differs(
        'read: of more than the recording wrote to the file; bytes of its own stand in',
      );
      this.write(recorded, replay, address, length);
      return;
    }
    const fd = files.descriptor(replay, file);
    for (const piece of this.#pieces(recorded, replay, address, length, true))
      objects.each(file, offset + piece.done, piece.count, (cell, within, done, count) => {
        const { error, value } = replay.process.sys.pread(
          fd,
          piece.va + done,
          count,
          objects.scale(offset + piece.done + done),
        );
        if (error !== 0) this.#failed(recorded, `read of ${file.name}`, error);
        else if (value !== count) this.#short(recorded, `read of ${file.name}`, value, count);
        else {
          const target = cells.bytes(replay.model.writable(piece.slot));
          target.set(cells.bytes(cell).subarray(within, within + count), piece.within + done);
        }
      });
  }

  /** write(2), likewise the other way. */
  writeFile(
    recorded: RecordedProcess,
    replay: ReplayProcess,
    file: TraceObject,
    offset: number,
    address: number,
    length: number,
  ): void {
    const { cells, objects, files } = this.#state;
    const fd = files.descriptor(replay, file);
    for (const piece of this.#pieces(recorded, replay, address, length, false))
      objects.each(file, offset + piece.done, piece.count, (cell, within, done, count) => {
        const { error, value } = replay.process.sys.pwrite(
          fd,
          piece.va + done,
          count,
          objects.scale(offset + piece.done + done),
        );
        if (error !== 0) this.#failed(recorded, `write of ${file.name}`, error);
        else if (value !== count) this.#short(recorded, `write of ${file.name}`, value, count);
        else {
          const source = cells.bytes(replay.model.cell(piece.slot));
          const from = piece.within + done;
          cells.bytes(cell).set(source.subarray(from, from + count), within);
          objects.extend(file, offset + piece.done + done + count);
        }
      });
  }

  /** The pieces of a range that the process has mapped with the right; others are told of. */
  *#pieces(
    recorded: RecordedProcess,
    replay: ReplayProcess,
    address: number,
    length: number,
    write: boolean,
  ): Generator<Piece> {
    const { placement, findings } = this.#state;
    for (let done = 0; done < length;) {
      const at = address + done;
      const page = Math.floor(at / TRACE_PAGE);
      const within = at % TRACE_PAGE;
      const count = Math.min(TRACE_PAGE - within, length - done);
      const slot = placement.slot(page);
      const flags = this.#state.known(recorded, replay, page, slot);
      // Whatever right there is lets an x86 kernel read.
      const allowed =
        (flags & PAGE_MAPPED) !== 0 && (write ? (flags & 2) !== 0 : (flags & 7) !== 0);
      if (allowed) {
        if (write) this.bytesWritten += count;
        else this.bytesRead += count;
        yield {
          page,
          slot,
          within,
          count,
          va: placement.va(page) + within,
          done,
        };
      } else
        findings.unsupportedAccess(
          `${write ? 'write' : 'read'} by the kernel at ${hex(page * TRACE_PAGE, 1)}, which the process may not make`,
          1,
        );
      done += count;
    }
  }

  /** Bytes that no one has seen yet. */
  #news(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    let word = Math.imul(++this.#sequence, 0x85ebca6b);
    for (let i = 0; i < count; i++) {
      word = Math.imul(word, 0x19660d) + 0x3c6ef35f;
      bytes[i] = word >>> 24;
    }
    return bytes;
  }

  #compare(recorded: RecordedProcess, va: number, got: Uint8Array, want: Uint8Array): void {
    for (let i = 0; i < want.length; i++) {
      if (got[i] === want[i]) continue;
      this.#state.mismatch(
        'kernel',
        recorded,
        `the kernel reads ${hex(got[i]!, 2)} at ${hex(va + i)}, should read ${hex(want[i]!, 2)}`,
      );
      return;
    }
  }

  #failed(recorded: RecordedProcess, what: string, error: number): void {
    this.#state.mismatch(
      'kernel',
      recorded,
      `${what} in the kernel fails with ${errnoName(error)}`,
    );
  }

  #short(recorded: RecordedProcess, what: string, got: number, want: number): void {
    this.#state.mismatch('kernel', recorded, `${what} ends after ${got} of ${want} bytes`);
  }
}
