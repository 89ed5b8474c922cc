import { EFAULT, type Va } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { fileByte, Kit, type KitOptions, PAGE, type Proc, R, RX, W } from '../test/kit.ts';
import { MCL_FUTURE } from './mlock.ts';
import { MAP_ANON, MAP_PRIVATE, MAP_SHARED } from './mmap.ts';
import { NO_OWNER, NO_PAGE, PG_BUSY } from './page.ts';
import { spaceExec, spaceFork, spaceFree, spaceShare } from './space.ts';
import {
  AMAP_SHARED,
  CHANNEL_MEMORY,
  MAP_INHERIT_COPY,
  MAP_INHERIT_NONE,
  MAP_INHERIT_SHARE,
  UVM_ET_COPYONWRITE,
  UVM_ET_NEEDSCOPY,
  UVM_ET_SUBMAP,
  VM_MAP_WIREFUTURE,
} from './types.ts';

function setup(options: KitOptions = {}) {
  const kit = new Kit(options);
  const proc = kit.proc();
  const file = kit.file(4);
  return { kit, uvm: kit.uvm, exp: kit.exp, proc, file, fd: proc.fd(file) };
}

const KINDS = {
  'anonymous private': MAP_ANON | MAP_PRIVATE,
  'anonymous shared': MAP_ANON | MAP_SHARED,
  'file private': MAP_PRIVATE,
  'file shared': MAP_SHARED,
};
const INHERIT = { share: MAP_INHERIT_SHARE, copy: MAP_INHERIT_COPY, none: MAP_INHERIT_NONE };

