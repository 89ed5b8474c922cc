import {
  ACCESS_USER,
  ENOMEM,
  FAULT,
  NO_PA,
  NO_PMAP,
  PMAP_CANFAIL,
  PMAP_KERNEL,
  PMAP_WIRED,
  TRAP_BAD_ADDRESS,
  TRAP_FAULT,
  TRAP_SETTLED,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { beforeEach, describe, expect, it } from 'vitest';
import { FLUSH_SEGMENT } from './mmu.ts';
import { PMAP_NC } from './pmap.ts';
import { srmmu } from './port.ts';
import { SFSR_TO } from './pte.ts';
import { RW, R, LOAD, STORE, bare, md, boot, pteAt, userMap } from '../../test/srmmu-boot.ts';

beforeEach(() => boot());

describe('enter', () => {
  it.each([
    ['user RW', false, RW, 0x8e],
    ['user RO', false, R, 0x8a],
    ['kernel RW', true, RW, 0x9e],
    ['kernel RO', true, R, 0x9a],
  ])('writes the PTE of a %s mapping as NetBSD does', (_, kernel, prot, low) => {
    const pa = bare.takePage();
    const va = kernel ? 0xf100_0000 : 0x1000;
    const pmap = kernel ? PMAP_KERNEL : userMap();
    expect(md.pmap.enter(pmap, va, pa, prot, 0)).toBe(0);
    expect(pteAt(va)).toBe((pa / 4096) * 256 + low);
  });

  it('leaves out C with PMAP_NC, and puts the space into PA[35:32]', () => {
    const pmap = userMap();
    md.pmap.enter(pmap, 0x1000, 0x10_0000 | PMAP_NC | (0xf << 3), RW, 0);
    expect(pteAt(0x1000)).toBe(0xf001_000e);
    expect(md.pmap.extract(pmap, 0x1004)).toBe(0xf_0010_0004);
    expect(md.mmus[0]!.translate(0x1004, LOAD)).toBe(0xf_0010_0004);
  });

  it('lets the named access through at once, with hardware setting R and M', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0x1000, pa, RW, VM_PROT_WRITE);
    expect([md.pmap.isModified(pa), md.pmap.isReferenced(pa)]).toEqual([false, false]);
    expect(md.mmus[0]!.translate(0x1008, STORE)).toBe(pa + 8);
    expect([md.pmap.isModified(pa), md.pmap.isReferenced(pa)]).toEqual([true, true]);
  });

  it('of the same page raises and lowers the protection, past what the TLB holds', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0x1000, pa, R, 0);
    expect(md.mmus[0]!.translate(0x1000, LOAD)).toBe(pa);
    md.pmap.enter(pmap, 0x1000, pa, RW, 0);
    expect(md.mmus[0]!.translate(0x1000, STORE)).toBe(pa);
    md.pmap.enter(pmap, 0x1000, pa, R, 0);
    expect(md.mmus[0]!.translate(0x1000, STORE)).toBe(FAULT);
    md.pmap.enter(pmap, 0x1000, pa, R, 0);
    expect(md.pmap.counters.uselessChangeprots).toBe(1);
    expect(md.pmap.residentCount(pmap)).toBe(1);
  });

  it.each(['user', 'kernel'])('of another page keeps the old one’s R and M (%s)', (which) => {
    const pmap = which === 'user' ? userMap() : PMAP_KERNEL;
    const va = which === 'user' ? 0x1000 : 0xf100_0000;
    const store = which === 'user' ? STORE : VM_PROT_WRITE;
    const [old, fresh] = [bare.takePage(), bare.takePage()];
    md.pmap.enter(pmap, va, old, RW, 0);
    md.mmus[0]!.translate(va, store);
    md.pmap.enter(pmap, va, fresh, RW, 0);
    expect(md.mmus[0]!.translate(va, store)).toBe(fresh);
    expect([md.pmap.isModified(old), md.pmap.isReferenced(old)]).toEqual([true, true]);
    md.pmap.pageProtect(old, VM_PROT_NONE);
    expect(md.pmap.extract(pmap, va)).toBe(fresh);
  });
});

