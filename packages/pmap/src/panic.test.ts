import { describe, expect, it } from 'vitest';
import { ENOMEM } from './errno.ts';
import { KernelPanic, shortage } from './panic.ts';
import { PMAP_CANFAIL, PMAP_WIRED, VM_PROT_READ } from './prot.ts';

describe('a panic', () => {
  it('says what the kernel would print, and what led there', () => {
    const panic = new KernelPanic('pmap_enter: too big', { va: 0xc0001000, pmap: 3, why: 'end' });
    expect(panic.message).toBe('panic: pmap_enter: too big (va=0xc0001000 pmap=3 why=end)');
    expect([panic.name, panic.words]).toEqual(['KernelPanic', 'pmap_enter: too big']);
    expect(panic.state).toEqual({ va: 0xc0001000, pmap: 3, why: 'end' });
    expect(panic).toBeInstanceOf(Error);
  });

  it('needs no state', () => {
    expect(new KernelPanic('lock').message).toBe('panic: lock');
  });

  it('prints small and broken numbers as they are', () => {
    expect(new KernelPanic('x', { a: 4095, b: 4096, c: -1, d: 0.5, e: true }).message).toBe(
      'panic: x (a=4095 b=0x1000 c=-1 d=0.5 e=true)',
    );
  });
});

describe('a shortage', () => {
  it('is ENOMEM for who can bear it', () => {
    expect(shortage(PMAP_CANFAIL | PMAP_WIRED | VM_PROT_READ, 'out of all', {})).toBe(ENOMEM);
  });

  it('is a panic for who cannot', () => {
    expect(() => shortage(PMAP_WIRED, 'out of all', { pmap: 2 })).toThrow(
      new KernelPanic('out of all', { pmap: 2 }),
    );
  });
});
