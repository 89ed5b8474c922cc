import { EBUSY, EINVAL, type Errno, type Pa, VM_PROT_WRITE } from '@uvmkit/pmap';
import { type PageCensus, type PagerOps, UvmObject } from './object.ts';
import { NO_OWNER, NO_PAGE, PG_BUSY, PG_CLEAN, PG_FAKE, PG_RDONLY, PG_WANTED } from './page.ts';
import {
  type Advice,
  type Outcome,
  PAGE_NULL,
  PGO_ALLPAGES,
  PGO_LOCKED,
  PGO_OVERWRITE,
  PGO_PASTEOF,
  type PagerFlags,
  type Sleeping,
  type WaitChannel,
} from './types.ts';
import type { Uvm } from './uvm.ts';
import { vnodePut } from './vnode-put.ts';

/**
 * What a file system does for the vnode pager. All offsets are bytes in the file. Reads and writes take
 * their time: `done` is called later, never before the call has returned, once for each.
 */
export interface VnodeOps {
  /** Bytes of a block: a power of two. */
  readonly blockSize: number;
  /** Whether the block that holds `offset` has backing store; without, it reads as zeroes (VOP_BMAP). */
  isAllocated(offset: number): boolean;
  /** Gives [offset, offset + length) backing store (GOP_ALLOC). 0, or ENOSPC with what was there unchanged. */
  allocate(offset: number, length: number): Errno;
  /** Reads whole pages from `offset`, page-aligned, into the pages at `pas`. Holes and what is past the end read as zeroes. */
  read(offset: number, pas: readonly Pa[], done: (error: Errno) => void): void;
  /** Writes whole pages to `offset`; what has no backing store, or is past the end, is dropped. */
  write(offset: number, pas: readonly Pa[], done: (error: Errno) => void): void;
  /**
   * Has a server put what was written to [offset, offset + length) on its disk (the commit of NFS version 3). ESTALE says that it
   * has lost it meanwhile, and it is written again; after any other error it is dirty again. Absent where a write that is done
   * is done.
   */
  commit?(offset: number, length: number, done: (error: Errno) => void): void;
}

/** Bytes of read-ahead, twice which follow a synchronous read that ends on such a boundary. */
const READ_AHEAD = 64 * 1024;

/**
 * A file as UVM sees it: its object is embedded in the vnode, references are use counts. It keeps
 * its pages when the last reference goes, as a cached vnode does.
 */
export class Vnode extends UvmObject {
  readonly ops: VnodeOps;
  /** Bytes in the file (`v_size`). */
  size: number;
  /** Mapped executable by someone (VEXECMAP): its pages count as text. */
  text = false;
  /** Writes in flight (`v_numoutput`). */
  numoutput = 0;
  /** The first error of a write since someone last waited for writes. */
  writeError: Errno = 0;
  /** Where threads wait for writes to finish. */
  readonly outputChannel: WaitChannel;
  /** Pages whose read failed, by page index, until a thread that wanted the page has been told. */
  readonly readErrors: Map<number, Errno> = new Map();

  /** A vnode for a file of `size` bytes, with no references yet. The pager is `nullVnodePager` where there are never pages. */
  constructor(uvm: Uvm, ops: VnodeOps, size: number, pager: PagerOps = vnodePager) {
    super(uvm, pager);
    this.refs = 0;
    this.ops = ops;
    this.size = size;
    this.outputChannel = uvm.newChannel();
  }
}

/** The vnode that an object is, or null. */
export function asVnode(object: UvmObject | null): Vnode | null {
  return object instanceof Vnode ? object : null;
}

