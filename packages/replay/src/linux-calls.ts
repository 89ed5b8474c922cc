import type { OpenFile, RecordedProcess } from './actions.ts';
import { visitKernelMemory } from './kernel-memory.ts';
import { hasBit, isFork } from './lackey-call.ts';
import type { Recording } from './recording.ts';
import { type SystemCall, TRACE_LIMITS, TRACE_PAGE } from './records.ts';
import type { Region, TraceObject } from './regions.ts';

/*
 * Linux's system calls as steps on address spaces. Values are those of 32-bit x86 Linux.
 */

const MAP_TYPE = 0xf;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
const MAP_GROWSDOWN = 0x100;
const MAP_LOCKED = 0x2000;
const MAP_POPULATE = 0x8000;

const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;
const O_CLOEXEC = 0o2000000;

const F_DUPFD = 0;
const F_SETFD = 2;
const F_DUPFD_CLOEXEC = 1030;

const CLONE_PARENT_SETTID = 0x100000;
const CLONE_CHILD_CLEARTID = 0x200000;
const CLONE_CHILD_SETTID = 0x1000000;

const MADV_DONTNEED = 4;
const MADV_FREE = 8;
const MS_INVALIDATE = 2;
const MCL_CURRENT = 1;
const MCL_FUTURE = 2;
const MCL_ONFAULT = 4;

/** A call that is being performed. */
interface Performing {
  readonly recording: Recording;
  readonly process: RecordedProcess;
  readonly call: SystemCall;
  /** ≥ 0. */
  readonly result: number;
}

type Performer = (performing: Performing) => void;

/**
 * Performs a finished call on the process: first what it does to memory and files, then what the kernel
 * touches in the process' name. One that failed does nothing, but its inputs were read.
 *
 * @throws TraceError if an argument makes no sense
 */
export function performCall(
  recording: Recording,
  process: RecordedProcess,
  call: SystemCall,
): void {
  const { result } = call;
  const touched = (): void => touch(recording, process, call);
  const transferred =
    result !== null && result > 0 && transfer({ recording, process, call, result });
  // execve reads its arguments in the old image, which is gone afterwards.
  if (!transferred) touched();
  if (result === null || result < 0) return;
  PERFORMERS.get(call.name)?.({ recording, process, call, result });
}

function touch(recording: Recording, process: RecordedProcess, call: SystemCall): void {
  const { actions } = recording;
  const known = visitKernelMemory(call, (address, length, write) => {
    if (address + length > TRACE_LIMITS.page * TRACE_PAGE || length > TRACE_LIMITS.fileBytes)
      throw recording.place.error(
        'a buffer inside the address space',
        `${length} bytes at 0x${address.toString(16)}`,
      );
    if (write) actions.kernelWrites(process, address, length);
    else actions.kernelReads(process, address, length);
  });
  if (!known)
    actions.differs(
      `${call.name}: its buffers are named in memory, which a recording does not show; not touched`,
    );
}

/** The numeric argument at `index`, a non-negative integer. */
function number({ recording, call }: Performing, index: number): number {
  const value = call.args[index]?.value;
  if (typeof value !== 'number')
    throw recording.place.error(
      `a number as argument ${index + 1} of ${call.name}`,
      value === undefined ? 'none' : JSON.stringify(value),
    );
  return value;
}

/** Pages of [address, address + length), both ends rounded outwards. */
function range(
  performing: Performing,
  address: number,
  length: number,
): { start: number; end: number } {
  const start = Math.floor(address / TRACE_PAGE);
  const end = Math.ceil((address + length) / TRACE_PAGE);
  const { recording, call } = performing;
  if (address < 0 || end > TRACE_LIMITS.page)
    throw recording.place.error(
      `${call.name} inside the address space`,
      `0x${address.toString(16)}`,
    );
  if (end - start > TRACE_LIMITS.regionPages)
    throw recording.place.error(
      `${call.name} of at most ${TRACE_LIMITS.regionPages} pages`,
      `${end - start} pages`,
    );
  return { start, end };
}

function argumentRange(performing: Performing): { start: number; end: number } {
  return range(performing, number(performing, 0), number(performing, 1));
}