describe('fork', () => {
  const cases = Object.keys(KINDS).flatMap((kind) =>
    Object.keys(INHERIT).flatMap((inherit) =>
      ['fresh', 'touched', 'wired', 'needs-copy'].map((state) => [kind, inherit, state] as const),
    ),
  );

  it.each(cases)('passes %s memory on: %s, %s', (kind, inherit, state) => {
    const { kit, proc, fd } = setup();
    const flags = KINDS[kind as keyof typeof KINDS];
    const isFile = kind.startsWith('file');
    const va = proc.map({ length: 3 * PAGE, flags, fd: isFile ? fd : -1 });
    const first = isFile ? fileByte(0) : 0;
    if (state !== 'fresh') proc.store(va + PAGE, 7);
    if (state === 'needs-copy') {
      // An earlier fork leaves a private parent needing a copy; the pages stay shared copy-on-write.
      const earlier = proc.fork();
      expect(earlier.load(va + PAGE)).toBe(7);
    }
    if (state === 'wired') expect(proc.mlock(va, 3 * PAGE)).toBe(0);
    expect(proc.minherit(va, 3 * PAGE, INHERIT[inherit as keyof typeof INHERIT])).toBe(0);
    const { faults } = kit.exp;
    const child = proc.fork();
    kit.check();
    const second = state === 'fresh' ? (isFile ? fileByte(PAGE) : 0) : 7;
    expect(child.space.map.size).toBe(inherit === 'none' ? 0 : 3 * PAGE);
    if (inherit === 'none') {
      expect(child.try(va, R)).toBe(EFAULT);
      return;
    }
    expect(child.entry(va).wiredCount).toBe(0);
    if (state === 'wired') {
      proc.store(va + 1, 1); // The parent's locked memory does not fault for the fork.
      expect(kit.exp.faults).toBe(faults);
      kit.check();
    }
    expect([child.load(va), child.load(va + PAGE)]).toEqual([first, second]);
    child.store(va + PAGE, 8);
    proc.store(va + 2 * PAGE, 9);
    kit.check();
    // A copy of a shared file mapping sees the file until it is stored to.
    const sees = inherit === 'share' || kind === 'file shared';
    expect(child.load(va + 2 * PAGE)).toBe(sees ? 9 : isFile ? fileByte(2 * PAGE) : 0);
    expect(proc.load(va + PAGE)).toBe(inherit === 'share' ? 8 : second);
    kit.check();
    const grandchild = child.fork();
    expect(grandchild.load(va + PAGE)).toBe(8);
    grandchild.store(va + PAGE, 10);
    expect(child.load(va + PAGE)).toBe(inherit === 'share' ? 10 : 8);
    kit.check();
    for (const who of [proc, grandchild, child]) {
      who.exit();
      kit.check();
    }
  });

  it('copies no page and takes WRITE from the parent; both need a copy now', () => {
    const { kit, exp, proc } = setup();
    const va = proc.map({ length: 4 * PAGE });
    for (let page = 0; page < 4; page++) proc.store(va + page * PAGE, page);
    const { anonpages } = exp;
    const child = proc.fork();
    expect(exp.anonpages).toBe(anonpages);
    for (const who of [proc, child])
      expect(who.entry(va).etype).toBe(UVM_ET_COPYONWRITE | UVM_ET_NEEDSCOPY);
    expect(proc.entry(va).amap).toBe(child.entry(va).amap);
    child.exit();
    proc.store(va, 9); // Alone again: no copy, no new amap.
    expect(exp.flt_acow).toBe(0);
    kit.check();
  });

  it('can be done again and again to shared memory inherited as a copy', () => {
    const { kit, proc } = setup();
    const va = proc.map({ length: PAGE, flags: MAP_ANON | MAP_SHARED });
    proc.store(va, 1);
    proc.minherit(va, PAGE, MAP_INHERIT_COPY);
    const first = proc.fork();
    const second = proc.fork();
    proc.store(va, 2);
    expect([first.load(va), second.load(va), proc.load(va)]).toEqual([1, 1, 2]);
    kit.check();
  });

  it('does not make sharers stop sharing, nor their locked pages fault', () => {
    const { kit, exp, proc } = setup();
    const va = proc.map({ length: 2 * PAGE, flags: MAP_ANON | MAP_SHARED });
    proc.store(va, 1);
    proc.store(va + PAGE, 2);
    const sharer = proc.fork();
    expect(sharer.mlock(va, PAGE)).toBe(0);
    proc.minherit(va, 2 * PAGE, MAP_INHERIT_COPY);
    const child = proc.fork();
    kit.check();
    const { faults } = exp;
    sharer.store(va, 5);
    expect(exp.faults).toBe(faults);
    sharer.store(va + PAGE, 6);
    expect([proc.load(va), proc.load(va + PAGE)]).toEqual([5, 6]);
    expect([child.load(va), child.load(va + PAGE)]).toEqual([1, 2]);
    kit.check();
    expect(sharer.munlock(va, PAGE)).toBe(0);
    kit.check();
  });

  it('resolves the parent’s needs-copy before it shares', () => {
    const { kit, proc } = setup();
    const va = proc.map({ length: 300 * PAGE });
    proc.minherit(va, 300 * PAGE, MAP_INHERIT_SHARE);
    const child = proc.fork();
    expect(proc.entry(va).amap!.flags & AMAP_SHARED).toBe(AMAP_SHARED);
    expect(proc.entry(va).amap!.nslot).toBe(300);
    child.store(va + 299 * PAGE, 1);
    expect(proc.load(va + 299 * PAGE)).toBe(1);
    child.exit();
    expect(proc.entry(va).amap!.flags & AMAP_SHARED).toBe(0);
    kit.check();
  });

  it('copies the layout of the space, but no locks to come', () => {
    const { proc } = setup();
    proc.brk(proc.space.dataAddress + 3 * PAGE);
    Object.assign(proc.space, {
      textAddress: 1,
      textPages: 2,
      stackLow: 3,
      stackHigh: 4,
      stackPages: 5,
    });
    proc.mlockall(MCL_FUTURE);
    const { space } = proc.fork();
    const { map, refs, ...rest } = space;
    const { map: _map, refs: _refs, ...parent } = proc.space;
    expect(rest).toEqual(parent);
    expect([refs, map.flags & VM_MAP_WIREFUTURE]).toEqual([1, 0]);
    expect(space.pmap).toBe(map.pmap);
  });

  it('with its quirk counts the holes that were not inherited', () => {
    const { kit, proc } = setup({ quirks: { forkCountsHoles: true } });
    const va = proc.map({ length: 3 * PAGE });
    proc.minherit(va, PAGE, MAP_INHERIT_NONE);
    const child = proc.fork();
    expect(child.space.map.size).toBe(3 * PAGE);
    kit.check();
  });

  it('panics at what no user map has', () => {
    const { proc } = setup();
    const va = proc.map({ length: PAGE });
    proc.entry(va).etype = UVM_ET_NEEDSCOPY;
    expect(() => proc.fork()).toThrow('non-copy_on_write');
    const other = setup();
    const at = other.proc.map({ length: PAGE });
    other.proc.entry(at).etype = UVM_ET_SUBMAP;
    expect(() => other.proc.fork()).toThrow('submap');
  });

  it('of locked memory waits for busy pages and for memory; faults of the parent wait for it', () => {
    const { kit, uvm, proc } = setup();
    const va = proc.map({ length: 3 * PAGE });
    proc.mlock(va, 3 * PAGE);
    const page = proc.mapped(va + PAGE);
    uvm.pages.flags[page]! |= PG_BUSY;
    const fork = kit.start(spaceFork(uvm, proc.space));
    expect(fork.asleep).toBe(page);
    const access = kit.start(proc.access(va + 5 * PAGE, R));
    expect(access.asleep).toBe(proc.space.map.channel);
    const taken: number[] = [];
    for (;;) {
      const free = uvm.pages.alloc(null, 0, NO_OWNER, 0);
      if (free === NO_PAGE) break;
      taken.push(free);
    }
    uvm.daemon = { wake: () => undefined };
    kit.onStuck = (channel) => {
      expect(channel).toBe(CHANNEL_MEMORY);
      for (const free of taken.splice(0)) uvm.pages.free(free);
      uvm.wakeup(channel);
      return true;
    };
    uvm.unbusy(page);
    kit.settle();
    expect(access.value!.error).toBe(EFAULT);
    expect(fork.value!.map.size).toBe(3 * PAGE);
    kit.check();
  });

  it('of locked memory whose page is not there is a panic', () => {
    const { uvm, proc } = setup();
    const va = proc.map({ length: PAGE });
    proc.mlock(va, PAGE);
    uvm.anons.page[proc.anon(va)] = NO_PAGE;
    expect(() => proc.fork()).toThrow('non-resident anon');
  });

  it('of locked text that may never be written copies nothing', () => {
    const { kit, exp, proc, fd } = setup();
    const va = proc.map({ length: 2 * PAGE, fd, flags: MAP_SHARED, prot: RX });
    proc.mlock(va, 2 * PAGE);
    const { anonpages } = exp;
    const child = proc.fork();
    expect([exp.anonpages, child.load(va)]).toEqual([anonpages, fileByte(0)]);
    kit.check();
  });
});

