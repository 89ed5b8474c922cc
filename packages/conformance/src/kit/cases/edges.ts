import { type Port, type Va } from '@uvmkit/pmap';
import type { KitCase } from '../case.ts';
import { LOOK_LOAD, type Model } from '../model.ts';
import { code, KERNEL, UNMANAGED } from '../stage.ts';
import { both } from './enter.ts';
import { modelCase } from './define.ts';
import { R, RW, WIRED } from './rights.ts';

const USER = 8;

/** Where tables, segments, regions and the like end on some MMU, as powers of two. */
const SPANS: readonly number[] = [18, 21, 22, 23, 24, 26, 28, 30, 33].map((bits) => 2 ** bits);

/** User addresses at which something of that size begins, with a page before them and one of it behind. */
function edges({ layout }: Port): { readonly edge: Va; readonly span: number }[] {
  const { pageSize, userMin, userMax, userHoles } = layout;
  const end = userHoles[0]?.start ?? userMax;
  return SPANS.map((span) => ({ edge: Math.ceil((userMin + span) / span) * span, span })).filter(
    ({ edge }) => edge + 2 * pageSize <= end,
  );
}

/**
 * A range that has an edge in it: mapped on both sides, or on the far side only, begun next to the edge or as far from
 * it as what ends there is long.
 */
function acrossEdges(model: Model, lower: (start: Va, end: Va) => void): void {
  const { pageSize } = model.stage;
  model.look = LOOK_LOAD;
  for (const { edge, span } of edges(model.port))
    for (const start of [edge - pageSize, edge - span + pageSize])
      for (const near of [false, true]) {
        // A new map each time: tables may stay when they are empty.
        model.renew(0);
        model.activate(0);
        const vas = [...(near ? [edge - pageSize] : []), edge, edge + pageSize];
        for (const [index, va] of vas.entries()) model.enter(0, va, index, RW, RW);
        lower(start, edge + pageSize);
        for (const va of vas) {
          model.access(model.cpu, 0, va, RW | USER);
          model.access(model.cpu, 0, va, R | USER);
        }
      }
}

/** How many mappings are changed by one call: more than any port keeps track of one by one. */
const CROWD = 40;

/** Pages of the running map side by side, changed by one call and then tried by every CPU. */
function crowd(model: Model, map: number, first: Va): void {
  const { pageSize, cpus } = model.stage;
  const vas = Array.from({ length: CROWD }, (_, index) => first + index * pageSize);
  const end = first + CROWD * pageSize;
  const mode = map === KERNEL ? 0 : USER;
  const tried = (access: number): void => {
    for (let cpu = 0; cpu < cpus; cpu++)
      for (const va of vas) model.access(cpu, map, va, access | mode);
  };
  const changes = [
    () => model.protect(map, first, end, R),
    () => model.forget(map, first, end),
    () => model.remove(map, first, end),
  ];
  for (const change of changes) {
    model.look = 0;
    for (const [index, va] of vas.entries()) model.enter(map, va, index % 4, RW, RW);
    tried(RW);
    change();
    tried(RW);
    tried(R);
  }
  model.remove(map, first, end);
}

/** One page at many addresses, every third of them read-only, lowered at once and then tried by every CPU. */
function popular(model: Model): void {
  const { pageSize, cpus, userSpots } = model.stage;
  const vas = Array.from({ length: CROWD }, (_, index) => userSpots[3]! + index * pageSize);
  const tried = (access: number): void => {
    for (let cpu = 0; cpu < cpus; cpu++)
      for (const va of vas) model.access(cpu, 0, va, access | USER);
  };
  const changes = [
    () => model.pageProtect(0, R),
    () => model.clearModify(0),
    () => model.pageProtect(0, 0),
  ];
  for (const change of changes) {
    model.look = 0;
    for (const [index, va] of vas.entries()) {
      const prot = index % 3 === 1 ? R : RW;
      model.enter(0, va, 0, prot, prot);
    }
    tried(R);
    tried(RW);
    change();
    model.observer.bits();
    tried(R);
    tried(RW);
    model.observer.bits();
  }
}

