import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ACCESS_USER,
  ACCESS_USERSPACE,
  ENOMEM,
  FAULT,
  NO_PA,
  PMAP_CANFAIL,
  PMAP_KERNEL,
  PMAP_WIRED,
  PhysicalMemory,
  EventStream,
  STEAL_CONTEXT,
  TRAP_FAULT,
  TRAP_SETTLED,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  VM_PROT_EXECUTE,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  bootBare,
  type BareMachine,
  type BareOptions,
} from '@uvmkit/pmap';
import { steps } from '../../test/steps.ts';
import { StandIn, touch } from '../../test/uvm-stand-in.ts';
import type { Ibm4xxOptions } from './options.ts';
import { PME_NOCACHE, PME_WRITETHROUG } from './pmap.ts';
import { Ibm4xxMachine, ibm4xx } from './port.ts';

const PAGE = 16384;
const RW = VM_PROT_READ | VM_PROT_WRITE;
const USER_READ = VM_PROT_READ | ACCESS_USER;
const USER_WRITE = VM_PROT_WRITE | ACCESS_USER;
const VA = 0x01800000;

interface Booted {
  readonly machine: BareMachine;
  readonly md: Ibm4xxMachine;
  readonly pmap: Ibm4xxMachine['pmap'];
  /** The TLB's valid entries for processes, as `HI LO`. */
  readonly entries: () => string[];
}

/** Boots one that counts its wired mappings, so that a test sees which there are. */
function boot(options: Ibm4xxOptions = {}, bare: BareOptions = {}): Booted {
  const machine = bootBare(ibm4xx({ wiredCount: 'exact', ...options }), bare);
  const { md } = machine;
  if (!(md instanceof Ibm4xxMachine)) throw new TypeError('the 4xx port boots an Ibm4xxMachine');
  const entries = (): string[] => {
    const registers = md.mmus[0].registers();
    return Object.keys(registers)
      .filter((name) => name.endsWith('.HI') && registers[name.replace('HI', 'TID')]! > 1)
      .map((name) => `${upper(registers[name]!)} ${upper(registers[name.replace('HI', 'LO')]!)}`);
  };
  return { machine, md, pmap: md.pmap, entries };
}

function upper(word: number): string {
  return word.toString(16).toUpperCase().padStart(8, '0');
}

/** A map, active, with the page at 00400000 at VA, as in the reference's scenarios. */
function mapped(booted: Booted, flags: number, prot = RW): { map: number; pa: number } {
  const map = booted.pmap.create();
  const pa = 0x00400000;
  booted.pmap.activate(map);
  expect(booted.pmap.enter(map, VA, pa, prot, flags)).toBe(0);
  return { map, pa };
}

