import { EIO, ENOMEM } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { Kit, type KitOptions, PAGE, R, RW, RX, W } from '../test/kit.ts';
import { percent } from './exp.ts';
import { MAP_PRIVATE, MAP_SHARED } from './mmap.ts';
import { NO_OWNER, NO_PAGE, PG_BUSY, PG_PAGEOUT, PQ_ACTIVE, PQ_INACTIVE } from './page.ts';
import { CHANNEL_MEMORY } from './types.ts';

function setup(options: KitOptions & { slots?: number } = {}) {
  const kit = new Kit({ memory: 64 * PAGE, ...options });
  const { uvm, exp } = kit;
  const disk = kit.swap((options.slots ?? 200) + 1);
  if (options.slots !== 0) uvm.swap.on(disk, 0);
  kit.startDaemon();
  const proc = kit.proc();
  /** Has the daemon scan, once. */
  const scan = () => {
    uvm.daemon!.wake();
    kit.runDaemon();
    kit.check();
  };
  /** Makes the daemon want that many pages free. */
  const want = (free: number) => {
    exp.freetarg = free;
    // Nothing is spared for what it is.
    for (const kind of ['anon', 'file', 'exec'] as const) exp[`${kind}min`] = 0;
    for (const kind of ['anon', 'file', 'exec'] as const) exp[`${kind}max`] = 256;
  };
  const queue = (which: typeof PQ_ACTIVE | typeof PQ_INACTIVE) => [...uvm.pages.queued(which)];
  return { kit, uvm, exp, disk, proc, pages: uvm.pages, scan, want, queue };
}

