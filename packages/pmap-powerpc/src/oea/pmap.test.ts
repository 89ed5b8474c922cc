import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ACCESS_USER,
  ACCESS_USERSPACE,
  ENOMEM,
  FAULT,
  KernelPanic,
  NO_PA,
  PMAP_CANFAIL,
  PMAP_KERNEL,
  PMAP_WIRED,
  STEAL_SLOT,
  TRAP_SETTLED,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  VM_PROT_EXECUTE,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  bootBare,
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
import { steps } from '../../test/steps.ts';
import { StandIn, touch } from '../../test/uvm-stand-in.ts';
import type { OeaOptions } from './options.ts';
import { OeaMachine, oea } from './port.ts';
import { decodePte } from './pte.ts';
import { VsidBitmap, vsidId, vsidMake, vsidSegment } from './vsid.ts';

describe('a mapping on the OEA', () => {
  it('is a PTE of its VSID in the primary group, with PP 10 or 11 and no R or C', () => {
    const booted = boot();
    const { pa } = mapped(booted, VM_PROT_READ);
    const [entry] = tableEntries(booted);
    const pte = decodePte(entry!.hi, entry!.lo);
    expect(pte).toMatchObject({ pa, pp: 2, referenced: false, changed: false, secondary: false });
    expect(vsidSegment(pte.vsid)).toBe(0);
    expect((entry!.pte - booted.md.table.base) >>> 6).toBe(booted.md.table.group(pte.vsid, VA));
  });

  it('is uncached and guarded outside RAM, and by PMAP_NC', () => {
    const booted = boot();
    const map = booted.pmap.create();
    booted.pmap.enter(map, 0x1000, 0x80000000, RW, VM_PROT_READ);
    booted.pmap.enter(map, 0x2000, booted.machine.takePage(), RW, VM_PROT_READ | 0x1000);
    expect(tableEntries(booted).map(({ lo }) => decodePte(0, lo).wimg)).toEqual([0b0101, 0b0101]);
    expect(booted.pmap.residentCount(map)).toBe(2);
  });

  it('is seen by its own address space alone', () => {
    const booted = boot();
    const { pa } = mapped(booted, VM_PROT_READ);
    expect(touch(booted.machine, VA + 5, USER_READ)).toBe(pa + 5);
    booted.pmap.activate(booted.pmap.create());
    expect(touch(booted.machine, VA + 5, USER_READ)).toBe(FAULT);
  });

  it('is described in the manual’s words', () => {
    const booted = boot();
    const { map } = mapped(booted, VM_PROT_WRITE | PMAP_WIRED);
    expect(booted.pmap.describe(map, VA)).toMatch(
      /^PTE [0-9A-F]{8} [0-9A-F]{8} VSID .* R C PP=10 at 0x[0-9a-f]+ WIRED MANAGED$/,
    );
    expect(booted.pmap.describe(map, 0)).toBe('no pvo');
  });

  it('keeps R and C with the page when it goes', () => {
    const booted = boot();
    const { map, pa } = mapped(booted, VM_PROT_READ);
    expect(booted.pmap.isReferenced(pa)).toBe(false);
    touch(booted.machine, VA, USER_WRITE);
    booted.pmap.remove(map, VA, VA + 4096);
    expect(booted.pmap.isReferenced(pa)).toBe(true);
    expect(booted.pmap.clearModify(pa)).toBe(true);
    expect(booted.pmap.clearModify(pa)).toBe(false);
  });

  it('is made anew by every enter, and may move to another slot', () => {
    const booted = boot();
    const { machine, md, pmap } = booted;
    const [map, pa] = [pmap.create(), machine.takePage()];
    for (const index of [0, 1, 2]) pmap.enter(map, index * SAME_GROUP, pa, RW, VM_PROT_READ);
    const slotOf = (lines: string): string => / at (0x[0-9a-f]+) /.exec(lines)![1]!;
    const first = slotOf(pmap.describe(map, 0));
    const flushes = md.mmus[0]!.stats.pageFlushes;
    pmap.remove(map, 0, 4096);
    pmap.enter(map, 2 * SAME_GROUP, pa, RW, VM_PROT_READ);
    expect(slotOf(pmap.describe(map, 2 * SAME_GROUP))).toBe(first);
    expect(md.mmus[0]!.stats.pageFlushes).toBe(flushes + 2);
    expect(tableEntries(booted)).toHaveLength(2);
  });

  it('with no right at all is no mapping', () => {
    const booted = boot();
    const { map, pa } = mapped(booted, VM_PROT_READ);
    expect(booted.pmap.enter(map, VA, pa, VM_PROT_NONE, 0)).toBe(0);
    expect(booted.pmap.extract(map, VA)).toBe(NO_PA);
  });

  it('that may only be fetched from can be loaded from too: execute is read here', () => {
    const booted = boot();
    const { map, pa } = mapped(booted, VM_PROT_EXECUTE, VM_PROT_EXECUTE);
    expect(touch(booted.machine, VA, USER_READ)).toBe(pa);
    booted.pmap.protect(map, VA, VA + 4096, VM_PROT_EXECUTE);
    expect(booted.pmap.extract(map, VA)).toBe(pa);
  });
});