describe('the reference’s scenarios', () => {
  it('S4: a wired page is loaded by its first miss; clearModify costs a fault of UVM’s', () => {
    const booted = boot();
    const { machine, md, pmap } = booted;
    const { map, pa } = mapped(booted, VM_PROT_READ | PMAP_WIRED);
    const mmu = md.mmus[0];
    expect(pmap.describe(map, VA)).toContain('TTE 00400B10');
    expect([pmap.isReferenced(pa), pmap.isModified(pa)]).toEqual([true, true]);
    expect(booted.entries()).toEqual([]);

    expect(mmu.translate(VA, USER_WRITE)).toBe(FAULT);
    expect(mmu.describeFault()).toBe('DTLB miss 0x1100 DEAR 01800000 ESR 00800000');
    expect(md.trap(0)).toBe(TRAP_SETTLED);
    expect(booted.entries()).toEqual(['01800140 00400310']);
    expect(mmu.translate(VA, USER_WRITE)).toBe(pa);

    expect(pmap.clearModify(pa)).toBe(true);
    expect(pmap.describe(map, VA)).toContain('TTE 00400A10');
    expect(booted.entries()).toEqual([]);
    expect(mmu.translate(VA, USER_WRITE)).toBe(FAULT);
    expect(md.trap(0)).toBe(TRAP_SETTLED);
    expect(booted.entries()).toEqual(['01800140 00400210']);
    expect(mmu.translate(VA, USER_WRITE)).toBe(FAULT);
    expect(mmu.describeFault()).toBe('DSI 0x0300 DEAR 01800000 ESR 00800000');
    expect(md.trap(0)).toBe(TRAP_FAULT);
    expect(md.fault).toEqual({
      va: VA,
      access: VM_PROT_WRITE,
      type: VM_FAULT_PROTECT,
      kernel: false,
    });
    expect(pmap.wiredCount(map)).toBe(1);

    pmap.enter(map, VA, pa, RW, VM_PROT_WRITE | PMAP_WIRED);
    expect(pmap.describe(map, VA)).toContain('TTE 00400B10');
    expect(touch(machine, VA, USER_WRITE)).toBe(pa);
    expect(pmap.isModified(pa)).toBe(true);
  });

  it('S5: one that is not wired is loaded at once, for reading', () => {
    const booted = boot();
    const { map, pa } = mapped(booted, VM_PROT_READ);
    expect(booted.pmap.describe(map, VA)).toBe('TTE 00400A10 EX zone 1 16K → 0x00400000');
    expect(booted.entries()).toEqual(['01800140 00400210']);
    expect([booted.pmap.isReferenced(pa), booted.pmap.isModified(pa)]).toEqual([true, false]);
  });

  it('S6: clearReference takes even a wired mapping away', () => {
    const booted = boot();
    const { map, pa } = mapped(booted, VM_PROT_READ | PMAP_WIRED);
    expect(booted.md.port.capabilities.clearReferenceWired).toBe('removes');
    expect(booted.pmap.clearReference(pa)).toBe(true);
    expect(booted.pmap.describe(map, VA)).toBe('no TTE');
    expect([booted.pmap.residentCount(map), booted.pmap.wiredCount(map)]).toEqual([0, 0]);
    expect(booted.pmap.isReferenced(pa)).toBe(false);
    expect(booted.pmap.isModified(pa)).toBe(true);
    expect(touch(booted.machine, VA, USER_READ)).toBe(FAULT);
    expect(booted.md.fault.type).toBe(VM_FAULT_INVALID);
  });
});

