import {
  ACCESS_USER,
  ENOMEM,
  FAULT,
  NO_PA,
  PMAP_CANFAIL,
  PMAP_KERNEL,
  PMAP_WIRED,
  STEAL_CONTEXT,
  TRAP_BAD_ADDRESS,
  TRAP_FAULT,
  TRAP_SETTLED,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  VM_PROT_EXECUTE,
  VM_PROT_NONE,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { beforeEach, describe, expect, it } from 'vitest';
import { PMAP_NC, PMAP_OBIO } from './pmap.ts';
import { PG_NC, PG_W } from './pte.ts';
import {
  R,
  RW,
  LOAD,
  STORE,
  NONE_LEFT,
  bare,
  md,
  boot,
  watchSteals,
  counted,
  access,
  load,
  store,
  userMap,
  pteAt,
} from '../../test/sun4c-boot.ts';

beforeEach(() => {
  boot();
  counted.refills = 0;
});

describe('enter', () => {
  it('writes the copy of a segment without a PMEG; the first access loads it and asks nobody', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    expect(md.pmap.enter(pmap, 0x1000, pa, RW, VM_PROT_WRITE)).toBe(0);
    expect(pteAt(0x1000)).toBe(0);
    expect(md.pmap.extract(pmap, 0x1004)).toBe(pa + 4);
    expect(md.mmus[0].translate(0x1008, STORE)).toBe(FAULT);
    expect(md.mmus[0].ser).toBe(0x8080);
    expect(md.trap(0)).toBe(TRAP_SETTLED);
    expect(md.mmus[0].translate(0x1008, STORE)).toBe(pa + 8);
    expect(pteAt(0x1000)).toBe((0xc3000000 | (pa >>> 12)) >>> 0);
    expect([md.pmap.isModified(pa), md.pmap.isReferenced(pa)]).toEqual([true, true]);
  });

  it('writes the hardware’s PTE of a loaded segment, whichever map is current, or none', () => {
    boot({ contexts: 3 });
    const pmap = userMap();
    md.pmap.enter(pmap, 0x1000, bare.takePage(), RW, 0);
    load(0x1000);
    const other = userMap();
    const pages = [bare.takePage(), bare.takePage()];
    md.pmap.enter(pmap, 0x2000, pages[0]!, RW, 0);
    userMap();
    // The first map has lost its context; its PMEG is still loaded and reached through context 0.
    md.pmap.enter(pmap, 0x3000, pages[1]!, RW, 0);
    expect(md.mmus[0].context).not.toBe(0);
    md.pmap.activate(pmap);
    counted.refills = 0;
    expect([access(0x2000, STORE), access(0x3000, STORE)]).toEqual(pages);
    expect(counted.refills).toBe(0);
    md.mmus[0].context = 0;
    expect(md.mmus[0].translate(0x3000, R)).toBe(FAULT);
    md.pmap.activate(other);
    expect(access(0x2000, LOAD)).toBe(FAULT);
  });

  it('puts OBIO and NC into the PTE from the low bits of the address', () => {
    const pmap = userMap();
    md.pmap.enter(pmap, 0x1000, 0x10_0000 | PMAP_OBIO | PMAP_NC, RW, 0);
    expect(access(0x1004, STORE)).toBe(2 ** 32 + 0x10_0004);
    expect(pteAt(0x1000)).toBe(0xd7000100);
    md.pmap.enter(PMAP_KERNEL, 0xf100_0000, 0x10_0000 | PMAP_OBIO, R, 0);
    expect(pteAt(0xf100_0000)).toBe(0xa4000100);
  });

  it('of the same page raises and lowers the protection, past what the cache’s tags say', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0x1000, pa, R, 0);
    load(0x1000);
    md.pmap.enter(pmap, 0x1000, pa, RW, 0);
    store(0x1000, 1);
    load(0x1000);
    md.pmap.enter(pmap, 0x1000, pa, R, 0);
    expect(access(0x1000, STORE)).toBe(FAULT);
    md.pmap.enter(pmap, 0x1000, pa, R, 0);
    expect(md.pmap.counters.uselessChangeprots).toBe(1);
    expect(md.pmap.residentCount(pmap)).toBe(1);
  });

  it.each([
    ['user', 0x1000, 0],
    ['kernel', 0xf100_0000, ACCESS_USER],
  ])('of another page shows its bytes and keeps the old one’s U and M (%s)', (which, va, mode) => {
    const pmap = which === 'user' ? userMap() : PMAP_KERNEL;
    const [old, fresh] = [bare.takePage(), bare.takePage()];
    bare.memory.writeBe32(fresh, 77);
    md.pmap.enter(pmap, va, old, RW, 0);
    store(va, 1, STORE & ~mode);
    load(va, LOAD & ~mode);
    md.pmap.enter(pmap, va, fresh, RW, 0);
    expect(load(va, LOAD & ~mode)).toBe(77);
    expect([md.pmap.isModified(old), md.pmap.isReferenced(old)]).toEqual([true, true]);
  });

  it('in the hole succeeds and maps nothing', () => {
    const pmap = userMap();
    expect(md.pmap.enter(pmap, 0x2000_0000, bare.takePage(), RW, PMAP_WIRED)).toBe(0);
    expect(md.pmap.extract(pmap, 0x2000_0000)).toBe(NO_PA);
    // 0xe0000000 has the same segment number.
    expect(md.pmap.extract(pmap, 0xe000_0000)).toBe(NO_PA);
    expect([md.pmap.residentCount(pmap), md.pmap.wiredCount(pmap)]).toEqual([0, 0]);
    md.pmap.remove(pmap, 0x1000_0000, 0xe000_1000);
    md.pmap.protect(pmap, 0x1000_0000, 0xe000_1000, R);
  });
});

