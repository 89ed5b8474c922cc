import { EACCES, EFAULT, EINVAL, EIO, ENOMEM, type Prot, type Va } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { fileByte, Kit, type KitOptions, PAGE, type Proc, R, RW, RWX, RX, W } from '../test/kit.ts';
import { mapProtect } from './map-attr.ts';
import { mapUnwire, mapWire } from './map-pageable.ts';
import { VmMap } from './map.ts';
import { MCL_CURRENT, MCL_FUTURE } from './mlock.ts';
import { MAP_ANON, MAP_SHARED } from './mmap.ts';
import { PG_CLEAN } from './page.ts';
import {
  UVM_ET_NEEDSCOPY,
  VM_FAULT_WIRE,
  VM_FAULT_WIREMAX,
  VM_MAP_INTRSAFE,
  VM_MAP_WIREFUTURE,
} from './types.ts';
import { uvmFault } from './fault.ts';
import { faultUnwire, faultWire } from './wire.ts';

function setup(options: KitOptions = {}) {
  const kit = new Kit(options);
  const proc = kit.proc();
  const file = kit.file(8);
  return { kit, uvm: kit.uvm, exp: kit.exp, proc, file, fd: proc.fd(file) };
}

const mapping = (kit: Kit, proc: Proc, va: Va) =>
  [...kit.ideal.mappings(proc.space.pmap)].find((found) => found.va === va);