function openFile({ process }: Performing, fd: number): OpenFile | undefined {
  return process.files.get(fd);
}

/** Replaces what is in a region's range by the region. */
function mapRegion({ recording, process }: Performing, region: Region): void {
  if (region.end === region.start) return;
  recording.actions.map(process, region);
  process.regions.replace(region.start, region.end, [region]);
}

function unmapRange({ recording, process }: Performing, start: number, end: number): void {
  if (start === end) return;
  recording.actions.unmap(process, start, end);
  process.regions.replace(start, end, []);
}

function mmap(performing: Performing): void {
  const { recording, result } = performing;
  const { actions } = recording;
  const length = number(performing, 1);
  const flags = number(performing, 3);
  const { start, end } = range(performing, result, length);
  if (result % TRACE_PAGE !== 0 || length === 0)
    throw recording.place.error(
      'an mmap of some bytes at the start of a page',
      `${length} bytes at 0x${result.toString(16)}`,
    );
  const shared = (flags & MAP_TYPE) !== MAP_PRIVATE;
  let object: TraceObject | null = null;
  let offset = 0;
  if ((flags & MAP_ANONYMOUS) !== 0) object = shared ? recording.sharedMemory() : null;
  else {
    const fd = number(performing, 4);
    object = openFile(performing, fd)?.file ?? null;
    if (object === null) {
      actions.differs(
        'mmap: of a descriptor that the recording does not show being opened; a file of its own stands in',
      );
      object = recording.file(`(descriptor ${fd} of process ${performing.process.pid})`);
    }
    if (object.name === '/dev/zero') object = shared ? recording.sharedMemory() : null;
    else offset = number(performing, 5) / TRACE_PAGE;
    if (!Number.isInteger(offset) || (offset + end - start) * TRACE_PAGE > TRACE_LIMITS.fileBytes)
      throw recording.place.error(
        `an offset in pages, and at most ${TRACE_LIMITS.fileBytes} bytes of a file`,
        `offset ${offset * TRACE_PAGE}`,
      );
  }
  mapRegion(performing, {
    start,
    end,
    prot: number(performing, 2) & 7,
    offset,
    object,
    shared,
    what: 'map',
    locked: performing.process.lockFuture,
  });
  if ((flags & MAP_GROWSDOWN) !== 0)
    actions.differs('mmap: MAP_GROWSDOWN is not known to NetBSD; the mapping does not grow');
  if ((flags & MAP_POPULATE) !== 0)
    actions.differs('mmap: MAP_POPULATE is not known to NetBSD; pages come as they are touched');
  if ((flags & MAP_LOCKED) !== 0) {
    actions.differs('mmap: MAP_LOCKED is not known to NetBSD; done by mlock');
    setLocked(performing, start, end, true);
  }
}

function setLocked(
  { recording, process }: Performing,
  start: number,
  end: number,
  locked: boolean,
): void {
  if (locked) recording.actions.lock(process, start, end);
  else recording.actions.unlock(process, start, end);
  process.regions.update((region) => ({ ...region, locked }), start, end);
}

function munmap(performing: Performing): void {
  const { start, end } = argumentRange(performing);
  unmapRange(performing, start, end);
}

function mprotect(performing: Performing): void {
  const { recording, process } = performing;
  const { start, end } = argumentRange(performing);
  if (start === end) return;
  const prot = number(performing, 2) & 7;
  recording.actions.protect(process, start, end, prot);
  process.regions.update((region) => ({ ...region, prot }), start, end);
}

/**
 * NetBSD has no mremap. One that stays in place is a mapping of what is new or an unmapping of what is
 * too much; one that moves maps the same at the new address, carries the contents of private pages over and
 * unmaps the old range. Linux moves page tables: the process reads the same bytes, without the copying.
 */
