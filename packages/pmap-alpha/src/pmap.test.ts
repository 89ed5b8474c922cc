import {
  ACCESS_USER,
  EventStream,
  KernelPanic,
  NO_PA,
  PMAP_KERNEL,
  PMAP_WIRED,
  PhysicalMemory,
  TRAP_FAULT,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
} from '@uvmkit/pmap';
import { describe, expect, it, test } from 'vitest';
import { Alpha, KVA, PAGE, READ, RW, TEXT, WRITE } from '../test/harness.ts';
import { alpha } from './port.ts';
import { MMCSR_FOR, MMCSR_FOW } from './mmu.ts';

const FRAME = 0x345 * PAGE;

/** A process and the managed frame 0x345, which it maps nowhere yet. */
function process(memory = 8 << 20): { a: Alpha; id: number } {
  const a = new Alpha({}, { memory });
  return { a, id: a.process() };
}

/** P2, P1 and P3 of the reference, which the other vectors begin with. */
function armed(): { a: Alpha; id: number } {
  const made = process();
  made.a.pmap.enter(made.id, TEXT, FRAME, RW, 0);
  return made;
}

function entered(): { a: Alpha; id: number } {
  const made = process();
  made.a.pmap.enter(made.id, TEXT, FRAME, RW, READ);
  return made;
}

function wired(): { a: Alpha; id: number } {
  const made = process();
  made.a.pmap.enter(made.id, TEXT, FRAME, RW, WRITE | PMAP_WIRED);
  return made;
}

describe('software vectors', () => {
  test('P1: enter for a read', () => {
    const { a, id } = entered();
    expect(a.pte(id, TEXT)).toBe('0000034500023305');
    expect(a.attributes(FRAME)).toBe('R-');
    expect(a.counts(id)).toEqual({ resident: 1, wired: 0 });
  });

  test('P2: enter for no access', () => {
    const { a, id } = armed();
    expect(a.pte(id, TEXT)).toBe('000003450002330f');
    expect(a.attributes(FRAME)).toBe('--');
  });

  test('P3: enter wired for a write', () => {
    const { a, id } = wired();
    expect(a.pte(id, TEXT)).toBe('0000034500033301');
    expect(a.attributes(FRAME)).toBe('RM');
    expect(a.counts(id)).toEqual({ resident: 1, wired: 1 });
  });

  test('P4: enter again without wiring changes software bits only and flushes nothing', () => {
    const { a, id } = wired();
    const flushes = a.mmus[0]!.stats.pageFlushes;
    a.pmap.enter(id, TEXT, FRAME, RW, WRITE);
    expect(a.pte(id, TEXT)).toBe('0000034500023301');
    expect(a.counts(id)).toEqual({ resident: 1, wired: 0 });
    expect(a.mmus[0]!.stats.pageFlushes).toBe(flushes);
  });

  test('P5: a read of an armed page', () => {
    const { a, id } = armed();
    expect(a.pmap.emulateReference(TEXT, true, MMCSR_FOR)).toBe(true);
    expect(a.pte(id, TEXT)).toBe('0000034500023305');
    expect(a.attributes(FRAME)).toBe('R-');
  });

  test('P6: a write to an armed page', () => {
    const { a, id } = armed();
    expect(a.pmap.emulateReference(TEXT, true, MMCSR_FOW)).toBe(true);
    expect(a.pte(id, TEXT)).toBe('0000034500023301');
    expect(a.attributes(FRAME)).toBe('RM');
  });

  test('P7: clear modified', () => {
    const { a, id } = wired();
    expect(a.pmap.clearModify(FRAME)).toBe(true);
    expect(a.pte(id, TEXT)).toBe('0000034500033305');
    expect(a.pmap.clearModify(FRAME)).toBe(false);
  });

  test('P8: clear referenced', () => {
    const { a, id } = wired();
    expect(a.pmap.clearReference(FRAME)).toBe(true);
    expect(a.pte(id, TEXT)).toBe('000003450003330f');
    expect(a.attributes(FRAME)).toBe('-M');
  });

  test('P9: page_protect(NONE) keeps a wired mapping', () => {
    const { a, id } = wired();
    a.pmap.pageProtect(FRAME, 0);
    expect(a.pte(id, TEXT)).toBe('0000034500033301');
    expect(a.counts(id)).toEqual({ resident: 1, wired: 1 });
  });

  test('P10: page_protect(NONE) removes any other, and the tables above it', () => {
    const { a, id } = entered();
    expect(a.pmap.tableBytes(id)).toBe(3 * PAGE);
    a.pmap.pageProtect(FRAME, 0);
    expect(a.pte(id, TEXT)).toBe('no level 2 table');
    expect(a.pmap.tableBytes(id)).toBe(0);
    expect(a.machine.tablePagesOut).toBe(0);
    expect(a.mmus[0]!.asn).toBe(0);
    a.check();
  });

  test('P11: page_protect(READ) on a wired mapping', () => {
    const { a, id } = wired();
    a.pmap.pageProtect(FRAME, READ);
    expect(a.pte(id, TEXT)).toBe('0000034500030301');
  });

  test('P12: collect keeps a wired mapping and its tables', () => {
    const { a, id } = wired();
    a.pmap.collect(id);
    expect(a.pte(id, TEXT)).toBe('0000034500033301');
    expect(a.pmap.tableBytes(id)).toBe(3 * PAGE);
    a.check();
  });

  test('P13: kenter_pa', () => {
    const a = new Alpha({}, { memory: 32 << 20 });
    const before = a.counts(PMAP_KERNEL);
    a.pmap.kenterPa(KVA + 0x2000, 0x777 * PAGE, RW);
    expect(a.pte(PMAP_KERNEL, KVA + 0x2000)).toBe('0000077700011111');
    expect(a.counts(PMAP_KERNEL)).toEqual({
      resident: before.resident + 1,
      wired: before.wired + 1,
    });
  });

  test('P14: enter code', () => {
    const { a, id } = process();
    a.pmap.enter(id, TEXT, FRAME, READ | VM_PROT_EXECUTE, READ);
    expect(a.pte(id, TEXT)).toBe('0000034500060305');
    expect(a.attributes(FRAME)).toBe('R-');
  });
});

