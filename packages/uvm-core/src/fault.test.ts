import {
  EACCES,
  EAGAIN,
  EFAULT,
  EINVAL,
  EIO,
  ENOSPC,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  type Va,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { fileByte, Kit, type KitOptions, PAGE, type Proc, R, RW, W } from '../test/kit.ts';
import { uvmFault, uvmRefault } from './fault.ts';
import { VmMap } from './map.ts';
import { MADV_RANDOM, MADV_SEQUENTIAL, MAP_ANON, MAP_PRIVATE, MAP_SHARED } from './mmap.ts';
import {
  NO_PAGE,
  PG_BUSY,
  PG_CLEAN,
  PG_RDONLY,
  PG_WANTED,
  PQ_ACTIVE,
  PQ_INACTIVE,
} from './page.ts';
import {
  AMAP_SHARED,
  CHANNEL_LBOLT,
  MAP_INHERIT_SHARE,
  UVM_ADV_NORMAL,
  UVM_ET_NEEDSCOPY,
  VM_MAP_BUSY,
  VM_MAP_INTRSAFE,
  WAIT,
} from './types.ts';

function setup(options: KitOptions = {}, pages = 24) {
  const kit = new Kit(options);
  const proc = kit.proc();
  const file = kit.file(pages);
  return { kit, uvm: kit.uvm, exp: kit.exp, proc, file, fd: proc.fd(file) };
}

const rights = (kit: Kit, proc: Proc, va: Va) =>
  [...kit.ideal.mappings(proc.space.pmap)].find((mapping) => mapping.va === va)?.prot ?? 0;

describe('a fault is refused', () => {
  it('with EFAULT where nothing is mapped, or where the entry has nothing behind it', () => {
    const { uvm, proc } = setup();
    const va = proc.map({ length: PAGE });
    expect(proc.try(va + PAGE, R)).toBe(EFAULT);
    proc.entry(va).etype = 0;
    expect(uvmFault(uvm, proc.space.map, va, VM_FAULT_INVALID, R)).toBe(EFAULT);
  });

  it('with EACCES beyond the protection, whichever of INVALID and PROTECT it is', () => {
    const { uvm, exp, proc } = setup();
    const va = proc.map({ length: PAGE, prot: R });
    for (const type of [VM_FAULT_INVALID, VM_FAULT_PROTECT])
      expect(uvmFault(uvm, proc.space.map, va, type, W)).toBe(EACCES);
    expect(exp.faults).toBe(2);
  });

  it('by a panic in a map that takes none', () => {
    const { uvm, proc } = setup();
    const va = proc.map({ length: PAGE });
    proc.space.map.flags = VM_MAP_INTRSAFE;
    expect(() => uvmFault(uvm, proc.space.map, va, VM_FAULT_INVALID, R)).toThrow(
      'fault on non-pageable map',
    );
  });

  it('with EINVAL past the end of the file, and by what the file’s medium answers', () => {
    const { kit, proc, file, fd } = setup({}, 2);
    const va = proc.map({ length: 4 * PAGE, fd });
    expect(proc.try(va + 2 * PAGE, R)).toBe(EINVAL);
    file.readError = EIO;
    expect(proc.try(va, R)).toBe(EIO);
    file.readError = 0;
    expect(proc.load(va)).toBe(fileByte(0));
    kit.check();
  });
});

describe('zero fill (case 2B without an object)', () => {
  it('gives a zeroed page of the process’ own, writable at once', () => {
    const { kit, exp, proc } = setup();
    const va = proc.map({ length: 4 * PAGE });
    expect(proc.load(va + 3)).toBe(0);
    expect([exp.flt_przero, exp.fltamcopy, exp.faults]).toEqual([1, 1, 1]);
    expect(rights(kit, proc, va)).toBe(RW);
    proc.store(va, 1);
    expect(exp.faults).toBe(1);
    const page = proc.mapped(va);
    expect(kit.uvm.pages.flags[page]).toBe(0);
    expect(kit.uvm.pages.pqflags[page]! & PQ_ACTIVE).toBe(PQ_ACTIVE);
    kit.check();
  });

  it('takes pages that were zeroed ahead', () => {
    const { kit, exp, proc } = setup();
    kit.uvm.pages.idleZero(3, 10);
    expect(exp.zeropages).toBe(3);
    const va = proc.map({ length: 4 * PAGE });
    for (const page of [0, 1, 2, 3]) proc.load(va + page * PAGE);
    expect([exp.pga_zerohit, exp.pga_zeromiss, exp.zeropages]).toEqual([3, 1, 0]);
    kit.check();
  });

  it('serves shared anonymous memory too, which is never copied', () => {
    const { kit, exp, proc } = setup();
    const va = proc.map({ length: PAGE, flags: MAP_ANON | MAP_SHARED });
    const child = proc.fork();
    child.store(va, 7);
    expect(proc.load(va)).toBe(7);
    proc.store(va, 8);
    expect(child.load(va)).toBe(8);
    expect([exp.flt_przero, exp.flt_acow]).toEqual([1, 0]);
    kit.check();
  });

  it('works at negative addresses, each in its own page', () => {
    const { kit, uvm } = setup();
    const map = new VmMap(uvm, uvm.pmap.create(), -16 * PAGE, 0, 1);
    uvm.maps.add(map);
    const proc = kit.proc();
    const source = proc.map({ length: 4 * PAGE });
    const entry = proc.entry(source).clone();
    entry.start = -4 * PAGE;
    entry.end = 0;
    map.header.next = map.header.prev = entry;
    entry.next = entry.prev = map.header;
    map.index.insert(entry);
    expect(uvmFault(uvm, map, -PAGE + 5, VM_FAULT_INVALID, W)).toBe(0);
    expect(uvm.pmap.extract(map.pmap, -PAGE)).not.toBe(-1);
  });
});

describe('an object’s page', () => {
  it('is mapped itself for reading a private mapping, without WRITE (2A)', () => {
    const { kit, exp, proc, file, fd } = setup();
    const va = proc.map({ length: PAGE, fd });
    expect(proc.load(va + 9)).toBe(fileByte(9));
    expect([exp.flt_obj, exp.flt_prcopy]).toEqual([1, 0]);
    expect(rights(kit, proc, va)).toBe(R);
    expect(proc.mapped(va)).toBe(kit.uvm.pages.lookup(file.vnode, 0));
    expect(proc.entry(va).etype & UVM_ET_NEEDSCOPY).not.toBe(0);
    kit.check();
  });

  it('is mapped with all rights in a shared mapping (2A)', () => {
    const { kit, exp, proc, file, fd } = setup();
    const va = proc.map({ length: PAGE, fd, flags: MAP_SHARED });
    proc.load(va);
    expect(rights(kit, proc, va)).toBe(RW);
    proc.store(va, 77);
    expect(exp.faults).toBe(1);
    expect(proc.mapped(va)).toBe(kit.uvm.pages.lookup(file.vnode, 0));
    kit.check();
  });

  it('is copied for a store to a private mapping (2B), and the file keeps its own', () => {
    const { kit, exp, proc, fd } = setup();
    const va = proc.map({ length: PAGE, fd });
    const shared = proc.map({ length: PAGE, fd, flags: MAP_SHARED });
    proc.store(va, 77);
    expect([proc.load(va), proc.load(va + 1)]).toEqual([77, fileByte(1)]);
    expect(proc.load(shared)).toBe(fileByte(0));
    expect([exp.flt_prcopy, exp.fltamcopy]).toEqual([1, 1]);
    proc.store(shared + 1, 5);
    expect(proc.load(va + 1)).toBe(fileByte(1));
    kit.check();
  });

  it('is taken from everyone when a shared amap promotes it', () => {
    const { kit, proc, fd } = setup();
    const va = proc.map({ length: PAGE, fd });
    proc.minherit(va, PAGE, MAP_INHERIT_SHARE);
    const child = proc.fork();
    expect(proc.entry(va).amap!.flags & AMAP_SHARED).toBe(AMAP_SHARED);
    const bystander = kit.proc();
    const other = bystander.map({ length: PAGE, fd: bystander.fd(kit.files[0]!) });
    for (const [who, at] of [
      [proc, va],
      [child, va],
      [bystander, other],
    ] as const)
      expect(who.load(at)).toBe(fileByte(0));
    proc.store(va, 9);
    expect([child.mapped(va), bystander.mapped(other)]).toEqual([-1, -1]);
    expect([child.load(va), bystander.load(other)]).toEqual([9, fileByte(0)]);
    kit.check();
  });

  it('over a hole is mapped read-only, and gets its blocks with the first store', () => {
    const kit = new Kit();
    const proc = kit.proc();
    const file = kit.file({ size: 2 * PAGE, holes: [0, PAGE] });
    const va = proc.map({ length: 2 * PAGE, fd: proc.fd(file), flags: MAP_SHARED });
    expect(proc.load(va)).toBe(0);
    expect(kit.uvm.pages.flags[proc.mapped(va)]! & PG_RDONLY).toBe(PG_RDONLY);
    expect(rights(kit, proc, va)).toBe(R);
    expect(file.isAllocated(0)).toBe(false);
    proc.store(va, 1);
    expect(file.isAllocated(0)).toBe(true);
    expect(kit.uvm.pages.flags[proc.mapped(va)]! & (PG_RDONLY | PG_CLEAN)).toBe(0);
    file.space = 0;
    const used = kit.exp.free;
    expect(proc.try(va + PAGE, W)).toBe(ENOSPC);
    expect(kit.exp.free).toBe(used);
    expect(proc.load(va + PAGE)).toBe(0);
    expect(proc.try(va + PAGE, W)).toBe(ENOSPC);
    kit.check();
  });

  it('is waited for while it is read, and while someone else holds it', () => {
    const { kit, uvm, exp, proc, file, fd } = setup();
    const va = proc.map({ length: PAGE, fd });
    const first = kit.start(proc.access(va, R));
    const second = kit.start(proc.access(va, W));
    const page = uvm.pages.lookup(file.vnode, 0);
    expect([first.asleep, second.asleep]).toEqual([page, page]);
    expect(uvm.pages.flags[page]! & (PG_BUSY | PG_WANTED)).toBe(PG_BUSY | PG_WANTED);
    expect(exp.fltpgwait).toBe(1);
    kit.check();
    kit.disk.deliverAll();
    kit.settle();
    expect([first.value!.error, second.value!.error]).toEqual([0, 0]);
    expect(kit.disk.reads).toBe(1);
    kit.check();
  });

  it('whose read fails is told to one that waited; the next starts the read again', () => {
    const { kit, proc, fd } = setup();
    const va = proc.map({ length: PAGE, fd });
    const first = kit.start(proc.access(va, R));
    const second = kit.start(proc.access(va, R));
    kit.disk.deliver(0, EIO);
    kit.resume();
    expect(first.value!.error).toBe(EIO);
    expect(second.done).toBe(false);
    kit.settle();
    expect(second.value!.error).toBe(0);
    expect(kit.disk.reads).toBe(2);
    kit.check();
  });

  it('that a pager has no answer for yet is asked for again a second later', () => {
    const { kit, uvm, proc, file, fd } = setup();
    const va = proc.map({ length: PAGE, fd });
    const { pgops } = file.vnode;
    let refusals = 1;
    Object.defineProperty(file.vnode, 'pgops', {
      value: {
        ...pgops,
        get: (...call: Parameters<typeof pgops.get>) =>
          (call[8] & 0x40) === 0 && refusals-- > 0 ? EAGAIN : pgops.get(...call),
      },
    });
    const access = kit.start(proc.access(va, R));
    expect(access.asleep).toBe(CHANNEL_LBOLT);
    uvm.wakeup(CHANNEL_LBOLT);
    kit.settle();
    expect(access.value!.error).toBe(0);
  });

  it('must not be stored to over a hole', () => {
    const { uvm, kit, proc, file, fd } = setup();
    const va = proc.map({ length: PAGE, fd, flags: MAP_SHARED });
    proc.load(va);
    const page = proc.mapped(va);
    uvm.pmap.pageProtect(uvm.pages.pageAddress(page), 0);
    const { pgops } = file.vnode;
    Object.defineProperty(file.vnode, 'pgops', {
      value: {
        ...pgops,
        get: (...call: Parameters<typeof pgops.get>) => {
          const outcome = pgops.get(...call);
          uvm.pages.flags[page]! |= PG_RDONLY;
          return outcome;
        },
      },
    });
    expect(() => uvmFault(uvm, proc.space.map, va, VM_FAULT_INVALID, W)).toThrow('PG_RDONLY');
    expect(kit.exp.flt_obj).toBe(2);
  });

  it('wants an amap to be promoted into', () => {
    const { uvm, proc, fd } = setup();
    const va = proc.map({ length: PAGE, fd });
    proc.load(va);
    proc.entry(va).etype &= ~UVM_ET_NEEDSCOPY;
    expect(() => uvmFault(uvm, proc.space.map, va, VM_FAULT_PROTECT, W)).toThrow('no anon map');
  });
});

describe('an anon', () => {
  it('is mapped as it is if nobody else refers to it (1A)', () => {
    const { kit, exp, proc } = setup();
    const va = proc.map({ length: PAGE });
    proc.store(va, 4);
    kit.uvm.pmap.collect(proc.space.pmap);
    expect(proc.load(va)).toBe(4);
    expect([exp.flt_anon, exp.flt_acow]).toEqual([1, 0]);
    expect(rights(kit, proc, va)).toBe(RW);
  });

  it('that others refer to is read without WRITE (1A) and copied for a store (1B)', () => {
    const { kit, exp, proc } = setup();
    const va = proc.map({ length: PAGE });
    proc.store(va, 4);
    const child = proc.fork();
    child.store(va + 1, 1);
    expect(exp.flt_acow).toBe(1);
    expect([proc.load(va), child.load(va), proc.load(va + 1), child.load(va + 1)]).toEqual([
      4, 4, 0, 1,
    ]);
    kit.check();
    // The parent's copy is the only one left: no copying any more.
    proc.store(va, 5);
    expect([exp.flt_acow, child.load(va)]).toEqual([1, 4]);
    kit.check();
  });

  it('is replaced for all sharers of its amap', () => {
    const { kit, proc } = setup();
    const va = proc.map({ length: PAGE });
    proc.store(va, 4);
    const copy = proc.fork();
    copy.minherit(va, PAGE, MAP_INHERIT_SHARE);
    const sharer = copy.fork();
    expect([copy.load(va), sharer.load(va)]).toEqual([4, 4]);
    kit.check();
    copy.store(va, 5);
    expect(sharer.mapped(va)).toBe(-1);
    expect([proc.load(va), copy.load(va), sharer.load(va)]).toEqual([4, 5, 5]);
    kit.check();
  });

  it('is waited for while its page is busy', () => {
    const { kit, uvm, exp, proc } = setup();
    const va = proc.map({ length: PAGE });
    proc.store(va, 4);
    const page = proc.mapped(va);
    uvm.pmap.collect(proc.space.pmap);
    uvm.pages.flags[page]! |= PG_BUSY;
    const access = kit.start(proc.access(va, R));
    expect([access.asleep, exp.fltpgwait]).toEqual([page, 1]);
    uvm.unbusy(page);
    kit.settle();
    expect(access.value!.error).toBe(0);
    kit.check();
  });

  it('without data is a panic, as long as there is no swap', () => {
    const { uvm, proc } = setup();
    const va = proc.map({ length: PAGE });
    proc.store(va, 4);
    uvm.anons.page[proc.anon(va)] = NO_PAGE;
    expect(() => uvmFault(uvm, proc.space.map, va, VM_FAULT_PROTECT, W)).toThrow('neither page');
  });
});

describe('needs-copy', () => {
  it('is resolved for a store in chunks of 16 pages, if the entry is large', () => {
    const { kit, proc } = setup();
    const va = proc.map({ addr: 0x4000000, length: 300 * PAGE });
    proc.store(va + 100 * PAGE, 1);
    const first = va / PAGE;
    expect(proc.layout(0)).toEqual([
      [first, first + 96],
      [first + 96, first + 112],
      [first + 112, first + 300],
    ]);
    expect(proc.entry(va).etype & UVM_ET_NEEDSCOPY).not.toBe(0);
    expect(proc.entry(va + 100 * PAGE).amap!.nslot).toBe(16);
    kit.check();
  });

  it('waits for whoever keeps the map busy', () => {
    const { kit, uvm, proc } = setup();
    const va = proc.map({ length: PAGE });
    proc.space.map.flags |= VM_MAP_BUSY;
    const access = kit.start(proc.access(va, R));
    expect(access.asleep).toBe(proc.space.map.channel);
    proc.space.map.flags &= ~VM_MAP_BUSY;
    uvm.wakeup(proc.space.map.channel);
    kit.settle();
    expect(access.value!.error).toBe(0);
  });

  it('stays for reading an object, and so does a map that someone has to himself', () => {
    const { uvm, proc, fd } = setup();
    const va = proc.map({ length: PAGE, fd });
    proc.load(va);
    expect(proc.entry(va).amap).toBeNull();
    proc.space.map.exclusive = true;
    expect(uvmFault(uvm, proc.space.map, va, VM_FAULT_PROTECT, R)).toBe(WAIT);
    expect(uvm.waitChannel).toBe(proc.space.map.channel);
  });
});

describe('looking at the neighbours', () => {
  const resident = (proc: Proc, va: Va, pages: number) =>
    Array.from({ length: pages }, (_, page) => page).filter(
      (page) => proc.mapped(va + page * PAGE) !== -1,
    );

  function forgotten(advice: number, fd?: number, options: KitOptions = {}) {
    const s = setup(options);
    const proc = s.proc;
    const va = proc.map({ length: 24 * PAGE, ...(fd === undefined ? {} : { fd }) });
    for (let page = 0; page < 24; page++) {
      if (fd === undefined) proc.store(va + page * PAGE, page);
      else proc.load(va + page * PAGE);
    }
    proc.madvise(va, 24 * PAGE, advice);
    s.uvm.pmap.collect(proc.space.pmap);
    return { ...s, va };
  }

  it.each([
    ['NORMAL maps 3 anons behind and 4 ahead', UVM_ADV_NORMAL, [9, 10, 11, 12, 13, 14, 15, 16]],
    ['RANDOM maps none', MADV_RANDOM, [12]],
    ['SEQUENTIAL maps 7 ahead', MADV_SEQUENTIAL, [12, 13, 14, 15, 16, 17, 18, 19]],
  ])('%s', (_name, advice, pages) => {
    for (const fd of [undefined, 0]) {
      const { kit, exp, proc, va } = forgotten(advice, fd);
      const [anons, objects] = [exp.fltnamap, exp.fltnomap];
      proc.load(va + 12 * PAGE);
      expect(resident(proc, va, 24)).toEqual(pages);
      const ahead = pages.length - 1;
      expect([exp.fltnamap - anons, exp.fltnomap - objects]).toEqual(
        fd === undefined ? [ahead, 0] : [0, ahead],
      );
      kit.check();
    }
  });

  it('stays within the entry', () => {
    const { proc, va } = forgotten(UVM_ADV_NORMAL);
    proc.load(va);
    proc.load(va + 23 * PAGE);
    expect(resident(proc, va, 24)).toEqual([0, 1, 2, 3, 4, 20, 21, 22, 23]);
  });

  it('is not done if it is switched off, nor again after a wait', () => {
    const off = forgotten(UVM_ADV_NORMAL, undefined, { faultAhead: false });
    off.proc.load(off.va + 12 * PAGE);
    expect(resident(off.proc, off.va, 24)).toEqual([12]);
    const { uvm, proc, va } = forgotten(UVM_ADV_NORMAL);
    expect(uvmRefault(uvm, proc.space.map, va + 12 * PAGE, VM_FAULT_INVALID, R)).toBe(0);
    expect(resident(proc, va, 24)).toEqual([12]);
  });

  it('leaves alone what is mapped, busy or on loan', () => {
    for (const fd of [undefined, 0]) {
      const { uvm, proc, va, file } = forgotten(UVM_ADV_NORMAL, fd);
      const page = (at: number) =>
        fd === undefined
          ? uvm.anons.page[proc.anon(va + at * PAGE)]!
          : uvm.pages.lookup(file.vnode, at);
      proc.load(va + 9 * PAGE); // Maps 6 to 13.
      const before = uvm.pmap.residentCount(proc.space.pmap);
      uvm.pages.flags[page(15)]! |= PG_BUSY;
      if (fd === undefined) uvm.pages.loanCount[page(16)] = 1;
      proc.load(va + 14 * PAGE); // Would map 11 to 18.
      const more = fd === undefined ? [14, 17, 18] : [14, 16, 17, 18];
      expect(uvm.pmap.residentCount(proc.space.pmap) - before).toBe(more.length);
      for (const at of more) expect(proc.mapped(va + at * PAGE)).toBe(page(at));
    }
  });

  it('maps without WRITE what others refer to, and the object’s pages of private mappings', () => {
    const { kit, proc, va } = forgotten(UVM_ADV_NORMAL);
    const child = proc.fork();
    child.load(va + 12 * PAGE);
    expect(rights(kit, child, va + 11 * PAGE)).toBe(R);
    const file = forgotten(UVM_ADV_NORMAL, 0);
    file.proc.load(file.va + 12 * PAGE);
    expect(rights(file.kit, file.proc, file.va + 11 * PAGE)).toBe(R);
    kit.check();
    file.kit.check();
  });

  it('maps a page on loan without WRITE, but for the quirk', () => {
    for (const quirk of [false, true]) {
      const { kit, uvm, proc, file, fd } = setup({ quirks: { loanedNeighbourWritable: quirk } });
      const va = proc.map({ length: 4 * PAGE, fd, flags: MAP_SHARED });
      proc.load(va);
      proc.load(va + PAGE);
      uvm.pmap.collect(proc.space.pmap);
      uvm.pages.loanCount[uvm.pages.lookup(file.vnode, 1)] = 1;
      proc.load(va);
      expect(rights(kit, proc, va + PAGE)).toBe(quirk ? RW : R);
    }
  });

  it('deactivates what a sequential reader has behind it: anons and the object’s pages', () => {
    for (const fd of [undefined, 0]) {
      const { kit, uvm, proc, va, file } = forgotten(MADV_SEQUENTIAL, fd);
      const page = (at: number) =>
        fd === undefined
          ? uvm.anons.page[proc.anon(va + at * PAGE)]!
          : uvm.pages.lookup(file.vnode, at);
      proc.load(va + 12 * PAGE);
      const inactive = Array.from({ length: 24 }, (_, at) => at).filter(
        (at) => (uvm.pages.pqflags[page(at)]! & PQ_INACTIVE) !== 0,
      );
      expect(inactive).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
      proc.load(va + 8 * PAGE);
      kit.check();
    }
  });

  it('deactivates over holes in what is resident, too', () => {
    const { kit, proc, fd } = setup();
    const va = proc.map({ length: 8 * PAGE, fd });
    proc.store(va, 1);
    proc.madvise(va, 8 * PAGE, MADV_SEQUENTIAL);
    proc.load(va + 5 * PAGE);
    const bare = proc.map({ length: 8 * PAGE, flags: MAP_ANON | MAP_PRIVATE });
    proc.madvise(bare, 8 * PAGE, MADV_SEQUENTIAL);
    proc.load(bare + 5 * PAGE);
    expect(kit.violations()).toEqual([]);
  });
});

describe('what the events tell', () => {
  it('is every fault, its end and every promotion', () => {
    const { kit, proc, fd } = setup();
    const seen: string[] = [];
    kit.events.watch((name, a, b, c, d) => {
      if (name.startsWith('uvm.')) seen.push(`${name} ${[a, b, c, d].length}`);
    });
    const va = proc.map({ length: 2 * PAGE, fd });
    proc.store(va, 1);
    proc.fork().store(va, 2);
    const names = seen.map((line) => line.split(' ')[0]);
    for (const name of ['uvm.fault', 'uvm.faultDone', 'uvm.promote']) expect(names).toContain(name);
  });
});
