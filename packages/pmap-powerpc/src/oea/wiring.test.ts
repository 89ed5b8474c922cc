import { describe, expect, it } from 'vitest';
import {
  bootBare,
  FAULT,
  NO_PA,
  PMAP_KERNEL,
  PMAP_WIRED,
  TRAP_SETTLED,
  VM_FAULT_PROTECT,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import {
  RW,
  SAME_GROUP,
  USER_READ,
  USER_WRITE,
  VA,
  boot,
  mapped,
  tableEntries,
} from '../../test/oea-boot.ts';
import { touch } from '../../test/uvm-stand-in.ts';
import { oea } from './port.ts';

describe('wiring on the OEA', () => {
  it('is replaced by each enter, in both directions', () => {
    const booted = boot();
    const { map, pa } = mapped(booted, VM_PROT_READ | PMAP_WIRED);
    expect(booted.pmap.wiredCount(map)).toBe(1);
    booted.pmap.enter(map, VA, pa, RW, VM_PROT_READ);
    expect(booted.pmap.wiredCount(map)).toBe(0);
    booted.pmap.enter(map, VA, pa, RW, VM_PROT_READ | PMAP_WIRED);
    expect(booted.pmap.wiredCount(map)).toBe(1);
  });

  it('seeds R and C from the access', () => {
    const booted = boot();
    const { pa } = mapped(booted, VM_PROT_WRITE | PMAP_WIRED);
    expect(booted.pmap.isReferenced(pa)).toBe(true);
    expect(booted.pmap.isModified(pa)).toBe(true);
  });

  it('goes with the mapping on remove and protect(NONE)', () => {
    const booted = boot();
    const { map } = mapped(booted, VM_PROT_READ | PMAP_WIRED);
    booted.pmap.remove(map, 0, 0x7ffff000);
    expect([booted.pmap.wiredCount(map), booted.pmap.residentCount(map)]).toEqual([0, 0]);
    const second = mapped(booted, VM_PROT_READ | PMAP_WIRED).map;
    booted.pmap.protect(second, 0, 0x7ffff000, VM_PROT_NONE);
    expect([booted.pmap.wiredCount(second), booted.pmap.residentCount(second)]).toEqual([0, 0]);
  });

  it('stays at the lower protection on protect(READ) and pageProtect(READ)', () => {
    for (const lower of ['protect', 'pageProtect'] as const) {
      const booted = boot();
      const { map, pa } = mapped(booted, VM_PROT_WRITE | PMAP_WIRED);
      if (lower === 'protect') booted.pmap.protect(map, VA, VA + 4096, VM_PROT_READ);
      else booted.pmap.pageProtect(pa, VM_PROT_READ);
      expect(booted.pmap.wiredCount(map)).toBe(1);
      expect(touch(booted.machine, VA, USER_READ)).toBe(pa);
      expect(touch(booted.machine, VA, USER_WRITE)).toBe(FAULT);
      expect(booted.md.fault).toEqual({
        va: VA,
        access: VM_PROT_WRITE,
        type: VM_FAULT_PROTECT,
        kernel: false,
      });
    }
  });

  it('is taken by unwire once, and unwire says nothing where there is none', () => {
    const booted = boot();
    const { map } = mapped(booted, VM_PROT_READ | PMAP_WIRED);
    for (const expected of [0, 0]) {
      booted.pmap.unwire(map, VA);
      expect(booted.pmap.wiredCount(map)).toBe(expected);
    }
    booted.pmap.unwire(map, VA + 4096);
    expect(booted.machine.printed).toEqual([]);
  });

  it('survives clearModify and clearReference, and collect', () => {
    const booted = boot();
    const { map, pa } = mapped(booted, VM_PROT_WRITE | PMAP_WIRED);
    booted.pmap.clearModify(pa);
    booted.pmap.clearReference(pa);
    booted.pmap.collect(map);
    expect(booted.pmap.wiredCount(map)).toBe(1);
    expect(booted.md.mmus[0]!.translate(VA, USER_WRITE)).toBe(pa);
    expect(booted.pmap.isModified(pa)).toBe(true);
  });

  it('S2: is counted by unwire alone, downwards, as it was, by default', () => {
    for (const port of [oea(), oea({ wiredCount: 'authentic' })]) {
      const machine = bootBare(port);
      const { pmap } = machine.md;
      const map = pmap.create();
      pmap.enter(map, VA, machine.takePage(), RW, VM_PROT_READ | PMAP_WIRED);
      const counts = [pmap.wiredCount(map)];
      pmap.unwire(map, VA);
      counts.push(pmap.wiredCount(map));
      pmap.unwire(map, VA);
      counts.push(pmap.wiredCount(map));
      pmap.remove(map, VA, VA + 4096);
      counts.push(pmap.wiredCount(map));
      expect(counts).toEqual([0, -1, -1, -1]);
    }
  });

  it.each([
    ['1.8', true],
    ['1.28.4.7', false],
  ] as const)('S3: in %s outlives pageProtect(NONE): %s', (revision, outlives) => {
    const port = oea({ revision });
    expect(port.capabilities.pageProtectWired).toBe(outlives ? 'keeps' : 'removes');
    const booted = boot({ revision });
    const { map: a, pa } = mapped(booted, VM_PROT_READ | PMAP_WIRED);
    const b = booted.pmap.create();
    booted.pmap.enter(b, VA, pa, RW, VM_PROT_READ);
    booted.pmap.pageProtect(pa, VM_PROT_NONE);
    expect(booted.pmap.extract(a, VA)).toBe(outlives ? pa : NO_PA);
    expect(booted.pmap.extract(b, VA)).toBe(NO_PA);
    expect(booted.pmap.wiredCount(a)).toBe(outlives ? 1 : 0);
  });
});

describe('S1: a wired mapping that the hash table has no room for', () => {
  it('comes back by the spill handler, never by UVM, and is wired all along', () => {
    const booted = boot();
    const { machine, md, pmap } = booted;
    const map = pmap.create();
    pmap.activate(map);
    // Eight in the primary group, eight in the secondary: the third of the first is wired.
    const pages = Array.from({ length: 17 }, () => machine.takePage());
    for (const [index, pa] of pages.entries())
      pmap.enter(
        map,
        index * SAME_GROUP,
        pa,
        RW,
        index === 3 ? PMAP_WIRED | VM_PROT_READ : VM_PROT_READ,
      );
    expect(md.table.overflow).toBe(1);
    expect(tableEntries(booted)).toHaveLength(16);
    const wired = 3 * SAME_GROUP;
    const ninth = 16 * SAME_GROUP;
    touch(machine, wired, USER_WRITE);

    const mmu = md.mmus[0]!;
    mmu.mttb(3 - 1);
    expect(mmu.translate(ninth, USER_READ)).toBe(FAULT);
    expect(mmu.describeFault()).toBe('DSI DSISR 40000000 DAR 04000000');
    expect(md.trap(0)).toBe(TRAP_SETTLED);
    expect(mmu.translate(ninth, USER_READ)).toBe(pages[16]);
    expect(pmap.describe(map, wired)).toMatch(/R C PP=10 not in the table WIRED MANAGED$/);
    expect(pmap.wiredCount(map)).toBe(1);

    mmu.mttb(5 - 1);
    expect(mmu.translate(wired, USER_READ)).toBe(FAULT);
    expect(md.trap(0)).toBe(TRAP_SETTLED);
    expect(mmu.translate(wired, USER_READ)).toBe(pages[3]);
    expect(pmap.describe(map, 5 * SAME_GROUP)).toContain('not in the table');
    expect(pmap.wiredCount(map)).toBe(1);
    expect(pmap.isModified(pages[3]!)).toBe(true);
    expect(md.table.overflow).toBe(1);
  });

  it('goes straight into a slot that has become free', () => {
    const { machine, md, pmap } = boot();
    const map = pmap.create();
    pmap.activate(map);
    for (let index = 0; index < 17; index++)
      pmap.enter(map, index * SAME_GROUP, machine.takePage(), RW, VM_PROT_READ);
    pmap.remove(map, 0, 4096);
    expect(md.table.overflow).toBe(1);
    touch(machine, 16 * SAME_GROUP, USER_READ);
    expect(md.table.overflow).toBe(0);
  });

  it('displaces guests from the other group too, whose PVOs are on that group’s list', () => {
    const { machine, md, pmap } = boot();
    const map = pmap.create();
    pmap.activate(map);
    // The complementary page index hashes to the complementary group.
    const other = 0x003ff000;
    const vas = [
      ...Array.from({ length: 9 }, (_, index) => index * SAME_GROUP + other),
      ...Array.from({ length: 9 }, (_, index) => index * SAME_GROUP),
    ];
    const pages = vas.map(() => machine.takePage());
    for (const [index, va] of vas.entries()) pmap.enter(map, va, pages[index]!, RW, VM_PROT_READ);
    const guest = vas[8]!;
    expect(pmap.describe(map, guest)).toMatch(/ H PP=10 at /);
    // Slot 0 of the group is the guest's.
    md.mmus[0]!.mttb(0 - 1);
    expect(touch(machine, vas[17]!, USER_READ)).toBe(pages[17]);
    expect(pmap.describe(map, guest)).toContain('not in the table');
    // It comes back into its own group, with H clear.
    md.mmus[0]!.mttb(0 - 1);
    expect(touch(machine, guest, USER_READ)).toBe(pages[8]);
    expect(pmap.describe(map, guest)).toMatch(/ R PP=10 at /);
    for (let round = 0; round < 40; round++) {
      const index = (round * 7) % vas.length;
      expect(touch(machine, vas[index]!, USER_READ)).toBe(pages[index]);
    }
    expect(md.table.overflow).toBe(2);
  });

  it('may be the kernel’s, and is spilled in by its segment registers', () => {
    const { machine, md, pmap } = boot();
    const { start } = pmap.virtualSpace();
    const pages = Array.from({ length: 20 }, () => machine.takePage());
    for (const [index, pa] of pages.entries()) pmap.kenterPa(start + index * SAME_GROUP, pa, RW);
    expect(md.table.overflow).toBe(4);
    for (const [index, pa] of pages.entries())
      expect(touch(machine, start + index * SAME_GROUP, VM_PROT_WRITE)).toBe(pa);
    expect(pmap.residentCount(PMAP_KERNEL)).toBe(0);
    expect(pmap.wiredCount(PMAP_KERNEL)).toBe(0);
  });

  it('stops the kernel if the table holds what no PVO knows of', () => {
    const booted = boot();
    const { machine, md, pmap } = booted;
    const map = pmap.create();
    pmap.activate(map);
    for (let index = 0; index < 17; index++)
      pmap.enter(map, index * SAME_GROUP, machine.takePage(), RW, VM_PROT_READ);
    for (const { pte } of tableEntries(booted)) machine.memory.writeBe32(pte, 0x80000000);
    expect(md.mmus[0]!.translate(16 * SAME_GROUP, USER_READ)).toBe(FAULT);
    expect(() => md.trap(0)).toThrow(/pmap_pte_spill: victim p-pte has no pvo entry/);
  });
});