describe('enter', () => {
  it('lets the access that it names succeed next, for every protection and access', () => {
    const refused: unknown[] = [];
    for (let prot = 1; prot <= VM_PROT_ALL; prot++) {
      for (let flags = 1; flags <= VM_PROT_ALL; flags++) {
        if ((flags & ~prot) !== 0) continue;
        for (const wiring of [0, PMAP_WIRED]) {
          const { a, id } = process();
          a.pmap.enter(id, TEXT, FRAME, prot, flags | wiring);
          for (const access of [1, 2, 4]) {
            if ((flags & access) === 0) continue;
            const pa = a.mmus[0]!.translate(TEXT, access | ACCESS_USER);
            if (pa !== FRAME) refused.push({ prot, flags, wiring, access });
          }
        }
      }
    }
    expect(refused).toEqual([]);
  });

  it('allows and refuses every access as the protection says, read standing for execute', () => {
    for (let prot = 0; prot <= VM_PROT_ALL; prot++) {
      const { a, id } = process();
      a.pmap.enter(id, TEXT, FRAME, prot, 0);
      const readable = (prot & (READ | VM_PROT_EXECUTE)) !== 0;
      const allowed = { 1: readable, 2: (prot & WRITE) !== 0, 4: readable };
      for (const access of [1, 2, 4] as const) {
        const outcome = a.user(TEXT, access);
        if (allowed[access]) expect(outcome).toMatchObject({ pa: FRAME });
        else expect(outcome).toEqual({ trap: TRAP_FAULT });
      }
    }
  });

  it('replaces a mapping of another page as if it had been removed', () => {
    const { a, id } = entered();
    expect(a.user(TEXT, READ)).toMatchObject({ pa: FRAME });
    const other = FRAME + PAGE;
    a.pmap.enter(id, TEXT, other, READ, READ);
    expect(a.user(TEXT, READ)).toMatchObject({ pa: other });
    expect(a.counts(id)).toEqual({ resident: 1, wired: 0 });
    a.pmap.pageProtect(FRAME, 0);
    expect(a.pmap.extract(id, TEXT)).toBe(other);
    a.check();
  });

  it('raises and lowers the protection of the same page, at once', () => {
    const { a, id } = wired();
    expect(a.user(TEXT, WRITE)).toMatchObject({ pa: FRAME });
    a.pmap.enter(id, TEXT, FRAME, READ, READ);
    expect(a.user(TEXT, WRITE)).toEqual({ trap: TRAP_FAULT });
    a.pmap.enter(id, TEXT, FRAME, RW, WRITE);
    expect(a.user(TEXT, WRITE)).toEqual({ pa: FRAME, traps: 0 });
    a.check();
  });

  it('arms no fault-on bits on a page that UVM does not manage', () => {
    const { a, id } = process();
    a.pmap.enter(id, TEXT, 0, RW, 0);
    expect(a.pte(id, TEXT)).toBe('0000000000003301');
    a.pmap.remove(id, TEXT, TEXT + PAGE);
    a.check();
  });

  it('works on a map that is active nowhere', () => {
    const { a } = process();
    const id = a.pmap.create();
    a.pmap.enter(id, TEXT, FRAME, RW, WRITE);
    expect(a.user(TEXT, READ)).toEqual({ trap: TRAP_FAULT });
    a.pmap.activate(id);
    expect(a.user(TEXT, READ)).toMatchObject({ pa: FRAME });
  });

  it('panics on an address that is not the map’s and on an access beyond the protection', () => {
    const { a, id } = process();
    const words = (call: () => void): string => {
      try {
        call();
      } catch (error) {
        if (error instanceof KernelPanic) return error.words;
        throw error;
      }
      return '';
    };
    expect(words(() => a.pmap.enter(id, KVA, FRAME, RW, 0))).toBe(
      'pmap_enter: user pmap, invalid va',
    );
    expect(words(() => a.pmap.enter(id, 2 ** 42, FRAME, RW, 0))).toBe(
      'pmap_enter: user pmap, invalid va',
    );
    expect(words(() => a.pmap.enter(PMAP_KERNEL, TEXT, FRAME, RW, 0))).toBe(
      'pmap_enter: kernel pmap, invalid va',
    );
    expect(words(() => a.pmap.enter(id, TEXT, FRAME, READ, WRITE))).toBe(
      'pmap_enter: access type exceeds prot',
    );
    expect(() => a.pmap.enter(id, TEXT + 1, FRAME, RW, 0)).toThrow(RangeError);
    expect(() => a.pmap.enter(99, TEXT, FRAME, RW, 0)).toThrow(RangeError);
  });

  it('turns a kenter mapping of a managed page into a managed one', () => {
    const { a } = process();
    a.pmap.kenterPa(KVA, FRAME, RW);
    a.pmap.enter(PMAP_KERNEL, KVA, FRAME, RW, WRITE);
    a.check();
    a.pmap.pageProtect(FRAME, 0);
    expect(a.pmap.extract(PMAP_KERNEL, KVA)).toBe(NO_PA);
    a.check();
  });
});

