import {
  ACCESS_USER,
  ACCESS_USERSPACE,
  PMAP_CANFAIL,
  PMAP_WIRED,
  type Prot,
  type Va,
  VM_PROT_ALL,
  VM_PROT_EXECUTE,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { type Model } from './model.ts';
import type { Command, CommandShape } from './search.ts';
import { KERNEL, PAGES, UNMANAGED } from './stage.ts';

/** Protections that are entered: mostly those that programs have. */
const ENTERED: readonly Prot[] = [
  VM_PROT_READ | VM_PROT_WRITE,
  VM_PROT_READ,
  VM_PROT_READ | VM_PROT_EXECUTE,
  VM_PROT_ALL,
  VM_PROT_WRITE,
  VM_PROT_EXECUTE,
];

/** Protections to which is lowered. */
const LOWERED: readonly Prot[] = [
  VM_PROT_READ,
  VM_PROT_NONE,
  VM_PROT_READ | VM_PROT_EXECUTE,
  VM_PROT_READ | VM_PROT_WRITE,
  VM_PROT_EXECUTE,
  VM_PROT_WRITE,
  VM_PROT_ALL,
];

const RIGHTS: readonly Prot[] = [
  VM_PROT_READ,
  VM_PROT_WRITE,
  VM_PROT_EXECUTE,
  VM_PROT_READ | VM_PROT_WRITE,
];

const CPUS = 4;
const MAPS = 3;
const SPOTS = 8;
const KERNEL_SPOTS = 4;
const LOOKS = 32;

/** How a kind of command is chosen and carried out. The first argument is the CPU, the last what is looked at afterwards. */
interface Kind {
  readonly weight: number;
  /** Of the arguments between the two. */
  readonly ranges: readonly number[];
  readonly run: (model: Model, ...args: number[]) => void;
}

const at = <T>(values: readonly T[], index: number): T => values[index % values.length]!;

function userVa(model: Model, spot: number): Va {
  return at(model.stage.userSpots, spot);
}

function kernelVa(model: Model, spot: number): Va {
  return at(model.stage.kernelSpots, spot);
}

function kenterVa(model: Model, spot: number): Va {
  return at(model.stage.kenterSpots, spot);
}

/**
 * Whether a mapping of the page would be an alias that the port cannot know of: it has no reverse map for pages
 * that are not managed and for `kenterPa`, so a cache that is indexed by address is then its caller's care.
 *
 * @param unlisted whether the new mapping will be in no reverse map
 */
function unknownAlias(model: Model, page: number, unlisted: boolean): boolean {
  if (model.port.capabilities.cacheAlias === 0) return false;
  const lives = (map: number): boolean =>
    model.isLive(map) &&
    [...model.ideal(map).mappings.values()].some(
      (mapping) => mapping.page === page && (unlisted || mapping.kenter),
    );
  return [KERNEL, ...model.maps.keys()].some(lives);
}

function enter(
  model: Model,
  map: number,
  va: Va,
  page: number,
  prot: number,
  access: number,
  how: number,
): void {
  const entered = at(ENTERED, prot);
  if (unknownAlias(model, page, page === UNMANAGED)) return;
  // `PMAP_CANFAIL` always where something can run out: what happens without it is a case of its own.
  const canfail = model.scarce || how % 2 === 1 ? PMAP_CANFAIL : 0;
  const flags = (access & entered) | (how >= 4 ? PMAP_WIRED : 0) | canfail;
  model.enter(map, va, page, entered, flags);
}

/** The range from one of ascending addresses to another, both pages included. */
function range(model: Model, vas: readonly Va[], first: number, count: number): [Va, Va] {
  const from = first % vas.length;
  const to = Math.min(from + count, vas.length - 1);
  const start = vas[from]!;
  const hole = model.port.layout.userHoles.find((each) => each.start > start);
  const last = vas.findLast((va, index) => index <= to && (hole === undefined || va < hole.start));
  return [start, (last ?? start) + model.stage.pageSize];
}

function protect(model: Model, map: number, [start, end]: [Va, Va], prot: Prot): void {
  const odd = (prot & VM_PROT_READ) === 0 && prot !== VM_PROT_NONE;
  if (!odd || !model.excused.has('protectWithoutRead')) model.protect(map, start, end, prot);
}

const KINDS: Readonly<Record<string, Kind>> = {
  enter: {
    weight: 8,
    ranges: [MAPS, SPOTS, PAGES + 1, ENTERED.length, 8, 6],
    run: (model, map, spot, page, prot, access, how) =>
      enter(model, map!, userVa(model, spot!), page!, prot!, access!, how!),
  },
  access: {
    weight: 10,
    ranges: [SPOTS, RIGHTS.length, 3],
    run: (model, spot, rights, mode) => {
      const map = model.running[model.cpu];
      // Now and then the kernel on a user's behalf, as it copies in and out.
      const copies = mode === 2 && at(RIGHTS, rights!) !== VM_PROT_EXECUTE;
      const access = at(RIGHTS, rights!) | (copies ? ACCESS_USERSPACE : ACCESS_USER);
      if (typeof map === 'number') model.access(model.cpu, map, userVa(model, spot!), access);
    },
  },
  activate: { weight: 3, ranges: [MAPS], run: (model, map) => model.activate(map!) },
  deactivate: { weight: 1, ranges: [], run: (model) => model.deactivate() },
  remove: {
    weight: 2,
    ranges: [MAPS, SPOTS, 3],
    run: (model, map, first, count) =>
      model.remove(map!, ...range(model, model.stage.userSpots, first!, count!)),
  },
  protect: {
    weight: 3,
    ranges: [MAPS, SPOTS, 3, LOWERED.length],
    run: (model, map, first, count, prot) =>
      protect(model, map!, range(model, model.stage.userSpots, first!, count!), at(LOWERED, prot!)),
  },
  unwire: {
    weight: 3,
    ranges: [MAPS, SPOTS],
    run: (model, map, spot) => {
      const va = userVa(model, spot!);
      if (model.mapping(map!, va)?.wired === true) model.unwire(map!, va);
    },
  },
  pageProtect: {
    weight: 3,
    ranges: [PAGES, LOWERED.length],
    run: (model, page, prot) => model.pageProtect(page!, at(LOWERED, prot!)),
  },
  clearModify: { weight: 2, ranges: [PAGES], run: (model, page) => model.clearModify(page!) },
  clearReference: { weight: 2, ranges: [PAGES], run: (model, page) => model.clearReference(page!) },
  kernelEnter: {
    weight: 2,
    ranges: [KERNEL_SPOTS, PAGES + 1, ENTERED.length, 8, 6],
    run: (model, spot, page, prot, access, how) =>
      enter(model, KERNEL, kernelVa(model, spot!), page!, prot!, access!, how!),
  },
  kernelRemove: {
    weight: 1,
    ranges: [KERNEL_SPOTS, 2],
    run: (model, first, count) =>
      model.remove(KERNEL, ...range(model, model.stage.kernelSpots, first!, count!)),
  },
  kernelProtect: {
    weight: 1,
    ranges: [KERNEL_SPOTS, 2, LOWERED.length],
    run: (model, first, count, prot) =>
      protect(
        model,
        KERNEL,
        range(model, model.stage.kernelSpots, first!, count!),
        at(LOWERED, prot!),
      ),
  },
  kernelUnwire: {
    weight: 1,
    ranges: [KERNEL_SPOTS],
    run: (model, spot) => {
      const va = kernelVa(model, spot!);
      if (model.mapping(KERNEL, va)?.wired === true) model.unwire(KERNEL, va);
    },
  },
  kernelAccess: {
    weight: 3,
    ranges: [KERNEL_SPOTS, 2, RIGHTS.length],
    run: (model, spot, kenter, rights) => {
      const va = kenter === 0 ? kernelVa(model, spot!) : kenterVa(model, spot!);
      model.access(model.cpu, KERNEL, va, at(RIGHTS, rights!));
    },
  },
  kenter: {
    weight: 2,
    ranges: [KERNEL_SPOTS, PAGES + 1, 2],
    run: (model, spot, page, prot) => {
      const va = kenterVa(model, spot!);
      if (model.mapping(KERNEL, va) === undefined && !unknownAlias(model, page!, true))
        model.kenter(va, page!, at(ENTERED, prot!));
    },
  },
  kremove: {
    weight: 2,
    ranges: [KERNEL_SPOTS, 2],
    run: (model, first, count) =>
      model.kremove(...range(model, model.stage.kenterSpots, first!, count!)),
  },
  collect: { weight: 1, ranges: [MAPS], run: (model, map) => model.collect(map!) },
  forget: {
    weight: 2,
    ranges: [MAPS + 1, SPOTS, 3],
    run: (model, map, first, count) => {
      const kernel = map === MAPS;
      const spots = kernel ? model.stage.kernelSpots : model.stage.userSpots;
      model.forget(kernel ? KERNEL : map!, ...range(model, spots, first!, count!));
    },
  },
  copy: {
    weight: 1,
    ranges: [MAPS, MAPS, SPOTS, 2],
    run: (model, dst, src, first, count) => {
      const [start, end] = range(model, model.stage.userSpots, first!, count!);
      if (dst !== src) model.copy(dst!, src!, start, end - start, start);
    },
  },
  zeroPage: {
    weight: 1,
    ranges: [PAGES + 1],
    run: (model, page) => {
      if (!unknownAlias(model, page!, page === UNMANAGED)) model.zeroPage(page!);
    },
  },
  copyPage: {
    weight: 1,
    ranges: [PAGES + 1, PAGES + 1],
    run: (model, src, dst) => {
      const unknown = [src!, dst!].some((page) => unknownAlias(model, page, page === UNMANAGED));
      if (src !== dst && !unknown) model.copyPage(src!, dst!);
    },
  },
  renew: { weight: 1, ranges: [MAPS], run: (model, map) => model.renew(map!) },
};

/** The kinds of commands that a sequence is made of. */
export const SHAPES: readonly CommandShape[] = Object.entries(KINDS).map(
  ([name, { weight, ranges }]) => ({ name, weight, ranges: [CPUS, ...ranges, LOOKS] }),
);

/** Carries a command out. */
export function perform(model: Model, { name, args }: Command): void {
  model.on(args[0]! % model.stage.cpus);
  model.look = args.at(-1)!;
  KINDS[name]!.run(model, ...args.slice(1, -1));
}
