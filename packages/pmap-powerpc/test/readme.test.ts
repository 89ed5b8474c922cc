import { expect, it } from 'vitest';
import { ACCESS_USER, VM_PROT_READ, VM_PROT_WRITE, bootBare, type Port } from '@uvmkit/pmap';
import { ibm4xx, oea } from '../src/index.ts';

it.each<Port>([oea(), ibm4xx()])('the README’s example works on $name', (port) => {
  const machine = bootBare(port);
  const { pmap, mmus } = machine.md;
  const map = pmap.create();
  const page = machine.takePage();
  pmap.activate(map);
  pmap.enter(map, 0x01800000, page, VM_PROT_READ | VM_PROT_WRITE, VM_PROT_WRITE);
  expect(mmus[0]!.translate(0x01800123, VM_PROT_WRITE | ACCESS_USER)).toBe(page + 0x123);
  expect(pmap.isModified(page)).toBe(true);
  expect(pmap.describe(map, 0x01800000)).toMatch(/→ 0x/);
});