describe('R2: unsetting a PTE', () => {
  it('clears V alone in memory, harvests R and C, and drops the class from the TLB', () => {
    const booted = boot();
    const { map, pa } = mapped(booted, VM_PROT_READ);
    touch(booted.machine, VA, USER_WRITE);
    const [entry] = tableEntries(booted);
    const flushes = booted.md.mmus[0]!.stats.pageFlushes;
    booted.pmap.remove(map, VA, VA + 4096);
    expect(booted.machine.memory.readBe32(entry!.pte)).toBe(entry!.hi - 0x80000000);
    expect(booted.md.mmus[0]!.stats.pageFlushes).toBe(flushes + 1);
    expect(touch(booted.machine, VA, USER_READ)).toBe(FAULT);
    expect(booted.pmap.isModified(pa)).toBe(true);
  });
});

describe('shortage on the OEA', () => {
  it('of PVOs is ENOMEM with CANFAIL and a panic without, and no count moves', () => {
    const { machine, pmap } = boot({ pvos: 3 });
    const map = pmap.create();
    const pages = Array.from({ length: 4 }, () => machine.takePage());
    for (let index = 0; index < 3; index++)
      expect(pmap.enter(map, index * 4096, pages[index]!, RW, VM_PROT_READ | PMAP_WIRED)).toBe(0);
    expect(pmap.enter(map, 0x3000, pages[3]!, RW, VM_PROT_READ | PMAP_CANFAIL)).toBe(ENOMEM);
    expect([pmap.residentCount(map), pmap.wiredCount(map)]).toEqual([3, 3]);
    expect(pmap.extract(map, 0x3000)).toBe(NO_PA);
    expect(() => pmap.enter(map, 0x3000, pages[3]!, RW, VM_PROT_READ)).toThrow(
      /pmap_pvo_enter: failed/,
    );
    expect(() => pmap.kenterPa(0xd0004000, pages[3]!, RW)).toThrow(KernelPanic);
    // Replacing needs none.
    expect(pmap.enter(map, 0, pages[3]!, RW, VM_PROT_READ | PMAP_CANFAIL)).toBe(0);
    pmap.remove(map, 0x1000, 0x2000);
    expect(pmap.enter(map, 0x3000, pages[3]!, RW, VM_PROT_READ | PMAP_CANFAIL)).toBe(0);
  });

  it('of pages for PVOs likewise, once what boot set aside is used up', () => {
    const { machine, pmap } = boot({}, { tablePages: 1 });
    const map = pmap.create();
    const pa = machine.takePage();
    let mappings = 0;
    while (pmap.enter(map, mappings * 4096, pa, RW, VM_PROT_READ | PMAP_CANFAIL) === 0) mappings++;
    expect(mappings).toBe(9 * 128);
    expect(machine.tablePagesOut).toBe(1);
    expect(pmap.residentCount(map)).toBe(mappings);
    expect(pmap.tableBytes(map)).toBe(mappings * 32);
    pmap.remove(map, 0, mappings * 4096);
    expect(pmap.residentCount(map)).toBe(0);
    expect(pmap.enter(map, 0, pa, RW, VM_PROT_READ | PMAP_CANFAIL)).toBe(0);
  });

  it('of VSIDs is a panic, and a destroyed map’s can be had again', () => {
    const { pmap } = boot({ pmaps: 32 });
    const maps = Array.from({ length: 30 }, () => pmap.create());
    expect(new Set(maps).size).toBe(30);
    expect(() => pmap.create()).toThrow(/pmap_pinit: out of segments/);
    pmap.destroy(maps[7]!);
    expect(pmap.create()).toBe(maps[7]);
  });
});