describe('contexts', () => {
  it('are stolen by a rover, and come back with the segments that are still loaded', () => {
    boot({ contexts: 3 });
    const steals = watchSteals();
    const maps = [1, 2, 3, 4].map(() => md.pmap.create());
    const pages = maps.map(() => bare.takePage());
    for (const [index, pmap] of maps.entries()) {
      md.pmap.activate(pmap);
      md.pmap.enter(pmap, 0x1000, pages[index]!, RW, 0);
      store(0x1000, 100 + index);
      load(0x1000);
    }
    expect(steals).toEqual([
      [1, STEAL_CONTEXT],
      [2, STEAL_CONTEXT],
    ]);
    counted.refills = 0;
    for (const [index, pmap] of maps.entries()) {
      md.pmap.activate(pmap);
      expect(load(0x1000)).toBe(100 + index);
    }
    expect(counted.refills).toBe(0);
  });

  it('of a destroyed map leave nothing in the cache for the next owner', () => {
    const first = userMap();
    const pa = bare.takePage();
    md.pmap.enter(first, 0x1000, pa, RW, 0);
    store(0x1000, 9);
    load(0x1000);
    md.pmap.remove(first, 0, 0xf000_0000);
    md.pmap.destroy(first);
    expect(md.mmus[0].context).toBe(0);
    expect(userMap()).toBe(first);
    expect(access(0x1000, LOAD)).toBe(FAULT);
    expect(bare.tablePagesOut).toBe(0);
  });
});

