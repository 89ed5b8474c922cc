import { EAGAIN, NO_PA, PMAP_KERNEL } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { Kit, type KitOptions, PAGE, type Proc, R, RW, RX } from '../../test/kit.ts';
import { vslock, vslockedPa, vsunlock } from '../io.ts';
import { kernelRead, kernelWrite } from '../kernel-copy.ts';
import { MAP_SHARED } from '../mmap.ts';
import { PQ_FREE } from '../page.ts';
import { MAP_INHERIT_SHARE } from '../types.ts';
import { forgetfulPolicy } from './forgetful.ts';
import type { WiringPolicy } from './policy.ts';
import { targetedPolicy } from './targeted.ts';
import { wirePolicy } from './wire.ts';
import { wiremaxPolicy } from './wiremax.ts';

/** A process that has mapped two pages of a file, as it says. */
function setup(wiring: WiringPolicy, options: KitOptions = {}) {
  const kit = new Kit({ wiring, ...options });
  const file = kit.file(4);
  const mapped = (prot = RX, flags?: number): { proc: Proc; va: number } => {
    const proc = kit.proc();
    const call = { length: 2 * PAGE, fd: proc.fd(file), prot };
    return { proc, va: proc.map(flags === undefined ? call : { ...call, flags }) };
  };
  /** Two processes with one private mapping between them: a store of one is the other's. */
  const sharers = () => {
    const { proc, va } = mapped(RW);
    proc.minherit(va, 2 * PAGE, MAP_INHERIT_SHARE);
    proc.mprotect(va, 2 * PAGE, R);
    const child = proc.fork();
    child.mprotect(va, 2 * PAGE, RW);
    return { proc, child, va };
  };
  return { kit, uvm: kit.uvm, exp: kit.exp, file, mapped, sharers };
}

describe('locked text', () => {
  it('is copied by the commit alone', () => {
    for (const wiring of [wirePolicy, wiremaxPolicy, targetedPolicy, forgetfulPolicy]) {
      const { kit, exp, mapped } = setup(wiring);
      const users = [mapped(), mapped(), mapped()];
      for (const { proc, va } of users) proc.mlock(va, 2 * PAGE);
      expect(exp.wired).toBe(wiring === wiremaxPolicy ? 6 : 2);
      kit.check();
      for (const { proc } of users) proc.exit();
      expect(exp.wired).toBe(0);
      kit.check({ idle: true });
    }
  });
});

describe('targeted', () => {
  it('leaves strangers their mappings when a page is promoted between sharers', () => {
    for (const [wiring, again] of [
      [wiremaxPolicy, 1],
      [targetedPolicy, 0],
    ] as const) {
      const { kit, exp, mapped, sharers } = setup(wiring);
      const stranger = mapped();
      stranger.proc.load(stranger.va);
      const { proc, child, va } = sharers();
      proc.load(va);
      child.store(va, 9);
      const { faults } = exp;
      stranger.proc.load(stranger.va);
      expect(exp.faults - faults).toBe(again);
      expect(proc.load(va)).toBe(9);
      kit.check();
    }
  });

  it('leads a locked mapping to the new page at once, and an unlocked one at the next touch', () => {
    const { kit, uvm, exp, sharers } = setup(targetedPolicy);
    const { proc, child, va } = sharers();
    proc.mlock(va, PAGE);
    proc.load(va + PAGE);
    const old = proc.mapped(va);
    child.store(va, 9);
    child.store(va + PAGE, 8);
    kit.check();
    expect([uvm.pages.wireCount[old], uvm.pages.wireCount[proc.mapped(va)]]).toEqual([0, 1]);
    expect(proc.mapped(va + PAGE)).toBe(-1);
    const { faults } = exp;
    expect(proc.load(va)).toBe(9);
    expect(exp.faults - faults).toBe(0);
    expect(proc.load(va + PAGE)).toBe(8);
    expect(exp.faults - faults).toBe(1);
  });

  it('keeps a place locked whose new page a pmap has no memory to map', () => {
    let fails = false;
    const { kit, uvm, exp, sharers } = setup(targetedPolicy, { failEnter: () => fails });
    const { proc, child, va } = sharers();
    proc.mlock(va, PAGE);
    kit.uvm.swap.on(kit.swap(4), 0);
    // The child's own mapping cannot be had at first, either: its fault waits.
    uvm.daemon = { wake: () => undefined };
    fails = true;
    kit.onStuck = () => {
      fails = false;
      uvm.wakeup(-2);
      return true;
    };
    child.store(va, 9);
    expect([exp.wired, proc.mapped(va)]).toEqual([1, -1]);
    kit.check();
    expect(proc.load(va)).toBe(9);
    expect(uvm.pmap.wiredCount(proc.space.pmap)).toBe(1);
    expect(proc.munlock(va, PAGE)).toBe(0);
    kit.check();
  });

  it('keeps books that go with what they are about', () => {
    const { kit, uvm, mapped } = setup(targetedPolicy);
    expect(targetedPolicy.bytes(uvm)).toBe(0);
    const { proc, va } = mapped();
    const one = targetedPolicy.bytes(uvm);
    expect(one).toBeGreaterThan(0);
    proc.mlock(va, 2 * PAGE);
    expect(targetedPolicy.bytes(uvm)).toBeGreaterThan(one);
    proc.exit();
    expect(targetedPolicy.bytes(uvm)).toBe(0);
    kit.check({ idle: true });
    expect(wiremaxPolicy.bytes(uvm)).toBe(0);
  });
});

