import { KernelPanic, NO_PA } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { describe, expect, it } from 'vitest';
import { Kit, type KitOptions, PAGE } from '../test/kit.ts';
import { uvmFault } from './fault.ts';
import { kernelRead, kernelWrite } from './kernel-copy.ts';
import { mapLookup } from './map.ts';
import { NO_OWNER, NO_PAGE, PG_BUSY } from './page.ts';
import { UVM_ET_SUBMAP, VM_MAP_BUSY } from './types.ts';

function setup(options: KitOptions = {}) {
  const kit = new Kit(options);
  const { uvm } = kit;
  const { km, kernelMap, pages } = uvm;
  const write = (va: number, ...bytes: number[]) =>
    kit.run(kernelWrite(uvm, va, Uint8Array.from(bytes)));
  const read = (va: number) => {
    const into = new Uint8Array(1);
    const error = kit.run(kernelRead(uvm, va, into));
    return error === 0 ? into[0]! : -error;
  };
  const kernelPage = (va: number) => pages.lookup(km.object, uvm.atop(va - kernelMap.min));
  return { kit, uvm, km, kernelMap, pages, exp: kit.exp, write, read, kernelPage };
}

describe.each([
  ['the ideal pmap', {}],
  ['the i386', { port: i386() }],
])('kernel memory on %s', (_name, options: KitOptions) => {
  it('is zeroed, wired and given back', () => {
    const s = setup(options);
    const { free } = s.exp;
    const va = s.kit.run(s.km.zalloc(s.kernelMap, 3 * PAGE))!;
    expect([s.exp.wired, s.read(va + PAGE)]).toEqual([3, 0]);
    s.write(va + PAGE - 1, 1, 2);
    expect([s.read(va + PAGE - 1), s.read(va + PAGE)]).toEqual([1, 2]);
    s.kit.check();
    s.km.free(s.kernelMap, va, 3 * PAGE);
    expect([s.exp.wired, s.kernelMap.size]).toEqual([0, 0]);
    expect(free - s.exp.free).toBe(s.pages.tablePages);
    s.kit.check();
    expect(s.read(s.kit.run(s.km.zalloc(s.kernelMap, PAGE))!)).toBe(0);
  });

  it('without pages has them when it is touched, and comes in parts', () => {
    const s = setup(options);
    const va = s.kit.run(s.km.valloc(s.kernelMap, 4 * PAGE))!;
    expect(s.km.object.npages).toBe(0);
    s.write(va + 2 * PAGE, 9);
    expect([s.km.object.npages, s.read(va + 2 * PAGE)]).toEqual([1, 9]);
    s.kit.check();
    s.km.free(s.kernelMap, va, 2 * PAGE);
    expect(s.read(va + 2 * PAGE)).toBe(9);
    s.km.free(s.kernelMap, va + 2 * PAGE, 2 * PAGE);
    expect(s.km.object.npages).toBe(0);
    s.kit.check();
  });

  it('for interrupts has no owner and no fault', () => {
    const s = setup(options);
    const map = s.kit.run(s.km.suballoc(8 * PAGE, true));
    const va = s.km.kmemAlloc(map, 2 * PAGE)!;
    expect(s.pages.kernelPages).toBe(2);
    s.write(va + PAGE, 7);
    expect(s.read(va + PAGE)).toBe(7);
    s.kit.check();
    s.km.free(map, va, 2 * PAGE);
    expect([s.pages.kernelPages, s.uvm.pmap.extract(s.kernelMap.pmap, va)]).toEqual([0, NO_PA]);
    s.kit.check();
    const again = s.km.kmemAlloc(map, PAGE)!;
    s.km.free(map, again, PAGE);
    expect(() => uvmFault(s.uvm, map, s.km.kmemAlloc(map, PAGE)!, 0, 1)).toThrow(KernelPanic);
  });
});

