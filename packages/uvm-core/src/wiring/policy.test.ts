import { describe, expect, it } from 'vitest';
import { i386 } from '@uvmkit/pmap-i386';
import { fileByte, Kit, PAGE, RW, RX } from '../../test/kit.ts';
import { MAP_INHERIT_SHARE } from '../types.ts';
import type { WiringPolicy } from './policy.ts';
import { wirePolicy } from './wire.ts';
import { wiremaxPolicy } from './wiremax.ts';

const UNWIRING = 'uvm_fault_unwire_locked: unwiring non-wired memory';

/** A locks a page of a file privately, read-only; B maps the same page privately, and shares that with its child. */
function lockedText(wiring: WiringPolicy) {
  const kit = new Kit({ wiring, port: i386(), memory: 8 << 20 });
  const locker = kit.proc();
  const file = kit.file(4);
  const text = locker.map({ length: 2 * PAGE, fd: locker.fd(file), prot: RX });
  expect(locker.mlock(text, 2 * PAGE)).toBe(0);
  const other = kit.proc();
  const at = other.map({ length: PAGE, fd: other.fd(file) });
  other.minherit(at, PAGE, MAP_INHERIT_SHARE);
  return { kit, file, locker, text, promoter: other.fork(), at };
}

describe('a lock of read-only private memory', () => {
  it('holds the file’s own pages before the commit, and copies after it', () => {
    for (const [wiring, copied] of [
      [wirePolicy, false],
      [wiremaxPolicy, true],
    ] as const) {
      const { kit, file, locker, text } = lockedText(wiring);
      expect(locker.anon(text) !== -1).toBe(copied);
      expect(locker.mapped(text) === kit.uvm.pages.lookup(file.vnode, 0)).toBe(!copied);
      expect(kit.exp.wired).toBe(2);
      kit.check();
      expect(locker.munlock(text, 2 * PAGE)).toBe(0);
      expect(kit.exp.wired).toBe(0);
      kit.check();
    }
  });

  it('is lost before the commit when a stranger’s page is promoted, and unlocking it panics', () => {
    const { locker, text, promoter, at } = lockedText(wirePolicy);
    promoter.store(at, 1);
    expect(() => locker.munlock(text, 2 * PAGE)).toThrow(UNWIRING);
  });

  it('comes back before the commit if the locker touches the page first: the failure is intermittent', () => {
    const { kit, locker, text, promoter, at } = lockedText(wirePolicy);
    promoter.store(at, 1);
    expect(locker.load(text)).toBe(fileByte(0));
    expect(locker.munlock(text, 2 * PAGE)).toBe(0);
    kit.check();
  });

  it('is safe after the commit', () => {
    const { kit, locker, text, promoter, at } = lockedText(wiremaxPolicy);
    promoter.store(at, 1);
    expect(locker.munlock(text, 2 * PAGE)).toBe(0);
    expect(locker.load(text)).toBe(fileByte(0));
    kit.check();
  });
});

describe('a lock that fails half-way', () => {
  it('leaves nothing wired under either policy', () => {
    for (const wiring of [wirePolicy, wiremaxPolicy]) {
      const kit = new Kit({ wiring, port: i386(), memory: 8 << 20 });
      const proc = kit.proc();
      // The file ends after one page; the second page of the mapping cannot be faulted in.
      const va = proc.map({ length: 2 * PAGE, fd: proc.fd(kit.file(1)), prot: RW });
      expect(proc.mlock(va, 2 * PAGE)).not.toBe(0);
      expect(kit.exp.wired).toBe(0);
      expect(kit.uvm.pmap.wiredCount(proc.space.pmap)).toBe(0);
      kit.check();
    }
  });
});
