import {
  EINVAL,
  EIO,
  ENOSPC,
  type Errno,
  KernelPanic,
  NO_PA,
  type Pa,
  type Va,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import {
  type Sleeping,
  type SwapBackend,
  type Uvm,
  type VmMap,
  vslock,
  vslockedPa,
  vsunlock,
} from '@uvmkit/uvm-core';
import { answer } from './answer.ts';
import type { Clock } from './clock.ts';
import type { Context } from './context.ts';
import { type Disk, type Extent, SECTOR } from './disk.ts';
import type { File } from './file.ts';
import { failed, type SyscallResult, succeeded } from './result.ts';

/** The most that one transfer of physio takes (MAXPHYS). */
const MAXPHYS = 64 * 1024;

/** A part of a disk: what a block device and its raw twin stand for. */
export class Partition {
  readonly name: string;
  readonly disk: Disk;
  /** Where it begins on the disk, and how long it is: bytes, multiples of a sector. */
  readonly start: number;
  readonly length: number;

  constructor(name: string, disk: Disk, start: number, length: number) {
    if (start % SECTOR !== 0 || length % SECTOR !== 0 || length <= 0)
      throw new RangeError(
        `a partition begins and ends on sectors of ${SECTOR} bytes, given ${length} bytes at ${start}`,
      );
    if (start < 0 || start + length > disk.options.size)
      throw new RangeError(
        `a partition lies on its disk of ${disk.options.size} bytes, given ${length} bytes at ${start}`,
      );
    this.name = name;
    this.disk = disk;
    this.start = start;
    this.length = length;
  }

  /** The partition as somewhere to swap to. */
  swapBackend(pageSize: number): SwapBackend {
    const move = (
      index: number,
      pas: readonly Pa[],
      write: boolean,
      done: (error: Errno) => void,
    ): void => {
      const at = this.start + index * pageSize;
      const extents = pas.map((pa, i) => ({ at: at + i * pageSize, pa, length: pageSize }));
      this.disk.transfer(extents, write, done);
    };
    return {
      name: this.name,
      pages: Math.floor(this.length / pageSize),
      read: (index, pas, done) => move(index, pas, false, done),
      write: (index, pas, done) => move(index, pas, true, done),
    };
  }
}

/**
 * A file as somewhere to swap to: its blocks, without its pages. What it has not been given blocks for is an I/O error, and so is
 * all of a file whose file system does not tell where they are (VOP_BMAP).
 */
export function fileSwapBackend(
  name: string,
  file: File,
  pageSize: number,
  clock: Clock,
): SwapBackend {
  const { ops, swappable } = file.backing;
  const whole = (at: number): boolean => {
    if (!swappable) return false;
    const step = Math.min(pageSize, file.blockSize);
    for (let part = 0; part < pageSize; part += step)
      if (!file.isAllocated(at + part)) return false;
    return true;
  };
  const move = (
    index: number,
    pas: readonly Pa[],
    write: boolean,
    done: (error: Errno) => void,
  ): void => {
    const at = index * pageSize;
    if (!pas.every((_, i) => whole(at + i * pageSize))) clock.after(0, () => done(EIO));
    else if (!write) ops.read(at, pas, done);
    else
      ops.write(at, pas, (error) => {
        if (error !== 0 || ops.commit === undefined) done(error);
        else ops.commit(at, pas.length * pageSize, done);
      });
  };
  return {
    name,
    pages: Math.floor(file.size / pageSize),
    read: (index, pas, done) => move(index, pas, false, done),
    write: (index, pas, done) => move(index, pas, true, done),
  };
}

/**
 * A transfer straight between a disk and a process' memory (physio): the process' pages are kept in memory by
 * uvm_vslock meanwhile, and the disk reads or writes them where they are.
 *
 * @param offset byte offset in the partition
 * @returns EINVAL unless address, length and offset are multiples of a sector; EFAULT for memory that the process may
 * not use so; EIO; the value is the number of bytes, less at the partition's end
 */
export function* physio(
  { process }: Context,
  partition: Partition,
  va: Va,
  length: number,
  offset: number,
  write: boolean,
): Sleeping<SyscallResult> {
  if (va % SECTOR !== 0 || length % SECTOR !== 0 || offset % SECTOR !== 0) return failed(EINVAL);
  const { uvm } = process.machine;
  const { map } = process.space;
  const total = Math.min(length, Math.max(0, partition.length - offset));
  if (write && total === 0 && length > 0) return failed(ENOSPC);
  const access = write ? VM_PROT_READ : VM_PROT_READ | VM_PROT_WRITE;
  let done = 0;
  let error: Errno = 0;
  while (done < total && error === 0) {
    const count = Math.min(total - done, MAXPHYS);
    error = yield* vslock(uvm, map, va + done, count, access);
    if (error !== 0) break;
    const at = partition.start + offset + done;
    const extents = extentsOf(uvm, map, va + done, count, at);
    error = yield* answer(uvm, (finished) => partition.disk.transfer(extents, write, finished));
    vsunlock(uvm, map, va + done, count);
    if (error === 0) done += count;
  }
  return error !== 0 && done === 0 ? failed(error) : succeeded(done);
}

/** The frames behind locked user memory, page by page. */
function extentsOf(uvm: Uvm, map: VmMap, va: Va, length: number, at: number): Extent[] {
  const extents: Extent[] = [];
  for (let done = 0; done < length;) {
    const count = Math.min(uvm.trunc(va + done) + uvm.pageSize - (va + done), length - done);
    const pa = vslockedPa(uvm, map, va + done);
    if (pa === NO_PA)
      throw new KernelPanic('physio: a locked page is not mapped', { va: va + done });
    uvm.syncForDevice(uvm.memory.pageSize * Math.floor(pa / uvm.memory.pageSize));
    extents.push({ at: at + done, pa, length: count });
    done += count;
  }
  return extents;
}
