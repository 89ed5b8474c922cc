import { EINVAL, EIO, ENOENT, ENOMEM, type Va } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { fileByte, Kit, type KitOptions, PAGE, type Proc, R, RW } from '../test/kit.ts';
import { Aobj } from './aobj.ts';
import { NO_ANON } from './anon.ts';
import { loan, type LoanTo, unloan } from './loan.ts';
import { uvmMap } from './map.ts';
import { MAP_SHARED } from './mmap.ts';
import { NO_OWNER, PQ_ANON } from './page.ts';
import { MAP_INHERIT_SHARE, PGO_CLEANIT, PGO_FREE } from './types.ts';

function setup(options: KitOptions = {}) {
  const kit = new Kit(options);
  const { uvm } = kit;
  const proc = kit.proc();
  const file = kit.file(4);
  const va = proc.map({ length: 4 * PAGE });
  const shared = proc.map({ length: 4 * PAGE, fd: proc.fd(file), flags: MAP_SHARED });
  proc.store(va, 5);
  proc.store(va + PAGE, 6);
  const { pages, anons } = uvm;
  const lend = (of: Proc, at: Va, length: number, to: LoanTo): number[] => {
    const lent = kit.run(loan(uvm, of.space.map, at, length, to));
    if (typeof lent === 'number') throw new Error(`loan: ${lent}`);
    kit.check();
    return [...lent];
  };
  const refuse = (at: Va, length: number, to: LoanTo) =>
    kit.run(loan(uvm, proc.space.map, at, length, to));
  const give = (lent: number[], to: LoanTo) => {
    unloan(uvm, lent, to);
    kit.check();
  };
  const byte = (page: number) => kit.memory.read8(pages.pageAddress(page));
  return { kit, uvm, exp: kit.exp, proc, file, va, shared, pages, anons, lend, refuse, give, byte };
}

describe('a loan to the kernel', () => {
  it('of anonymous memory is broken by a store, and the kernel keeps what it was lent', () => {
    const s = setup();
    const lent = s.lend(s.proc, s.va, 2 * PAGE, 'page');
    expect(s.pages.wireCount[lent[0]!]).toBe(1);
    s.proc.store(s.va, 9);
    s.kit.check();
    expect([s.proc.load(s.va), s.byte(lent[0]!), s.byte(lent[1]!)]).toEqual([9, 5, 6]);
    const { free } = s.exp;
    s.give(lent, 'page');
    expect([s.exp.free, s.exp.wired]).toEqual([free + 1, 0]);
  });

  it('of a file’s page is broken by a store, and may be made twice', () => {
    const s = setup();
    const lent = [
      ...s.lend(s.proc, s.shared, PAGE, 'page'),
      ...s.lend(s.proc, s.shared, PAGE, 'page'),
    ];
    expect(s.pages.loanCount[lent[0]!]).toBe(2);
    s.proc.store(s.shared, 9);
    s.kit.check();
    expect(s.byte(lent[0]!)).toBe(fileByte(0));
    expect(s.pages.uobject[lent[0]!]).toBe(NO_OWNER);
    s.give([lent[0]!], 'page');
    s.give([lent[1]!], 'page');
  });

  it('outlives its owner', () => {
    const s = setup();
    const lent = s.lend(s.proc, s.va, PAGE, 'page');
    s.proc.exit();
    s.kit.check();
    expect(s.byte(lent[0]!)).toBe(5);
    s.give(lent, 'page');
    s.kit.check({ idle: true });
  });

  it('of memory never touched is a page of zeroes that only the kernel has', () => {
    const s = setup();
    const lent = s.lend(s.proc, s.va + 3 * PAGE, PAGE, 'page');
    expect(s.byte(lent[0]!)).toBe(0);
    expect(s.proc.anon(s.va + 3 * PAGE)).toBe(NO_ANON);
    s.give(lent, 'page');
  });

  it('of what is on swap brings it in', () => {
    const s = setup({ memory: 48 * PAGE });
    s.uvm.swap.on(s.kit.swap(100), 0);
    s.kit.startDaemon();
    const big = s.proc.map({ length: 60 * PAGE });
    for (let i = 0; i < 60; i++) s.proc.store(big + i * PAGE, i + 1);
    s.kit.settle();
    const at = [...Array(60).keys()].find((i) => s.anons.page[s.proc.anon(big + i * PAGE)] === -1)!;
    const lent = s.lend(s.proc, big + at * PAGE, PAGE, 'page');
    expect(s.byte(lent[0]!)).toBe(at + 1);
    s.give(lent, 'page');
    s.kit.settle();
    s.kit.check();
  });
});