/** The vnode pager (`uvm_vnodeops`, with genfs_getpages and genfs_putpages). */
export const vnodePager: PagerOps = {
  name: 'vnode',
  census: 'file' satisfies PageCensus,

  reference(_uvm, object) {
    object.refs++;
  },

  detach(_uvm, object) {
    object.refs--;
  },

  get(uvm, object, offset, pages, count, centre, access, _advice: Advice, flags): Outcome {
    const vnode = object as Vnode;
    const first = uvm.atop(offset);
    if ((flags & PGO_LOCKED) !== 0)
      return getResident(uvm, vnode, first, pages, count, centre, flags);
    let taken = 0;
    for (let i = 0; i < count; i++) {
      if (pages[i] !== PAGE_NULL || (i !== centre && (flags & PGO_ALLPAGES) === 0)) continue;
      const outcome = getPage(uvm, vnode, first + i, access, flags);
      if (outcome === 0) {
        pages[i] = uvm.gotPage;
        taken |= 1 << i;
        continue;
      }
      // All or nothing: nothing is held while the caller sleeps.
      for (let back = 0; back < i; back++) {
        if ((taken & (1 << back)) === 0) continue;
        uvm.pages.activate(pages[back]!);
        uvm.unbusy(pages[back]!);
        pages[back] = PAGE_NULL;
      }
      return outcome;
    }
    return 0;
  },

  put(uvm, object, start, stop, flags): Sleeping<Errno> {
    return vnodePut(uvm, object as Vnode, start, stop, flags);
  },

  deactivate(uvm, object, start, stop) {
    for (let index = uvm.atop(start); index < uvm.atop(stop); index++) {
      const page = uvm.pages.lookup(object, index);
      if (page !== NO_PAGE) uvm.deactivateIdle(page);
    }
  },

  isText(object) {
    return (object as Vnode).text;
  },

  markText(uvm, object) {
    const vnode = object as Vnode;
    if (vnode.text) return;
    vnode.text = true;
    uvm.exp.filepages -= vnode.npages;
    uvm.exp.execpages += vnode.npages;
  },
};

/** PGO_LOCKED: what is resident, idle and not over a hole. */
function getResident(
  uvm: Uvm,
  vnode: Vnode,
  first: number,
  into: Int32Array,
  count: number,
  centre: number,
  flags: PagerFlags,
): Outcome {
  const { pages } = uvm;
  let missing = false;
  for (let i = 0; i < count; i++) {
    if (into[i] !== PAGE_NULL) continue;
    const page = pages.lookup(vnode, first + i);
    // A page over a hole takes the slow way, which may have to allocate.
    if (page === NO_PAGE || (pages.flags[page]! & (PG_BUSY | PG_RDONLY)) !== 0)
      missing ||= i === centre || (flags & PGO_ALLPAGES) !== 0;
    else {
      pages.flags[page]! |= PG_BUSY;
      into[i] = page;
    }
  }
  return missing ? EBUSY : 0;
}

/** One page, BUSY, in `uvm.gotPage`; or WAIT while it is on its way; or an error. */
function getPage(
  uvm: Uvm,
  vnode: Vnode,
  index: number,
  access: number,
  flags: PagerFlags,
): Outcome {
  const { pages } = uvm;
  const write = (access & VM_PROT_WRITE) !== 0;
  const overwrite = (flags & PGO_OVERWRITE) !== 0;
  const offset = index * uvm.pageSize;
  if (offset >= endOfBlocks(vnode) && (flags & PGO_PASTEOF) === 0) return EINVAL;

  let page = pages.lookup(vnode, index);
  if (page !== NO_PAGE && (pages.flags[page]! & PG_BUSY) !== 0) {
    pages.flags[page]! |= PG_WANTED;
    uvm.exp.fltpgwait++;
    return uvm.wait(page);
  }
  const fresh = page === NO_PAGE;
  if (fresh) {
    const failed = vnode.readErrors.get(index);
    vnode.readErrors.delete(index);
    if (!overwrite && failed !== undefined) return failed;
    if (!overwrite && anyAllocated(vnode, offset, uvm.pageSize))
      return startRead(uvm, vnode, index);
    page = pages.alloc(vnode, index, NO_OWNER, 0);
    if (page === NO_PAGE) return uvm.waitForMemory('uvn_fp1');
    uvm.pmap.zeroPage(pages.pageAddress(page));
    pages.flags[page] = (pages.flags[page]! & ~PG_FAKE) | PG_RDONLY;
  }
  if (write && (pages.flags[page]! & PG_RDONLY) !== 0) {
    const error = vnode.ops.allocate(offset, uvm.pageSize);
    if (error !== 0) {
      if (fresh) pages.free(page);
      return error;
    }
    // Backing store exists now, but does not hold these zeroes yet.
    pages.flags[page]! &= ~(PG_RDONLY | PG_CLEAN);
  }
  pages.flags[page]! |= PG_BUSY;
  uvm.gotPage = page;
  return 0;
}