describe('remove and protect', () => {
  it('skip holes of every size and free the tables that get empty', () => {
    const { a, id } = process();
    const vas = [0, TEXT, TEXT + PAGE, TEXT + (8 << 20), 2 ** 33 + 5 * PAGE, 2 ** 42 - PAGE];
    for (const va of vas) a.pmap.enter(id, va, a.page(), RW, WRITE);
    a.check();
    expect(a.counts(id).resident).toBe(vas.length);
    a.pmap.remove(id, PAGE, TEXT + PAGE);
    expect(vas.map((va) => a.pmap.extract(id, va) !== NO_PA)).toEqual([
      true,
      false,
      true,
      true,
      true,
      true,
    ]);
    a.check();
    a.pmap.protect(id, 0, 2 ** 42, READ);
    expect(a.user(TEXT + PAGE, WRITE)).toEqual({ trap: TRAP_FAULT });
    expect(a.user(2 ** 42 - PAGE, WRITE)).toEqual({ trap: TRAP_FAULT });
    a.pmap.remove(id, 0, 2 ** 42);
    expect(a.pmap.tableBytes(id)).toBe(0);
    expect(a.machine.tablePagesOut).toBe(0);
    a.check();
  });

  it('leave the tables themselves alone when the kernel’s whole range is named', () => {
    const { a } = process();
    const bytes = a.pmap.tableBytes(PMAP_KERNEL);
    a.pmap.enter(PMAP_KERNEL, KVA, FRAME, RW, WRITE);
    const tables = (): string => a.pte(PMAP_KERNEL, -(2 ** 34) + (KVA / PAGE + 2 ** 30) * 8);
    const before = tables();
    a.pmap.protect(PMAP_KERNEL, KVA, 0, READ);
    expect(tables()).toBe(before);
    expect(a.access(KVA, WRITE)).toEqual({ trap: TRAP_FAULT });
    a.pmap.remove(PMAP_KERNEL, KVA, 0);
    expect(a.pmap.tableBytes(PMAP_KERNEL)).toBe(bytes);
    a.pmap.enter(PMAP_KERNEL, KVA, FRAME, RW, WRITE);
    expect(a.access(KVA, WRITE)).toMatchObject({ pa: FRAME });
    a.check();
  });

  it('save referenced and modified', () => {
    const { a, id } = wired();
    a.pmap.remove(id, TEXT, TEXT + PAGE);
    expect(a.attributes(FRAME)).toBe('RM');
  });

  it('panic on a range of the other half', () => {
    const { a, id } = process();
    expect(() => a.pmap.remove(id, KVA, KVA + PAGE)).toThrow(KernelPanic);
    expect(() => a.pmap.protect(PMAP_KERNEL, TEXT, TEXT + PAGE, READ)).toThrow(KernelPanic);
  });

  it('F.8: protect takes only read or write, never execute', () => {
    const { a, id } = process();
    a.pmap.enter(id, TEXT, FRAME, VM_PROT_ALL, VM_PROT_EXECUTE);
    const before = a.pte(id, TEXT);
    a.pmap.protect(id, TEXT, TEXT + PAGE, RW);
    expect(a.pte(id, TEXT)).toBe(before);
    a.pmap.protect(id, TEXT, TEXT + PAGE, READ);
    expect(a.pte(id, TEXT)).toBe('0000034500060305');
    expect(a.user(TEXT, VM_PROT_EXECUTE)).toMatchObject({ pa: FRAME });
  });

  it('remove everything without READ, as the reference has it', () => {
    const { a, id } = wired();
    a.pmap.protect(id, TEXT, TEXT + PAGE, VM_PROT_EXECUTE);
    expect(a.counts(id)).toEqual({ resident: 0, wired: 0 });
  });

  it('panics where remove finds a managed frame that kenter_pa mapped', () => {
    const { a } = process();
    a.pmap.kenterPa(KVA, FRAME, RW);
    expect(() => a.pmap.remove(PMAP_KERNEL, KVA, KVA + PAGE)).toThrow(/without PG_PVLIST/);
  });
});

