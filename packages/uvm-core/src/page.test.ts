import { NO_PA } from '@uvmkit/pmap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Kit, PAGE } from '../test/kit.ts';
import { Anons } from './anon.ts';
import { Uvmexp } from './exp.ts';
import { type PagerOps, UVM_OBJ_KERN, UvmObject } from './object.ts';
import {
  NO_OWNER,
  NO_PAGE,
  PG_BUSY,
  PG_CLEAN,
  PG_FAKE,
  PG_PAGEOUT,
  PG_RELEASED,
  PG_TABLED,
  PG_ZERO,
  Pages,
  PQ_ACTIVE,
  PQ_AOBJ,
  PQ_FREE,
  PQ_INACTIVE,
  UVM_PGA_USERESERVE,
  UVM_PGA_ZERO,
} from './page.ts';
import { vnodePager } from './vnode.ts';

const memoryPager: PagerOps = { ...vnodePager, name: 'memory', census: 'anon' };
const kernelPager: PagerOps = { ...vnodePager, name: 'kernel', census: 'none' };

describe('allocating a page', () => {
  it('gives one that is BUSY, CLEAN and FAKE, and its owner’s', () => {
    const { uvm, exp } = new Kit();
    const { pages, anons } = uvm;
    const object = new UvmObject(uvm, memoryPager);
    const mine = pages.alloc(object, 5, NO_OWNER, 0);
    expect(pages.flags[mine]).toBe(PG_BUSY | PG_CLEAN | PG_FAKE | PG_TABLED);
    expect([pages.lookup(object, 5), object.npages, pages.pqflags[mine]]).toEqual([
      mine,
      1,
      PQ_AOBJ,
    ]);
    const anon = anons.alloc();
    const page = pages.alloc(null, 0, anon, 0);
    expect([pages.uanon[page], anons.page[anon], exp.anonpages]).toEqual([anon, page, 2]);
    expect(pages.alloc(null, 0, NO_OWNER, 0)).not.toBe(NO_PAGE);
  });

  it('leaves the reserves to those who may have them', () => {
    const { uvm, exp } = new Kit();
    const { pages } = uvm;
    let kicks = 0;
    uvm.daemon = { wake: () => kicks++ };
    const kernel = new UvmObject(uvm, kernelPager);
    kernel.refs = UVM_OBJ_KERN;
    while (pages.alloc(null, 0, NO_OWNER, 0) !== NO_PAGE);
    expect(exp.free).toBe(exp.reserve_kernel);
    expect(kicks).toBeGreaterThan(0);
    expect(pages.alloc(kernel, 0, NO_OWNER, 0)).not.toBe(NO_PAGE);
    while (pages.alloc(null, 0, NO_OWNER, UVM_PGA_USERESERVE) !== NO_PAGE);
    expect(exp.free).toBe(exp.reserve_pagedaemon);
    expect(pages.allocPage()).toBe(NO_PA);
  });

  it('kicks the daemon too when few pages are free and few inactive', () => {
    const { uvm, exp } = new Kit();
    let kicks = 0;
    uvm.daemon = { wake: () => kicks++ };
    exp.freetarg = exp.npages + 1;
    uvm.pages.alloc(null, 0, NO_OWNER, 0);
    expect(kicks).toBe(0);
    exp.inactarg = 1;
    uvm.pages.alloc(null, 0, NO_OWNER, 0);
    expect(kicks).toBe(1);
  });

  it('takes the colours in turn', () => {
    const { uvm, exp } = new Kit({ colours: 4 });
    const colours = Array.from({ length: 6 }, () => uvm.pages.alloc(null, 0, NO_OWNER, 0) & 3);
    expect(colours).toEqual([0, 1, 2, 3, 0, 1]);
    expect([exp.colorhit, exp.colormiss]).toEqual([6, 0]);
    for (const page of [...uvm.pages.freePages()])
      if ((page & 3) === 2) {
        const pages = uvm.pages;
        pages.queues.remove(2 + 4, page);
        pages.pqflags[page] = 0;
        exp.free--;
      }
    expect(uvm.pages.alloc(null, 0, NO_OWNER, 0) & 3).toBe(3);
    expect([exp.colorhit, exp.colormiss]).toEqual([6, 1]);
  });

  it('gives zeroed pages to those who want them, and keeps them from the others', () => {
    const kit = new Kit();
    const { uvm, exp } = kit;
    const { pages } = uvm;
    for (const page of pages.freePages())
      uvm.memory.bytes.fill(7, pages.pageAddress(page), pages.pageAddress(page) + PAGE);
    expect([pages.idleZero(6, 4), pages.idleZero(6, 4), pages.idleZero(6, 4)]).toEqual([4, 2, 0]);
    expect(exp.zeropages).toBe(6);
    kit.check();
    const plain = pages.alloc(null, 0, NO_OWNER, 0);
    expect(uvm.memory.read8(pages.pageAddress(plain))).toBe(7);
    for (let i = 0; i < 8; i++) {
      const page = pages.alloc(null, 0, NO_OWNER, UVM_PGA_ZERO);
      expect(uvm.memory.read8(pages.pageAddress(page))).toBe(0);
      expect(pages.flags[page]! & (PG_CLEAN | PG_ZERO)).toBe(0);
    }
    expect([exp.pga_zerohit, exp.pga_zeromiss, exp.zeropages]).toEqual([6, 2, 0]);
  });

  it('zeroes no more than there are', () => {
    const { uvm, exp } = new Kit();
    expect(uvm.pages.idleZero(1e6, 1e6)).toBe(exp.npages);
    expect(exp.zeropages).toBe(exp.free);
    expect(uvm.pages.alloc(null, 0, NO_OWNER, 0)).not.toBe(NO_PAGE);
    expect(exp.zeropages).toBe(exp.free);
  });

  it('panics if the count of free pages is wrong', () => {
    const { uvm } = new Kit();
    while (uvm.pages.alloc(null, 0, NO_OWNER, UVM_PGA_USERESERVE) !== NO_PAGE);
    uvm.pages.alloc(null, 0, NO_OWNER, UVM_PGA_USERESERVE);
    uvm.exp.free = 99;
    const last = () => uvm.pages.alloc(null, 0, NO_OWNER, 0);
    last();
    expect(last).toThrow('free count and free queues disagree');
  });

  it('for the port gives zeroed pages that nobody owns', () => {
    const kit = new Kit();
    const { pages } = kit.uvm;
    const pa = pages.allocPage();
    const page = pages.pageIndex(pa);
    expect([pages.tablePages, pages.flags[page], pages.uobject[page]]).toEqual([1, 0, NO_OWNER]);
    kit.check();
    pages.freePage(pa);
    expect(pages.tablePages).toBe(0);
    kit.check();
  });
});

