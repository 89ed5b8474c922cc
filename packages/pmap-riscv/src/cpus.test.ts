import { FAULT, PMAP_KERNEL, VM_PROT_NONE, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { boot, LOAD, RW, STORE } from '../test/boot.ts';
import type { Name } from '../test/rig.ts';

const NAMES: Name[] = ['sv32', 'sv39'];

describe.each(NAMES)('%s', (name) => {
  describe.each([0, 2, 9])('with ASIDs of %i bits', (asidBits) => {
    it('maps that take turns never see each other’s pages', () => {
      const { pmap, bare, access } = boot(name, { asidBits });
      const maps = Array.from({ length: 9 }, () => ({ id: pmap.create(), page: bare.takePage() }));
      for (const { id, page } of maps) pmap.enter(id, 0x5000, page, RW, VM_PROT_WRITE);
      for (let turn = 0; turn < 3; turn++)
        for (const { id, page } of maps) {
          pmap.activate(id);
          expect(access(0x5000, STORE)).toBe(page);
        }
    });

    it('a map that is not active is made to forget all the same', () => {
      const { pmap, bare, access } = boot(name, { asidBits });
      const [one, two] = [pmap.create(), pmap.create()];
      const page = bare.takePage();
      pmap.enter(one, 0x5000, page, RW, VM_PROT_WRITE);
      pmap.activate(one);
      access(0x5000, STORE);
      pmap.activate(two);
      pmap.pageProtect(page, VM_PROT_NONE);
      pmap.activate(one);
      expect(access(0x5000, STORE)).toBe(FAULT);
    });

    it('a CPU without a map has nothing of the user’s', () => {
      const { pmap, bare, md } = boot(name, { asidBits });
      const map = pmap.create();
      pmap.enter(map, 0x5000, bare.takePage(), RW, VM_PROT_WRITE);
      pmap.deactivate(map);
      pmap.activate(map);
      md.mmus[0]!.translate(0x5000, STORE);
      pmap.deactivate(map);
      expect(md.mmus[0]!.translate(0x5000, STORE)).toBe(FAULT);
      expect(md.mmus[0]!.satpPpn).toBe(0);
    });
  });

  it('ASIDs begin anew when they have run out, each for one generation', () => {
    const { pmap, md } = boot(name, { asidBits: 2 });
    const [mmu] = md.mmus;
    const maps = Array.from({ length: 5 }, () => pmap.create());
    const asids = maps.map((id) => {
      pmap.activate(id);
      return mmu!.registers()['satp.ASID'];
    });
    expect(asids).toEqual([1, 2, 3, 1, 2]);
    expect(mmu!.stats.fullFlushes).toBe(1);
    pmap.activate(maps[3]!);
    expect(mmu!.registers()['satp.ASID']).toBe(1);
    pmap.activate(maps[0]!);
    expect(mmu!.registers()['satp.ASID']).toBe(3);
    expect(mmu!.stats.fullFlushes).toBe(1);
    pmap.activate(PMAP_KERNEL);
    expect(mmu!.registers()['satp.ASID']).toBe(0);
  });

  describe('on three CPUs', () => {
    /** One map on the first two CPUs, cached there and, from an earlier turn, on the third. */
    function three() {
      const booted = boot(name, {}, { cpus: 3 });
      const { pmap, bare, md } = booted;
      const [map, other] = [pmap.create(), pmap.create()];
      const page = bare.takePage();
      pmap.enter(map, 0x5000, page, RW, VM_PROT_WRITE);
      for (const cpu of [0, 1, 2]) {
        md.currentCpu = cpu;
        pmap.activate(map);
        md.mmus[cpu]!.translate(0x5000, STORE);
      }
      pmap.activate(other);
      md.currentCpu = 0;
      const stores = (): number[] => {
        md.currentCpu = 2;
        pmap.activate(map);
        md.currentCpu = 0;
        return md.mmus.map((mmu) => mmu.translate(0x5000, STORE));
      };
      return { ...booted, map, page, stores };
    }

    it.each([
      ['removed', (b) => b.pmap.remove(b.map, 0x5000, 0x6000)],
      ['protected', (b) => b.pmap.protect(b.map, 0x5000, 0x6000, VM_PROT_READ)],
      ['taken from its page', (b) => b.pmap.pageProtect(b.page, VM_PROT_NONE)],
      ['lowered with its page', (b) => b.pmap.pageProtect(b.page, VM_PROT_READ)],
      ['lowered by an enter', (b) => b.pmap.enter(b.map, 0x5000, b.page, VM_PROT_READ, 0)],
      ['collected', (b) => b.pmap.collect(b.map)],
      ['forgotten', (b) => b.pmap.forget(b.map, 0, 0x10000)],
    ] as [string, (b: ReturnType<typeof three>) => void][])(
      'no CPU stores through what was %s',
      (_, act) => {
        const booted = three();
        expect(booted.stores()).toEqual([booted.page, booted.page, booted.page]);
        const again = three();
        act(again);
        expect(again.stores()).toEqual([FAULT, FAULT, FAULT]);
      },
    );

    it('every CPU sets D again after it was cleared', () => {
      const { pmap, page, md, stores } = three();
      for (const cpu of [0, 1, 2]) {
        pmap.clearModify(page);
        expect(pmap.isModified(page)).toBe(false);
        if (cpu === 2) stores();
        else md.mmus[cpu]!.translate(0x5000, STORE);
        expect(pmap.isModified(page)).toBe(true);
      }
    });

    it('only CPUs that run the map are interrupted; for the kernel’s all are', () => {
      const { pmap, map, bare, md } = three();
      const told: number[][] = [];
      bare.events.watch((event, from, to, va) => {
        if (event === 'tlb.shootdown') told.push([from, to, va]);
      });
      pmap.protect(map, 0x5000, 0x6000, VM_PROT_READ);
      expect(told).toEqual([[0, 1, 0x5000]]);
      const { start } = pmap.virtualSpace();
      pmap.kenterPa(start, bare.takePage(), RW);
      for (const mmu of md.mmus) mmu.translate(start, VM_PROT_WRITE);
      told.length = 0;
      pmap.kremove(start, 4096);
      expect(told).toEqual([
        [0, 1, start],
        [0, 2, start],
      ]);
      for (const mmu of md.mmus) expect(mmu.translate(start, VM_PROT_READ)).toBe(FAULT);
    });

    it('a map that is destroyed is on no CPU any more', () => {
      const { pmap, map, md } = three();
      pmap.remove(map, 0, 0x10000);
      pmap.destroy(map);
      expect(md.mmus.slice(0, 2).map((mmu) => mmu.satpPpn)).toEqual([0, 0]);
      expect(md.mmus.map((mmu) => mmu.translate(0x5000, LOAD))).toEqual([FAULT, FAULT, FAULT]);
    });

    it('a table that went is walked by no CPU', () => {
      const { pmap, map, md, bare } = three();
      pmap.remove(map, 0x5000, 0x6000);
      const table = bare.takePage();
      bare.memory.writeLe32(table + 6 * (name === 'sv32' ? 4 : 8), 0xd7);
      for (const mmu of md.mmus) expect(mmu.translate(0x6000, STORE)).toBe(FAULT);
    });
  });

  it('a machine has as many CPUs as it was told, each by its number', () => {
    const { md } = boot(name, {}, { cpus: 2 });
    expect(md.mmus.map(({ cpu }) => cpu)).toEqual([0, 1]);
    expect(() => (md.currentCpu = 2)).toThrow('there are 2 CPUs, given 2');
    expect(() => boot(name, {}, { cpus: 0 })).toThrow(`${name} has 1 CPU or more, given 0`);
  });
});
