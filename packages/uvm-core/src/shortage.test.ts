import { ENOMEM, KernelPanic } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { Kit, type KitOptions, PAGE, R, W } from '../test/kit.ts';
import { NO_ANON } from './anon.ts';
import { MAP_SHARED } from './mmap.ts';
import { NO_OWNER, NO_PAGE, PQ_ACTIVE } from './page.ts';
import { SwapCluster } from './swap-cluster.ts';
import { CHANNEL_MEMORY } from './types.ts';

/** A kit whose memory can be taken away, with a daemon that gives it back when it is waited for, or none. */
function short(options: KitOptions & { daemon: boolean; swap: boolean }) {
  const kit = new Kit(options);
  const { uvm, exp } = kit;
  const taken: number[] = [];
  let wakeups = 0;
  if (options.daemon) uvm.daemon = { wake: () => wakeups++ };
  if (options.swap) uvm.swap.on(kit.swap(101), 0);
  const release = () => {
    for (const page of taken.splice(0)) uvm.pages.free(page);
    uvm.wakeup(CHANNEL_MEMORY);
  };
  kit.onStuck = (channel) => {
    if (channel !== CHANNEL_MEMORY) return false;
    release();
    return true;
  };
  const takeAll = (leave = 0) => {
    for (;;) {
      const page = uvm.pages.alloc(null, 0, NO_OWNER, 0);
      if (page === NO_PAGE) break;
      taken.push(page);
    }
    for (let i = 0; i < leave; i++) uvm.pages.free(taken.pop()!);
  };
  const proc = kit.proc();
  const file = kit.file(4);
  return { kit, uvm, exp, proc, file, fd: proc.fd(file), takeAll, release, wakeups: () => wakeups };
}

describe('when memory is used up', () => {
  it('a fault that needs an anon’s page waits for the daemon if there is swap (zero fill, copy, 1B)', () => {
    const s = short({ daemon: true, swap: true });
    const va = s.proc.map({ length: 2 * PAGE });
    const text = s.proc.map({ length: PAGE, fd: s.fd });
    s.proc.store(va, 1);
    s.proc.load(text);
    const child = s.proc.fork();
    for (const store of [
      () => s.proc.store(va + PAGE, 2),
      () => s.proc.store(text, 3),
      () => child.store(va, 4),
    ]) {
      s.takeAll();
      store();
    }
    expect(s.exp.fltnoram).toBe(3);
    expect(s.wakeups()).toBeGreaterThan(0);
    expect([s.proc.load(va), s.proc.load(va + PAGE), s.proc.load(text), child.load(va)]).toEqual([
      1, 2, 3, 4,
    ]);
    s.kit.check();
  });

  it('a fork that copies locked pages goes on after a wait, though a copy of before is on swap by now', () => {
    const s = short({ daemon: true, swap: true });
    const va = s.proc.map({ length: 3 * PAGE });
    for (let i = 0; i < 3; i++) s.proc.store(va + i * PAGE, 10 + i);
    expect(s.proc.mlock(va, 3 * PAGE)).toBe(0);
    s.takeAll(1);
    const { onStuck } = s.kit;
    let copy: number = NO_PAGE;
    s.kit.onStuck = (channel) => {
      [copy] = [...s.uvm.pages.queued(PQ_ACTIVE)].slice(-1) as [number];
      const cluster = new SwapCluster(s.uvm);
      cluster.add(copy);
      cluster.flush();
      while (s.kit.disk.deliver());
      return onStuck(channel);
    };
    const child = s.proc.fork();
    expect(copy).not.toBe(NO_PAGE);
    expect([0, 1, 2].map((i) => child.load(va + i * PAGE))).toEqual([10, 11, 12]);
    expect(s.exp.pgswapin).toBe(1);
    s.kit.check();
  });

  it('it ends in ENOMEM if swap is used up, too, and nothing is lost', () => {
    const s = short({ daemon: true, swap: false });
    const va = s.proc.map({ length: 2 * PAGE });
    const text = s.proc.map({ length: PAGE, fd: s.fd });
    s.proc.store(va, 1);
    s.proc.load(text);
    const child = s.proc.fork();
    s.takeAll();
    const anons = s.exp.nfreeanon;
    expect(s.proc.try(va + PAGE, W)).toBe(ENOMEM);
    expect(s.proc.try(text, W)).toBe(ENOMEM);
    expect(child.try(va, W)).toBe(ENOMEM);
    expect([s.exp.fltnoanon, s.exp.nfreeanon]).toEqual([3, anons]);
    s.release();
    s.kit.check();
    s.proc.store(text, 3);
    expect(child.load(va)).toBe(1);
  });

  it('it ends in ENOMEM if there is no anon left', () => {
    const s = short({ daemon: true, swap: true });
    const va = s.proc.map({ length: PAGE });
    while (s.uvm.anons.alloc() !== NO_ANON);
    expect(s.proc.try(va, R)).toBe(ENOMEM);
    expect(s.exp.fltnoanon).toBe(1);
  });

  it('reading a file waits, at a hole and on the disk', () => {
    const s = short({ daemon: true, swap: true });
    const holes = s.kit.file({ size: PAGE, holes: [0] });
    const va = s.proc.map({ length: PAGE, fd: s.fd });
    const hole = s.proc.map({ length: PAGE, fd: s.proc.fd(holes) });
    s.takeAll();
    expect(s.proc.try(va, R)).toBe(0);
    s.takeAll();
    expect(s.proc.try(hole, R)).toBe(0);
    s.kit.check();
  });

  it('it is a panic that says so if there is no daemon', () => {
    const s = short({ daemon: false, swap: true });
    const va = s.proc.map({ length: PAGE });
    s.takeAll();
    s.kit.events.watch(() => undefined);
    expect(() => s.proc.store(va, 1)).toThrow(KernelPanic);
    expect(() => s.proc.store(va, 1)).toThrow('there is no page daemon');
  });
});

describe('when the pmap is short', () => {
  it('a fault waits and tries again, for an anon and for an object', () => {
    let fail = 0;
    const s = short({ daemon: true, swap: true, failEnter: () => fail-- > 0 });
    const va = s.proc.map({ length: PAGE });
    const text = s.proc.map({ length: PAGE, fd: s.fd, flags: MAP_SHARED });
    fail = 1;
    s.proc.store(va, 1);
    s.uvm.pmap.collect(s.proc.space.pmap);
    fail = 1;
    expect(s.proc.load(va)).toBe(1);
    fail = 1;
    s.proc.store(text, 2);
    expect(s.wakeups()).toBe(3);
    s.kit.check();
  });

  it('the process gets ENOMEM if swap is full, and what was promoted stays', () => {
    let fail = 0;
    const s = short({ daemon: true, swap: false, failEnter: () => fail-- > 0 });
    const va = s.proc.map({ length: PAGE });
    fail = 1;
    expect(s.proc.try(va, W)).toBe(ENOMEM);
    expect(s.proc.anon(va)).not.toBe(NO_ANON);
    s.kit.check();
    fail = 1;
    expect(s.proc.try(va, W)).toBe(ENOMEM);
    s.proc.store(va, 1);
    s.kit.check();
  });

  it('a new map waits for its tables', () => {
    let fail = 1;
    const kit = new Kit({ failCreate: () => fail-- > 0 });
    kit.uvm.daemon = { wake: () => undefined };
    kit.onStuck = (channel) => {
      kit.uvm.wakeup(channel);
      return true;
    };
    expect(kit.proc().space.map.nentries).toBe(0);
    expect(fail).toBe(-1);
  });
});