describe('wiring on the 4xx', () => {
  it('is counted, replaced by each enter, and taken by unwire once', () => {
    const booted = boot();
    const { map, pa } = mapped(booted, VM_PROT_READ | PMAP_WIRED);
    const counts = [booted.pmap.wiredCount(map)];
    booted.pmap.enter(map, VA, pa, RW, VM_PROT_READ);
    counts.push(booted.pmap.wiredCount(map));
    booted.pmap.enter(map, VA, pa, RW, VM_PROT_READ | PMAP_WIRED);
    counts.push(booted.pmap.wiredCount(map));
    for (const va of [VA, VA, VA + PAGE, 0x70000000]) {
      booted.pmap.unwire(map, va);
      counts.push(booted.pmap.wiredCount(map));
    }
    expect(counts).toEqual([1, 0, 1, 0, 0, 0, 0]);
    expect(booted.pmap.residentCount(map)).toBe(1);
    expect(booted.machine.printed).toEqual([]);
  });

  it('was not counted in 2001, and is not by default', () => {
    for (const port of [ibm4xx(), ibm4xx({ wiredCount: 'none' })]) {
      const machine = bootBare(port);
      const { pmap } = machine.md;
      const map = pmap.create();
      pmap.enter(map, VA, machine.takePage(), RW, VM_PROT_READ | PMAP_WIRED);
      expect(pmap.wiredCount(map)).toBe(0);
      pmap.unwire(map, VA);
      expect(pmap.wiredCount(map)).toBe(0);
    }
  });

  it('goes with remove, protect(NONE) and pageProtect(NONE)', () => {
    for (const how of ['remove', 'protect', 'pageProtect'] as const) {
      const booted = boot();
      const { map, pa } = mapped(booted, VM_PROT_READ | PMAP_WIRED);
      if (how === 'remove') booted.pmap.remove(map, 0, 0xfffec000);
      else if (how === 'protect') booted.pmap.protect(map, 0, 0xfffec000, VM_PROT_NONE);
      else booted.pmap.pageProtect(pa, VM_PROT_NONE);
      expect([booted.pmap.residentCount(map), booted.pmap.wiredCount(map)]).toEqual([0, 0]);
      expect(booted.pmap.extract(map, VA)).toBe(NO_PA);
    }
  });

  it('stays, without stores, on protect(READ) and pageProtect(READ)', () => {
    for (const how of ['protect', 'pageProtect'] as const) {
      const booted = boot();
      const { map, pa } = mapped(booted, VM_PROT_WRITE | PMAP_WIRED);
      expect(touch(booted.machine, VA, USER_WRITE)).toBe(pa);
      if (how === 'protect') booted.pmap.protect(map, 0, 0xfffec000, VM_PROT_READ);
      else booted.pmap.pageProtect(pa, VM_PROT_READ);
      expect(booted.pmap.wiredCount(map)).toBe(1);
      expect(touch(booted.machine, VA, USER_READ)).toBe(pa);
      expect(touch(booted.machine, VA, USER_WRITE)).toBe(FAULT);
    }
  });

  it('does not keep an entry in the TLB, and the miss that brings it back is not UVM’s', () => {
    const booted = boot();
    const { machine, md, pmap } = booted;
    const { map, pa } = mapped(booted, VM_PROT_READ | PMAP_WIRED);
    expect(touch(machine, VA, USER_READ)).toBe(pa);
    const other = machine.takePage();
    for (let index = 1; index <= 120; index++)
      pmap.enter(map, VA + index * PAGE, other, RW, VM_PROT_READ);
    expect(booted.entries()).not.toContain('01800140 00400310');
    const misses = md.mmus[0].stats.misses;
    expect(touch(machine, VA, USER_WRITE)).toBe(pa);
    expect(md.mmus[0].stats.misses).toBe(misses + 1);
  });

  it('of device pages is kept too, and never marks a page', () => {
    const { pmap } = boot();
    const map = pmap.create();
    expect(pmap.enter(map, VA, 0x80000000, RW, VM_PROT_READ | PMAP_WIRED | PME_NOCACHE)).toBe(0);
    expect(pmap.describe(map, VA)).toBe('TTE 80000B15 EX WR zone 1 IG 16K → 0x80000000');
    expect([pmap.residentCount(map), pmap.wiredCount(map)]).toEqual([1, 1]);
    pmap.unwire(map, VA);
    pmap.unwire(map, VA);
    expect([pmap.residentCount(map), pmap.wiredCount(map)]).toEqual([1, 0]);
    pmap.enter(map, VA, 0x80000000, RW, VM_PROT_READ | PMAP_WIRED | PME_WRITETHROUG);
    expect(pmap.describe(map, VA)).toContain(' W ');
    pmap.remove(map, VA, VA + PAGE);
    expect([pmap.residentCount(map), pmap.wiredCount(map)]).toEqual([0, 0]);
    expect(pmap.isModified(0x80000000)).toBe(false);
  });
});

describe('enter without an access', () => {
  it('maps for reading, unreferenced and unloaded', () => {
    const booted = boot();
    const { map, pa } = mapped(booted, 0);
    expect(booted.entries()).toEqual([]);
    expect(booted.pmap.isReferenced(pa)).toBe(false);
    expect(booted.pmap.extract(map, VA + 5)).toBe(pa + 5);
    expect(touch(booted.machine, VA, USER_READ)).toBe(pa);
    expect(touch(booted.machine, VA, USER_WRITE)).toBe(FAULT);
  });

  it('dropped what was there in 2001, and was a success', () => {
    const booted = boot({ enterWithoutAccess: 'drop' });
    const { map, pa } = mapped(booted, VM_PROT_READ);
    expect(booted.pmap.enter(map, VA, pa, RW, 0)).toBe(0);
    expect(booted.pmap.extract(map, VA)).toBe(NO_PA);
    expect(booted.pmap.residentCount(map)).toBe(0);
    expect(booted.pmap.enter(map, VA, pa, RW, PMAP_WIRED)).toBe(0);
    expect(booted.pmap.extract(map, VA)).toBe(pa);
  });

  it('and without a right is no mapping at all', () => {
    const booted = boot();
    const { map, pa } = mapped(booted, VM_PROT_READ);
    expect(booted.pmap.enter(map, VA, pa, VM_PROT_NONE, PMAP_WIRED)).toBe(0);
    expect(booted.pmap.extract(map, VA)).toBe(NO_PA);
  });
});

