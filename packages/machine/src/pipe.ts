import { EINTR, EPIPE, type Va } from '@uvmkit/pmap';
import type { Sleeping, WaitChannel } from '@uvmkit/uvm-core';
import { type Context, sleepInterruptibly } from './context.ts';
import { copyin, copyout } from './copy.ts';
import type { Machine } from './machine.ts';
import { O_RDWR, OpenFile } from './open-file.ts';
import { SIGPIPE } from './signal.ts';
import { psignal } from './signal-calls.ts';
import { failed, type SyscallResult, succeeded } from './result.ts';

/** Bytes that one direction holds (PIPSIZ). */
const CAPACITY = 16 * 1024;

/** One direction: bytes that were written and not read yet. */
class Stream {
  readonly channel: WaitChannel;
  readonly #chunks: Uint8Array[] = [];
  /** Bytes in it. */
  length = 0;
  /** Ends that write to it, and that read from it: 1 or 0. */
  hasWriter = true;
  hasReader = true;

  constructor(channel: WaitChannel) {
    this.channel = channel;
  }

  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.length += bytes.length;
  }

  /** Takes up to so many bytes off the front. */
  shift(most: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(most, this.length));
    for (let done = 0; done < bytes.length;) {
      const chunk = this.#chunks[0]!;
      const part = chunk.subarray(0, bytes.length - done);
      bytes.set(part, done);
      done += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
    }
    this.length -= bytes.length;
    return bytes;
  }
}

/** Two ends joined both ways, as NetBSD's pipes and its stream sockets are. */
export function makePipe(machine: Machine): readonly [OpenFile, OpenFile] {
  const there = new Stream(machine.uvm.newChannel());
  const back = new Stream(machine.uvm.newChannel());
  return [new OpenPipe(machine, back, there), new OpenPipe(machine, there, back)];
}

/** One end of a pipe or of a pair of sockets. */
class OpenPipe extends OpenFile {
  override readonly seekable: boolean = false;
  readonly #machine: Machine;
  readonly #in: Stream;
  readonly #out: Stream;

  constructor(machine: Machine, from: Stream, to: Stream) {
    super(O_RDWR);
    this.#machine = machine;
    this.#in = from;
    this.#out = to;
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
      const bytes = yield* copyin(context, va + done, count);
      if (typeof bytes === 'number') return done === 0 ? failed(bytes) : succeeded(done);
      stream.push(bytes);
      done += count;
      this.#machine.scheduler.wakeup(stream.channel);
    }
    return succeeded(done);
  }

  protected override close(): void {
    this.#in.hasReader = false;
    this.#out.hasWriter = false;
    this.#machine.scheduler.wakeup(this.#in.channel);
    this.#machine.scheduler.wakeup(this.#out.channel);
  }
}