function mremap(performing: Performing): void {
  const { recording, process, result } = performing;
  const { actions } = recording;
  const old = range(performing, number(performing, 0), number(performing, 1));
  const next = range(performing, result, number(performing, 2));
  const parts = process.regions.within(old.start, old.end);
  const last = parts.at(-1);
  if (last === undefined || last.end !== old.end)
    throw recording.place.error(
      'an mremap of something mapped',
      `0x${(old.start * TRACE_PAGE).toString(16)}`,
    );
  const size = next.end - next.start;
  actions.differs('mremap: not known to NetBSD; done by mapping and unmapping');
  if (next.start !== old.start) {
    const kept = process.regions.within(old.start, Math.min(old.end, old.start + size));
    const delta = next.start - old.start;
    actions.move(process, kept, next.start);
    process.regions.replace(
      next.start,
      next.start + Math.min(size, old.end - old.start),
      kept.map((region) => ({ ...region, start: region.start + delta, end: region.end + delta })),
    );
    unmapRange(performing, old.start, old.end);
  } else if (next.end < old.end) unmapRange(performing, next.end, old.end);
  const grown = old.end - old.start;
  if (size > grown)
    mapRegion(performing, {
      ...last,
      start: next.start + grown,
      end: next.end,
      offset: last.object === null ? 0 : last.offset + last.end - last.start,
    });
}

/** brk answers the break there is now, whatever was asked for. */
function brk(performing: Performing): void {
  const { recording, process, result } = performing;
  const old = process.brk;
  if (old === result) return;
  if (old === null) {
    // Without a heap only the question where the break would be makes sense.
    if (number(performing, 0) === 0) return;
    throw recording.place.error('a brk region in the image of a process that uses brk', 'none');
  }
  // The recorder's heap has a page from the start, a real one begins empty: only what is above counts.
  const from = Math.ceil(old / TRACE_PAGE);
  const to = Math.ceil(result / TRACE_PAGE);
  range(performing, Math.min(old, result), Math.abs(result - old));
  recording.actions.setBreak(process, old, result);
  const heap: Region = {
    start: from,
    end: to,
    prot: 7,
    offset: 0,
    object: null,
    shared: false,
    what: 'heap',
    locked: process.lockFuture,
  };
  if (to > from) process.regions.replace(from, to, [heap]);
  else process.regions.replace(to, from, []);
  process.brk = result;
}

function madvise(performing: Performing): void {
  const { recording, process } = performing;
  const { actions } = recording;
  const { start, end } = argumentRange(performing);
  const advice = number(performing, 2);
  if (advice <= 3) actions.advise(process, start, end, advice);
  else if (advice === MADV_DONTNEED) {
    actions.differs(
      "madvise: Linux's MADV_DONTNEED gives private pages up, NetBSD's keeps them; done by mapping the range anew",
    );
    actions.discard(
      process,
      process.regions.within(start, end).filter((region) => !region.shared),
    );
  } else if (advice === MADV_FREE)
    actions.differs("madvise: Linux's MADV_FREE may give pages up later; they are kept");
  else actions.differs(`madvise: advice ${advice} is not known to NetBSD; nothing is done`);
}

function mlock(performing: Performing): void {
  const { start, end } = argumentRange(performing);
  setLocked(performing, start, end, true);
}

function munlock(performing: Performing): void {
  const { start, end } = argumentRange(performing);
  setLocked(performing, start, end, false);
}

function mlockall(performing: Performing): void {
  const { recording, process } = performing;
  const flags = number(performing, 0);
  if ((flags & MCL_ONFAULT) !== 0)
    recording.actions.differs(
      'mlockall: MCL_ONFAULT is not known to NetBSD; everything is wired at once',
    );
  recording.actions.lockAll(process, flags & (MCL_CURRENT | MCL_FUTURE));
  process.lockFuture = (flags & MCL_FUTURE) !== 0;
  if ((flags & MCL_CURRENT) !== 0)
    process.regions.update((region) => ({ ...region, locked: true }));
}

function munlockall({ recording, process }: Performing): void {
  recording.actions.unlockAll(process);
  process.lockFuture = false;
  process.regions.update((region) => ({ ...region, locked: false }));
}

function msync(performing: Performing): void {
  const { recording, process } = performing;
  const { start, end } = argumentRange(performing);
  let flags = number(performing, 2) & 7;
  const isPrivate =
    (flags & MS_INVALIDATE) !== 0 &&
    process.regions.within(start, end).some((region) => !region.shared);
  if (isPrivate) {
    recording.actions.differs(
      "msync: NetBSD's MS_INVALIDATE gives private pages up, Linux's keeps them; left out for private mappings",
    );
    flags &= ~MS_INVALIDATE;
  }
  recording.actions.sync(process, start, end, flags);
}

