import {
  ACCESS_USER,
  bootBare,
  FAULT,
  NO_PA,
  PMAP_KERNEL,
  PMAP_WIRED,
  TRAP_SETTLED,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type Access,
  type BareMachine,
  type EventName,
  type Port,
  type Va,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { PORTS } from '../test/ports.ts';

const RW = VM_PROT_READ | VM_PROT_WRITE;
const STORE = VM_PROT_WRITE | ACCESS_USER;
/** The others have one CPU. */
const MULTIPROCESSORS = new Set(['alpha', 'i386', 'oea', 'srmmu', 'sv32', 'sv39']);

/** The access by a CPU, with whatever the pmap settles by itself: a physical address or FAULT. */
function access({ md }: BareMachine, cpu: number, va: Va, how: Access): number {
  for (;;) {
    const pa = md.mmus[cpu]!.translate(va, how);
    if (pa !== FAULT || md.trap(cpu) !== TRAP_SETTLED) return pa;
  }
}

function bootWith(port: () => Port, cpus: number): BareMachine & { map: number } {
  const bare = bootBare(port(), { memory: 16 << 20, cpus });
  const { pmap } = bare.md;
  const map = pmap.create();
  pmap.activate(map);
  return Object.assign(bare, { map });
}

describe.each(PORTS)('what the pmap of %s forgets', (name, port) => {
  const { pageSize, userMin, userMax, kernelMin, kernelMax } = port().layout;
  const first = Math.max(userMin, 16 * pageSize);

  it('is everything that is not wired, in the range and nowhere else', () => {
    const bare = bootWith(port, 1);
    const { map, md } = bare;
    const { pmap } = md;
    const vas = [0, 1, 2, 3, 70].map((page) => first + page * pageSize);
    const pages = vas.map(() => bare.takePage());
    for (const [n, va] of vas.entries())
      pmap.enter(map, va, pages[n]!, RW, RW | (n === 2 ? PMAP_WIRED : 0));
    const before = pmap.residentCount(map);
    expect(pmap.forget(map, vas[1]!, vas[4]!)).toBe(2);
    pmap.update(map);
    expect(vas.map((va) => pmap.extract(map, va))).toEqual(
      pages.map((pa, n) => (n === 1 || n === 3 ? NO_PA : pa)),
    );
    expect(vas.map((va) => access(bare, 0, va, STORE))).toEqual(
      pages.map((pa, n) => (n === 1 || n === 3 ? FAULT : pa)),
    );
    expect(pmap.forget(map, userMin, userMax)).toBe(2);
    // One of the five is left; some ports count tables as well, and may have lost one.
    expect(before - pmap.residentCount(map)).toBeGreaterThanOrEqual(4);
    expect(pmap.extract(map, vas[2]!)).toBe(pages[2]);
    expect(pmap.forget(map, userMin, userMax)).toBe(0);
  });

  it('may be forgotten once it is unwired', () => {
    const bare = bootWith(port, 1);
    const { map } = bare;
    const { pmap } = bare.md;
    pmap.enter(map, first, bare.takePage(), RW, RW | PMAP_WIRED);
    pmap.unwire(map, first);
    expect(pmap.forget(map, userMin, userMax)).toBe(1);
    expect(pmap.extract(map, first)).toBe(NO_PA);
    pmap.remove(map, userMin, userMax);
    pmap.destroy(map);
    expect(bare.tablePagesOut).toBeLessThanOrEqual(1);
  });

  it('is remembered of the page: that it was stored to, through this map or another', () => {
    const bare = bootWith(port, 1);
    const { map } = bare;
    const { pmap } = bare.md;
    const other = pmap.create();
    const [dirty, clean] = [bare.takePage(), bare.takePage()];
    for (const [n, pa] of [dirty, clean].entries()) {
      pmap.enter(map, first + n * pageSize, pa, RW, VM_PROT_READ);
      pmap.enter(other, first + n * pageSize, pa, VM_PROT_READ, VM_PROT_READ);
      access(bare, 0, first + n * pageSize, VM_PROT_READ | ACCESS_USER);
    }
    pmap.enter(map, first, dirty, RW, VM_PROT_WRITE);
    expect(access(bare, 0, first, STORE)).toBe(dirty);
    expect([pmap.forget(map, userMin, userMax), pmap.forget(other, userMin, userMax)]).toEqual([
      2, 2,
    ]);
    expect([pmap.isModified(dirty), pmap.isModified(clean)]).toEqual([true, false]);
    expect([pmap.clearModify(dirty), pmap.clearModify(dirty)]).toEqual([true, false]);
    // No list names the page any more: nothing is left for pageProtect, and destroy finds empty maps.
    const seen: EventName[] = [];
    const stop = bare.events.watch((event) => seen.push(event));
    pmap.pageProtect(dirty, 0);
    stop();
    expect(seen).not.toContain('pte.write');
    pmap.destroy(other);
    pmap.enter(map, first, dirty, RW, VM_PROT_READ);
    expect(pmap.isModified(dirty)).toBe(false);
    expect(pmap.enter(map, first, dirty, RW, VM_PROT_WRITE)).toBe(0);
    expect(access(bare, 0, first, STORE)).toBe(dirty);
    expect(pmap.isModified(dirty)).toBe(true);
  });

  it('are of the kernel its managed mappings, without those that are wired or kenter made', () => {
    const bare = bootWith(port, 1);
    const { pmap } = bare.md;
    const { start } = pmap.virtualSpace();
    pmap.growKernel?.(start + 8 * pageSize);
    const pages = [bare.takePage(), bare.takePage(), bare.takePage()];
    pmap.enter(PMAP_KERNEL, start, pages[0]!, RW, RW);
    pmap.enter(PMAP_KERNEL, start + pageSize, pages[1]!, RW, RW | PMAP_WIRED);
    pmap.kenterPa(start + 2 * pageSize, pages[2]!, RW);
    // A device's page, too, if kenter made it.
    pmap.kenterPa(start + 3 * pageSize, 64 << 20, RW);
    access(bare, 0, start, VM_PROT_WRITE);
    expect(pmap.forget(PMAP_KERNEL, kernelMin, kernelMax)).toBe(1);
    pmap.update(PMAP_KERNEL);
    expect([0, 1, 2, 3].map((n) => pmap.extract(PMAP_KERNEL, start + n * pageSize))).toEqual([
      NO_PA,
      pages[1],
      pages[2],
      64 << 20,
    ]);
    expect([0, 1, 2].map((n) => access(bare, 0, start + n * pageSize, VM_PROT_WRITE))).toEqual([
      FAULT,
      pages[1],
      pages[2],
    ]);
    expect(pmap.isModified(pages[0]!)).toBe(true);
  });

  it('is told', () => {
    const bare = bootWith(port, 1);
    const { map } = bare;
    const { pmap } = bare.md;
    pmap.enter(map, first, bare.takePage(), RW, RW);
    const seen: string[] = [];
    const stop = bare.events.watch((event, ...fields) => {
      if (event === 'pmap.forget' || event === 'pte.write')
        seen.push([event, fields[0], fields[1]].join(' '));
    });
    pmap.forget(map, userMin, userMax);
    stop();
    expect(seen).toEqual([`pmap.forget ${map} ${userMin}`, `pte.write ${map} ${first}`]);
  });

  it('is what a table that runs empty took up, where that is a page of its own', () => {
    const bare = bootWith(port, 1);
    const { map } = bare;
    const { pmap } = bare.md;
    const empty = pmap.tableBytes(map);
    pmap.enter(map, first, bare.takePage(), RW, RW);
    expect(pmap.tableBytes(map)).toBeGreaterThan(empty);
    pmap.forget(map, userMin, userMax);
    // The 4xx keeps its tables until the map goes, as `remove` does there.
    if (name !== 'ibm4xx') expect(pmap.tableBytes(map)).toBe(empty);
  });
});

it.each(PORTS.filter(([name]) => MULTIPROCESSORS.has(name)))(
  'what the pmap of %s forgets is gone from the TLB of every CPU',
  (_, port) => {
    const { userMin, userMax, pageSize } = port().layout;
    const first = Math.max(userMin, 16 * pageSize);
    const bare = bootWith(port, 2);
    const { map, md } = bare;
    const { pmap } = md;
    md.currentCpu = 1;
    pmap.activate(map);
    const pa = bare.takePage();
    pmap.enter(map, first, pa, RW, VM_PROT_WRITE);
    pmap.update(map);
    expect([0, 1].map((cpu) => access(bare, cpu, first, STORE))).toEqual([pa, pa]);
    expect(pmap.forget(map, userMin, userMax)).toBe(1);
    pmap.update(map);
    expect([0, 1].map((cpu) => access(bare, cpu, first, STORE))).toEqual([FAULT, FAULT]);
  },
);
