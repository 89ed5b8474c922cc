import { EINTR, EPIPE, type Va } from '@uvmkit/pmap';
import { loan, type Sleeping, unloan, type Uvm, type WaitChannel } from '@uvmkit/uvm-core';
import { type Context, sleepInterruptibly } from './context.ts';
import { copyin, copyout } from './copy.ts';
import type { Machine } from './machine.ts';
import { O_RDWR, OpenFile } from './open-file.ts';
import { SIGPIPE } from './signal.ts';
import { psignal } from './signal-calls.ts';
import { failed, type SyscallResult, succeeded } from './result.ts';

/** Bytes that one direction holds (PIPSIZ). */
const CAPACITY = 16 * 1024;

/** Bytes on their way: copied ones, or whole pages that the writer has lent the kernel (sosend_loan). */
type Chunk = Uint8Array | { readonly pages: readonly number[] };

/** One direction: bytes that were written and not read yet. */
class Stream {
  readonly channel: WaitChannel;
  readonly #uvm: Uvm;
  readonly #chunks: Chunk[] = [];
  /** Bytes of the first chunk that have been read. */
  #taken = 0;
  /** Bytes in it. */
  length = 0;
  /** Ends that write to it, and that read from it: 1 or 0. */
  hasWriter = true;
  hasReader = true;

  constructor(uvm: Uvm) {
    this.#uvm = uvm;
    this.channel = uvm.newChannel();
  }

  push(chunk: Chunk): void {
    this.#chunks.push(chunk);
    this.length += this.#lengthOf(chunk);
  }

  /** Takes up to so many bytes off the front. Pages go back to whoever lent them once they are read. */
  shift(most: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(most, this.length));
    for (let done = 0; done < bytes.length;) {
      const chunk = this.#chunks[0]!;
      const count = this.#copy(chunk, bytes.subarray(done));
      done += count;
      this.#taken += count;
      if (this.#taken < this.#lengthOf(chunk)) continue;
      this.#chunks.shift();
      this.#taken = 0;
      if (!(chunk instanceof Uint8Array)) unloan(this.#uvm, chunk.pages, 'page');
    }
    this.length -= bytes.length;
    return bytes;
  }

  #lengthOf(chunk: Chunk): number {
    return chunk instanceof Uint8Array ? chunk.length : chunk.pages.length * this.#uvm.pageSize;
  }

  /** Copies what has not been taken of a chunk, of lent pages no further than one page's end. */
  #copy(chunk: Chunk, into: Uint8Array): number {
    const uvm = this.#uvm;
    let rest: Uint8Array;
    if (chunk instanceof Uint8Array) rest = chunk.subarray(this.#taken);
    else {
      const pa = uvm.addressOf(chunk.pages[uvm.atop(this.#taken)]!);
      uvm.syncForDevice(pa);
      rest = uvm.memory.bytes.subarray(pa + (this.#taken % uvm.pageSize), pa + uvm.pageSize);
    }
    const part = rest.subarray(0, into.length);
    into.set(part);
    return part.length;
  }
}

/**
 * Two ends joined both ways, as NetBSD's pipes and its stream sockets are.
 *
 * @param lends whole pages are lent instead of copied: the reader finds what they held when they were written
 */
export function makePipe(machine: Machine, lends: boolean): readonly [OpenFile, OpenFile] {
  const there = new Stream(machine.uvm);
  const back = new Stream(machine.uvm);
  return [new OpenPipe(machine, back, there, lends), new OpenPipe(machine, there, back, lends)];
}

/** One end of a pipe or of a pair of sockets. */
class OpenPipe extends OpenFile {
  override readonly seekable: boolean = false;
  readonly #machine: Machine;
  readonly #in: Stream;
  readonly #out: Stream;

  readonly #lends: boolean;

  constructor(machine: Machine, from: Stream, to: Stream, lends: boolean) {
    super(O_RDWR);
    this.#machine = machine;
    this.#in = from;
    this.#out = to;
    this.#lends = lends;
  }

  /** Waits for the first byte, and takes what there is then; 0 once the other end is closed. */
  override *read(context: Context, va: Va, length: number): Sleeping<SyscallResult> {
    const stream = this.#in;
    if (length === 0) return succeeded(0);
    while (stream.length === 0) {
      if (!stream.hasWriter) return succeeded(0);
      if (yield* sleepInterruptibly(context, stream.channel)) return failed(EINTR);
    }
    const bytes = stream.shift(length);
    this.#machine.scheduler.wakeup(stream.channel);
    const error = yield* copyout(context, va, bytes);
    return error === 0 ? succeeded(bytes.length) : failed(error);
  }

  /** Waits for room until everything is written; EPIPE and SIGPIPE once nobody can read it any more. */
  override *write(context: Context, va: Va, length: number): Sleeping<SyscallResult> {
    const stream = this.#out;
    let done = 0;
    while (done < length) {
      while (stream.hasReader && stream.length >= CAPACITY)
        if (yield* sleepInterruptibly(context, stream.channel))
          return done === 0 ? failed(EINTR) : succeeded(done);
      if (!stream.hasReader) {
        psignal(context.process, SIGPIPE);
        return done === 0 ? failed(EPIPE) : succeeded(done);
      }
      const count = Math.min(CAPACITY - stream.length, length - done);
      const lent = yield* this.#lend(context, va + done, count);
      if (lent.length > 0) {
        stream.push({ pages: lent });
        done += lent.length * this.#machine.uvm.pageSize;
        this.#machine.scheduler.wakeup(stream.channel);
        continue;
      }
      const bytes = yield* copyin(context, va + done, count);
      if (typeof bytes === 'number') return done === 0 ? failed(bytes) : succeeded(done);
      stream.push(bytes);
      done += count;
      this.#machine.scheduler.wakeup(stream.channel);
    }
    return succeeded(done);
  }

  /** Borrows the whole pages of a range that begins on one; none if they cannot be had so. */
  *#lend({ process }: Context, va: Va, length: number): Sleeping<readonly number[]> {
    const { uvm } = this.#machine;
    const size = uvm.trunc(length);
    if (!this.#lends || va % uvm.pageSize !== 0 || size === 0) return [];
    const lent = yield* loan(uvm, process.space.map, va, size, 'page');
    return typeof lent === 'number' ? [] : lent;
  }

  protected override close(): void {
    // What nobody will read goes back to whoever lent it.
    this.#in.shift(this.#in.length);
    this.#in.hasReader = false;
    this.#out.hasWriter = false;
    this.#machine.scheduler.wakeup(this.#in.channel);
    this.#machine.scheduler.wakeup(this.#out.channel);
  }
}