describe('ranges', () => {
  it('skip missing tables and nothing else', () => {
    const { machine, pmap } = boot();
    const [map, pa] = [pmap.create(), machine.takePage()];
    pmap.activate(map);
    const vas = [0x0bffc000, 0x10000000, 0x13ffc000, 0x18000000];
    for (const va of vas) pmap.enter(map, va, pa, RW, VM_PROT_WRITE);
    pmap.protect(map, 0x04000000, 0x18000000, VM_PROT_READ);
    expect(vas.map((va) => touch(machine, va, USER_WRITE))).toEqual([FAULT, FAULT, FAULT, pa]);
    pmap.remove(map, 0x07ffc000, 0x18000000);
    expect(vas.map((va) => pmap.extract(map, va))).toEqual([NO_PA, NO_PA, NO_PA, pa]);
  });
});

describe('protect', () => {
  it('leaves stores alone if WRITE stays, but did not in 2001', () => {
    for (const protect of ['exact', 'authentic'] as const) {
      const booted = boot({ protect });
      const { map, pa } = mapped(booted, VM_PROT_WRITE | PMAP_WIRED);
      booted.pmap.protect(map, VA, VA + PAGE, RW);
      expect(touch(booted.machine, VA, USER_WRITE)).toBe(protect === 'exact' ? pa : FAULT);
    }
  });
});