describe('a loan to anons', () => {
  it('of an anon is one more reference: a store copies', () => {
    const s = setup();
    const lent = s.lend(s.proc, s.va, PAGE, 'anon');
    expect([lent[0], s.anons.ref[lent[0]!]]).toEqual([s.proc.anon(s.va), 2]);
    s.proc.store(s.va, 9);
    s.kit.check();
    expect(s.byte(s.anons.page[lent[0]!]!)).toBe(5);
    s.give(lent, 'anon');
  });

  it('of a file’s page borrows it; the next borrower shares the anon; a store gives the file a new page', () => {
    const s = setup();
    const lent = [
      ...s.lend(s.proc, s.shared, PAGE, 'anon'),
      ...s.lend(s.proc, s.shared, PAGE, 'anon'),
    ];
    expect(lent[0]).toBe(lent[1]);
    const page = s.anons.page[lent[0]!]!;
    expect(s.pages.lookup(s.file.vnode, 0)).toBe(page);
    s.proc.store(s.shared, 9);
    s.kit.check();
    expect(s.pages.pqflags[page]! & PQ_ANON).toBe(PQ_ANON);
    expect([s.byte(page), s.proc.load(s.shared)]).toEqual([fileByte(0), 9]);
    s.give(lent, 'anon');
  });

  it('of a file’s page is the anon’s own once the file has let it go, and can be swapped', () => {
    const s = setup();
    const lent = s.lend(s.proc, s.shared, PAGE, 'anon');
    s.kit.run(s.file.vnode.pgops.put(s.uvm, s.file.vnode, 0, PAGE, PGO_CLEANIT | PGO_FREE));
    s.kit.check();
    expect(s.pages.uobject[s.anons.page[lent[0]!]!]).toBe(NO_OWNER);
    s.give(lent, 'anon');
  });

  it('and to the kernel of one page: each keeps it as long as it needs it', () => {
    const s = setup();
    const anons = s.lend(s.proc, s.shared, PAGE, 'anon');
    const pages = s.lend(s.proc, s.shared, PAGE, 'page');
    expect(s.pages.loanCount[pages[0]!]).toBe(2);
    s.proc.store(s.shared, 9);
    s.kit.check();
    s.give(anons, 'anon');
    expect(s.byte(pages[0]!)).toBe(fileByte(0));
    s.give(pages, 'page');
  });

  it('of an anonymous object’s page that is on swap counts the slot when the object lets go', () => {
    const s = setup();
    const aobj = new Aobj(s.uvm, 2);
    const attributes = { prot: RW, maxProt: RW, inherit: MAP_INHERIT_SHARE, advice: 0, flags: 0 };
    const at = uvmMap(s.uvm, s.proc.space.map, 64 << 20, PAGE, aobj, 0, 0, attributes).start;
    s.proc.store(at, 3);
    const anons = s.lend(s.proc, at, PAGE, 'anon');
    s.proc.store(at, 4);
    s.kit.check();
    expect(s.byte(s.anons.page[anons[0]!]!)).toBe(3);
    s.give(anons, 'anon');
  });

  it('of memory never touched is a new anon', () => {
    const s = setup();
    const lent = s.lend(s.proc, s.va + 3 * PAGE, PAGE, 'anon');
    expect(s.byte(s.anons.page[lent[0]!]!)).toBe(0);
    s.give(lent, 'anon');
  });
});

describe('a loan that cannot be made', () => {
  it('takes back what was lent before it', () => {
    const s = setup();
    s.file.readError = EIO;
    expect(s.refuse(s.va + 3 * PAGE, 2 * PAGE, 'anon')).toBe(EINVAL);
    s.file.readError = 0;
    expect(s.refuse(s.va, 9 * PAGE, 'page')).toBe(ENOENT);
    s.kit.check();
    expect([s.uvm.lentPages.size, s.exp.wired]).toEqual([0, 0]);
    while (s.anons.alloc() !== NO_ANON);
    expect(s.refuse(s.shared, PAGE, 'anon')).toBe(ENOMEM);
    expect(s.refuse(s.va + 3 * PAGE, PAGE, 'anon')).toBe(ENOMEM);
    expect(s.proc.try(s.shared, R)).toBe(0);
  });

  it('is refused for shared memory without a page, and for a page that is not lent', () => {
    const s = setup();
    const both = s.proc.map({ length: PAGE, flags: MAP_SHARED | 0x1000 });
    expect(s.refuse(both, PAGE, 'page')).toBe(EINVAL);
    expect(() => unloan(s.uvm, [0], 'page')).toThrow('0 is not on loan');
  });

  it('waits for memory, and for the map', () => {
    const s = setup();
    s.proc.space.map.exclusive = true;
    const under = s.kit.start(loan(s.uvm, s.proc.space.map, s.va, PAGE, 'page'));
    s.kit.resume();
    expect(under.done).toBe(false);
    s.proc.space.map.exclusive = false;
    s.uvm.wakeup(s.proc.space.map.channel);
    s.kit.resume();
    expect(under.done).toBe(true);
  });
});