describe('kernel memory', () => {
  it('goes to swap, if it is not wired, and comes back', () => {
    const s = setup({ memory: 48 * PAGE });
    s.uvm.swap.on(s.kit.swap(100), 0);
    s.kit.startDaemon();
    const va = s.kit.run(s.km.valloc(s.kernelMap, 60 * PAGE))!;
    for (let i = 0; i < 60; i++) expect(s.write(va + i * PAGE, i + 1)).toBe(0);
    s.kit.settle();
    s.kit.check();
    for (let i = 0; i < 60; i++) expect(s.read(va + i * PAGE)).toBe(i + 1);
    s.kit.settle();
    s.km.free(s.kernelMap, va, 60 * PAGE);
    s.kit.settle();
    expect([s.exp.swpginuse, s.km.object.npages]).toEqual([0, 0]);
    s.kit.check({ idle: true });
  });

  it('that is given back on its way to swap is gone when it gets there', () => {
    const s = setup();
    const va = s.kit.run(s.km.valloc(s.kernelMap, PAGE))!;
    s.write(va, 1);
    const page = s.kernelPage(va);
    s.pages.flags[page]! |= PG_BUSY;
    s.km.free(s.kernelMap, va, PAGE);
    expect(s.kernelPage(va)).toBe(page);
    // Whoever gets the addresses waits for it.
    const next = s.kit.start(s.km.zalloc(s.kernelMap, PAGE));
    expect(next.done).toBe(false);
    s.uvm.unbusy(page);
    s.kit.settle();
    expect(next.value).toBe(va);
    expect(s.read(va)).toBe(0);
    s.kit.check();
  });

  it('waits for pages, and is refused without room', () => {
    const s = setup({ memory: 32 * PAGE });
    s.uvm.daemon = { wake: () => undefined, signalled: true };
    const held: number[] = [];
    for (let page; (page = s.pages.alloc(null, 0, NO_OWNER, 0)) !== NO_PAGE;) held.push(page);
    s.exp.reserve_pagedaemon = s.exp.free;
    const zalloc = s.kit.start(s.km.zalloc(s.kernelMap, PAGE));
    expect(zalloc.done).toBe(false);
    const map = s.kit.run(s.km.suballoc(4 * PAGE, true));
    expect(s.km.kmemAlloc(map, PAGE)).toBe(null);
    for (const page of held) s.pages.free(page);
    s.uvm.wakeup(-2);
    s.kit.settle();
    expect(zalloc.value).not.toBe(null);
    expect(s.km.kmemAlloc(map, 5 * PAGE)).toBe(null);
    expect(s.km.kmemAlloc(map, 4 * PAGE)).not.toBe(null);
    expect(s.kit.run(s.km.zalloc(s.kernelMap, 2 ** 29))).toBe(null);
    s.kit.check();
  });

  it('for interrupts does not wait for the map, and is of a map for interrupts', () => {
    const s = setup();
    const map = s.kit.run(s.km.suballoc(4 * PAGE, true));
    map.flags |= VM_MAP_BUSY;
    expect(s.km.kmemAlloc(map, PAGE)).toBe(null);
    map.flags &= ~VM_MAP_BUSY;
    expect(() => s.km.kmemAlloc(s.kernelMap, PAGE)).toThrow(TypeError);
  });
});

describe('a submap', () => {
  it('has the addresses of its range, and faults are looked up in it', () => {
    const s = setup();
    const map = s.kit.run(s.km.suballoc(8 * PAGE, false));
    expect(mapLookup(s.kernelMap, map.min)!.etype).toBe(UVM_ET_SUBMAP);
    const va = s.kit.run(s.km.valloc(map, 2 * PAGE))!;
    expect(va).toBe(map.min);
    expect(s.write(va, 3)).toBe(0);
    expect(s.read(va)).toBe(3);
    expect(s.read(va + 4 * PAGE)).toBeLessThan(0);
    s.kit.check();
    s.km.free(map, va, 2 * PAGE);
    s.kit.check();
  });

  it('that does not fit is a panic', () => {
    const s = setup();
    expect(() => s.kit.run(s.km.suballoc(2 ** 29, false))).toThrow('uvm_km_suballoc');
  });
});