describe('remove', () => {
  it('saves R and M, skips holes and gives every table back', () => {
    const before = bare.tablePagesOut;
    const pmap = userMap();
    const empty = md.pmap.tableBytes(pmap);
    const pa = bare.takePage();
    for (const va of [0x1000, 0x4_0000, 0x0100_0000, 0xefff_f000])
      md.pmap.enter(pmap, va, pa, RW, 0);
    expect(md.pmap.tableBytes(pmap)).toBe(empty + 3 * 256 + 4 * 256);
    md.mmus[0]!.translate(0x4_0000, STORE);
    md.pmap.remove(pmap, 0, 0xf000_0000);
    expect(md.mmus[0]!.translate(0x4_0000, LOAD)).toBe(FAULT);
    expect([md.pmap.residentCount(pmap), md.pmap.tableBytes(pmap)]).toEqual([0, empty]);
    expect(md.pmap.isModified(pa)).toBe(true);
    md.pmap.destroy(pmap);
    expect(bare.tablePagesOut).toBe(before);
  });

  it('keeps kernel tables, and takes away only R and M of mappings that enter made', () => {
    const pa = bare.takePage();
    md.pmap.kenterPa(0xf100_0000, pa, RW);
    md.mmus[0]!.translate(0xf100_0000, VM_PROT_WRITE);
    expect(md.pmap.isModified(pa)).toBe(false);
    md.pmap.kremove(0xf100_0000, 4096);
    expect([md.pmap.isModified(pa), md.pmap.isReferenced(pa)]).toEqual([false, false]);
    expect(md.mmus[0]!.translate(0xf100_0000, R)).toBe(FAULT);
    expect([md.pmap.residentCount(PMAP_KERNEL), md.pmap.wiredCount(PMAP_KERNEL)]).toEqual([0, 0]);
  });
});

describe('protection', () => {
  it.each([
    [
      'protect',
      (pmap: number, _: number, prot: number) => md.pmap.protect(pmap, 0x1000, 0x2000, prot),
    ],
    ['pageProtect', (_: number, pa: number, prot: number) => md.pmap.pageProtect(pa, prot)],
  ])(
    '%s takes write away, from wired mappings too; NONE removes; WRITE changes nothing',
    (_, lower) => {
      const pmap = userMap();
      const pa = bare.takePage();
      md.pmap.enter(pmap, 0x1000, pa, RW, PMAP_WIRED);
      md.mmus[0]!.translate(0x1000, STORE);
      lower(pmap, pa, RW);
      expect(md.mmus[0]!.translate(0x1000, STORE)).toBe(pa);
      lower(pmap, pa, VM_PROT_EXECUTE);
      expect(md.mmus[0]!.translate(0x1000, LOAD)).toBe(pa);
      expect(md.mmus[0]!.translate(0x1000, STORE)).toBe(FAULT);
      expect(md.trap(0)).toBe(TRAP_FAULT);
      expect(md.fault).toEqual({
        va: 0x1000,
        access: VM_PROT_WRITE,
        type: VM_FAULT_PROTECT,
        kernel: false,
      });
      lower(pmap, pa, VM_PROT_NONE);
      expect(md.pmap.extract(pmap, 0x1000)).toBe(NO_PA);
      expect(md.mmus[0]!.translate(0x1000, LOAD)).toBe(FAULT);
      expect(md.pmap.isModified(pa)).toBe(true);
    },
  );

  it('pageProtect reaches every map', () => {
    const pa = bare.takePage();
    const maps = [userMap(), userMap(), userMap()];
    for (const pmap of maps) md.pmap.enter(pmap, 0x5000, pa, RW, 0);
    md.pmap.enter(PMAP_KERNEL, 0xf100_0000, pa, RW, 0);
    md.pmap.pageProtect(pa, VM_PROT_NONE);
    for (const pmap of maps) expect(md.pmap.extract(pmap, 0x5000)).toBe(NO_PA);
    expect(md.pmap.extract(PMAP_KERNEL, 0xf100_0000)).toBe(NO_PA);
  });

  it('panics at a listed mapping that is not in the tables', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0x1000, pa, RW, 0);
    md.pmap.enter(pmap, 0x2000, bare.takePage(), RW, 0);
    const l2 = md.mmus[0]!.probe(FLUSH_SEGMENT, 0x1000);
    bare.memory.writeBe32((l2 >>> 2) * 64 + 4, 0);
    expect(() => md.pmap.pageProtect(pa, VM_PROT_NONE)).toThrow('pmap_page_protect !PG_V');
  });
});