describe('the page daemon', () => {
  it('has the thresholds of 2001', () => {
    const at = (pages: number) => {
      const { exp } = setup({ memory: pages * PAGE });
      return [exp.freemin, exp.freetarg, exp.wiredmax, exp.reserve_pagedaemon, exp.reserve_kernel];
    };
    expect(at(60)).toEqual([6, 8, 20, 1, 5]);
    expect(at(600)).toEqual([30, 40, 200, 1, 5]);
    expect(at(6000)).toEqual([64, 85, 2000, 1, 5]);
  });

  it('keeps a third of what is in use inactive', () => {
    const s = setup();
    const va = s.proc.map({ length: 30 * PAGE });
    for (let i = 0; i < 30; i++) s.proc.store(va + i * PAGE, 1);
    const oldest = s.queue(PQ_ACTIVE).slice(0, 10);
    s.scan();
    expect([s.exp.active, s.exp.inactive, s.exp.inactarg, s.exp.pddeact]).toEqual([20, 10, 10, 10]);
    expect(s.queue(PQ_INACTIVE)).toEqual(oldest);
    expect(s.exp.pdfreed).toBe(0);
  });

  it('gives what was used meanwhile another turn, and consumes the mark', () => {
    const s = setup();
    const va = s.proc.map({ length: 30 * PAGE });
    for (let i = 0; i < 30; i++) s.proc.store(va + i * PAGE, 1);
    s.scan();
    s.proc.load(va + 3 * PAGE);
    const used = s.proc.mapped(va + 3 * PAGE);
    s.want(62);
    s.scan();
    expect(s.exp.pdreact).toBe(1);
    expect(s.pages.pqflags[used]! & PQ_INACTIVE).toBe(PQ_INACTIVE);
    expect(s.exp.pgswapout).toBe(9);
    expect(s.proc.mapped(va)).toBe(NO_PAGE);
    s.kit.settle();
    s.kit.check();
  });

  it('writes dirty anonymous pages to swap in one transfer, and frees them when it is done', () => {
    const s = setup();
    const va = s.proc.map({ length: 30 * PAGE });
    for (let i = 0; i < 30; i++) s.proc.store(va + i * PAGE, i + 1);
    s.scan();
    s.want(62);
    const { free } = s.exp;
    s.scan();
    expect(s.kit.disk.pending.map(({ kind, pages }) => [kind, pages])).toEqual([['write', 10]]);
    expect([s.exp.paging, s.exp.free, s.exp.pdpageouts, s.exp.pdpending]).toEqual([10, free, 1, 1]);
    const page = s.uvm.anons.page[s.proc.anon(va)]!;
    expect(s.pages.flags[page]! & (PG_BUSY | PG_PAGEOUT)).toBe(PG_BUSY | PG_PAGEOUT);
    // Whoever wants one of them waits, and then reads it back.
    const load = s.kit.start(s.proc.access(va, R));
    expect(load.done).toBe(false);
    s.want(8);
    s.kit.settle();
    expect([s.exp.paging, s.exp.pdpending, s.exp.pdfreed]).toEqual([0, 0, 10]);
    expect(load.value!.error).toBe(0);
    expect(s.proc.load(va)).toBe(1);
    s.kit.check();
  });

  it('frees clean pages without a transfer: files’ and such as are on swap already', () => {
    const s = setup();
    const file = s.kit.file(8);
    const va = s.proc.map({ length: 8 * PAGE, fd: s.proc.fd(file), prot: R });
    for (let i = 0; i < 8; i++) s.proc.load(va + i * PAGE);
    const { writes } = s.kit.disk;
    s.want(62);
    for (let i = 0; i < 4; i++) s.scan();
    expect([file.vnode.npages, s.kit.disk.writes]).toEqual([0, writes]);
    expect(s.exp.pdfreed).toBe(8);
  });

  it('writes a file’s dirty pages with the dirty pages around them', () => {
    const s = setup();
    const file = s.kit.file(12);
    const va = s.proc.map({ length: 12 * PAGE, fd: s.proc.fd(file), flags: MAP_SHARED });
    for (let i = 0; i < 12; i++) s.proc.store(va + i * PAGE, i + 1);
    s.want(62);
    s.scan();
    s.scan();
    expect(s.kit.disk.pending.map(({ kind, pages }) => [kind, pages])).toEqual([['write', 12]]);
    s.kit.settle();
    s.kit.check();
    expect([...Array(12).keys()].map((i) => file.byte(i * PAGE))).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
    ]);
  });

  it('leaves alone what is wired, on loan by an anon, or in somebody’s hands', () => {
    const s = setup();
    const va = s.proc.map({ length: 6 * PAGE });
    for (let i = 0; i < 6; i++) s.proc.store(va + i * PAGE, 1);
    s.proc.mlock(va, PAGE);
    const busy = s.proc.mapped(va + PAGE);
    s.pages.flags[busy]! |= PG_BUSY;
    const lent = s.proc.mapped(va + 2 * PAGE);
    s.pages.loanCount[lent]!++;
    s.uvm.lentPages.set(lent, 1);
    s.want(62);
    s.uvm.daemon!.wake();
    for (let i = 0; i < 3; i++) {
      s.uvm.daemon!.wake();
      s.kit.runDaemon();
    }
    expect(s.kit.disk.pending[0]!.pages).toBe(3);
    expect(s.exp.pdbusy).toBe(0);
    s.pages.deactivate(busy);
    s.uvm.pmap.clearReference(s.pages.pageAddress(busy));
    s.uvm.daemon!.wake();
    s.kit.runDaemon();
    expect(s.exp.pdbusy).toBe(1);
  });

  it.each([
    ['anonymous', 'pdreanon'],
    ['file', 'pdrefile'],
    ['program', 'pdreexec'],
  ] as const)('spares %s pages below their minimum', (kind, counter) => {
    const s = setup();
    const anon = s.proc.map({ length: 10 * PAGE });
    const fd = s.proc.fd(s.kit.file(10));
    const file = s.proc.map({ length: 10 * PAGE, fd, prot: R });
    const text = s.proc.map({
      length: 10 * PAGE,
      fd: s.proc.fd(s.kit.file(10)),
      prot: RX,
      flags: MAP_PRIVATE,
    });
    for (let i = 0; i < 10; i++) {
      s.proc.store(anon + i * PAGE, 1);
      s.proc.load(file + i * PAGE);
      s.proc.load(text + i * PAGE);
    }
    s.want(62);
    const name = { anonymous: 'anon', file: 'file', program: 'exec' } as const;
    s.exp[`${name[kind]}min`] = percent(95);
    s.scan();
    s.scan();
    s.want(8);
    s.kit.settle();
    expect(s.exp[counter]).toBeGreaterThan(0);
    const left = [s.exp.anonpages, s.exp.filepages, s.exp.execpages];
    expect(left).toEqual(['anonymous', 'file', 'program'].map((each) => (each === kind ? 10 : 0)));
    s.kit.check();
  });

  it('takes from whoever exceeds his maximum, and from anyone if nobody may be taken from', () => {
    const s = setup();
    const anon = s.proc.map({ length: 20 * PAGE });
    const file = s.proc.map({ length: 10 * PAGE, fd: s.proc.fd(s.kit.file(10)), prot: R });
    for (let i = 0; i < 20; i++) s.proc.store(anon + i * PAGE, 1);
    for (let i = 0; i < 10; i++) s.proc.load(file + i * PAGE);
    s.want(62);
    s.exp.filemax = percent(5);
    for (let i = 0; i < 4; i++) s.scan();
    expect([s.exp.anonpages, s.exp.filepages]).toEqual([20, 0]);
    for (const kind of ['anon', 'file', 'exec'] as const) s.exp[`${kind}min`] = percent(95);
    for (let i = 0; i < 4; i++) s.scan();
    s.kit.settle();
    expect(s.exp.pdreanon).toBeGreaterThan(0);
    s.exp.swpgonly = s.exp.swpages;
    expect(s.uvm.swap.full).toBe(true);
  });

  it('takes slots back from pages in memory when all are taken', () => {
    const s = setup({ slots: 20 });
    const va = s.proc.map({ length: 90 * PAGE });
    for (let i = 0; i < 60; i++) s.proc.store(va + i * PAGE, i + 1);
    s.kit.settle();
    // Read what is on swap, so that slots and pages hold the same.
    for (let i = 0; i < 60; i++) expect(s.proc.load(va + i * PAGE)).toBe(i + 1);
    for (let i = 0; i < 60; i++) s.proc.store(va + i * PAGE, i + 2);
    for (let i = 0; i < 60; i++) expect(s.proc.load(va + i * PAGE)).toBe(i + 2);
    s.kit.settle();
    s.kit.check();
    expect(s.exp.swpginuse).toBeLessThanOrEqual(20);
  });

  it('takes back no more slots than pages are wanted, and only where a scan freed nothing', () => {
    const s = setup({ slots: 20 });
    const va = s.proc.map({ length: 20 * PAGE });
    for (let i = 0; i < 20; i++) s.proc.store(va + i * PAGE, i + 1);
    s.want(62);
    // All of it goes to swap and comes back; the slots stay with it.
    for (let i = 0; i < 4; i++) {
      s.scan();
      s.kit.settle();
    }
    expect(s.exp.swpgonly).toBe(20);
    s.want(8);
    for (let i = 0; i < 20; i++) expect(s.proc.load(va + i * PAGE)).toBe(i + 1);
    expect([s.exp.swpginuse, s.exp.swpgonly, s.exp.inactive]).toEqual([20, 0, 0]);
    s.want(s.exp.free + 5);
    s.scan();
    expect(s.exp.swpginuse).toBe(15);
    // Their only copy is in memory now, and goes to a slot when it has to.
    s.want(62);
    for (let i = 0; i < 4; i++) {
      s.scan();
      s.kit.settle();
    }
    for (let i = 0; i < 20; i++) expect(s.proc.load(va + i * PAGE)).toBe(i + 1);
  });

  it('gives up after sixteen dirty pages that have nowhere to go', () => {
    const s = setup({ slots: 4 });
    const va = s.proc.map({ length: 40 * PAGE });
    for (let i = 0; i < 40; i++) s.proc.store(va + i * PAGE, 1);
    s.want(62);
    s.scan();
    s.scan();
    s.kit.settle();
    expect(s.uvm.swap.full).toBe(true);
    s.scan();
    const { pdscans } = s.exp;
    expect(s.exp.inactive).toBeGreaterThan(20);
    s.scan();
    expect(s.exp.pdscans - pdscans).toBe(16);
  });

  it('lets maps without a thread of late forget their mappings', () => {
    const s = setup();
    const va = s.proc.map({ length: 10 * PAGE });
    for (let i = 0; i < 10; i++) s.proc.store(va + i * PAGE, 1);
    s.proc.space.map.idle = true;
    s.want(62);
    s.scan();
    expect(s.uvm.pmap.residentCount(s.proc.space.pmap)).toBe(0);
    expect(s.exp.pdswout).toBe(1);
  });

  it('makes progress with no free page', () => {
    const s = setup();
    const va = s.proc.map({ length: 50 * PAGE });
    for (let i = 0; i < 40; i++) s.proc.store(va + i * PAGE, i + 1);
    const held: number[] = [];
    s.exp.reserve_kernel = 0;
    s.exp.reserve_pagedaemon = 0;
    for (let page; (page = s.pages.alloc(null, 0, NO_OWNER, 0)) !== NO_PAGE;) held.push(page);
    s.exp.reserve_kernel = 5;
    expect(s.exp.free).toBe(0);
    s.pages.kernelPages = held.length;
    s.proc.store(va + 45 * PAGE, 9);
    s.kit.settle();
    for (let i = 0; i < 40; i++) expect(s.proc.load(va + i * PAGE)).toBe(i + 1);
  });
});

