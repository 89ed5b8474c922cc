import { ACCESS_USER, ENOMEM, VM_PROT_ALL, VM_PROT_WRITE } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { expect, it } from 'vitest';
import { bootUvm } from './bare.ts';
import { uvmFault } from './fault.ts';
import { type MapAttributes, uvmMap } from './map.ts';
import { spaceAlloc, spaceFree } from './space.ts';
import { CHANNEL_LBOLT, MAP_INHERIT_COPY, type Sleeping, UVM_FLAG_COPYONW } from './types.ts';

const anonymous: MapAttributes = {
  prot: VM_PROT_ALL,
  maxProt: VM_PROT_ALL,
  inherit: MAP_INHERIT_COPY,
  advice: 0,
  flags: UVM_FLAG_COPYONW,
};

it('a fault is answered on a port with nothing around', () => {
  const bare = bootUvm(i386());
  const { uvm, md } = bare;
  const space = bare.finish(spaceAlloc(uvm, 0, md.port.layout.userMax));
  uvm.pmap.activate(space.pmap);
  const { start } = uvmMap(uvm, space.map, 0x10000, 8192, null, 0, 0, anonymous);
  const store = (): number => md.mmus[0]!.translate(start, VM_PROT_WRITE | ACCESS_USER);
  expect(store()).toBe(-1);
  expect(uvmFault(uvm, space.map, start, 0, VM_PROT_WRITE)).toBe(0);
  expect(store()).toBeGreaterThan(0);
  bare.finish(spaceFree(uvm, space));
});

it('memory is as large as asked, and too little of it is refused', () => {
  expect(bootUvm(i386(), { memory: 4 << 20 }).memory.size).toBe(4 << 20);
  expect(bootUvm(i386()).memory.size).toBe(8 << 20);
  expect(() => bootUvm(i386(), { memory: 8192 })).toThrow(RangeError);
});

it('what would sleep is refused, as nobody would wake it', () => {
  const bare = bootUvm(i386());
  function* sleeper(): Sleeping {
    yield CHANNEL_LBOLT;
    return ENOMEM;
  }
  expect(() => bare.finish(sleeper())).toThrow('nobody wakes what sleeps on -3');
});