describe('referenced and modified', () => {
  it('are set again by the next access after they were cleared, whatever the TLB held', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0x1000, pa, RW, PMAP_WIRED);
    md.mmus[0]!.translate(0x1000, STORE);
    expect(md.pmap.clearModify(pa)).toBe(true);
    expect(md.pmap.clearModify(pa)).toBe(false);
    expect(md.pmap.isReferenced(pa)).toBe(true);
    expect(md.pmap.clearReference(pa)).toBe(true);
    expect(md.pmap.isReferenced(pa)).toBe(false);
    expect(md.mmus[0]!.translate(0x1000, STORE)).toBe(pa);
    expect([md.pmap.isModified(pa), md.pmap.isReferenced(pa)]).toEqual([true, true]);
  });

  it('are false for what is not managed', () => {
    expect(md.pmap.isModified(0)).toBe(false);
    expect(md.pmap.clearReference(0)).toBe(false);
  });
});

describe('contexts', () => {
  it('are stolen by a rover that goes to and fro, and come back with the next activate', () => {
    boot({ contexts: 4 });
    const stolen: number[] = [];
    bare.events.watch((name, victim) => name === 'pmap.steal' && stolen.push(victim));
    const maps = [1, 2, 3, 4, 5, 6].map(() => md.pmap.create());
    const pages = maps.map((pmap) => {
      const pa = bare.takePage();
      md.pmap.enter(pmap, 0x1000, pa, RW, 0);
      return pa;
    });
    for (const pmap of maps) md.pmap.activate(pmap);
    // Contexts 1 2 3 go to maps 1 2 3 and are taken from them in turn.
    expect(stolen).toEqual([1, 2, 3]);
    for (const [index, pmap] of maps.entries()) {
      md.pmap.activate(pmap);
      expect(md.mmus[0]!.translate(0x1000, STORE)).toBe(pages[index]);
    }
  });

  it.each([
    [true, 'faults'],
    [false, 'meets the old owner’s translation, as in 2001'],
  ])('with stealFlush %s the new owner %s', (stealFlush, meets) => {
    boot({ contexts: 2, stealFlush });
    const first = userMap();
    const pa = bare.takePage();
    md.pmap.enter(first, 0x1000, pa, RW, 0);
    md.mmus[0]!.translate(0x1000, LOAD);
    userMap();
    expect(md.mmus[0]!.translate(0x1000, LOAD)).toBe(meets === 'faults' ? FAULT : pa);
  });

  it('of a destroyed map is not walked through again', () => {
    const pmap = userMap();
    md.pmap.destroy(pmap);
    expect(md.mmus[0]!.cxr).toBe(0);
    expect(md.mmus[0]!.translate(0xf000_0000, R)).not.toBe(FAULT);
  });

  it('must be enough for the CPUs', () => {
    expect(() => boot({ contexts: 2 }, { cpus: 2 })).toThrow(
      /contexts must be 3 to 65536 for 2 CPUs, given 2/,
    );
  });
});

