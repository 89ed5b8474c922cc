import { readFileSync } from 'node:fs';
import {
  ACCESS_USER,
  bootBare,
  FAULT,
  NO_PA,
  PMAP_KERNEL,
  PMAP_WIRED,
  TRAP_BAD_ADDRESS,
  TRAP_FAULT,
  VM_FAULT_PROTECT,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '../../src/index.ts';
import { expect, it } from 'vitest';
import { flat } from './port.ts';
import { KERNEL, PAGE, SPAN } from './pte.ts';

const RW = VM_PROT_READ | VM_PROT_WRITE;
const LOAD = VM_PROT_READ | ACCESS_USER;
const STORE = VM_PROT_WRITE | ACCESS_USER;

it('does in the README’s example what the README says', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const machine = bootBare(flat);
  const { pmap, mmus } = machine.md;
  const map = pmap.create();
  const page = machine.takePage();
  pmap.activate(map);
  pmap.enter(map, 0x5000, page, VM_PROT_READ | VM_PROT_WRITE, VM_PROT_WRITE);
  expect(mmus[0]!.translate(0x5123, VM_PROT_WRITE | ACCESS_USER)).toBe(page + 0x123);
  const described = pmap.describe(map, 0x5000);
  expect(described).toBe('V w R M → 0x2000');
  expect(readme).toContain(described);
});

it('tells its faults, and says where nothing can ever be', () => {
  const { md } = bootBare(flat);
  const [mmu] = md.mmus;
  expect(mmu!.translate(0x7654, STORE)).toBe(FAULT);
  expect(md.trap(0)).toBe(TRAP_FAULT);
  expect(md.fault).toEqual({ va: 0x7654, access: VM_PROT_WRITE, type: 0, kernel: false });
  expect(mmu!.describeFault()).toBe('0x00007654 is not mapped');
  expect([mmu!.translate(SPAN, LOAD), md.trap(0)]).toEqual([FAULT, TRAP_BAD_ADDRESS]);
});

it('keeps referenced and modified for the page, and rights and wiring as pmap(9) has them', () => {
  const machine = bootBare(flat);
  const { pmap, mmus } = machine.md;
  const [map, page] = [pmap.create(), machine.takePage()];
  pmap.activate(map);
  pmap.enter(map, 0, page, RW, PMAP_WIRED | VM_PROT_READ);
  mmus[0]!.translate(0, LOAD);
  expect([pmap.isReferenced(page), pmap.isModified(page)]).toEqual([true, false]);
  mmus[0]!.translate(0, STORE);
  expect([pmap.clearModify(page), pmap.isModified(page)]).toEqual([true, false]);
  mmus[0]!.translate(0, STORE);
  pmap.pageProtect(page, VM_PROT_READ);
  expect([mmus[0]!.translate(0, STORE), machine.md.trap(0)]).toEqual([FAULT, TRAP_FAULT]);
  expect([machine.md.fault.type, pmap.wiredCount(map)]).toEqual([VM_FAULT_PROTECT, 1]);
  pmap.pageProtect(page, VM_PROT_NONE);
  expect([pmap.extract(map, 0), pmap.isModified(page), pmap.wiredCount(map)]).toEqual([
    NO_PA,
    true,
    0,
  ]);
  pmap.kenterPa(KERNEL + PAGE, page, RW);
  expect(mmus[0]!.translate(KERNEL + PAGE, VM_PROT_WRITE)).toBe(page);
  expect(mmus[0]!.translate(KERNEL + PAGE, STORE)).toBe(FAULT);
  expect(pmap.residentCount(PMAP_KERNEL)).toBe(0);
});