describe('maps', () => {
  it('have no table until their first mapping, and give handles out again', () => {
    const a = new Alpha();
    const [one, two] = [a.pmap.create(), a.pmap.create()];
    expect([one, two, a.machine.tablePagesOut]).toEqual([1, 2, 0]);
    a.pmap.reference(one);
    a.pmap.destroy(one);
    expect(a.pmap.residentCount(one)).toBe(0);
    a.pmap.destroy(one);
    expect(() => a.pmap.residentCount(one)).toThrow(RangeError);
    expect(a.pmap.create()).toBe(one);
    expect(() => a.pmap.destroy(PMAP_KERNEL)).toThrow(RangeError);
  });

  it('share the kernel’s mappings, those made later included', () => {
    const { a, id } = process(32 << 20);
    a.pmap.enter(id, TEXT, FRAME, RW, READ);
    a.pmap.growKernel(KVA + 2 ** 33 + PAGE);
    const kva = KVA + 2 ** 33;
    a.pmap.kenterPa(kva, FRAME, RW);
    expect(a.access(kva, WRITE)).toEqual({ pa: FRAME, traps: 0 });
    const other = a.process();
    a.pmap.enter(other, TEXT, a.page(), RW, WRITE);
    expect(a.access(kva, READ)).toEqual({ pa: FRAME, traps: 0 });
    expect(a.pmap.extract(id, kva)).toBe(FRAME);
    a.check();
  });

  it('see their own tables through the VPT window', () => {
    const { a, id } = entered();
    const vpt = -(2 ** 34) + (TEXT / PAGE) * 8;
    const seen = a.access(vpt, READ);
    expect(seen).toHaveProperty('pa');
    if ('pa' in seen) {
      expect(a.machine.memory.readLe32(seen.pa)).toBe(0x23305);
      expect(a.machine.memory.readLe32(seen.pa + 4)).toBe(0x345);
    }
    expect(a.pmap.extract(id, vpt)).toBe('pa' in seen ? seen.pa : NO_PA);
  });

  it('see their own level-1 table through it, whoever ran before (F.5)', () => {
    const a = new Alpha();
    const itself = -(2 ** 34) + 0x3fe * 2 ** 23 + 0x3fe * 2 ** 13;
    const ids = [a.process(), a.process()];
    const tables = ids.map((id) => {
      a.pmap.activate(id);
      a.pmap.enter(id, TEXT, a.page(), RW, WRITE);
      return a.access(itself, READ);
    });
    expect(tables).toEqual(
      ids.map((id) => {
        a.pmap.activate(id);
        return { pa: a.mmus[0]!.ptbr * PAGE, traps: 0 };
      }),
    );
    expect(tables[0]).not.toEqual(tables[1]);
  });

  it('are emptied with a message when destroyed with mappings in them', () => {
    const { a, id } = entered();
    a.pmap.destroy(id);
    expect(a.machine.printed).toEqual(['pmap_destroy: pmap still contains valid mappings!']);
    expect(a.machine.tablePagesOut).toBe(0);
    expect(a.mmus[0]!.ptbr).toBe(new Alpha().mmus[0]!.ptbr);
    a.check();
  });

  it('can be freed once deactivated, while the CPU idles', () => {
    const { a, id } = entered();
    const kernelTable = new Alpha().mmus[0]!.ptbr;
    expect(a.mmus[0]!.ptbr).not.toBe(kernelTable);
    a.pmap.deactivate(id);
    expect(a.mmus[0]!.ptbr).toBe(kernelTable);
    expect(a.user(TEXT, READ)).toEqual({ trap: TRAP_FAULT });
    a.pmap.remove(id, TEXT, TEXT + PAGE);
    a.pmap.destroy(id);
    a.pmap.kenterPa(KVA, FRAME, RW);
    expect(a.access(KVA, READ)).toMatchObject({ pa: FRAME });
  });
});