describe('VSIDs', () => {
  it('are never given out twice, and neither 0 nor the kernel’s is given out', () => {
    const bitmap = new VsidBitmap(256);
    const places = new Set<number>();
    for (let index = 0; index < 254; index++) {
      const id = bitmap.allocate(index * 12345);
      expect(id).toBeGreaterThan(0);
      expect(places.has(id & 255)).toBe(false);
      places.add(id & 255);
    }
    expect(places.has(0)).toBe(false);
    expect(places.has(255)).toBe(false);
    expect(bitmap.allocate(1)).toBe(-1);
  });

  it('are made of segment and id, and taken apart again', () => {
    expect(vsidMake(13, 0xfffff)).toBe(0xfffffd);
    expect([vsidId(0xfffffe), vsidSegment(0xfffffe)]).toEqual([0xfffff, 14]);
  });
});

describe('pmap calls with a bad argument', () => {
  it('are RangeErrors or NetBSD’s panics', () => {
    const { machine, pmap } = boot();
    const pa = machine.takePage();
    expect(() => pmap.enter(7, 0, pa, RW, 0)).toThrow(RangeError);
    expect(() => pmap.enter(PMAP_KERNEL, 0x1000, pa, RW, 0)).toThrow(RangeError);
    expect(() => pmap.destroy(PMAP_KERNEL)).toThrow(RangeError);
    expect(() => pmap.kenterPa(0x1000, pa, RW)).toThrow(/attempt to enter non-kernel address/);
    expect(() => pmap.kremove(0x1000, 4096)).toThrow(/attempt to remove non-kernel address/);
    const map = pmap.create();
    pmap.enter(map, 0, pa, RW, 0);
    pmap.reference(map);
    pmap.destroy(map);
    expect(() => pmap.destroy(map)).toThrow(/mappings remain/);
    pmap.remove(map, 0, 4096);
    pmap.destroy(map);
    expect(() => pmap.residentCount(map)).toThrow(RangeError);
  });

  it.each<OeaOptions>([{ ptegs: 1000 }, { pmaps: 16 }, { pvos: 0 }, { ioSegments: [13] }])(
    'and so are options %o',
    (options) => {
      expect(() => oea(options)).toThrow(RangeError);
    },
  );

  it('and so are several CPUs of a kind that works alone', () => {
    expect(() => bootBare(oea({ model: '750' }), { cpus: 2 })).toThrow(/works alone/);
  });
});

describe('ranges', () => {
  it('skip empty segments and nothing else', () => {
    const { machine, pmap } = boot();
    const [map, pa] = [pmap.create(), machine.takePage()];
    pmap.activate(map);
    const vas = [0x2ffff000, 0x40000000, 0x4ffff000, 0x60000000];
    for (const va of vas) pmap.enter(map, va, pa, RW, VM_PROT_READ);
    pmap.protect(map, 0x10000000, 0x60000000, VM_PROT_READ);
    expect(vas.map((va) => touch(machine, va, USER_WRITE))).toEqual([FAULT, FAULT, FAULT, pa]);
    pmap.remove(map, 0x1ffff000, 0x60000000);
    expect(vas.map((va) => pmap.extract(map, va))).toEqual([NO_PA, NO_PA, NO_PA, pa]);
  });
});