describe('the virtual cache', () => {
  it('Q5: is kept away from a page with incongruent addresses, and given back when they agree again', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0x1000, pa, RW, 0);
    store(0x1000, 1);
    load(0x1000);
    md.pmap.enter(pmap, 0x11000, pa, RW, 0);
    expect([pteAt(0x1000) & PG_NC, pteAt(0x11000) & PG_NC]).toEqual([0, 0]);
    md.pmap.enter(pmap, 0x12000, pa, RW, 0);
    for (const va of [0x1000, 0x11000, 0x12000]) expect(pteAt(va) & PG_NC).toBe(PG_NC);
    md.pmap.remove(pmap, 0x12000, 0x13000);
    for (const va of [0x1000, 0x11000]) expect(pteAt(va) & PG_NC).toBe(0);
  });

  it('then shows no stale byte, in whichever order the addresses are used', () => {
    const pa = bare.takePage();
    const maps = [userMap(), userMap()];
    const places: [number, number, number][] = [
      [maps[0]!, 0x1000, STORE],
      [maps[0]!, 0x12000, STORE],
      [maps[1]!, 0x3000, STORE],
      [maps[1]!, 0x1000, STORE],
      [PMAP_KERNEL, 0xf100_5000, VM_PROT_WRITE],
    ];
    let value = 0;
    for (const [count, [pmap, va]] of places.entries()) {
      md.pmap.enter(pmap, va, pa, RW, 0);
      const open = places.slice(0, count + 1);
      for (const [from, at, how] of open) {
        if (from !== PMAP_KERNEL) md.pmap.activate(from);
        store(at, ++value, how);
        for (const [to, where, mode] of open) {
          if (to !== PMAP_KERNEL) md.pmap.activate(to);
          expect(load(where, mode & ACCESS_USER ? LOAD : R)).toBe(value);
        }
      }
    }
  });

  it('uncaches copies of segments without a PMEG too', () => {
    boot({ pmegs: 3 });
    const a = userMap();
    const pa = bare.takePage();
    md.pmap.enter(a, 0x1000, pa, RW, 0);
    store(0x1000, 1);
    const b = userMap();
    md.pmap.enter(b, 0x2000, pa, RW, 0);
    store(0x2000, 2);
    md.pmap.activate(a);
    expect(load(0x1000)).toBe(2);
    expect(pteAt(0x1000) & PG_NC).toBe(PG_NC);
  });

  it('keeps a page uncached beside a mapping that was entered with PMAP_NC', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0x1000, pa | PMAP_NC, RW, 0);
    md.pmap.enter(pmap, 0x11000, pa, RW, 0);
    load(0x1000);
    expect(pteAt(0x11000) & PG_NC).toBe(PG_NC);
  });

  it.each([
    ['a user', 0],
    ['another user', 1],
    ['the kernel', 2],
  ])('shows what zeroPage and copyPage wrote to %s that has the page in the cache', (_, reader) => {
    const maps = [userMap(), userMap()];
    const [src, dst] = [bare.takePage(), bare.takePage()];
    bare.memory.writeBe32(src, 8);
    bare.memory.writeBe32(dst, 7);
    for (const pmap of maps) md.pmap.enter(pmap, 0x1000, dst, RW, 0);
    md.pmap.enter(PMAP_KERNEL, 0xf100_1000, dst, RW, 0);
    md.pmap.activate(maps[reader % 2]!);
    const read = (): number => (reader === 2 ? load(0xf100_1000, R) : load(0x1000));
    expect(read()).toBe(7);
    md.pmap.activate(maps[1 - (reader % 2)]!);
    md.pmap.zeroPage(dst);
    md.pmap.activate(maps[reader % 2]!);
    expect(read()).toBe(0);
    md.pmap.copyPage(src, dst);
    expect(read()).toBe(8);
    expect(md.pmap.isModified(dst)).toBe(false);
  });

  it('shows a page’s new owner nothing of what the old one had cached', () => {
    const pmap = userMap();
    const [a, b] = [bare.takePage(), bare.takePage()];
    for (const take of [
      () => md.pmap.remove(pmap, 0x1000, 0x2000),
      () => md.pmap.pageProtect(a, VM_PROT_NONE),
      () => md.pmap.protect(pmap, 0x1000, 0x2000, VM_PROT_NONE),
    ]) {
      md.pmap.enter(pmap, 0x1000, a, RW, 0);
      store(0x1000, 3);
      load(0x1000);
      take();
      expect(access(0x1000, LOAD)).toBe(FAULT);
      md.pmap.enter(pmap, 0x1000, b, RW, 0);
      expect(load(0x1000)).toBe(0);
      md.pmap.remove(pmap, 0x1000, 0x2000);
    }
  });

  it('does not hide a reference after U was cleared', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0x1000, pa, RW, 0);
    load(0x1000);
    expect(md.pmap.clearReference(pa)).toBe(true);
    expect(md.pmap.isReferenced(pa)).toBe(false);
    load(0x1000);
    expect(md.pmap.isReferenced(pa)).toBe(true);
  });

  it('Q6: prefer moves an address to the next congruent one, over the hole', () => {
    const { prefer } = md.pmap;
    expect(prefer(0x13000, 0x1000)).toBe(0x3000);
    expect(prefer(0, 0xf000)).toBe(0x10000);
    expect(prefer(0x5000, 0x2000_1000)).toBe(0xe000_5000);
    expect(prefer(0x5000, 0x1fff_f000)).toBe(0xe000_5000);
    expect(prefer(0x1_2345_5000, 0xe000_0000)).toBe(0xe000_5000);
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
    '%s takes write away, cached tags and copies included; NONE removes; WRITE changes nothing',
    (_, lower) => {
      boot({ pmegs: 3 });
      const pmap = userMap();
      const pa = bare.takePage();
      md.pmap.enter(pmap, 0x1000, pa, RW, PMAP_WIRED);
      store(0x1000, 1);
      load(0x1000);
      lower(pmap, pa, RW);
      store(0x1000, 2);
      lower(pmap, pa, VM_PROT_EXECUTE);
      expect(load(0x1000)).toBe(2);
      expect(access(0x1000, STORE)).toBe(FAULT);
      expect(md.fault).toEqual({
        va: 0x1000,
        access: VM_PROT_WRITE,
        type: VM_FAULT_PROTECT,
        kernel: false,
      });
      md.pmap.enter(pmap, 0x1000, pa, RW, 0);
      // Now with the PMEG gone.
      md.pmap.kenterPa(0xf100_0000, bare.takePage(), RW);
      lower(pmap, pa, R);
      md.pmap.kremove(0xf100_0000, 4096);
      expect(access(0x1000, STORE)).toBe(FAULT);
      expect(load(0x1000)).toBe(2);
      expect(pteAt(0x1000) & PG_W).toBe(0);
      lower(pmap, pa, VM_PROT_NONE);
      expect(md.pmap.extract(pmap, 0x1000)).toBe(NO_PA);
      expect(access(0x1000, LOAD)).toBe(FAULT);
      expect(md.pmap.isModified(pa)).toBe(true);
      expect(bare.tablePagesOut).toBe(0);
    },
  );

  it('panics at a listed mapping that is not valid', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0x1000, pa, RW, 0);
    load(0x1000);
    md.mmus[0].setPte(0x1000, 0);
    expect(() => md.pmap.pageProtect(pa, VM_PROT_NONE)).toThrow('pmap_page_protect !PG_V');
  });
});

