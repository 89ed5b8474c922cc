import { describe, expect, it } from 'vitest';
import { Kit, PAGE, R, RW, RWX } from '../test/kit.ts';
import { amapRef } from './amap.ts';
import { Aobj } from './aobj.ts';
import { checkUvm, INVARIANTS, type Violation, violationText } from './check.ts';
import { MapEntry } from './entry.ts';
import type { VmMap } from './map.ts';
import { MAP_ANON, MAP_SHARED } from './mmap.ts';
import {
  NO_OWNER,
  PG_CLEAN,
  PG_FAKE,
  PG_RDONLY,
  PG_TABLED,
  PG_WANTED,
  PQ_ACTIVE,
  PQ_ANON,
  PQ_INACTIVE,
} from './page.ts';
import {
  AMAP_SHARED,
  UVM_ET_COPYONWRITE,
  UVM_ET_NEEDSCOPY,
  UVM_ET_OBJ,
  UVM_ET_SUBMAP,
  VM_MAP_BUSY,
  VM_MAP_INTRSAFE,
  VM_MAP_WANTLOCK,
} from './types.ts';

/** Two processes with a bit of everything; every invariant holds. */
function setup() {
  const kit = new Kit();
  const { uvm } = kit;
  const proc = kit.proc();
  const file = kit.file(4);
  const va = proc.map({ length: 4 * PAGE });
  const priv = proc.map({ length: 2 * PAGE, fd: proc.fd(file) });
  const shared = proc.map({ length: 2 * PAGE, fd: 0, flags: MAP_SHARED });
  const both = proc.map({ length: 2 * PAGE, flags: MAP_ANON | MAP_SHARED });
  proc.store(va, 1);
  proc.store(va + PAGE, 2);
  proc.store(priv, 3);
  proc.load(priv + PAGE);
  proc.store(shared, 4);
  proc.store(both, 5);
  const child = proc.fork();
  proc.store(va, 6);
  proc.mlock(both, 2 * PAGE);
  // One page is on swap and in memory, another on swap only.
  const swap = kit.swap(9);
  uvm.swap.on(swap, 0);
  proc.store(va + 2 * PAGE, 7);
  const copied = proc.mapped(va + 2 * PAGE);
  const run = uvm.swap.alloc(2, false)!;
  uvm.setSwapOf(copied, run.slot);
  uvm.swap.free(run.slot + 1, 1);
  uvm.swap.put([copied], run.slot, () => undefined);
  kit.settle();
  uvm.pages.flags[copied]! |= PG_CLEAN;
  uvm.pmap.clearModify(uvm.pages.pageAddress(copied));
  const interrupts = kit.run(uvm.km.suballoc(4 * PAGE, true));
  const kva = uvm.km.kmemAlloc(interrupts, PAGE)!;
  kit.check();
  const { map } = proc.space;
  const { pages, anons, exp, pmap } = uvm;
  const entry = proc.entry(va);
  const page = proc.mapped(va);
  const filePage = pages.lookup(file.vnode, 0);
  const enter = (at: number, of: number, prot = R, flags = 0) =>
    pmap.enter(proc.space.pmap, at, pages.pageAddress(of), prot, flags);
  const world = {
    kit,
    uvm,
    proc,
    child,
    file,
    va,
    priv,
    shared,
    both,
    map,
    pages,
    anons,
    exp,
    pmap,
    swap: uvm.swap,
    slot: run.slot,
    copied,
    kva,
  };
  return { ...world, entry, page, filePage, enter };
}

type World = ReturnType<typeof setup>;