describe('the kernel', () => {
  it('sees physical memory below 80000000 by entries of 16 MB, filled as it goes', () => {
    const { machine, md, pmap } = boot({}, { memory: 64 << 20 });
    const mmu = md.mmus[0];
    // The first 16 MB are locked in.
    expect(mmu.translate(0x00123456, VM_PROT_WRITE)).toBe(0x00123456);
    expect(mmu.translate(0x02123456, VM_PROT_WRITE)).toBe(FAULT);
    expect(md.trap(0)).toBe(TRAP_SETTLED);
    expect(mmu.translate(pmap.mapPoolPage!(0x02123456), VM_PROT_WRITE)).toBe(0x02123456);
    expect(mmu.translate(0x02fffffc, VM_PROT_READ)).toBe(0x02fffffc);
    expect(mmu.translate(0x02000000, VM_PROT_EXECUTE)).toBe(FAULT);
    expect(md.trap(0)).toBe(TRAP_FAULT);
    expect(md.fault).toMatchObject({
      kernel: true,
      access: VM_PROT_EXECUTE,
      type: VM_FAULT_PROTECT,
    });
    expect(touch(machine, 0x02000000, USER_READ)).toBe(FAULT);
  });

  it('never loses its locked entries', () => {
    const { machine, md, pmap } = boot();
    const map = pmap.create();
    pmap.activate(map);
    const pa = machine.takePage();
    for (let index = 0; index < 200; index++) pmap.enter(map, index * PAGE, pa, RW, VM_PROT_READ);
    const misses = md.mmus[0].stats.misses;
    expect(md.mmus[0].translate(0xef600300, VM_PROT_WRITE)).toBe(0xef600300);
    expect(md.mmus[0].translate(0x1000, VM_PROT_EXECUTE)).toBe(0x1000);
    expect(md.mmus[0].stats.misses).toBe(misses);
  });

  it('has mappings that only it can use, uncounted if kenterPa made them', () => {
    const { machine, md, pmap } = boot();
    const pa = machine.takePage();
    pmap.kenterPa(0x80004000, pa, RW);
    pmap.kenterPa(0x80008000, pa, VM_PROT_READ);
    expect(touch(machine, 0x80004010, VM_PROT_WRITE)).toBe(pa + 0x10);
    expect(touch(machine, 0x80008010, VM_PROT_READ)).toBe(pa + 0x10);
    expect(touch(machine, 0x80008010, VM_PROT_WRITE)).toBe(FAULT);
    expect(md.fault).toMatchObject({ kernel: true, va: 0x80008010, type: VM_FAULT_PROTECT });
    pmap.activate(pmap.create());
    expect(touch(machine, 0x80004010, USER_READ)).toBe(FAULT);
    expect(pmap.isModified(pa)).toBe(false);
    pmap.kremove(0x80004000, 2 * PAGE);
    expect(pmap.residentCount(PMAP_KERNEL)).toBe(0);
    expect(touch(machine, 0x80004010, VM_PROT_READ)).toBe(FAULT);
  });

  it('is shielded by its zone, and a load that it refuses is not taken for a store', () => {
    const { machine, md, pmap } = boot();
    pmap.kenterPa(0x80004000, machine.takePage(), RW);
    pmap.activate(PMAP_KERNEL);
    expect(touch(machine, 0x80004000, USER_READ)).toBe(FAULT);
    expect(md.mmus[0].describeFault()).toBe('DSI 0x0300 DEAR 80004000 ESR 00400000');
    expect(md.fault).toMatchObject({ access: VM_PROT_READ, type: VM_FAULT_PROTECT, kernel: false });
  });

  it('grows its tables 64 MB at a time, and panics if it cannot', () => {
    const { machine, pmap } = boot();
    expect(pmap.virtualSpace()).toEqual({ start: 0x80000000, end: 0xef000000 });
    expect(pmap.growKernel(0x81000000)).toBe(0x84000000);
    expect(machine.tablePagesOut).toBe(0);
    expect(pmap.growKernel(0x84004000)).toBe(0x88000000);
    expect(machine.tablePagesOut).toBe(1);
    expect(pmap.tableBytes(PMAP_KERNEL)).toBe(2 * PAGE);
    machine.tablePageLimit = 1;
    expect(() => pmap.growKernel(0x90000000)).toThrow(/pmap_growkernel/);
    expect(() => pmap.kenterPa(0x90000000, machine.takePage(), RW)).toThrow(/pmap_kenter_pa/);
    expect(() => pmap.growKernel(0xef004000)).toThrow(RangeError);
  });

  it('cannot grow before init, when there are no pages for tables', () => {
    const pmap = ibm4xx().boot({
      memory: new PhysicalMemory(8 << 20, PAGE),
      cpus: 1,
      events: new EventStream(),
      diagnostic: true,
      steal: () => 0,
      print: () => {},
    }).pmap;
    expect(() => pmap.growKernel!(0x84004000)).toThrow(/pmap_growkernel: no memory/);
  });

  it('count no mapping of kenterPa, as the port says', () => {
    const { md, machine, pmap } = boot();
    pmap.kenterPa(0x80000000, machine.takePage(), RW);
    expect([pmap.residentCount(PMAP_KERNEL), pmap.wiredCount(PMAP_KERNEL)]).toEqual([0, 0]);
    expect(md.port.capabilities.kenterCounted).toBe(false);
  });

  it('reaches user space under the user’s PID', () => {
    const booted = boot();
    const { map, pa } = mapped(booted, VM_PROT_READ);
    expect(touch(booted.machine, VA + 4, VM_PROT_READ | ACCESS_USERSPACE)).toBe(pa + 4);
    expect(touch(booted.machine, VA + 4, VM_PROT_READ)).toBe(VA + 4);
    expect(touch(booted.machine, VA + 4, VM_PROT_WRITE | ACCESS_USERSPACE)).toBe(FAULT);
    expect(booted.md.fault).toMatchObject({ va: VA + 4, access: VM_PROT_WRITE, kernel: false });
    // Zone 1 shields nothing from the kernel; user addresses above 80000000 are the user's.
    booted.pmap.enter(map, 0xc0000000, pa, RW, VM_PROT_READ);
    expect(touch(booted.machine, 0xc0000000, USER_READ)).toBe(pa);
  });
});