describe('shortages', () => {
  it('of memory for copies answer ENOMEM with every count right, and panic without CANFAIL', () => {
    const pmap = userMap();
    const pa = bare.takePage();
    bare.tablePageLimit = 0;
    expect(md.pmap.enter(pmap, 0x1000, pa, RW, PMAP_CANFAIL | PMAP_WIRED)).toBe(ENOMEM);
    expect([
      md.pmap.residentCount(pmap),
      md.pmap.wiredCount(pmap),
      md.pmap.tableBytes(pmap),
    ]).toEqual([0, 0, 0]);
    expect(() => md.pmap.enter(pmap, 0x1000, pa, RW, 0)).toThrow('pmap_enter: out of PTE copies');
    bare.tablePageLimit = NONE_LEFT;
    expect(md.pmap.enter(pmap, 0x1000, pa, RW, 0)).toBe(0);
    expect(md.pmap.tableBytes(pmap)).toBe(256);
    expect(access(0x1000, STORE)).toBe(pa);
  });

  it('of pv entries likewise, and a page may still replace another', () => {
    boot({ pvEntries: 1 });
    const pmap = userMap();
    const [a, b] = [bare.takePage(), bare.takePage()];
    md.pmap.enter(pmap, 0x1000, a, RW, 0);
    expect(md.pmap.enter(pmap, 0x0100_0000, b, RW, PMAP_CANFAIL)).toBe(ENOMEM);
    expect([md.pmap.residentCount(pmap), md.pmap.tableBytes(pmap)]).toEqual([1, 256]);
    expect(() => md.pmap.enter(pmap, 0x2000, b, RW, 0)).toThrow('pv_link: out of pv entries');
    expect(md.pmap.enter(pmap, 0x1000, b, RW, 0)).toBe(0);
    expect(access(0x1000, LOAD)).toBe(b);
  });
});

describe('traps', () => {
  it.each([
    ['a load of nothing', 0x1000, LOAD, TRAP_FAULT, [R, VM_FAULT_INVALID, false]],
    ['a store to nothing', 0x1000, STORE, TRAP_FAULT, [VM_PROT_WRITE, VM_FAULT_INVALID, false]],
    [
      'a fetch of nothing',
      0x1000,
      VM_PROT_EXECUTE | ACCESS_USER,
      TRAP_FAULT,
      [R, VM_FAULT_INVALID, false],
    ],
    ['copyin of nothing', 0x1000, R, TRAP_FAULT, [R, VM_FAULT_INVALID, false]],
    ['the kernel’s load of nothing', 0xf100_0000, R, TRAP_FAULT, [R, VM_FAULT_INVALID, true]],
    [
      'a user’s load of the kernel',
      0xf000_0000,
      LOAD,
      TRAP_BAD_ADDRESS,
      [R, VM_FAULT_PROTECT, true],
    ],
    ['a load in the hole', 0x2000_0000, LOAD, TRAP_BAD_ADDRESS, [R, VM_FAULT_INVALID, false]],
    [
      'copyout to the hole',
      0xdfff_fffc,
      VM_PROT_WRITE,
      TRAP_BAD_ADDRESS,
      [VM_PROT_WRITE, VM_FAULT_INVALID, false],
    ],
  ])('decode %s', (_, va, how, outcome, [right, type, kernel]) => {
    userMap();
    expect(md.mmus[0].translate(va, how)).toBe(FAULT);
    expect(md.trap(0)).toBe(outcome);
    expect(md.fault).toEqual({ va, access: right, type, kernel });
    expect(md.mmus[0].ser).toBe(0);
  });

  it('give up on a PTE that grants the access which faulted', () => {
    const pmap = userMap();
    md.pmap.enter(pmap, 0x1000, bare.takePage(), R, 0);
    load(0x1000);
    // The tag keeps the right of the old PTE if nobody flushes.
    md.mmus[0].setPte(0x1000, (pteAt(0x1000) | PG_W) >>> 0);
    expect(md.mmus[0].translate(0x1000, STORE)).toBe(FAULT);
    expect(md.trap(0)).toBe(TRAP_BAD_ADDRESS);
  });

  it('panic when the kernel fetches where nothing is', () => {
    md.mmus[0].translate(0xf100_0000, VM_PROT_EXECUTE);
    expect(() => md.trap(0)).toThrow('kernel fault');
  });
});

