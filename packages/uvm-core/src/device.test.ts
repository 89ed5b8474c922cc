import { EACCES, EINVAL, EIO, errnoName } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { Kit, type KitOptions, PAGE, R, RW, W } from '../test/kit.ts';
import { MAP_PRIVATE, MAP_SHARED } from './mmap.ts';
import { UVM_ET_COPYONWRITE } from './types.ts';

/** A frame buffer of four pages at the top of memory, which UVM does not manage. */
function setup(options: KitOptions = {}) {
  const kit = new Kit({ ...options, device: 4 * PAGE });
  const { uvm, memory } = kit;
  const frame = memory.size / PAGE - 4;
  const device = {
    name: 'wsdisplay0',
    broken: false,
    mmap(offset: number): number {
      const page = offset / PAGE;
      return page < 4 && !this.broken ? frame + page : -1;
    },
  };
  const proc = kit.proc();
  const fd = (mode = {}) =>
    proc.open.push({ device, readable: true, writable: true, immutable: false, ...mode }) - 1;
  const va = proc.map({ length: 4 * PAGE, fd: fd(), flags: MAP_SHARED });
  return { kit, uvm, proc, device, fd, va, start: frame * PAGE };
}

describe('a mapped device', () => {
  it('is its own frames, for whoever maps them, and no page of UVM’s', () => {
    const s = setup();
    const active = s.kit.exp.active;
    s.proc.store(s.va + PAGE + 3, 9);
    expect(s.kit.memory.read8(s.start + PAGE + 3)).toBe(9);
    const other = s.proc.fork();
    expect(other.load(s.va + PAGE + 3)).toBe(9);
    expect(s.kit.exp.active).toBe(active);
    s.kit.check();
  });

  it('is mapped shared, whatever is asked for', () => {
    const s = setup();
    const va = s.proc.map({ length: PAGE, fd: s.fd(), flags: MAP_PRIVATE });
    expect(s.proc.entry(va).etype & UVM_ET_COPYONWRITE).toBe(0);
    s.proc.store(va, 4);
    expect(s.proc.load(s.va)).toBe(4);
  });

  it('lends its object to every mapping and takes it back with the last', () => {
    const s = setup();
    const object = s.proc.entry(s.va).object!;
    const va = s.proc.map({ length: PAGE, fd: s.fd() });
    expect([s.proc.entry(va).object, object.refs]).toEqual([object, 2]);
    s.proc.munmap(va, PAGE);
    expect(s.uvm.devices.size).toBe(1);
    s.proc.munmap(s.va, 4 * PAGE);
    expect(s.uvm.devices.size).toBe(0);
    expect(() => s.uvm.objectById(object.id)).toThrow('no such object');
    s.kit.check({ idle: false });
  });

  it('is refused where the device has no page, and where its mode does not allow it', () => {
    const s = setup();
    const map = (call: object) =>
      errnoName(s.proc.mmap({ length: PAGE, fd: s.fd(), ...call }).error);
    expect(map({ length: 5 * PAGE })).toBe(errnoName(EINVAL));
    expect(map({ pos: 4 * PAGE })).toBe(errnoName(EINVAL));
    expect(map({ pos: -PAGE })).toBe(errnoName(EINVAL));
    expect(map({ fd: s.fd({ writable: false }) })).toBe(errnoName(EACCES));
    expect(s.uvm.devices.size).toBe(1);
    expect(s.proc.entry(s.va).object!.refs).toBe(1);
  });

  it('faults with EIO if the device changes its mind, or if it would be copied', () => {
    const s = setup();
    s.device.broken = true;
    expect(s.proc.try(s.va, R)).toBe(EIO);
    s.device.broken = false;
    s.proc.entry(s.va).etype |= UVM_ET_COPYONWRITE;
    expect(s.proc.try(s.va, R)).toBe(EIO);
  });

  it('waits for the pmap', () => {
    let fail = 2;
    const s = setup({ failEnter: () => fail-- > 0 });
    s.uvm.daemon = { wake: () => undefined };
    s.kit.onStuck = (channel) => {
      s.uvm.wakeup(channel);
      return true;
    };
    expect(s.proc.try(s.va, W)).toBe(0);
  });

  it('is never mapped wired: unlocking finds what was never locked (H9)', () => {
    const s = setup();
    expect(s.proc.mlock(s.va, PAGE)).toBe(0);
    expect(s.uvm.pmap.wiredCount(s.proc.space.pmap)).toBe(0);
    expect(() => s.proc.munlock(s.va, PAGE)).toThrow('pmap_unwire: not wired');
  });

  it('named /dev/zero is anonymous memory', () => {
    const s = setup();
    const va = s.proc.map({ length: PAGE, fd: s.fd({ device: 'zero' }), prot: RW });
    s.proc.store(va, 1);
    expect(s.proc.entry(va).object).toBe(null);
    expect(s.proc.load(va)).toBe(1);
    s.kit.check();
  });
});
