import {
  EACCES,
  EEXIST,
  EINVAL,
  EMFILE,
  ENOENT,
  ENOSPC,
  type Errno,
  type Va,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import {
  Aobj,
  MAP_INHERIT_SHARE,
  mapLock,
  type Sleeping,
  type Uvm,
  UVM_ADV_RANDOM,
  UVM_FLAG_FIXED,
  uvmMap,
  uvmUnmap,
  type Vmspace,
} from '@uvmkit/uvm-core';
import type { Context } from './context.ts';
import { failed, type SyscallResult, succeeded } from './result.ts';

/** The key of a segment that no other shmget finds. */
export const IPC_PRIVATE = 0;
/** shmget(2) flags, beside permission bits (sys/ipc.h). */
export const IPC_CREAT = 0o1000;
export const IPC_EXCL = 0o2000;
/** shmctl(2) commands. */
export const IPC_RMID = 0;
export const IPC_SET = 1;
export const IPC_STAT = 2;
/** shmat(2) flags: attach without the right to write; round the address down. */
export const SHM_RDONLY = 0o10000;
export const SHM_RND = 0o20000;

/** Limits (`shminfo`): pages of a segment, segments, and segments that a process may attach. */
const SHMMAXPGS = 2048;
const SHMMNI = 128;
const SHMSEG = 128;

/** One segment (`struct shmid_ds`). */
interface Segment {
  readonly id: number;
  key: number;
  readonly size: number;
  mode: number;
  readonly object: Aobj;
  /** How often it is attached. */
  attached: number;
  /** Marked to go with the last attachment (SHMSEG_REMOVED). */
  removed: boolean;
  readonly creator: number;
  last: number;
}

/** What IPC_STAT tells of a segment. */
export interface SegmentStatus {
  readonly key: number;
  /** Bytes. */
  readonly size: number;
  readonly mode: number;
  /** How often it is attached. */
  readonly attached: number;
  /** Pids of who made it, and of who attached or detached it last. */
  readonly creator: number;
  readonly last: number;
}

/**
 * System V shared memory (sysv_shm.c): anonymous objects that processes find by keys and map shared. A segment
 * lives until it is removed and nobody has it attached.
 */
export class SharedMemory {
  readonly #uvm: Uvm;
  readonly #segments: (Segment | null)[] = [];
  /** What each space has attached, by address (`vm_shm`). */
  readonly #attached: Map<Vmspace, Map<Va, Segment>> = new Map();
  #sequence = 0;

  constructor(uvm: Uvm) {
    this.#uvm = uvm;
  }

  /** Segments there are. */
  get count(): number {
    return this.#segments.filter((segment) => segment !== null).length;
  }

  /** shmget(2). The value is the segment's id. */
  get({ process }: Context, key: number, size: number, flags: number): SyscallResult {
    const known =
      key === IPC_PRIVATE
        ? undefined
        : this.#segments.find((each) => each !== null && each.key === key && !each.removed);
    if (known !== undefined && known !== null) {
      if ((flags & IPC_CREAT) !== 0 && (flags & IPC_EXCL) !== 0) return failed(EEXIST);
      if (!allowed(process.superuser, known.mode, flags & 0o600)) return failed(EACCES);
      return size > known.size ? failed(EINVAL) : succeeded(known.id);
    }
    if (key !== IPC_PRIVATE && (flags & IPC_CREAT) === 0) return failed(ENOENT);
    const pages = Math.ceil(size / this.#uvm.pageSize);
    if (size < 1 || pages > SHMMAXPGS) return failed(EINVAL);
    let index = this.#segments.indexOf(null);
    if (index < 0) index = this.#segments.length;
    if (index >= SHMMNI) return failed(ENOSPC);
    const segment: Segment = {
      id: (this.#sequence++ % 0x8000) * 0x10000 + index,
      key,
      size,
      mode: flags & 0o777,
      object: new Aobj(this.#uvm, pages),
      attached: 0,
      removed: false,
      creator: process.pid,
      last: 0,
    };
    this.#segments[index] = segment;
    return succeeded(segment.id);
  }

  /** shmat(2). The value is the address; UVM chooses it if `addr` is 0. */
  *attach(context: Context, id: number, addr: Va, flags: number): Sleeping<SyscallResult> {
    const { process } = context;
    const uvm = this.#uvm;
    const { space } = process;
    const segment = this.#find(id);
    if (segment === null || segment.removed) return failed(EINVAL);
    const readOnly = (flags & SHM_RDONLY) !== 0;
    if (!allowed(process.superuser, segment.mode, readOnly ? 0o400 : 0o600)) return failed(EACCES);
    if ((this.#attached.get(space)?.size ?? 0) >= SHMSEG) return failed(EMFILE);
    const { layout, capabilities } = uvm.md.port;
    const unit = Math.max(uvm.pageSize, capabilities.cacheAlias);
    if (addr !== 0 && (flags & SHM_RND) !== 0) addr = Math.floor(addr / unit) * unit;
    const size = uvm.round(segment.size);
    if (
      addr % unit !== 0 ||
      (addr !== 0 && (addr < layout.userMin || addr + size > layout.userMax))
    )
      return failed(EINVAL);
    const hint = addr !== 0 ? addr : uvm.round(space.dataAddress + layout.maxDataSize);
    const prot = readOnly ? VM_PROT_READ : VM_PROT_READ | VM_PROT_WRITE;
    yield* mapLock(space.map);
    segment.object.pgops.reference(uvm, segment.object);
    const mapped = uvmMap(uvm, space.map, hint, size, segment.object, 0, addr === 0 ? unit : 0, {
      prot,
      maxProt: prot,
      inherit: MAP_INHERIT_SHARE,
      advice: UVM_ADV_RANDOM,
      flags: addr === 0 ? 0 : UVM_FLAG_FIXED,
    });
    if (mapped.error !== 0) {
      segment.object.pgops.detach(uvm, segment.object);
      return failed(mapped.error);
    }
    segment.attached++;
    segment.last = process.pid;
    let attachments = this.#attached.get(space);
    if (attachments === undefined) this.#attached.set(space, (attachments = new Map()));
    attachments.set(mapped.start, segment);
    return succeeded(mapped.start);
  }

  /** shmdt(2). EINVAL if nothing is attached at the address. */
  *detach({ process }: Context, addr: Va): Sleeping<Errno> {
    const { space } = process;
    const segment = this.#attached.get(space)?.get(addr);
    if (segment === undefined) return EINVAL;
    yield* mapLock(space.map);
    uvmUnmap(this.#uvm, space.map, addr, addr + this.#uvm.round(segment.size));
    this.#attached.get(space)?.delete(addr);
    segment.last = process.pid;
    this.#unref(segment);
    return 0;
  }

  /**
   * shmctl(2): removes a segment, tells of it, or changes who may use it.
   *
   * @param mode the new permission bits, for IPC_SET
   */
  control(
    { process }: Context,
    id: number,
    command: number,
    mode: number,
  ): SyscallResult & { readonly status: SegmentStatus | null } {
    const segment = this.#find(id);
    if (segment === null) return { ...failed(EINVAL), status: null };
    switch (command) {
      case IPC_STAT: {
        if (!allowed(process.superuser, segment.mode, 0o400))
          return { ...failed(EACCES), status: null };
        const { key, size, attached, creator, last } = segment;
        const status = { key, size, mode: segment.mode, attached, creator, last };
        return { ...succeeded(0), status };
      }
      case IPC_SET:
        segment.mode = mode & 0o777;
        break;
      case IPC_RMID:
        segment.key = IPC_PRIVATE;
        segment.removed = true;
        if (segment.attached === 0) this.#free(segment);
        break;
      default:
        return { ...failed(EINVAL), status: null };
    }
    return { ...succeeded(0), status: null };
  }

  /** A child has attached what its parent has (shmfork). */
  fork(parent: Vmspace, child: Vmspace): void {
    const attachments = this.#attached.get(parent);
    if (attachments === undefined || parent === child) return;
    this.#attached.set(child, new Map(attachments));
    for (const segment of attachments.values()) segment.attached++;
  }

  /** A space is about to be emptied (shmexit): nothing is attached any more; its mappings go with the rest. */
  exit(space: Vmspace): void {
    const attachments = this.#attached.get(space);
    if (attachments === undefined) return;
    this.#attached.delete(space);
    for (const segment of attachments.values()) this.#unref(segment);
  }

  #unref(segment: Segment): void {
    if (--segment.attached === 0 && segment.removed) this.#free(segment);
  }

  #free(segment: Segment): void {
    this.#segments[segment.id % 0x10000] = null;
    segment.object.pgops.detach(this.#uvm, segment.object);
  }

  #find(id: number): Segment | null {
    const segment = this.#segments[id % 0x10000] ?? null;
    return segment !== null && segment.id === id ? segment : null;
  }
}

/** Whether the owner may use a segment so. Every process of the machine has the same user. */
function allowed(superuser: boolean, mode: number, wanted: number): boolean {
  return superuser || (mode & wanted) === wanted;
}