/** Of clone: the words in memory that get the child's number, and the one that its end will clear. */
interface ThreadWords {
  readonly parent: number;
  readonly child: number;
  readonly clear: number;
}

function threadWords(performing: Performing): ThreadWords {
  if (performing.call.name !== 'clone') return { parent: 0, child: 0, clear: 0 };
  const flags = number(performing, 0);
  const word = (bit: number, index: number): number =>
    hasBit(flags, bit) ? number(performing, index) : 0;
  return {
    parent: word(CLONE_PARENT_SETTID, 2),
    child: word(CLONE_CHILD_SETTID, 4),
    clear: word(CLONE_CHILD_CLEARTID, 4),
  };
}

function clone(performing: Performing): void {
  const { recording, process, call, result } = performing;
  const { actions } = recording;
  const words = threadWords(performing);
  if (!isFork(call)) {
    process.threads++;
    if (words.parent > 0) actions.kernelWrites(process, words.parent, 4);
    if (words.child > 0) actions.kernelWrites(process, words.child, 4);
    if (words.clear > 0 && process.clearOnExit.size < TRACE_LIMITS.alive)
      process.clearOnExit.set(result, words.clear);
    return;
  }
  // The child of a call that answered 0 is the process itself: its parent's line has made it.
  if (result === 0) return;
  if (hasBit(call.name === 'clone' ? number(performing, 0) : 0, 0x4000))
    actions.differs('clone: a vfork; the recorder ran it as a fork, and so does the replay');
  const child = recording.fork(process, result);
  if (words.parent > 0) actions.kernelWrites(process, words.parent, 4);
  if (words.child > 0) actions.kernelWrites(child, words.child, 4);
}

/** Of a thread; the last one takes the process with it. */
function exit(performing: Performing): void {
  const { recording, process } = performing;
  if (--process.threads > 0) {
    // Which thread it was is not in the recording for sure, but there is one word for each.
    const oldest = process.clearOnExit.entries().next();
    if (oldest.done === true) return;
    process.clearOnExit.delete(oldest.value[0]);
    recording.actions.kernelWrites(process, oldest.value[1], 4);
  } else exitGroup(performing);
}

function exitGroup(performing: Performing): void {
  performing.recording.exit(performing.process, number(performing, 0) & 0xff);
}

function wait(performing: Performing): void {
  const { recording, process, result } = performing;
  const child = recording.find(result);
  if (result === 0 || child === undefined) return;
  if (child === process)
    throw recording.place.error('a wait for another process', `process ${result} itself`);
  // One that a signal killed has made no call to say so.
  if (child.alive) recording.exit(child, 0);
  recording.actions.reap(process, child);
}

function open(performing: Performing, pathAt: number, flags: number): void {
  const { recording, process, call, result } = performing;
  const path = call.args[pathAt]?.text ?? null;
  if (path === null || process.files.size === 65_536) return;
  const file = recording.file(path);
  recording.closeFile(process, result);
  process.files.set(result, {
    file,
    offset: 0,
    append: hasBit(flags, O_APPEND),
    closeOnExec: hasBit(flags, O_CLOEXEC),
  });
  if (hasBit(flags, O_TRUNC)) recording.actions.truncate(process, file, 0);
}

function close(performing: Performing): void {
  performing.recording.closeFile(performing.process, number(performing, 0));
}

function duplicate(performing: Performing, closeOnExec = false): void {
  const { recording, process, result } = performing;
  const from = openFile(performing, number(performing, 0));
  if (number(performing, 0) === result) return;
  recording.closeFile(process, result);
  if (from === undefined) return;
  // The copy shares the offset, and has a close-on-exec flag of its own.
  process.files.set(
    result,
    from.closeOnExec === closeOnExec ? from : shareOffset(from, closeOnExec),
  );
}

function shareOffset(from: OpenFile, closeOnExec: boolean): OpenFile {
  return {
    file: from.file,
    append: from.append,
    closeOnExec,
    get offset(): number {
      return from.offset;
    },
    set offset(value: number) {
      from.offset = value;
    },
  };
}

