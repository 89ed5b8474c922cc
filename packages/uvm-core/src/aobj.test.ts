import { EINVAL, EIO, VM_PROT_READ } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { Kit, type KitOptions, PAGE, R, RW, RWX, W } from '../test/kit.ts';
import { Aobj, aobjPager, aobjReap } from './aobj.ts';
import { uvmMap } from './map.ts';
import { NO_PAGE, PG_BUSY, PG_CLEAN, PG_RELEASED } from './page.ts';
import {
  MAP_INHERIT_SHARE,
  PAGE_NULL,
  PGO_ALLPAGES,
  PGO_CLEANIT,
  PGO_DEACTIVATE,
  PGO_FREE,
  PGO_SYNCIO,
  WAIT,
} from './types.ts';

/** Two processes that share an object, in memory for some forty pages. */
function setup(size: number, options: KitOptions = {}) {
  const kit = new Kit({ memory: 48 * PAGE, ...options });
  const { uvm } = kit;
  const disk = kit.swap(301);
  uvm.swap.on(disk, 0);
  kit.startDaemon();
  const aobj = new Aobj(uvm, size);
  const attach = () => {
    const proc = kit.proc();
    aobjPager.reference(uvm, aobj);
    const attributes = { prot: RW, maxProt: RWX, inherit: MAP_INHERIT_SHARE, advice: 0, flags: 0 };
    const { start } = uvmMap(uvm, proc.space.map, 64 << 20, size * PAGE, aobj, 0, 0, attributes);
    return { proc, va: start };
  };
  const a = attach();
  const b = attach();
  const put = (flags: number, first = 0, beyond = 0) =>
    kit.run(aobjPager.put(uvm, aobj, first * PAGE, beyond * PAGE, flags));
  const page = (index: number) => uvm.pages.lookup(aobj, index);
  const detach = () => aobjPager.detach(uvm, aobj);
  return { kit, uvm, disk, aobj, a, b, put, page, detach, pages: uvm.pages, exp: kit.exp };
}

describe('an anonymous object', () => {
  it.each([60, 100])('of %i pages is shared, goes to swap and comes back', (size) => {
    const s = setup(size);
    for (let i = 0; i < size; i++) s.a.proc.store(s.a.va + i * PAGE, i + 1);
    s.kit.settle();
    s.kit.check();
    expect([...s.aobj.slots()].length).toBeGreaterThan(10);
    for (let i = 0; i < size; i++) expect(s.b.proc.load(s.b.va + i * PAGE)).toBe(i + 1);
    s.kit.check();
    s.a.proc.exit();
    s.b.proc.exit();
    s.kit.settle();
    s.kit.check();
    s.detach();
    s.kit.settle();
    s.kit.check({ idle: true });
    expect(s.uvm.aobjs.size).toBe(1);
  });

  it('keeps the slots of a large one in clusters, which go when they are empty', () => {
    const { uvm } = setup(1);
    const large = new Aobj(uvm, 1000);
    expect([large.slot(999), large.setSlot(999, 0), large.setSlot(999, 5)]).toEqual([0, 0, 0]);
    expect([large.setSlot(998, 6), large.setSlot(999, 7)]).toEqual([0, 5]);
    expect([...large.slots()]).toEqual([
      [998, 6],
      [999, 7],
    ]);
    expect([large.setSlot(998, 0), large.setSlot(999, 0)]).toEqual([6, 7]);
    expect([...large.slots()]).toEqual([]);
  });

  it('has no page beyond its end', () => {
    const s = setup(4);
    const into = new Int32Array([PAGE_NULL]);
    const got = (index: number) =>
      aobjPager.get(s.uvm, s.aobj, index * PAGE, into, 1, 0, VM_PROT_READ, 0, PGO_SYNCIO);
    expect(got(4)).toBe(EINVAL);
    expect(got(3)).toBe(0);
    s.uvm.unbusy(into[0]!);
  });

  it('gives all pages of a request or none', () => {
    const s = setup(4);
    s.a.proc.store(s.a.va + 2 * PAGE, 1);
    s.pages.flags[s.page(2)]! |= PG_BUSY;
    const into = new Int32Array(4).fill(PAGE_NULL);
    const get = () => aobjPager.get(s.uvm, s.aobj, 0, into, 4, 0, VM_PROT_READ, 0, PGO_ALLPAGES);
    expect(get()).toBe(WAIT);
    expect([...into]).toEqual([-1, -1, -1, -1]);
    expect(s.pages.flags[s.page(0)]! & PG_BUSY).toBe(0);
    s.uvm.unbusy(s.page(2));
    expect(get()).toBe(0);
    for (const page of into) {
      s.pages.activate(page);
      s.uvm.unbusy(page);
    }
    s.kit.check();
  });

  it('that is wired gives its slot up', () => {
    const s = setup(60);
    for (let i = 0; i < 60; i++) s.a.proc.store(s.a.va + i * PAGE, i + 1);
    s.kit.settle();
    const [[index]] = [...s.aobj.slots()] as [[number, number]];
    expect(s.a.proc.mlock(s.a.va + index * PAGE, PAGE)).toBe(0);
    expect(s.aobj.slot(index)).toBe(0);
    expect(s.pages.flags[s.page(index)]! & PG_CLEAN).toBe(0);
    s.kit.check();
  });

  it('whose page cannot be read is lost there, for good', () => {
    const s = setup(60);
    for (let i = 0; i < 60; i++) s.a.proc.store(s.a.va + i * PAGE, i + 1);
    s.kit.settle();
    const [index] = [...s.aobj.slots()].find(([at]) => s.page(at) === NO_PAGE)!;
    s.disk.readError = EIO;
    expect(s.a.proc.try(s.a.va + index * PAGE, R)).toBe(EIO);
    s.disk.readError = 0;
    expect(s.b.proc.try(s.b.va + index * PAGE, W)).toBe(EIO);
    expect(s.uvm.swap.bad).toBe(1);
    s.kit.check();
  });
});

