import {
  ACCESS_USER,
  TRAP_BAD_ADDRESS,
  TRAP_FAULT,
  TRAP_SETTLED,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  VM_PROT_EXECUTE,
  type Access,
  type Va,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { Alpha, KVA, PAGE, READ, RW, TEXT, WRITE } from '../test/harness.ts';
import { alpha } from './index.ts';

/** One faulting access and what the trap makes of it. */
function trapOf(a: Alpha, va: Va, access: Access): unknown {
  expect(a.mmus[0]!.translate(va, access)).toBe(-1);
  const outcome = a.machine.md.trap(0);
  return { outcome, ...a.machine.md.fault };
}

describe('entMM', () => {
  it('hands address, access and space to uvm_fault', () => {
    const a = new Alpha();
    a.process();
    for (const access of [READ, WRITE, VM_PROT_EXECUTE]) {
      const type = VM_FAULT_PROTECT;
      expect(trapOf(a, TEXT + 5, access | ACCESS_USER)).toEqual({
        outcome: TRAP_FAULT,
        va: TEXT + 5,
        access,
        type,
        kernel: false,
      });
      expect(trapOf(a, TEXT + 5, access)).toEqual({
        outcome: TRAP_FAULT,
        va: TEXT + 5,
        access,
        type,
        kernel: false,
      });
      expect(trapOf(a, KVA + 5, access)).toEqual({
        outcome: TRAP_FAULT,
        va: KVA + 5,
        access,
        type,
        kernel: true,
      });
    }
  });

  it('says invalid where the MMU does', () => {
    const a = new Alpha({ precedence: 'tnv' });
    a.process();
    expect(trapOf(a, TEXT, READ)).toMatchObject({ type: VM_FAULT_INVALID });
  });

  it('sends a signal for an address that the mode can never have', () => {
    const a = new Alpha();
    a.process();
    for (const va of [KVA, -1, -(2 ** 42), 2 ** 42, -(2 ** 43)]) {
      expect(trapOf(a, va, READ | ACCESS_USER)).toMatchObject({ outcome: TRAP_BAD_ADDRESS, va });
    }
    expect(trapOf(a, 2 ** 42, WRITE)).toMatchObject({ outcome: TRAP_BAD_ADDRESS });
  });

  it('settles referenced and modified without uvm_fault, for user and kernel accesses alike', () => {
    const a = new Alpha();
    const id = a.process();
    const pa = a.page();
    a.pmap.enter(id, TEXT, pa, RW, 0);
    expect(trapOf(a, TEXT, READ)).toMatchObject({ outcome: TRAP_SETTLED });
    expect(a.attributes(pa)).toBe('R-');
    expect(a.user(TEXT, READ)).toEqual({ pa, traps: 0 });
    expect(a.access(TEXT, WRITE)).toEqual({ pa, traps: 1 });
    expect(a.attributes(pa)).toBe('RM');
    a.pmap.clearReference(pa);
    expect(a.user(TEXT, VM_PROT_EXECUTE)).toEqual({ pa, traps: 1 });
    expect(a.attributes(pa)).toBe('RM');
    a.check();
  });

  it('settles a page for all its mappings at once', () => {
    const a = new Alpha();
    const pa = a.page();
    const [one, two] = [a.process(), a.process()];
    a.pmap.enter(one, TEXT, pa, RW, 0);
    a.pmap.enter(two, TEXT + PAGE, pa, RW, 0);
    expect(a.user(TEXT + PAGE, WRITE)).toEqual({ pa, traps: 1 });
    a.pmap.activate(one);
    expect(a.user(TEXT, WRITE)).toEqual({ pa, traps: 0 });
    a.check();
  });

  it('settles a fault whose mapping went while it was on its way', () => {
    const a = new Alpha();
    const id = a.process();
    const pa = a.page();
    a.pmap.enter(id, TEXT, pa, RW, 0);
    a.mmus[0]!.translate(TEXT, READ | ACCESS_USER);
    a.pmap.remove(id, TEXT, TEXT + PAGE);
    expect(a.machine.md.trap(0)).toBe(TRAP_SETTLED);
    expect(a.attributes(pa)).toBe('--');
  });

  it('traps one load-and-store instruction once a bit', () => {
    const a = new Alpha();
    const id = a.process();
    const pa = a.page();
    a.pmap.enter(id, TEXT, pa, RW, 0);
    expect(a.user(TEXT, RW)).toEqual({ pa, traps: 2 });
    expect(a.attributes(pa)).toBe('RM');
  });

  it('does not notice what the kernel does through K0SEG (F.10)', () => {
    const a = new Alpha();
    const pa = a.page();
    const id = a.process();
    a.pmap.enter(id, TEXT, pa, RW, 0);
    a.access(a.pmap.mapPoolPage(pa), WRITE);
    a.pmap.zeroPage(pa);
    a.pmap.copyPage(pa, a.page());
    expect(a.attributes(pa)).toBe('--');
  });

  it('leaves it to the machine to tell of a fault', () => {
    const a = new Alpha();
    a.process();
    const seen: number[][] = [];
    a.machine.events.watch((name, ...fields) => {
      if (name === 'mmu.fault') seen.push(fields);
    });
    a.user(TEXT, WRITE);
    expect(seen).toEqual([]);
  });
});

describe('enforceExecute', () => {
  const RX = READ | VM_PROT_EXECUTE;

  it('refuses fetches from pages without execute permission and settles all others', () => {
    const a = new Alpha({ enforceExecute: true });
    expect(a.machine.md.port.capabilities.execute).toBe('page');
    const id = a.process();
    const [data, code] = [a.page(), a.page()];
    a.pmap.enter(id, TEXT, data, RW, WRITE);
    a.pmap.enter(id, TEXT + PAGE, code, RX, 0);
    expect(trapOf(a, TEXT, VM_PROT_EXECUTE | ACCESS_USER)).toMatchObject({
      outcome: TRAP_FAULT,
      access: VM_PROT_EXECUTE,
      type: VM_FAULT_PROTECT,
    });
    expect(a.user(TEXT, WRITE)).toEqual({ pa: data, traps: 0 });
    expect(a.user(TEXT + PAGE, VM_PROT_EXECUTE)).toEqual({ pa: code, traps: 1 });
    a.check();
  });

  it('keeps it refused when referenced is emulated, and when the same page is code elsewhere', () => {
    const a = new Alpha({ enforceExecute: true });
    const id = a.process();
    const pa = a.page();
    a.pmap.enter(id, TEXT, pa, RW, 0);
    a.pmap.enter(id, TEXT + PAGE, pa, RX, 0);
    expect(a.user(TEXT + PAGE, VM_PROT_EXECUTE)).toEqual({ pa, traps: 1 });
    expect(a.user(TEXT, READ)).toEqual({ pa, traps: 0 });
    expect(a.user(TEXT, VM_PROT_EXECUTE)).toEqual({ trap: TRAP_FAULT });
    a.check();
  });

  it('lets protect take it away, without giving write to anyone', () => {
    const a = new Alpha({ enforceExecute: true });
    const id = a.process();
    const pa = a.page();
    a.pmap.enter(id, TEXT, pa, RX, VM_PROT_EXECUTE);
    a.pmap.protect(id, TEXT, TEXT + PAGE, RW);
    expect(a.user(TEXT, VM_PROT_EXECUTE)).toEqual({ trap: TRAP_FAULT });
    expect(a.user(TEXT, WRITE)).toEqual({ trap: TRAP_FAULT });
    expect(a.user(TEXT, READ)).toMatchObject({ pa });
    a.pmap.kenterPa(KVA, pa, RW);
    expect(a.access(KVA, VM_PROT_EXECUTE)).toEqual({ trap: TRAP_FAULT });
    a.check();
  });
});

describe('alpha()', () => {
  it('refuses options, memory and CPUs that do not suit it', () => {
    expect(() => alpha({ maxAsn: 256 })).toThrow(
      'maxAsn must be an integer from 0 to 255, given 256',
    );
    expect(() => alpha({ kernelTables: 0 })).toThrow(RangeError);
    expect(() => new Alpha({}, { cpus: 65 })).toThrow(RangeError);
    expect(() => new Alpha({ tbSets: 3 })).toThrow(RangeError);
    expect(() => new Alpha().on(1)).toThrow(RangeError);
  });

  it('boots with translation on, on every CPU', () => {
    const a = new Alpha({}, { cpus: 3 });
    expect(a.mmus.map((mmu) => [mmu.cpu, mmu.asn, mmu.ptbr > 0])).toEqual([
      [0, 0, true],
      [1, 0, true],
      [2, 0, true],
    ]);
    a.check();
  });
});