describe('kernel addresses', () => {
  it('grow up to the VPT window and no further', () => {
    const a = new Alpha();
    const { start, end } = a.pmap.virtualSpace();
    expect([start, end]).toEqual([KVA, -(2 ** 34)]);
    expect(a.pmap.growKernel(KVA + PAGE)).toBe(KVA + (32 << 20));
    expect(a.pmap.growKernel(KVA + (32 << 20) + PAGE)).toBe(KVA + (40 << 20));
    expect(() => a.pmap.enter(PMAP_KERNEL, KVA + (40 << 20), FRAME, RW, 0)).toThrow(KernelPanic);
    expect(() => a.pmap.growKernel(end + PAGE)).toThrow(/out of address space/);
    a.machine.tablePageLimit = a.machine.tablePagesOut;
    expect(() => a.pmap.growKernel(KVA + (64 << 20))).toThrow(/pmap_growkernel: out of memory/);
    a.check();
  });

  it('cannot grow before init, when there are no pages for tables', () => {
    let stolen = 0;
    const { pmap } = alpha().boot({
      memory: new PhysicalMemory(8 << 20, PAGE),
      cpus: 1,
      events: new EventStream(),
      diagnostic: true,
      steal: (bytes) => (stolen += bytes) - bytes,
      print: () => {},
    });
    expect(() => pmap.growKernel!(KVA + (64 << 20))).toThrow(/pmap_growkernel: out of memory/);
  });

  it('reach every page directly through K0SEG, which extract does not look at', () => {
    const a = new Alpha();
    const va = a.pmap.mapPoolPage(FRAME);
    expect(va).toBe(-(2 ** 42) + FRAME);
    expect(a.access(va + 5, WRITE)).toEqual({ pa: FRAME + 5, traps: 0 });
    expect(a.pmap.extract(PMAP_KERNEL, va)).toBe(NO_PA);
    expect(a.pmap.describe(PMAP_KERNEL, va)).toBe('K0SEG → 0x0068a000');
    expect(a.attributes(FRAME)).toBe('--');
  });

  it('are kept by kenter and kremove, which count wired mappings once (F.1)', () => {
    const a = new Alpha();
    const before = a.counts(PMAP_KERNEL);
    a.pmap.kenterPa(KVA, FRAME, RW);
    a.pmap.kenterPa(KVA, FRAME + PAGE, READ);
    a.pmap.kenterPa(KVA + 2 * PAGE, FRAME, RW);
    expect(a.counts(PMAP_KERNEL)).toEqual({
      resident: before.resident + 2,
      wired: before.wired + 2,
    });
    expect(a.access(KVA, READ)).toMatchObject({ pa: FRAME + PAGE });
    expect(a.machine.md.port.capabilities.kenterCounted).toBe(true);
    a.pmap.pageProtect(FRAME, 0);
    expect(a.pmap.extract(PMAP_KERNEL, KVA + 2 * PAGE)).toBe(FRAME);
    a.pmap.kremove(KVA, 4 * PAGE);
    expect(a.counts(PMAP_KERNEL)).toEqual(before);
    expect(a.access(KVA, READ)).toEqual({ trap: TRAP_FAULT });
    a.check();
  });

  it('panic where kenter and kremove meet what is not theirs', () => {
    const a = new Alpha();
    expect(() => a.pmap.kenterPa(TEXT, FRAME, RW)).toThrow(/invalid va/);
    expect(() => a.pmap.kremove(TEXT, PAGE)).toThrow(/user address/);
    a.pmap.enter(PMAP_KERNEL, KVA, FRAME, RW, WRITE);
    expect(() => a.pmap.kenterPa(KVA, FRAME, RW)).toThrow(/managed mapping/);
    expect(() => a.pmap.kremove(KVA, PAGE)).toThrow(/PG_PVLIST/);
  });
});

describe('describe', () => {
  it('says what stands in the tables', () => {
    const { a, id } = entered();
    expect(a.pmap.describe(id, TEXT + 4)).toBe(
      'PTE 0x0000034500023305 V FOW KRE URE KWE UWE PVLIST → 0x0068a000',
    );
    expect(a.pmap.describe(id, TEXT + (8 << 20))).toBe('no level 3 table');
    expect(a.pmap.describe(id, 2 ** 33)).toBe('no level 2 table');
    expect(a.pmap.describe(id, 2 ** 42)).toMatch(/not an address/);
    expect(a.pmap.extract(id, TEXT + 4)).toBe(FRAME + 4);
    expect(a.pmap.extract(id, 2 ** 42)).toBe(NO_PA);
  });
});