describe('mlock', () => {
  it('wires every page, in memory, in the pmap and in the books, and munlock undoes any depth', () => {
    const { kit, uvm, exp, proc } = setup();
    const va = proc.map({ length: 4 * PAGE });
    expect(proc.mlock(va + PAGE, 2 * PAGE)).toBe(0);
    expect(proc.layout(va)).toEqual([
      [0, 1],
      [1, 3],
      [3, 4],
    ]);
    expect([exp.wired, uvm.pmap.wiredCount(proc.space.pmap)]).toEqual([2, 2]);
    kit.check();
    expect(proc.mlock(va, 4 * PAGE)).toBe(0);
    expect(proc.entry(va + PAGE).wiredCount).toBe(2);
    expect(exp.wired).toBe(4);
    kit.check();
    expect(proc.munlock(va + PAGE, 2 * PAGE)).toBe(0);
    expect([exp.wired, uvm.pmap.wiredCount(proc.space.pmap)]).toEqual([2, 2]);
    expect(proc.munlock(va, PAGE)).toBe(0);
    expect(proc.munlock(va + 3 * PAGE, PAGE)).toBe(0);
    expect([exp.wired, uvm.pmap.wiredCount(proc.space.pmap)]).toEqual([0, 0]);
    kit.check();
  });

  it('survives a pmap that forgets, so that no access faults', () => {
    const { kit, uvm, exp, proc, fd } = setup();
    const va = proc.map({ length: 4 * PAGE });
    const shared = proc.map({ length: 2 * PAGE, fd, flags: MAP_SHARED });
    proc.mlock(va, 4 * PAGE);
    proc.mlock(shared, 2 * PAGE);
    uvm.pmap.collect(proc.space.pmap);
    const { faults } = exp;
    for (let page = 0; page < 4; page++) proc.store(va + page * PAGE, page);
    proc.store(shared + PAGE, 1);
    expect(exp.faults).toBe(faults);
    kit.check();
  });

  it('refuses holes, PROT_NONE and nothing at all, with no count left behind', () => {
    const { kit, exp, proc } = setup();
    const va = proc.map({ length: 6 * PAGE });
    proc.munmap(va + 2 * PAGE, PAGE);
    proc.mprotect(va + 5 * PAGE, PAGE, 0);
    expect(proc.mlock(va + 2 * PAGE, PAGE)).toBe(EFAULT);
    expect(proc.mlock(va, 4 * PAGE)).toBe(EINVAL);
    expect(proc.mlock(va + 3 * PAGE, 3 * PAGE)).toBe(EINVAL);
    expect(proc.mlock(va + 5 * PAGE, PAGE)).toBe(EINVAL);
    for (const entry of proc.space.map.entries()) expect(entry.wiredCount).toBe(0);
    expect(exp.wired).toBe(0);
    expect(proc.munlock(va + 2 * PAGE, PAGE)).toBe(EFAULT);
    expect(proc.munlock(va, PAGE)).toBe(EINVAL);
    proc.mlock(va, 2 * PAGE);
    expect(proc.munlock(va, 4 * PAGE)).toBe(EINVAL);
    expect(exp.wired).toBe(2);
    kit.check();
  });

  it('of no bytes does nothing, even in the middle of an entry', () => {
    const { kit, uvm, proc } = setup();
    const va = proc.map({ length: 4 * PAGE });
    expect(proc.mlock(va + 2 * PAGE, 0)).toBe(0);
    expect(proc.munlock(va + 2 * PAGE, 0)).toBe(0);
    const { map } = proc.space;
    expect(kit.run(mapWire(uvm, map, map.max, map.max + PAGE))).toBe(0);
    expect(kit.run(mapUnwire(uvm, map, map.max, map.max + PAGE))).toBe(0);
    expect(proc.layout(va)).toEqual([[0, 4]]);
    kit.check();
  });

  it('takes back everything if a page cannot be had, what was locked before stays', () => {
    const { kit, uvm, exp, proc, file, fd } = setup();
    const va = proc.map({ length: 12 * PAGE, fd });
    proc.mlock(va, PAGE);
    proc.mprotect(va + 2 * PAGE, PAGE, R); // More entries before the one that fails.
    expect(proc.mlock(va, 12 * PAGE)).toBe(EINVAL); // The file has 8 pages.
    expect([exp.wired, uvm.pmap.wiredCount(proc.space.pmap)]).toEqual([1, 1]);
    expect([...proc.space.map.entries()].map((e) => e.wiredCount)).toEqual([1, 0, 0, 0]);
    kit.check();
    file.readError = EIO;
    const other = kit.file(2);
    other.readError = EIO;
    const bad = proc.map({ length: PAGE, fd: proc.fd(other) });
    expect(proc.mlock(bad, PAGE)).toBe(EIO);
    kit.check();
    expect(proc.munlock(va, PAGE)).toBe(0);
  });

  it('lets faults and other lockers wait while it sleeps on the disk', () => {
    const { kit, proc, fd } = setup();
    const va = proc.map({ length: 2 * PAGE, fd });
    const lock = kit.start(mapWire(kit.uvm, proc.space.map, va, va + 2 * PAGE));
    expect(lock.done).toBe(false);
    const unlock = kit.start(mapUnwire(kit.uvm, proc.space.map, va, va + 2 * PAGE));
    expect(unlock.asleep).toBe(proc.space.map.channel);
    kit.check();
    kit.settle();
    expect([lock.value, unlock.value]).toEqual([0, 0]);
    kit.check();
  });

  it('clears CLEAN, and leaves an amap to itself for each large entry’s part', () => {
    const { kit, uvm, proc } = setup();
    const va = proc.map({ addr: 0x4000000, length: 300 * PAGE });
    expect(proc.mlock(va + 5 * PAGE, 2 * PAGE)).toBe(0);
    const base = va / PAGE;
    expect(proc.layout(0)).toEqual([
      [base, base + 5],
      [base + 5, base + 7],
      [base + 7, base + 16],
      [base + 16, base + 300],
    ]);
    expect(uvm.pages.flags[proc.mapped(va + 5 * PAGE)]! & PG_CLEAN).toBe(0);
    kit.check();
  });
});