describe('protect', () => {
  it('leaves stores alone if WRITE stays, but did not in 2001', () => {
    for (const protect of ['exact', 'authentic'] as const) {
      const booted = boot({ protect });
      const { map, pa } = mapped(booted, VM_PROT_WRITE | PMAP_WIRED);
      booted.pmap.protect(map, VA, VA + 4096, RW);
      expect(touch(booted.machine, VA, USER_WRITE)).toBe(protect === 'exact' ? pa : FAULT);
    }
  });

  it('reaches mappings that are in no slot', () => {
    const { machine, md, pmap } = boot();
    const map = pmap.create();
    pmap.activate(map);
    for (let index = 0; index < 17; index++)
      pmap.enter(map, index * SAME_GROUP, machine.takePage(), RW, VM_PROT_READ);
    expect(md.table.overflow).toBe(1);
    pmap.protect(map, 16 * SAME_GROUP, 16 * SAME_GROUP + 4096, VM_PROT_READ);
    expect(touch(machine, 16 * SAME_GROUP, USER_WRITE)).toBe(FAULT);
    expect(md.fault.type).toBe(VM_FAULT_PROTECT);
  });
});

describe('clearModify', () => {
  it('is noticed by the next store whatever the TLB holds', () => {
    const booted = boot();
    const { pa } = mapped(booted, VM_PROT_READ);
    for (let round = 0; round < 3; round++) {
      touch(booted.machine, VA, USER_WRITE);
      expect(booted.pmap.isModified(pa)).toBe(true);
      expect(booted.pmap.clearModify(pa)).toBe(true);
      expect(booted.pmap.isModified(pa)).toBe(false);
    }
  });
});

describe('several CPUs', () => {
  it('are told by one tlbie', () => {
    const booted = boot({}, { cpus: 2 });
    const { map, pa } = mapped(booted, VM_PROT_READ);
    booted.md.currentCpu = 1;
    booted.pmap.activate(map);
    expect(touch(booted.machine, VA, USER_WRITE, 1)).toBe(pa);
    expect(touch(booted.machine, VA, USER_WRITE, 0)).toBe(pa);
    booted.pmap.protect(map, VA, VA + 4096, VM_PROT_READ);
    expect(touch(booted.machine, VA, USER_WRITE, 0)).toBe(FAULT);
    expect(touch(booted.machine, VA, USER_WRITE, 1)).toBe(FAULT);
  });
});

describe('two CPUs that miss the same mapping', () => {
  it('spill it once: the second only tries again', () => {
    const booted = boot({}, { cpus: 2 });
    const { machine, md, pmap } = booted;
    const map = pmap.create();
    const pages = Array.from({ length: 17 }, () => machine.takePage());
    for (const [index, pa] of pages.entries())
      pmap.enter(map, index * SAME_GROUP, pa, RW, VM_PROT_READ);
    for (const cpu of [0, 1]) {
      md.currentCpu = cpu;
      pmap.activate(map);
      expect(md.mmus[cpu]!.translate(16 * SAME_GROUP, USER_READ)).toBe(FAULT);
    }
    expect([md.trap(0), md.trap(1)]).toEqual([TRAP_SETTLED, TRAP_SETTLED]);
    for (const cpu of [0, 1])
      expect(md.mmus[cpu]!.translate(16 * SAME_GROUP, USER_READ)).toBe(pages[16]);
    expect(md.table.overflow).toBe(1);
    expect(tableEntries(booted)).toHaveLength(16);
    expect(pmap.residentCount(map)).toBe(17);
  });
});