describe('freeing a page', () => {
  it('takes it from its owner, its queue and its wiring', () => {
    const kit = new Kit();
    const { pages, anons } = kit.uvm;
    const { exp } = kit;
    const anon = anons.alloc();
    const page = pages.alloc(null, 0, anon, 0);
    pages.wire(page);
    pages.wire(page);
    anons.swslot[anon] = 3;
    pages.free(page);
    expect([exp.wired, exp.anonpages, exp.swpgonly, anons.page[anon]]).toEqual([0, 0, 1, NO_PAGE]);
    expect([pages.pqflags[page], pages.flags[page], pages.wireCount[page]]).toEqual([
      PQ_FREE,
      0,
      0,
    ]);
    expect(() => pages.free(page)).toThrow('free already');
    const other = pages.alloc(null, 0, NO_OWNER, 0);
    pages.flags[other]! |= PG_PAGEOUT;
    expect(() => pages.free(other)).toThrow('being paged out');
  });

  it('of an object that was released while busy is done by whoever holds it', () => {
    const { uvm, exp } = new Kit();
    const object = new UvmObject(uvm, kernelPager);
    const page = uvm.pages.alloc(object, 0, NO_OWNER, 0);
    const { free } = exp;
    uvm.pages.flags[page]! |= PG_RELEASED;
    uvm.unbusy(page);
    expect([exp.free, object.npages]).toEqual([free + 1, 0]);
  });
});

describe('an object’s pages', () => {
  it('are found by object and index, as in a plain map', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), fc.nat(40)), { maxLength: 120 }), (ops) => {
        const { uvm } = new Kit();
        const objects = [0, 1, 2].map(() => new UvmObject(uvm, kernelPager));
        const model = new Map<string, number>();
        for (const [which, index] of ops) {
          const key = `${which} ${index}`;
          const held = model.get(key);
          if (held === undefined)
            model.set(key, uvm.pages.alloc(objects[which]!, index, NO_OWNER, 0));
          else {
            uvm.pages.free(held);
            model.delete(key);
          }
        }
        for (const [which, object] of objects.entries()) {
          const listed = new Set<number>();
          for (let page = object.memq; page >= 0; page = uvm.pages.nextInObject(page))
            listed.add(page);
          expect(listed.size).toBe(object.npages);
          for (let index = 0; index <= 40; index++) {
            const page = model.get(`${which} ${index}`);
            expect(uvm.pages.lookup(object, index)).toBe(page ?? NO_PAGE);
            if (page !== undefined) expect(listed.has(page)).toBe(true);
          }
        }
      }),
      { numRuns: 30, seed: 4 },
    );
  });

  it('are found among others in the same place of the hash, whichever goes first', () => {
    const { uvm } = new Kit();
    const object = new UvmObject(uvm, kernelPager);
    const size = 2 ** Math.ceil(Math.log2(uvm.pages.pageCount));
    const held = [0, 1, 2, 3].map((i) => uvm.pages.alloc(object, i * size, NO_OWNER, 0));
    for (const gone of [1, 0, 3]) {
      uvm.pages.free(held[gone]!);
      held[gone] = NO_PAGE;
      expect([0, 1, 2, 3].map((i) => uvm.pages.lookup(object, i * size))).toEqual(held);
    }
  });

  it('belong to objects that there are', () => {
    const { uvm } = new Kit();
    expect(() => uvm.objectById(99)).toThrow('no such object');
    expect(new UvmObject(uvm, kernelPager).id).toBe(uvm.objects.length - 1);
  });
});

