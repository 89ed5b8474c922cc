import {
  EINVAL,
  type Errno,
  type Prot,
  type Va,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_NONE,
} from '@uvmkit/pmap';
import {
  MAP_INHERIT_COPY,
  mapLock,
  type Sleeping,
  type Uvm,
  UVM_ADV_NORMAL,
  UVM_FLAG_COPYONW,
  UVM_FLAG_FIXED,
  uvmMap,
  uvmUnmap,
  type Vmspace,
} from '@uvmkit/uvm-core';
import type { File } from './file.ts';

/** One command of exec (`exec_vmcmd`): a private range of the new image. */
export interface Segment {
  /** Page-aligned. */
  readonly va: Va;
  /** Bytes, rounded up to pages. */
  readonly length: number;
  readonly prot: Prot;
  /** What it shows; zeroes if not given. */
  readonly file?: File;
  /** Page-aligned byte offset in the file. */
  readonly offset?: number;
}

/** What exec makes of an address space. */
export interface Image {
  /** Start of the heap (`vm_daddr`), rounded up to a page; the first 64 KB stay free if not given. */
  readonly dataStart?: Va;
  /** Bytes of stack that may be used at once; RLIMIT_STACK if not given. The rest up to the port's maximum is reserved. */
  readonly stackSize?: number;
  /** Whether there is a stack; true if not given. */
  readonly stack?: boolean;
  /** Text and data, in any order; none if not given. */
  readonly segments?: readonly Segment[];
}

const UNUSED_START = 64 * 1024;

/**
 * Lays an image out in an empty address space, as exec's commands do: every range private, its maximum
 * protection everything.
 *
 *     userMin … dataStart …                                    … stackLow            userStack
 *             [segments] [heap, by brk ▶]   [mmap, above MAXDSIZ] [ reserved │ ◀ stack ]
 *
 * @param stackLimit bytes of stack if the image does not say
 * @returns EINVAL for a segment that is not aligned or lies outside of user space, ENOMEM for one in the way of another
 */
export function* layImage(
  uvm: Uvm,
  space: Vmspace,
  image: Image,
  stackLimit: number,
): Sleeping<Errno> {
  const { layout } = uvm.md.port;
  yield* mapLock(space.map);
  space.dataAddress = uvm.round(image.dataStart ?? layout.userMin + UNUSED_START);
  if (space.dataAddress < layout.userMin || space.dataAddress > layout.userMax) return EINVAL;
  for (const segment of image.segments ?? []) {
    const error = mapSegment(uvm, space, segment);
    if (error !== 0) return error;
  }
  return image.stack === false ? 0 : mapStack(uvm, space, image.stackSize ?? stackLimit);
}

function mapSegment(uvm: Uvm, space: Vmspace, segment: Segment): Errno {
  const { va, length, prot, file = null, offset = 0 } = segment;
  const { userMin, userMax } = uvm.md.port.layout;
  const size = uvm.round(length);
  if (va % uvm.pageSize !== 0 || offset % uvm.pageSize !== 0 || size <= 0) return EINVAL;
  if (va < userMin || va + size > userMax) return EINVAL;
  const vnode = file?.vnode ?? null;
  if (vnode !== null) vnode.pgops.reference(uvm, vnode);
  const error = mapPrivate(uvm, space, va, size, prot, vnode, offset);
  if (vnode === null) return error;
  if (error !== 0) vnode.pgops.detach(uvm, vnode);
  else if ((prot & VM_PROT_EXECUTE) !== 0) {
    vnode.pgops.markText(uvm, vnode);
    space.textAddress = va;
    space.textPages = uvm.atop(size);
  }
  return error;
}

/** The stack as exec maps it: all of what it may ever be, of which the limit lets only the upper part be used. */
function mapStack(uvm: Uvm, space: Vmspace, wanted: number): Errno {
  const { userStack, maxStackSize } = uvm.md.port.layout;
  const size = uvm.round(wanted);
  if (size <= 0 || size > maxStackSize) return EINVAL;
  const low = userStack - maxStackSize;
  const start = userStack - size;
  space.stackLow = low;
  space.stackHigh = userStack;
  space.stackPages = uvm.atop(size);
  const reserved =
    start === low ? 0 : mapPrivate(uvm, space, low, start - low, VM_PROT_NONE, null, 0);
  if (reserved !== 0) return reserved;
  const error = mapPrivate(uvm, space, start, size, VM_PROT_ALL, null, 0);
  if (error !== 0) uvmUnmap(uvm, space.map, low, start);
  return error;
}

function mapPrivate(
  uvm: Uvm,
  space: Vmspace,
  va: Va,
  size: number,
  prot: Prot,
  vnode: File['vnode'] | null,
  offset: number,
): Errno {
  return uvmMap(uvm, space.map, va, size, vnode, offset, 0, {
    prot,
    maxProt: VM_PROT_ALL,
    inherit: MAP_INHERIT_COPY,
    advice: UVM_ADV_NORMAL,
    flags: UVM_FLAG_FIXED | UVM_FLAG_COPYONW,
  }).error;
}