describe('several CPUs', () => {
  beforeEach(() => boot({ contexts: 4 }, { cpus: 3 }));

  function on(cpu: number, pmap: number): void {
    md.currentCpu = cpu;
    md.pmap.activate(pmap);
  }

  it('shoot a page down where the map runs, and only there', () => {
    const shot: number[][] = [];
    const pmap = md.pmap.create();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0x1000, pa, RW, 0);
    on(0, pmap);
    on(2, pmap);
    on(1, md.pmap.create());
    for (const cpu of [0, 2]) expect(md.mmus[cpu]!.translate(0x1000, STORE)).toBe(pa);
    bare.events.watch(
      (name, from, to, va) => name === 'tlb.shootdown' && shot.push([from, to, va]),
    );
    md.currentCpu = 0;
    md.pmap.protect(pmap, 0x1000, 0x2000, R);
    expect(shot).toEqual([[0, 2, 0x1000]]);
    for (const cpu of [0, 2]) expect(md.mmus[cpu]!.translate(0x1000, STORE)).toBe(FAULT);
  });

  it('shoot kernel pages down everywhere', () => {
    const pa = bare.takePage();
    md.pmap.kenterPa(0xf100_0000, pa, RW);
    for (const mmu of md.mmus) expect(mmu.translate(0xf100_0000, R)).toBe(pa);
    md.pmap.kremove(0xf100_0000, 4096);
    for (const mmu of md.mmus) expect(mmu.translate(0xf100_0000, R)).toBe(FAULT);
  });

  it('leave nothing of a map in their TLB when they stop using it', () => {
    const pmap = md.pmap.create();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0x1000, pa, RW, 0);
    on(1, pmap);
    md.mmus[1]!.translate(0x1000, LOAD);
    md.pmap.deactivate(pmap);
    md.currentCpu = 0;
    bare.events.watch((name) => expect(name).not.toBe('tlb.shootdown'));
    md.pmap.remove(pmap, 0x1000, 0x2000);
    on(1, pmap);
    expect(md.mmus[1]!.translate(0x1000, LOAD)).toBe(FAULT);
  });

  it('never lose the context that they have loaded to another CPU', () => {
    const mine = md.pmap.create();
    const pa = bare.takePage();
    md.pmap.enter(mine, 0x1000, pa, RW, 0);
    on(1, mine);
    for (let round = 0; round < 8; round++) {
      on(0, md.pmap.create());
      expect(md.mmus[1]!.translate(0x1000, LOAD)).toBe(pa);
      md.mmus[1]!.flushAll();
    }
  });

  it('each find a page of their own in the kernel’s image, and share the rest of it', () => {
    const own = md.mmus.map((mmu) => mmu.translate(0xf000_2000, R));
    expect(new Set(own).size).toBe(3);
    const shared = md.mmus.map((mmu) => mmu.translate(0xf000_3000, R));
    expect(new Set(shared).size).toBe(1);
  });
});

describe('deferred flushes', () => {
  beforeEach(() => boot({ deferred: true }));

  it.each([
    ['remove', () => md.pmap.remove(1, 0x1000, 0x2000)],
    ['protect', () => md.pmap.protect(1, 0x1000, 0x2000, R)],
  ])('leave %s unseen until update', (_, lower) => {
    const pmap = userMap();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0x1000, pa, RW, 0);
    md.mmus[0]!.translate(0x1000, STORE);
    lower();
    expect(md.mmus[0]!.translate(0x1000, STORE)).toBe(pa);
    md.pmap.update(pmap);
    expect(md.mmus[0]!.translate(0x1000, STORE)).toBe(FAULT);
  });

  it('become one context flush when there are too many to remember', () => {
    const pmap = userMap();
    for (let page = 0; page < 60; page++) md.pmap.enter(pmap, page * 4096, bare.takePage(), RW, 0);
    for (let page = 0; page < 60; page++) md.mmus[0]!.translate(page * 4096, STORE);
    md.pmap.remove(pmap, 0, 60 * 4096);
    expect(md.mmus[0]!.translate(59 * 4096, LOAD)).not.toBe(FAULT);
    md.pmap.update(pmap);
    for (let page = 0; page < 60; page++)
      expect(md.mmus[0]!.translate(page * 4096, LOAD)).toBe(FAULT);
  });

  it('that nobody asked for are made when the context is given back', () => {
    const pmap = userMap();
    md.pmap.enter(pmap, 0x1000, bare.takePage(), RW, 0);
    md.mmus[0]!.translate(0x1000, LOAD);
    md.pmap.remove(pmap, 0x1000, 0x2000);
    md.pmap.destroy(pmap);
    userMap();
    expect(md.mmus[0]!.translate(0x1000, LOAD)).toBe(FAULT);
  });

  it('never put off clearing modified', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0x1000, pa, RW, 0);
    md.mmus[0]!.translate(0x1000, STORE);
    md.pmap.clearModify(pa);
    md.mmus[0]!.translate(0x1000, STORE);
    expect(md.pmap.isModified(pa)).toBe(true);
  });
});

