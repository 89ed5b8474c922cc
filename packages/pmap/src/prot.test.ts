import { expect, it } from 'vitest';
import * as prot from './prot.ts';

it('a protection is printed as its three rights', () => {
  const names = Array.from({ length: 8 }, (_, bits) => prot.protName(bits));
  expect(names).toEqual(['---', 'r--', '-w-', 'rw-', '--x', 'r-x', '-wx', 'rwx']);
  expect(prot.protName(prot.VM_PROT_READ | prot.PMAP_WIRED)).toBe('r--');
});

it('access bits, mode bits and flags of enter do not overlap', () => {
  expect(prot.VM_PROT_ALL & (prot.ACCESS_USER | prot.ACCESS_USERSPACE)).toBe(0);
  expect(prot.VM_PROT_ALL & (prot.PMAP_WIRED | prot.PMAP_CANFAIL)).toBe(0);
});