describe('contexts', () => {
  it('are stolen in turn; tables stay, and nothing stale is left', () => {
    const { machine, md, pmap } = boot({ contexts: 5 });
    const maps = Array.from({ length: 4 }, () => pmap.create());
    const pages = maps.map(() => machine.takePage());
    const stolen: number[] = [];
    machine.events.watch((name, map, va, what, pid) => {
      if (name === 'pmap.steal') stolen.push(map, va, what, pid);
    });
    for (const [index, map] of maps.entries()) {
      pmap.activate(map);
      pmap.enter(map, VA, pages[index]!, RW, VM_PROT_READ);
    }
    expect(stolen).toEqual([maps[0], 0, STEAL_CONTEXT, 2]);
    for (let round = 0; round < 12; round++) {
      const index = (round * 3) % 4;
      pmap.activate(maps[index]!);
      expect(touch(machine, VA, USER_READ)).toBe(pages[index]);
      pmap.protect(maps[(index + 1) % 4]!, VA, VA + PAGE, VM_PROT_READ);
    }
    expect(md.mmus[0].registers()['PID.user']).toBeLessThan(5);
  });

  it('never go beyond the last PID', () => {
    const { md, pmap } = boot();
    const pids = new Set<number>();
    for (let index = 0; index < 600; index++) {
      pmap.activate(pmap.create());
      pids.add(md.mmus[0].registers()['PID.user']!);
    }
    expect([Math.min(...pids), Math.max(...pids), pids.size]).toEqual([2, 255, 254]);
  });

  it('need not be stolen from the dead', () => {
    const { machine, pmap } = boot({ contexts: 4 });
    const stolen: string[] = [];
    machine.events.watch((name) => {
      if (name === 'pmap.steal') stolen.push(name);
    });
    for (let index = 0; index < 10; index++) {
      const map = pmap.create();
      pmap.activate(map);
      pmap.destroy(map);
    }
    expect(stolen).toEqual([]);
  });

  it.each([false, true])(
    'are free again after destroy, with none of its entries (deferral: %s)',
    (deferred) => {
      const { machine, pmap } = boot({ contexts: 3, deferred });
      const [first, pa] = [pmap.create(), machine.takePage()];
      pmap.activate(first);
      pmap.enter(first, VA, pa, RW, VM_PROT_READ);
      pmap.remove(first, VA, VA + PAGE);
      expect(machine.tablePagesOut).toBe(1);
      pmap.destroy(first);
      expect(machine.tablePagesOut).toBe(0);
      const second = pmap.create();
      pmap.activate(second);
      expect(touch(machine, VA, USER_READ)).toBe(FAULT);
    },
  );
});

describe('shortage on the 4xx', () => {
  it('of table pages is ENOMEM with CANFAIL and a panic without', () => {
    const { machine, pmap } = boot({}, { tablePages: 1 });
    const [map, pa] = [pmap.create(), machine.takePage()];
    expect(pmap.enter(map, VA, pa, RW, VM_PROT_READ | PMAP_CANFAIL)).toBe(0);
    expect(pmap.enter(map, 0x40000000, pa, RW, VM_PROT_READ | PMAP_WIRED | PMAP_CANFAIL)).toBe(
      ENOMEM,
    );
    expect([pmap.residentCount(map), pmap.wiredCount(map)]).toEqual([1, 0]);
    expect(() => pmap.enter(map, 0x40000000, pa, RW, VM_PROT_READ)).toThrow(
      /no memory for a page table/,
    );
    machine.tablePageLimit = 2;
    expect(pmap.enter(map, 0x40000000, pa, RW, VM_PROT_READ | PMAP_CANFAIL)).toBe(0);
  });

  it('of pv entries likewise', () => {
    const { machine, pmap } = boot({ pvs: 2 });
    const [map, pa] = [pmap.create(), machine.takePage()];
    for (const index of [0, 1])
      pmap.enter(map, VA + index * PAGE, pa, RW, VM_PROT_READ | PMAP_WIRED);
    expect(pmap.enter(map, 0, pa, RW, VM_PROT_READ | PMAP_WIRED | PMAP_CANFAIL)).toBe(ENOMEM);
    expect(pmap.extract(map, 0)).toBe(NO_PA);
    expect([pmap.residentCount(map), pmap.wiredCount(map)]).toEqual([2, 2]);
    expect(() => pmap.enter(map, 0, pa, RW, VM_PROT_READ)).toThrow(/no pv entries/);
    expect(pmap.enter(map, VA, pa, RW, VM_PROT_READ | PMAP_CANFAIL)).toBe(0);
  });
});