describe('putting an anonymous object', () => {
  it('does nothing to clean it: only the page daemon writes to swap', () => {
    const s = setup(4);
    s.a.proc.store(s.a.va, 1);
    expect(s.put(PGO_CLEANIT | PGO_SYNCIO)).toBe(0);
    expect([s.kit.disk.writes, s.exp.inactive]).toEqual([0, 0]);
    s.put(PGO_CLEANIT | PGO_FREE | PGO_ALLPAGES);
    expect([s.kit.disk.writes, s.exp.inactive]).toEqual([0, 1]);
    expect(s.a.proc.load(s.a.va)).toBe(1);
  });

  it('deactivates what is idle, in the range', () => {
    const s = setup(4);
    for (let i = 0; i < 4; i++) s.a.proc.store(s.a.va + i * PAGE, i + 1);
    s.a.proc.mlock(s.a.va + PAGE, PAGE);
    s.put(PGO_DEACTIVATE, 0, 3);
    expect(s.exp.inactive).toBe(2);
    aobjPager.deactivate(s.uvm, s.aobj, 3 * PAGE, 4 * PAGE);
    expect(s.exp.inactive).toBe(3);
    s.kit.check();
  });

  it('discards pages and slots if nobody else has it, and waits for busy pages', () => {
    const s = setup(60);
    for (let i = 0; i < 60; i++) s.a.proc.store(s.a.va + i * PAGE, i + 1);
    s.put(PGO_FREE | PGO_ALLPAGES);
    expect(s.a.proc.load(s.a.va)).toBe(1);
    s.b.proc.exit();
    s.detach();
    s.kit.settle();
    s.pages.flags[s.page(59)]! |= PG_BUSY;
    const under = s.kit.start(aobjPager.put(s.uvm, s.aobj, 0, 0, PGO_FREE | PGO_ALLPAGES));
    expect(under.done).toBe(false);
    s.uvm.unbusy(s.page(59));
    s.kit.settle();
    expect([s.aobj.npages, [...s.aobj.slots()], s.exp.swpginuse]).toEqual([0, [], 0]);
    expect(s.a.proc.load(s.a.va)).toBe(0);
    s.kit.check();
  });
});

describe('an anonymous object that nobody refers to', () => {
  it('dies with the last of its busy pages', () => {
    const s = setup(4);
    s.a.proc.store(s.a.va, 1);
    const page = s.page(0);
    s.a.proc.exit();
    s.b.proc.exit();
    s.pages.flags[page]! |= PG_BUSY;
    s.detach();
    expect([s.aobj.dying, s.pages.flags[page]! & PG_RELEASED]).toEqual([true, PG_RELEASED]);
    expect(s.uvm.aobjs.has(s.aobj)).toBe(true);
    expect(() => aobjReap(s.uvm, s.aobj)).toThrow('not dead');
    s.uvm.unbusy(page);
    expect(s.uvm.aobjs.has(s.aobj)).toBe(false);
    s.kit.check({ idle: true });
  });

  it('takes what is on its way to swap along', () => {
    const s = setup(60);
    for (let i = 0; i < 20; i++) s.a.proc.store(s.a.va + i * PAGE, i);
    s.exp.freetarg = 40;
    for (let scan = 0; scan < 2; scan++) {
      s.uvm.daemon!.wake();
      s.kit.runDaemon();
    }
    expect(s.exp.paging).toBeGreaterThan(0);
    s.a.proc.exit();
    s.b.proc.exit();
    s.detach();
    expect(s.uvm.aobjs.has(s.aobj)).toBe(true);
    s.kit.settle();
    expect([s.uvm.aobjs.has(s.aobj), s.exp.swpginuse]).toEqual([false, 0]);
    s.kit.check({ idle: true });
  });
});
