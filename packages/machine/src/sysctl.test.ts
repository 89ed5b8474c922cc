import { EINVAL, ENOTBLK, ENOTDIR, EOPNOTSUPP, EPERM } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { SWAP_DUMPDEV, SWAP_GETDUMPDEV, SWAP_ON, SWAP_OSTATS, SWAP_STATS } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { Machine } from './machine.ts';
import {
  CTL_VM,
  VM_ANONMAX,
  VM_ANONMIN,
  VM_EXECMAX,
  VM_EXECMIN,
  VM_FILEMAX,
  VM_FILEMIN,
  VM_MAXSLP,
  VM_METER,
  VM_USPACE,
  VM_UVMEXP,
} from './sysctl.ts';

function setup() {
  const machine = new Machine({ port: i386(), memory: 8 << 20 });
  const root = machine.spawn({ superuser: true });
  const get = (name: number) => root.sys.sysctl([CTL_VM, name]).old;
  const set = (name: number, value: number) => root.sys.sysctl([CTL_VM, name], value).error;
  return { machine, root, get, set };
}

describe('sysctl of vm', () => {
  it('tells the shares of memory that kinds of pages keep and may take, as they were set', () => {
    const { get, set } = setup();
    const all = [VM_ANONMIN, VM_FILEMIN, VM_EXECMIN, VM_ANONMAX, VM_FILEMAX, VM_EXECMAX];
    expect(all.map(get)).toEqual([10, 10, 5, 80, 50, 30]);
    for (let percent = 0; percent <= 100; percent++) {
      expect(set(VM_ANONMAX, percent)).toBe(0);
      expect(get(VM_ANONMAX)).toBe(percent);
    }
  });

  it('is what the page daemon goes by', () => {
    const { machine, set } = setup();
    expect(set(VM_FILEMIN, 50)).toBe(0);
    expect(machine.uvm.exp.filemin).toBe(128);
  });

  it('refuses what would leave nothing for the daemon to take', () => {
    const { get, set } = setup();
    expect(set(VM_ANONMIN, 80)).toBe(0);
    expect(set(VM_ANONMIN, 81)).toBe(EINVAL);
    expect(set(VM_ANONMIN, -1)).toBe(EINVAL);
    expect(set(VM_ANONMAX, 101)).toBe(EINVAL);
    expect(get(VM_ANONMIN)).toBe(80);
    expect(set(VM_ANONMAX, 100)).toBe(0);
  });

  it('is set by the superuser alone, and not all of it can be set', () => {
    const { machine, set } = setup();
    const { sys } = machine.spawn();
    expect(sys.sysctl([CTL_VM, VM_ANONMIN]).old).toBe(10);
    expect(sys.sysctl([CTL_VM, VM_ANONMIN], 5)).toEqual({ error: EPERM, value: -1, old: null });
    for (const name of [VM_METER, VM_UVMEXP, VM_MAXSLP, VM_USPACE])
      expect(set(name, 1)).toBe(EPERM);
  });

  it('tells what there is, and what is in use', () => {
    const { machine, get } = setup();
    const { exp } = machine.uvm;
    expect(get(VM_MAXSLP)).toBe(20);
    expect(get(VM_USPACE)).toBe(8192);
    expect(get(VM_UVMEXP)).toMatchObject({ npages: exp.npages, free: exp.free });
    expect(get(VM_METER)).toEqual({
      vm: exp.npages - exp.free,
      avm: exp.active,
      rm: exp.npages - exp.free,
      arm: exp.active,
      free: exp.free,
    });
  });

  it('has no other names', () => {
    const { sys } = setup().root;
    expect(sys.sysctl([1, 1]).error).toBe(EOPNOTSUPP);
    expect(sys.sysctl([CTL_VM, 99]).error).toBe(EOPNOTSUPP);
    expect(sys.sysctl([CTL_VM]).error).toBe(ENOTDIR);
    expect(sys.sysctl([CTL_VM, VM_ANONMIN, 1]).error).toBe(ENOTDIR);
  });
});

describe('swapctl', () => {
  it('says where to dump, which is a block device of the superuser’s choice', () => {
    const { machine, root } = setup();
    const { sys } = root;
    machine.addPartition('/dev/sd1b', machine.addDisk({ size: 1 << 20 }));
    machine.fs.create('f', 8192);
    expect(sys.swapctl(SWAP_GETDUMPDEV)).toMatchObject({ error: 0, path: null });
    expect(sys.swapctl(SWAP_DUMPDEV, 'f').error).toBe(ENOTBLK);
    expect(sys.swapctl(SWAP_DUMPDEV, '/dev/rsd1b').error).toBe(ENOTBLK);
    expect(machine.spawn().sys.swapctl(SWAP_DUMPDEV, '/dev/sd1b').error).toBe(EPERM);
    expect(sys.swapctl(SWAP_DUMPDEV, '/dev/sd1b').error).toBe(0);
    expect(sys.swapctl(SWAP_GETDUMPDEV)).toMatchObject({ error: 0, path: '/dev/sd1b' });
    expect(machine.spawn().sys.swapctl(SWAP_GETDUMPDEV).error).toBe(EPERM);
  });

  it('tells old programs of its devices as they know them: without paths', () => {
    const { machine, root } = setup();
    machine.addPartition('/dev/sd1b', machine.addDisk({ size: 1 << 20 }));
    expect(root.sys.swapctl(SWAP_ON, '/dev/sd1b', 4).error).toBe(0);
    const { sys } = machine.spawn();
    const [entry] = sys.swapctl(SWAP_STATS, '', 9).entries;
    const old = sys.swapctl(SWAP_OSTATS, '', 9);
    expect(old.value).toBe(1);
    expect(old.entries).toEqual([{ ...entry, path: '' }]);
    expect(sys.swapctl(SWAP_OSTATS, '', 0).value).toBe(0);
  });
});
