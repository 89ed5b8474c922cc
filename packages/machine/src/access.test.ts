import { EFAULT, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { MAP_ANON, MAP_FIXED, MAP_PRIVATE } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { Machine, type MachineOptions } from './machine.ts';
import type { Process } from './process.ts';
import { ProcessSignal } from './signal.ts';

const PAGE = 4096;
const RW = VM_PROT_READ | VM_PROT_WRITE;

function setup(pages: number, options: Partial<MachineOptions> = {}) {
  const machine = new Machine({ port: i386(), memory: 8 << 20, ...options });
  const process = machine.spawn();
  const va = process.sys.mmap(0, pages * PAGE, RW, MAP_ANON | MAP_PRIVATE).value;
  return { machine, process, va };
}

function signalOf(call: () => unknown): ProcessSignal {
  try {
    call();
  } catch (error) {
    if (error instanceof ProcessSignal) return error;
    throw error;
  }
  throw new Error('the access got no signal');
}

describe('an access', () => {
  it('that hits the TLB asks the MMU once and nobody else', () => {
    const { machine, process, va } = setup(1);
    process.store32(va, 1);
    const { mmu } = process.cpu;
    const { lookups, misses } = mmu.stats;
    const { traps } = machine.uvm.exp;
    process.load32(va);
    process.load8(va + 3);
    process.store16(va + 2, 1);
    process.touch(va, VM_PROT_READ);
    expect(mmu.stats.lookups - lookups).toBe(4);
    expect(mmu.stats.misses).toBe(misses);
    expect(machine.uvm.exp.traps).toBe(traps);
  });

  it('that faults is a single trap, and is translated a second time only', () => {
    const { machine, process, va } = setup(1);
    const { mmu } = process.cpu;
    const { lookups, faults } = mmu.stats;
    process.store32(va, 1);
    expect(mmu.stats.faults - faults).toBe(1);
    expect(mmu.stats.lookups - lookups).toBe(2);
    expect(machine.uvm.exp.traps).toBe(1);
    expect(machine.uvm.exp.flt_przero).toBe(1);
  });

  it('across two pages faults each in', () => {
    const { machine, process, va } = setup(2);
    process.store32(va + PAGE - 2, 0x11223344);
    expect(machine.uvm.exp.flt_przero).toBe(2);
    expect(process.load32(va + PAGE - 2)).toBe(0x11223344);
    expect(process.load16(va + PAGE)).toBe(0x1122);
  });

  it('across two pages stores nothing if the second is refused', () => {
    const { process, va } = setup(2);
    process.sys.mprotect(va + PAGE, PAGE, VM_PROT_READ);
    const signal = signalOf(() => process.store32(va + PAGE - 1, 0xffffffff));
    expect(signal).toMatchObject({ signal: 11, access: VM_PROT_WRITE });
    expect(signal.va).toBe(va + PAGE);
    expect(process.load8(va + PAGE - 1)).toBe(0);
    process.sys.munmap(va + PAGE, PAGE);
    expect(signalOf(() => process.store64(va + PAGE - 4, 1, 1)).va).toBe(va + PAGE);
    expect(process.load32(va + PAGE - 4)).toBe(0);
  });

  it('across the end of user space is refused at the first byte that is not the user’s', () => {
    const { machine, process } = setup(1);
    const { userMax } = machine.md.port.layout;
    expect(signalOf(() => process.load32(userMax - 2)).va).toBe(userMax);
    expect(signalOf(() => process.load8(0xc0000000))).toMatchObject({ signal: 11, errno: EFAULT });
  });

  it('copies bytes page by page, and has stored what came before a signal', () => {
    const { process, va } = setup(3);
    const bytes = Uint8Array.from({ length: 2 * PAGE + 10 }, (_, i) => i % 251);
    process.writeBytes(va + 100, bytes);
    expect(process.readBytes(va + 100, bytes.length)).toEqual(bytes);
    process.sys.munmap(va + PAGE, PAGE);
    const signal = signalOf(() => process.writeBytes(va + PAGE - 2, new Uint8Array(4).fill(9)));
    expect(signal.va).toBe(va + PAGE);
    expect(process.load16(va + PAGE - 2)).toBe(0x0909);
    expect(process.readBytes(va, 0)).toEqual(new Uint8Array(0));
  });

  it('touches without moving a byte and says where', () => {
    const { machine, process, va } = setup(1);
    const pa = process.touch(va + 5, VM_PROT_WRITE);
    expect(machine.memory.read8(pa)).toBe(0);
    process.store8(va + 5, 0x77);
    expect(machine.memory.read8(pa)).toBe(0x77);
    expect(machine.md.pmap.isModified(pa - (pa % PAGE))).toBe(true);
  });

  it('of the kernel for a process answers EFAULT instead of a signal', () => {
    const { machine, process, va } = setup(2);
    expect(process.copyout(va + PAGE - 2, new Uint8Array([1, 2, 3, 4]))).toBe(0);
    expect(process.copyin(va + PAGE - 2, 4)).toEqual(new Uint8Array([1, 2, 3, 4]));
    expect(process.copyin(va + 2 * PAGE - 2, 4)).toBe(EFAULT);
    expect(process.copyin(machine.md.port.layout.userMax - 2, 4)).toBe(EFAULT);
    expect(process.copyin(0xc0000000, 4)).toBe(EFAULT);
    process.sys.mprotect(va, PAGE, VM_PROT_READ);
    expect(process.copyout(va, new Uint8Array(1))).toBe(EFAULT);
    expect(process.state).toBe('running');
  });

  it('goes to the stack that exec mapped, and not below its limit', () => {
    const { machine } = setup(1);
    const process = machine.spawn({ stackSize: 2 * PAGE });
    const { userStack, maxStackSize } = machine.md.port.layout;
    process.store32(userStack - 4, 1);
    process.store32(userStack - 2 * PAGE, 1);
    expect(signalOf(() => process.load32(userStack - 2 * PAGE - 4)).errno).toBe(13);
    expect(signalOf(() => process.load32(userStack - maxStackSize - 4)).errno).toBe(EFAULT);
    const bare = machine.spawn({ stack: false });
    expect(signalOf(() => bare.load8(userStack - 1)).errno).toBe(EFAULT);
    expect(bare.space.map.nentries).toBe(0);
  });

  it('switches CPUs and processes without mixing up their memory', () => {
    const { machine } = setup(1, { cpus: 2 });
    const processes: Process[] = [machine.spawn(), machine.spawn(), machine.spawn()];
    const fixed = 0x10000000;
    for (const process of processes)
      process.sys.mmap(fixed, PAGE, RW, MAP_ANON | MAP_PRIVATE | MAP_FIXED);
    for (let round = 0; round < 6; round++)
      for (const process of processes) {
        process.cpu = machine.cpus[round % 2]!;
        process.store32(fixed, process.load32(fixed) + process.pid);
      }
    expect(processes.map((process) => process.load32(fixed))).toEqual(
      processes.map((process) => 6 * process.pid),
    );
  });
});