describe('what wiring makes of a private file mapping', () => {
  const cases: [string, Prot, Prot, number, boolean, boolean][] = [
    // protection, maximum, type, promoted, writable
    ['r-- of rwx', R, RWX, VM_FAULT_WIRE, false, false],
    ['r-- of rwx', R, RWX, VM_FAULT_WIREMAX, true, false],
    ['r-x of rwx', RX, RWX, VM_FAULT_WIRE, false, false],
    ['r-x of rwx', RX, RWX, VM_FAULT_WIREMAX, true, false],
    ['rw- of rwx', RW, RWX, VM_FAULT_WIRE, true, true],
    ['rw- of rwx', RW, RWX, VM_FAULT_WIREMAX, true, true],
    ['r-x of r-x', RX, RX, VM_FAULT_WIRE, false, false],
    ['r-x of r-x', RX, RX, VM_FAULT_WIREMAX, false, false],
  ];
  it.each(cases)('%s (%i of %i), fault type %i', (_name, prot, max, type, promoted, writable) => {
    const { kit, uvm, proc, file, fd } = setup();
    const va = proc.map({ length: PAGE, fd, prot });
    kit.run(mapProtect(uvm, proc.space.map, va, va + PAGE, max, true));
    const { map } = proc.space;
    if (type === VM_FAULT_WIREMAX) expect(proc.mlock(va, PAGE)).toBe(0);
    else expect(kit.run(faultWire(uvm, map, va, va + PAGE, type, prot))).toBe(0);
    const page = proc.mapped(va);
    expect(page === uvm.pages.lookup(file.vnode, 0)).toBe(!promoted);
    expect(proc.anon(va) !== -1).toBe(promoted);
    expect(mapping(kit, proc, va)).toMatchObject({ wired: true, prot: writable ? RW : prot });
    expect(uvm.pages.wireCount[page]).toBe(1);
    if (type === VM_FAULT_WIREMAX) kit.check();
    expect(proc.load(va)).toBe(fileByte(0));
    if (type === VM_FAULT_WIREMAX) expect(proc.munlock(va, PAGE)).toBe(0);
    else faultUnwire(uvm, map, va, va + PAGE);
    expect(kit.exp.wired).toBe(0);
    kit.check();
  });

  it('an anon that others refer to is copied at once by WIREMAX only', () => {
    for (const type of [VM_FAULT_WIRE, VM_FAULT_WIREMAX]) {
      const { kit, uvm, proc, fd } = setup();
      const va = proc.map({ length: 2 * PAGE, fd });
      proc.store(va, 3);
      const child = proc.fork();
      child.store(va + PAGE, 1); // Its own amap, with the shared anon in it.
      child.mprotect(va, 2 * PAGE, R);
      if (type === VM_FAULT_WIREMAX) child.mlock(va, PAGE);
      else kit.run(faultWire(uvm, child.space.map, va, va + PAGE, type, R));
      expect(uvm.anons.ref[child.anon(va)]).toBe(type === VM_FAULT_WIREMAX ? 1 : 2);
      expect(mapping(kit, child, va)!.prot).toBe(R);
      expect(child.load(va)).toBe(3);
    }
  });

  it('survives a promotion elsewhere that takes the object’s page away: the reason for WIREMAX', () => {
    const { kit, proc, file, fd } = setup();
    const va = proc.map({ length: PAGE, fd, prot: RX });
    proc.mlock(va, PAGE);
    const other = kit.proc();
    const at = other.map({ length: PAGE, fd: other.fd(file) });
    other.minherit(at, PAGE, 0);
    const tracer = other.fork();
    tracer.store(at, 1);
    expect(proc.munlock(va, PAGE)).toBe(0);
    kit.check();
  });

  it('and without it, by WIRE, munlock of the lost mapping is the panic of the problem reports', () => {
    const { kit, uvm, proc, file, fd } = setup();
    const va = proc.map({ length: PAGE, fd, prot: RX });
    kit.run(faultWire(uvm, proc.space.map, va, va + PAGE, VM_FAULT_WIRE, RX));
    uvm.pmap.pageProtect(uvm.pages.pageAddress(uvm.pages.lookup(file.vnode, 0)), 0);
    expect(() => faultUnwire(uvm, proc.space.map, va, va + PAGE)).toThrow(
      'uvm_fault_unwire_locked: unwiring non-wired memory',
    );
  });

  it('is checked at the maximum protection, and refuses an entry that still needs a copy', () => {
    const { uvm, proc, fd } = setup();
    const va = proc.map({ length: PAGE, fd, prot: R });
    const { map } = proc.space;
    expect(uvmFault(uvm, map, va, VM_FAULT_WIRE, RW)).toBe(EACCES);
    expect(() => uvmFault(uvm, map, va, VM_FAULT_WIREMAX, RW)).toThrow('WIREMAX');
    proc.entry(va).maxProtection = R;
    expect(uvmFault(uvm, map, va, VM_FAULT_WIREMAX, RW)).toBe(EACCES);
  });

  it('stays wired in its pages when protection comes and goes', () => {
    const { kit, proc, fd } = setup();
    const va = proc.map({ length: PAGE, fd, prot: R });
    proc.mlock(va, PAGE);
    const page = proc.mapped(va);
    proc.mprotect(va, PAGE, RW);
    proc.store(va, 1);
    expect(proc.mapped(va)).toBe(page);
    kit.check();
    proc.mprotect(va, PAGE, 0);
    proc.mprotect(va, PAGE, R);
    expect(proc.load(va)).toBe(1);
    expect(mapping(kit, proc, va)!.wired).toBe(true);
    expect(proc.munlock(va, PAGE)).toBe(0);
    kit.check();
  });

  it('is lost by mprotect(NONE), and munlock panics (H6)', () => {
    const { proc, fd } = setup();
    const va = proc.map({ length: PAGE, fd });
    proc.mlock(va, PAGE);
    proc.mprotect(va, PAGE, 0);
    expect(() => proc.munlock(va, PAGE)).toThrow('unwiring non-wired memory');
  });
});