describe('forgetful', () => {
  it('keeps locked memory in memory without a wired mapping; touching it faults, and reads nothing', () => {
    const { kit, uvm, exp, mapped } = setup(forgetfulPolicy);
    const { proc, va } = mapped(RW, MAP_SHARED);
    expect(proc.mlock(va, 2 * PAGE)).toBe(0);
    expect([exp.wired, uvm.pmap.wiredCount(proc.space.pmap)]).toEqual([2, 0]);
    uvm.pmap.forget(proc.space.pmap, 0, 1 << 30);
    kit.check();
    const { pageins, faults } = exp;
    proc.load(va);
    expect([exp.pageins - pageins, exp.faults - faults]).toEqual([0, 1]);
    expect(proc.munlock(va, 2 * PAGE)).toBe(0);
    expect(exp.wired).toBe(0);
    kit.check();
  });

  it('limits what a process may lock by its own count, mapped or not', () => {
    const { uvm, mapped } = setup(forgetfulPolicy);
    const { proc, va } = mapped(RW);
    proc.limits.memlock = 2 * PAGE;
    expect(proc.mlock(va, PAGE)).toBe(0);
    uvm.pmap.forget(proc.space.pmap, 0, 1 << 30);
    expect(forgetfulPolicy.lockedPages(uvm, proc.space.map)).toBe(1);
    expect(proc.mlock(va, 2 * PAGE)).toBe(EAGAIN);
    expect(proc.munlock(va, PAGE)).toBe(0);
    expect(proc.mlock(va, 2 * PAGE)).toBe(0);
  });

  it('maps kernel memory that must not fault so that nothing forgets it', () => {
    const { kit, uvm, exp } = setup(forgetfulPolicy);
    const { kernelMap, km } = uvm;
    const wired = kit.run(km.zalloc(kernelMap, 2 * PAGE))!;
    const pageable = kit.run(km.valloc(kernelMap, 2 * PAGE))!;
    for (const at of [wired, pageable]) kit.run(kernelWrite(uvm, at, Uint8Array.of(5)));
    uvm.pmap.forget(PMAP_KERNEL, kernelMap.min, kernelMap.max);
    const { faults } = exp;
    const byte = new Uint8Array(1);
    kit.run(kernelRead(uvm, wired, byte));
    expect([byte[0], exp.faults - faults]).toEqual([5, 0]);
    kit.run(kernelRead(uvm, pageable, byte));
    expect([byte[0], exp.faults - faults]).toEqual([5, 1]);
    kit.check();
    km.free(kernelMap, wired, 4 * PAGE);
    expect(uvm.pmap.extract(PMAP_KERNEL, wired)).toBe(NO_PA);
    kit.check();
  });

  it('holds a transfer’s frames, forgotten and unmapped, until it ends', () => {
    const { kit, uvm, mapped } = setup(forgetfulPolicy);
    const { proc, va } = mapped(RW);
    const { map } = proc.space;
    proc.store(va, 7);
    const frame = proc.mapped(va);
    expect(kit.run(vslock(uvm, map, va, PAGE, RW))).toBe(0);
    uvm.pmap.forget(proc.space.pmap, 0, 1 << 30);
    expect(vslockedPa(uvm, map, va + 3)).toBe(uvm.pages.pageAddress(frame) + 3);
    proc.munmap(va, 2 * PAGE);
    kit.check();
    expect([uvm.pages.pqflags[frame]! & PQ_FREE, uvm.pages.wireCount[frame]]).toEqual([0, 1]);
    expect(kit.memory.read8(uvm.pages.pageAddress(frame))).toBe(7);
    vsunlock(uvm, map, va, PAGE);
    expect(uvm.pages.pqflags[frame]! & PQ_FREE).toBe(PQ_FREE);
    kit.check();
    expect(() => uvm.pages.unpin(frame)).toThrow('is not pinned');
  });

  it('takes a transfer back that fails half-way', () => {
    for (const wiring of [forgetfulPolicy, targetedPolicy]) {
      const { kit, uvm, exp, mapped } = setup(wiring);
      const { proc, va } = mapped(RW);
      proc.mprotect(va + PAGE, PAGE, R);
      expect(kit.run(vslock(uvm, proc.space.map, va, 2 * PAGE, RW))).not.toBe(0);
      expect([exp.wired, proc.space.map.vslocks.length]).toEqual([0, 0]);
      kit.check();
    }
  });
});
