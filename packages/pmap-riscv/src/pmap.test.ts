import {
  ACCESS_USERSPACE,
  ENOMEM,
  FAULT,
  NO_PA,
  NO_PMAP,
  PMAP_CANFAIL,
  PMAP_KERNEL,
  PMAP_WIRED,
  STEAL_TABLE,
  TRAP_BAD_ADDRESS,
  TRAP_FAULT,
  TRAP_SETTLED,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  VM_PROT_EXECUTE,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { boot, LOAD, PORTS, RW, STORE } from '../test/boot.ts';
import type { Name } from '../test/rig.ts';

const NAMES: Name[] = ['sv32', 'sv39'];
const READ = VM_PROT_READ;
const CANFAIL = VM_PROT_READ | PMAP_CANFAIL;

describe.each(NAMES)('%s', (name) => {
  const { layout } = PORTS[name]();
  /** Bytes that one table of level 0 maps. */
  const span = name === 'sv32' ? 4 << 20 : 2 << 20;

  function one(options = {}, bareOptions = {}) {
    const booted = boot(name, options, bareOptions);
    const map = booted.pmap.create();
    booted.pmap.activate(map);
    return { ...booted, map, page: booted.bare.takePage() };
  }

  describe('a mapping', () => {
    it('grants what it was entered with, and counts', () => {
      const { pmap, map, page, access } = one();
      pmap.enter(map, 0x5000, page, VM_PROT_READ, VM_PROT_READ);
      expect(access(0x5123, LOAD)).toBe(page + 0x123);
      expect(access(0x5123, STORE)).toBe(FAULT);
      expect(pmap.extract(map, 0x5123)).toBe(page + 0x123);
      expect([pmap.residentCount(map), pmap.wiredCount(map)]).toEqual([1, 0]);
      expect(pmap.tableBytes(map)).toBe((name === 'sv32' ? 2 : 3) * 4096);
    });

    it.each([
      [VM_PROT_READ, 'V R U'],
      [RW, 'V R W U'],
      [VM_PROT_WRITE, 'V R W U'],
      [VM_PROT_EXECUTE, 'V X U'],
      [VM_PROT_READ | VM_PROT_EXECUTE, 'V R X U'],
      [RW | VM_PROT_EXECUTE, 'V R W X U'],
      [VM_PROT_WRITE | VM_PROT_EXECUTE, 'V R W X U'],
      [VM_PROT_NONE, 'V R'],
    ])('of protection %i is the leaf %s', (prot, flags) => {
      const { pmap, map, page } = one();
      pmap.enter(map, 0x5000, page, prot, 0);
      expect(pmap.describe(map, 0x5000)).toMatch(
        new RegExp(`^level 0 PTE 0x0*\\w+ ${flags} PVLIST → 0x0*${page.toString(16)}$`),
      );
    });

    it('of nothing at all is the supervisor’s, and of the kernel global', () => {
      const { pmap, page, bare, map, access } = one();
      pmap.enter(map, 0x5000, page, VM_PROT_NONE, PMAP_WIRED);
      expect(access(0x5000, LOAD)).toBe(FAULT);
      expect(pmap.wiredCount(map)).toBe(1);
      const { start } = pmap.virtualSpace();
      pmap.enter(PMAP_KERNEL, start, bare.takePage(), RW, VM_PROT_WRITE);
      expect(pmap.describe(PMAP_KERNEL, start)).toContain('V R W G A D PVLIST');
      expect(access(start + 8, VM_PROT_WRITE)).toBe(pmap.extract(PMAP_KERNEL, start + 8));
      expect(access(start + 8, STORE)).toBe(FAULT);
    });

    it('is replaced by one of another page, whose use is its own', () => {
      const { pmap, map, page, bare, access } = one();
      const other = bare.takePage();
      pmap.enter(map, 0x5000, page, RW, VM_PROT_WRITE | PMAP_WIRED);
      access(0x5000, STORE);
      pmap.enter(map, 0x5000, other, VM_PROT_READ, VM_PROT_READ);
      expect(access(0x5000, LOAD)).toBe(other);
      expect([pmap.isModified(page), pmap.isModified(other)]).toEqual([true, false]);
      expect([pmap.residentCount(map), pmap.wiredCount(map)]).toEqual([1, 0]);
      pmap.pageProtect(page, VM_PROT_NONE);
      expect(pmap.extract(map, 0x5000)).toBe(other);
    });

    it('of the same page is raised and lowered at once, and keeps that it was used', () => {
      const { pmap, map, page, access } = one();
      pmap.enter(map, 0x5000, page, VM_PROT_READ, VM_PROT_READ);
      access(0x5000, LOAD);
      pmap.enter(map, 0x5000, page, RW, VM_PROT_WRITE);
      expect(access(0x5000, STORE)).toBe(page);
      pmap.enter(map, 0x5000, page, VM_PROT_READ, VM_PROT_READ);
      expect(access(0x5000, STORE)).toBe(FAULT);
      expect(pmap.isModified(page)).toBe(true);
      expect(pmap.residentCount(map)).toBe(1);
    });

    it('of a page that nobody manages is on no list', () => {
      const { pmap, map, access } = one();
      pmap.enter(map, 0x5000, 0, RW, VM_PROT_WRITE);
      expect(access(0x5000, STORE)).toBe(0);
      expect([pmap.isModified(0), pmap.isReferenced(0), pmap.clearModify(0)]).toEqual([
        false,
        false,
        false,
      ]);
      pmap.pageProtect(0, VM_PROT_NONE);
      expect(pmap.extract(map, 0x5000)).toBe(0);
      pmap.remove(map, 0, layout.userMax);
      expect(pmap.residentCount(map)).toBe(0);
    });
  });

  describe('a wired mapping', () => {
    function wired() {
      const booted = one();
      const { pmap, map, page } = booted;
      pmap.enter(map, 0x5000, page, RW, VM_PROT_WRITE | PMAP_WIRED);
      return booted;
    }
    const state = ({ pmap, map }: ReturnType<typeof wired>) => [
      pmap.extract(map, 0x5000) !== NO_PA,
      pmap.wiredCount(map),
    ];

    it.each([
      ['remove', (b) => b.pmap.remove(b.map, 0x5000, 0x6000), [false, 0]],
      ['protect(NONE)', (b) => b.pmap.protect(b.map, 0x5000, 0x6000, VM_PROT_NONE), [false, 0]],
      ['protect(WRITE)', (b) => b.pmap.protect(b.map, 0x5000, 0x6000, VM_PROT_WRITE), [false, 0]],
      ['protect(READ)', (b) => b.pmap.protect(b.map, 0x5000, 0x6000, READ), [true, 1]],
      [
        'protect(EXECUTE)',
        (b) => b.pmap.protect(b.map, 0x5000, 0x6000, VM_PROT_EXECUTE),
        [true, 1],
      ],
      ['pageProtect(NONE)', (b) => b.pmap.pageProtect(b.page, VM_PROT_NONE), [false, 0]],
      ['pageProtect(READ)', (b) => b.pmap.pageProtect(b.page, READ), [true, 1]],
      ['pageProtect(RW)', (b) => b.pmap.pageProtect(b.page, RW), [true, 1]],
      ['clearModify', (b) => b.pmap.clearModify(b.page), [true, 1]],
      ['clearReference', (b) => b.pmap.clearReference(b.page), [true, 1]],
      ['collect', (b) => b.pmap.collect(b.map), [true, 1]],
      ['forget', (b) => b.pmap.forget(b.map, 0, layout.userMax), [true, 1]],
      ['enter without PMAP_WIRED', (b) => b.pmap.enter(b.map, 0x5000, b.page, RW, READ), [true, 0]],
      [
        'enter with it',
        (b) => b.pmap.enter(b.map, 0x5000, b.page, RW, READ | PMAP_WIRED),
        [true, 1],
      ],
      ['unwire', (b) => b.pmap.unwire(b.map, 0x5000), [true, 0]],
    ] as [string, (b: ReturnType<typeof wired>) => void, [boolean, number]][])(
      'after %s',
      (_, act, expected) => {
        const booted = wired();
        act(booted);
        expect(state(booted)).toEqual(expected);
      },
    );

    it('stays usable where it was lowered, and to what it was lowered', () => {
      const booted = wired();
      const { pmap, map, page, access } = booted;
      pmap.pageProtect(page, READ);
      expect([access(0x5000, LOAD), access(0x5000, STORE)]).toEqual([page, FAULT]);
      pmap.protect(map, 0x5000, 0x6000, VM_PROT_EXECUTE);
      expect(access(0x5000, LOAD)).toBe(FAULT);
      expect(state(booted)).toEqual([true, 1]);
    });

    it('that has gone, or is not wired, cannot be unwired', () => {
      const { pmap, map, bare } = wired();
      pmap.unwire(map, 0x5000);
      pmap.unwire(map, 0x5000);
      expect(bare.printed).toEqual([
        `pmap_unwire: wiring for pmap ${map} va 0x00005000 didn't change!`,
      ]);
      expect(() => pmap.unwire(map, 0x6000)).toThrow(/pmap_unwire: not mapped/);
      expect(() => pmap.unwire(map, 0x4000_0000)).toThrow(/pmap_unwire: not mapped/);
      const quiet = one({}, { diagnostic: false });
      quiet.pmap.unwire(quiet.map, 0x6000);
      expect(quiet.bare.printed).toEqual([]);
    });
  });

  describe.each(['hardware', 'software'] as const)('used and modified, by %s', (accessedDirty) => {
    it('are the page’s, and survive its mappings', () => {
      const { pmap, map, page, access } = one({ accessedDirty });
      pmap.enter(map, 0x5000, page, RW, 0);
      expect([pmap.isReferenced(page), pmap.isModified(page)]).toEqual([false, false]);
      access(0x5000, LOAD);
      expect([pmap.isReferenced(page), pmap.isModified(page)]).toEqual([true, false]);
      access(0x5000, STORE);
      pmap.remove(map, 0x5000, 0x6000);
      expect([pmap.isReferenced(page), pmap.isModified(page)]).toEqual([true, true]);
      expect([pmap.clearModify(page), pmap.clearModify(page)]).toEqual([true, false]);
      expect([pmap.clearReference(page), pmap.clearReference(page)]).toEqual([true, false]);
      expect([pmap.isReferenced(page), pmap.isModified(page)]).toEqual([false, false]);
    });

    it('are set again by the next use, whatever the TLB holds', () => {
      const { pmap, map, page, access } = one({ accessedDirty });
      pmap.enter(map, 0x5000, page, RW, VM_PROT_WRITE);
      pmap.enter(map, 0x9000, page, RW, VM_PROT_WRITE);
      for (const va of [0x5000, 0x9000]) access(va, STORE);
      for (const va of [0x5000, 0x9000]) {
        expect(pmap.clearModify(page)).toBe(true);
        access(va, LOAD);
        expect(pmap.isModified(page)).toBe(false);
        access(va, STORE);
        expect(pmap.isModified(page)).toBe(true);
        pmap.clearReference(page);
        access(va, LOAD);
        expect(pmap.isReferenced(page)).toBe(true);
      }
    });

    it('are what a wired mapping was entered for', () => {
      const { pmap, map, page, md } = one({ accessedDirty });
      pmap.enter(map, 0x5000, page, RW, VM_PROT_WRITE | PMAP_WIRED);
      expect(md.mmus[0]!.translate(0x5000, STORE)).toBe(page);
      expect(md.mmus[0]!.stats.faults).toBe(0);
    });
  });

  describe('a fault', () => {
    const kernelVa = layout.kernelMin + 0x5000;
    it.each([
      ['the user’s at nothing', 0x8010, STORE, TRAP_FAULT, VM_FAULT_INVALID, VM_PROT_WRITE],
      ['the user’s at what it may not', 0x5010, STORE, TRAP_FAULT, VM_FAULT_PROTECT, VM_PROT_WRITE],
      ['a fetch', 0x5010, VM_PROT_EXECUTE | 8, TRAP_FAULT, VM_FAULT_PROTECT, VM_PROT_EXECUTE],
      ['a copy at nothing', 0x8010, 1 | ACCESS_USERSPACE, TRAP_FAULT, VM_FAULT_INVALID, READ],
      ['the supervisor’s at nothing', kernelVa, READ, TRAP_FAULT, VM_FAULT_INVALID, READ],
      ['the supervisor’s at the user’s', 0x5010, READ, TRAP_BAD_ADDRESS, VM_FAULT_PROTECT, READ],
      [
        'the supervisor’s fetch of the user’s',
        0x5010,
        4 | 16,
        TRAP_BAD_ADDRESS,
        VM_FAULT_PROTECT,
        4,
      ],
      ['the user’s at the kernel’s', kernelVa, LOAD, TRAP_BAD_ADDRESS, VM_FAULT_INVALID, READ],
      ['where no RAM is', 0x7010, STORE, TRAP_BAD_ADDRESS, VM_FAULT_PROTECT, VM_PROT_WRITE],
    ] as const)('%s', (_, va, access, outcome, type, right) => {
      const { pmap, map, page, md } = one();
      pmap.enter(map, 0x5000, page, VM_PROT_READ, 0);
      pmap.enter(map, 0x7000, 0x4000_0000, RW, 0);
      expect(md.mmus[0]!.translate(va, access)).toBe(FAULT);
      expect(md.trap(0)).toBe(outcome);
      expect(md.fault).toEqual({ va, access: right, type, kernel: va === kernelVa });
    });

    it('beyond what the kernel has is nobody’s', () => {
      const { md, pmap } = boot(name);
      const beyond = pmap.mapPoolPage!(0) + (name === 'sv32' ? 0x1000_0000 : 2 ** 34);
      for (const va of [beyond, ...(name === 'sv39' ? [2 ** 38, -(2 ** 38) - 1, -1] : [])]) {
        expect(md.mmus[0]!.translate(va, VM_PROT_READ)).toBe(FAULT);
        expect(md.trap(0)).toBe(TRAP_BAD_ADDRESS);
        expect(md.fault.kernel).toBe(true);
      }
    });

    it('of a CPU that knows less than the tables is settled', () => {
      const { md, pmap, map, page, bare } = one();
      pmap.enter(map, 0x5000, page, VM_PROT_READ, VM_PROT_READ);
      md.mmus[0]!.translate(0x5000, LOAD);
      const before = bare.memory.bytes.slice();
      pmap.enter(map, 0x5000, page, RW, VM_PROT_WRITE);
      // The tables as they are now, behind a TLB as it was then.
      const after = bare.memory.bytes.slice();
      bare.memory.bytes.set(before);
      md.mmus[0]!.translate(0x5000, LOAD);
      bare.memory.bytes.set(after);
      expect(md.mmus[0]!.translate(0x5000, STORE)).toBe(FAULT);
      expect(md.trap(0)).toBe(TRAP_SETTLED);
      expect(md.mmus[0]!.translate(0x5000, STORE)).toBe(page);
    });

    it('that no hart raises is a mistake', () => {
      const { md } = boot(name);
      expect(() => md.trap(0)).toThrow('scause 0 is no fault');
    });
  });

  describe('the kernel', () => {
    it('reaches all of memory by its direct map', () => {
      const { pmap, page, access, bare } = one();
      const va = pmap.mapPoolPage!(page);
      expect(access(va + 5, VM_PROT_WRITE)).toBe(page + 5);
      expect(pmap.extract(PMAP_KERNEL, va + 5)).toBe(page + 5);
      expect(access(va, LOAD)).toBe(FAULT);
      expect(access(pmap.mapPoolPage!(bare.memory.size - 1), READ)).toBe(bare.memory.size - 1);
    });

    it('has its new tables in every map, before and after', () => {
      const { pmap, md, bare } = boot(name, {}, { memory: 16 << 20 });
      const { start } = pmap.virtualSpace();
      const early = pmap.create();
      const far = start + (name === 'sv32' ? 64 << 20 : 2 ** 30);
      expect(() => pmap.kenterPa(start + (16 << 20), 0, RW)).toThrow(/no kernel table/);
      expect(pmap.growKernel(far + 1)).toBe(far + span);
      expect(pmap.growKernel(far)).toBe(far + span);
      const late = pmap.create();
      const page = bare.takePage();
      pmap.kenterPa(far, page, RW);
      for (const map of [early, late]) {
        pmap.activate(map);
        expect(md.mmus[0]!.translate(far + 4, VM_PROT_WRITE)).toBe(page + 4);
      }
      expect(() => pmap.growKernel(layout.kernelMax + 1)).toThrow(RangeError);
    });

    it('grows into memory that there is', () => {
      const { pmap, bare } = boot(name);
      bare.tablePageLimit = 1;
      const { start } = pmap.virtualSpace();
      expect(() => pmap.growKernel(start + (32 << 20))).toThrow(/pmap_growkernel: out of memory/);
    });

    it('enters pages that nobody tracks, and counts them', () => {
      const { pmap, page, access, bare } = one();
      const { start } = pmap.virtualSpace();
      const [resident, wiredCount] = [
        pmap.residentCount(PMAP_KERNEL),
        pmap.wiredCount(PMAP_KERNEL),
      ];
      const other = bare.takePage();
      pmap.kenterPa(start, page, RW);
      access(start, VM_PROT_WRITE);
      pmap.kenterPa(start, other, VM_PROT_READ);
      expect([access(start, READ), access(start, VM_PROT_WRITE)]).toEqual([other, FAULT]);
      pmap.kenterPa(start + 0x1000, page, RW);
      expect(pmap.isModified(page)).toBe(false);
      pmap.pageProtect(page, VM_PROT_NONE);
      expect(pmap.forget(PMAP_KERNEL, start, start + 0x2000)).toBe(0);
      expect(pmap.wiredCount(PMAP_KERNEL)).toBe(wiredCount + 2);
      pmap.kremove(start, 0x4000);
      expect(access(start, READ)).toBe(FAULT);
      expect([pmap.residentCount(PMAP_KERNEL), pmap.wiredCount(PMAP_KERNEL)]).toEqual([
        resident,
        wiredCount,
      ]);
    });

    it('does not mix the two kinds', () => {
      const { pmap, page } = one();
      const { start } = pmap.virtualSpace();
      pmap.enter(PMAP_KERNEL, start, page, RW, VM_PROT_WRITE);
      expect(() => pmap.kenterPa(start, page, RW)).toThrow(/pmap_kenter_pa: managed mapping/);
      expect(() => pmap.kremove(start, 4096)).toThrow(/pmap_kremove: managed mapping/);
      pmap.collect(PMAP_KERNEL);
      expect(pmap.extract(PMAP_KERNEL, start)).toBe(page);
      expect(pmap.forget(PMAP_KERNEL, start, start + 4096)).toBe(1);
    });
  });

  describe('a map', () => {
    it('gives its tables back as they become empty, and the root with the last reference', () => {
      const { pmap, map, page, bare } = one();
      pmap.enter(map, 0x5000, page, RW, 0);
      pmap.enter(map, 8 * span, page, RW, 0);
      const out = bare.tablePagesOut;
      pmap.remove(map, 0, span);
      expect(bare.tablePagesOut).toBe(out - 1);
      pmap.pageProtect(page, VM_PROT_NONE);
      expect([bare.tablePagesOut, pmap.tableBytes(map)]).toEqual([1, 4096]);
      pmap.reference(map);
      pmap.destroy(map);
      expect(bare.tablePagesOut).toBe(1);
      pmap.destroy(map);
      expect(bare.tablePagesOut).toBe(0);
      expect(() => pmap.residentCount(map)).toThrow(RangeError);
      expect(() => pmap.destroy(PMAP_KERNEL)).toThrow(RangeError);
    });

    it('that is destroyed with mappings is emptied, and says so', () => {
      const { pmap, map, page, bare, md } = one();
      pmap.enter(map, 0x5000, page, RW, VM_PROT_WRITE | PMAP_WIRED);
      pmap.destroy(map);
      expect(bare.printed).toEqual([`pmap_destroy: pmap ${map} still has mappings`]);
      expect([bare.tablePagesOut, pmap.isModified(page)]).toEqual([0, true]);
      expect(md.mmus[0]!.translate(0x5000, LOAD)).toBe(FAULT);
      const quiet = one({}, { diagnostic: false });
      quiet.pmap.enter(quiet.map, 0x5000, quiet.page, RW, 0);
      quiet.pmap.destroy(quiet.map);
      expect(quiet.bare.printed).toEqual([]);
    });

    it('loses only what it holds in the range that is asked for', () => {
      const { pmap, map, bare } = one();
      const vas = [0, 0x1000, span - 0x1000, span, 5 * span, layout.userMax - 0x1000];
      for (const va of vas) pmap.enter(map, va, bare.takePage(), RW, 0);
      pmap.remove(map, 0x1000, span + 0x1000);
      expect(vas.map((va) => pmap.extract(map, va) !== NO_PA)).toEqual([
        true,
        false,
        false,
        false,
        true,
        true,
      ]);
      pmap.collect(map);
      expect(pmap.residentCount(map)).toBe(0);
    });

    it('is read-only where it is protected, and nowhere else', () => {
      const { pmap, map, page, access, bare } = one();
      pmap.enter(map, 0x5000, page, RW | VM_PROT_EXECUTE, VM_PROT_WRITE);
      pmap.enter(map, 0x6000, bare.takePage(), RW, VM_PROT_WRITE);
      for (const va of [0x5000, 0x6000]) access(va, STORE);
      pmap.protect(map, 0x5000, 0x6000, VM_PROT_READ | VM_PROT_EXECUTE);
      expect(access(0x5000, STORE)).toBe(FAULT);
      expect(access(0x5000, VM_PROT_EXECUTE | 8)).toBe(page);
      expect(access(0x6000, STORE)).not.toBe(FAULT);
      pmap.protect(map, 0x5000, 0x6000, RW);
      expect(access(0x5000, STORE)).toBe(FAULT);
      expect(access(0x5000, VM_PROT_EXECUTE | 8)).toBe(FAULT);
    });

    it('has no address of another’s, and no piece of a page', () => {
      const { pmap, map, page } = one();
      const { start, end } = pmap.virtualSpace();
      for (const [id, va, pa] of [
        [map, layout.userMax, page],
        [map, start, page],
        [map, 0x5001, page],
        [map, 0x5000, page + 4],
        [map, 0x5000, 2 ** 32],
        [PMAP_KERNEL, 0x5000, page],
        [PMAP_KERNEL, end, page],
      ] as const)
        expect(() => pmap.enter(id, va, pa, RW, 0), `${id} ${va} ${pa}`).toThrow(RangeError);
      expect(() => pmap.remove(map, 0, layout.userMax + 4096)).toThrow(RangeError);
      expect(() => pmap.remove(map, 0, 5)).toThrow(RangeError);
      expect(() => pmap.kremove(0x5000, 4096)).toThrow(RangeError);
      expect(() => pmap.activate(99)).toThrow(RangeError);
      expect(() => pmap.copy(map, 99, 0, 4096, 0)).toThrow(RangeError);
      pmap.copy(map, PMAP_KERNEL, 0, 4096, 0);
      expect(pmap.physAddress(3)).toBe(0x3000);
    });

    it('is described by what a walk would end at', () => {
      const { pmap, map } = one();
      const level = name === 'sv32' ? 1 : 2;
      expect(pmap.describe(map, 0x5000)).toMatch(new RegExp(`^level ${level} PTE 0x0+ invalid$`));
      expect(pmap.describe(map, pmap.mapPoolPage!(0))).toMatch(
        new RegExp(`^level ${level} PTE 0x0*e7 V R W G A D → 0x00000000$`),
      );
      if (name === 'sv39') expect(pmap.describe(map, 2 ** 38)).toBe('not an address');
      expect(pmap.extract(map, 2 ** 40)).toBe(NO_PA);
    });
  });

  describe('a shortage', () => {
    it('of pages for tables takes them from what is not wired, of any map in turn', () => {
      const { pmap, map, bare } = one();
      const other = pmap.create();
      const stolen: number[][] = [];
      bare.events.watch((event, ...fields) => {
        if (event === 'pmap.steal') stolen.push(fields);
      });
      const page = bare.takePage();
      pmap.enter(other, span, page, RW, 0);
      pmap.enter(other, 2 * span, bare.takePage(), RW, PMAP_WIRED);
      pmap.enter(map, 3 * span, bare.takePage(), RW, 0);
      bare.tablePageLimit = bare.tablePagesOut;
      expect(pmap.enter(map, 4 * span, bare.takePage(), RW, CANFAIL)).toBe(0);
      expect(stolen).toEqual([[map, 3 * span, STEAL_TABLE, 0, 0]]);
      expect(pmap.enter(map, 5 * span, bare.takePage(), RW, CANFAIL)).toBe(0);
      expect(stolen[1]).toEqual([other, span, STEAL_TABLE, 0, 0]);
      expect(pmap.extract(other, 2 * span)).not.toBe(NO_PA);
      expect([pmap.residentCount(other), pmap.wiredCount(other)]).toEqual([1, 1]);
    });

    it('of pages for tables is ENOMEM, or a panic, and changes nothing', () => {
      const { pmap, map, page, bare } = one();
      bare.tablePageLimit = bare.tablePagesOut;
      expect(pmap.enter(map, 0x5000, page, RW, CANFAIL)).toBe(ENOMEM);
      expect(() => pmap.enter(map, 0x5000, page, RW, 0)).toThrow(/no page for a table/);
      expect([pmap.residentCount(map), bare.tablePagesOut]).toEqual([0, 1]);
      expect(pmap.create()).toBe(NO_PMAP);
      bare.tablePageLimit += 1;
      expect(pmap.create()).not.toBe(NO_PMAP);
    });

    it('at an inner level gives back what it had got', () => {
      const { pmap, map, page, bare } = one();
      bare.tablePageLimit = bare.tablePagesOut + (name === 'sv32' ? 0 : 1);
      expect(pmap.enter(map, 0x5000, page, RW, CANFAIL)).toBe(ENOMEM);
      expect([pmap.tableBytes(map), bare.tablePagesOut]).toEqual([4096, 1]);
    });

    it('of a page for a root takes one from what is not wired', () => {
      const { pmap, map, page, bare } = one();
      pmap.enter(map, 0x5000, page, RW, VM_PROT_WRITE);
      bare.tablePageLimit = bare.tablePagesOut;
      expect(pmap.create()).not.toBe(NO_PMAP);
      expect([pmap.residentCount(map), pmap.isModified(page)]).toEqual([0, true]);
    });

    it('of pv entries takes them likewise', () => {
      const { pmap, map, bare } = one({ pvEntries: 2 });
      pmap.enter(map, 0x5000, bare.takePage(), RW, PMAP_WIRED);
      pmap.enter(map, span, bare.takePage(), RW, 0);
      expect(pmap.enter(map, 2 * span, bare.takePage(), RW, CANFAIL)).toBe(0);
      expect([pmap.extract(map, span), pmap.residentCount(map)]).toEqual([NO_PA, 2]);
    });

    it('of pv entries may cost the very table that is wanted its other mappings', () => {
      const { pmap, map, page, bare } = one({ pvEntries: 2 });
      pmap.enter(map, 0x5000, bare.takePage(), RW, 0);
      pmap.enter(map, 0x6000, bare.takePage(), RW, 0);
      expect(pmap.enter(map, 0x7000, page, RW, CANFAIL)).toBe(0);
      expect([pmap.extract(map, 0x7000), pmap.residentCount(map)]).toEqual([page, 1]);
    });

    it('of pv entries is ENOMEM, or a panic, and leaves the old mapping', () => {
      const { pmap, map, page, bare } = one({ pvEntries: 1 });
      pmap.enter(map, 0x5000, page, RW, PMAP_WIRED);
      pmap.enter(map, 0x6000, 0, RW, PMAP_WIRED);
      expect(pmap.enter(map, 0x6000, bare.takePage(), RW, CANFAIL)).toBe(ENOMEM);
      expect(pmap.extract(map, 0x6000)).toBe(0);
      expect(() => pmap.enter(map, span, bare.takePage(), RW, 0)).toThrow(/no pv entries/);
      expect([pmap.residentCount(map), pmap.wiredCount(map)]).toEqual([2, 2]);
      expect(pmap.enter(map, 0x5000, bare.takePage(), RW, CANFAIL)).toBe(0);
      expect(bare.tablePagesOut).toBe(name === 'sv32' ? 2 : 3);
    });
  });
});