/** The end of the file's last block: the page of a file is there as far as its block is. */
function endOfBlocks(vnode: Vnode): number {
  const { blockSize } = vnode.ops;
  return Math.ceil(vnode.size / blockSize) * blockSize;
}

function anyAllocated(vnode: Vnode, offset: number, length: number): boolean {
  for (let at = offset; at < offset + length; at += vnode.ops.blockSize)
    if (vnode.ops.isAllocated(at)) return true;
  return false;
}

function allAllocated(vnode: Vnode, offset: number, length: number): boolean {
  for (let at = offset; at < Math.min(offset + length, vnode.size); at += vnode.ops.blockSize)
    if (!vnode.ops.isAllocated(at)) return false;
  return true;
}

/** Starts reading the block around a page and, at the end of a stretch of 64 KB, what follows; answers WAIT for the page. */
function startRead(uvm: Uvm, vnode: Vnode, index: number): Outcome {
  const perBlock = Math.max(1, uvm.atop(vnode.ops.blockSize));
  const first = Math.floor(index / perBlock) * perBlock;
  readRun(uvm, vnode, first, first + perBlock);
  const page = uvm.pages.lookup(vnode, index);
  if (page === NO_PAGE) return uvm.waitForMemory('uvn_fp1');
  uvm.pages.flags[page]! |= PG_WANTED;
  const stretch = READ_AHEAD / uvm.pageSize;
  if ((first + perBlock) % stretch === 0) {
    readRun(uvm, vnode, first + perBlock, first + perBlock + stretch);
    readRun(uvm, vnode, first + perBlock + stretch, first + perBlock + 2 * stretch);
  }
  return uvm.wait(page);
}

/** Reads the pages of [first, beyond) that are neither resident nor past the end nor wholly over holes, in runs. */
function readRun(uvm: Uvm, vnode: Vnode, first: number, beyond: number): void {
  const end = Math.min(beyond, Math.ceil(endOfBlocks(vnode) / uvm.pageSize));
  let run: number[] = [];
  let start = first;
  const flush = (): void => {
    if (run.length > 0) readPages(uvm, vnode, start, run);
    run = [];
  };
  for (let index = first; index < end; index++) {
    const wanted =
      uvm.pages.lookup(vnode, index) === NO_PAGE &&
      anyAllocated(vnode, index * uvm.pageSize, uvm.pageSize);
    const page = wanted ? uvm.pages.alloc(vnode, index, NO_OWNER, 0) : NO_PAGE;
    if (page === NO_PAGE) {
      flush();
      continue;
    }
    if (run.length === 0) start = index;
    run.push(page);
  }
  flush();
}

/** One read of consecutive pages, all BUSY and FAKE until it is done. */
function readPages(uvm: Uvm, vnode: Vnode, first: number, run: readonly number[]): void {
  const { pages, pmap } = uvm;
  uvm.exp.pageins++;
  vnode.ops.read(
    first * uvm.pageSize,
    run.map((page) => pages.pageAddress(page)),
    (error) => {
      run.forEach((page, i) => {
        if (error !== 0) {
          if ((pages.flags[page]! & PG_WANTED) !== 0) vnode.readErrors.set(first + i, error);
          uvm.wakeup(page);
          pages.free(page);
          return;
        }
        pmap.clearModify(pages.pageAddress(page));
        pmap.clearReference(pages.pageAddress(page));
        pages.flags[page]! &= ~PG_FAKE;
        if (!allAllocated(vnode, (first + i) * uvm.pageSize, uvm.pageSize))
          pages.flags[page]! |= PG_RDONLY;
        pages.activate(page);
        uvm.unbusy(page);
      });
    },
  );
}