describe('when nothing can be freed', () => {
  const exhaust = (s: ReturnType<typeof setup>) => {
    const taken: number[] = [];
    for (let page; (page = s.pages.alloc(null, 0, NO_OWNER, 0)) !== NO_PAGE;) taken.push(page);
    for (const page of taken) s.pages.flags[page] = 0;
    s.pages.kernelPages += taken.length;
    return taken;
  };

  it('whoever waits is told, one at a time', () => {
    const s = setup();
    const va = s.proc.map({ length: 4 * PAGE });
    const taken = exhaust(s);
    const first = s.kit.start(s.proc.access(va, W));
    const second = s.kit.start(s.proc.access(va + PAGE, W));
    expect(s.kit.run(s.proc.access(va + 2 * PAGE, W)).error).toBe(ENOMEM);
    for (const page of taken.splice(0)) s.pages.free(page);
    s.pages.kernelPages = 0;
    s.uvm.wakeup(CHANNEL_MEMORY);
    s.kit.settle();
    expect([first.done, second.done]).toEqual([true, true]);
    expect(s.proc.try(va, W)).toBe(0);
    s.kit.check();
  });

  it('the kernel, which cannot do without, panics and says so', () => {
    const s = setup();
    exhaust(s);
    expect(() => s.kit.run(s.uvm.km.zalloc(s.uvm.kernelMap, 9 * PAGE))).toThrow(
      'out of memory and swap, and nothing can be freed',
    );
  });

  it('a file is refused, too, and a shared segment', () => {
    const s = setup({ slots: 0 });
    const va = s.proc.map({ length: PAGE, fd: s.proc.fd(s.kit.file(1)), prot: R });
    exhaust(s);
    expect(s.proc.try(va, R)).toBe(ENOMEM);
  });

  it('but for a transfer, that is waited for', () => {
    const s = setup();
    const va = s.proc.map({ length: PAGE, fd: s.proc.fd(s.kit.file(1)), prot: R });
    const hole = s.proc.map({ length: PAGE });
    const under = s.kit.start(s.proc.access(va, R));
    expect(under.done).toBe(false);
    exhaust(s);
    s.proc.try(hole, RW);
    expect(under.done).toBe(true);
    s.kit.check();
  });

  it('because every write of a file fails, whoever waits is told in the end', () => {
    const s = setup({ slots: 0 });
    const file = s.kit.file(70);
    const va = s.proc.map({ length: 70 * PAGE, fd: s.proc.fd(file), flags: MAP_SHARED });
    file.writeError = EIO;
    const refused = [];
    for (let i = 0; i < 70; i++) if (s.proc.try(va + i * PAGE, W) === ENOMEM) refused.push(i);
    expect(refused.length).toBeGreaterThan(0);
    s.kit.settle();
    s.kit.check();
    file.writeError = 0;
    for (const i of refused) expect(s.proc.try(va + i * PAGE, W)).toBe(0);
    s.kit.settle();
    s.kit.check();
  });
});