describe('the kernel’s mappings', () => {
  it('are in every context, and unmanaged ones track nothing', () => {
    const pa = bare.takePage();
    md.pmap.kenterPa(0xf100_0000, pa, RW);
    for (const pmap of [userMap(), userMap()]) {
      md.pmap.activate(pmap);
      expect(access(0xf100_0000, VM_PROT_WRITE)).toBe(pa);
      expect(access(0xf000_0000, R)).not.toBe(FAULT);
    }
    md.pmap.kremove(0xf100_0000, 4096);
    expect([md.pmap.isModified(pa), md.pmap.isReferenced(pa)]).toEqual([false, false]);
    expect([md.pmap.residentCount(PMAP_KERNEL), md.pmap.wiredCount(PMAP_KERNEL)]).toEqual([0, 0]);
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
    md.pmap.remove(PMAP_KERNEL, 0xf100_0000, 0xf100_1000);
    expect(md.pmap.residentCount(PMAP_KERNEL)).toBe(0);
  });
});

describe('booting', () => {
  it('refuses what the hardware does not have', () => {
    expect(() => boot({}, { cpus: 2 })).toThrow('sun4c: a sun4c has one CPU, given 2');
    expect(() => boot({}, { memory: 512 << 20 })).toThrow(/memory can be up to 268435456 bytes/);
    expect(() => boot({ contexts: 17 })).toThrow(/contexts must be 2 to 16/);
    expect(() => boot({ pmegs: 2 })).toThrow(/pmegs must be 3 to 256/);
    expect(() => boot({ kernelBase: 0xf000_1000 })).toThrow(/multiple of 256 KB/);
  });

  it('takes the SPARCstation 2 and the older KERNBASE as well', () => {
    boot({ model: 'ss2', kernelBase: 0xf800_0000 });
    expect(md.mmus[0].model).toEqual({ contexts: 16, pmegs: 256, lineBytes: 32 });
    const pmap = userMap();
    const pa = bare.takePage();
    md.pmap.enter(pmap, 0xf7ff_f000, pa, RW, 0);
    expect(access(0xf7ff_f000, STORE)).toBe(pa);
  });
});

it('a map that is destroyed with mappings in it panics under DIAGNOSTIC and is emptied without', () => {
  const pmap = userMap();
  md.pmap.enter(pmap, 0x1000, bare.takePage(), RW, 0);
  expect(() => md.pmap.destroy(pmap)).toThrow('pmap_release: map not empty');
  boot({}, { diagnostic: false });
  const other = userMap();
  md.pmap.enter(other, 0x1000, bare.takePage(), RW, 0);
  md.pmap.reference(other);
  md.pmap.destroy(other);
  md.pmap.destroy(other);
  expect(() => md.pmap.extract(other, 0x1000)).toThrow(/pmap handle 1 is not given out/);
  expect(bare.tablePagesOut).toBe(0);
});

it('describes where a mapping stands', () => {
  const pmap = userMap();
  md.pmap.enter(pmap, 0x4_1000, 0x70_0000, RW, 0);
  expect(md.pmap.describe(pmap, 0x4_1000)).toBe(
    'segment 0x00040000 no PMEG: PTE 0xc0000700 V W → obmem 0x00700000',
  );
  load(0x4_1000);
  expect(md.pmap.describe(pmap, 0x4_1000)).toBe(
    'segment 0x00040000 PMEG 1: PTE 0xc2000700 V W U → obmem 0x00700000',
  );
  expect(md.pmap.describe(pmap, 0x2000_0000)).toBe('in the hole');
});