describe('wiring for a while', () => {
  it('leaves a mapping wired that is locked besides, and counts both', () => {
    const { kit, uvm, proc } = setup();
    const va = proc.map({ length: PAGE });
    const { map } = proc.space;
    proc.mlock(va, PAGE);
    kit.run(faultWire(uvm, map, va, va + PAGE, VM_FAULT_WIRE, RW));
    expect(uvm.pages.wireCount[proc.mapped(va)]).toBe(2);
    expect(kit.violations().join()).toContain('difference of 1');
    faultUnwire(uvm, map, va, va + PAGE);
    expect(mapping(kit, proc, va)!.wired).toBe(true);
    kit.check();
  });

  it('does not clip, refuses a range that ends before it starts, and unwinds a failure', () => {
    const { kit, uvm, exp, proc, fd } = setup();
    const va = proc.map({ length: 10 * PAGE, fd, prot: R });
    const { map } = proc.space;
    expect(kit.run(faultWire(uvm, map, va + PAGE, va, VM_FAULT_WIRE, R))).toBe(EFAULT);
    expect(kit.run(faultWire(uvm, map, va, va + 10 * PAGE, VM_FAULT_WIRE, R))).toBe(EINVAL);
    expect(kit.run(faultWire(uvm, map, va, va + PAGE, VM_FAULT_WIRE, RW))).toBe(EACCES);
    expect([exp.wired, uvm.pmap.wiredCount(map.pmap)]).toEqual([0, 0]);
    expect(proc.layout(va)).toEqual([[0, 10]]);
    kit.check();
  });

  it('panics where there is no entry, below the first one and above, or the map is interrupt-safe', () => {
    const { kit, uvm, proc } = setup();
    const va = proc.map({ length: PAGE });
    const { map } = proc.space;
    const page = uvm.pages.alloc(null, 0, -1, 0);
    const pa = uvm.pages.pageAddress(page);
    for (const at of [va - PAGE, va + PAGE]) {
      uvm.pmap.enter(map.pmap, at, pa, RW, 0);
      expect(() => faultUnwire(uvm, map, at, at + PAGE)).toThrow('unwiring a hole');
    }
    const safe = new VmMap(uvm, uvm.pmap.create(), 0, PAGE, VM_MAP_INTRSAFE);
    expect(() => faultUnwire(uvm, safe, 0, PAGE)).toThrow('intrsafe');
    expect(kit.printed).toEqual([]);
  });

  it('of memory that UVM does not manage leaves the page counts alone', () => {
    const { uvm, proc } = setup();
    const va = proc.map({ length: PAGE });
    uvm.pmap.enter(proc.space.pmap, va, uvm.memory.size, RW, 0x10);
    expect(() => faultUnwire(uvm, proc.space.map, va, va + PAGE)).not.toThrow();
  });

  it('is told to whoever watches', () => {
    const { kit, proc } = setup();
    const seen = new Set<string>();
    kit.events.watch((name) => seen.add(name));
    const va = proc.map({ length: PAGE });
    proc.mlock(va, PAGE);
    proc.munlock(va, PAGE);
    for (const name of ['uvm.wire', 'uvm.unwire', 'page.wire', 'page.unwire'] as const)
      expect(seen.has(name)).toBe(true);
  });
});