describe('deferral', () => {
  it('leaves a stale translation on every CPU until pmap.update', () => {
    const booted = boot({ deferred: true }, { cpus: 2 });
    const { map, pa } = mapped(booted, VM_PROT_READ);
    booted.md.currentCpu = 1;
    booted.pmap.activate(map);
    for (const cpu of [0, 1]) touch(booted.machine, VA, USER_READ, cpu);
    booted.pmap.remove(map, VA, VA + 4096);
    for (const cpu of [0, 1]) expect(touch(booted.machine, VA, USER_READ, cpu)).toBe(pa);
    booted.pmap.update(map);
    for (const cpu of [0, 1]) expect(touch(booted.machine, VA, USER_READ, cpu)).toBe(FAULT);
    expect(oea({ deferred: true }).capabilities.deferred).toBe(true);
  });

  it('remembers every congruence class', () => {
    const { machine, pmap } = boot({ deferred: true });
    const map = pmap.create();
    pmap.activate(map);
    const vas = Array.from({ length: 64 }, (_, index) => 0x1800000 + index * 4096);
    const pages = vas.map(() => machine.takePage());
    for (const [index, va] of vas.entries()) {
      pmap.enter(map, va, pages[index]!, RW, VM_PROT_READ);
      touch(machine, va, USER_READ);
      pmap.remove(map, va, va + 4096);
    }
    expect(vas.map((va) => touch(machine, va, USER_READ))).toEqual(pages);
    pmap.update(map);
    expect(vas.filter((va) => touch(machine, va, USER_READ) !== FAULT)).toEqual([]);
  });

  it('does not touch what works on pages: no update follows it', () => {
    const booted = boot({ deferred: true });
    const { pa } = mapped(booted, VM_PROT_READ);
    touch(booted.machine, VA, USER_READ);
    booted.pmap.pageProtect(pa, VM_PROT_NONE);
    expect(touch(booted.machine, VA, USER_READ)).toBe(FAULT);
  });
});

describe('traps', () => {
  it('decode copyin’s window into the user address', () => {
    const booted = boot();
    const { pa } = mapped(booted, VM_PROT_READ, VM_PROT_READ);
    expect(touch(booted.machine, VA + 8, VM_PROT_READ | ACCESS_USERSPACE)).toBe(pa + 8);
    expect(touch(booted.machine, VA + 8, VM_PROT_WRITE | ACCESS_USERSPACE)).toBe(FAULT);
    expect(booted.md.fault).toEqual({
      va: VA + 8,
      access: VM_PROT_WRITE,
      type: VM_FAULT_PROTECT,
      kernel: false,
    });
    expect(touch(booted.machine, 0x71234567, VM_PROT_READ | ACCESS_USERSPACE)).toBe(FAULT);
    expect(booted.md.fault).toMatchObject({ va: 0x71234567, type: VM_FAULT_INVALID });
  });

  it('tell the kernel’s addresses and fetches', () => {
    const booted = boot();
    expect(touch(booted.machine, 0xd0005000, VM_PROT_READ)).toBe(FAULT);
    expect(booted.md.fault).toMatchObject({ va: 0xd0005000, access: VM_PROT_READ, kernel: true });
    mapped(booted, VM_PROT_READ);
    expect(touch(booted.machine, 0x5000, VM_PROT_EXECUTE | ACCESS_USER)).toBe(FAULT);
    expect(booted.md.fault).toMatchObject({ va: 0x5000, access: VM_PROT_EXECUTE, kernel: false });
  });

  it('load a data BAT for device segments, for the supervisor alone', () => {
    const booted = boot({ ioSegments: [8] });
    expect(touch(booted.machine, 0x80000010, VM_PROT_WRITE)).toBe(0x80000010);
    mapped(booted, VM_PROT_READ);
    expect(touch(booted.machine, 0x80000010, USER_WRITE)).toBe(FAULT);
    expect(touch(booted.machine, 0x90000010, VM_PROT_WRITE)).toBe(FAULT);
  });

  it('reach all RAM one-to-one from the kernel', () => {
    const booted = boot();
    const pa = booted.machine.takePage();
    expect(booted.md.mmus[0]!.translate(booted.pmap.mapPoolPage!(pa), VM_PROT_WRITE)).toBe(pa);
    expect(booted.pmap.extract(PMAP_KERNEL, pa)).toBe(NO_PA);
  });

  it('tell the watcher whose place they took, and leave faults to the machine', () => {
    const booted = boot();
    const { machine, md, pmap } = booted;
    const map = pmap.create();
    pmap.activate(map);
    for (let index = 0; index < 17; index++)
      pmap.enter(map, index * SAME_GROUP, machine.takePage(), RW, VM_PROT_READ);
    const seen: string[] = [];
    machine.events.watch((name, a, b, c, d) => {
      if (name === 'mmu.fault' || name === 'pmap.steal') seen.push([name, a, b, c, d].join(' '));
    });
    md.mmus[0]!.mttb(2 - 1);
    touch(machine, 16 * SAME_GROUP, USER_READ);
    touch(machine, 0x5000, USER_WRITE);
    expect(seen).toEqual([`pmap.steal ${map} ${2 * SAME_GROUP} ${STEAL_SLOT} 2`]);
  });
});

