import { hex, PMAP_KERNEL, type PmapId, type Va } from '@uvmkit/pmap';
import { type Amap, NO_PAGE, type Uvm, type UvmObject, type VmMap } from '@uvmkit/uvm-core';
import { type Arguments, numberOf, numbersText } from './arguments.ts';
import type { Session } from './session.ts';

// The things that arguments name, by the numbers that commands print.

/** Every map, by number. */
export function mapsOf(uvm: Uvm): Map<number, VmMap> {
  return new Map([...uvm.maps].map((map) => [map.id, map]));
}

export function findMap({ uvm }: Session, args: Arguments): VmMap {
  return pick(args, 'a map', mapsOf(uvm));
}

export function findAmap(session: Session, args: Arguments): readonly [number, Amap] {
  const amaps = session.amaps();
  const amap = pick(args, 'an amap', amaps);
  return [session.amapId(amap), amap];
}

export function findObject({ uvm }: Session, args: Arguments): UvmObject {
  return pick(args, 'an object', new Map(uvm.objects.map((object) => [object.id, object])));
}

export function findAnon({ uvm }: Session, args: Arguments): number {
  return index(args, 'an anon', uvm.anons.count);
}

/** Every pmap that a map uses, with its map. */
export function pmapsOf(uvm: Uvm): Map<PmapId, VmMap> {
  const pmaps = new Map<PmapId, VmMap>();
  // Submaps of the kernel's map use its pmap.
  for (const map of uvm.maps) if (!pmaps.has(map.pmap)) pmaps.set(map.pmap, map);
  pmaps.set(PMAP_KERNEL, uvm.kernelMap);
  return pmaps;
}

export function findPmap({ uvm }: Session, args: Arguments): readonly [PmapId, VmMap] {
  const map = pick(args, 'a pmap', pmapsOf(uvm));
  return [map.pmap, map];
}

/** A page by its index, or by a physical address, which begins with 0x. */
export function findPage({ uvm }: Session, args: Arguments): number {
  const { pages } = uvm;
  const wanted = `the index of a page (0 to ${pages.pageCount - 1}) or its physical address in hexadecimal`;
  const word = args.word(wanted);
  const value = numberOf(word) ?? args.fail(wanted, word);
  if (!/^0x/i.test(word))
    return value >= 0 && value < pages.pageCount ? value : args.fail(wanted, word);
  const page = pages.pageIndex(value);
  if (page !== NO_PAGE) return page;
  const ranges = pages.segments.map(({ start, end }) => `${hex(start)}-${hex(end)}`).join(', ');
  throw args.error(`a physical address that UVM manages (${ranges})`, word);
}

/** A virtual address of the port. */
export function findAddress({ machine }: Session, args: Arguments): Va {
  const wanted = 'a virtual address';
  const word = args.word(wanted);
  const va = numberOf(word) ?? args.fail(wanted, word);
  // 64-bit addresses are signed numbers: every number is one.
  if (machine.md.port.layout.pointerSize === 8 || (va >= 0 && va < 2 ** 32)) return va;
  throw args.error('a virtual address of 32 bits', word);
}

function pick<T>(args: Arguments, what: string, all: ReadonlyMap<number, T>): T {
  const wanted = `the number of ${what} (${numbersText([...all.keys()])})`;
  const word = args.word(wanted);
  return all.get(numberOf(word) ?? NaN) ?? args.fail(wanted, word);
}

function index(args: Arguments, what: string, count: number): number {
  const wanted = `the number of ${what} (0 to ${count - 1})`;
  const word = args.word(wanted);
  const value = numberOf(word) ?? NaN;
  return value >= 0 && value < count ? value : args.fail(wanted, word);
}