describe('the paging queues', () => {
  it('hold unwired pages in the order in which they came', () => {
    const { uvm, exp } = new Kit();
    const { pages } = uvm;
    const anon = () => pages.alloc(null, 0, uvm.anons.alloc(), 0);
    const [a, b, c] = [anon(), anon(), anon()];
    for (const page of [a, b, c]) pages.activate(page);
    pages.activate(a);
    expect([...pages.queued(PQ_ACTIVE)]).toEqual([b, c, a]);
    pages.deactivate(c);
    pages.deactivate(c);
    pages.deactivate(b);
    expect([...pages.queued(PQ_INACTIVE)]).toEqual([c, b]);
    expect([exp.active, exp.inactive]).toEqual([1, 2]);
    pages.activate(c);
    expect([exp.active, exp.inactive]).toEqual([2, 1]);
    pages.dequeue(b);
    pages.dequeue(b);
    pages.dequeue(a);
    expect([...pages.queued(PQ_ACTIVE), exp.inactive]).toEqual([c, 0]);
  });

  it('do not hold wired pages, which come back active', () => {
    const { uvm, exp } = new Kit();
    const { pages } = uvm;
    const page = pages.alloc(null, 0, uvm.anons.alloc(), 0);
    pages.activate(page);
    pages.wire(page);
    pages.wire(page);
    expect([exp.wired, exp.active, pages.pqflags[page]! & PQ_ACTIVE]).toEqual([1, 0, 0]);
    pages.activate(page);
    expect(exp.active).toBe(0);
    expect(() => pages.deactivate(page)).toThrow('page is wired');
    uvm.deactivateIdle(page);
    pages.unwire(page);
    expect(exp.wired).toBe(1);
    pages.unwire(page);
    expect([exp.wired, exp.active]).toEqual([0, 1]);
    expect(() => pages.unwire(page)).toThrow('wire count underflow');
  });

  it('are told of to whoever watches', () => {
    const kit = new Kit();
    const seen: string[] = [];
    kit.events.watch((name, _pa, value) => seen.push(`${name} ${value}`));
    const { pages } = kit.uvm;
    const object = new UvmObject(kit.uvm, kernelPager);
    const page = pages.alloc(object, 3, NO_OWNER, 0);
    pages.activate(page);
    pages.deactivate(page);
    pages.free(page);
    expect(seen).toEqual([
      `page.alloc ${object.id}`,
      `page.queue ${PQ_ACTIVE}`,
      `page.queue ${PQ_INACTIVE}`,
      'page.free 0',
    ]);
  });
});

describe('physical memory', () => {
  it('may have gaps between its segments', () => {
    const exp = new Uvmexp();
    const kit = new Kit();
    const pages = new Pages({
      pmap: kit.uvm.pmap,
      events: kit.events,
      exp,
      anons: new Anons(exp, () => undefined),
      pageSize: PAGE,
      segments: [
        { start: 4 * PAGE, end: 6 * PAGE },
        { start: 10 * PAGE, end: 13 * PAGE },
      ],
      colours: 1,
      objectById: (id) => kit.uvm.objectById(id),
      kickDaemon: () => undefined,
    });
    expect(pages.pageCount).toBe(5);
    expect([0, 1, 2, 3, 4].map((page) => pages.pageAddress(page) / PAGE)).toEqual([
      4, 5, 10, 11, 12,
    ]);
    expect([4, 5, 10, 12].map((frame) => pages.pageIndex(frame * PAGE + 9))).toEqual([0, 1, 2, 4]);
    expect([3, 6, 9, 13].map((frame) => pages.isManaged(frame * PAGE))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('costs a page some sixty bytes of bookkeeping', () => {
    const { uvm, exp } = new Kit({ memory: 16 << 20 });
    expect((uvm.pages.bytes + uvm.anons.bytes) / exp.npages).toBeLessThan(70);
  });

  it('sets the thresholds of 2001', () => {
    const { exp } = new Kit({ memory: 16 << 20 });
    expect([exp.npages, exp.freemin, exp.freetarg, exp.wiredmax]).toEqual([4096, 64, 85, 1365]);
    expect(exp.nanon).toBe(4096 - 256);
    const small = new Kit({ memory: 64 * PAGE }).exp;
    expect([small.freemin, small.freetarg]).toEqual([6, 8]);
  });

  it('wants a power of two of colours', () => {
    expect(() => new Kit({ colours: 3 })).toThrow('page colours must be a power of two, given 3');
    expect(() => new Kit({ colours: 0 })).toThrow(RangeError);
  });

  it('is made coherent for devices only where the port has to', () => {
    const { uvm } = new Kit();
    const synced: number[][] = [];
    uvm.syncForDevice(PAGE);
    Object.assign(uvm.md, { syncForDevice: (...range: number[]) => synced.push(range) });
    uvm.syncForDevice(PAGE);
    expect([synced, uvm.addressOf(0)]).toEqual([[[PAGE, PAGE]], uvm.pages.pageAddress(0)]);
  });
});