describe('the instruction cache', () => {
  const RX = VM_PROT_READ | VM_PROT_EXECUTE;

  it('is synchronised at a page’s first executable mapping, and by procwr', () => {
    const { machine, pmap } = boot();
    const [map, pa] = [pmap.create(), machine.takePage()];
    pmap.enter(map, VA, pa, RW, VM_PROT_READ);
    expect(pmap.icacheSyncs).toBe(0);
    pmap.enter(map, VA, pa, RX, VM_PROT_READ);
    pmap.enter(map, VA + 4096, pa, RX, VM_PROT_READ);
    expect(pmap.icacheSyncs).toBe(1);
    pmap.procwr(map, VA + 4090, 10);
    expect(pmap.icacheSyncs).toBe(3);
  });

  it('was synchronised at a page’s first mapping by 1.8', () => {
    const { machine, pmap } = boot({ revision: '1.8' });
    const [map, pa] = [pmap.create(), machine.takePage()];
    pmap.enter(map, VA, pa, RX, VM_PROT_READ);
    pmap.enter(map, VA + 4096, pa, RX, VM_PROT_READ);
    expect(pmap.icacheSyncs).toBe(1);
    pmap.remove(map, VA, VA + 8192);
    pmap.enter(map, VA, pa, RX, VM_PROT_READ);
    expect(pmap.icacheSyncs).toBe(2);
  });
});

describe('the hash table at boot', () => {
  it.each([
    [8, 0x800],
    [64, 0x2000],
    [128, 0x4000],
  ])('with %i MB has %i groups, aligned to their size', (megabytes, groups) => {
    const machine = bootBare(oea(), { memory: megabytes << 20 });
    const registers = machine.md.mmus[0]!.registers();
    expect(registers['SDR1']! & 0x1ff).toBe((groups >> 10) - 1);
    expect((registers['SDR1']! & 0xffff0000) % (groups * 64)).toBe(0);
  });
});

describe('any sequence of pmap calls', () => {
  const addresses = Array.from(
    { length: 20 },
    (_, index) => (index % 2) * 4096 + (index >> 1) * SAME_GROUP,
  ).sort((a, b) => a - b);

  it.each([
    ['by default', {}],
    ['with deferral and updates', { deferred: true }],
    ['short of PVOs', { pvos: 17 }],
  ] satisfies [string, OeaOptions][])(
    'keeps counts, rights, wiring and C right %s',
    (_name, options) => {
      const property = fc.property(steps(3, addresses.length, 6), (sequence) => {
        const standIn = new StandIn(oea({ ptegs: 1024, wiredCount: 'exact', ...options }), {
          addresses,
          pages: 6,
          maps: 3,
          bare: { memory: 1 << 20 },
          emulates: false,
        });
        const { machine } = standIn;
        const md = machine.md;
        if (!(md instanceof OeaMachine)) throw new TypeError('the OEA port boots an OeaMachine');
        for (const step of sequence) standIn.run(step);
        const entries = tableEntries({ machine, md, pmap: md.pmap });
        expect(entries.length + md.table.overflow).toBe(standIn.mapped);
        expect(new Set(entries.map(({ hi, pte }) => `${hi & ~0x40} ${pte >>> 6}`)).size).toBe(
          entries.length,
        );
      });
      fc.assert(property, { seed: 20011231, numRuns: 60 });
    },
  );
});
