import {
  ACCESS_USER,
  bootBare,
  EventStream,
  FAULT,
  PhysicalMemory,
  PMAP_KERNEL,
  TRAP_FAULT,
  VM_FAULT_INVALID,
  VM_FAULT_PROTECT,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { boot } from '../test/rig.ts';
import { i386 } from './port.ts';

const R = VM_PROT_READ;
const W = VM_PROT_WRITE;

describe('the port', () => {
  it('boots with paging on, write protection for the supervisor, and global pages', () => {
    const { md } = boot({}, { cpus: 2 });
    for (const [cpu, mmu] of md.mmus.entries()) {
      expect(mmu.cpu).toBe(cpu);
      expect(mmu.registers()).toEqual({ CR0: 0x80010001, CR2: 0, CR3: 0, CR4: 0x80 });
      expect(mmu.translate(0xc0001234, R)).toBe(0x1234);
    }
  });

  it.each(['80386', 'i486', 'pentium'] as const)('boots a %s with what it has', (processor) => {
    const { md, pmap } = boot({ processor });
    expect(md.mmus[0]!.cr4).toBe(0);
    pmap.kenterPa(0xc0200000, 0x700000, R);
    expect(md.mmus[0]!.translate(0xc0200000, W)).toBe(processor === '80386' ? 0x700000 : FAULT);
  });

  it('refuses a machine that is none for it', () => {
    expect(() => boot({}, { cpus: 0 })).toThrow(/1 to 32 CPUs, given 0/);
    expect(() => boot({}, { cpus: 33 })).toThrow(RangeError);
    expect(() => boot({}, { memory: 4096 })).toThrow(RangeError);
    const services = {
      memory: new PhysicalMemory(1 << 20, 8192),
      cpus: 1,
      events: new EventStream(),
      diagnostic: true,
      steal: () => 0,
      print: () => undefined,
    };
    expect(() => i386().boot(services)).toThrow(/pages of 4096 bytes, the memory given has 8192/);
  });

  it('runs pmap calls on the CPU it is told, one that exists', () => {
    const { md, pmap } = boot({}, { cpus: 2 });
    const id = pmap.create();
    md.currentCpu = 1;
    pmap.activate(id);
    expect(md.currentCpu).toBe(1);
    expect(md.mmus.map((mmu) => mmu.cr3 === 0)).toEqual([true, false]);
    expect(() => {
      md.currentCpu = 2;
    }).toThrow(RangeError);
  });

  it('works as its README shows', () => {
    const machine = bootBare(i386());
    const { pmap, mmus } = machine.md;
    const map = pmap.create();
    pmap.activate(map);
    const page = machine.takePage();
    pmap.enter(map, 0x1000, page, R | W, W);
    expect(mmus[0]!.translate(0x1234, W | ACCESS_USER)).toBe(page + 0x234);
    expect(pmap.describe(map, 0x1000)).toMatch(/^PTE 0x[0-9a-f]+ V RW u U M PVLIST → 0x/);
  });
});

describe('the trap', () => {
  const cases = [
    { why: 'a user read', va: 0x1234, access: R | ACCESS_USER, kernel: false, right: R },
    { why: 'a user write', va: 0x1234, access: W | ACCESS_USER, kernel: false, right: W },
    {
      why: 'a user fetch, as a read',
      va: 0x1234,
      access: VM_PROT_EXECUTE | ACCESS_USER,
      kernel: false,
      right: R,
    },
    {
      why: 'a user read of kernel space, as the process',
      va: 0xc0800004,
      access: R | ACCESS_USER,
      kernel: false,
      right: R,
    },
    {
      why: 'a user read of the PTEs, as the process',
      va: 0xbfc00004,
      access: R | ACCESS_USER,
      kernel: false,
      right: R,
    },
    { why: 'copyout', va: 0x1234, access: W, kernel: false, right: W },
    { why: 'a kernel write', va: 0xc0800004, access: W, kernel: true, right: W },
    {
      why: 'a kernel read of an absent PTE, as the process',
      va: 0xbfc00004,
      access: R,
      kernel: false,
      right: R,
    },
  ];

  it.each(cases)('decodes $why', ({ va, access, kernel, right }) => {
    const { md, pmap } = boot();
    pmap.activate(pmap.create());
    expect(md.mmus[0]!.translate(va, access)).toBe(FAULT);
    expect(md.trap(0)).toBe(TRAP_FAULT);
    expect(md.fault).toEqual({ va, access: right, type: VM_FAULT_INVALID, kernel });
  });

  it('tells a protection fault from an absent page, CPU by CPU', () => {
    const { md, pmap } = boot({}, { cpus: 2 });
    const id = pmap.create();
    md.currentCpu = 1;
    pmap.activate(id);
    pmap.enter(id, 0x1000, 0x345000, R, R);
    md.mmus[1]!.translate(0x1004, W | ACCESS_USER);
    md.trap(1);
    expect(md.fault).toEqual({ va: 0x1004, access: W, type: VM_FAULT_PROTECT, kernel: false });
    expect(pmap.wiredCount(PMAP_KERNEL)).toBe(5);
  });
});