describe('deferral', () => {
  it('leaves stale entries until pmap.update, but never two for one page', () => {
    const booted = boot({ deferred: true });
    const { machine, pmap } = booted;
    const { map, pa } = mapped(booted, VM_PROT_READ);
    pmap.remove(map, VA, VA + PAGE);
    expect(touch(machine, VA, USER_READ)).toBe(pa);
    const other = machine.takePage();
    pmap.enter(map, VA, other, RW, VM_PROT_READ);
    expect(booted.entries()).toHaveLength(1);
    expect(touch(machine, VA, USER_READ)).toBe(other);
    pmap.remove(map, VA, VA + PAGE);
    pmap.update(map);
    expect(touch(machine, VA, USER_READ)).toBe(FAULT);
    expect(ibm4xx({ deferred: true }).capabilities.deferred).toBe(true);
  });
});

describe('calls with a bad argument', () => {
  it('are RangeErrors, or a panic where mappings would be left behind', () => {
    const { machine, pmap } = boot();
    const pa = machine.takePage();
    expect(() => pmap.enter(9, 0, pa, RW, 0)).toThrow(RangeError);
    expect(() => pmap.enter(PMAP_KERNEL, 0x1000, pa, RW, 0)).toThrow(RangeError);
    expect(() => pmap.kenterPa(0x4000, pa, RW)).toThrow(RangeError);
    expect(() => pmap.kremove(0x4000, PAGE)).toThrow(RangeError);
    expect(() => pmap.destroy(PMAP_KERNEL)).toThrow(RangeError);
    const map = pmap.create();
    pmap.reference(map);
    pmap.enter(map, VA, pa, RW, VM_PROT_READ);
    pmap.destroy(map);
    expect(() => pmap.destroy(map)).toThrow(/mappings remain/);
    pmap.remove(map, VA, VA + PAGE);
    pmap.destroy(map);
    expect(() => pmap.activate(map)).toThrow(RangeError);
    expect(pmap.create()).toBe(map);
  });

  it.each<Ibm4xxOptions>([{ contexts: 2 }, { contexts: 257 }, { pvs: 0 }])(
    'and so are options %o',
    (options) => {
      expect(() => ibm4xx(options)).toThrow(RangeError);
    },
  );

  it('and so are several CPUs', () => {
    expect(() => bootBare(ibm4xx(), { cpus: 2 })).toThrow(/works alone/);
  });
});

describe('what is told', () => {
  it('names page table writes, and leaves faults to the machine', () => {
    const booted = boot();
    const seen: string[] = [];
    booted.machine.events.watch((name, a, b, c, d) => {
      if (name === 'pte.write' || name === 'mmu.fault') seen.push([name, a, b, c, d].join(' '));
    });
    const { map } = mapped(booted, VM_PROT_READ | PMAP_WIRED);
    touch(booted.machine, VA, USER_READ);
    touch(booted.machine, VA + PAGE, USER_WRITE);
    expect(seen).toEqual([`pte.write ${map} ${VA} 0 ${0x00400b10}`]);
  });

  it('counts procwr by mapped pages', () => {
    const booted = boot();
    const { map } = mapped(booted, VM_PROT_READ);
    booted.pmap.procwr(map, VA + PAGE - 4, 8);
    expect(booted.pmap.icacheSyncs).toBe(1);
  });
});

describe('any sequence of pmap calls', () => {
  const addresses = Array.from(
    { length: 20 },
    (_, index) => (index % 4) * PAGE + (index >> 2) * 0x4000000,
  );

  it.each<[string, Ibm4xxOptions]>([
    ['by default', {}],
    ['with deferral and updates', { deferred: true }],
    ['short of pv entries', { pvs: 9 }],
    ['short of contexts', { contexts: 4 }],
  ])('keeps counts, rights, wiring and the modified bit right %s', (_name, options) => {
    const property = fc.property(steps(3, addresses.length, 6), (sequence) => {
      const standIn = new StandIn(ibm4xx({ wiredCount: 'exact', ...options }), {
        addresses,
        pages: 6,
        maps: 3,
        bare: { memory: 1 << 20 },
        emulates: true,
      });
      for (const step of sequence) standIn.run(step);
    });
    fc.assert(property, { seed: 20011231, numRuns: 60 });
  });
});
