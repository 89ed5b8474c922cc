import { EFAULT, EPERM, type Errno, type Va } from '@uvmkit/pmap';
import {
  kernelRead,
  kernelWrite,
  type Sleeping,
  spaceFree,
  spaceShare,
  uvmIo,
} from '@uvmkit/uvm-core';
import type { Context } from './context.ts';
import { copyin, copyout } from './copy.ts';
import { OpenFile } from './open-file.ts';
import type { Process } from './process.ts';
import { failed, type SyscallResult, succeeded } from './result.ts';

/*
 * One process' access to the memory of another (procfs_domem, and what ptrace(2) made of it):
 *
 *     target's pages ──uvm_map_extract──▶ kernel map ◀──kernel accesses, with faults──▶ buffer ◀── copyin, copyout ──▶ caller
 */

/**
 * Moves bytes between the memory of `target` and a buffer.
 *
 * @param write from the buffer into the target
 * @returns EFAULT if the target is ending; otherwise what uvm_io answered
 */
export function* processMemory(
  target: Process,
  va: Va,
  buffer: Uint8Array,
  write: boolean,
): Sleeping<{ readonly error: Errno; readonly done: number }> {
  const { uvm } = target.machine;
  const { space } = target;
  if (target.exiting || space.refs < 1) return { error: EFAULT, done: 0 };
  // The target may end meanwhile: its space must not.
  spaceShare(space);
  function* move(kernelVa: Va, done: number, length: number): Sleeping<Errno> {
    const part = buffer.subarray(done, done + length);
    const error = yield* write ? kernelWrite(uvm, kernelVa, part) : kernelRead(uvm, kernelVa, part);
    // A kernel copy that faults in vain says no more than that.
    return error === 0 ? 0 : EFAULT;
  }
  const moved = yield* uvmIo(uvm, space.map, va, buffer.length, move);
  if (write && moved.done > 0) uvm.pmap.procwr?.(space.pmap, va, moved.done);
  yield* spaceFree(uvm, space);
  return moved;
}

/**
 * Moves bytes between the memory of `target`, at `at`, and the caller's own, at `va`.
 *
 * @returns how many were moved as the value, or the error if none were
 */
export function* copyBetween(
  context: Context,
  target: Process,
  at: Va,
  va: Va,
  length: number,
  write: boolean,
): Sleeping<SyscallResult> {
  const buffer = write ? yield* copyin(context, va, length) : new Uint8Array(length);
  if (typeof buffer === 'number') return failed(buffer);
  const { error, done } = yield* processMemory(target, at, buffer, write);
  if (done === 0) return error === 0 ? succeeded(0) : failed(error);
  if (write) return succeeded(done);
  const copied = yield* copyout(context, va, buffer.subarray(0, done));
  return copied === 0 ? succeeded(done) : failed(copied);
}

/** The most that is read or written at once. */
const CHUNK = 64 * 1024;

/** An open /proc/PID/mem: offsets are the process' addresses. */
export class OpenProcessMemory extends OpenFile {
  readonly #target: Process;

  constructor(target: Process, flags: number) {
    super(flags);
    this.#target = target;
  }

  override read(
    context: Context,
    va: Va,
    length: number,
    offset: number | null,
  ): Sleeping<SyscallResult> {
    return this.#move(context, va, length, offset, false);
  }

  override write(
    context: Context,
    va: Va,
    length: number,
    offset: number | null,
  ): Sleeping<SyscallResult> {
    return this.#move(context, va, length, offset, true);
  }

  *#move(
    context: Context,
    va: Va,
    length: number,
    offset: number | null,
    write: boolean,
  ): Sleeping<SyscallResult> {
    const start = offset ?? this.offset;
    if (this.#target.superuser && !context.process.superuser) return failed(EPERM);
    let done = 0;
    while (done < length) {
      const count = Math.min(CHUNK, length - done);
      const part = yield* copyBetween(context, this.#target, start + done, va + done, count, write);
      if (part.error !== 0 && done === 0) return part;
      if (part.error !== 0) break;
      done += part.value;
      if (part.value < count) break;
    }
    if (offset === null) this.offset = start + done;
    return succeeded(done);
  }

  override seek(offset: number): SyscallResult {
    this.offset = offset;
    return succeeded(offset);
  }

  protected override close(): void {
    // It holds nothing of the process.
  }
}
