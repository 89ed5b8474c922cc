import {
  EACCES,
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  EIO,
  ENODEV,
  ENOMEM,
  EPERM,
  VM_PROT_EXECUTE,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { fileByte, Kit, PAGE, R, RW, RWX, RX, W, X } from '../test/kit.ts';
import {
  MADV_DONTNEED,
  MADV_FREE,
  MADV_NORMAL,
  MADV_RANDOM,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MAP_ANON,
  MAP_COPY,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MS_ASYNC,
  MS_INVALIDATE,
  MS_SYNC,
  sysMsync,
} from './mmap.ts';
import { MCL_CURRENT, MCL_FUTURE, sysMincore } from './mlock.ts';
import { mapBusy, mapUnbusy } from './map.ts';
import {
  MAP_INHERIT_COPY,
  MAP_INHERIT_SHARE,
  UVM_ET_COPYONWRITE,
  UVM_ET_NEEDSCOPY,
  UVM_ET_OBJ,
} from './types.ts';
import { PG_BUSY, PG_CLEAN, PQ_INACTIVE } from './page.ts';

function setup(options: ConstructorParameters<typeof Kit>[0] = {}) {
  const kit = new Kit(options);
  const proc = kit.proc();
  const file = kit.file(4);
  const { layout } = kit.md.port;
  return { kit, proc, file, fd: proc.fd(file), layout };
}

describe('mmap', () => {
  it.each<[string, Parameters<ReturnType<Kit['proc']>['mmap']>[0], number]>([
    [
      'both SHARED and PRIVATE',
      { length: PAGE, flags: MAP_ANON | MAP_SHARED | MAP_PRIVATE },
      EINVAL,
    ],
    ['a negative length', { length: -1 }, EINVAL],
    ['a length that is negative in 32 bits', { length: 2 ** 31 }, EINVAL],
    [
      'an unaligned fixed address',
      { addr: 0x2001, length: PAGE, flags: MAP_ANON | MAP_FIXED },
      EINVAL,
    ],
    [
      'a fixed address below user space',
      { addr: 0, length: PAGE, flags: MAP_ANON | MAP_FIXED },
      EINVAL,
    ],
    [
      'a fixed end above user space',
      { addr: 0x3ffff000, length: 2 * PAGE, flags: MAP_ANON | MAP_FIXED },
      EINVAL,
    ],
    ['a descriptor with ANON', { length: PAGE, flags: MAP_ANON, fd: 0 }, EINVAL],
    ['a bad descriptor', { length: PAGE, flags: MAP_PRIVATE, fd: 7 }, EBADF],
    ['a descriptor that cannot be mapped', { length: PAGE, flags: MAP_PRIVATE, fd: 1 }, ENODEV],
    ['a negative position', { length: PAGE, fd: 0, pos: -PAGE }, EINVAL],
    ['reading a file not open for it', { length: PAGE, fd: 2, prot: R }, EACCES],
    [
      'writing a shared file not open for it',
      { length: PAGE, fd: 3, flags: MAP_SHARED, prot: RW },
      EACCES,
    ],
    ['writing an immutable file', { length: PAGE, fd: 4, flags: MAP_SHARED, prot: RW }, EPERM],
    ['anonymous memory beyond RLIMIT_DATA', { length: 65 << 20 }, ENOMEM],
    ['private memory to write beyond RLIMIT_DATA', { length: 65 << 20, fd: 0 }, ENOMEM],
  ])('refuses %s', (_what, call, error) => {
    const { proc, file } = setup();
    proc.open.push(ENODEV);
    proc.fd(file, { readable: false });
    proc.fd(file, { writable: false });
    proc.fd(file, { immutable: true });
    expect(proc.mmap(call)).toEqual({ error, value: -1 });
    expect(proc.space.map.nentries).toBe(0);
    expect(file.vnode.refs).toBe(0);
  });

  it('answers ENOMEM, with the file let go, where there is no room', () => {
    const { proc, file, fd, layout } = setup();
    proc.limits.data = Number.POSITIVE_INFINITY;
    expect(proc.mmap({ length: layout.userMax - PAGE }).error).toBe(ENOMEM);
    expect(proc.mmap({ length: layout.userMax - PAGE, fd, prot: R }).error).toBe(ENOMEM);
    expect(file.vnode.refs).toBe(0);
  });

  it('gives rights by how the file is open and mapped', () => {
    const { proc, file, fd } = setup();
    const readOnly = proc.fd(file, { writable: false });
    const immutable = proc.fd(file, { immutable: true });
    const unreadable = proc.fd(file, { readable: false });
    const max = (fileDescriptor: number, flags: number, prot = R) =>
      proc.entry(proc.map({ length: PAGE, fd: fileDescriptor, flags, prot })).maxProtection;
    expect(max(fd, MAP_SHARED)).toBe(RWX);
    expect(max(readOnly, MAP_SHARED)).toBe(RX);
    expect(max(immutable, MAP_SHARED)).toBe(RX);
    expect(max(readOnly, MAP_PRIVATE)).toBe(RWX);
    expect(max(immutable, MAP_PRIVATE, RW)).toBe(RWX);
    expect(max(unreadable, MAP_SHARED, W)).toBe(W | X);
    expect(max(unreadable, MAP_PRIVATE, VM_PROT_EXECUTE)).toBe(W | X);
  });

  it('makes entries as each kind wants them', () => {
    const { kit, proc, fd } = setup();
    const entry = (flags: number, descriptor = -1) => {
      const found = proc.entry(proc.map({ length: PAGE, flags, fd: descriptor }));
      return [found.etype, found.inheritance, found.amap !== null];
    };
    const cow = UVM_ET_COPYONWRITE | UVM_ET_NEEDSCOPY;
    expect(entry(MAP_ANON)).toEqual([cow, MAP_INHERIT_COPY, false]);
    expect(entry(MAP_ANON | MAP_SHARED)).toEqual([0, MAP_INHERIT_SHARE, true]);
    expect(entry(0, fd)).toEqual([cow | UVM_ET_OBJ, MAP_INHERIT_COPY, false]);
    expect(entry(MAP_COPY, fd)).toEqual([cow | UVM_ET_OBJ, MAP_INHERIT_COPY, false]);
    expect(entry(MAP_SHARED, fd)).toEqual([UVM_ET_OBJ, MAP_INHERIT_SHARE, false]);
    kit.check();
  });

  it('maps whole pages around a position, and answers the address of its byte', () => {
    const { proc, fd } = setup();
    const { error, value } = proc.mmap({ length: PAGE, fd, pos: PAGE + 100 });
    expect([error, value % PAGE]).toEqual([0, 100]);
    expect(proc.load(value)).toBe(fileByte(PAGE + 100));
    expect(proc.load(value + PAGE - 1)).toBe(fileByte(2 * PAGE + 99));
    expect(proc.entry(value).end - proc.entry(value).start).toBe(2 * PAGE);
  });

  it('places what is not fixed above the largest heap, at the hint rounded up or higher', () => {
    const { proc, layout } = setup();
    const low = proc.space.dataAddress + layout.maxDataSize;
    const flags = MAP_ANON | MAP_SHARED;
    expect(proc.map({ length: PAGE, flags })).toBe(low);
    expect(proc.map({ addr: 0x5000, length: PAGE, flags })).toBe(low + PAGE);
    expect(proc.map({ addr: low + 10 * PAGE + 1, length: PAGE, flags })).toBe(low + 11 * PAGE);
    expect(proc.mmap({ addr: layout.userMax + PAGE, length: PAGE }).error).toBe(ENOMEM);
  });

  it('rounds a hint in the last page of all around to the lowest address', () => {
    const { proc, layout } = setup();
    const flags = MAP_ANON | MAP_SHARED;
    expect(proc.map({ addr: 2 ** 32 - 1, length: PAGE, flags })).toBe(layout.userMin);
  });

  it('asks for no cache colour for anonymous memory, and for the file’s own', () => {
    const { proc, fd } = setup({ alias: 4 * PAGE });
    const first = proc.map({ length: PAGE, flags: MAP_ANON | MAP_SHARED });
    expect(proc.map({ length: PAGE, flags: MAP_ANON | MAP_SHARED })).toBe(first + PAGE);
    expect(proc.map({ length: PAGE, fd, pos: 3 * PAGE }) % (4 * PAGE)).toBe(3 * PAGE);
  });

  it('of nothing succeeds and maps nothing', () => {
    const { proc, layout } = setup();
    const low = proc.space.dataAddress + layout.maxDataSize;
    expect(proc.mmap({ length: 0 })).toEqual({ error: 0, value: low });
    expect(proc.space.map.nentries).toBe(0);
  });

  it('replaces with FIXED what was there, wired or not', () => {
    const { kit, proc } = setup();
    const va = proc.map({ length: 4 * PAGE });
    proc.store(va + PAGE, 1);
    expect(proc.mlock(va, 4 * PAGE)).toBe(0);
    proc.map({ addr: va + PAGE, length: PAGE, flags: MAP_ANON | MAP_PRIVATE | MAP_FIXED });
    expect(proc.load(va + PAGE)).toBe(0);
    expect(kit.exp.wired).toBe(3);
    kit.check();
  });

  it('with EXECUTE counts the file as text', () => {
    const { kit, proc, fd } = setup();
    const va = proc.map({ length: PAGE, fd, prot: RX });
    proc.load(va);
    expect(kit.exp.execpages).toBeGreaterThan(0);
    kit.check();
  });

  it('waits for a map that is busy', () => {
    const { kit, proc } = setup();
    mapBusy(proc.space.map);
    kit.onStuck = () => {
      mapUnbusy(kit.uvm, proc.space.map);
      return true;
    };
    expect(proc.mmap({ length: PAGE }).error).toBe(0);
  });
});

describe('mmap after mlockall(MCL_FUTURE)', () => {
  it('wires what it maps, unless it may not be touched', () => {
    const { kit, proc } = setup();
    proc.mlockall(MCL_FUTURE);
    const va = proc.map({ length: 2 * PAGE });
    expect(proc.entry(va).wiredCount).toBe(1);
    proc.map({ length: 2 * PAGE, prot: 0 });
    expect(kit.exp.wired).toBe(2);
    kit.check();
  });

  it('unmaps again what it cannot wire: over the process’ or the system’s limit, or by a fault’s error', () => {
    const { kit, proc, fd } = setup();
    proc.mlockall(MCL_FUTURE);
    proc.limits.memlock = PAGE;
    expect(proc.mmap({ length: 2 * PAGE }).error).toBe(ENOMEM);
    proc.limits.memlock = 0;
    kit.exp.wiredmax = 1;
    expect(proc.mmap({ length: 2 * PAGE }).error).toBe(ENOMEM);
    kit.exp.wiredmax = 100;
    expect(proc.mmap({ length: 8 * PAGE, fd, prot: R }).error).toBe(EINVAL);
    expect(proc.space.map.nentries).toBe(0);
    expect(kit.exp.wired).toBe(0);
    kit.check();
  });

  it('and brk and mprotect wire what they make accessible', () => {
    const { kit, proc } = setup();
    const va = proc.map({ length: 2 * PAGE, prot: 0 });
    proc.mlockall(MCL_FUTURE);
    expect(proc.brk(proc.space.dataAddress + PAGE)).toBe(0);
    expect(kit.exp.wired).toBe(1);
    expect(proc.mprotect(va, 2 * PAGE, RW)).toBe(0);
    expect(kit.exp.wired).toBe(3);
    expect(proc.entry(va).wiredCount).toBe(1);
    kit.check();
    proc.limits.memlock = PAGE;
    expect(proc.brk(proc.space.dataAddress + 3 * PAGE)).toBe(ENOMEM);
    expect(proc.space.dataPages).toBe(1);
  });

  it('makes mprotect answer ENOMEM where it cannot', () => {
    const { proc, fd } = setup();
    const va = proc.map({ length: 8 * PAGE, prot: 0, fd });
    proc.mlockall(MCL_FUTURE);
    expect(proc.mprotect(va, 8 * PAGE, R)).toBe(ENOMEM);
    expect(proc.entry(va).wiredCount).toBe(0);
  });
});

describe('munmap', () => {
  it('refuses negative lengths, holes and what is not user space, and takes nothing for nothing', () => {
    const { proc, layout } = setup();
    const va = proc.map({ length: 4 * PAGE });
    expect(proc.munmap(va, -1)).toBe(EINVAL);
    expect(proc.munmap(va, 2 ** 31)).toBe(EINVAL);
    expect(proc.munmap(layout.userMax - PAGE, 2 * PAGE)).toBe(EINVAL);
    expect(proc.munmap(0, PAGE)).toBe(EINVAL);
    expect(proc.munmap(va + 3 * PAGE, 2 * PAGE)).toBe(EINVAL);
    expect(proc.munmap(layout.userMax + PAGE, 0)).toBe(0);
    expect(proc.layout(va)).toEqual([[0, 4]]);
  });

  it('takes the pages that the range touches', () => {
    const { kit, proc } = setup();
    const va = proc.map({ length: 6 * PAGE });
    expect(proc.munmap(va + 1, 0)).toBe(0);
    expect(proc.munmap(va + 3 * PAGE - 1, 2)).toBe(0);
    expect(proc.layout(va)).toEqual([
      [1, 2],
      [4, 6],
    ]);
    kit.check();
  });
});

describe('mprotect, minherit and madvise', () => {
  it('refuse negative and wrapping lengths and unknown values', () => {
    const { proc } = setup();
    const va = proc.map({ length: PAGE });
    expect(proc.mprotect(va, -1, R)).toBe(EINVAL);
    expect(proc.mprotect(2 ** 32 - PAGE, 2 * PAGE, R)).toBe(EINVAL);
    expect(proc.minherit(va, -1, 0)).toBe(EINVAL);
    expect(proc.minherit(va, PAGE, 3)).toBe(EINVAL);
    expect(proc.madvise(va, -1, 0)).toBe(EINVAL);
    expect(proc.madvise(va, 0, 0)).toBe(EINVAL);
    expect(proc.madvise(va, PAGE, 5)).toBe(EINVAL);
    expect(proc.madvise(va, PAGE, 99)).toBe(EINVAL);
  });

  it('mask the protection, and work over holes', () => {
    const { proc } = setup();
    const va = proc.map({ length: 3 * PAGE });
    proc.munmap(va + PAGE, PAGE);
    expect(proc.mprotect(va, 3 * PAGE, 0xf0 | R)).toBe(0);
    expect(proc.entry(va + 2 * PAGE).protection).toBe(R);
    expect(proc.minherit(va, 3 * PAGE, MAP_INHERIT_SHARE)).toBe(0);
    expect(proc.madvise(va, 3 * PAGE, MADV_RANDOM)).toBe(0);
    expect(proc.madvise(va, 3 * PAGE, MADV_SEQUENTIAL)).toBe(0);
    expect(proc.madvise(va, 3 * PAGE, MADV_NORMAL)).toBe(0);
    expect(proc.madvise(va, 3 * PAGE, MADV_WILLNEED)).toBe(0);
    expect(proc.madvise(va, 3 * PAGE, MADV_DONTNEED)).toBe(EFAULT);
    expect(proc.madvise(va + 1, 0, MADV_DONTNEED)).toBe(0);
  });

  it('DONTNEED deactivates and keeps the data, but spares wired pages', () => {
    const { kit, proc, fd } = setup();
    const va = proc.map({ length: 2 * PAGE });
    const text = proc.map({ length: PAGE, fd, prot: R });
    proc.store(va, 1);
    proc.store(va + PAGE, 2);
    proc.load(text);
    proc.mlock(va, PAGE);
    const pages = [va, va + PAGE, text].map((at) => proc.mapped(at));
    expect(proc.madvise(va, 2 * PAGE, MADV_DONTNEED)).toBe(0);
    expect(proc.madvise(text, PAGE, MADV_DONTNEED)).toBe(0);
    expect(pages.map((page) => kit.uvm.pages.pqflags[page]! & PQ_INACTIVE)).toEqual([
      0,
      PQ_INACTIVE,
      PQ_INACTIVE,
    ]);
    expect([proc.load(va), proc.load(va + PAGE)]).toEqual([1, 2]);
    kit.check();
  });

  it('FREE throws anonymous pages away, but spares wired ones and those of an amap with other users', () => {
    const { kit, proc } = setup();
    const va = proc.map({ length: 3 * PAGE });
    for (const page of [0, 1, 2]) proc.store(va + page * PAGE, page + 1);
    proc.mlock(va, PAGE);
    proc.munlock(va, PAGE); // Clipped now: the amap has two users.
    expect(proc.madvise(va + PAGE, PAGE, MADV_FREE)).toBe(0);
    expect(proc.load(va + PAGE)).toBe(2);
    const other = proc.map({ length: 3 * PAGE, flags: MAP_ANON | MAP_SHARED });
    for (const page of [0, 1, 2]) proc.store(other + page * PAGE, page + 1);
    proc.mlock(other, 3 * PAGE);
    expect(proc.madvise(other, PAGE, MADV_FREE)).toBe(0);
    expect(proc.load(other)).toBe(1);
    proc.munlock(other, 3 * PAGE);
    const before = kit.exp.anonpages;
    expect(proc.madvise(other + PAGE, PAGE, MADV_FREE)).toBe(0);
    expect(kit.exp.anonpages).toBe(before - 1);
    expect([0, 1, 2].map((page) => proc.load(other + page * PAGE))).toEqual([1, 0, 3]);
    kit.check();
  });

  it('FREE of a page that a child still has leaves no mapping behind', () => {
    const { kit, proc } = setup({ deferred: true });
    const va = proc.map({ length: 2 * PAGE });
    proc.store(va, 5);
    const child = proc.fork();
    proc.store(va + PAGE, 6); // The parent has an amap of its own now.
    expect(proc.load(va)).toBe(5);
    expect(proc.madvise(va, PAGE, MADV_FREE)).toBe(0);
    kit.check();
    expect([proc.load(va), child.load(va)]).toEqual([0, 5]);
    kit.check();
  });

  it('FREE of a file discards what was stored and not written', () => {
    const { kit, proc, fd } = setup();
    const va = proc.map({ length: PAGE, fd, flags: MAP_SHARED });
    proc.store(va, 99);
    expect(proc.madvise(va, PAGE, MADV_FREE)).toBe(0);
    expect(proc.load(va)).toBe(fileByte(0));
    kit.check();
  });
});

describe('msync', () => {
  it('refuses bad flags, holes and wrapped ranges', () => {
    const { proc } = setup();
    const va = proc.map({ length: 3 * PAGE });
    proc.munmap(va + PAGE, PAGE);
    expect(proc.msync(va, PAGE, 0)).toBe(EINVAL);
    expect(proc.msync(va, PAGE, 8)).toBe(EINVAL);
    expect(proc.msync(va, PAGE, MS_ASYNC | MS_SYNC)).toBe(EINVAL);
    expect(proc.msync(va, -1, MS_SYNC)).toBe(EINVAL);
    expect(proc.msync(va, 3 * PAGE, MS_SYNC)).toBe(EFAULT);
    expect(proc.msync(va + PAGE, PAGE, MS_SYNC)).toBe(EFAULT);
    expect(proc.msync(va + PAGE, 0, MS_SYNC)).toBe(EINVAL);
    proc.entry(va).etype |= 2;
    expect(proc.msync(va, PAGE, MS_SYNC)).toBe(EINVAL);
  });

  it('writes what was stored, and finds the next store again', () => {
    const { kit, proc, file, fd } = setup();
    const va = proc.map({ length: 4 * PAGE, fd, flags: MAP_SHARED });
    proc.store(va + PAGE, 1);
    proc.store(va + 2 * PAGE, 2);
    expect(proc.msync(va, 4 * PAGE, MS_SYNC)).toBe(0);
    expect([file.byte(PAGE), file.byte(2 * PAGE)]).toEqual([1, 2]);
    expect(kit.disk.writes).toBe(1);
    const page = proc.mapped(va + PAGE);
    expect(kit.uvm.pages.flags[page]! & PG_CLEAN).toBe(PG_CLEAN);
    expect(proc.msync(va, 4 * PAGE, MS_SYNC)).toBe(0);
    expect(kit.disk.writes).toBe(1);
    proc.store(va + PAGE, 3);
    expect(proc.msync(va + PAGE, 0, MS_INVALIDATE)).toBe(0);
    expect(file.byte(PAGE)).toBe(3);
    expect(proc.mapped(va + PAGE)).toBe(-1);
    kit.check();
  });

  it('does not wait if told so, and does not write private pages', () => {
    const { kit, proc, file, fd } = setup();
    const shared = proc.map({ length: PAGE, fd, flags: MAP_SHARED });
    const priv = proc.map({ length: PAGE, fd, pos: PAGE });
    proc.store(shared, 1);
    proc.store(priv, 2);
    expect(proc.msync(shared, PAGE, MS_ASYNC)).toBe(0);
    expect(proc.msync(priv, PAGE, MS_ASYNC)).toBe(0);
    expect(file.byte(0)).toBe(fileByte(0));
    kit.disk.deliverAll();
    expect([file.byte(0), file.byte(PAGE)]).toEqual([1, fileByte(PAGE)]);
    kit.check();
  });

  it('hands on the error of the last file, once', () => {
    const { kit, proc, file, fd } = setup();
    const va = proc.map({ length: PAGE, fd, flags: MAP_SHARED });
    proc.store(va, 1);
    file.writeError = EIO;
    expect(proc.msync(va, PAGE, MS_SYNC)).toBe(EIO);
    file.writeError = 0;
    expect(proc.msync(va, PAGE, MS_SYNC)).toBe(0);
    expect(file.byte(0)).toBe(1);
    kit.check();
  });

  it('waits for a map that someone has to himself', () => {
    const { kit, proc } = setup();
    const va = proc.map({ length: PAGE });
    proc.space.map.exclusive = true;
    kit.onStuck = (channel) => {
      proc.space.map.exclusive = false;
      kit.uvm.wakeup(channel);
      return true;
    };
    expect(proc.msync(va, PAGE, MS_SYNC)).toBe(0);
  });

  it('goes on by address when the map changes while it sleeps', () => {
    const { kit, proc, file, fd } = setup();
    const va = proc.map({ length: 2 * PAGE, fd, flags: MAP_SHARED });
    proc.minherit(va + PAGE, PAGE, MAP_INHERIT_COPY); // Two entries.
    proc.store(va, 1);
    const busy = proc.mapped(va);
    kit.uvm.pages.flags[busy]! |= PG_BUSY;
    const sync = kit.start(sysMsync(kit.uvm, proc, va, 2 * PAGE, MS_SYNC));
    expect(sync.done).toBe(false);
    proc.munmap(va + PAGE, PAGE);
    kit.uvm.unbusy(busy);
    kit.settle();
    expect(sync.value).toBe(EFAULT);
    expect(file.byte(0)).toBe(1);
  });
});

describe('brk', () => {
  it('grows one entry page by page, and shrinks it', () => {
    const { kit, proc } = setup();
    const base = proc.space.dataAddress;
    for (let pages = 1; pages <= 40; pages++) expect(proc.brk(base + pages * PAGE - 7)).toBe(0);
    expect(proc.layout(base)).toEqual([[0, 40]]);
    for (let page = 0; page < 40; page++) proc.store(base + page * PAGE, page);
    expect(proc.brk(base + 10 * PAGE)).toBe(0);
    expect(proc.try(base + 10 * PAGE, R)).toBe(EFAULT);
    expect(proc.brk(base + 12 * PAGE)).toBe(0);
    expect([proc.load(base + 9 * PAGE), proc.load(base + 10 * PAGE)]).toEqual([9, 0]);
    expect(proc.brk(base + 12 * PAGE)).toBe(0);
    expect(proc.space.dataPages).toBe(12);
    kit.check();
  });

  it('answers ENOMEM below the segment, beyond the limit and where something is in the way', () => {
    const { proc } = setup();
    const base = proc.space.dataAddress;
    proc.limits.data = 4 * PAGE;
    expect(proc.brk(base - PAGE)).toBe(ENOMEM);
    expect(proc.brk(base + 5 * PAGE)).toBe(ENOMEM);
    proc.map({ addr: base + 2 * PAGE, length: PAGE, flags: MAP_ANON | MAP_SHARED | MAP_FIXED });
    expect(proc.brk(base + 4 * PAGE)).toBe(ENOMEM);
    expect(proc.space.dataPages).toBe(0);
  });
});

describe('mincore', () => {
  it('tells which pages are in memory: of an anon, else of the object', () => {
    const { kit, proc, fd } = setup();
    const va = proc.map({ length: 3 * PAGE });
    const text = proc.map({ length: 3 * PAGE, fd });
    proc.store(va + PAGE, 1);
    proc.load(text);
    proc.store(text + 2 * PAGE, 1);
    const vec = new Uint8Array(6).fill(9);
    expect(sysMincore(kit.uvm, proc, va, 5 * PAGE + 1, vec)).toBe(0);
    expect([...vec]).toEqual([0, 1, 0, 1, 0, 1]);
  });

  it('refuses what is unaligned, empty or a hole', () => {
    const { kit, proc } = setup();
    const va = proc.map({ length: PAGE });
    const vec = new Uint8Array(4);
    expect(sysMincore(kit.uvm, proc, va + 1, PAGE, vec)).toBe(EINVAL);
    expect(sysMincore(kit.uvm, proc, va, 0, vec)).toBe(EINVAL);
    expect(sysMincore(kit.uvm, proc, va, 2 * PAGE, vec)).toBe(ENOMEM);
  });

  it('looks through an anon that is on swap only with its quirk', () => {
    for (const quirk of [false, true]) {
      const { kit, proc, fd } = setup({ quirks: { mincoreIgnoresSwap: quirk } });
      const va = proc.map({ length: PAGE, fd });
      proc.store(va, 1);
      const { anons } = kit.uvm;
      anons.page[proc.anon(va)] = -1;
      const vec = new Uint8Array(1);
      sysMincore(kit.uvm, proc, va, PAGE, vec);
      expect(vec[0]).toBe(quirk ? 1 : 0);
    }
  });
});

describe('mlock and its kin', () => {
  it('refuse what is beyond user space or a limit', () => {
    const { kit, proc, layout } = setup();
    const va = proc.map({ length: 4 * PAGE });
    expect(proc.mlock(va, -1)).toBe(EINVAL);
    expect(proc.mlock(layout.userMax, PAGE)).toBe(EINVAL);
    expect(proc.munlock(layout.userMax, PAGE)).toBe(EINVAL);
    expect(proc.munlock(va, -1)).toBe(EINVAL);
    proc.limits.memlock = 3 * PAGE;
    expect(proc.mlock(va, 4 * PAGE)).toBe(EAGAIN);
    expect(proc.mlock(va, 2 * PAGE)).toBe(0);
    expect(proc.mlock(va, 2 * PAGE)).toBe(EAGAIN); // What is wired counts again.
    proc.limits.memlock = 99 * PAGE;
    kit.exp.wiredmax = 3;
    expect(proc.mlock(va + 2 * PAGE, 2 * PAGE)).toBe(EAGAIN);
    expect(proc.mlockall(0)).toBe(EINVAL);
    expect(proc.mlockall(4)).toBe(EINVAL);
    expect(proc.mlockall(MCL_CURRENT)).toBe(ENOMEM);
    expect(proc.munlockall()).toBe(0);
    expect(kit.exp.wired).toBe(0);
    kit.check();
  });
});