export const edgeCases: readonly KitCase[] = [
  modelCase(
    {
      id: 'PMAP-EDGE-001',
      sentence: 'a range is removed to its last page wherever tables begin and end in it',
      clauses: ['Pmap.ranges', 'remove.holes'],
    },
    (model) => acrossEdges(model, (start, end) => model.remove(0, start, end)),
  ),
  modelCase(
    {
      id: 'PMAP-EDGE-002',
      sentence: 'so is one protected',
      clauses: ['Pmap.ranges', 'protect.lowers'],
    },
    (model) => acrossEdges(model, (start, end) => model.protect(0, start, end, R)),
  ),
  modelCase(
    {
      id: 'PMAP-EDGE-003',
      sentence: 'and one forgotten',
      clauses: ['Pmap.ranges', 'forget.range', 'forget.count'],
    },
    (model) => acrossEdges(model, (start, end) => model.forget(0, start, end)),
  ),
  ...[1, 2].flatMap((cpus) => {
    const every = cpus === 1 ? 'the CPU' : 'each CPU';
    const run = (model: Model): Model => {
      if (cpus === 1) model.activate(0);
      else both(model);
      return model;
    };
    return [
      modelCase(
        {
          id: `PMAP-CROWD-00${2 * cpus - 1}`,
          sentence: `forty pages changed by one call are changed for ${every}`,
          clauses: ['Pmap.ranges', 'Pmap.deferred', 'protect.lowers', 'forget.visible'],
          model: { cpus },
        },
        (model) => {
          crowd(run(model), 0, model.stage.userSpots[3]!);
          crowd(model, KERNEL, model.stage.kernelSpots[0]!);
        },
      ),
      modelCase(
        {
          id: `PMAP-CROWD-00${2 * cpus}`,
          sentence: `a page that is mapped forty times is lowered and cleared in all of them, for ${every}`,
          clauses: ['pageProtect.lowers', 'clearModify.clears', 'isModified.exact'],
          model: { cpus },
        },
        (model) => popular(run(model)),
      ),
    ];
  }),
  modelCase(
    {
      id: 'PMAP-KENTER-007',
      sentence: 'an address that enter has had is as good as another',
      clauses: ['kenterPa.maps', 'kenterPa.counts', 'kremove.removes'],
    },
    (model) => {
      const { kernelSpots, pageSize } = model.stage;
      for (const page of [0, UNMANAGED])
        for (const how of [0, WIRED])
          for (const va of kernelSpots) {
            model.enter(KERNEL, va, page, RW, RW | how);
            model.remove(KERNEL, va, va + pageSize);
            model.kenter(va, page, RW);
            model.kremove(va, va + pageSize);
          }
    },
  ),
  modelCase(
    {
      id: 'PMAP-GROW-004',
      sentence: 'every address below what growKernel answers can be mapped',
      clauses: ['growKernel.returns', 'growKernel.everywhere'],
    },
    (model) => {
      const { pmap, pageSize, script } = model.stage;
      const { start, end } = pmap.virtualSpace();
      const step = 2 ** 20;
      const wanted = Math.min(start + 64 * step, end);
      const grown = pmap.growKernel?.call(pmap, wanted) ?? wanted;
      script.push(`pmap.growKernel?.(0x${wanted.toString(16)});`);
      model.look = LOOK_LOAD;
      for (let va = start + 2 ** 19; va < Math.min(grown, end) - pageSize; va += step) {
        model.kenter(va, 0, RW);
        model.kremove(va, va + pageSize);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-UNWIRE-004',
      sentence: 'unwiring is not removing: the mapping is still there when unwire returns',
      clauses: ['unwire.takes'],
    },
    (model) => {
      model.look = 0;
      const { pmap, userSpots, kernelSpots, pageSize } = model.stage;
      for (const [map, vas] of [
        [0, userSpots],
        [KERNEL, kernelSpots],
      ] as const)
        for (const va of vas)
          for (const page of [1, UNMANAGED]) {
            model.enter(map, va, page, RW, RW | WIRED);
            model.unwire(map, va);
            const found = pmap.extract(model.stage.id(map), va);
            const wanted = model.pages[page]!.pa;
            if (found !== wanted)
              throw model.wrong('pmap.extract after pmap.unwire', code(wanted), code(found));
            model.remove(map, va, va + pageSize);
          }
    },
  ),
];