describe('mlockall', () => {
  it('wires what may be touched now and, if asked, from now on; munlockall forgets both', () => {
    const { kit, exp, proc, fd } = setup();
    const va = proc.map({ length: 2 * PAGE });
    proc.map({ length: 2 * PAGE, fd, prot: R });
    const none = proc.map({ length: 2 * PAGE, prot: 0 });
    expect(proc.mlockall(MCL_CURRENT | MCL_FUTURE)).toBe(0);
    expect(exp.wired).toBe(4);
    expect(proc.entry(none).wiredCount).toBe(0);
    expect(proc.space.map.flags & VM_MAP_WIREFUTURE).not.toBe(0);
    expect(proc.mlockall(MCL_CURRENT)).toBe(0);
    expect(proc.entry(va).wiredCount).toBe(2);
    kit.check();
    expect(proc.munlockall()).toBe(0);
    expect([exp.wired, proc.space.map.flags & VM_MAP_WIREFUTURE]).toEqual([0, 0]);
    kit.check();
  });

  it('answers ENOMEM over the process’ limit, counting what is wired; the future stays asked for', () => {
    const { proc } = setup();
    const va = proc.map({ length: 4 * PAGE });
    proc.mlock(va, PAGE);
    proc.limits.memlock = 3 * PAGE;
    expect(proc.mlockall(MCL_CURRENT | MCL_FUTURE)).toBe(ENOMEM);
    expect(proc.space.map.flags & VM_MAP_WIREFUTURE).not.toBe(0);
    proc.limits.memlock = 4 * PAGE;
    expect(proc.mlockall(MCL_CURRENT)).toBe(0);
  });

  it('leaves an entry alone that is locked and may not be touched; with the quirk it counts it again', () => {
    for (const quirk of [false, true]) {
      const { kit, uvm, proc } = setup({ quirks: { wireAllFaultsNone: quirk } });
      const va = proc.map({ length: PAGE });
      proc.mlock(va, PAGE);
      const page = proc.mapped(va);
      proc.mprotect(va, PAGE, 0);
      if (quirk) expect(() => proc.mlockall(MCL_CURRENT)).toThrow('mapping without any right');
      else expect(proc.mlockall(MCL_CURRENT)).toBe(0);
      expect(uvm.pages.wireCount[page]).toBe(1);
      if (!quirk) kit.check();
    }
  });

  it('takes back what it wired if a page cannot be had; with the quirk it leaves just that', () => {
    for (const quirk of [false, true]) {
      const { kit, exp, proc, fd } = setup({ quirks: { wireAllUndoInverted: quirk } });
      const locked = proc.map({ length: PAGE });
      proc.map({ length: PAGE, prot: 0 });
      const va = proc.map({ length: 2 * PAGE, flags: MAP_ANON | MAP_SHARED });
      proc.mlock(locked, PAGE);
      proc.map({ length: 9 * PAGE, fd }); // One page more than the file has.
      expect(proc.mlockall(MCL_CURRENT)).toBe(EINVAL);
      expect(proc.entry(va).wiredCount).toBe(0);
      expect(proc.entry(va).etype & UVM_ET_NEEDSCOPY).toBe(0);
      expect(exp.wired).toBe(quirk ? 2 : 1);
      if (quirk) {
        expect(proc.entry(locked).wiredCount).toBe(0);
        expect(kit.violations().length).toBeGreaterThan(0);
      } else {
        expect(proc.entry(locked).wiredCount).toBe(1);
        kit.check();
      }
    }
  });
});

describe('a wired mapping that was taken away', () => {
  it('comes back wired with the next access, and the books balance again', () => {
    const { kit, uvm, proc, file, fd } = setup();
    const va = proc.map({ length: PAGE, fd, flags: MAP_SHARED });
    proc.mlock(va, PAGE);
    uvm.pmap.pageProtect(uvm.pages.pageAddress(uvm.pages.lookup(file.vnode, 0)), 0);
    expect(kit.violations().join()).toContain('invariant 41');
    expect(proc.try(va, W)).toBe(0);
    kit.check();
    expect(proc.munlock(va, PAGE)).toBe(0);
    kit.check();
  });
});