/** What is broken, under the number of the invariant that must be named. */
const CORRUPTIONS: [number, string, (w: World) => void][] = [
  [1, 'an entry that ends before it starts', (w) => (w.entry.end = w.entry.start)],
  [1, 'an unaligned entry', (w) => (w.entry.end -= 1)],
  [1, 'an overlap', (w) => (w.entry.end += 8 * PAGE)],
  [1, 'an entry beyond the map', (w) => (w.map.header.end = w.entry.end)],
  [1, 'a count of entries', (w) => w.map.nentries++],
  [1, 'a broken link', (w) => (w.entry.next.prev = new MapEntry(0, PAGE))],
  [1, 'an entry that is not in the index', (w) => w.map.index.remove(w.entry)],
  [2, 'a size', (w) => (w.map.size += PAGE)],
  [
    3,
    'a hint at an entry that has gone',
    (w) => Object.defineProperty(w.map, 'hint', { value: new MapEntry(0, PAGE) }),
  ],
  [3, 'a first gap that is not the first', (w) => (w.map.firstFree = w.entry)],
  [
    3,
    'a first gap behind an entry that has gone',
    (w) => (w.map.firstFree = new MapEntry(0, PAGE)),
  ],
  [4, 'a protection beyond its maximum', (w) => (w.entry.maxProtection = R)],
  [4, 'a protection that there is not', (w) => (w.entry.maxProtection = 15)],
  [4, 'an inheritance', (w) => (w.entry.inheritance = 3)],
  [4, 'an advice', (w) => (w.entry.advice = 3)],
  [5, 'needs-copy alone', (w) => (w.entry.etype = UVM_ET_NEEDSCOPY)],
  [5, 'a submap of a user', (w) => (w.entry.etype |= UVM_ET_SUBMAP)],
  [5, 'an offset into nothing', (w) => (w.entry.offset = PAGE)],
  [5, 'a type without its object', (w) => (w.entry.etype |= UVM_ET_OBJ)],
  [6, 'slots beyond the amap', (w) => (w.entry.pageoff = 1)],
  [7, 'a lock that is wanted and not held', (w) => (w.map.flags |= VM_MAP_WANTLOCK)],
  [9, 'a negative wiring', (w) => (w.entry.wiredCount = -1)],
  [9, 'a wired entry in a map without faults', (w) => (w.map.flags = VM_MAP_INTRSAFE)],
  [
    10,
    'a wired entry that needs a copy',
    (w) => (w.proc.entry(w.both).etype |= UVM_ET_NEEDSCOPY | UVM_ET_COPYONWRITE),
  ],
  [10, 'a wired entry with pages shared or missing', (w) => (w.entry.wiredCount = 1)],
  [11, 'a back pointer', (w) => (w.entry.amap!.bckptr[0] = 3)],
  [11, 'a count of used slots', (w) => w.entry.amap!.nused--],
  [
    11,
    'a slot beyond the end',
    (w) => {
      w.proc.brk(w.proc.space.dataAddress + PAGE); // An amap with room to grow.
      const amap = w.proc.entry(w.proc.space.dataAddress).amap!;
      amap.anon[amap.nslot] = w.proc.anon(w.va);
    },
  ],
  [11, 'more slots than there is room for', (w) => (w.entry.amap!.nslot = 99)],
  [12, 'a reference to an amap', (w) => w.entry.amap!.ref++],
  [12, 'an amap that is dead', (w) => w.uvm.amaps.delete(w.entry.amap!)],
  [
    13,
    'a count of references to a slot',
    (w) => {
      const { amap } = w.proc.entry(w.both);
      amapRef(amap!, 0, 1, 0);
      amap!.ref--;
    },
  ],
  [13, 'an anon where no entry looks', (w) => (w.entry.amap = null)],
  [14, 'an amap shared with nobody', (w) => (w.entry.amap!.flags |= AMAP_SHARED)],
  [15, 'a slot shared by accident', (w) => (w.proc.entry(w.both).amap!.flags = 0)],
  [16, 'a reference to an anon', (w) => w.anons.ref[w.proc.anon(w.va)]!++],
  [17, 'an anon without data', (w) => (w.anons.page[w.proc.anon(w.va)] = -1)],
  [17, 'an anon whose page is another’s', (w) => (w.pages.uanon[w.page] = 0)],
  [17, 'an anon whose page is nobody’s', (w) => (w.pages.pqflags[w.page]! &= ~PQ_ANON)],
  [18, 'a count of free anons', (w) => w.exp.nfreeanon--],
  [18, 'an anon that is neither free nor alive', (w) => (w.anons.ref[w.proc.anon(w.va)] = 0)],
  [19, 'a count of what is on swap only', (w) => (w.exp.swpgonly = 1)],
  [20, 'a count of an object’s pages', (w) => w.file.vnode.npages++],
  [20, 'a page at another index', (w) => (w.pages.offset[w.filePage] = 3)],
  [20, 'a page that is not tabled', (w) => (w.pages.flags[w.filePage]! &= ~PG_TABLED)],
  [20, 'a list that lost its pages', (w) => (w.file.vnode.memq = -1)],
  [21, 'a page beyond the end', (w) => (w.file.vnode.size = 0)],
  [22, 'a reference to an object', (w) => (w.file.vnode.refs = 1)],
  [23, 'a page on a queue that it does not know', (w) => (w.pages.pqflags[w.page]! &= ~PQ_ACTIVE)],
  [23, 'a page on two queues', (w) => w.pages.queues.insertTail(1, w.page)],
  [
    23,
    'a page on no queue',
    (w) => {
      w.pages.dequeue(w.page);
    },
  ],
  [
    23,
    'a page that believes that it is queued',
    (w) => {
      w.pages.dequeue(w.page);
      w.pages.pqflags[w.page]! |= PQ_INACTIVE;
    },
  ],
  [24, 'a count of free pages', (w) => w.exp.free++],
  [24, 'a count of active pages', (w) => w.exp.active++],
  [24, 'a count of zeroed pages', (w) => w.exp.zeropages++],
  [24, 'a count of wired pages', (w) => w.exp.wired++],
  [25, 'a wired page on a queue', (w) => (w.pages.wireCount[w.page] = 1)],
  [25, 'a free page with an owner', (w) => (w.pages.uanon[[...w.pages.freePages()][0]!] = 0)],
  [26, 'a wanted page that nobody holds', (w) => (w.pages.flags[w.page]! |= PG_WANTED)],
  [26, 'an unfilled page that nobody holds', (w) => (w.pages.flags[w.page]! |= PG_FAKE)],
  [27, 'a borrowed page that is not lent', (w) => (w.pages.uanon[w.filePage] = w.proc.anon(w.va))],
  [28, 'a page that was lost', (w) => w.pages.alloc(null, 0, NO_OWNER, 0)],
  [29, 'a count of anonymous pages', (w) => w.exp.anonpages++],
  [29, 'a count of file pages', (w) => w.exp.filepages++],
  [29, 'a count of text pages', (w) => w.exp.execpages++],
  [30, 'a clean page without a slot', (w) => (w.pages.flags[w.page]! |= PG_CLEAN)],
  [30, 'a wired page that is clean', (w) => (w.pages.flags[w.proc.mapped(w.both)]! |= PG_CLEAN)],
  [27, 'a loan that nobody has', (w) => w.pages.loanCount[w.page]!++],
  [27, 'a loan that nobody counts', (w) => w.uvm.lentPages.set(w.page, 1)],
  [28, 'kernel memory that nobody counts', (w) => w.pages.kernelPages--],
  [31, 'a count of slots in use', (w) => w.exp.swpginuse++],
  [31, 'a count of slots', (w) => w.exp.swpages++],
  [31, 'more data on swap than swap holds', (w) => (w.exp.swpgonly = 2)],
  [32, 'a slot that two share', (w) => (w.anons.swslot[w.proc.anon(w.va)] = w.slot)],
  [32, 'a slot that is in use and free', (w) => (w.anons.swslot[w.proc.anon(w.va)] = w.slot + 1)],
  [32, 'a slot that was lost', (w) => w.swap.alloc(1, false)],
  [32, 'a bad slot that was not counted', (w) => w.uvm.setSwapOf(w.copied, 0)],
  [33, 'a slot beyond swap', (w) => (w.anons.swslot[w.proc.anon(w.va)] = 99)],
  [34, 'a stale mapping', (w) => w.enter(w.va + PAGE, w.filePage)],
  [34, 'a mapping outside of every entry', (w) => w.enter(w.va - PAGE, w.page)],
  [35, 'a mapping with more rights than its entry', (w) => w.enter(w.va, w.page, (RWX & ~2) | 4)],
  [
    36,
    'a writable page of the object in a private entry',
    (w) => w.enter(w.priv + PAGE, w.pages.lookup(w.file.vnode, 1), RW),
  ],
  [
    36,
    'a writable page that a child shares',
    (w) => w.enter(w.va + PAGE, w.proc.mapped(w.va + PAGE), RW),
  ],
  [
    36,
    'a writable page in an entry that needs a copy',
    (w) => w.enter(w.priv, w.proc.mapped(w.priv), RW),
  ],
  [36, 'a writable page on loan', (w) => (w.pages.loanCount[w.page] = 1)],
  [36, 'a writable page over a hole', (w) => (w.pages.flags[w.filePage]! |= PG_RDONLY)],
  [37, 'a free page that is mapped', (w) => w.enter(w.va, [...w.pages.freePages()][0]!)],
  [37, 'a page without an owner that is mapped', (w) => (w.pages.pqflags[w.page]! &= ~PQ_ANON)],
  [37, 'an unfilled page that is mapped', (w) => (w.pages.flags[w.page]! |= PG_FAKE)],
  [38, 'a pmap that miscounts', (w) => (w.pmap.residentCount = () => 0)],
  [38, 'a pmap that miscounts what is wired', (w) => (w.pmap.wiredCount = () => 9)],
  [39, 'a wired mapping of a page that is not', (w) => w.enter(w.va, w.page, R, 0x10)],
  [40, 'a page that is wired by nobody', (w) => w.pages.wire(w.page)],
  [
    41,
    'a locked page that is not mapped',
    (w) => w.pmap.remove(w.proc.space.pmap, w.both, w.both + PAGE),
  ],
  [
    43,
    'a process’ page in a map for interrupts',
    (w) => w.pmap.kenterPa(w.kva, w.pages.pageAddress(w.page), RW),
  ],
  [
    43,
    'a free page in a map for interrupts',
    (w) => w.pmap.kenterPa(w.kva, w.pages.pageAddress([...w.pages.freePages()][0]!), RW),
  ],
  [
    44,
    'a store to what is on swap that left no trace',
    (w) => w.kit.memory.write8(w.pages.pageAddress(w.copied), 99),
  ],
  [13.3, 'an amap that knows a user', (w) => (w.entry.amap!.users = new Map([[w.entry, w.map]]))],
  [13.4, 'an object that counts a lock', (w) => (w.file.vnode.locks = new Map([[0, 1]]))],
  [47, 'a count of faults', (w) => (w.exp.flt_obj += 1000)],
  [
    44,
    'a store that left no trace',
    (w) => {
      w.kit.memory.write8(w.pages.pageAddress(w.pages.lookup(w.file.vnode, 1)), 99);
    },
  ],
];

