import { ACCESS_USER, bootBare, TRAP_SETTLED, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { expect, it } from 'vitest';
import { alpha } from '../src/index.ts';

it('does in the README’s example what the README says', () => {
  const { md } = bootBare(alpha());
  const { pmap, mmus } = md;
  const id = pmap.create();
  pmap.activate(id);
  pmap.enter(id, 0x1_2000_0000, 0x68a000, VM_PROT_READ | VM_PROT_WRITE, VM_PROT_READ);
  expect(pmap.describe(id, 0x1_2000_0000)).toBe(
    'PTE 0x0000034500023305 V FOW KRE URE KWE UWE PVLIST → 0x0068a000',
  );
  expect(mmus[0]!.translate(0x1_2000_0344, VM_PROT_WRITE | ACCESS_USER)).toBe(-1);
  expect(md.trap(0)).toBe(TRAP_SETTLED);
  expect(mmus[0]!.translate(0x1_2000_0344, VM_PROT_WRITE | ACCESS_USER)).toBe(0x68a344);
});