describe('the life of an address space', () => {
  it('leaves nothing behind', () => {
    const { kit, uvm, exp, proc, file } = setup();
    const census = () => [exp.free, exp.nfreeanon, uvm.amaps.size, uvm.maps.size, file.vnode.refs];
    const touch = (who: Proc, va: Va) => {
      for (let page = 0; page < 4; page++) who.store(va + page * PAGE, page);
    };
    const warm = kit.proc();
    touch(warm, warm.map({ length: 4 * PAGE, fd: warm.fd(file), flags: MAP_SHARED }));
    warm.exit();
    const before = census();
    const child = kit.proc();
    const va = child.map({ length: 4 * PAGE, fd: child.fd(file) });
    touch(child, va);
    touch(child, child.map({ length: 4 * PAGE }));
    touch(child, child.map({ length: 4 * PAGE, flags: MAP_ANON | MAP_SHARED }));
    child.mlock(va, 2 * PAGE);
    const grandchild = child.fork();
    touch(grandchild, va);
    child.exit();
    expect(grandchild.load(va + PAGE)).toBe(1);
    grandchild.exit();
    expect(census()).toEqual(before);
    expect([exp.wired, exp.anonpages]).toEqual([0, 0]);
    kit.check();
    proc.exit();
  });

  it('goes on while one process uses it', () => {
    const { kit, uvm, proc } = setup();
    const va = proc.map({ length: PAGE });
    spaceShare(proc.space);
    proc.store(va, 1);
    kit.run(spaceFree(uvm, proc.space));
    expect(proc.load(va)).toBe(1);
    expect(uvm.maps.has(proc.space.map)).toBe(true);
  });

  it('is emptied for a new program, with its locks and their promise', () => {
    const { kit, uvm, exp, proc } = setup();
    const va = proc.map({ length: 2 * PAGE });
    proc.brk(proc.space.dataAddress + PAGE);
    proc.mlock(va, 2 * PAGE);
    proc.mlockall(MCL_FUTURE);
    const space = kit.run(spaceExec(uvm, proc.space, 0x2000, 0x2000000));
    expect(space).toBe(proc.space);
    expect([space.map.nentries, space.map.size, exp.wired]).toEqual([0, 0, 0]);
    expect([space.map.min, space.map.max, space.dataPages]).toEqual([0x2000, 0x2000000, 0]);
    expect(space.map.flags & VM_MAP_WIREFUTURE).toBe(0);
    kit.check();
  });

  it('is left to the others by a new program, if there are any', () => {
    const { kit, uvm, proc } = setup();
    const va = proc.map({ length: PAGE });
    proc.store(va, 1);
    spaceShare(proc.space);
    const space = kit.run(spaceExec(uvm, proc.space, 0x2000, 0x2000000));
    expect(space).not.toBe(proc.space);
    expect([space.map.nentries, proc.space.refs, proc.load(va)]).toEqual([0, 1, 1]);
    expect(proc.try(va, W)).toBe(0);
    kit.check();
  });
});