describe('the checker', () => {
  it.each(CORRUPTIONS)('names %i for %s', (number, _what, corrupt) => {
    const world = setup();
    corrupt(world);
    const named = world.kit.violations();
    expect(named.some((text) => text.startsWith(`invariant ${number} (`))).toBe(true);
  });

  it('has been seen to fail for every invariant', () => {
    const seen = new Set([8, 48, 49, 50, ...CORRUPTIONS.map(([number]) => number)]);
    const all = Object.keys(INVARIANTS).map(Number);
    expect([...seen].sort((a, b) => a - b)).toEqual(all.sort((a, b) => a - b));
  });

  it('names 8 for a version that went back', () => {
    const { uvm, map } = setup();
    const timestamps = new Map<number, number>();
    expect(checkUvm(uvm, { timestamps })).toEqual([]);
    map.timestamp--;
    const found: Violation[] = checkUvm(uvm, { timestamps });
    expect(found.map(({ invariant }) => invariant)).toEqual([8]);
    expect(violationText(found[0]!)).toMatch(
      /^invariant 8 \(timestamps never decrease\): map 1 has/,
    );
    expect(checkUvm(uvm)).toEqual([]);
  });

  it('names 48 for what processes have left', () => {
    const { kit, proc, child, uvm, swap } = setup();
    const left = kit.violations({ idle: true });
    for (const what of ['anons', 'amaps', 'maps', 'wired pages', 'swap slots'])
      expect(left.some((text) => text.startsWith('invariant 48') && text.includes(what))).toBe(
        true,
      );
    proc.exit();
    child.exit();
    kit.check({ idle: true });
    const segment = new Aobj(uvm, 1);
    expect(kit.violations({ idle: true })[0]).toContain('1 anonymous objects');
    segment.pgops.detach(uvm, segment);
    swap.alloc(1, false);
    expect(kit.violations({ idle: true }).at(-1)).toContain('1 swap slots');
  });

  it('names 49 for memory that holds something else than was stored', () => {
    const { kit, map, va } = setup();
    const oracle = (value: number) => (of: VmMap, at: number, bytes: Uint8Array) =>
      of === map && at === va && bytes[0] !== value ? 0 : -1;
    kit.check({ oracle: oracle(6) });
    expect(kit.violations({ oracle: oracle(5) })[0]).toMatch(
      /^invariant 49 .* byte 0 of it is not/,
    );
  });

  it('names 50 for a thread that waits though memory is free', () => {
    const { kit, uvm } = setup();
    expect(kit.violations({ memoryWaiters: 2 })[0]).toMatch(/^invariant 50 .*: 2 threads wait/);
    uvm.daemon = { wake: () => undefined, signalled: true };
    kit.check({ memoryWaiters: 2 });
  });

  it('without a probe sees misplaced mappings all the same', () => {
    const { uvm, va, filePage, enter } = setup();
    expect(checkUvm(uvm)).toEqual([]);
    enter(va + PAGE, filePage);
    expect(checkUvm(uvm).map(({ invariant }) => invariant)).toContain(34);
  });

  it('does not examine the claims of wiring in progress, nor mappings of unmanaged memory', () => {
    const { kit, uvm, map, page, pages, proc, va, pmap } = setup();
    pages.wire(page);
    map.flags |= VM_MAP_BUSY;
    expect(checkUvm(uvm).map(({ invariant }) => invariant)).toEqual([]);
    map.flags &= ~VM_MAP_BUSY;
    pages.unwire(page);
    kit.check();
    pmap.enter(proc.space.pmap, va + 3 * PAGE, uvm.memory.size, RW, 0);
    kit.check();
    uvm.pmap.kenterPa(uvm.kernelMap.min, uvm.memory.size, RW);
    kit.check();
  });
});
