import { describe, expect, it } from 'vitest';
import { fileByte, Kit, PAGE, R, W } from '../test/kit.ts';
import { MAP_SHARED } from './mmap.ts';
import { NO_OWNER, NO_PAGE, PG_RDONLY, PQ_ANON } from './page.ts';
import { CHANNEL_MEMORY, VM_FAULT_WIREMAX } from './types.ts';
import { unloan } from './loan.ts';
import { faultWire } from './wire.ts';

/*
 * Loans are not made here yet (uvm_loan comes with a later issue); these set one up by hand, as uvm_loan leaves it.
 */
function setup() {
  const kit = new Kit();
  const { uvm } = kit;
  const proc = kit.proc();
  const file = kit.file(4);
  const va = proc.map({ length: 2 * PAGE });
  const shared = proc.map({ length: 2 * PAGE, fd: proc.fd(file), flags: MAP_SHARED });
  proc.store(va, 5);
  proc.load(shared);
  const { pages, anons, pmap } = uvm;
  /** The kernel borrows a page: O→K or A→K. */
  const lend = (page: number) => {
    pmap.pageProtect(pages.pageAddress(page), R);
    pages.loanCount[page]!++;
  };
  const lendToKernel = (page: number) => {
    lend(page);
    uvm.lentPages.set(page, 1);
    pages.wire(page);
  };
  /** An anon in the process' amap borrows the file's page: O→A. */
  const borrow = (slot: number) => {
    const page = pages.lookup(file.vnode, 0);
    lend(page);
    const anon = anons.alloc();
    anons.page[anon] = page;
    pages.uanon[page] = anon;
    const amap = proc.entry(va).amap!;
    amap.anon[slot] = anon;
    amap.bckptr[slot] = amap.nused;
    amap.slots[amap.nused++] = slot;
    return { anon, page };
  };
  const takeAll = () => {
    const taken: number[] = [];
    for (;;) {
      const page = pages.alloc(null, 0, NO_OWNER, 0);
      if (page === NO_PAGE) break;
      taken.push(page);
    }
    uvm.daemon = { wake: () => undefined };
    kit.uvm.swap.on(kit.swap(2), 0);
    kit.onStuck = () => {
      for (const page of taken.splice(0)) pages.free(page);
      uvm.wakeup(CHANNEL_MEMORY);
      return true;
    };
  };
  return { kit, uvm, proc, file, va, shared, pages, anons, pmap, lendToKernel, borrow, takeAll };
}

describe('a page on loan to the kernel', () => {
  it('is read as it is, without WRITE, and replaced for a store: the borrower keeps the old one (anon)', () => {
    const s = setup();
    const old = s.proc.mapped(s.va);
    s.lendToKernel(old);
    s.pmap.collect(s.proc.space.pmap);
    expect(s.proc.load(s.va)).toBe(5);
    expect(s.proc.mapped(s.va)).toBe(old);
    s.takeAll();
    s.proc.store(s.va, 6);
    expect(s.proc.mapped(s.va)).not.toBe(old);
    expect(s.kit.memory.read8(s.pages.pageAddress(old))).toBe(5);
    expect([s.pages.uanon[old], s.pages.pqflags[old], s.pages.loanCount[old]]).toEqual([
      NO_OWNER,
      0,
      1,
    ]);
    s.kit.check();
  });

  it('is read as it is, and replaced in its object for a store', () => {
    const s = setup();
    const old = s.proc.mapped(s.shared);
    s.lendToKernel(old);
    s.pmap.collect(s.proc.space.pmap);
    expect(s.proc.load(s.shared)).toBe(fileByte(0));
    expect(s.proc.mapped(s.shared)).toBe(old);
    s.takeAll();
    s.proc.store(s.shared, 9);
    const page = s.proc.mapped(s.shared);
    expect(page).not.toBe(old);
    expect(s.pages.lookup(s.file.vnode, 0)).toBe(page);
    expect(s.kit.memory.read8(s.pages.pageAddress(old))).toBe(fileByte(0));
    expect([s.pages.uobject[old], s.pages.loanCount[old]]).toEqual([NO_OWNER, 1]);
    s.kit.check();
  });

  it('over a hole stays read-only when wiring replaces it', () => {
    const s = setup();
    const old = s.proc.mapped(s.shared);
    s.lendToKernel(old);
    s.pages.flags[old]! |= PG_RDONLY;
    s.proc.entry(s.shared).protection = R;
    const wire = faultWire(
      s.uvm,
      s.proc.space.map,
      s.shared,
      s.shared + PAGE,
      VM_FAULT_WIREMAX,
      R | W,
    );
    expect(s.kit.run(wire)).toBe(0);
    const page = s.proc.mapped(s.shared);
    expect(page).not.toBe(old);
    expect(s.pages.flags[page]! & PG_RDONLY).toBe(PG_RDONLY);
  });

  it('is let go by its owner and stays with its borrower', () => {
    const s = setup();
    const old = s.proc.mapped(s.va);
    s.lendToKernel(old);
    const free = s.kit.exp.free;
    s.proc.munmap(s.va, 2 * PAGE);
    expect(s.kit.exp.free).toBe(free);
    s.kit.check();
    unloan(s.uvm, [old], 'page');
    expect(s.kit.exp.free).toBe(free + 1);
    s.kit.check();
  });
});

describe('a page that an anon has borrowed from an object', () => {
  it('is mapped through the anon, and given back by a store', () => {
    const s = setup();
    const { anon, page } = s.borrow(1);
    s.kit.check();
    expect(s.proc.load(s.va + PAGE)).toBe(fileByte(0));
    expect(s.proc.mapped(s.va + PAGE)).toBe(page);
    s.proc.store(s.va + PAGE, 3);
    expect(s.anons.page[anon]).not.toBe(page);
    expect([s.pages.uanon[page], s.pages.loanCount[page]]).toEqual([NO_OWNER, 0]);
    expect(s.proc.load(s.shared)).toBe(fileByte(0));
    s.kit.check();
  });

  it('is given back when the anon dies', () => {
    const s = setup();
    const { page } = s.borrow(1);
    s.proc.munmap(s.va, 2 * PAGE);
    expect([s.pages.uanon[page], s.pages.loanCount[page]]).toEqual([NO_OWNER, 0]);
    s.kit.check();
  });

  it('is the anon’s own once the object has let it go', () => {
    const s = setup();
    const { anon, page } = s.borrow(1);
    s.kit.run(s.file.vnode.pgops.put(s.uvm, s.file.vnode, 0, 0, 8));
    expect([s.pages.uobject[page], s.pages.loanCount[page]]).toEqual([NO_OWNER, 0]);
    expect(s.pages.pqflags[page]! & PQ_ANON).toBe(PQ_ANON);
    expect(s.proc.load(s.va + PAGE)).toBe(fileByte(0));
    s.kit.check();
    expect(s.anons.page[anon]).toBe(page);
  });

  it.each(['a fault', 'its death'])('is adopted by %s if it was left without an owner', (by) => {
    const s = setup();
    const { anon, page } = s.borrow(1);
    s.pmap.pageProtect(s.pages.pageAddress(page), 0);
    s.pages.remove(page); // As a loan whose object went without a word: what uvm_pagerealloc leaves.
    if (by === 'a fault') {
      expect(s.proc.load(s.va + PAGE)).toBe(fileByte(0));
      expect(s.pages.pqflags[page]! & PQ_ANON).toBe(PQ_ANON);
    } else {
      s.proc.munmap(s.va, 2 * PAGE);
      expect(s.anons.ref[anon]).toBe(0);
    }
    s.kit.check();
  });
});