function fcntl(performing: Performing): void {
  const { process } = performing;
  const fd = number(performing, 0);
  const command = number(performing, 1);
  const from = openFile(performing, fd);
  if (command === F_DUPFD || command === F_DUPFD_CLOEXEC)
    duplicate(performing, command === F_DUPFD_CLOEXEC);
  else if (command === F_SETFD && from !== undefined)
    process.files.set(fd, shareOffset(from, number(performing, 2) === 1));
}

/** llseek(fd, high, low, &result, whence): where the file's end is, only its writer knows. */
function llseek(performing: Performing): void {
  const file = openFile(performing, number(performing, 0));
  if (file === undefined) return;
  const offset = (number(performing, 1) | 0) * 2 ** 32 + (number(performing, 2) >>> 0);
  seek(file, offset, number(performing, 4));
}

function lseek(performing: Performing): void {
  const file = openFile(performing, number(performing, 0));
  if (file !== undefined) file.offset = performing.result;
}

function seek(file: OpenFile, offset: number, whence: number): void {
  if (whence === 0) file.offset = offset;
  else if (whence === 1) file.offset += offset;
  else file.offset = NaN;
}

/** read, write, pread64 and pwrite64 of a regular file. @returns false if it is none, or the place is not known */
function transfer(performing: Performing): boolean {
  const { recording, process, call, result } = performing;
  const { name } = call;
  const at = name === 'pread64' || name === 'pwrite64';
  if (!at && name !== 'read' && name !== 'write') return false;
  const file = openFile(performing, number(performing, 0));
  if (file === undefined) return false;
  const offset = at ? number(performing, 3) : file.offset;
  const write = name === 'write' || name === 'pwrite64';
  if (!at) file.offset += result;
  if (write && file.append) {
    recording.actions.differs(
      'write: to a file opened with O_APPEND, whose end is not known; its memory is read, the file is left',
    );
    return false;
  }
  if (Number.isNaN(offset)) return false;
  if (offset + result > TRACE_LIMITS.fileBytes)
    throw recording.place.error(
      `a transfer within the first ${TRACE_LIMITS.fileBytes} bytes of a file`,
      `${result} bytes at ${offset}`,
    );
  const address = number(performing, 1);
  range(performing, address, result);
  if (write) recording.actions.writeFile(process, file.file, offset, address, result);
  else recording.actions.readFile(process, file.file, offset, address, result);
  return true;
}

function ftruncate(performing: Performing): void {
  const file = openFile(performing, number(performing, 0));
  const size = number(performing, 1);
  if (size > TRACE_LIMITS.fileBytes)
    throw performing.recording.place.error(
      `a file of at most ${TRACE_LIMITS.fileBytes} bytes`,
      `${size}`,
    );
  if (file !== undefined)
    performing.recording.actions.truncate(performing.process, file.file, size);
}

function unlink(performing: Performing, pathAt: number): void {
  const path = performing.call.args[pathAt]?.text ?? null;
  if (path !== null) performing.recording.unlink(path);
}

const PERFORMERS: ReadonlyMap<string, Performer> = new Map(
  Object.entries<Performer>({
    mmap,
    munmap,
    mprotect,
    mremap,
    brk,
    madvise,
    mlock,
    mlock2: mlock,
    munlock,
    mlockall,
    munlockall,
    msync,
    fork: clone,
    vfork: clone,
    clone,
    execve: ({ recording, process }) => recording.startExec(process),
    exit,
    exit_group: exitGroup,
    wait4: wait,
    waitpid: wait,
    open: (performing) => open(performing, 0, number(performing, 1)),
    openat: (performing) => open(performing, 1, number(performing, 2)),
    creat: (performing) => open(performing, 0, O_CREAT | O_TRUNC),
    close,
    dup: duplicate,
    dup2: (performing) => duplicate(performing),
    dup3: (performing) => duplicate(performing, hasBit(number(performing, 2), O_CLOEXEC)),
    fcntl: fcntl,
    fcntl64: fcntl,
    llseek,
    lseek,
    ftruncate,
    ftruncate64: ftruncate,
    unlink: (performing) => unlink(performing, 0),
    unlinkat: (performing) => unlink(performing, 1),
  }),
);