describe('shortages', () => {
  it('of table pages answer ENOMEM with every count right, and panic without CANFAIL', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    const before = md.pmap.tableBytes(pmap);
    bare.tablePageLimit = bare.tablePagesOut;
    expect(md.pmap.enter(pmap, 0x1000, pa, RW, PMAP_CANFAIL | PMAP_WIRED)).toBe(ENOMEM);
    expect([
      md.pmap.residentCount(pmap),
      md.pmap.wiredCount(pmap),
      md.pmap.tableBytes(pmap),
    ]).toEqual([0, 0, before]);
    expect(() => md.pmap.enter(pmap, 0x1000, pa, RW, 0)).toThrow('pmap_enter: out of page tables');
    bare.tablePageLimit = Number.POSITIVE_INFINITY;
    expect(md.pmap.enter(pmap, 0x1000, pa, RW, 0)).toBe(0);
    expect(md.mmus[0]!.translate(0x1000, STORE)).toBe(pa);
  });

  it('of the level 3 table give the level 2 table back', () => {
    const pmap = userMap();
    const before = bare.tablePagesOut;
    // One page holds sixteen tables: regions take two each until one is left.
    bare.tablePageLimit = before + 1;
    md.pmap.enter(pmap, 0, bare.takePage(), RW, 0);
    md.pmap.enter(pmap, 0x4_0000, bare.takePage(), RW, 0);
    for (let region = 1; region < 7; region++)
      md.pmap.enter(pmap, region << 24, bare.takePage(), RW, 0);
    const bytes = md.pmap.tableBytes(pmap);
    expect(md.pmap.enter(pmap, 7 << 24, bare.takePage(), RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect(md.pmap.tableBytes(pmap)).toBe(bytes);
    expect(md.pmap.enter(pmap, 0x8_0000, bare.takePage(), RW, PMAP_CANFAIL)).toBe(0);
  });

  it('of pv entries likewise, and a page may still replace another', () => {
    boot({ pvEntries: 1 });
    const pmap = userMap();
    const [a, b] = [bare.takePage(), bare.takePage()];
    md.pmap.enter(pmap, 0x1000, a, RW, 0);
    const bytes = md.pmap.tableBytes(pmap);
    expect(md.pmap.enter(pmap, 0x0100_0000, b, RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect([md.pmap.residentCount(pmap), md.pmap.tableBytes(pmap)]).toEqual([1, bytes]);
    expect(() => md.pmap.enter(pmap, 0x2000, b, RW, 0)).toThrow('pv_link4m: out of pv entries');
    expect(md.pmap.enter(pmap, 0x1000, b, RW, 0)).toBe(0);
    expect(md.mmus[0]!.translate(0x1000, LOAD)).toBe(b);
  });

  it('of level 1 tables leave create without a map', () => {
    bare.tablePageLimit = 1;
    const maps = [1, 2, 3, 4].map(() => md.pmap.create());
    expect(maps).toEqual([1, 2, 3, 4]);
    expect(md.pmap.create()).toBe(NO_PMAP);
    md.pmap.destroy(3);
    expect(md.pmap.create()).toBe(3);
  });
});

describe('traps', () => {
  it.each([
    ['a load of nothing', 0x1000, LOAD, TRAP_FAULT, [VM_PROT_READ, VM_FAULT_INVALID, false]],
    ['a store to nothing', 0x1000, STORE, TRAP_FAULT, [VM_PROT_WRITE, VM_FAULT_INVALID, false]],
    [
      'a fetch of nothing',
      0x1000,
      VM_PROT_EXECUTE | ACCESS_USER,
      TRAP_FAULT,
      [VM_PROT_EXECUTE, VM_FAULT_INVALID, false],
    ],
    ['copyin of nothing', 0x1000, R, TRAP_FAULT, [VM_PROT_READ, VM_FAULT_INVALID, false]],
    [
      'the kernel’s load of nothing',
      0xf100_0000,
      R,
      TRAP_FAULT,
      [VM_PROT_READ, VM_FAULT_INVALID, true],
    ],
    [
      'a user’s load of the kernel',
      0xf000_0000,
      LOAD,
      TRAP_BAD_ADDRESS,
      [VM_PROT_READ, VM_FAULT_PROTECT, true],
    ],
  ])('decode %s', (_, va, access, outcome, [right, type, kernel]) => {
    userMap();
    expect(md.mmus[0]!.translate(va, access)).toBe(FAULT);
    expect(md.trap(0)).toBe(outcome);
    expect(md.fault).toEqual({ va, access: right, type, kernel });
    expect(md.mmus[0]!.sfsr).toBe(0);
  });

  it('try a translation error again if the tables have been put right, and give up if not', () => {
    const pmap = userMap();
    md.pmap.enter(pmap, 0x1000, bare.takePage(), RW, 0);
    const slot = (md.mmus[0]!.probe(FLUSH_SEGMENT, 0x1000) >>> 2) * 64 + 4;
    const pte = bare.memory.readBe32(slot);
    bare.memory.writeBe32(slot, 3);
    md.mmus[0]!.translate(0x1000, LOAD);
    bare.memory.writeBe32(slot, pte);
    expect(md.trap(0)).toBe(TRAP_SETTLED);
    bare.memory.writeBe32(slot, 3);
    md.mmus[0]!.translate(0x1000, LOAD);
    expect(md.trap(0)).toBe(TRAP_BAD_ADDRESS);
    md.mmus[0]!.translate(0x1000, R);
    expect(() => md.trap(0)).toThrow('kernel fault');
  });

  it('end a user’s access that the bus did not carry out, and the kernel’s in a panic', () => {
    md.mmus[0]!.busError(0x1000, STORE, SFSR_TO);
    expect(md.trap(0)).toBe(TRAP_BAD_ADDRESS);
    expect(md.fault).toMatchObject({ va: 0x1000, access: VM_PROT_WRITE });
    md.mmus[0]!.busError(0xf000_0000, R, SFSR_TO);
    expect(() => md.trap(0)).toThrow('kernel fault');
  });

  it('panic when the kernel fetches where nothing is', () => {
    md.mmus[0]!.translate(0xf100_0000, VM_PROT_EXECUTE);
    expect(() => md.trap(0)).toThrow('kernel fault');
  });
});

describe('the kernel’s mappings', () => {
  it('never want memory', () => {
    bare.tablePageLimit = bare.tablePagesOut;
    const { start, end } = md.pmap.virtualSpace();
    for (const va of [start, 0xf800_0000, end - 4096]) {
      const pa = bare.takePage();
      expect(md.pmap.enter(PMAP_KERNEL, va, pa, VM_PROT_ALL, 0)).toBe(0);
      expect(md.mmus[0]!.translate(va, VM_PROT_WRITE)).toBe(pa);
    }
  });

  it('kenterPa over a mapping, and kremove of a managed one, panic under DIAGNOSTIC alone', () => {
    const pa = bare.takePage();
    md.pmap.enter(PMAP_KERNEL, 0xf100_0000, pa, RW, 0);
    expect(() => md.pmap.kenterPa(0xf100_0000, pa, RW)).toThrow('pmap_kenter_pa: mapping exists');
    expect(() => md.pmap.kremove(0xf100_0000, 4096)).toThrow('pmap_kremove: managed mapping');
    boot({}, { diagnostic: false });
    md.pmap.kenterPa(0xf100_0000, pa, RW);
    md.pmap.kenterPa(0xf100_0000, pa, R);
    expect(md.pmap.extract(PMAP_KERNEL, 0xf100_0000)).toBe(pa);
  });

  it('begin at KERNBASE, which may be the older one', () => {
    boot({ kernelBase: 0xf800_0000 });
    const pmap = userMap();
    const pa = bare.takePage();
    expect(md.pmap.enter(pmap, 0xf7ff_f000, pa, RW, 0)).toBe(0);
    expect(md.mmus[0]!.translate(0xf7ff_f000, STORE)).toBe(pa);
    expect(md.mmus[0]!.translate(0xf800_0000, R)).not.toBe(FAULT);
    expect(() => srmmu({ kernelBase: 0xf012_3000 })).toThrow(/multiple of 16 MB/);
  });
});

it('a map that is destroyed with mappings in it panics under DIAGNOSTIC and is emptied without', () => {
  const pmap = userMap();
  md.pmap.enter(pmap, 0x1000, bare.takePage(), RW, 0);
  expect(() => md.pmap.destroy(pmap)).toThrow('pmap_release: map not empty');
  boot({}, { diagnostic: false });
  const other = userMap();
  const pa = bare.takePage();
  md.pmap.enter(other, 0x1000, pa, RW, 0);
  md.pmap.reference(other);
  md.pmap.destroy(other);
  expect(md.pmap.extract(other, 0x1000)).toBe(pa);
  md.pmap.destroy(other);
  expect(() => md.pmap.extract(other, 0x1000)).toThrow(/pmap handle 1 is not given out/);
  expect(bare.tablePagesOut).toBe(0);
});

it('describes what stands in the tables', () => {
  const pmap = userMap();
  expect(md.pmap.describe(pmap, 0x1000)).toBe('no level 3 table');
  md.pmap.enter(pmap, 0x1000, 0x70_0000, RW, 0);
  expect(md.pmap.describe(pmap, 0x1000)).toBe('PTE 0x0007008e C RWX_RWX → 0x00700000');
});
